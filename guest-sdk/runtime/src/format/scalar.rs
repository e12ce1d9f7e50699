//! Scalars as configuration files and tables write them, and what else the writers share.

use crate::number;
use crate::value::{Entry, Value};

/// A whole number, another number, `true`, `false`, or else the text.
pub fn typed(text: &'static str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => numeric(text).unwrap_or(Value::Text(text)),
    }
}

/// The number that all of `text` denotes; `inf`, `nan` and hexadecimal forms are texts.
pub fn numeric(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        || digits.starts_with("0x")
        || digits.starts_with("0X")
    {
        return None;
    }
    match text.parse() {
        Ok(whole) => Some(Value::Int(whole)),
        Err(_) => number::parse(text).map(Value::Float),
    }
}

/// The items of a list that are maps, if it has items and all of them are.
pub(crate) fn rows(value: Value) -> Option<impl Iterator<Item = &'static [Entry]> + Clone> {
    let items = value.as_list().filter(|items| !items.is_empty())?;
    items
        .iter()
        .all(|item| item.as_map().is_some())
        .then(|| items.iter().filter_map(|item| item.as_map()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_kind_they_look_like() {
        for (text, value) in [
            ("7", Value::Int(7)),
            ("-7", Value::Int(-7)),
            ("007", Value::Int(7)),
            ("1.5", Value::Float(1.5)),
            ("1e3", Value::Float(1000.0)),
            ("true", Value::Bool(true)),
            ("True", Value::Text("True")),
            ("0x1", Value::Text("0x1")),
            ("nan", Value::Text("nan")),
            ("1.2.3", Value::Text("1.2.3")),
            ("2025-01-01", Value::Text("2025-01-01")),
            ("", Value::Text("")),
            ("-", Value::Text("-")),
        ] {
            assert_eq!(typed(text), value, "{text}");
        }
    }
}
