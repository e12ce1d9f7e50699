//! Fields of the elements of a list, as `where`, `by`, Map and Reduce name them (actions.md 10).

use alloc::vec::Vec;

use crate::access;
use crate::error::Error;
use crate::value::Value;

/// The field of a map: an entry of that name, else a path with dots into nested maps.
pub fn of(value: Value, path: &str) -> Option<Value> {
    value.entry(path).or_else(|| {
        path.contains('.')
            .then(|| path.split('.').try_fold(value, Value::entry))
            .flatten()
    })
}

/// One step of the path of a source: of a list the field of every element that has it, else as Extract goes.
///
/// # Errors
/// [`Error::PropertyNotFound`].
pub fn project(value: Value, property: &'static str) -> Result<Value, Error> {
    let position = property.bytes().all(|byte| byte.is_ascii_digit());
    match value.as_list() {
        Some(items) if !position => Ok(every(items, property)),
        Some(_) | None => access::step(value, property),
    }
}

/// Map (actions.md 10.2): the field of every element that has it; of a map the field itself; any other value as it is.
///
/// # Errors
/// [`Error::UndefinedVariable`] for a map without the field.
pub fn pluck(value: Value, path: &'static str) -> Result<Value, Error> {
    match value {
        Value::List(items) => Ok(every(items, path)),
        Value::Map(_) => of(value, path).ok_or(Error::UndefinedVariable(path)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Date { .. }
        | Value::Socket(_) => Ok(value),
    }
}

fn every(items: &[Value], path: &str) -> Value {
    let found: Vec<Value> = items.iter().filter_map(|item| of(*item, path)).collect();
    Value::list(found)
}

/// The field that `by <name>` means: `name` where an element has it, else what the variable of that name says, if it is a text.
pub fn named(items: &[Value], name: &'static str, variable: Option<Value>) -> &'static str {
    match variable.and_then(Value::as_text) {
        Some(other) if items.iter().all(|item| of(*item, name).is_none()) => other,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn person(name: &'static str, city: &'static str) -> Value {
        let address = Value::map(vec![("city", Value::Text(city))]);
        Value::map(vec![("name", Value::Text(name)), ("address", address)])
    }

    #[test]
    fn fields_are_entries_or_paths() {
        let ida = person("Ida", "Oslo");
        assert_eq!(of(ida, "address.city"), Some(Value::Text("Oslo")));
        assert_eq!(of(ida, "address.zip"), None);
        assert_eq!(of(ida, "name.first"), None);
        let dotted = Value::map(vec![("a.b", Value::Int(1))]);
        assert_eq!(of(dotted, "a.b"), Some(Value::Int(1)));
        assert_eq!(of(Value::Int(1), "a"), None);
    }

    #[test]
    fn lists_are_projected() {
        let people = Value::list(vec![
            person("Ida", "Oslo"),
            Value::Int(1),
            person("Bo", "Rome"),
        ]);
        let names = Value::list(vec![Value::Text("Ida"), Value::Text("Bo")]);
        assert_eq!(pluck(people, "name"), Ok(names));
        assert_eq!(project(people, "name"), Ok(names));
        assert_eq!(project(people, "0"), Ok(person("Bo", "Rome")));
        assert_eq!(pluck(person("Ida", "Oslo"), "name"), Ok(Value::Text("Ida")));
        assert_eq!(
            pluck(person("Ida", "Oslo"), "age"),
            Err(Error::UndefinedVariable("age"))
        );
        assert_eq!(pluck(Value::Int(5), "age"), Ok(Value::Int(5)));
        assert!(project(person("Ida", "Oslo"), "age").is_err());
    }

    #[test]
    fn a_field_goes_before_a_variable() {
        let items = [person("Ida", "Oslo")];
        assert_eq!(named(&items, "name", Some(Value::Text("address"))), "name");
        assert_eq!(named(&items, "key", Some(Value::Text("name"))), "name");
        assert_eq!(named(&items, "key", Some(Value::Int(1))), "key");
        assert_eq!(named(&items, "key", None), "key");
    }
}
