//! Between values and the contents of files (actions.md 17.1, 17.2): formats by extension, and what stands for a file that is no text.

use alloc::format;
use alloc::string::String;

use crate::json;
use crate::text;
use crate::value::{NESTING_MAX, Value};

/// Bytes of a binary file that are shown.
const SHOWN_BYTES_MAX: usize = 4096;
/// Bytes in a row of a dump.
const ROW_BYTES: usize = 16;

/// What follows the last dot of the last part of a path; empty if there is none.
pub fn extension(path: &'static str) -> &'static str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Whether a file of this extension, or a format of this name, is read and written as JSON.
fn is_json(extension: &str) -> bool {
    extension.eq_ignore_ascii_case("json")
}

/// The contents of a file of that extension: pretty JSON, or the plain text of the value.
pub fn write(value: Value, extension: &str) -> &'static [u8] {
    if is_json(extension) {
        let mut out = String::new();
        write_pretty(&mut out, value, 0);
        out.leak().as_bytes()
    } else {
        content(value)
    }
}

/// The value as it is: bytes, else its text.
pub fn content(value: Value) -> &'static [u8] {
    if let Value::Bytes(bytes) = value {
        bytes
    } else {
        text::of(value).as_bytes()
    }
}

/// The value in a file of that extension. What is no document of its format is text.
pub fn read(contents: Value, extension: &str) -> Value {
    match contents {
        Value::Text(text) if is_json(extension) => json::read(text).unwrap_or(contents),
        _ => contents,
    }
}

/// JSON with two spaces for each level, ` : ` between key and value, keys in order.
fn write_pretty(out: &mut String, value: Value, depth: usize) {
    match value {
        Value::List(items) if !items.is_empty() && depth < NESTING_MAX => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                new_line(out, index, depth + 1);
                write_pretty(out, *item, depth + 1);
            }
            new_line(out, 0, depth);
            out.push(']');
        }
        Value::Map(entries) if !entries.is_empty() && depth < NESTING_MAX => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                new_line(out, index, depth + 1);
                json::write(out, Value::Text(key));
                out.push_str(" : ");
                write_pretty(out, *item, depth + 1);
            }
            new_line(out, 0, depth);
            out.push('}');
        }
        value => json::write(out, value),
    }
}

fn new_line(out: &mut String, index: usize, depth: usize) {
    out.push_str(if index == 0 { "\n" } else { ",\n" });
    (0..depth).for_each(|_| out.push_str("  "));
}

/// Bytes that are no text as rows of hexadecimal numbers and letters; other values as they are.
pub fn dump(value: Value) -> Value {
    let Value::Bytes(bytes) = value else {
        return value;
    };
    let mut out = format!("Binary file  ({} bytes)\n", bytes.len());
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    for (index, row) in shown.chunks(ROW_BYTES).enumerate() {
        write_row(&mut out, index * ROW_BYTES, row);
    }
    if shown.len() < bytes.len() {
        out.push_str(&format!(
            "\n... ({} bytes not shown)",
            bytes.len() - shown.len()
        ));
    }
    Value::text(out)
}

fn write_row(out: &mut String, offset: usize, row: &[u8]) {
    out.push_str(&format!("\n{offset:08x} "));
    for position in 0..ROW_BYTES {
        if position % 8 == 0 {
            out.push(' ');
        }
        match row.get(position) {
            Some(byte) => out.push_str(&format!("{byte:02x} ")),
            None => out.push_str("   "),
        }
    }
    out.push_str(" |");
    out.extend(row.iter().map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    }));
    out.push('|');
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn an_extension_belongs_to_the_last_part_of_a_path() {
        for (path, expected) in [
            ("./a.json", "json"),
            ("a.b/c", ""),
            (".env", "env"),
            ("x", ""),
            ("a.tar.gz", "gz"),
        ] {
            assert_eq!(extension(path), expected, "{path}");
        }
    }

    #[test]
    fn json_is_written_pretty_and_read_back() {
        let value = Value::map(vec![
            ("b", Value::list(vec![Value::Int(1), Value::Null])),
            ("a", Value::Text("x/y")),
            ("e", Value::map(vec![])),
        ]);
        let written = write(value, "JSON");
        let text = core::str::from_utf8(written).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\" : \"x\\/y\",\n  \"b\" : [\n    1,\n    null\n  ],\n  \"e\" : {}\n}"
        );
        assert_eq!(read(Value::Text(text), "json"), value);
        assert_eq!(read(Value::Text("{no"), "json"), Value::Text("{no"));
        assert_eq!(write(Value::Bytes(&[0, 255]), "bin"), [0, 255]);
        assert_eq!(write(Value::Float(2.0), "txt"), b"2.0");
    }

    #[test]
    fn binary_files_are_dumped() {
        assert_eq!(
            dump(Value::Bytes(b"\x00A\xff")),
            Value::Text(
                "Binary file  (3 bytes)\n\n00000000  00 41 ff                                          |.A.|"
            )
        );
        let long = dump(Value::Bytes(&[0xff; 4100])).as_text().unwrap();
        assert!(long.ends_with("\n... (4 bytes not shown)"));
        assert_eq!(dump(Value::Text("t")), Value::Text("t"));
    }
}
