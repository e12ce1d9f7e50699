//! The JSON writer: keys in byte order, no white space, `/` escaped.

use alloc::string::String;

use crate::date::{self, Date, Precision};
use crate::number;
use crate::uuid;
use crate::value::{NESTING_MAX, Value};

/// The JSON text of `value`. What is nested deeper than [`NESTING_MAX`] is `null`.
pub fn text(value: Value) -> &'static str {
    let mut out = String::new();
    write(&mut out, value);
    out.leak()
}

/// Appends the JSON text of `value`.
pub fn write(out: &mut String, value: Value) {
    write_nested(out, value, 0);
}

fn write_nested(out: &mut String, value: Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        Value::Int(number) => number::write_int(out, number),
        Value::Float(number) => number::write_json_float(out, number),
        Value::Text(text) => write_string(out, text),
        Value::Bytes(bytes) => write_base64(out, bytes),
        Value::Date {
            millis,
            offset_minutes,
        } => {
            out.push('"');
            date::write(
                out,
                Date {
                    millis,
                    offset_minutes,
                },
                Precision::Seconds,
            );
            out.push('"');
        }
        Value::Socket(id) => {
            out.push('"');
            uuid::write(out, id);
            out.push('"');
        }
        Value::List(_) | Value::Map(_) if depth >= NESTING_MAX => out.push_str("null"),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_nested(out, *item, depth + 1);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_string(out, key);
                out.push(':');
                write_nested(out, *item, depth + 1);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    for part in text.split_inclusive(|char: char| matches!(char, '"' | '\\' | '/' | '\0'..='\x1F'))
    {
        let mut plain = part.chars();
        match plain.next_back() {
            Some(special @ ('"' | '\\' | '/' | '\0'..='\x1F')) => {
                out.push_str(plain.as_str());
                write_escape(out, special);
            }
            Some(_) | None => out.push_str(part),
        }
    }
    out.push('"');
}

fn write_escape(out: &mut String, special: char) {
    out.push('\\');
    match special {
        '\u{8}' => out.push('b'),
        '\u{c}' => out.push('f'),
        '\n' => out.push('n'),
        '\r' => out.push('r'),
        '\t' => out.push('t'),
        '"' | '\\' | '/' => out.push(special),
        control => {
            out.push_str("u00");
            for shift in [4, 0] {
                out.extend(char::from_digit(u32::from(control) >> shift & 15, 16));
            }
        }
    }
}

/// RFC 4648 section 4, with padding; `/` is escaped as in any string.
fn write_base64(out: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(bytes.len().div_ceil(3) * 4 + 2);
    out.push('"');
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4u32 {
            if index as usize > chunk.len() {
                out.push('=');
                continue;
            }
            let symbol = *ALPHABET
                .get((group >> (18 - 6 * index) & 63) as usize)
                .unwrap_or(&b'=');
            if symbol == b'/' {
                out.push('\\');
            }
            out.push(char::from(symbol));
        }
    }
    out.push('"');
}
