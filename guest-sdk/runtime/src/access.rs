//! Elements and properties: references (language.md 7.4), postfix forms (7.6), paths and selectors of Extract (actions.md 5.1).

use alloc::string::String;
use alloc::vec::Vec;

use crate::client;
use crate::compute;
use crate::date::{self, Date};
use crate::error::Error;
use crate::json;
use crate::text;
use crate::time;
use crate::value::Value;

/// `<value: property>` in an expression; what is no property may be an operation on the value (quirk Q-52).
///
/// # Errors
/// [`Error::UndefinedMember`] on maps and dates, [`Error::CannotAccessProperty`] on kinds without properties.
pub fn get(value: Value, property: &'static str) -> Result<Value, Error> {
    let found = match value {
        Value::Map(entries) => value
            .entry(property)
            .or_else(|| time::property(entries, property))
            .or_else(|| client::property(entries, property)),
        Value::Date {
            millis,
            offset_minutes,
        } => date::property(
            Date {
                millis,
                offset_minutes,
            },
            property,
        ),
        Value::Socket(_) => socket_property(value, property),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_) => None,
    };
    found
        .or_else(|| compute::property(value, property))
        .ok_or(match value {
            Value::Map(_) | Value::Date { .. } | Value::Socket(_) => {
                Error::UndefinedMember(property)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::List(_) => Error::CannotAccessProperty {
                property,
                kind: value.type_name(),
            },
        })
}

/// What a handle knows by itself; the host knows the rest.
fn socket_property(socket: Value, property: &str) -> Option<Value> {
    match property {
        "id" | "connectionId" => Some(Value::Text(text::of(socket))),
        "connection" => Some(socket),
        _ => None,
    }
}

/// `value.member`.
///
/// # Errors
/// [`Error::UndefinedMember`], [`Error::CannotAccessMember`] on everything but maps.
pub fn member(value: Value, member: &'static str) -> Result<Value, Error> {
    if value.as_map().is_none() {
        return Err(Error::CannotAccessMember {
            member,
            kind: value.type_name(),
        });
    }
    value.entry(member).ok_or(Error::UndefinedMember(member))
}

/// `value[index]`; lists count from the end.
///
/// # Errors
/// [`Error::IndexOutOfBounds`], [`Error::UndefinedMember`], [`Error::CannotSubscript`].
pub fn index(value: Value, index: Value) -> Result<Value, Error> {
    match (value, index) {
        (Value::List(items), Value::Int(index)) => {
            from_end(items, index).ok_or(Error::IndexOutOfBounds {
                index,
                count: items.len(),
            })
        }
        (Value::Map(_), Value::Text(key)) => value.entry(key).ok_or(Error::UndefinedMember(key)),
        _ => Err(Error::CannotSubscript {
            kind: value.type_name(),
            index: index.type_name(),
        }),
    }
}

/// Element `index` counted from the end, 0 being the last.
fn from_end(items: &'static [Value], index: i64) -> Option<Value> {
    items
        .iter()
        .rev()
        .nth(usize::try_from(index).ok()?)
        .copied()
}

/// One step of the path of Extract.
///
/// # Errors
/// [`Error::PropertyNotFound`].
pub fn step(value: Value, property: &'static str) -> Result<Value, Error> {
    let found = match value {
        Value::Map(entries) => value
            .entry(property)
            .or_else(|| time::property(entries, property))
            .or_else(|| client::property(entries, property)),
        Value::List(items) => number(property).and_then(|index| from_end(items, index)),
        Value::Text(text) => lookup(text, property),
        Value::Bytes(bytes) => core::str::from_utf8(bytes)
            .ok()
            .and_then(|text| lookup(text, property)),
        Value::Date {
            millis,
            offset_minutes,
        } => date::property(
            Date {
                millis,
                offset_minutes,
            },
            property,
        ),
        Value::Socket(_) => socket_property(value, property),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => None,
    };
    found.ok_or(Error::PropertyNotFound {
        property,
        kind: property_owner(value),
    })
}

/// Kind of a value in the text of a step that failed.
fn property_owner(value: Value) -> &'static str {
    if let Some(entries) = value.as_map() {
        time::Span::of(entries).map_or("object", time::Span::name)
    } else {
        value.type_name()
    }
}

