//! Dates: ISO 8601 text to instants and back (language.md 10.9), and their properties (actions.md 18.2).

use alloc::string::String;
use core::fmt::Write;

use crate::text;
use crate::value::Value;

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;
/// Milliseconds in a minute.
const MINUTE: i64 = 60_000;

/// An instant and the zone it is shown in, as in [`Value::Date`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub millis: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

/// How much of an instant its text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// `2026-03-01T09:30:00Z`, as programs see it.
    Seconds,
    /// With `.123` where the milliseconds are not zero, as it is encoded.
    Millis,
}

/// The date and time of day in a zone.
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    millis: u32,
    /// Days since 1970-01-01.
    days: i64,
}

/// [`Civil`] as numbers to calculate with.
pub(crate) struct Fields {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millis: i64,
    /// Days since 1970-01-01.
    pub(crate) days: i64,
    /// From 1 on.
    pub(crate) day_of_year: i64,
}

/// The date and time of day of an instant in its zone.
pub(crate) fn civil_of(date: Date) -> Fields {
    let civil = civil(date);
    Fields {
        year: civil.year,
        month: civil.month.into(),
        day: civil.day.into(),
        hour: civil.hour.into(),
        minute: civil.minute.into(),
        second: civil.second.into(),
        millis: civil.millis.into(),
        days: civil.days,
        day_of_year: civil.days - days_from_civil(civil.year, 1, 1) + 1,
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Value {
        Value::Date {
            millis: date.millis,
            offset_minutes: date.offset_minutes,
        }
    }
}

/// The instant that a Date, or a text that looks like one, denotes.
pub fn instant(value: Value) -> Option<i64> {
    match value {
        Value::Date { millis, .. } => Some(millis),
        Value::Text(text) => parse(text).map(|date| date.millis),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Socket(_) => None,
    }
}

/// Reads `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM:SS` (UTC) and the latter with a fraction of a second and a zone. Surrounding spaces are ignored.
pub fn parse(text: &str) -> Option<Date> {
    let mut reader = Reader {
        rest: text.trim_ascii().as_bytes(),
    };
    let (year, month, day) = (reader.number(4)?, reader.after(b'-')?, reader.after(b'-')?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * DAY;
    if reader.rest.is_empty() {
        return Some(Date {
            millis: midnight,
            offset_minutes: 0,
        });
    }
    reader.take(b'T')?;
    let (hour, minute, second) = (reader.number(2)?, reader.after(b':')?, reader.after(b':')?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut millis = midnight + (hour * 3600 + minute * 60 + second) * 1000;
    if reader.rest.is_empty() {
        return Some(Date {
            millis,
            offset_minutes: 0,
        });
    }
    if reader.take(b'.').is_some() {
        millis += reader.fraction()?;
    }
    let offset_minutes = reader.zone()?;
    Some(Date {
        millis: millis - i64::from(offset_minutes) * MINUTE,
        offset_minutes,
    })
}

/// What is left of a date text.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        if *first != byte {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    fn digit(&mut self) -> Option<i64> {
        let (first, rest) = self.rest.split_first()?;
        if !first.is_ascii_digit() {
            return None;
        }
        self.rest = rest;
        Some(i64::from(first - b'0'))
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// Two digits after a separator.
    fn after(&mut self, separator: u8) -> Option<i64> {
        self.take(separator)?;
        self.number(2)
    }

    /// Any number of decimals, cut off after milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let mut millis = self.digit()? * 100;
        let mut scale = 10;
        while let Some(digit) = self.digit() {
            millis += digit * scale;
            scale /= 10;
        }
        Some(millis)
    }

    /// `Z`, `+02:00`, `-0530` and the end of the text.
    fn zone(&mut self) -> Option<i16> {
        let sign = match self.rest.split_first()? {
            (b'Z', []) => return Some(0),
            (b'+', rest) => {
                self.rest = rest;
                1
            }
            (b'-', rest) => {
                self.rest = rest;
                -1
            }
            _ => return None,
        };
        let hours = self.number(2)?;
        self.take(b':').unwrap_or(());
        let minutes = self.number(2)?;
        if !self.rest.is_empty() || hours > 23 || minutes > 59 {
            return None;
        }
        i16::try_from(sign * (hours * 60 + minutes)).ok()
    }
}

/// Writes the ISO 8601 text of `date` in its zone.
pub fn write(out: &mut String, date: Date, precision: Precision) {
    let civil = civil(date);
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millis,
        ..
    } = civil;
    let mut written = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    );
    if precision == Precision::Millis && millis != 0 {
        written = written.and_then(|()| write!(out, ".{millis:03}"));
    }
    if date.offset_minutes == 0 {
        out.push('Z');
    } else {
        written = written.and_then(|()| write_offset(out, date.offset_minutes));
    }
    debug_assert!(written.is_ok(), "a String takes all text");
}

fn write_offset(out: &mut String, offset_minutes: i16) -> core::fmt::Result {
    let size = offset_minutes.unsigned_abs();
    write!(
        out,
        "{}{:02}:{:02}",
        if offset_minutes < 0 { '-' } else { '+' },
        size / 60,
        size % 60
    )
}

