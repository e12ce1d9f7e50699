//! What tests need (actions.md 19, runtime.md 2.3.6): the equality of Then and Assert, and the form of values in logs of tests.

use alloc::format;
use alloc::string::String;

use crate::number;
use crate::operate;
use crate::text;
use crate::value::{NESTING_MAX, Value};

/// How far apart two Floats may be that are meant to be equal.
const TOLERANCE: f64 = 0.0001;

/// Whether a value is the expected one: numbers across kinds, Floats nearly, everything else by its text.
pub fn meets(actual: Value, expected: Value) -> bool {
    match (actual, expected) {
        (Value::Int(actual), Value::Int(expected)) => actual == expected,
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            match (operate::as_float(actual), operate::as_float(expected)) {
                (Some(actual), Some(expected)) => {
                    let difference = actual - expected;
                    actual == expected || (difference < TOLERANCE && difference > -TOLERANCE)
                }
                _ => false,
            }
        }
        _ => text::of(actual) == text::of(expected),
    }
}

/// The developer form: kinds by name.
pub fn developer(value: Value) -> &'static str {
    let mut out = String::new();
    write(&mut out, value, 0);
    out.leak()
}

fn write(out: &mut String, value: Value, depth: usize) {
    match value {
        Value::List(_) | Value::Map(_) if depth >= NESTING_MAX => out.push('…'),
        Value::Text(text) => out.push_str(&format!("String(\"{text}\")")),
        Value::Int(number) => out.push_str(&format!("Int({number})")),
        Value::Float(float) => {
            out.push_str("Double(");
            number::write_float(out, float);
            out.push(')');
        }
        Value::Bool(truth) => out.push_str(&format!("Bool({truth})")),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write(out, *item, depth + 1);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push_str("Dict {");
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { " " } else { ", " });
                out.push_str(key);
                out.push_str(": ");
                write(out, *item, depth + 1);
            }
            out.push_str(" }");
        }
        Value::Null | Value::Bytes(_) | Value::Date { .. } | Value::Socket(_) => {
            text::write(out, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn numbers_meet_across_kinds_and_texts_exactly() {
        assert!(meets(Value::Int(4), Value::Float(4.0)));
        assert!(meets(Value::Float(0.30000000000000004), Value::Float(0.3)));
        assert!(!meets(Value::Float(0.3), Value::Float(0.31)));
        assert!(meets(
            Value::Float(f64::INFINITY),
            Value::Float(f64::INFINITY)
        ));
        assert!(!meets(Value::Text("a"), Value::Text("A")));
        assert!(meets(Value::Int(4), Value::Text("4")));
        assert!(meets(
            Value::list(vec![Value::Int(1)]),
            Value::list(vec![Value::Int(1)])
        ));
    }

    #[test]
    fn developers_see_kinds() {
        let value = Value::map(vec![
            ("n", Value::Float(1.5)),
            ("l", Value::list(vec![Value::Bool(true), Value::Text("x")])),
        ]);
        assert_eq!(
            developer(value),
            "Dict { l: [Bool(true), String(\"x\")], n: Double(1.5) }"
        );
    }
}
