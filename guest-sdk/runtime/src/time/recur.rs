//! Recurrences: `every day`, `every 2 weeks`, `every monday`, `every second friday`, `every last friday`.

use alloc::format;
use alloc::vec::Vec;

use super::calendar::{Unit, step};
use super::{date, message};
use crate::date::{Date, civil_of, days_from_civil, days_in_month};
use crate::error::Error;
use crate::text;
use crate::value::Value;

const DAY: i64 = 86_400_000;
/// Occurrences that are listed.
const OCCURRENCES: usize = 10;
/// Months that are looked through for an n-th weekday: every third month or so has a fifth.
const MONTHS_MAX: i64 = 60;

/// What repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Every so many units, from now.
    Each(i64, Unit),
    /// A weekday, 0 for Sunday.
    Weekday(i64),
    /// The n-th such weekday of its month.
    Nth(i64, i64),
    /// The last such weekday of its month, at midnight.
    Last(i64),
}

/// A recurrence as seen from the date `now`: its pattern, the next and previous date, and the next ten.
///
/// # Errors
/// [`Error::Message`] if `pattern` is none.
pub fn recurrence(pattern: Value, now: Value) -> Result<Value, Error> {
    let text = text::of(pattern).trim();
    let rule = parse(text).ok_or_else(|| {
        message(format!("Invalid recurrence pattern '{text}': write for example `every day`, `every 2 weeks`, `every monday`, `every second friday`, `every last friday`"))
    })?;
    let now = date(now)?;
    let outside = || message(format!("Recurrence '{text}' leads out of the calendar"));
    let occurrences: Option<Vec<Value>> = occurrences(rule, now, 1)
        .take(OCCURRENCES)
        .map(|date| date.map(Value::from))
        .collect();
    let occurrences = occurrences.ok_or_else(outside)?;
    let next = occurrences.first().copied().ok_or_else(outside)?;
    let previous = occurrences_before(rule, now).ok_or_else(outside)?;
    Ok(Value::map(Vec::from([
        ("next", next),
        ("previous", previous.into()),
        ("pattern", Value::Text(text)),
        ("occurrences", Value::list(occurrences)),
    ])))
}

fn occurrences_before(rule: Rule, now: Date) -> Option<Date> {
    occurrences(rule, now, -1).next()?
}

fn parse(text: &str) -> Option<Rule> {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split_ascii_whitespace();
    if words.next()? != "every" {
        return None;
    }
    let first = words.next()?;
    let second = words.next();
    if words.next().is_some() {
        return None;
    }
    match second {
        None => weekday(first)
            .map(Rule::Weekday)
            .or_else(|| Unit::named(first).map(|unit| Rule::Each(1, unit))),
        Some(what) => {
            if let (Some(day), "last") = (weekday(what), first) {
                return Some(Rule::Last(day));
            }
            let count = count(first)?;
            match weekday(what) {
                Some(day) => (1..=5).contains(&count).then_some(Rule::Nth(count, day)),
                None => Unit::named(what).map(|unit| Rule::Each(count, unit)),
            }
        }
    }
}

/// `2`, `2nd`, `second`.
fn count(word: &str) -> Option<i64> {
    let named = ["first", "second", "third", "fourth", "fifth"]
        .iter()
        .position(|known| *known == word);
    if let Some(index) = named {
        return i64::try_from(index + 1).ok();
    }
    let digits = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))
        .unwrap_or(word);
    digits.parse().ok().filter(|count| *count > 0)
}

/// 0 for Sunday; whole names and their first three letters.
fn weekday(word: &str) -> Option<i64> {
    const NAMES: [&str; 7] = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    let index = NAMES
        .iter()
        .position(|name| *name == word || name.get(..3) == Some(word))?;
    i64::try_from(index).ok()
}

