//! Numbers: from text (language.md 10.6) and to text (language.md 11.1, 11.2, runtime.md A.1).

use alloc::string::String;
use core::fmt::Write;

/// Above this, a Float is written with an exponent: 2^53.
const PLAIN_MAX: f64 = 9_007_199_254_740_992.0;
/// Below this and above zero, a Float is written with an exponent.
const PLAIN_MIN: f64 = 1e-4;

/// The number that all of `text` denotes: decimal, exponent form, `inf`, `nan`, hexadecimal float. No spaces, no underscores.
pub fn parse(text: &str) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => parse_hex(hex).map(|value| if negative { -value } else { value }),
        None => text.parse().ok(),
    }
}

/// `1.8p3` without its `0x`: at most 2^53 of the mantissa are exact, the rest is cut off.
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars() {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let mut scale = 1.0f64;
    for digit in fraction.chars() {
        scale /= 16.0;
        value += scale * f64::from(digit.to_digit(16)?);
    }
    let step = if exponent < 0 { 0.5 } else { 2.0 };
    for _ in 0..exponent.unsigned_abs() {
        value *= step;
    }
    Some(value)
}

/// Longest decimal form of an Int.
pub const INT_BYTES_MAX: usize = 20;

/// The decimal form of an Int.
pub fn write_int(out: &mut String, value: i64) {
    out.push_str(digits(value, &mut [0; INT_BYTES_MAX]));
}

/// The decimal form of an Int, written into a buffer.
pub fn digits(value: i64, buffer: &mut [u8; INT_BYTES_MAX]) -> &str {
    let mut rest = value.unsigned_abs();
    let mut start = INT_BYTES_MAX;
    for (index, digit) in buffer.iter_mut().enumerate().rev() {
        start = index;
        if rest == 0 && index < INT_BYTES_MAX - 1 {
            // The place of the sign; without one it is left out again.
            *digit = b'-';
            start += usize::from(value >= 0);
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let written = buffer.get(start..).unwrap_or_default();
    core::str::from_utf8(written).unwrap_or_default()
}

/// The shortest decimal form that reads back as `value`, with a fraction or an exponent: `8.0`, `1e+16`, `1.5e-05`.
pub fn write_float(out: &mut String, value: f64) {
    if !value.is_finite() {
        out.push_str(if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        });
        return;
    }
    let start = out.len();
    let size = value.abs();
    if size > PLAIN_MAX || (size > 0.0 && size < PLAIN_MIN) {
        append(out, format_args!("{value:e}"));
        lengthen_exponent(out, start);
    } else {
        append(out, format_args!("{value}"));
        if !out.bytes().skip(start).any(|byte| byte == b'.') {
            out.push_str(".0");
        }
    }
}

/// `1.5e-5` to `1.5e-05`, `1e16` to `1e+16`: a sign and two digits at least.
fn lengthen_exponent(out: &mut String, start: usize) {
    let Some(at) = out
        .bytes()
        .skip(start)
        .position(|byte| byte == b'e')
        .map(|at| start + at + 1)
    else {
        return;
    };
    let digits = if out.as_bytes().get(at) == Some(&b'-') {
        at + 1
    } else {
        out.insert(at, '+');
        at + 1
    };
    if out.len() - digits == 1 {
        out.insert(digits, '0');
    }
}

/// A Float in JSON: as [`write_float`], but whole values without fraction and `null` if it is not finite.
pub fn write_json_float(out: &mut String, value: f64) {
    if !value.is_finite() {
        out.push_str("null");
        return;
    }
    write_float(out, value);
    if out.ends_with(".0") {
        out.truncate(out.len() - 2);
    }
}

/// A Float with exactly two decimals, rounded as C's `%.2f`.
pub fn write_fixed(out: &mut String, value: f64) {
    if value.is_finite() {
        append(out, format_args!("{value:.2}"));
    } else {
        write_float(out, value);
    }
}

/// Formatting into a String cannot fail.
fn append(out: &mut String, text: core::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a String takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: fn(&mut String, f64), value: f64) -> String {
        let mut out = String::new();
        write(&mut out, value);
        out
    }

    #[test]
    fn floats_round_trip_in_their_shortest_form() {
        for (value, text) in [
            (8.0, "8.0"),
            (0.1, "0.1"),
            (12.5, "12.5"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
            (1e16, "1e+16"),
            (1.5e-5, "1.5e-05"),
            (1e-4, "0.0001"),
            (9007199254740992.0, "9007199254740992.0"),
            (1e300, "1e+300"),
            (6.022e23, "6.022e+23"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(shown(write_float, value), text);
        }
    }

    #[test]
    fn fixed_form_rounds_as_printf() {
        for (value, text) in [
            (8.0, "8.00"),
            (4.14159, "4.14"),
            (2.675, "2.67"),
            (0.125, "0.12"),
            (6.022e23, "602200000000000027262976.00"),
        ] {
            assert_eq!(shown(write_fixed, value), text);
        }
    }

    #[test]
    fn json_form_drops_empty_fractions() {
        for (value, text) in [
            (10.0, "10"),
            (249.99, "249.99"),
            (1e16, "1e+16"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(shown(write_json_float, value), text);
        }
    }

    #[test]
    fn ints_are_decimal() {
        for value in [0, 7, -1, 10, i64::MAX, i64::MIN] {
            let mut out = String::new();
            write_int(&mut out, value);
            assert_eq!(out, alloc::format!("{value}"));
        }
    }

    #[test]
    fn numeric_text_is_wholly_a_number() {
        for (text, value) in [
            ("5", 5.0),
            ("-2.5", -2.5),
            ("1e3", 1000.0),
            ("0x1.8p1", 3.0),
            ("0x1A", 26.0),
            ("-0x10", -16.0),
            ("inf", f64::INFINITY),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        assert!(parse("nan").is_some_and(f64::is_nan));
        for text in ["", " 5", "5 ", "1_000", "a", "0x", "--1", "+-1", "0x1p"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
