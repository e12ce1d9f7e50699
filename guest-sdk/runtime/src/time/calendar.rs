//! Offsets: fixed units by length, months and years by the calendar.

use alloc::format;

use super::{date, message};
use crate::date::{Date, civil_of, days_from_civil, days_in_month};
use crate::error::Error;
use crate::value::Value;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// Instants of the years 0 to 9999: what texts of dates can say.
const MILLIS_MIN: i64 = -62_167_219_200_000;
const MILLIS_MAX: i64 = 253_402_300_799_999;

/// What an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// So many milliseconds.
    Fixed(i64),
    /// So many months.
    Months(i64),
}

impl Unit {
    /// `s m h d w M y` and their words; only the single letter `M` tells minutes from months.
    pub(super) fn named(name: &str) -> Option<Unit> {
        if name == "M" {
            return Some(Unit::Months(1));
        }
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        Some(if is(&["s", "sec", "second", "seconds"]) {
            Unit::Fixed(1000)
        } else if is(&["m", "min", "minute", "minutes"]) {
            Unit::Fixed(MINUTE)
        } else if is(&["h", "hr", "hour", "hours"]) {
            Unit::Fixed(60 * MINUTE)
        } else if is(&["d", "day", "days"]) {
            Unit::Fixed(DAY)
        } else if is(&["w", "wk", "week", "weeks"]) {
            Unit::Fixed(7 * DAY)
        } else if is(&["mo", "month", "months"]) {
            Unit::Months(1)
        } else if is(&["y", "yr", "year", "years"]) {
            Unit::Months(12)
        } else {
            return None;
        })
    }
}

/// A date moved by an offset such as `+7d`, `-3h`, `1 month`.
///
/// # Errors
/// [`Error::Message`] if `value` is no date, `offset` is none, or the result is out of range.
pub fn shift(value: Value, offset: &str) -> Result<Value, Error> {
    let date = date(value)?;
    let trimmed = offset.trim();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, unit) = digits.split_at_checked(end).unwrap_or((digits, ""));
    let (Ok(count), Some(unit)) = (digits.parse::<i64>(), Unit::named(unit.trim())) else {
        return Err(message(format!("Invalid date offset '{offset}'")));
    };
    let count = if trimmed.starts_with('-') {
        -count
    } else {
        count
    };
    step(date, count, unit)
        .map(Value::from)
        .ok_or_else(|| message(format!("Date offset '{offset}' leads out of the calendar")))
}

/// A date `count` units later; none outside of the years 0 to 9999.
pub(super) fn step(date: Date, count: i64, unit: Unit) -> Option<Date> {
    let millis = match unit {
        Unit::Fixed(size) => date.millis.checked_add(count.checked_mul(size)?)?,
        Unit::Months(months) => add_months(date, count.checked_mul(months)?)?,
    };
    (MILLIS_MIN..=MILLIS_MAX)
        .contains(&millis)
        .then_some(Date { millis, ..date })
}

/// The same day and time so many months later, or the last day of a month that is too short.
fn add_months(date: Date, months: i64) -> Option<i64> {
    let civil = civil_of(date);
    let index = civil
        .year
        .checked_mul(12)?
        .checked_add(civil.month - 1)?
        .checked_add(months)?;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    // Days of far years would overflow before the range is checked.
    if !(-1..=10_000).contains(&year) {
        return None;
    }
    let day = civil.day.min(days_in_month(year, month));
    let moved = days_from_civil(year, month, day) - civil.days;
    date.millis.checked_add(moved * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn offsets_move_dates() {
        for (start, offset, end) in [
            ("2025-01-31", "+1M", "2025-02-28T00:00:00Z"),
            ("2024-01-31", "+1mo", "2024-02-29T00:00:00Z"),
            ("2024-02-29", "-1y", "2023-02-28T00:00:00Z"),
            ("2025-12-31T23:59:59Z", "+1s", "2026-01-01T00:00:00Z"),
            ("2025-01-01", "+90m", "2025-01-01T01:30:00Z"),
            ("2025-01-01", "-3h", "2024-12-31T21:00:00Z"),
            ("2025-01-01", "14d", "2025-01-15T00:00:00Z"),
            ("2025-01-01", "+2 weeks", "2025-01-15T00:00:00Z"),
            ("2025-03-31", "-13 Months", "2024-02-29T00:00:00Z"),
            (
                "2025-01-01T00:00:00+02:00",
                "+1d",
                "2025-01-02T00:00:00+02:00",
            ),
        ] {
            let moved = shift(Value::Text(start), offset).unwrap();
            assert_eq!(text::of(moved), end, "{start} {offset}");
        }
    }

    #[test]
    fn bad_offsets_are_refused() {
        for offset in [
            "",
            "+",
            "7",
            "+7x",
            "d",
            "+99999999999999999999d",
            "+9999y",
            "-9999y",
            "+9223372036854775807w",
        ] {
            assert!(
                shift(Value::Text("2025-01-01"), offset).is_err(),
                "{offset}"
            );
        }
    }
}
