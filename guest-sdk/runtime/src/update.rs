//! Changed copies of values: Update, Merge, Delete on a value, and the identity that Create gives (actions.md 6).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds that are not changed have one treatment"
)]

use alloc::vec::Vec;

use crate::date;
use crate::unicode;
use crate::value::{Entry, Value};

/// Random digits at the end of an identity.
const RANDOM_DIGITS: usize = 8;

/// A copy of `entity` with `key` set; what is no map becomes one of this entry alone.
pub fn with_entry(entity: Value, key: &'static str, value: Value) -> Value {
    let entries = entity.as_map().unwrap_or_default();
    let (before, from) = match entries.binary_search_by(|(known, _)| (*known).cmp(key)) {
        Ok(index) => entries.split_at(index),
        Err(index) => {
            let (before, after) = entries.split_at(index);
            return joined(before, (key, value), after);
        }
    };
    joined(before, (key, value), from.get(1..).unwrap_or_default())
}

fn joined(before: &[Entry], entry: Entry, after: &[Entry]) -> Value {
    let mut entries = Vec::with_capacity(before.len() + 1 + after.len());
    entries.extend_from_slice(before);
    entries.push(entry);
    entries.extend_from_slice(after);
    Value::Map(entries.leak())
}

/// Both maps in one, where `value` wins; any other value replaces the entity.
pub fn overlay(entity: Value, value: Value) -> Value {
    match (entity, value) {
        (Value::Map(entity), Value::Map(value)) => union(entity, value),
        _ => value,
    }
}

/// The entries of both maps; of equal keys the one on the right. Linear.
pub fn union(left: &'static [Entry], right: &'static [Entry]) -> Value {
    let mut entries = Vec::with_capacity(left.len() + right.len());
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    while let (Some((left, _)), Some((right, _))) = (lefts.peek(), rights.peek()) {
        if left >= right {
            if left == right {
                lefts.next();
            }
            entries.extend(rights.next());
        } else {
            entries.extend(lefts.next());
        }
    }
    entries.extend(lefts.chain(rights));
    Value::Map(entries.leak())
}

/// What Delete makes of `value`: a copy without the entry or the position (counted from the end); for others a receipt.
pub fn without(value: Value, key: &'static str) -> Value {
    match value {
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .filter(|(known, _)| *known != key)
                .copied()
                .collect::<Vec<Entry>>()
                .leak(),
        ),
        Value::List(items) => position(items.len(), key)
            .and_then(|index| {
                let (before, from) = items.split_at_checked(index)?;
                Some(Value::list([before, from.get(1..)?].concat()))
            })
            .unwrap_or_else(|| receipt(key)),
        _ => receipt(key),
    }
}

fn position(length: usize, key: &str) -> Option<usize> {
    if !key.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    length
        .checked_sub(key.parse::<usize>().ok()?)?
        .checked_sub(1)
}

fn receipt(target: &'static str) -> Value {
    Value::map(alloc::vec![
        ("success", Value::Bool(true)),
        ("target", Value::Text(target)),
    ])
}

/// Whether Create gives `value` an identity: a map that has none.
pub fn lacks_id(value: Value) -> bool {
    value.as_map().is_some() && value.entry("id").is_none()
}

/// `value` with an identity made of the time and the first digits of a random UUID.
pub fn with_id(value: Value, now: Value, uuid: Value) -> Value {
    let millis = date::instant(now).unwrap_or_default();
    let random = uuid.as_text().and_then(|text| text.get(..RANDOM_DIGITS));
    let random = unicode::lowercase(random.unwrap_or_default());
    with_entry(
        value,
        "id",
        Value::text(alloc::format!("{millis:x}{random}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn map(entries: &[(&'static str, i64)]) -> Value {
        let entries = entries
            .iter()
            .map(|(key, value)| (*key, Value::Int(*value)));
        Value::map(entries.collect())
    }

    #[test]
    fn entries_are_set_in_copies() {
        let entity = map(&[("b", 1), ("d", 2)]);
        for (key, result) in [
            ("a", map(&[("a", 9), ("b", 1), ("d", 2)])),
            ("b", map(&[("b", 9), ("d", 2)])),
            ("c", map(&[("b", 1), ("c", 9), ("d", 2)])),
            ("d", map(&[("b", 1), ("d", 9)])),
            ("e", map(&[("b", 1), ("d", 2), ("e", 9)])),
        ] {
            assert_eq!(with_entry(entity, key, Value::Int(9)), result);
        }
        assert_eq!(
            with_entry(Value::Text("x"), "a", Value::Int(1)),
            map(&[("a", 1)])
        );
    }

    #[test]
    fn maps_are_overlaid_and_other_values_replaced() {
        let (left, right) = (map(&[("a", 1), ("b", 2)]), map(&[("b", 9), ("c", 3)]));
        assert_eq!(overlay(left, right), map(&[("a", 1), ("b", 9), ("c", 3)]));
        assert_eq!(overlay(right, left), map(&[("a", 1), ("b", 2), ("c", 3)]));
        assert_eq!(overlay(left, map(&[])), left);
        assert_eq!(overlay(left, Value::Int(1)), Value::Int(1));
    }

    #[test]
    fn deletions() {
        let list = Value::list(vec![Value::Int(1), Value::Int(2), Value::Int(3)]);
        assert_eq!(without(map(&[("a", 1), ("b", 2)]), "a"), map(&[("b", 2)]));
        assert_eq!(without(map(&[("a", 1)]), "x"), map(&[("a", 1)]));
        assert_eq!(
            without(list, "0"),
            Value::list(vec![Value::Int(1), Value::Int(2)])
        );
        assert_eq!(
            without(list, "2"),
            Value::list(vec![Value::Int(2), Value::Int(3)])
        );
        assert_eq!(without(list, "3"), receipt("3"));
        assert_eq!(without(Value::Text("x"), "x"), receipt("x"));
    }

    #[test]
    fn identities_are_time_and_chance() {
        let entity = map(&[("a", 1)]);
        assert!(lacks_id(entity) && !lacks_id(map(&[("id", 1)])) && !lacks_id(Value::Int(1)));
        let now = Value::Date {
            millis: 0x19c_1234_5678,
            offset_minutes: 0,
        };
        let uuid = Value::Text("ABCDEF01-0000-4000-8000-000000000000");
        assert_eq!(
            with_id(entity, now, uuid).entry("id"),
            Some(Value::Text("19c12345678abcdef01"))
        );
    }
}
