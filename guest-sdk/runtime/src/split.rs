//! Split and Join (actions.md 11.1, 11.2).

use alloc::string::String;

use crate::error::Error;
use crate::regex::{self, Regex};
use crate::text;
use crate::value::Value;

/// Characters with a meaning in patterns: a separator without them is searched for as it is.
const META: [char; 13] = [
    '\\', '.', '[', ']', '{', '}', '(', ')', '*', '+', '?', '|', '^',
];

/// The pieces of a text between the matches of a pattern: a regex literal, or the text form of anything else. `compile` gives the compiled pattern, none if it is malformed.
///
/// # Errors
/// [`Error::Mismatch`] for a value that is no text, [`Error::PatternInvalid`].
pub fn split(
    value: Value,
    separator: Value,
    compile: impl FnOnce((&'static str, &'static str)) -> Option<&'static Regex>,
) -> Result<Value, Error> {
    let text = value.as_text().ok_or(Error::Mismatch {
        expected: "String",
        kind: value.type_name(),
    })?;
    let source = regex::pattern(separator).unwrap_or_else(|| (text::of(separator), ""));
    let (pattern, flags) = source;
    let plain = !pattern.is_empty() && !pattern.contains(META) && !pattern.contains('$');
    let pieces = if plain && !flags.contains('i') {
        text.split(pattern).map(Value::Text).collect()
    } else {
        let regex = compile(source).ok_or(Error::PatternInvalid(pattern))?;
        regex.split(text).into_iter().map(Value::Text).collect()
    };
    Ok(Value::list(pieces))
}

/// The text forms of the elements with the separator between them; of a value that is no list its text form.
pub fn join(value: Value, separator: Value) -> Value {
    let Some(items) = value.as_list() else {
        return Value::Text(text::of(value));
    };
    let separator = text::of(separator);
    let texts: usize = items
        .iter()
        .map(|item| item.as_text().map_or(8, str::len) + separator.len())
        .sum();
    let mut out = String::with_capacity(texts);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        text::write(&mut out, *item);
    }
    Value::text(out)
}

/// The lines of a text, without their ends; the end of the last one begins no further line.
pub fn lines(value: Value) -> Value {
    Value::list(text::of(value).lines().map(Value::Text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;

    fn pieces(text: &'static str, separator: Value) -> Result<Value, Error> {
        split(Value::Text(text), separator, |(pattern, flags)| {
            Regex::new(pattern, flags).map(|regex| &*Box::leak(Box::new(regex)))
        })
    }

    fn texts(items: &[&'static str]) -> Result<Value, Error> {
        let items: Vec<Value> = items.iter().copied().map(Value::Text).collect();
        Ok(Value::list(items))
    }

    #[test]
    fn separators_are_patterns() {
        for (text, separator, expected) in [
            (
                "a,b,,c,",
                Value::regex(",", ""),
                &["a", "b", "", "c", ""][..],
            ),
            ("a,b", Value::Text(","), &["a", "b"]),
            ("a.b", Value::Text("."), &["", "", "", ""]),
            ("a.b", Value::Text(r"\."), &["a", "b"]),
            ("a1b1c", Value::Int(1), &["a", "b", "c"]),
            ("1x2X3", Value::regex("x", "i"), &["1", "2", "3"]),
            ("no match", Value::Text(";"), &["no match"]),
            ("", Value::Text(";"), &[""]),
            ("a|b", Value::regex(r"\|", ""), &["a", "b"]),
        ] {
            assert_eq!(pieces(text, separator), texts(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_split_is_an_error() {
        assert_eq!(
            pieces("a", Value::Text("(")),
            Err(Error::PatternInvalid("("))
        );
        let mismatch = Error::Mismatch {
            expected: "String",
            kind: "Int",
        };
        assert_eq!(
            split(Value::Int(1), Value::Text(","), |_| None),
            Err(mismatch)
        );
    }

    #[test]
    fn join_takes_text_forms() {
        let list = Value::list(vec![
            Value::Text("a"),
            Value::Int(1),
            Value::Bool(true),
            Value::Null,
            Value::Float(2.0),
        ]);
        assert_eq!(join(list, Value::Text("-")), Value::Text("a-1-true--2.0"));
        assert_eq!(join(Value::list(vec![]), Value::Text("-")), Value::Text(""));
        assert_eq!(join(Value::Int(5), Value::Text("-")), Value::Text("5"));
    }
}