/// Weekday of a day, 0 for Sunday; the epoch was a Thursday.
fn weekday_of(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// The dates of a rule after `now`, or before it where `direction` is −1; an item is none where the calendar ends.
fn occurrences(rule: Rule, now: Date, direction: i64) -> impl Iterator<Item = Option<Date>> {
    let days = civil_of(now).days;
    let first_week = match rule {
        Rule::Weekday(day) if direction > 0 => (day - weekday_of(days) + 6).rem_euclid(7) + 1,
        Rule::Weekday(day) => (weekday_of(days) - day + 6).rem_euclid(7) + 1,
        Rule::Each(..) | Rule::Nth(..) | Rule::Last(_) => 0,
    };
    let fixed = (1..).map(move |index: i64| match rule {
        Rule::Each(count, unit) => step(now, index.checked_mul(count)? * direction, unit),
        Rule::Weekday(_) | Rule::Nth(..) | Rule::Last(_) => step(
            now,
            direction * (first_week + (index - 1) * 7),
            Unit::Fixed(DAY),
        ),
    });
    let monthly = (0..=MONTHS_MAX).filter_map(move |months| in_month(rule, now, months, direction));
    let is_monthly = matches!(rule, Rule::Nth(..) | Rule::Last(_));
    fixed
        .take_while(move |_| !is_monthly)
        .chain(monthly.take_while(move |_| is_monthly).map(Some))
}

/// The date of a monthly rule in the month `months` from now, if it has one on that side of now.
fn in_month(rule: Rule, now: Date, months: i64, direction: i64) -> Option<Date> {
    let civil = civil_of(now);
    let index = civil.year * 12 + civil.month - 1 + months * direction;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let length = days_in_month(year, month);
    let first = days_from_civil(year, month, 1);
    match rule {
        Rule::Nth(count, day) => {
            let in_first_week = (day - weekday_of(first)).rem_euclid(7) + 1;
            let chosen = in_first_week + (count - 1) * 7;
            let moved = first + chosen - 1 - civil.days;
            (chosen <= length && moved.signum() == direction)
                .then(|| step(now, moved, Unit::Fixed(DAY)))
                .flatten()
        }
        Rule::Last(day) if months != 0 => {
            let last = first + length - 1;
            let chosen = last - (weekday_of(last) - day).rem_euclid(7);
            let midnight = chosen * DAY - i64::from(now.offset_minutes) * 60_000;
            Some(Date {
                millis: midnight,
                ..now
            })
        }
        Rule::Last(_) | Rule::Each(..) | Rule::Weekday(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Saturday.
    const NOW: &str = "2026-11-21T09:30:00Z";

    fn dates(pattern: &'static str) -> (&'static str, &'static str, &'static str) {
        let value = recurrence(Value::Text(pattern), Value::Text(NOW)).unwrap();
        let third = value.entry("occurrences").and_then(Value::as_list).unwrap()[2];
        assert_eq!(value.entry("pattern"), Some(Value::Text(pattern)));
        (
            text::of(value.entry("previous").unwrap()),
            text::of(value.entry("next").unwrap()),
            text::of(third),
        )
    }

    #[test]
    fn patterns_have_dates_on_both_sides_of_now() {
        for (pattern, previous, next, third) in [
            (
                "every day",
                "2026-11-20T09:30:00Z",
                "2026-11-22T09:30:00Z",
                "2026-11-24T09:30:00Z",
            ),
            (
                "every 2 weeks",
                "2026-11-07T09:30:00Z",
                "2026-12-05T09:30:00Z",
                "2027-01-02T09:30:00Z",
            ),
            (
                "Every 3rd month",
                "2026-08-21T09:30:00Z",
                "2027-02-21T09:30:00Z",
                "2027-08-21T09:30:00Z",
            ),
            (
                "every second",
                "2026-11-21T09:29:59Z",
                "2026-11-21T09:30:01Z",
                "2026-11-21T09:30:03Z",
            ),
            (
                "every monday",
                "2026-11-16T09:30:00Z",
                "2026-11-23T09:30:00Z",
                "2026-12-07T09:30:00Z",
            ),
            (
                "every sat",
                "2026-11-14T09:30:00Z",
                "2026-11-28T09:30:00Z",
                "2026-12-12T09:30:00Z",
            ),
            (
                "every second monday",
                "2026-11-09T09:30:00Z",
                "2026-12-14T09:30:00Z",
                "2027-02-08T09:30:00Z",
            ),
            (
                "every 4th fri",
                "2026-10-23T09:30:00Z",
                "2026-11-27T09:30:00Z",
                "2027-01-22T09:30:00Z",
            ),
            (
                "every fifth sunday",
                "2026-08-30T09:30:00Z",
                "2026-11-29T09:30:00Z",
                "2027-05-30T09:30:00Z",
            ),
            (
                "every last friday",
                "2026-10-30T00:00:00Z",
                "2026-12-25T00:00:00Z",
                "2027-02-26T00:00:00Z",
            ),
        ] {
            assert_eq!(dates(pattern), (previous, next, third), "{pattern}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for pattern in [
            "",
            "daily",
            "every",
            "every 0 days",
            "every sixth monday",
            "every day at 09:00",
            "every weekday",
            "every last day",
        ] {
            assert!(
                recurrence(Value::Text(pattern), Value::Text(NOW)).is_err(),
                "{pattern}"
            );
        }
    }
}
