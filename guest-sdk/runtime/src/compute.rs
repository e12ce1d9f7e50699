//! The operations that Compute applies to a value (actions.md 7.2).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds that an operation does not name have one treatment"
)]

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::compare;
use crate::error::Error;
use crate::hash;
use crate::json;
use crate::operate;
use crate::sets;
use crate::text;
use crate::unicode;
use crate::value::Value;

/// Width of `clip` without a `with` clause.
const CLIP_WIDTH: i64 = 80;
/// Most places that `round` keeps: more than a Float has.
const PLACES_MAX: i64 = 17;
/// From here on every Float is whole.
const WHOLE_FROM: f64 = 9_007_199_254_740_992.0;

/// Applies the operation `name`; `with` is the value of the `with` clause. What has no meaning for a kind, and what is no operation at all, leaves the value as it is.
///
/// # Errors
/// [`Error::Mismatch`] of the set operations, [`Error::NotANumber`] and [`Error::Overflow`] of sums.
pub fn apply(name: &str, value: Value, with: Option<Value>) -> Result<Value, Error> {
    Ok(match name {
        "hash" => Value::text(hash::sha_256(hashed(value).as_bytes())),
        "length" | "count" | "size" => length(value),
        "uppercase" => Value::text(unicode::uppercase(text::of(value))),
        "lowercase" => Value::text(unicode::lowercase(text::of(value))),
        "capitalize" => capitalize(value),
        "trim" => Value::Text(text::of(value).trim()),
        "clip" => {
            let width = with.and_then(Value::to_int).unwrap_or(CLIP_WIDTH);
            Value::Text(unicode::first(text::of(value), size(width)))
        }
        "take" => take(value, with.and_then(Value::to_int).unwrap_or(0)),
        "intersect" | "intersection" | "difference" | "union" => {
            return sets::apply(name, value, with.unwrap_or(Value::Null));
        }
        "reverse" => reverse(value),
        "unique" => sets::unique(value),
        "keys" => parts(value, |(key, _)| Value::Text(key)),
        "values" => parts(value, |(_, value)| *value),
        "abs" | "round" | "floor" | "ceil" => return rounded(name, value, with),
        _ => return of_list(name, value),
    })
}

/// A property of `value` that is an operation on it, for `<value: property>` in an expression (quirk Q-52). Entries of a map go before, and only its size is computed.
pub fn property(value: Value, name: &str) -> Option<Value> {
    let computed = match value {
        Value::Map(_) => matches!(name, "length" | "count"),
        _ => matches!(
            name,
            "hash" | "length" | "count" | "uppercase" | "lowercase" | "trim"
        ),
    };
    computed.then(|| apply(name, value, None).ok())?
}

/// The text that stands for a value in its hash.
fn hashed(value: Value) -> &'static str {
    match value {
        Value::List(_) | Value::Map(_) => json::text(value),
        _ => text::of(value),
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number.max(0)).unwrap_or(usize::MAX)
}

fn length(value: Value) -> Value {
    let length = match value {
        Value::Text(text) => unicode::count(text),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => return value,
    };
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn capitalize(value: Value) -> Value {
    let text = text::of(value);
    let mut chars = text.chars();
    let first = chars.next();
    let mut out = String::with_capacity(text.len());
    out.extend(first.into_iter().flat_map(char::to_uppercase));
    out.push_str(chars.as_str());
    Value::text(out)
}

fn take(value: Value, number: i64) -> Value {
    match value {
        Value::List(items) => Value::List(items.get(..size(number)).unwrap_or(items)),
        Value::Text(text) => Value::Text(unicode::first(text, size(number))),
        _ => value,
    }
}

fn reverse(value: Value) -> Value {
    match value {
        Value::List(items) => Value::list(items.iter().rev().copied().collect()),
        Value::Text(text) => {
            let clusters: Vec<&str> = unicode::clusters(text).collect();
            Value::text(clusters.into_iter().rev().collect())
        }
        _ => value,
    }
}

fn parts(value: Value, part: impl Fn(&'static (&'static str, Value)) -> Value) -> Value {
    match value.as_map() {
        Some(entries) => Value::list(entries.iter().map(part).collect()),
        None => value,
    }
}

/// The absolute value; or a whole number, of `round` with a number of places the Float that it is to these.
fn rounded(name: &str, value: Value, places: Option<Value>) -> Result<Value, Error> {
    let number = match value {
        Value::Int(number) if name == "abs" => {
            return number.checked_abs().map(Value::Int).ok_or(Error::Overflow);
        }
        Value::Float(number) => number,
        _ => return Ok(value),
    };
    let places = places.and_then(Value::to_int).unwrap_or(0);
    Ok(match name {
        "abs" => Value::Float(number.abs()),
        "round" if places > 0 => {
            let scale = (0..places.min(PLACES_MAX)).fold(1.0, |scale, _| scale * 10.0);
            Value::Float(half_away(number * scale) / scale)
        }
        "round" => whole(half_away(number)),
        "floor" => whole(floor(number)),
        _ => whole(-floor(-number)),
    })
}

fn half_away(number: f64) -> f64 {
    let up = floor(number.abs() + 0.5);
    if number < 0.0 { -up } else { up }
}

fn floor(number: f64) -> f64 {
    if number.is_nan() || number.abs() >= WHOLE_FROM {
        return number;
    }
    let cut = number as i64 as f64;
    if cut > number { cut - 1.0 } else { cut }
}

/// A whole number as an Int where it is exact.
fn whole(number: f64) -> Value {
    if number.abs() <= WHOLE_FROM {
        Value::Int(number as i64)
    } else {
        Value::Float(number)
    }
}