/// A position: digits only.
fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A text that is a JSON object or array as that; every other value as it is (step 4 of Extract without a path).
pub fn unpack(value: Value) -> Value {
    let Some(text) = value.as_text() else {
        return value;
    };
    let trimmed = text.trim_ascii();
    if !trimmed.starts_with(['{', '[']) {
        return value;
    }
    json::read(trimmed).unwrap_or(value)
}

/// The JSON document in a text or bytes; every other value as it is (Parse).
///
/// # Errors
/// [`Error::Json`], [`Error::TooDeep`].
pub fn parse_json(value: Value) -> Result<Value, Error> {
    match value {
        Value::Text(text) => json::read(text),
        Value::Bytes(bytes) => {
            json::read(core::str::from_utf8(bytes).map_err(|error| Error::Json {
                offset: error.valid_up_to(),
            })?)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => Ok(value),
    }
}

/// The result selector of Extract (its steps 6 to 10). What a selector does not find leaves the value as it is.
///
/// # Errors
/// [`Error::PropertyNotFound`] for a date without such a property.
pub fn select(value: Value, selector: &'static str) -> Result<Value, Error> {
    match value {
        Value::List(items) => Ok(select_items(items, selector).unwrap_or(value)),
        Value::Map(entries) if time::Span::of(entries).is_some() => step(value, selector),
        Value::Map(_) => Ok(inside(value, selector).unwrap_or(value)),
        Value::Text(text) => Ok(lookup(text, selector).unwrap_or(value)),
        Value::Date { .. } => step(value, selector),
        Value::Bytes(_) | Value::Socket(_) => Ok(step(value, selector).unwrap_or(value)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(value),
    }
}

/// An entry, or the end of a dotted path of entries.
fn inside(map: Value, selector: &str) -> Option<Value> {
    let body = || client::property(map.as_map()?, selector);
    map.entry(selector).or_else(body).or_else(|| {
        selector
            .contains('.')
            .then(|| selector.split('.').try_fold(map, |map, key| map.entry(key)))?
    })
}

fn select_items(items: &'static [Value], selector: &str) -> Option<Value> {
    let nothing = Value::Text("");
    if selector == "first" {
        return Some(items.first().copied().unwrap_or(nothing));
    }
    if selector == "last" {
        return Some(items.last().copied().unwrap_or(nothing));
    }
    if let Some(index) = number(selector) {
        return from_end(items, index);
    }
    if let Some((left, right)) = selector.split_once('-') {
        let (left, right) = (number(left.trim())?, number(right.trim())?);
        let start = usize::try_from(left.min(right)).ok()?;
        let count = usize::try_from(left.abs_diff(right))
            .ok()?
            .saturating_add(1);
        return Some(Value::list(
            items
                .iter()
                .rev()
                .skip(start)
                .take(count)
                .copied()
                .collect(),
        ));
    }
    if selector.contains(',') {
        let positions: Option<Vec<i64>> = selector
            .split(',')
            .map(|part| number(part.trim()))
            .collect();
        return Some(Value::list(
            positions?
                .into_iter()
                .filter_map(|index| from_end(items, index))
                .collect(),
        ));
    }
    None
}

/// What a text says about `key`: as JSON, form data, `key: value` lines or `key value` (actions.md 5.1).
pub fn lookup(text: &'static str, key: &str) -> Option<Value> {
    let text = text.trim_ascii();
    if text.starts_with('{') {
        return json::read(text).ok()?.entry(key);
    }
    if text.starts_with('[') {
        let index = usize::try_from(number(key)?).ok()?;
        return json::read(text).ok()?.as_list()?.get(index).copied();
    }
    if text.contains(':') {
        return text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(key))
            .map(|(_, value)| Value::Text(value.trim_ascii()));
    }
    if text.contains('=') {
        return text
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| percent_decode(name) == key)
            .map(|(_, value)| Value::Text(percent_decode(value)));
    }
    let (word, rest) = text.split_once(|char: char| char.is_ascii_whitespace())?;
    word.eq_ignore_ascii_case(key)
        .then(|| Value::Text(rest.trim_ascii_start()))
}

