//! Values as the host needs to see them: enough to match, index and replace rows. The encoding is CBOR as `wit/state/README.md` lays down.

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Deepest nesting of a value.
const DEPTH_MAX: u32 = 128;
const TAG_DATE: Tag = Tag::new(0);
const TAG_UUID: Tag = Tag::new(37);
/// Length of the text of a UUID.
const UUID_TEXT_BYTES: usize = 36;
/// Longer keys of an index are replaced by their digests.
const INDEX_KEY_BYTES_MAX: usize = 64;
/// Elements that room is made for before they have been seen.
const PREALLOCATED_MAX: u64 = 64;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    Date(String),
    Handle([u8; 16]),
}

/// Why bytes are no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatumError {
    #[error("{0}")]
    Cbor(minicbor::decode::Error),
    #[error("a value is nested deeper than {DEPTH_MAX}")]
    Depth,
    #[error("an item of type {0} stands for no value")]
    Type(Type),
    #[error("a value is followed by other bytes")]
    Trailing,
}

impl From<minicbor::decode::Error> for DatumError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Cbor(error)
    }
}

impl Datum {
    /// Reads one value that fills `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DatumError> {
        let mut decoder = Decoder::new(bytes);
        let datum = read(&mut decoder, 0)?;
        if decoder.position() == bytes.len() {
            Ok(datum)
        } else {
            Err(DatumError::Trailing)
        }
    }

    /// The canonical encoding: equal values have equal bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Encoder::new(&mut bytes), self).expect("writing to a vector cannot fail");
        bytes
    }

    /// Equality of `where` clauses: kind and value, numbers by value, a handle equals the text of its id.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => {
                self.compare(other) == Some(Ordering::Equal)
            }
            (Self::Handle(id), Self::Text(text)) | (Self::Text(text), Self::Handle(id)) => {
                text.eq_ignore_ascii_case(&uuid_text(*id))
            }
            (left, right) => left == right,
        }
    }

    /// Order of values of one kind, numbers by value.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Int(left), Self::Float(right)) => compare_mixed(*left, *right),
            (Self::Float(left), Self::Int(right)) => {
                compare_mixed(*right, *left).map(Ordering::reverse)
            }
            (Self::Text(left), Self::Text(right)) | (Self::Date(left), Self::Date(right)) => {
                Some(left.cmp(right))
            }
            _ => None,
        }
    }

    /// The key under which an index finds this value: values that are equal have equal keys, and values with equal keys may still differ.
    pub(crate) fn index_key(&self) -> Box<[u8]> {
        let key = match self {
            Self::Float(value) => {
                whole(*value).map_or_else(|| self.encode(), |value| Self::Int(value).encode())
            }
            Self::Handle(id) => Self::Text(uuid_text(*id)).encode(),
            // A handle equals the text of its identity in capital and in small letters.
            Self::Text(text) if text.len() == UUID_TEXT_BYTES => {
                Self::Text(text.to_ascii_uppercase()).encode()
            }
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::Date(_) => self.encode(),
        };
        if key.len() > INDEX_KEY_BYTES_MAX {
            Sha256::digest(&key).as_slice().into()
        } else {
            key.into_boxed_slice()
        }
    }
}

/// Whether an encoded value is a map (RFC 8949 3.1, major type 5).
pub(crate) fn is_map(row: &[u8]) -> bool {
    row.first().is_some_and(|first| first >> 5 == 5)
}

/// The integer that a float is exactly.
fn whole(value: f64) -> Option<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range and without a fraction"
    )]
    let integer =
        (value.fract() == 0.0 && (-BOUND..BOUND).contains(&value)).then_some(value as i64);
    integer
}

fn compare_mixed(left: i64, right: f64) -> Option<Ordering> {
    if right.is_nan() {
        return None;
    }
    let floor = right.floor();
    match whole(floor) {
        Some(floor_value) => Some(left.cmp(&floor_value).then(if right > floor {
            Ordering::Less
        } else {
            Ordering::Equal
        })),
        None => Some(if right > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        }),
    }
}

