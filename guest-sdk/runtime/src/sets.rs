//! Union, intersection and difference of lists, texts and maps (actions.md 7.3).
use alloc::vec::Vec;

use crate::compare;
use crate::error::Error;
use crate::text;
use crate::unicode;
use crate::value::{Entry, NESTING_MAX, Value};

const EXPECTED: &str = "Array, String, or Object";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersect,
    Difference,
    Union,
}

/// The set operation `name` of two values of one kind.
///
/// # Errors
/// [`Error::Mismatch`] for other kinds.
pub fn apply(name: &str, left: Value, right: Value) -> Result<Value, Error> {
    let operation = match name {
        "difference" => Operation::Difference,
        "union" => Operation::Union,
        _ => Operation::Intersect,
    };
    match (left, right) {
        (Value::List(left), Value::List(right)) => Ok(lists(operation, left, right)),
        (Value::Text(left), Value::Text(right)) => {
            let left = unicode::clusters(left).map(|char| (char, char)).collect();
            let right = unicode::clusters(right).map(|char| (char, char)).collect();
            Ok(Value::text(combine(operation, left, right).concat()))
        }
        (Value::Map(left), Value::Map(right)) => Ok(maps(operation, left, right, 0)),
        (Value::List(_) | Value::Text(_) | Value::Map(_), other) | (other, _) => {
            Err(Error::Mismatch {
                expected: EXPECTED,
                kind: other.type_name(),
            })
        }
    }
}

/// The elements of a list without those that are there already; other kinds as they are.
pub fn unique(value: Value) -> Value {
    match value.as_list() {
        Some(items) => lists(Operation::Union, &[], items),
        None => value,
    }
}

fn lists(operation: Operation, left: &'static [Value], right: &'static [Value]) -> Value {
    let keyed = |items: &'static [Value]| items.iter().map(|item| (text::of(*item), *item));
    Value::list(combine(
        operation,
        keyed(left).collect(),
        keyed(right).collect(),
    ))
}