/// Undoes `%41`; `+` stays, and so does what is no escape or would be no UTF-8.
fn percent_decode(text: &'static str) -> &'static str {
    if !text.contains('%') {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let mut digit = || char::from(ahead.next()?).to_digit(16);
        match (byte, digit(), digit()) {
            (b'%', Some(high), Some(low)) => {
                out.extend(u8::try_from(high << 4 | low));
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).map_or(text, |decoded| decoded.leak())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn numbers(items: &[i64]) -> Value {
        Value::list(items.iter().map(|item| Value::Int(*item)).collect())
    }

    #[test]
    fn list_selectors_count_from_the_end() {
        let list = numbers(&[1, 2, 3, 4, 5]);
        for (selector, result) in [
            ("0", Value::Int(5)),
            ("0-2", numbers(&[5, 4, 3])),
            ("2-0", numbers(&[5, 4, 3])),
            ("3-9", numbers(&[2, 1])),
            ("0,4", numbers(&[5, 1])),
            ("4,9,0", numbers(&[1, 5])),
            ("first", Value::Int(1)),
            ("last", Value::Int(5)),
            ("9", list),
            ("name", list),
        ] {
            assert_eq!(select(list, selector), Ok(result), "{selector}");
        }
        let empty = numbers(&[]);
        for (selector, result) in [
            ("first", Value::Text("")),
            ("0", empty),
            ("0-2", empty),
            ("0,1", empty),
        ] {
            assert_eq!(select(empty, selector), Ok(result), "{selector}");
        }
    }

    #[test]
    fn extract_vectors() {
        let address = Value::map(vec![("city", Value::Text("Oslo"))]);
        let user = Value::map(vec![("name", Value::Text("Ida")), ("address", address)]);
        assert_eq!(
            step(user, "address").and_then(|address| step(address, "city")),
            Ok(Value::Text("Oslo"))
        );
        assert_eq!(select(user, "name"), Ok(Value::Text("Ida")));
        assert_eq!(select(user, "phone"), Ok(user));
        assert_eq!(
            step(user, "phone"),
            Err(Error::PropertyNotFound {
                property: "phone",
                kind: "object"
            })
        );
        assert_eq!(
            step(Value::Text("SET color"), "set"),
            Ok(Value::Text("color"))
        );
        assert_eq!(
            step(Value::Text("a=1&b=x%20y"), "b"),
            Ok(Value::Text("x y"))
        );
        assert_eq!(
            select(unpack(Value::Text(" {\"n\": 7}")), "n"),
            Ok(Value::Int(7))
        );
        assert_eq!(select(Value::Text("{\"n\": 7}"), "n"), Ok(Value::Int(7)));
        assert_eq!(unpack(Value::Text("{broken")), Value::Text("{broken"));
    }

    #[test]
    fn texts_are_looked_up_by_their_looks() {
        for (text, key, found) in [
            ("[1,2]", "0", Some(Value::Int(1))),
            ("[1,2]", "x", None),
            ("Host: a\r\nTo:  b=c ", "to", Some(Value::Text("b=c"))),
            ("a=%zz&q=1+1", "a", Some(Value::Text("%zz"))),
            ("a=1+1", "a", Some(Value::Text("1+1"))),
            ("a=%ff", "a", Some(Value::Text("%ff"))),
            ("JOIN  room", "join", Some(Value::Text("room"))),
            ("word", "word", None),
            ("", "x", None),
        ] {
            assert_eq!(lookup(text, key), found, "{text}");
        }
        assert_eq!(step(Value::Bytes(b"SET x"), "set"), Ok(Value::Text("x")));
        assert_eq!(step(numbers(&[1, 2]), "0"), Ok(Value::Int(2)));
        assert!(step(numbers(&[1, 2]), "2").is_err() && step(Value::Int(1), "x").is_err());
    }

    #[test]
    fn handles_know_their_id() {
        let socket = Value::Socket(&[0; 16]);
        assert_eq!(
            get(socket, "id"),
            Ok(Value::Text("00000000-0000-0000-0000-000000000000"))
        );
        assert_eq!(step(socket, "connection"), Ok(socket));
        assert!(get(socket, "remoteAddress").is_err());
        assert_eq!(
            get(
                Value::Date {
                    millis: 0,
                    offset_minutes: 0
                },
                "year"
            ),
            Ok(Value::Int(1970))
        );
    }

    #[test]
    fn documents_are_parsed_strictly() {
        assert_eq!(parse_json(Value::Text("5")), Ok(Value::Int(5)));
        assert_eq!(
            parse_json(Value::Bytes(b"[true]")),
            Ok(Value::list(vec![Value::Bool(true)]))
        );
        assert!(
            parse_json(Value::Text("x")).is_err() && parse_json(Value::Bytes(&[0xFF])).is_err()
        );
        assert_eq!(parse_json(Value::Null), Ok(Value::Null));
    }
}