/// Upper-case text of a UUID.
pub(crate) fn uuid_text(id: [u8; 16]) -> String {
    let value = u128::from_be_bytes(id);
    format!(
        "{:08X}-{:04X}-{:04X}-{:04X}-{:012X}",
        value >> 96,
        (value >> 80) & 0xFFFF,
        (value >> 64) & 0xFFFF,
        (value >> 48) & 0xFFFF,
        value & 0xFFFF_FFFF_FFFF
    )
}

/// Reads the value at `path` inside an encoded row without decoding the rest of it.
pub(crate) fn at_path<S: AsRef<str>>(row: &[u8], path: &[S]) -> Option<Datum> {
    let mut decoder = Decoder::new(row);
    for name in path {
        if decoder.datatype().ok()? != Type::Map {
            return None;
        }
        let mut left = decoder.map().ok()??;
        loop {
            left = left.checked_sub(1)?;
            if decoder.str().ok()? == name.as_ref() {
                break;
            }
            decoder.skip().ok()?;
        }
    }
    read(&mut decoder, 0).ok()
}

fn read(decoder: &mut Decoder<'_>, depth: u32) -> Result<Datum, DatumError> {
    if depth > DEPTH_MAX {
        return Err(DatumError::Depth);
    }
    Ok(match decoder.datatype()? {
        Type::Null => {
            decoder.null()?;
            Datum::Null
        }
        Type::Bool => Datum::Bool(decoder.bool()?),
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int => Datum::Int(decoder.i64()?),
        Type::F16 | Type::F32 | Type::F64 => Datum::Float(decoder.f64()?),
        Type::String => Datum::Text(decoder.str()?.to_owned()),
        Type::Bytes => Datum::Bytes(decoder.bytes()?.to_vec()),
        Type::Array => read_list(decoder, depth)?,
        Type::Map => read_map(decoder, depth)?,
        Type::Tag => match decoder.tag()? {
            TAG_DATE => Datum::Date(decoder.str()?.to_owned()),
            TAG_UUID => Datum::Handle(
                decoder
                    .bytes()?
                    .try_into()
                    .map_err(|_| DatumError::Type(Type::Bytes))?,
            ),
            _ => return Err(DatumError::Type(Type::Tag)),
        },
        other @ (Type::Undefined
        | Type::Simple
        | Type::BytesIndef
        | Type::StringIndef
        | Type::ArrayIndef
        | Type::MapIndef
        | Type::Break
        | Type::Unknown(_)) => {
            return Err(DatumError::Type(other));
        }
    })
}

fn read_list(decoder: &mut Decoder<'_>, depth: u32) -> Result<Datum, DatumError> {
    let length = decoder.array()?.ok_or(DatumError::Type(Type::ArrayIndef))?;
    let mut list =
        Vec::with_capacity(usize::try_from(length.min(PREALLOCATED_MAX)).unwrap_or_default());
    for _ in 0..length {
        list.push(read(decoder, depth + 1)?);
    }
    Ok(Datum::List(list))
}

fn read_map(decoder: &mut Decoder<'_>, depth: u32) -> Result<Datum, DatumError> {
    let length = decoder.map()?.ok_or(DatumError::Type(Type::MapIndef))?;
    let mut map = BTreeMap::new();
    for _ in 0..length {
        let name = decoder.str()?.to_owned();
        map.insert(name, read(decoder, depth + 1)?);
    }
    Ok(Datum::Map(map))
}

type WriteResult = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write(encoder: &mut Encoder<&mut Vec<u8>>, datum: &Datum) -> WriteResult {
    match datum {
        Datum::Null => drop(encoder.null()?),
        Datum::Bool(value) => drop(encoder.bool(*value)?),
        Datum::Int(value) => drop(encoder.i64(*value)?),
        Datum::Float(value) => drop(encoder.f64(*value)?),
        Datum::Text(text) => drop(encoder.str(text)?),
        Datum::Bytes(bytes) => drop(encoder.bytes(bytes)?),
        Datum::List(list) => {
            encoder.array(list.len() as u64)?;
            list.iter()
                .try_for_each(|element| write(encoder, element))?;
        }
        Datum::Map(map) => {
            encoder.map(map.len() as u64)?;
            for (name, value) in map {
                encoder.str(name)?;
                write(encoder, value)?;
            }
        }
        Datum::Date(text) => drop(encoder.tag(TAG_DATE)?.str(text)?),
        Datum::Handle(id) => drop(encoder.tag(TAG_UUID)?.bytes(id)?),
    }
    Ok(())
}