/// Combines elements by their keys, in time n log n. An intersection and a difference count how often a key occurs; a union takes all of the left and from the right what has not been seen.
fn combine<T: Copy>(
    operation: Operation,
    left: Vec<(&'static str, T)>,
    right: Vec<(&'static str, T)>,
) -> Vec<T> {
    let (kept, marked) = match operation {
        Operation::Union => (right, &left),
        Operation::Intersect | Operation::Difference => (left, &right),
    };
    let mut counts = Counts::of(marked);
    if operation == Operation::Union {
        let mut items: Vec<T> = marked.iter().map(|(_, item)| *item).collect();
        let mut seen = Counts::of(&kept);
        items.extend(
            kept.iter()
                .filter(|(key, _)| !counts.has(key) && seen.take_all(key))
                .map(|(_, item)| *item),
        );
        return items;
    }
    kept.into_iter()
        .filter(|(key, _)| counts.take(key) == (operation == Operation::Intersect))
        .map(|(_, item)| item)
        .collect()
}

/// How often each key is still to be found, by key.
struct Counts(Vec<(&'static str, usize)>);

impl Counts {
    fn of<T>(items: &[(&'static str, T)]) -> Counts {
        let mut keys: Vec<&'static str> = items.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        let mut counts: Vec<(&'static str, usize)> = Vec::with_capacity(keys.len());
        for key in keys {
            match counts.last_mut() {
                Some((last, count)) if *last == key => *count += 1,
                _ => counts.push((key, 1)),
            }
        }
        Counts(counts)
    }

    fn count(&mut self, key: &str) -> Option<&mut usize> {
        let index = self
            .0
            .binary_search_by(|(known, _)| (*known).cmp(key))
            .ok()?;
        let (_, count) = self.0.get_mut(index)?;
        (*count > 0).then_some(count)
    }

    fn has(&mut self, key: &str) -> bool {
        self.count(key).is_some()
    }

    /// Takes one occurrence, if one is left.
    fn take(&mut self, key: &str) -> bool {
        self.count(key).map(|count| *count -= 1).is_some()
    }

    /// Takes every occurrence, if one is left.
    fn take_all(&mut self, key: &str) -> bool {
        self.count(key).map(|count| *count = 0).is_some()
    }
}

fn maps(
    operation: Operation,
    left: &'static [Entry],
    right: &'static [Entry],
    depth: usize,
) -> Value {
    if operation == Operation::Union {
        return Value::map(right.iter().chain(left).copied().collect());
    }
    let other = Value::Map(right);
    let entries = left.iter().filter_map(|(key, value)| {
        let value = match other.entry(key) {
            Some(other) => common(operation, *value, other, depth)?,
            None if operation == Operation::Difference => *value,
            None => return None,
        };
        Some((*key, value))
    });
    Value::map(entries.collect())
}

/// What stays of an entry that is in both maps: of containers what stays inside, unless that is nothing.
fn common(operation: Operation, left: Value, right: Value, depth: usize) -> Option<Value> {
    let inside = match (left, right) {
        (Value::Map(left), Value::Map(right)) if depth < NESTING_MAX => {
            maps(operation, left, right, depth + 1)
        }
        (Value::List(left), Value::List(right)) => lists(operation, left, right),
        _ => {
            let equal = compare::identical(left, right);
            return (equal == (operation == Operation::Intersect)).then_some(left);
        }
    };
    (!matches!(inside, Value::Map([]) | Value::List([]))).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn check(left: Value, right: Value, intersect: Value, difference: Value, union: Value) {
        for (name, result) in [
            ("intersect", intersect),
            ("difference", difference),
            ("union", union),
        ] {
            assert_eq!(apply(name, left, right), Ok(result), "{name}");
        }
    }

    fn ints(items: &[i64]) -> Value {
        Value::list(items.iter().map(|item| Value::Int(*item)).collect())
    }

    fn map(entries: &[Entry]) -> Value {
        Value::map(entries.to_vec())
    }

    #[test]
    fn vectors_of_the_specification() {
        check(
            ints(&[1, 2, 2, 3]),
            ints(&[2, 2, 4]),
            ints(&[2, 2]),
            ints(&[1, 3]),
            ints(&[1, 2, 2, 3, 4]),
        );
        check(
            Value::Text("hello"),
            Value::Text("bell"),
            Value::Text("ell"),
            Value::Text("ho"),
            Value::Text("hellob"),
        );
        let (x, y) = (("x", Value::Int(1)), ("y", Value::Int(2)));
        check(
            map(&[("a", Value::Int(1)), ("b", map(&[x, y]))]),
            map(&[("a", Value::Int(2)), ("b", map(&[x]))]),
            map(&[("b", map(&[x]))]),
            map(&[("a", Value::Int(1)), ("b", map(&[y]))]),
            map(&[("a", Value::Int(1)), ("b", map(&[x, y]))]),
        );
        let z = map(&[("z", Value::Int(3))]);
        check(
            map(&[("b", map(&[x]))]),
            map(&[("b", z)]),
            map(&[]),
            map(&[("b", map(&[x]))]),
            map(&[("b", map(&[x]))]),
        );
    }

    #[test]
    fn elements_compare_as_texts_and_entries_by_kind() {
        let mixed = Value::list(vec![Value::Text("1"), Value::Text("2")]);
        assert_eq!(
            apply("difference", mixed, ints(&[1])),
            Ok(Value::list(vec![Value::Text("2")]))
        );
        let (one, text) = (
            map(&[("a", Value::Int(1))]),
            map(&[("a", Value::Text("1"))]),
        );
        assert_eq!(apply("intersect", one, text), Ok(map(&[])));
        assert_eq!(
            apply("union", ints(&[1]), ints(&[2, 2, 1])),
            Ok(ints(&[1, 2]))
        );
    }

    #[test]
    fn kinds_do_not_mix() {
        assert_eq!(
            apply("union", ints(&[]), Value::Text("a")),
            Err(Error::Mismatch {
                expected: EXPECTED,
                kind: "String"
            })
        );
        assert!(apply("intersect", Value::Int(1), Value::Int(1)).is_err());
    }
}
