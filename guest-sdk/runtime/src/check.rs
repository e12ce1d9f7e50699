//! Validate, Compare, Accept (actions.md 9).

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::error::Error;
use crate::text;
use crate::value::{Entry, NESTING_MAX, Value};

/// Whether Validate knows a rule of this name; every value meets the others.
pub fn is_rule(name: &str) -> bool {
    matches!(
        name,
        "required" | "exists" | "nonempty" | "email" | "numeric"
    )
}

/// What a value fails, if it fails the rule.
fn fault(value: Value, rule: &str) -> Option<&'static str> {
    match rule {
        "required" | "exists" | "nonempty" => {
            matches!(value, Value::Text("") | Value::List([]) | Value::Null)
                .then_some("value is empty")
        }
        "email" => {
            let valid = value
                .as_text()
                .is_some_and(|text| text.contains('@') && text.contains('.'));
            (!valid).then_some("value is not an email address")
        }
        "numeric" => value
            .to_float()
            .is_none()
            .then_some("value is not a number"),
        _ => None,
    }
}

/// The record that Validate binds: `{isValid, message, rule}`; message is Null for a valid value.
pub fn validate(value: Value, rule: &'static str) -> Value {
    let fault = fault(value, rule);
    Value::map(vec![
        ("isValid", Value::Bool(fault.is_none())),
        ("message", fault.map_or(Value::Null, Value::Text)),
        ("rule", Value::Text(rule)),
    ])
}

/// What a record of Validate says; `None` for every other value.
pub fn outcome(value: Value) -> Option<bool> {
    match value.as_map()? {
        [
            ("isValid", Value::Bool(valid)),
            ("message", _),
            ("rule", Value::Text(_)),
        ] => Some(*valid),
        _ => None,
    }
}

/// The record that Compare binds: `{matches, result}`.
pub fn relation(left: Value, right: Value) -> Value {
    let order = match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        _ => match (left.to_float(), right.to_float()) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => (text::of(left) == text::of(right)).then_some(Ordering::Equal),
        },
    };
    let result = match order {
        Some(Ordering::Equal) => "equal",
        Some(Ordering::Less) => "less",
        Some(Ordering::Greater) => "greater",
        None => "notEqual",
    };
    Value::map(vec![
        ("matches", Value::Bool(order == Some(Ordering::Equal))),
        ("result", Value::Text(result)),
    ])
}

/// A state transition as a program writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Name of the variable that holds the object.
    pub object: &'static str,
    /// Path of the field that holds the state.
    pub field: &'static str,
    /// State before.
    pub from: &'static str,
    /// State after.
    pub to: &'static str,
}

/// A copy of the object with its state changed.
///
/// # Errors
/// [`Error::PropertyNotFound`] unless the field is there and a text, [`Error::StateMismatch`] if it holds another state, [`Error::TooDeep`] for a path longer than values can be deep.
pub fn accept(object: Value, transition: Transition) -> Result<Value, Error> {
    let path: Vec<&'static str> = transition.field.split('.').collect();
    if path.len() > NESTING_MAX {
        return Err(Error::TooDeep);
    }
    set(object, &path, transition)
}

fn set(value: Value, path: &[&'static str], transition: Transition) -> Result<Value, Error> {
    let missing = |property| Error::PropertyNotFound {
        property,
        kind: if value.as_map().is_some() {
            "object"
        } else {
            value.type_name()
        },
    };
    let Some((key, rest)) = path.split_first() else {
        return match value.as_text() {
            Some(state) if state == transition.from => Ok(Value::Text(transition.to)),
            Some(state) => Err(Error::StateMismatch { transition, state }),
            None => Err(missing(transition.field)),
        };
    };
    let inner = value.entry(key).ok_or_else(|| missing(key))?;
    if rest.is_empty() && inner.as_text().is_none() {
        return Err(missing(key));
    }
    let changed: Entry = (*key, set(inner, rest, transition)?);
    let entries = value.as_map().unwrap_or_default();
    Ok(Value::map(
        entries.iter().copied().chain([changed]).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn rules_judge_values() {
        for (value, rule, valid) in [
            (Value::Text(""), "required", false),
            (Value::List(&[]), "nonempty", false),
            (Value::Null, "exists", false),
            (Value::Int(0), "required", true),
            (Value::Map(&[]), "required", true),
            (Value::Text("ida@example.org"), "email", true),
            (Value::Text("ida@example"), "email", false),
            (Value::Int(5), "email", false),
            (Value::Float(1.5), "numeric", true),
            (Value::Text("1e3"), "numeric", true),
            (Value::Text("1 000"), "numeric", false),
            (Value::Bool(true), "numeric", false),
            (Value::Text(""), "schema", true),
        ] {
            let record = validate(value, rule);
            assert_eq!(outcome(record), Some(valid), "{value:?} {rule}");
            assert_eq!(
                record.entry("message") == Some(Value::Null),
                valid,
                "{value:?} {rule}"
            );
        }
        assert_eq!(
            outcome(Value::map(vec![("isValid", Value::Bool(false))])),
            None
        );
        assert!(is_rule("email") && !is_rule("schema"));
    }

    #[test]
    fn values_are_compared_by_their_kinds() {
        for (left, right, result) in [
            (Value::Text("10"), Value::Text("9"), "less"),
            (Value::Text("10"), Value::Int(9), "greater"),
            (Value::Int(1), Value::Float(1.0), "equal"),
            (Value::Bool(true), Value::Bool(true), "equal"),
            (Value::Bool(true), Value::Bool(false), "notEqual"),
            (Value::Bool(true), Value::Text("true"), "equal"),
            (Value::Text("a"), Value::Int(1), "notEqual"),
            (
                Value::list(vec![Value::Int(1)]),
                Value::list(vec![Value::Int(1)]),
                "equal",
            ),
        ] {
            let record = relation(left, right);
            assert_eq!(
                record.entry("result"),
                Some(Value::Text(result)),
                "{left:?} {right:?}"
            );
            assert_eq!(
                record.entry("matches"),
                Some(Value::Bool(result == "equal"))
            );
        }
    }

    #[test]
    fn transitions_change_the_state_or_say_why_not() {
        let transition = |field| Transition {
            object: "ticket",
            field,
            from: "open",
            to: "closed",
        };
        let ticket = |stage| Value::map(vec![("id", Value::Int(1)), ("stage", Value::Text(stage))]);
        assert_eq!(
            accept(ticket("open"), transition("stage")),
            Ok(ticket("closed"))
        );
        let refused =
            accept(ticket("frozen"), transition("stage")).map_err(|error| error.to_string());
        assert_eq!(
            refused,
            Err(
                "Cannot accept state open->closed on ticket: stage. Current state is \"frozen\"."
                    .to_string()
            )
        );
        let outer = |stage| Value::map(vec![("inner", ticket(stage))]);
        assert_eq!(
            accept(outer("open"), transition("inner.stage")),
            Ok(outer("closed"))
        );
        for (object, field, property, kind) in [
            (ticket("open"), "state", "state", "object"),
            (ticket("open"), "id", "id", "object"),
            (Value::Int(1), "state", "state", "Int"),
        ] {
            assert_eq!(
                accept(object, transition(field)),
                Err(Error::PropertyNotFound { property, kind })
            );
        }
    }
}
