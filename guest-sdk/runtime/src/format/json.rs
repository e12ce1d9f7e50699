//! JSON files: indented when written, forgiving when read; and JSON lines.

use alloc::string::String;
use alloc::vec::Vec;

use super::indent;
use crate::error::Error;
use crate::json;
use crate::value::{NESTING_MAX, Value};

/// Appends `value` on lines of its own for each entry, two blanks a level and ` : ` around the colon.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn write(out: &mut String, value: Value, depth: usize) -> Result<(), Error> {
    match value {
        Value::List(_) | Value::Map(_) if depth >= NESTING_MAX => return Err(Error::TooDeep),
        Value::List([]) => out.push_str("[]"),
        Value::Map([]) => out.push_str("{}"),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "[\n" } else { ",\n" });
                indent(out, depth + 1);
                write(out, *item, depth + 1)?;
            }
            close(out, depth, ']');
        }
        Value::Map(entries) => {
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "{\n" } else { ",\n" });
                indent(out, depth + 1);
                json::write(out, Value::Text(key));
                out.push_str(" : ");
                write(out, *item, depth + 1)?;
            }
            close(out, depth, '}');
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Date { .. }
        | Value::Socket(_) => json::write(out, value),
    }
    Ok(())
}

fn close(out: &mut String, depth: usize, bracket: char) {
    out.push('\n');
    indent(out, depth);
    out.push(bracket);
}

/// Appends one compact document a line: one for each element of a list, else one.
pub fn write_lines(out: &mut String, value: Value) {
    let items = value.as_list().unwrap_or(core::slice::from_ref(&value));
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "\n" });
        json::write(out, *item);
    }
}

/// The document, numbers without a fraction as Ints; a text that is none as it is.
pub fn read(text: &'static str) -> Value {
    json::read(text).map_or(Value::Text(text), whole)
}

/// The documents of all lines that hold one.
pub fn read_lines(text: &'static str) -> Value {
    let documents = text.lines().filter_map(|line| json::read(line).ok());
    Value::list(documents.map(whole).collect())
}

/// `3.0` to 3. The reader has bounded the depth.
fn whole(value: Value) -> Value {
    match value {
        Value::Float(number) if number.abs() < 9e15 && number % 1.0 == 0.0 => {
            Value::Int(number as i64)
        }
        Value::List(items) => Value::list(items.iter().copied().map(whole).collect()),
        Value::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, item)| (*key, whole(*item)))
                .collect();
            Value::Map(entries.leak())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Date { .. }
        | Value::Socket(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_with_indentation_and_read_back() {
        let value = read(r#"{"b":[1,{"x":"a/b"}],"a":3.0,"c":[],"d":{},"e":2.5}"#);
        let mut out = String::new();
        write(&mut out, value, 0).unwrap();
        let expected = "{\n  \"a\" : 3,\n  \"b\" : [\n    1,\n    {\n      \"x\" : \"a\\/b\"\n    }\n  ],\n  \"c\" : [],\n  \"d\" : {},\n  \"e\" : 2.5\n}";
        assert_eq!(out, expected);
        assert_eq!(read(out.leak()), value);
        assert_eq!(read("{oops"), Value::Text("{oops"));
    }

    #[test]
    fn lines_hold_a_document_each() {
        let value = read_lines("{\"a\":1}\nnot json\n\n2\n");
        let mut out = String::new();
        write_lines(&mut out, value);
        assert_eq!(out, "{\"a\":1}\n2");
    }
}
