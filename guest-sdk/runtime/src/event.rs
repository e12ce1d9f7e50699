//! Payloads of events and the guards of their handlers.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::Value;
use crate::text;

/// Most steps of a guard's path.
const PATH_STEPS_MAX: usize = 32;

/// The payload of an expression that is no name: a map as it is, other values under `data` (runtime.md 3.5.2).
pub fn payload(value: Value) -> Value {
    match value {
        Value::Map(_) => value,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Date { .. }
        | Value::Socket(_) => Value::map(vec![("data", value)]),
    }
}

/// Whether the field at the dotted `path` has one of `values`, which are in small letters and joined by commas (runtime.md 3.7.1). A missing field has none.
pub fn guard(value: Value, path: &str, values: &str) -> bool {
    let field = path
        .split('.')
        .take(PATH_STEPS_MAX)
        .try_fold(value, |value, step| value.entry(step));
    let Some(field) = field else { return false };
    let field = text::of(field).to_lowercase();
    values.split(',').any(|value| value == field)
}

/// The row that a change of a repository is about: the new one if it is a map, else the old one if that is, else nothing that a guard could hold for (runtime.md 3.7.1).
pub fn row(event: Value) -> Value {
    let map = |field| event.entry(field).filter(|row| row.as_map().is_some());
    map("newValue")
        .or_else(|| map("oldValue"))
        .unwrap_or(Value::Null)
}

/// Milliseconds of an interval in a unit of so many: an Int or a Float from zero on; texts are no numbers here (actions.md 13.5).
pub fn interval(value: Value, unit: i64) -> Option<i64> {
    match value {
        Value::Int(number) if number >= 0 => number.checked_mul(unit),
        Value::Float(number) if number >= 0.0 => Some((number * unit as f64) as i64),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => None,
    }
}

/// The payload of a notification about `target`, which `name` names (runtime.md 3.10).
pub fn notification(target: Value, name: &'static str, message: Value) -> Value {
    Value::map(Vec::from([
        ("message", Value::Text(text::of(message))),
        ("target", Value::text(String::from(name))),
        (name, target),
        ("user", target),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_follows_a_path_and_ignores_case() {
        let order = Value::map(vec![
            ("region", Value::Text("EU")),
            ("paid", Value::Bool(true)),
        ]);
        let payload = Value::map(vec![("order", order)]);
        assert!(guard(payload, "order.region", "uk,eu"));
        assert!(guard(payload, "order.paid", "true"));
        assert!(!guard(payload, "order.region", "us"));
        assert!(!guard(payload, "region", "eu"));
        assert!(!guard(Value::Int(1), "region", "eu"));
    }

    #[test]
    fn guards_of_a_change_see_the_new_row_or_else_the_old_one() {
        let rows = [1, 2].map(|n| Value::map(vec![("n", Value::Int(n))]));
        let [old, new] = rows;
        let event = |fields| row(Value::map(fields));
        assert_eq!(event(vec![("newValue", new), ("oldValue", old)]), new);
        assert_eq!(event(vec![("oldValue", old)]), old);
        assert_eq!(event(vec![("newValue", Value::Int(1))]), Value::Null);
        assert_eq!(event(vec![]), Value::Null);
    }

    #[test]
    fn only_maps_are_payloads_themselves() {
        let map = Value::map(vec![("a", Value::Int(1))]);
        assert_eq!(payload(map), map);
        assert_eq!(payload(Value::Int(1)).entry("data"), Some(Value::Int(1)));
    }
}