/// Property `name` of a date, in any letter case; `None` if dates have no such property.
pub fn property(date: Date, name: &str) -> Option<Value> {
    const NAMES: [&str; 7] = [
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
    ];
    let civil = civil(date);
    let new_year = days_from_civil(civil.year, 1, 1);
    let day_of_year = civil.days - new_year + 1;
    let is = |property: &str| name.eq_ignore_ascii_case(property);
    let number = if is("year") {
        civil.year
    } else if is("month") {
        i64::from(civil.month)
    } else if is("day") {
        i64::from(civil.day)
    } else if is("hour") {
        i64::from(civil.hour)
    } else if is("minute") {
        i64::from(civil.minute)
    } else if is("second") {
        i64::from(civil.second)
    } else if is("dayOfYear") {
        day_of_year
    } else if is("weekOfYear") {
        week_of_year(civil.year, new_year, civil.days)
    } else if is("timestamp") {
        date.millis.div_euclid(1000)
    } else if is("dayOfWeek") {
        let index = usize::try_from(civil.days.rem_euclid(7)).ok()?;
        return NAMES.get(index).map(|name| Value::Text(name));
    } else if is("iso") {
        return Some(Value::Text(text::of(date.into())));
    } else if is("timezone") {
        let mut zone = String::from("GMT");
        if date.offset_minutes != 0 {
            write_offset(&mut zone, date.offset_minutes).ok()?;
        }
        return Some(Value::text(zone));
    } else {
        return None;
    };
    Some(Value::Int(number))
}

/// Weeks begin on Sunday, week 1 is the one with 1 January in it.
fn week_of_year(year: i64, new_year: i64, days: i64) -> i64 {
    let weekday = |days: i64| (days + 4).rem_euclid(7);
    let next_year = days_from_civil(year + 1, 1, 1);
    if days >= next_year - weekday(next_year) {
        return 1;
    }
    (days - new_year + weekday(new_year)) / 7 + 1
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, counted in years that begin in March.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`], with the time of day.
fn civil(date: Date) -> Civil {
    let local = date
        .millis
        .saturating_add(i64::from(date.offset_minutes) * MINUTE);
    let (days, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    let small = |number: i64| u32::try_from(number).unwrap_or(0);
    Civil {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month: small(month),
        day: small(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        hour: small(time / 3_600_000),
        minute: small(time / MINUTE % 60),
        second: small(time / 1000 % 60),
        millis: small(time % 1000),
        days,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(date: Date) -> String {
        let mut out = String::new();
        write(&mut out, date, Precision::Millis);
        out
    }

    #[test]
    fn texts_round_trip() {
        for text in [
            "2026-03-01T09:30:00Z",
            "1969-12-31T23:59:59.999Z",
            "2000-02-29T00:00:00+05:30",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59-11:00",
        ] {
            assert_eq!(iso(parse(text).unwrap()), text);
        }
        assert_eq!(iso(parse(" 2025-01-01 ").unwrap()), "2025-01-01T00:00:00Z");
        assert_eq!(
            iso(parse("2025-01-01T10:00:00").unwrap()),
            "2025-01-01T10:00:00Z"
        );
        assert_eq!(
            parse("2025-01-01T10:00:00.123456Z").unwrap().millis % 1000,
            123
        );
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "2025",
            "2025-13-01",
            "2025-02-29",
            "2025-01-01T24:00:00Z",
            "2025-01-01T10:00",
            "2025-01-01T10:00:00.Z",
            "2025-01-01T10:00:00.5",
            "2025-01-01T10:00:00+2",
            "2025-01-01x",
            "10",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn properties_are_those_of_the_zone() {
        let date = parse("2031-05-04T10:05:09+02:00").unwrap();
        for (name, value) in [
            ("year", 2031),
            ("MONTH", 5),
            ("day", 4),
            ("hour", 10),
            ("minute", 5),
            ("second", 9),
            ("dayOfYear", 124),
            ("weekOfYear", 19),
            ("timestamp", date.millis / 1000),
        ] {
            assert_eq!(property(date, name), Some(Value::Int(value)), "{name}");
        }
        assert_eq!(property(date, "dayofweek"), Some(Value::Text("Sunday")));
        assert_eq!(property(date, "timezone"), Some(Value::Text("GMT+02:00")));
        assert_eq!(
            property(date, "iso"),
            Some(Value::Text("2031-05-04T10:05:09+02:00"))
        );
        assert_eq!(property(date, "era"), None);
        assert_eq!(
            property(parse("2024-12-31").unwrap(), "weekOfYear"),
            Some(Value::Int(1))
        );
    }

    #[test]
    fn extreme_instants_do_not_panic() {
        for millis in [i64::MIN, i64::MAX] {
            assert!(
                !iso(Date {
                    millis,
                    offset_minutes: 0
                })
                .is_empty()
            );
            assert!(
                !iso(Date {
                    millis,
                    offset_minutes: -720
                })
                .is_empty()
            );
        }
    }
}