/// Bytes of the head of an array or a map, at most (RFC 8949 3).
const HEAD_BYTES_MAX: usize = 9;

/// One array of encoded values.
pub(crate) fn encode_array<R: AsRef<[u8]>>(rows: &[R]) -> Vec<u8> {
    let length = rows.iter().map(|row| row.as_ref().len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(length + HEAD_BYTES_MAX);
    Encoder::new(&mut bytes)
        .array(rows.len() as u64)
        .expect("writing to a vector cannot fail");
    rows.iter()
        .for_each(|row| bytes.extend_from_slice(row.as_ref()));
    bytes
}

/// One map of names, in ascending order, and encoded values.
pub(crate) fn encode_map(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let length = entries
        .iter()
        .map(|(name, value)| name.len() + value.len() + HEAD_BYTES_MAX);
    let mut bytes = Vec::with_capacity(length.sum::<usize>() + HEAD_BYTES_MAX);
    let mut encoder = Encoder::new(&mut bytes);
    encoder
        .map(entries.len() as u64)
        .expect("writing to a vector cannot fail");
    for (name, value) in entries {
        let mut encoder = Encoder::new(&mut bytes);
        encoder.str(name).expect("writing to a vector cannot fail");
        bytes.extend_from_slice(value);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_round_trips() {
        let map = Datum::Map(
            [
                ("a".to_owned(), Datum::Int(-1)),
                ("b".to_owned(), Datum::Float(0.5)),
            ]
            .into(),
        );
        let date = Datum::Date("2026-03-01T09:30:00Z".into());
        let list = Datum::List(vec![
            Datum::Null,
            Datum::Bool(true),
            map,
            date,
            Datum::Handle([7; 16]),
            Datum::Bytes(vec![1, 2]),
            Datum::Int(i64::MIN),
        ]);
        assert_eq!(Datum::decode(&list.encode()).unwrap(), list);
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let deep = vec![0x81; 100_000];
        assert!(matches!(Datum::decode(&deep), Err(DatumError::Depth)));
        let endless = [0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        assert!(matches!(Datum::decode(&endless), Err(DatumError::Cbor(_))));
        assert!(matches!(
            Datum::decode(&[0x01, 0x02]),
            Err(DatumError::Trailing)
        ));
        assert!(Datum::decode(&[0x9F, 0xFF]).is_err());
    }

    #[test]
    fn numbers_compare_by_value_and_other_kinds_do_not_mix() {
        assert!(Datum::Int(3).equals(&Datum::Float(3.0)));
        assert!(!Datum::Int(1).equals(&Datum::Text("1".into())));
        assert_eq!(
            Datum::Int(3).compare(&Datum::Float(3.5)),
            Some(Ordering::Less)
        );
        assert_eq!(
            Datum::Float(-3.5).compare(&Datum::Int(-3)),
            Some(Ordering::Less)
        );
        assert_eq!(
            Datum::Int(i64::MAX).compare(&Datum::Float(1e300)),
            Some(Ordering::Less)
        );
        assert_eq!(Datum::Int(1).compare(&Datum::Float(f64::NAN)), None);
        assert_eq!(Datum::Int(3).index_key(), Datum::Float(3.0).index_key());
        let id = Datum::Handle([0xAB; 16]);
        let text = Datum::Text("abababab-abab-abab-abab-abababababab".into());
        assert!(id.equals(&text) && id.index_key() == text.index_key());
    }

    #[test]
    fn a_path_is_read_without_decoding_the_row() {
        let inner = Datum::Map([("city".to_owned(), Datum::Text("Oslo".into()))].into());
        let row = Datum::Map(
            [
                ("address".to_owned(), inner),
                ("id".to_owned(), Datum::Int(4)),
            ]
            .into(),
        )
        .encode();
        assert_eq!(
            at_path(&row, &["address", "city"]),
            Some(Datum::Text("Oslo".into()))
        );
        assert_eq!(at_path(&row, &["address", "street"]), None);
        assert_eq!(at_path(&row, &["id", "x"]), None);
    }
}
