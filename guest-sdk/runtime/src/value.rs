//! The values of the language.
//!
//! A value is a small copyable word; what it refers to lives as long as the arena of its event (`reset` in the module crate), which to this crate is `'static`. Built natively, as the compiler does when it folds constants, what is referred to is leaked.

use alloc::string::String;
use alloc::vec::Vec;

/// A key of a map and its value.
pub type Entry = (&'static str, Value);

/// Deepest nesting of lists and maps that is read or written. Deeper values can be built, but not encoded; text forms end there.
pub const NESTING_MAX: usize = 128;
/// Longest text that repetition makes, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// Sorts by key, entries of equal keys staying in order. One copy of the sort for all: it is large.
#[inline(never)]
pub(crate) fn sort(entries: &mut [Entry]) {
    entries.sort_by_key(|(key, _)| *key);
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// The absent value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An IEEE 754 double.
    Float(f64),
    /// Text.
    Text(&'static str),
    /// Bytes that are not known to be text.
    Bytes(&'static [u8]),
    /// Values in order.
    List(&'static [Value]),
    /// Values by key: ascending byte order of the keys, no duplicates. Build it with [`Value::map`].
    Map(&'static [Entry]),
    /// An instant, and the zone it is shown in.
    Date {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        millis: i64,
        /// Minutes east of UTC.
        offset_minutes: i16,
    },
    /// Identity of a connection or listener: a UUID (RFC 9562) in network order.
    Socket(&'static [u8; 16]),
}

impl Value {
    /// The text itself, `None` for other kinds.
    pub fn as_text(self) -> Option<&'static str> {
        if let Value::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The entries of a map.
    pub fn as_map(self) -> Option<&'static [Entry]> {
        if let Value::Map(entries) = self {
            Some(entries)
        } else {
            None
        }
    }

    /// The elements of a list.
    pub fn as_list(self) -> Option<&'static [Value]> {
        if let Value::List(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// Entry `key` of a map; `None` also for other kinds.
    pub fn entry(self, key: &str) -> Option<Value> {
        let entries = self.as_map()?;
        let index = entries
            .binary_search_by(|(name, _)| (*name).cmp(key))
            .ok()?;
        entries.get(index).map(|(_, value)| *value)
    }

    /// A map of `entries` in any order; of equal keys the last wins.
    pub fn map(mut entries: Vec<Entry>) -> Value {
        if !entries.is_sorted_by(|(left, _), (right, _)| left < right) {
            entries.reverse();
            sort(&mut entries);
            entries.dedup_by(|(right, _), (left, _)| left == right);
        }
        Value::Map(entries.leak())
    }

    /// A list of `items`.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(items.leak())
    }

    /// A text that is kept from now on.
    pub fn text(text: String) -> Value {
        Value::Text(text.leak())
    }

    /// Text where the bytes are UTF-8, else bytes.
    pub fn data(bytes: &'static [u8]) -> Value {
        match core::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text),
            Err(_) => Value::Bytes(bytes),
        }
    }

    /// A pattern, as a regex literal denotes it: the map `{flags, pattern}`.
    pub fn regex(pattern: &'static str, flags: &'static str) -> Value {
        Value::map(alloc::vec![
            ("flags", Value::Text(flags)),
            ("pattern", Value::Text(pattern))
        ])
    }

    /// The Float, Int or numeric text as a float.
    pub fn to_float(self) -> Option<f64> {
        crate::operate::as_float(crate::operate::to_number(self).ok()?)
    }

    /// The Int; or a Float or numeric text, cut off to whole and clamped to 64 bits.
    pub fn to_int(self) -> Option<i64> {
        if let Value::Int(number) = self {
            return Some(number);
        }
        self.to_float().map(|number| number as i64)
    }

    /// Name of the kind in error texts (language.md 12).
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Null => "NullValue",
            Value::Bool(_) => "Bool",
            Value::Int(_) => "Int",
            Value::Float(_) => "Double",
            Value::Text(_) => "String",
            Value::Bytes(_) => "Bytes",
            Value::List(_) => "List",
            Value::Map(_) => "Map",
            Value::Date { .. } => "Date",
            Value::Socket(_) => "Connection",
        }
    }

    /// Number of the kind, as the export `kind` answers it.
    pub fn kind(self) -> u32 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Int(_) => 2,
            Value::Float(_) => 3,
            Value::Text(_) => 4,
            Value::Bytes(_) => 5,
            Value::List(_) => 6,
            Value::Map(_) => 7,
            Value::Date { .. } => 8,
            Value::Socket(_) => 9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn map_is_sorted_and_last_duplicate_wins() {
        let map = Value::map(vec![
            ("b", Value::Int(1)),
            ("a", Value::Int(2)),
            ("b", Value::Int(3)),
        ]);
        assert_eq!(
            map.as_map(),
            Some(&[("a", Value::Int(2)), ("b", Value::Int(3))][..])
        );
        assert_eq!(map.entry("b"), Some(Value::Int(3)));
        assert_eq!(map.entry("c"), None);
    }
}