/// Operations on lists; others are left as they are.
fn of_list(name: &str, value: Value) -> Result<Value, Error> {
    let Some(items) = value.as_list() else {
        return Ok(value);
    };
    let nothing = Value::Text("");
    match name {
        "first" => Ok(items.first().copied().unwrap_or(nothing)),
        "last" => Ok(items.last().copied().unwrap_or(nothing)),
        "sum" => sum(items),
        "avg" | "average" => {
            let count = items.len().max(1) as f64;
            Ok(Value::Float(
                sum(items)?.to_float().unwrap_or_default() / count,
            ))
        }
        "min" => extreme(items, Ordering::Less),
        "max" => extreme(items, Ordering::Greater),
        _ => Ok(value),
    }
}

fn sum(items: &[Value]) -> Result<Value, Error> {
    items.iter().try_fold(Value::Int(0), |sum, item| {
        operate::add(sum, operate::to_number(*item)?)
    })
}

/// The first of the smallest or largest elements.
fn extreme(items: &[Value], wanted: Ordering) -> Result<Value, Error> {
    let Some((first, rest)) = items.split_first() else {
        return Ok(Value::Text(""));
    };
    rest.iter().try_fold(*first, |best, item| {
        let order = match (*item, best) {
            (Value::Text(item), Value::Text(best)) => Some(item.cmp(best)),
            (item, best) => compare::order(item, best)?,
        };
        Ok(if order == Some(wanted) { *item } else { best })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn ints(items: &[i64]) -> Value {
        Value::list(items.iter().map(|item| Value::Int(*item)).collect())
    }

    #[test]
    fn texts() {
        for (name, with, text, result) in [
            ("uppercase", None, "straße", Value::Text("STRASSE")),
            ("lowercase", None, "ÀB", Value::Text("àb")),
            ("capitalize", None, "élan", Value::Text("Élan")),
            ("trim", None, " \n a b\t", Value::Text("a b")),
            ("length", None, "héllo", Value::Int(5)),
            ("count", None, "👩‍🚀", Value::Int(1)),
            ("clip", Some(Value::Int(3)), "hello", Value::Text("hel")),
            ("clip", Some(Value::Int(-1)), "hello", Value::Text("")),
            ("clip", None, "short", Value::Text("short")),
            ("take", Some(Value::Int(2)), "héllo", Value::Text("hé")),
            ("take", None, "hello", Value::Text("")),
            ("reverse", None, "ab\u{301}c", Value::Text("cb\u{301}a")),
            ("nothing-known", None, "x", Value::Text("x")),
            ("sum", None, "x", Value::Text("x")),
        ] {
            assert_eq!(apply(name, Value::Text(text), with), Ok(result), "{name}");
        }
    }

    #[test]
    fn numbers_and_lists() {
        let map = Value::map(vec![("a", Value::Int(1)), ("b", Value::Text("x/y"))]);
        for (name, with, value, result) in [
            ("length", None, ints(&[1, 2]), Value::Int(2)),
            ("count", None, map, Value::Int(2)),
            ("length", None, Value::Int(7), Value::Int(7)),
            ("uppercase", None, Value::Bool(true), Value::Text("TRUE")),
            ("take", Some(Value::Int(2)), ints(&[1, 2, 3]), ints(&[1, 2])),
            ("take", Some(Value::Int(9)), ints(&[1]), ints(&[1])),
            ("sum", None, ints(&[1, 2, 3]), Value::Int(6)),
            ("avg", None, ints(&[1, 2]), Value::Float(1.5)),
            ("avg", None, ints(&[]), Value::Float(0.0)),
            ("min", None, ints(&[3, 1, 2]), Value::Int(1)),
            ("max", None, ints(&[3, 1, 4]), Value::Int(4)),
            ("max", None, ints(&[]), Value::Text("")),
            ("reverse", None, ints(&[1, 2]), ints(&[2, 1])),
            ("unique", None, ints(&[1, 2, 1]), ints(&[1, 2])),
            ("first", None, ints(&[4, 5]), Value::Int(4)),
            ("last", None, ints(&[]), Value::Text("")),
            ("round", None, Value::Float(2.5), Value::Int(3)),
            ("round", None, Value::Float(-2.5), Value::Int(-3)),
            (
                "round",
                Some(Value::Int(2)),
                Value::Float(1.375),
                Value::Float(1.38),
            ),
            ("floor", None, Value::Float(-1.5), Value::Int(-2)),
            ("ceil", None, Value::Float(1.2), Value::Int(2)),
            ("abs", None, Value::Int(-3), Value::Int(3)),
            ("abs", None, Value::Text("-3"), Value::Text("-3")),
        ] {
            assert_eq!(apply(name, value, with), Ok(result), "{name}");
        }
        assert_eq!(hashed(map), r#"{"a":1,"b":"x\/y"}"#);
        assert!(apply("sum", Value::list(vec![Value::Null]), None).is_err());
        assert_eq!(
            apply("sum", ints(&[i64::MAX, 1]), None),
            Err(Error::Overflow)
        );
    }

    #[test]
    fn maps_have_few_computed_properties() {
        let map = Value::map(vec![("a", Value::Int(1))]);
        assert_eq!(property(map, "count"), Some(Value::Int(1)));
        assert_eq!(property(map, "hash"), None);
        assert_eq!(
            property(Value::Text("a"), "uppercase"),
            Some(Value::Text("A"))
        );
        assert_eq!(property(Value::Text("a"), "name"), None);
    }
}
