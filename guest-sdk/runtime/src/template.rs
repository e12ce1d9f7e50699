//! What templates say: the text of values, filters, arithmetic, and what loops go over (actions.md 8.3). The compiler turns the rest of a template into code.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::format::markdown;
use crate::human;
use crate::number;
use crate::operate;
use crate::text;
use crate::time;
use crate::value::Value;

/// Pattern of the filter `date` without an argument.
const DATE_PATTERN: &str = "dd.MM.yyyy HH:mm";

/// Longest key that counts as a number.
const DIGITS_MAX: usize = 9;

/// The parts of a template, joined.
pub fn render(parts: &[Value]) -> Value {
    if let [Value::Text(text)] = parts {
        return Value::Text(text);
    }
    let mut out = String::with_capacity(
        parts
            .iter()
            .map(|part| part.as_text().map_or(8, str::len))
            .sum(),
    );
    for part in parts {
        write(&mut out, *part);
    }
    Value::text(out)
}

/// A Float without fraction as a whole number, lists and maps as Log prints them.
fn write(out: &mut String, value: Value) {
    match value {
        Value::Text(text) => out.push_str(text),
        Value::Float(number) if number.is_finite() => number::write_json_float(out, number),
        Value::List(_) | Value::Map(_) => out.push_str(human::of(value)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bytes(_)
        | Value::Date { .. }
        | Value::Socket(_) => text::write(out, value),
    }
}

fn shown(value: Value) -> &'static str {
    if let Value::Text(text) = value {
        return text;
    }
    let mut out = String::new();
    write(&mut out, value);
    out.leak()
}

/// `value` behind a filter; an unknown one, and those that are for terminals, change nothing.
pub fn filter(value: Value, name: &str, argument: &str) -> Value {
    match name {
        "uppercase" => Value::text(shown(value).to_uppercase()),
        "lowercase" => Value::text(shown(value).to_lowercase()),
        "trim" => Value::Text(shown(value).trim()),
        "markdown" => Value::text(markdown::html(shown(value))),
        "date" => {
            let pattern = if argument.is_empty() {
                DATE_PATTERN
            } else {
                argument
            };
            time::format_utc(value, pattern).unwrap_or(value)
        }
        "rows" => match value.as_list() {
            Some(items) => {
                let rows: Vec<&str> = items.iter().map(|item| shown(*item)).collect();
                Value::text(rows.join("\n"))
            }
            None => value,
        },
        _ => value,
    }
}

/// `left operator right` as Floats; a division by zero is 0.
///
/// # Errors
/// [`Error::NotANumber`].
pub fn calculate(left: Value, right: Value, operator: u32) -> Result<Value, Error> {
    let number = |value: Value| {
        operate::to_number(value)
            .ok()
            .and_then(operate::as_float)
            .ok_or(Error::NotANumber(value.type_name()))
    };
    let (left, right) = (number(left)?, number(right)?);
    Ok(Value::Float(match u8::try_from(operator) {
        Ok(b'*') => left * right,
        Ok(b'+') => left + right,
        Ok(b'-') => left - right,
        _ if right == 0.0 => 0.0,
        _ => left / right,
    }))
}

/// The elements of a list, or the values of a map by key, numeric keys by number; nothing for other kinds.
pub fn values(value: Value) -> Value {
    if let Value::List(_) = value {
        return value;
    }
    let entries = value.as_map().unwrap_or_default();
    let is_number =
        |key: &str| key.len() <= DIGITS_MAX && key.bytes().all(|byte| byte.is_ascii_digit());
    if !entries.iter().all(|(key, _)| is_number(key)) {
        return Value::list(entries.iter().map(|(_, item)| *item).collect());
    }
    // Keys are in byte order, which is that of numbers among keys of one length.
    let ordered = (1..=DIGITS_MAX).flat_map(|length| {
        let of_length = entries.iter().filter(move |(key, _)| key.len() == length);
        of_length.map(|(_, item)| *item)
    });
    Value::list(ordered.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn values_have_their_template_text() {
        let list = Value::list(vec![Value::Text("a"), Value::Int(1)]);
        let parts = [
            Value::Text("x="),
            Value::Float(24.0),
            Value::Text(" "),
            Value::Float(0.5),
            Value::Text(" "),
            Value::Bool(true),
            Value::Null,
            list,
        ];
        assert_eq!(render(&parts), Value::Text("x=24 0.5 true[a, 1]"));
        assert_eq!(filter(list, "rows", ""), Value::Text("a\n1"));
        assert_eq!(filter(Value::Text(" Ä "), "trim", ""), Value::Text("Ä"));
        assert_eq!(filter(Value::Text("é"), "uppercase", ""), Value::Text("É"));
        assert_eq!(filter(Value::Int(1), "bold", ""), Value::Int(1));
        assert_eq!(
            filter(Value::Text("2031-05-04T10:05:00Z"), "date", ""),
            Value::Text("04.05.2031 10:05")
        );
        assert_eq!(
            filter(Value::Text("soon"), "date", "yyyy"),
            Value::Text("soon")
        );
    }

    #[test]
    fn arithmetic_is_in_floats() {
        let star = u32::from(b'*');
        let slash = u32::from(b'/');
        assert_eq!(
            calculate(Value::Int(3), Value::Text("2"), star),
            Ok(Value::Float(6.0))
        );
        assert_eq!(
            calculate(Value::Int(3), Value::Int(0), slash),
            Ok(Value::Float(0.0))
        );
        assert!(calculate(Value::Null, Value::Int(0), slash).is_err());
    }

    #[test]
    fn maps_are_walked_by_key() {
        let map = |keys: [&'static str; 3]| {
            Value::map(keys.iter().map(|key| (*key, Value::Text(key))).collect())
        };
        assert_eq!(
            text::of(values(map(["10", "9", "1"]))),
            r#"["1", "9", "10"]"#
        );
        assert_eq!(text::of(values(map(["b", "9", "a"]))), r#"["9", "a", "b"]"#);
        assert_eq!(text::of(values(Value::Int(1))), "[]");
    }
}
