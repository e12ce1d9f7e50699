//! Sort and Group (actions.md 10.4, 10.5): both by stable sorting, so `n log n`.

use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::date;
use crate::field;
use crate::text;
use crate::value::{Entry, Value};

/// Key of the rows without the field that Group goes by.
const NO_KEY: &str = "(nil)";

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

impl Direction {
    fn apply(self, order: Ordering) -> Ordering {
        match self {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        }
    }
}

/// Sort without `by`: a list of texts, of Ints or of Floats; anything else as it is.
pub fn sort(value: Value, direction: Direction) -> Value {
    let Some(items) = value.as_list() else {
        return value;
    };
    let alike = |kind: fn(&Value) -> bool| items.iter().all(kind);
    if alike(|item| matches!(item, Value::Text(_)))
        || alike(|item| matches!(item, Value::Int(_)))
        || alike(|item| matches!(item, Value::Float(_)))
    {
        let mut items = items.to_vec();
        items.sort_by(|left, right| direction.apply(order(*left, *right)));
        return Value::list(items);
    }
    value
}

/// Sort by a field: stable; numbers before dates, texts and the rest, elements without the field last, whatever the direction.
pub fn sort_by(value: Value, name: &str, direction: Direction) -> Value {
    let Some(items) = value.as_list() else {
        return value;
    };
    let mut keyed: Vec<(Value, Value)> = items
        .iter()
        .map(|item| (field::of(*item, name).unwrap_or(Value::Null), *item))
        .collect();
    keyed.sort_by(|(left, _), (right, _)| {
        rank(*left)
            .cmp(&rank(*right))
            .then_with(|| direction.apply(order(*left, *right)))
    });
    Value::list(keyed.into_iter().map(|(_, item)| item).collect())
}

/// Which kinds come before which.
fn rank(key: Value) -> u8 {
    match key {
        Value::Int(_) | Value::Float(_) => 0,
        Value::Date { .. } => 1,
        Value::Text(_) => 2,
        Value::Bool(_) => 3,
        Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Socket(_) => 4,
        Value::Null => 5,
    }
}

/// Order of two keys of one rank.
fn order(left: Value, right: Value) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(&right),
        (Value::Text(left), Value::Text(right)) => beginning(left)
            .cmp(&beginning(right))
            .then_with(|| left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(&right),
        (Value::Date { .. }, Value::Date { .. }) => date::instant(left).cmp(&date::instant(right)),
        _ => match (as_float(left), as_float(right)) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            _ => Ordering::Equal,
        },
    }
}

/// The first bytes of a text as a number that orders like them: most texts differ there, and guests compare bytes one by one.
fn beginning(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let shifted = bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    // Fewer than eight, so the shift is less than all bits unless there are none.
    shifted
        .checked_shl(8 * (8 - bytes.len() as u32))
        .unwrap_or(0)
}

fn as_float(value: Value) -> Option<f64> {
    crate::operate::as_float(value)
}

/// Group: the rows by the text of their field, in their order. What is no map is left out; a value that is no list is its own only row.
pub fn group(value: Value, name: &str) -> Value {
    let rows = value.as_list().unwrap_or(core::slice::from_ref(&value));
    let mut keyed: Vec<((u64, &'static str), Value)> = rows
        .iter()
        .filter(|row| row.as_map().is_some())
        .map(|row| {
            let key = field::of(*row, name).map_or(NO_KEY, text::of);
            ((beginning(key), key), *row)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    let groups: Vec<Entry> = keyed
        .chunk_by(|(left, _), (right, _)| left == right)
        .filter_map(|rows| {
            let ((_, key), _) = rows.first()?;
            let rows = rows.iter().map(|(_, row)| *row).collect();
            Some((*key, Value::list(rows)))
        })
        .collect();
    Value::map(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn list(items: &[Value]) -> Value {
        Value::list(items.to_vec())
    }

    #[test]
    fn beginnings_order_as_their_texts() {
        let texts = [
            "",
            "\0",
            "a",
            "a\0",
            "a\0b",
            "ab",
            "abcdefg",
            "abcdefgh",
            "abcdefghi",
            "b",
            "é",
            "\u{10FFFF}",
        ];
        for left in texts {
            for right in texts {
                assert_eq!(
                    order(Value::Text(left), Value::Text(right)),
                    left.cmp(right),
                    "{left:?} {right:?}"
                );
            }
        }
    }

    fn row(id: i64, key: Option<Value>) -> Value {
        let mut entries = vec![("id", Value::Int(id))];
        entries.extend(key.map(|key| ("k", key)));
        Value::map(entries)
    }

    fn ids(value: Value) -> Vec<i64> {
        let rows = value.as_list().unwrap_or_default();
        rows.iter()
            .filter_map(|row| row.entry("id")?.to_int())
            .collect()
    }

    #[test]
    fn lists_of_one_kind_are_sorted() {
        use Direction::{Ascending, Descending};
        let numbers =
            |items: &[i64]| list(&items.iter().copied().map(Value::Int).collect::<Vec<_>>());
        assert_eq!(
            sort(numbers(&[5, 2, 8, 1]), Ascending),
            numbers(&[1, 2, 5, 8])
        );
        assert_eq!(
            sort(numbers(&[5, 2, 8, 1]), Descending),
            numbers(&[8, 5, 2, 1])
        );
        let texts = list(&[Value::Text("b"), Value::Text("B"), Value::Text("a")]);
        assert_eq!(
            sort(texts, Ascending),
            list(&[Value::Text("B"), Value::Text("a"), Value::Text("b")])
        );
        let mixed = list(&[Value::Int(2), Value::Float(1.0)]);
        assert_eq!(sort(mixed, Ascending), mixed);
        assert_eq!(sort(list(&[]), Ascending), list(&[]));
        assert_eq!(sort(Value::Int(1), Ascending), Value::Int(1));
    }

    #[test]
    fn fields_sort_numbers_texts_and_the_missing_last() {
        let rows = list(&[
            row(1, Some(Value::Text("b"))),
            row(2, None),
            row(3, Some(Value::Float(2.5))),
            row(4, Some(Value::Text("a"))),
            row(5, Some(Value::Int(2))),
            Value::Int(7),
            row(6, Some(Value::Int(2))),
        ]);
        let up = sort_by(rows, "k", Direction::Ascending);
        assert_eq!(ids(up), [5, 6, 3, 4, 1, 2]);
        assert_eq!(
            up.as_list().and_then(<[Value]>::last),
            Some(&Value::Int(7)),
            "what is no map has no field either"
        );
        assert_eq!(
            ids(sort_by(rows, "k", Direction::Descending)),
            [3, 5, 6, 1, 4, 2]
        );
    }

    #[test]
    fn groups_keep_the_order_of_their_rows() {
        let rows = list(&[
            row(1, Some(Value::Text("b"))),
            row(2, Some(Value::Int(7))),
            row(3, Some(Value::Text("b"))),
            row(4, None),
            Value::Text("no row"),
        ]);
        let groups = group(rows, "k");
        let keys: Vec<&str> = groups
            .as_map()
            .unwrap_or_default()
            .iter()
            .map(|(key, _)| *key)
            .collect();
        assert_eq!(keys, ["(nil)", "7", "b"]);
        assert_eq!(groups.entry("b").map(ids), Some(vec![1, 3]));
        assert_eq!(
            group(row(1, Some(Value::Bool(true))), "k")
                .entry("true")
                .map(ids),
            Some(vec![1])
        );
        assert_eq!(group(list(&[]), "k"), Value::map(vec![]));
    }
}
