//! The encoding of values outside of an instance: CBOR (RFC 8949) as `wit/state/README.md` lays it down.

use alloc::string::String;
use alloc::vec::Vec;

use crate::date::{self, Date, Precision};
use crate::error::Error;
use crate::value::{Entry, NESTING_MAX, Value};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
/// Tag of RFC 3339 text.
const TAG_DATE: u64 = 0;
/// Tag of a binary UUID.
const TAG_UUID: u64 = 37;
const FALSE: u8 = 0xF4;
const TRUE: u8 = 0xF5;
const NULL: u8 = 0xF6;
const FLOAT: u8 = 0xFB;

/// Encodes one value.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn encode(value: Value) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    write(&mut out, value, 0)?;
    Ok(out)
}

fn write(out: &mut Vec<u8>, value: Value, depth: usize) -> Result<(), Error> {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(truth) => out.push(if truth { TRUE } else { FALSE }),
        Value::Int(number) if number < 0 => head(out, NEGATIVE, !number.cast_unsigned()),
        Value::Int(number) => head(out, UNSIGNED, number.cast_unsigned()),
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend(number.to_be_bytes());
        }
        Value::Text(text) => string(out, TEXT, text.as_bytes()),
        Value::Bytes(bytes) => string(out, BYTES, bytes),
        Value::Date {
            millis,
            offset_minutes,
        } => {
            let mut text = String::new();
            date::write(
                &mut text,
                Date {
                    millis,
                    offset_minutes,
                },
                Precision::Millis,
            );
            head(out, TAG, TAG_DATE);
            string(out, TEXT, text.as_bytes());
        }
        Value::Socket(id) => {
            head(out, TAG, TAG_UUID);
            string(out, BYTES, id);
        }
        Value::List(_) | Value::Map(_) if depth >= NESTING_MAX => return Err(Error::TooDeep),
        Value::List(items) => {
            head(out, ARRAY, items.len() as u64);
            for item in items {
                write(out, *item, depth + 1)?;
            }
        }
        Value::Map(entries) => {
            head(out, MAP, entries.len() as u64);
            for (key, item) in entries {
                string(out, TEXT, key.as_bytes());
                write(out, *item, depth + 1)?;
            }
        }
    }
    Ok(())
}

fn string(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    head(out, major, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Major type and argument, in the fewest bytes.
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let [.., seventh, eighth] = argument.to_be_bytes();
    let major = major << 5;
    match argument {
        0..24 => out.push(major | eighth),
        24..0x100 => out.extend([major | 24, eighth]),
        0x100..0x1_0000 => out.extend([major | 25, seventh, eighth]),
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend(argument.to_be_bytes().iter().skip(4));
        }
        _ => {
            out.push(major | 27);
            out.extend(argument.to_be_bytes());
        }
    }
}

/// Decodes exactly one value; texts and bytes are borrowed from `bytes`. Any definite-length encoding is read, map keys in any order.
///
/// # Errors
/// [`Error::Cbor`] with the place of the mistake, [`Error::TooDeep`].
pub fn decode(bytes: &'static [u8]) -> Result<Value, Error> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    if reader.at == bytes.len() {
        Ok(value)
    } else {
        Err(reader.wrong())
    }
}

struct Reader {
    bytes: &'static [u8],
    at: usize,
}

impl Reader {
    fn wrong(&self) -> Error {
        Error::Cbor { offset: self.at }
    }

