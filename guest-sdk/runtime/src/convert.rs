//! Transform: a value as another kind (actions.md 8.1).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds that a conversion does not name have one treatment"
)]

use crate::error::Error;
use crate::json;
use crate::number;
use crate::text;
use crate::value::Value;

/// First whole number beyond 64 bits.
const INT_END: f64 = 9_223_372_036_854_775_808.0;

/// `value` as the kind named `kind` in any letter case; an unknown kind leaves it as it is.
///
/// # Errors
/// [`Error::Mismatch`] if it is no such number, [`Error::Overflow`] if the number does not fit 64 bits.
pub fn apply(kind: &str, value: Value) -> Result<Value, Error> {
    let is = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
    if is(&["string"]) {
        Ok(Value::Text(text::of(value)))
    } else if is(&["int", "integer"]) {
        to_int(value)
    } else if is(&["double", "float"]) {
        to_float(value)
    } else if is(&["bool", "boolean"]) {
        Ok(Value::Bool(to_bool(value)))
    } else if is(&["json"]) {
        Ok(Value::Text(match value {
            Value::Map(_) | Value::List(_) => json::text(value),
            _ => "{}",
        }))
    } else {
        Ok(value)
    }
}

fn to_int(value: Value) -> Result<Value, Error> {
    match value {
        Value::Int(_) => Ok(value),
        Value::Float(number) if (-INT_END..INT_END).contains(&number) => {
            Ok(Value::Int(number as i64))
        }
        Value::Float(_) => Err(Error::Overflow),
        Value::Text(text) => text
            .parse()
            .map(Value::Int)
            .map_err(|_| mismatch("Int", value)),
        _ => Err(mismatch("Int", value)),
    }
}

fn to_float(value: Value) -> Result<Value, Error> {
    match value {
        Value::Float(_) => Ok(value),
        Value::Int(number) => Ok(Value::Float(number as f64)),
        Value::Text(text) => number::parse(text)
            .map(Value::Float)
            .ok_or(mismatch("Double", value)),
        _ => Err(mismatch("Double", value)),
    }
}

fn to_bool(value: Value) -> bool {
    match value {
        Value::Bool(truth) => truth,
        Value::Int(number) => number != 0,
        Value::Text(text) => text == "1" || text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn mismatch(expected: &'static str, value: Value) -> Error {
    Error::Mismatch {
        expected,
        kind: value.type_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn conversions_of_the_table() {
        let list = Value::list(vec![Value::Int(1), Value::Text("a")]);
        for (kind, value, result) in [
            ("string", Value::Float(2.0), Value::Text("2.0")),
            ("String", list, Value::Text("[1, \"a\"]")),
            ("int", Value::Text("-12"), Value::Int(-12)),
            ("integer", Value::Float(-2.9), Value::Int(-2)),
            ("double", Value::Int(2), Value::Float(2.0)),
            ("Float", Value::Text("1e3"), Value::Float(1000.0)),
            ("bool", Value::Text("TRUE"), Value::Bool(true)),
            ("boolean", Value::Text("yes"), Value::Bool(false)),
            ("bool", Value::Int(2), Value::Bool(true)),
            ("bool", Value::Float(1.0), Value::Bool(false)),
            ("json", list, Value::Text("[1,\"a\"]")),
            ("JSON", Value::Int(1), Value::Text("{}")),
            ("identity", Value::Int(1), Value::Int(1)),
            ("whatever", Value::Int(1), Value::Int(1)),
        ] {
            assert_eq!(apply(kind, value), Ok(result), "{kind}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for value in [
            Value::Text("12.5"),
            Value::Text(" 12"),
            Value::Text(""),
            Value::Bool(true),
            Value::Null,
        ] {
            assert_eq!(apply("int", value), Err(mismatch("Int", value)));
        }
        assert!(apply("double", Value::Text("x")).is_err());
        for number in [1e19, -1e19, f64::NAN, INT_END] {
            assert_eq!(apply("int", Value::Float(number)), Err(Error::Overflow));
        }
        assert_eq!(
            apply("int", Value::Float(-INT_END)),
            Ok(Value::Int(i64::MIN))
        );
    }
}
