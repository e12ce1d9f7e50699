//! TOML: tables, arrays of tables, dotted keys, texts, numbers, arrays and inline tables. Dates are texts.

mod read;

use alloc::string::String;

use super::{DEPTH_MAX, scalar};
use crate::error::Error;
use crate::json;
use crate::text;
use crate::value::{Entry, Value};

pub use read::read;

/// Appends a list of maps as tables `[[name]]`, a map as `key = value` lines, other values as the one entry `name`.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn write(out: &mut String, value: Value, name: &str) -> Result<(), Error> {
    if let Some(rows) = scalar::rows(value) {
        for (index, row) in rows.enumerate() {
            out.push_str(if index == 0 { "[[" } else { "\n\n[[" });
            write_key(out, name);
            out.push_str("]]\n");
            write_entries(out, row)?;
        }
        return Ok(());
    }
    match value.as_map() {
        Some(entries) => write_entries(out, entries),
        None => {
            write_key(out, name);
            out.push_str(" = ");
            write_inline(out, value, 0)
        }
    }
}

/// An absent value has no form: its entry is left out.
fn write_entries(out: &mut String, entries: &[Entry]) -> Result<(), Error> {
    let present = entries.iter().filter(|(_, value)| *value != Value::Null);
    for (index, (key, value)) in present.enumerate() {
        out.push_str(if index == 0 { "" } else { "\n" });
        write_key(out, key);
        out.push_str(" = ");
        write_inline(out, *value, 0)?;
    }
    Ok(())
}

fn write_key(out: &mut String, key: &str) {
    let bare = !key.is_empty() && key.bytes().all(read::is_bare);
    if bare {
        out.push_str(key);
    } else {
        write_text(out, key);
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ => out.push(char),
        }
    }
    out.push('"');
}

fn write_inline(out: &mut String, value: Value, depth: usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(Error::TooDeep);
    }
    match value {
        Value::Map(entries) => {
            out.push_str("{ ");
            let present = entries.iter().filter(|(_, value)| *value != Value::Null);
            for (index, (key, item)) in present.enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_key(out, key);
                out.push_str(" = ");
                write_inline(out, *item, depth + 1)?;
            }
            out.push_str(" }");
        }
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_inline(out, *item, depth + 1)?;
            }
            out.push(']');
        }
        Value::Text(text) => write_text(out, text),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => text::write(out, value),
        Value::Null => out.push_str("\"\""),
        Value::Bytes(_) | Value::Date { .. } | Value::Socket(_) => json::write(out, value),
    }
    Ok(())
}
