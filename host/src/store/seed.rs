//! Rows that a program brings along, from its store files (runtime.md 7.7).

use super::datum::Datum;
use serde_json::Value;

/// A JSON value of the manifest as the program will see it. Numbers beyond 64 bits become floats.
pub(crate) fn datum(value: &Value) -> Datum {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(value) => Datum::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Datum::Int(integer),
            None => Datum::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Datum::Text(text.clone()),
        Value::Array(list) => Datum::List(list.iter().map(datum).collect()),
        Value::Object(map) => Datum::Map(
            map.iter()
                .map(|(name, value)| (name.clone(), datum(value)))
                .collect(),
        ),
    }
}
