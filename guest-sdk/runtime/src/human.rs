//! The human form H of a value (language.md 11.2, runtime.md 2.3.1 to 2.3.3): what Log prints.

use alloc::string::String;
use alloc::vec::Vec;

use crate::client;
use crate::number;
use crate::text;
use crate::time;
use crate::value::{Entry, NESTING_MAX, Value};

/// The human form of `value`; a text is not copied.
pub fn of(value: Value) -> &'static str {
    if let Value::Text(text) = value {
        return text;
    }
    let mut out = String::new();
    write(&mut out, value, 0);
    out.leak()
}

fn write(out: &mut String, value: Value, depth: usize) {
    match value {
        Value::Float(number) => number::write_fixed(out, number),
        Value::List(_) | Value::Map(_) if depth >= NESTING_MAX => {
            text::write_nested(out, value, depth)
        }
        Value::Map(entries) if time::write_range(out, entries) => {}
        Value::Map(entries) if client::answer_body(entries).is_some() => {
            let body = client::answer_body(entries).unwrap_or(Value::Null);
            write(out, body, depth);
        }
        Value::Map(entries) => write_lines(out, entries),
        Value::List(items) if items.iter().any(|item| item.as_map().is_some()) => {
            write_joined(out, items, "\n\n", depth)
        }
        Value::List(items) => {
            out.push('[');
            write_joined(out, items, ", ", depth);
            out.push(']');
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Date { .. }
        | Value::Socket(_) => text::write(out, value),
    }
}

fn write_joined(out: &mut String, items: &[Value], separator: &str, depth: usize) {
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { separator });
        write(out, *item, depth + 1);
    }
}

/// One `key: value` line for each leaf, by full dotted key. Kept out of [`write`], whose frames lie on the stack by the hundred.
#[inline(never)]
fn write_lines(out: &mut String, entries: &'static [Entry]) {
    let mut lines = Vec::with_capacity(entries.len());
    flatten(&mut lines, &mut String::new(), entries, 0);
    lines.sort_by(|(left, _), (right, _)| left.cmp(right));
    for (index, (key, value)) in lines.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "\n" });
        out.push_str(key);
        out.push_str(": ");
        write_leaf(out, *value);
    }
}

fn flatten(
    lines: &mut Vec<(String, Value)>,
    path: &mut String,
    entries: &'static [Entry],
    depth: usize,
) {
    for (key, value) in entries {
        let parent = path.len();
        if parent > 0 {
            path.push('.');
        }
        path.push_str(key);
        match value.as_map().filter(|inner| !time::is_range(inner)) {
            Some(inner) if depth < NESTING_MAX => flatten(lines, path, inner, depth + 1),
            Some(_) | None => lines.push((path.clone(), *value)),
        }
        path.truncate(parent);
    }
}

/// A list as its items in text order, other values simply.
fn write_leaf(out: &mut String, value: Value) {
    let Some(items) = value.as_list() else {
        return write_simple(out, value);
    };
    let mut texts: Vec<String> = items.iter().map(|item| simple(*item)).collect();
    texts.sort();
    for (index, text) in texts.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        out.push_str(text);
    }
}

fn simple(value: Value) -> String {
    let mut out = String::new();
    write_simple(&mut out, value);
    out
}

/// As the response table prints a value: Floats with two decimals, others as in [`text::write`].
pub(crate) fn write_simple(out: &mut String, value: Value) {
    if let Value::Float(number) = value {
        number::write_fixed(out, number);
    } else {
        text::write(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn list(items: &[Value]) -> Value {
        Value::list(items.to_vec())
    }

    #[test]
    fn log_outputs_of_the_specification() {
        let nested = Value::map(vec![
            ("b", Value::Int(1)),
            ("a", Value::map(vec![("z", Value::Bool(true))])),
        ]);
        let sorted = Value::map(vec![("t", list(&[Value::Text("z"), Value::Text("a")]))]);
        let rows = list(&[
            Value::map(vec![("n", Value::Int(1))]),
            Value::map(vec![("n", Value::Int(2))]),
        ]);
        for (value, text) in [
            (Value::Int(5), "5"),
            (Value::Float(2.0), "2.00"),
            (list(&[Value::Int(1), Value::Float(2.5)]), "[1, 2.50]"),
            (list(&[]), "[]"),
            (Value::map(vec![]), ""),
            (Value::Null, ""),
            (nested, "a.z: true\nb: 1"),
            (sorted, "t: a, z"),
            (rows, "n: 1\n\nn: 2"),
            (Value::Bytes(b"abc"), "3 bytes"),
            (
                list(&[Value::Text("a"), list(&[Value::Text("b")])]),
                "[a, [b]]",
            ),
        ] {
            assert_eq!(of(value), text);
        }
    }

    #[test]
    fn keys_sort_by_their_full_path() {
        let map = Value::map(vec![
            ("a", Value::map(vec![("b", Value::Int(1))])),
            ("a-c", Value::Int(2)),
            ("l", list(&[Value::map(vec![("k", Value::Float(1.0))])])),
        ]);
        assert_eq!(of(map), "a-c: 2\na.b: 1\nl: [\"k\": 1.0]");
    }

    #[test]
    fn depth_is_bounded() {
        let lists = (0..10 * NESTING_MAX).fold(Value::Null, |inner, _| Value::list(vec![inner]));
        let maps =
            (0..10 * NESTING_MAX).fold(Value::Null, |inner, _| Value::map(vec![("k", inner)]));
        assert!(!of(lists).is_empty() && !of(maps).is_empty());
    }
}
