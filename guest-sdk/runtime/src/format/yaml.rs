//! YAML as configuration files use it: block and flow maps and lists, plain and quoted scalars, block texts, comments. No anchors, tags or several documents.

mod flow;
mod read;

use alloc::string::String;

use super::{DEPTH_MAX, indent, scalar};
use crate::error::Error;
use crate::text;
use crate::value::Value;

pub(crate) use flow::escape;
pub use read::read;

/// Appends `value`, two blanks a level. A text of several lines, or with `:` or `#`, is a block; nothing is quoted.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn write(out: &mut String, value: Value) -> Result<(), Error> {
    if is_inline(value) {
        write_scalar(out, value, 0);
    } else {
        write_block(out, value, 0)?;
        out.pop();
    }
    Ok(())
}

/// Whether a value stands behind its key.
fn is_inline(value: Value) -> bool {
    value.as_list().is_none_or(<[Value]>::is_empty) && value.as_map().is_none_or(<[_]>::is_empty)
}

/// Lines of a list or map that is not empty, each with its newline.
fn write_block(out: &mut String, value: Value, depth: usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(Error::TooDeep);
    }
    for item in value.as_list().unwrap_or_default() {
        indent(out, depth);
        out.push('-');
        match item.as_map().filter(|entries| !entries.is_empty()) {
            // The first entry stands behind the dash, the others below it.
            Some(entries) => {
                for (index, (key, item)) in entries.iter().enumerate() {
                    if index == 0 {
                        out.push(' ');
                    } else {
                        indent(out, depth + 1);
                    }
                    out.push_str(key);
                    out.push(':');
                    write_value(out, *item, depth + 1)?;
                }
            }
            None => write_value(out, *item, depth)?,
        }
    }
    for (key, item) in value.as_map().unwrap_or_default() {
        indent(out, depth);
        out.push_str(key);
        out.push(':');
        write_value(out, *item, depth)?;
    }
    Ok(())
}

/// What follows a colon or dash, to the end of its last line.
fn write_value(out: &mut String, value: Value, depth: usize) -> Result<(), Error> {
    if is_inline(value) {
        out.push(' ');
        write_scalar(out, value, depth);
        out.push('\n');
        return Ok(());
    }
    out.push('\n');
    write_block(out, value, depth + 1)
}

fn write_scalar(out: &mut String, value: Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
        Value::Text(text) if text.contains(['\n', ':', '#']) => write_lines(out, text, depth),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Date { .. }
        | Value::Socket(_) => text::write(out, value),
    }
}

/// A block text whose end says how many newlines the text has there, so that it reads back as it was.
fn write_lines(out: &mut String, text: &str, depth: usize) {
    let body = text.strip_suffix('\n');
    out.push_str(match body {
        None => "|-",
        Some(body) if body.ends_with('\n') => "|+",
        Some(_) => "|",
    });
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth + 1);
            out.push_str(line);
        }
    }
}

/// The value of a plain scalar.
fn plain(text: &'static str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | "+.inf" => Value::Float(f64::INFINITY),
        "-.inf" => Value::Float(f64::NEG_INFINITY),
        ".nan" => Value::Float(f64::NAN),
        _ => scalar::numeric(text).unwrap_or(Value::Text(text)),
    }
}
