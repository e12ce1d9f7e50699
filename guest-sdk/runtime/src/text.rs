//! The text form S of a value (language.md 11.1, runtime.md 2.3.4, 2.3.5): interpolation, `++`, error traces.

use alloc::string::String;

use crate::client;
use crate::date::{self, Date, Precision};
use crate::number;
use crate::time;
use crate::uuid;
use crate::value::{NESTING_MAX, Value};

/// Stands for what is nested deeper than [`NESTING_MAX`].
const TOO_DEEP: &str = "…";

/// The text form of `value`; a text is not copied.
pub fn of(value: Value) -> &'static str {
    match value {
        Value::Text(text) => text,
        Value::Null => "",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Int(_)
        | Value::Float(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => {
            let mut out = String::new();
            write(&mut out, value);
            out.leak()
        }
    }
}

/// Appends the text form of `value`.
pub fn write(out: &mut String, value: Value) {
    match value {
        Value::Text(text) => out.push_str(text),
        Value::Null => {}
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => write_nested(out, value, 0),
    }
}

/// The debug text: as S, but Null shows.
pub fn debug(value: Value) -> &'static str {
    if matches!(value, Value::Null) {
        "null"
    } else {
        of(value)
    }
}

/// Debug form inside containers: texts are quoted, Null shows. `depth` counts the containers around `value`.
pub(crate) fn write_nested(out: &mut String, value: Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        Value::Int(number) => number::write_int(out, number),
        Value::Float(number) => number::write_float(out, number),
        Value::Text(text) => write_quoted(out, text),
        Value::Bytes(bytes) => {
            number::write_int(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
            out.push_str(" bytes");
        }
        Value::Date {
            millis,
            offset_minutes,
        } => date::write(
            out,
            Date {
                millis,
                offset_minutes,
            },
            Precision::Seconds,
        ),
        Value::Socket(id) => uuid::write(out, id),
        Value::List(_) | Value::Map(_) if depth >= NESTING_MAX => out.push_str(TOO_DEEP),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_nested(out, *item, depth + 1);
            }
            out.push(']');
        }
        Value::Map([]) => out.push_str("[:]"),
        Value::Map(entries) if time::write_range(out, entries) => {}
        Value::Map(entries) if client::write_text(out, entries, depth) => {}
        Value::Map(entries) => {
            out.push('[');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_quoted(out, key);
                out.push_str(": ");
                write_nested(out, *item, depth + 1);
            }
            out.push(']');
        }
    }
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for part in text.split_inclusive(['"', '\\', '\n', '\t', '\r']) {
        let mut chars = part.chars();
        match chars.next_back() {
            Some(special @ ('"' | '\\')) => {
                out.push_str(chars.as_str());
                out.push('\\');
                out.push(special);
            }
            Some('\n') => push_escape(out, chars.as_str(), "\\n"),
            Some('\t') => push_escape(out, chars.as_str(), "\\t"),
            Some('\r') => push_escape(out, chars.as_str(), "\\r"),
            Some(_) | None => out.push_str(part),
        }
    }
    out.push('"');
}

fn push_escape(out: &mut String, plain: &str, escape: &str) {
    out.push_str(plain);
    out.push_str(escape);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn scalars_have_their_plain_form() {
        for (value, text) in [
            (Value::Text("a\"b"), "a\"b"),
            (Value::Int(-3), "-3"),
            (Value::Bool(true), "true"),
            (Value::Null, ""),
            (Value::Float(8.0), "8.0"),
            (Value::Float(99.99), "99.99"),
            (Value::Bytes(&[1, 2]), "2 bytes"),
            (
                Value::Date {
                    millis: 0,
                    offset_minutes: 0,
                },
                "1970-01-01T00:00:00Z",
            ),
            (
                Value::Socket(&[0xAB; 16]),
                "ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB",
            ),
        ] {
            assert_eq!(of(value), text);
        }
        assert_eq!(debug(Value::Null), "null");
    }

    #[test]
    fn containers_quote_their_texts() {
        let list = Value::list(vec![
            Value::Int(1),
            Value::Text("b\n\"\\\t\rc"),
            Value::Null,
            Value::Float(10.0),
        ]);
        assert_eq!(of(list), r#"[1, "b\n\"\\\t\rc", null, 10.0]"#);
        let map = Value::map(vec![
            ("name", Value::Text("Alice")),
            ("age", Value::Int(30)),
            ("x", Value::map(vec![])),
        ]);
        assert_eq!(of(map), r#"["age": 30, "name": "Alice", "x": [:]]"#);
        assert_eq!(of(Value::list(vec![])), "[]");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = (0..NESTING_MAX + 50).fold(Value::Null, |inner, _| Value::list(vec![inner]));
        assert!(of(deep).contains(TOO_DEEP));
    }
}
