//! Between values and the contents of files (actions.md 17.1): extensions, bytes, and what stands for a file that is no text. Formats are in [`crate::format`].

use alloc::format;
use alloc::string::String;

use crate::text;
use crate::value::Value;

/// Bytes of a binary file that are shown.
const SHOWN_BYTES_MAX: usize = 4096;
/// Bytes in a row of a dump.
const ROW_BYTES: usize = 16;

/// What follows the last dot of the last part of a path; empty if there is none.
pub fn extension(path: &'static str) -> &'static str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The value as it is: bytes, else its text.
pub fn content(value: Value) -> &'static [u8] {
    if let Value::Bytes(bytes) = value {
        bytes
    } else {
        text::of(value).as_bytes()
    }
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
    fn bytes_stay_bytes() {
        assert_eq!(content(Value::Bytes(&[0, 255])), [0, 255]);
        assert_eq!(content(Value::Float(2.0)), b"2.0");
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
