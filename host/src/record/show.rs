//! Recorded items as people read them.

use crate::conn::id::SocketId;
use minicbor::Decoder;
use minicbor::data::{Tag, Type};
use minicbor::decode::Error;
use std::fmt::Write;

/// Longest text or bytes that are shown as a whole, in characters.
const SHOWN_MAX: usize = 200;
/// Elements of one list or map that are shown.
const ELEMENTS_MAX: u64 = 50;
/// Deepest nesting that is shown.
const DEPTH_MAX: u32 = 16;
const TAG_UUID: Tag = Tag::new(37);

/// What byte strings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Mostly texts.
    Data,
    /// Values that travel encoded.
    Values,
}

impl Bytes {
    /// Those of a function.
    pub(super) fn of(name: &str) -> Self {
        match name.starts_with("aro:state/") || name.starts_with("aro:events/") {
            true => Self::Values,
            false => Self::Data,
        }
    }
}

/// One item; its digits where it is none.
pub(super) fn item(bytes: &[u8], kind: Bytes) -> String {
    whole(bytes, kind, 0).unwrap_or_else(|_| digits(bytes))
}

/// What a function answered: the outer array is that of its results.
pub(super) fn answer(bytes: &[u8], kind: Bytes) -> String {
    let mut from = Decoder::new(bytes);
    let of_result = |from: &mut Decoder<'_>| {
        from.array()?;
        from.array()?;
        let outcome = match from.str()? {
            "ok" => "ok",
            "error" => "error",
            _ => return Err(Error::message("no result")),
        };
        Ok(format!(
            "{outcome} {}",
            item(bytes.get(from.position()..).unwrap_or_default(), kind)
        ))
    };
    let shown = of_result(&mut from).unwrap_or_else(|_| arguments(bytes, kind));
    match shown.as_str() {
        "" => "done".to_owned(),
        "ok []" => "ok".to_owned(),
        _ => shown,
    }
}

/// The items of an array, as arguments of a call are shown.
pub(super) fn arguments(bytes: &[u8], kind: Bytes) -> String {
    let shown = item(bytes, kind);
    let inner = shown
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.map(str::to_owned).unwrap_or(shown)
}

fn whole(bytes: &[u8], kind: Bytes, depth: u32) -> Result<String, Error> {
    let mut from = Decoder::new(bytes);
    let mut to = String::new();
    write_item(&mut from, &mut to, kind, depth)?;
    match from.position() == bytes.len() {
        true => Ok(to),
        false => Err(Error::message("more than one item")),
    }
}

fn write_item(
    from: &mut Decoder<'_>,
    to: &mut String,
    kind: Bytes,
    depth: u32,
) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        from.skip()?;
        to.push('…');
        return Ok(());
    }
    match from.datatype()? {
        Type::Null => {
            from.null()?;
            to.push_str("null");
        }
        Type::Bool => to.push_str(if from.bool()? { "true" } else { "false" }),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => append(to, from.u64()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => append(to, from.int()?),
        Type::F16 | Type::F32 | Type::F64 => append(to, from.f64()?),
        Type::String => quote(from.str()?, to),
        Type::Bytes => write_bytes(from.bytes()?, to, kind, depth)?,
        Type::Tag => {
            let tag = from.tag()?;
            match (tag == TAG_UUID, from.datatype()?) {
                (true, Type::Bytes) => {
                    let bytes = from.bytes()?;
                    match <[u8; 16]>::try_from(bytes) {
                        Ok(id) => to.push_str(&crate::store::datum::uuid_text(id)),
                        Err(_) => to.push_str(&digits(bytes)),
                    }
                }
                _ => write_item(from, to, kind, depth + 1)?,
            }
        }
        Type::Array => write_array(from, to, kind, depth)?,
        Type::Map => write_map(from, to, kind, depth)?,
        Type::Undefined
        | Type::Simple
        | Type::BytesIndef
        | Type::StringIndef
        | Type::ArrayIndef
        | Type::MapIndef
        | Type::Break
        | Type::Unknown(_) => return Err(Error::message("no value")),
    }
    Ok(())
}

fn append(to: &mut String, number: impl std::fmt::Display) {
    write!(to, "{number}").expect("writing to a text cannot fail");
}

fn write_array(
    from: &mut Decoder<'_>,
    to: &mut String,
    kind: Bytes,
    depth: u32,
) -> Result<(), Error> {
    if let Some(socket) = socket(from) {
        append(to, socket);
        return from.skip();
    }
    let count = from.array()?.unwrap_or_default();
    to.push('[');
    for position in 0..count {
        if position == ELEMENTS_MAX {
            append(to, format_args!(", … {} more", count - position));
        }
        if position >= ELEMENTS_MAX {
            from.skip()?;
            continue;
        }
        if position > 0 {
            to.push_str(", ");
        }
        write_item(from, to, kind, depth + 1)?;
    }
    to.push(']');
    Ok(())
}

