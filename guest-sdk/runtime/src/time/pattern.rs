//! Texts of dates by patterns of Unicode letters (UTS 35), in English.

use alloc::string::String;
use core::fmt::Write;

use crate::date::{Date, civil_of};

/// English names, one after the other.
const MONTHS: &str =
    "January February March April May June July August September October November December";
/// From the day of the epoch on.
const DAYS: &str = "Thursday Friday Saturday Sunday Monday Tuesday Wednesday";

/// English name of a month counted from 0, or of a weekday.
fn name(names: &'static str, index: i64) -> &'static str {
    let index = usize::try_from(index).unwrap_or(0);
    names.split(' ').nth(index).unwrap_or_default()
}

/// Appends the text of `date` by `pattern`. Text between apostrophes stands for itself, two are one; so do characters that are no letters of a pattern.
pub(super) fn write(out: &mut String, date: Date, pattern: &str) {
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(out, rest.strip_prefix('\'').unwrap_or_default());
            continue;
        }
        let end = rest.find(|char| char != first).unwrap_or(rest.len());
        let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        field(out, date, first, run);
        rest = behind;
    }
}

/// Behind an opening apostrophe: appends up to the closing one and answers what follows.
fn quoted<'a>(out: &mut String, text: &'a str) -> &'a str {
    if let Some(behind) = text.strip_prefix('\'') {
        out.push('\'');
        return behind;
    }
    let mut rest = text;
    loop {
        let Some((part, behind)) = rest.split_once('\'') else {
            out.push_str(rest);
            return "";
        };
        out.push_str(part);
        match behind.strip_prefix('\'') {
            Some(behind) => {
                out.push('\'');
                rest = behind;
            }
            None => return behind,
        }
    }
}

fn field(out: &mut String, date: Date, letter: char, run: &str) {
    let civil = civil_of(date);
    let width = run.len();
    let number = match letter {
        'y' | 'u' if width == 2 => civil.year.rem_euclid(100),
        'y' | 'u' => civil.year,
        'M' | 'L' if width >= 3 => return text(out, name(MONTHS, civil.month - 1), width),
        'M' | 'L' => civil.month,
        'E' => return text(out, name(DAYS, civil.days.rem_euclid(7)), width),
        'd' => civil.day,
        'D' => civil.day_of_year,
        'H' => civil.hour,
        'h' => (civil.hour + 11) % 12 + 1,
        'm' => civil.minute,
        's' => civil.second,
        'S' => return fraction(out, civil.millis, width),
        'a' => return out.push_str(if civil.hour < 12 { "AM" } else { "PM" }),
        'Z' | 'X' | 'x' | 'z' => return zone(out, date.offset_minutes, letter, width),
        _ => return out.push_str(run),
    };
    let width = width.min(WIDTH_MAX);
    let written = write!(out, "{number:0width$}");
    debug_assert!(written.is_ok(), "a String takes all text");
}

/// Widest field; a longer run of letters says nothing more.
const WIDTH_MAX: usize = 9;

/// The whole name from four letters on, else three characters of it.
fn text(out: &mut String, name: &str, width: usize) {
    out.push_str(if width >= 4 {
        name
    } else {
        name.get(..3).unwrap_or(name)
    });
}

fn fraction(out: &mut String, millis: i64, width: usize) {
    let mut rest = millis;
    for _ in 0..width.min(WIDTH_MAX) {
        out.extend(char::from_digit(u32::try_from(rest / 100).unwrap_or(0), 10));
        rest = rest % 100 * 10;
    }
}

/// `+0000`; `Z` for UTC where the letter is `X`; `GMT` for `z`.
fn zone(out: &mut String, offset_minutes: i16, letter: char, width: usize) {
    if offset_minutes == 0 && letter == 'X' {
        return out.push('Z');
    }
    if letter == 'z' {
        out.push_str("GMT");
        if offset_minutes == 0 {
            return;
        }
    }
    let size = offset_minutes.unsigned_abs();
    out.push(if offset_minutes < 0 { '-' } else { '+' });
    let colon = letter == 'z' || width == 5 || (width == 3 && letter != 'Z');
    let separator = if colon { ":" } else { "" };
    let written = write!(out, "{:02}{separator}{:02}", size / 60, size % 60);
    debug_assert!(written.is_ok(), "a String takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::parse;

    #[test]
    fn letters_of_patterns() {
        let date = parse("2031-05-04T14:05:09.123Z").unwrap();
        for (pattern, text) in [
            ("dd.MM.yyyy HH:mm", "04.05.2031 14:05"),
            ("MMMM dd, yyyy", "May 04, 2031"),
            ("EEEE, d MMM yy", "Sunday, 4 May 31"),
            ("EEE h:mm:ss a", "Sun 2:05:09 PM"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2031-05-04T14:05:09.123+0000"),
            ("y/M/D hh", "2031/5/124 02"),
            ("'it''s' HH 'o''clock'", "it's 14 o'clock"),
            ("'' 'open", "' open"),
            ("XXX z", "Z GMT"),
            ("Q ü", "Q ü"),
        ] {
            let mut out = String::new();
            write(&mut out, date, pattern);
            assert_eq!(out, text, "{pattern}");
        }
        let mut out = String::new();
        write(
            &mut out,
            parse("2031-05-04T00:00:00-05:30").unwrap(),
            "h a Z XXX SSSSSSSSSSSSSS",
        );
        assert_eq!(out, "12 AM -0530 -05:30 000000000");
    }
}
