//! Equality, order, membership and the relations of `match` (language.md 10.5, 7.5, 13.1).

use core::cmp::Ordering;

use crate::date;
use crate::error::Error;
use crate::operate;
use crate::text;
use crate::time;
use crate::value::{NESTING_MAX, Value};

/// `left == right`.
pub fn equal(left: Value, right: Value) -> bool {
    equal_nested(left, right, 0)
}

fn equal_nested(left: Value, right: Value, depth: usize) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) if left == right => true,
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::Bytes(bytes), Value::Text(text)) | (Value::Text(text), Value::Bytes(bytes)) => {
            bytes == text.as_bytes()
        }
        (Value::Socket(left), Value::Socket(right)) => left == right,
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_))
            if depth >= NESTING_MAX =>
        {
            false
        }
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| equal_nested(*left, *right, depth + 1))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|((key, left), (other, right))| {
                    key == other && equal_nested(*left, *right, depth + 1)
                })
        }
        _ => equal_mixed(left, right),
    }
}

/// Same instant, else same number, else same text.
fn equal_mixed(left: Value, right: Value) -> bool {
    if let (Some(left), Some(right)) = (date::instant(left), date::instant(right)) {
        return left == right;
    }
    match (left, right) {
        (Value::Text(_), Value::Text(_)) => false,
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            numbers(left, right) == Some(Ordering::Equal)
        }
        _ => text::of(left) == text::of(right),
    }
}

/// Order of two Ints or Floats; `None` if one is not a number (IEEE 754).
fn numbers(left: Value, right: Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        _ => operate::as_float(left)?.partial_cmp(&operate::as_float(right)?),
    }
}

/// Order for `<`, `<=`, `>`, `>=`: by instant where both look like dates, else by number; `None` where a NaN is in it.
///
/// # Errors
/// [`Error::NotANumber`] with the first operand that is no number.
pub fn order(left: Value, right: Value) -> Result<Option<Ordering>, Error> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        return Ok(Some(left.cmp(&right)));
    }
    if let (Some(left), Some(right)) = (date::instant(left), date::instant(right)) {
        return Ok(Some(left.cmp(&right)));
    }
    Ok(numbers(
        operate::to_number(left)?,
        operate::to_number(right)?,
    ))
}

/// `left contains right`.
pub fn contains(left: Value, right: Value) -> bool {
    if let Some(held) = time::contains(left, right).or_else(|| time::contains(right, left)) {
        return held;
    }
    match (left, right) {
        (Value::List(items), _) => items.iter().any(|item| equal(*item, right)),
        (Value::Text(text), Value::Text(part)) => text.contains(part),
        (Value::Map(_), Value::Text(key)) => left.entry(key).is_some(),
        _ => false,
    }
}

/// Whether a case that is a literal matches: same kind, same value.
pub fn identical(subject: Value, literal: Value) -> bool {
    subject.kind() == literal.kind() && equal_literal(subject, literal)
}

fn equal_literal(subject: Value, literal: Value) -> bool {
    match (subject, literal) {
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        _ => equal(subject, literal),
    }
}

/// Whether a case that is a variable matches: of the same scalar kind and equal, or else equal as texts.
pub fn same(subject: Value, pattern: Value) -> bool {
    match (subject, pattern) {
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::List(_), Value::List(_))
        | (Value::Map(_), Value::Map(_))
        | (Value::Bytes(_), Value::Bytes(_)) => equal(subject, pattern),
        _ => text::of(subject) == text::of(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn literal_and_variable_patterns_differ() {
        assert!(
            !identical(Value::Float(200.0), Value::Int(200))
                && !identical(Value::Text("1"), Value::Int(1))
        );
        assert!(
            identical(Value::Null, Value::Null) && identical(Value::Text("a"), Value::Text("a"))
        );
        assert!(!identical(
            Value::Text("2025-01-01"),
            Value::Text("2025-01-01T00:00:00Z")
        ));
        assert!(
            same(Value::Text("1"), Value::Int(1))
                && !same(Value::Int(1), Value::Float(1.0))
                && !same(Value::Null, Value::Text(""))
        );
    }

    #[test]
    fn containers_are_equal_by_structure() {
        let map = |value| Value::map(vec![("k", Value::list(vec![value]))]);
        assert!(equal(map(Value::Int(1)), map(Value::Float(1.0))));
        assert!(!equal(map(Value::Int(1)), map(Value::Int(2))));
        assert!(equal(Value::list(vec![Value::Int(1)]), Value::Text("[1]")));
        let id = Value::Socket(&[0; 16]);
        assert!(equal(id, Value::Text("00000000-0000-0000-0000-000000000000")) && equal(id, id));
        assert!(equal(Value::Bytes(b"ab"), Value::Text("ab")));
    }

    #[test]
    fn order_needs_dates_or_numbers() {
        assert_eq!(order(Value::Float(f64::NAN), Value::Int(1)), Ok(None));
        assert_eq!(
            order(Value::Int(i64::MAX), Value::Int(i64::MAX - 1)),
            Ok(Some(Ordering::Greater))
        );
        assert_eq!(
            order(Value::Null, Value::Int(1)),
            Err(Error::NotANumber("NullValue"))
        );
        assert_eq!(
            order(
                Value::Date {
                    millis: 0,
                    offset_minutes: 0
                },
                Value::Text("1970-01-02")
            ),
            Ok(Some(Ordering::Less))
        );
    }
}