    fn take(&mut self, length: usize) -> Result<&'static [u8], Error> {
        let end = self.at.checked_add(length).ok_or(self.wrong())?;
        let taken = self.bytes.get(self.at..end).ok_or(self.wrong())?;
        self.at = end;
        Ok(taken)
    }

    fn big_endian(&mut self, length: usize) -> Result<u64, Error> {
        Ok(self
            .take(length)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Major type, low bits and argument of the next item.
    fn head(&mut self) -> Result<(u8, u8, u64), Error> {
        let byte = *self.take(1)?.first().ok_or(self.wrong())?;
        let low = byte & 31;
        let argument = match low {
            0..24 => u64::from(low),
            24 => self.big_endian(1)?,
            25 => self.big_endian(2)?,
            26 => self.big_endian(4)?,
            27 => self.big_endian(8)?,
            _ => return Err(self.wrong()),
        };
        Ok((byte >> 5, low, argument))
    }

    fn string(&mut self, length: u64) -> Result<&'static [u8], Error> {
        let length = usize::try_from(length).map_err(|_| self.wrong())?;
        self.take(length)
    }

    fn text(&mut self, length: u64) -> Result<&'static str, Error> {
        let start = self.at;
        core::str::from_utf8(self.string(length)?).map_err(|_| Error::Cbor { offset: start })
    }

    /// Number of items to come: each takes a byte at least, so a false claim reserves no more than the input's size.
    fn count(&self, claimed: u64) -> Result<usize, Error> {
        let left = self.bytes.len() - self.at;
        usize::try_from(claimed)
            .ok()
            .filter(|count| *count <= left)
            .ok_or(self.wrong())
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let (major, low, argument) = self.head()?;
        match major {
            UNSIGNED => i64::try_from(argument)
                .map(Value::Int)
                .map_err(|_| self.wrong()),
            NEGATIVE => i64::try_from(argument)
                .map(|number| Value::Int(!number))
                .map_err(|_| self.wrong()),
            BYTES => self.string(argument).map(Value::Bytes),
            TEXT => self.text(argument).map(Value::Text),
            ARRAY | MAP if depth >= NESTING_MAX => Err(Error::TooDeep),
            ARRAY => self.array(argument, depth + 1),
            MAP => self.map(argument, depth + 1),
            TAG => self.tagged(argument),
            _ => self.simple(low, argument),
        }
    }

    fn array(&mut self, claimed: u64, depth: usize) -> Result<Value, Error> {
        let count = self.count(claimed)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, claimed: u64, depth: usize) -> Result<Value, Error> {
        let count = self.count(claimed)?;
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let (major, _, length) = self.head()?;
            if major != TEXT {
                return Err(self.wrong());
            }
            let key = self.text(length)?;
            entries.push((key, self.value(depth)?));
        }
        Ok(Value::map(entries))
    }

    fn tagged(&mut self, tag: u64) -> Result<Value, Error> {
        let (major, _, length) = self.head()?;
        match (tag, major) {
            (TAG_DATE, TEXT) => date::parse(self.text(length)?)
                .map(Value::from)
                .ok_or(self.wrong()),
            (TAG_UUID, BYTES) => self
                .string(length)?
                .try_into()
                .map(Value::Socket)
                .map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    fn simple(&self, low: u8, argument: u64) -> Result<Value, Error> {
        match (low, argument) {
            (20, _) => Ok(Value::Bool(false)),
            (21, _) => Ok(Value::Bool(true)),
            (22, _) => Ok(Value::Null),
            (27, bits) => Ok(Value::Float(f64::from_bits(bits))),
            _ => Err(self.wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn hex(value: Value) -> String {
        encode(value)
            .unwrap()
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn encodings_are_those_of_the_contract() {
        for (value, text) in [
            (Value::Null, "f6"),
            (Value::Bool(false), "f4"),
            (Value::Bool(true), "f5"),
            (Value::Int(0), "00"),
            (Value::Int(23), "17"),
            (Value::Int(24), "1818"),
            (Value::Int(256), "190100"),
            (Value::Int(65_536), "1a00010000"),
            (Value::Int(1 << 32), "1b0000000100000000"),
            (Value::Int(-1), "20"),
            (Value::Int(i64::MIN), "3b7fffffffffffffff"),
            (Value::Float(1.5), "fb3ff8000000000000"),
            (Value::Text("é"), "62c3a9"),
            (Value::Bytes(&[1]), "4101"),
            (Value::list(vec![Value::Int(1)]), "8101"),
            (
                Value::map(vec![("b", Value::Int(1)), ("a", Value::Int(2))]),
                "a2616102616201",
            ),
            (
                Value::Date {
                    millis: 0,
                    offset_minutes: 0,
                },
                "c074313937302d30312d30315430303a30303a30305a",
            ),
            (
                Value::Socket(&[7; 16]),
                "d8255007070707070707070707070707070707",
            ),
        ] {
            assert_eq!(hex(value), text);
        }
    }

    #[test]
    fn malformed_input_is_refused() {
        for wrong in [
            &[][..],
            &[0x18],
            &[0x1F],
            &[0x9F, 0xFF],
            &[0x61],
            &[0x61, 0xFF],
            &[0x82, 0x01],
            &[0xA1, 0x01, 0x01],
            &[0x00, 0x00],
            &[0x1B, 0xFF, 0, 0, 0, 0, 0, 0, 0],
            &[0xC1, 0x00],
            &[0xC0, 0x61, 0x78],
            &[0xF7],
            &[0xD8, 0x25, 0x41, 0x00],
            &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nest = |depth: usize| [vec![0x81; depth], vec![0]].concat().leak();
        assert!(decode(nest(NESTING_MAX)).is_ok());
        assert_eq!(decode(nest(NESTING_MAX + 1)), Err(Error::TooDeep));
        let deep = |depth| (0..depth).fold(Value::Null, |inner, _| Value::list(vec![inner]));
        assert!(encode(deep(NESTING_MAX)).is_ok());
        assert_eq!(encode(deep(NESTING_MAX + 1)), Err(Error::TooDeep));
    }

    proptest! {
        #[test]
        fn values_round_trip(value in crate::strategy::value()) {
            prop_assert_eq!(decode(encode(value).unwrap().leak()), Ok(value));
        }

        #[test]
        fn decoder_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _decoded = decode(bytes.leak());
        }
    }
}