/// The identity that a pair of large numbers is.
fn socket(from: &Decoder<'_>) -> Option<SocketId> {
    let mut ahead = from.clone();
    if ahead.array().ok()?? != 2 {
        return None;
    }
    let halves = (ahead.u64().ok()?, ahead.u64().ok()?);
    // Version and variant (RFC 9562 5.4): no other pair of numbers has them but by chance.
    let is_random = (halves.0 >> 12) & 0xF == 4 && halves.1 >> 62 == 2;
    is_random.then(|| SocketId::from_halves(halves))
}

fn write_map(
    from: &mut Decoder<'_>,
    to: &mut String,
    kind: Bytes,
    depth: u32,
) -> Result<(), Error> {
    let count = from.map()?.unwrap_or_default();
    to.push('{');
    for position in 0..count {
        if position >= ELEMENTS_MAX {
            from.skip()?;
            from.skip()?;
            continue;
        }
        to.push_str(if position > 0 { ", " } else { " " });
        if from.datatype()? == Type::String {
            to.push_str(from.str()?);
        } else {
            write_item(from, to, kind, depth + 1)?;
        }
        to.push_str(": ");
        write_item(from, to, kind, depth + 1)?;
    }
    if count > ELEMENTS_MAX {
        append(to, format_args!(", … {} more", count - ELEMENTS_MAX));
    }
    to.push_str(if count > 0 { " }" } else { "}" });
    Ok(())
}

/// A text if they are one, a value if they are one, else digits; first what they are likely to be.
fn write_bytes(bytes: &[u8], to: &mut String, kind: Bytes, depth: u32) -> Result<(), Error> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| is_printable(text));
    // What is within a value is as it is.
    let value = || whole(bytes, Bytes::Data, depth + 1).ok();
    match (kind, text) {
        (Bytes::Data, Some(text)) => quote(text, to),
        (_, text) => match (value(), text) {
            (Some(value), _) => to.push_str(&value),
            (None, Some(text)) => quote(text, to),
            (None, None) => to.push_str(&digits(bytes)),
        },
    }
    Ok(())
}

fn is_printable(text: &str) -> bool {
    let plain =
        |character: char| !character.is_control() || matches!(character, '\n' | '\r' | '\t');
    text.chars().all(plain)
}

fn quote(text: &str, to: &mut String) {
    to.push('"');
    let mut count = 0;
    for character in text.chars().take(SHOWN_MAX) {
        match character {
            // As people write it.
            '\'' => to.push(character),
            character => to.extend(character.escape_debug()),
        }
        count += character.len_utf8();
    }
    to.push('"');
    if count < text.len() {
        append(to, format_args!("… ({} bytes more)", text.len() - count));
    }
}

fn digits(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_MAX / 2).unwrap_or(bytes);
    let mut text = format!("0x{}", crate::record::hexadecimal(shown));
    if shown.len() < bytes.len() {
        append(
            &mut text,
            format_args!("… ({} bytes more)", bytes.len() - shown.len()),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::pen::Pen;

    #[test]
    fn items_read_as_values() {
        let mut pen = Pen::default();
        pen.array(6).text("a\n\"b\"").number(7).null();
        pen.array(2).number(0x4001).number(2 << 62);
        pen.bytes(b"plain").bytes(&[0xff, 0x00]);
        assert_eq!(
            arguments(pen.as_slice(), Bytes::Data),
            r#""a\n\"b\"", 7, null, 00000000-0000-4001-8000-000000000000, "plain", 0xff00"#
        );
        let mut pen = Pen::default();
        pen.array(1).array(2).text("ok").array(0);
        assert_eq!(
            (
                answer(pen.as_slice(), Bytes::Data).as_str(),
                answer(&[0x80], Bytes::Data).as_str()
            ),
            ("ok", "done")
        );
        let mut pen = Pen::default();
        pen.array(1).array(2).text("error").text("gone");
        assert_eq!(answer(pen.as_slice(), Bytes::Data), r#"error "gone""#);
        // Values that travel encoded.
        let row = [0xa1, 0x64, b'n', b'a', b'm', b'e', 0x63, b'A', b'n', b'n'];
        let mut pen = Pen::default();
        pen.bytes(&row);
        assert_eq!(item(pen.as_slice(), Bytes::Data), r#"{ name: "Ann" }"#);
        assert_eq!(item(&[0xff], Bytes::Data), "0xff");
        let mut pen = Pen::default();
        pen.bytes(b"ccup");
        assert_eq!(item(pen.as_slice(), Bytes::Data), r#""ccup""#);
        assert_eq!(item(pen.as_slice(), Bytes::Values), r#""cup""#);
    }

    #[test]
    fn what_is_long_is_cut() {
        let mut pen = Pen::default();
        pen.text(&"x".repeat(1000));
        assert!(item(pen.as_slice(), Bytes::Data).ends_with("xx\"… (800 bytes more)"));
        let mut pen = Pen::default();
        pen.array(60);
        for number in 0..60 {
            pen.number(number);
        }
        assert!(item(pen.as_slice(), Bytes::Data).ends_with("49, … 10 more]"));
    }
}
