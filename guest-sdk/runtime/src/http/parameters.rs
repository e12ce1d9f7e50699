//! Parameters that a contract declares (runtime.md 4.4): headers, cookies, and lists in a query.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Pairs, decode, digit, header, split_pairs};
use crate::text;
use crate::value::{Entry, Value};

/// The headers of these names, one on each line; keys in lower case.
pub fn headers(headers: Pairs<'_>, names: &'static str) -> Value {
    let found = names.lines().filter_map(|name| {
        let lower: &'static str = name.to_ascii_lowercase().leak();
        Some((lower, Value::Text(header(headers, lower)?)))
    });
    Value::map(found.collect())
}

/// The cookies of these names, one on each line (RFC 6265 4.2), percent-decoded.
pub fn cookies(headers: Pairs<'_>, names: &'static str) -> Value {
    let fields = headers.iter().filter(|(name, _)| *name == "cookie");
    let pairs = fields.flat_map(|(_, text)| text.split(';'));
    let found = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.trim_matches('"');
        names
            .lines()
            .any(|known| known == name)
            .then(|| (name, Value::Text(percent_decoded(value))))
    });
    Value::map(found.collect())
}

/// As `decode`, but `+` stays.
fn percent_decoded(text: &'static str) -> &'static str {
    if !text.contains('%') {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let pair = match behind {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                out.push(high * 16 + low);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => out.push(*first),
        }
    }
    String::from_utf8_lossy(&out).into_owned().leak()
}

/// The parameters of a query with those that are declared as lists or objects read by their styles. A line of `declared` is a style and a name: `e` values of repeated keys, `f` commas, `s` blanks, `p` bars, `o` an object, whose first value stays as it was sent.
pub fn lists(parameters: Value, query: &'static str, declared: &'static str) -> Value {
    let mut entries: Vec<Entry> = parameters.as_map().unwrap_or(&[]).to_vec();
    for line in declared.lines() {
        let (style, name) = line.split_at_checked(1).unwrap_or(("", line));
        let mut sent = split_pairs(query)
            .filter(|(key, _)| decode(key) == name)
            .map(|(_, value)| value.unwrap_or(""));
        let value = match style {
            "e" => Value::list(sent.map(|text| Value::Text(decode(text))).collect()),
            "o" => match sent.next() {
                Some(first) => Value::Text(first),
                None => continue,
            },
            style => {
                let Some(first) = sent.next() else {
                    continue;
                };
                split(first, style)
            }
        };
        if value.as_list().is_none_or(|items| !items.is_empty()) {
            entries.push((name, value));
        }
    }
    Value::map(entries)
}

/// The parts of one value. Commas are looked for before it is decoded, so that an encoded one is part of its part.
fn split(sent: &'static str, style: &str) -> Value {
    let parts: Vec<Value> = match style {
        "s" => decode(sent).split(' ').map(Value::Text).collect(),
        "p" => decode(sent).split('|').map(Value::Text).collect(),
        _ => sent
            .split(',')
            .map(|part| Value::Text(decode(part)))
            .collect(),
    };
    Value::list(parts)
}

/// What `Extract the <name> from the <request: parameters>` gives: the parameter of this name, else the only one, else all.
pub fn parameter(all: Value, name: &str) -> Value {
    match (all.entry(name), all.as_map()) {
        (Some(value), _) => value,
        (None, Some([(_, only)])) => *only,
        (None, _) => all,
    }
}

/// Headers that a program gives to its response, a list for one that is repeated.
pub fn given(headers: Option<Value>) -> Vec<(&'static str, &'static str)> {
    let entries = headers.and_then(Value::as_map).unwrap_or(&[]);
    let mut given = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        match value.as_list() {
            Some(items) => given.extend(items.iter().map(|item| (*name, text::of(*item)))),
            None => given.push((*name, text::of(*value))),
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn declared_parameters_are_read_by_their_styles() {
        let sent = "ids=1&ids=2&tags=a,b%2Cc&words=x%20y+z&bars=1|2&one=5&o=a%20b";
        let declared = "eids\nftags\nswords\npbars\neone\noo\nenone";
        assert_eq!(
            json::text(lists(super::super::query(sent, true), sent, declared)),
            r#"{"bars":["1","2"],"ids":["1","2"],"o":"a%20b","one":["5"],"tags":["a","b,c"],"words":["x","y","z"]}"#
        );
    }

    #[test]
    fn headers_and_cookies_are_those_declared() {
        let sent = [
            ("x-token", "5"),
            ("cookie", "a=1; b=x%20y+z; c=\"3\""),
            ("other", "6"),
        ];
        assert_eq!(
            json::text(headers(&sent, "X-Token\nX-No")),
            r#"{"x-token":"5"}"#
        );
        assert_eq!(
            json::text(cookies(&sent, "b\nc")),
            r#"{"b":"x y+z","c":"3"}"#
        );
    }

    #[test]
    fn one_parameter_needs_no_name() {
        let one = Value::map(alloc::vec![("id", Value::Text("7"))]);
        assert_eq!(parameter(one, "id"), Value::Text("7"));
        assert_eq!(parameter(one, "whatever"), Value::Text("7"));
        let two = Value::map(alloc::vec![("a", Value::Int(1)), ("b", Value::Int(2))]);
        assert_eq!(parameter(two, "b"), Value::Int(2));
        assert_eq!(parameter(two, "c"), two);
    }
}
