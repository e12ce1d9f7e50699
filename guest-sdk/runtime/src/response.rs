//! From Return to a response: flat fields with texts (runtime.md 2.4, 2.5.1).

use alloc::string::String;
use alloc::vec::Vec;

use crate::human;
use crate::json;
use crate::text;
use crate::value::{NESTING_MAX, Value};

/// The fields of a response under construction.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    fields: Vec<(String, Value)>,
    /// For a response of HTTP: keys that stay nested, one on each line; [`LIST`] lets a list be the whole answer.
    nested: Option<&'static str>,
}

/// Stands for the response itself among the keys that stay nested.
pub const LIST: &str = "[]";

impl Fields {
    /// No fields yet.
    pub const fn new() -> Self {
        Self {
            fields: Vec::new(),
            nested: None,
        }
    }

    /// Makes it a response of HTTP (design of the contract: what it declares as an object stays one).
    pub fn nest(&mut self, keys: &'static str) {
        self.nested = Some(keys);
    }

    /// The fields in the order in which they were added; one of an empty key is the whole answer.
    pub fn all(&self) -> &[(String, Value)] {
        &self.fields
    }

    fn is_nested(&self, key: &str) -> bool {
        self.nested
            .is_some_and(|keys| keys.split('\n').any(|known| known == key))
    }

    /// Whether no field has been added.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds the value of a `with` clause: the pairs of a map or of a JSON object in a text, a list as `data`, else `value`.
    pub fn add_with(&mut self, value: Value) {
        match value {
            Value::Map(entries) => entries
                .iter()
                .for_each(|(key, value)| self.add(key, *value)),
            Value::List(_) if self.is_nested(LIST) => {
                self.put("", Value::Text(json::text(value)));
            }
            Value::Bytes(_) if self.nested.is_some() => self.put("value", value),
            Value::List(_) => self.put("data", Value::Text(json::text(value))),
            Value::Text(text) if text.trim_ascii_start().starts_with('{') => {
                match json::read(text).ok().and_then(Value::as_map) {
                    Some(entries) => entries
                        .iter()
                        .for_each(|(key, value)| self.put(key, contained(*value))),
                    None => self.put("value", value),
                }
            }
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                self.put("value", value)
            }
            Value::Null | Value::Bytes(_) | Value::Date { .. } | Value::Socket(_) => {
                self.put("value", Value::Text(text::of(value)))
            }
        }
    }

    /// Adds `value` under `key`; the entries of a map under dotted keys.
    pub fn add(&mut self, key: &str, value: Value) {
        self.flatten(&mut String::from(key), value, 0);
    }

    /// Adds what stands in for missing data, `value` in its debug text, if there is none yet.
    pub fn add_fallback(&mut self, value: Value) {
        if !self.is_empty() {
            return;
        }
        self.put("value", Value::Text(text::debug(value)));
    }

    fn flatten(&mut self, path: &mut String, value: Value, depth: usize) {
        match value.as_map() {
            Some(_) if self.is_nested(path) => self.put(path, Value::Text(json::text(value))),
            Some(entries) if depth < NESTING_MAX => {
                let parent = path.len();
                for (key, value) in entries {
                    path.push('.');
                    path.push_str(key);
                    self.flatten(path, *value, depth + 1);
                    path.truncate(parent);
                }
            }
            Some(_) | None => self.put(path, scalar(value)),
        }
    }

    fn put(&mut self, key: &str, value: Value) {
        match self.fields.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => self.fields.push((String::from(key), value)),
        }
    }

    /// The fields in key order, their values as the console shows them.
    pub fn render(&self) -> Vec<(&'static str, &'static str)> {
        let mut rendered: Vec<(&'static str, &'static str)> = Vec::with_capacity(self.fields.len());
        for (key, value) in &self.fields {
            let mut out = String::new();
            human::write_simple(&mut out, *value);
            rendered.push((key.clone().leak(), out.leak()));
        }
        rendered.sort_unstable();
        rendered
    }
}

/// Lists as JSON text; what a field cannot hold as its text.
fn scalar(value: Value) -> Value {
    match value {
        Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => value,
        Value::List(_) => Value::Text(json::text(value)),
        Value::Null | Value::Bytes(_) | Value::Map(_) | Value::Date { .. } | Value::Socket(_) => {
            Value::Text(text::of(value))
        }
    }
}

/// Containers as JSON text.
fn contained(value: Value) -> Value {
    if value.as_map().is_some() {
        Value::Text(json::text(value))
    } else {
        scalar(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn rendered(build: impl Fn(&mut Fields)) -> Vec<(&'static str, &'static str)> {
        let mut fields = Fields::new();
        build(&mut fields);
        fields.render()
    }

    #[test]
    fn with_values_become_fields() {
        let map = Value::map(vec![
            ("b", Value::Float(2.0)),
            (
                "a",
                Value::map(vec![("x", Value::Int(1)), ("e", Value::map(vec![]))]),
            ),
            ("l", Value::list(vec![Value::Int(1), Value::Int(2)])),
            ("n", Value::Null),
        ]);
        assert_eq!(
            rendered(|fields| fields.add_with(map)),
            [("a.x", "1"), ("b", "2.00"), ("l", "[1,2]"), ("n", "")]
        );
        assert_eq!(
            rendered(|fields| fields.add_with(Value::list(vec![Value::Text("a")]))),
            [("data", "[\"a\"]")]
        );
        assert_eq!(
            rendered(|fields| fields.add_with(Value::Text("{\"k\":{\"x\":[1]},\"s\":\"t\"}"))),
            [("k", "{\"x\":[1]}"), ("s", "t")]
        );
        assert_eq!(
            rendered(|fields| fields.add_with(Value::Text("{no"))),
            [("value", "{no")]
        );
        assert_eq!(
            rendered(|fields| fields.add_with(Value::Null)),
            [("value", "")]
        );
    }

    #[test]
    fn nouns_prefix_their_fields() {
        let user = Value::map(vec![("name", Value::Text("Ida"))]);
        assert_eq!(
            rendered(|fields| fields.add("user", user)),
            [("user.name", "Ida")]
        );
        assert_eq!(
            rendered(|fields| fields.add_fallback(Value::list(vec![Value::Text("a")]))),
            [("value", "[\"a\"]")]
        );
        assert_eq!(
            rendered(|fields| (0..2).for_each(|n| fields.add("n", Value::Int(n)))),
            [("n", "1")]
        );
    }
}
