//! Times as values: offsets, patterns, ranges, distances, recurrences (actions.md 18).
//!
//! A range, distance or recurrence is the map of its properties, told by its keys: so it is stored, sent and published as any value is, and a reader of its JSON sees what it says. What the language does with it beyond a map – its text, `contains`, properties in any letter case – asks [`Span`].

mod calendar;
mod pattern;
mod recur;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::date::{self, Date, Precision};
use crate::error::Error;
use crate::value::{Entry, Value};

pub use calendar::shift;
pub use recur::recurrence;

/// The pattern where none is given.
pub const PATTERN: &str = "MMMM dd, yyyy";

const SECOND: i64 = 1000;
/// Units in the order of their names, with their milliseconds.
const UNITS: [(&str, i64); 5] = [
    ("days", 24 * 3600 * SECOND),
    ("hours", 3600 * SECOND),
    ("minutes", 60 * SECOND),
    ("seconds", SECOND),
    ("weeks", 7 * 24 * 3600 * SECOND),
];

/// The Date that a value is or that a text denotes.
///
/// # Errors
/// [`Error::Message`].
pub fn date(value: Value) -> Result<Date, Error> {
    if let Value::Date {
        millis,
        offset_minutes,
    } = value
    {
        return Ok(Date {
            millis,
            offset_minutes,
        });
    }
    let Some(text) = value.as_text() else {
        return Err(message(format!(
            "Type mismatch: expected 'String (ISO 8601)', got '{}'",
            value.type_name()
        )));
    };
    date::parse(text).ok_or_else(|| message(format!("Cannot parse date '{text}'")))
}

pub(crate) fn message(text: String) -> Error {
    Error::Message(text.leak())
}

/// The text of a date by a pattern of Unicode letters, in its own zone.
///
/// # Errors
/// [`Error::Message`] if `value` is no date.
pub fn format(value: Value, pattern: &str) -> Result<Value, Error> {
    let mut out = String::new();
    pattern::write(&mut out, date(value)?, pattern);
    Ok(Value::text(out))
}

/// The text of a date by a pattern in UTC; nothing if `value` is no date.
pub fn format_utc(value: Value, pattern: &str) -> Option<Value> {
    let utc = Date {
        millis: date(value).ok()?.millis,
        offset_minutes: 0,
    };
    let mut out = String::new();
    pattern::write(&mut out, utc, pattern);
    Some(Value::text(out))
}

/// The signed distance `to - from`.
///
/// # Errors
/// [`Error::Message`] if one is no date.
pub fn distance(from: Value, to: Value) -> Result<Value, Error> {
    let (from, to) = (date(from)?, date(to)?);
    Ok(Value::map(units(to.millis.saturating_sub(from.millis))))
}

fn units(millis: i64) -> Vec<Entry> {
    UNITS
        .iter()
        .map(|(name, unit)| (*name, Value::Int(millis / unit)))
        .collect()
}

/// The range from one date to another, in the order given; its spans are absolute.
///
/// # Errors
/// [`Error::Message`] if one is no date.
pub fn range(from: Value, to: Value) -> Result<Value, Error> {
    let (start, end) = (date(from)?, date(to)?);
    let mut entries = units(end.millis.saturating_sub(start.millis).saturating_abs());
    entries.push(("start", start.into()));
    entries.push(("end", end.into()));
    Ok(Value::map(entries))
}

/// Which of the three a map is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// `start` and `end`.
    Range(Date, Date),
    /// Nothing but units.
    Distance,
    /// `next`, `occurrences`, `pattern`, `previous`.
    Recurrence,
}

impl Span {
    /// What the entries of a map are; the keys are in order.
    pub fn of(entries: &[Entry]) -> Option<Span> {
        let is_int = |value: &Value| matches!(value, Value::Int(_));
        let instant = |value: &Value| {
            let is_date = matches!(value, Value::Date { .. });
            is_date.then(|| date(*value).ok()).flatten()
        };
        match entries {
            [
                ("days", days),
                ("end", end),
                ("hours", _),
                ("minutes", _),
                ("seconds", _),
                ("start", start),
                ("weeks", _),
            ] if is_int(days) => Some(Span::Range(instant(start)?, instant(end)?)),
            [
                ("days", days),
                ("hours", _),
                ("minutes", _),
                ("seconds", _),
                ("weeks", _),
            ] if is_int(days) => Some(Span::Distance),
            [
                ("next", next),
                ("occurrences", _),
                ("pattern", _),
                ("previous", _),
            ] => instant(next).map(|_| Span::Recurrence),
            _ => None,
        }
    }

    /// Name of the kind in error texts.
    pub fn name(self) -> &'static str {
        match self {
            Span::Range(..) => "DateRange",
            Span::Distance => "DateDistance",
            Span::Recurrence => "Recurrence",
        }
    }
}

/// Property `name` of a range, distance or recurrence in any letter case; `None` for other maps.
pub fn property(entries: &[Entry], name: &str) -> Option<Value> {
    Span::of(entries)?;
    entries
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// Whether a range holds a date, its ends included, in either order; `None` if this is no range or no date.
pub fn contains(range: Value, instant: Value) -> Option<bool> {
    let Some(Span::Range(start, end)) = Span::of(range.as_map()?) else {
        return None;
    };
    let instant = date::instant(instant)?;
    let (first, last) = (start.millis.min(end.millis), start.millis.max(end.millis));
    Some((first..=last).contains(&instant))
}

/// Whether a map is a range.
pub fn is_range(entries: &[Entry]) -> bool {
    matches!(Span::of(entries), Some(Span::Range(..)))
}

/// Appends the text of a range; answers whether the map is one.
pub fn write_range(out: &mut String, entries: &[Entry]) -> bool {
    let Some(Span::Range(start, end)) = Span::of(entries) else {
        return false;
    };
    date::write(out, start, Precision::Seconds);
    out.push_str(" to ");
    date::write(out, end, Precision::Seconds);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn int(value: Value, key: &str) -> i64 {
        value.entry(key).and_then(Value::to_int).unwrap()
    }

    #[test]
    fn ranges_measure_and_contain() {
        let span = range(
            Value::Text("2025-01-01T00:00:00"),
            Value::Text("2025-03-31T23:59:59"),
        )
        .unwrap();
        assert_eq!((int(span, "days"), int(span, "weeks")), (89, 12));
        assert_eq!(
            contains(span, Value::Text("2025-03-31T23:59:59Z")),
            Some(true)
        );
        assert_eq!(contains(span, Value::Text("2025-04-01")), Some(false));
        assert_eq!(contains(span, Value::Text("soon")), None);
        let entries = span.as_map().unwrap();
        assert_eq!(property(entries, "Start"), span.entry("start"));
        let mut out = String::new();
        assert!(write_range(&mut out, entries));
        assert_eq!(out, "2025-01-01T00:00:00Z to 2025-03-31T23:59:59Z");
    }

    #[test]
    fn distances_are_signed() {
        let gap = distance(
            Value::Text("2025-01-15"),
            Value::Text("2025-01-01T12:00:00Z"),
        )
        .unwrap();
        assert_eq!(
            text::of(gap),
            r#"["days": -13, "hours": -324, "minutes": -19440, "seconds": -1166400, "weeks": -1]"#
        );
        assert_eq!(Span::of(gap.as_map().unwrap()), Some(Span::Distance));
        assert_eq!(
            distance(Value::Int(1), gap),
            Err(Error::Message(
                "Type mismatch: expected 'String (ISO 8601)', got 'Int'"
            ))
        );
    }
}
