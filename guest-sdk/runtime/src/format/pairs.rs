//! `key=value` lines: plain ones with dotted keys, and environment files.

use alloc::string::String;
use alloc::vec::Vec;

use super::{DEPTH_MAX, scalar};
use crate::error::Error;
use crate::number;
use crate::text;
use crate::value::{self, Entry, Value};

/// Appends a map as `a.b=v` lines, a list as `[i]=v` and `[i].k=v`, other values as they are.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn write_text(out: &mut String, value: Value) -> Result<(), Error> {
    Writer {
        out,
        key: String::new(),
        env: false,
    }
    .top(value)
}

/// Appends `PARENT_CHILD=v` lines in key order.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn write_env(out: &mut String, value: Value) -> Result<(), Error> {
    Writer {
        out,
        key: String::new(),
        env: true,
    }
    .top(value)
}

struct Writer<'a> {
    out: &'a mut String,
    /// Full key of what is being written.
    key: String,
    env: bool,
}

impl Writer<'_> {
    fn top(mut self, value: Value) -> Result<(), Error> {
        self.value(value, 0)?;
        if self.out.ends_with('\n') {
            self.out.pop();
        }
        Ok(())
    }

    fn value(&mut self, value: Value, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        let parent = self.key.len();
        if let Value::Map(entries) = value {
            for (key, item) in entries {
                if self.env {
                    self.part(key.chars().map(environment));
                } else {
                    self.part(key.chars());
                }
                self.value(*item, depth + 1)?;
                self.key.truncate(parent);
            }
        } else if let (Value::List(items), true) = (value, self.env || depth == 0) {
            for (index, item) in items.iter().enumerate() {
                self.index(index);
                self.value(*item, depth + 1)?;
                self.key.truncate(parent);
            }
        } else {
            self.leaf(value);
        }
        Ok(())
    }

    fn part(&mut self, key: impl Iterator<Item = char>) {
        if !self.key.is_empty() {
            self.key.push(if self.env { '_' } else { '.' });
        }
        self.key.extend(key);
    }

    fn index(&mut self, index: usize) {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        if self.env {
            if !self.key.is_empty() {
                self.key.push('_');
            }
            number::write_int(&mut self.key, index);
        } else {
            self.key.push('[');
            number::write_int(&mut self.key, index);
            self.key.push(']');
        }
    }

    fn leaf(&mut self, value: Value) {
        if self.key.is_empty() {
            text::write(self.out, value);
            return;
        }
        self.out.push_str(&self.key);
        self.out.push('=');
        text::write(self.out, value);
        self.out.push('\n');
    }
}

fn environment(char: char) -> char {
    if char.is_ascii_alphanumeric() || char > '\x7f' {
        char.to_ascii_uppercase()
    } else {
        '_'
    }
}

/// The map of all lines with `=`, dotted keys nested, values typed; other lines are ignored.
///
/// # Errors
/// [`Error::TooDeep`] for a key of too many parts.
pub fn read_text(text: &'static str) -> Result<Value, Error> {
    // With a separator that is less than any character, the entries of one map are neighbours in the order of keys. Stable: of equal keys the last wins.
    let mut pairs: Vec<Entry> = lines(text)
        .map(|(key, value)| (parted(key), value))
        .collect();
    value::sort(&mut pairs);
    nest(&pairs, 0)
}

fn nest(pairs: &[Entry], depth: usize) -> Result<Value, Error> {
    if depth >= DEPTH_MAX {
        return Err(Error::TooDeep);
    }
    let mut entries: Vec<Entry> = Vec::new();
    let groups = pairs.chunk_by(|(left, _), (right, _)| first(left).0 == first(right).0);
    for group in groups {
        let inner: Vec<Entry> = group
            .iter()
            .filter_map(|(key, value)| Some((first(key).1?, *value)))
            .collect();
        let Some((key, value)) = group.last() else {
            continue;
        };
        // A key that is a parent as well is its map.
        let value = if inner.is_empty() {
            *value
        } else {
            nest(&inner, depth + 1)?
        };
        entries.push((first(key).0, value));
    }
    Ok(Value::map(entries))
}

/// Between the parts of a key while they are sorted.
const PART: char = '\0';

fn parted(key: &'static str) -> &'static str {
    if key.contains('.') {
        let parts = key
            .chars()
            .map(|char| if char == '.' { PART } else { char });
        parts.collect::<String>().leak()
    } else {
        key
    }
}

fn first(key: &'static str) -> (&'static str, Option<&'static str>) {
    key.split_once(PART)
        .map_or((key, None), |(first, rest)| (first, Some(rest)))
}

/// The map of all `KEY=VALUE` lines; quotes around values are taken off.
pub fn read_env(text: &'static str) -> Value {
    Value::map(
        lines(text)
            .map(|(key, value)| (key.strip_prefix("export ").map_or(key, str::trim), value))
            .collect(),
    )
}

fn lines(text: &'static str) -> impl Iterator<Item = Entry> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), unquoted(value.trim())))
}

fn unquoted(value: &'static str) -> Value {
    let inner = ['"', '\''].into_iter().find_map(|quote| {
        value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    });
    inner.map_or_else(|| scalar::typed(value), scalar::typed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn written(
        write: fn(&mut String, Value) -> Result<(), Error>,
        value: Value,
    ) -> Result<String, Error> {
        let mut out = String::new();
        write(&mut out, value).map(|()| out)
    }

    fn value() -> Value {
        Value::map(vec![
            ("name", Value::Text("Ida")),
            (
                "db",
                Value::map(vec![("host", Value::Text("h")), ("port", Value::Int(5432))]),
            ),
            ("tags", Value::list(vec![Value::Text("a"), Value::Int(2)])),
        ])
    }

    #[test]
    fn texts_nest_by_dots() {
        let text = written(write_text, value()).unwrap();
        assert_eq!(text, "db.host=h\ndb.port=5432\nname=Ida\ntags=[\"a\", 2]");
        let read = read_text(text.leak()).unwrap();
        assert_eq!(read.entry("db"), value().entry("db"));
        let rows = Value::list(vec![Value::map(vec![("k", Value::Int(1))]), Value::Int(2)]);
        assert_eq!(written(write_text, rows).unwrap(), "[0].k=1\n[1]=2");
        assert_eq!(read_text("Just prose.\nMore."), Ok(Value::map(vec![])));
        assert_eq!(
            read_text("a=1\na.b=2\na=3\n# c=4"),
            Ok(Value::map(vec![(
                "a",
                Value::map(vec![("b", Value::Int(2))])
            )]))
        );
        let deep: String = core::iter::repeat_n("a.", 200).collect();
        assert_eq!(read_text((deep + "z=1").leak()), Err(Error::TooDeep));
    }

    #[test]
    fn environments_are_flat() {
        assert_eq!(
            written(write_env, value()).unwrap(),
            "DB_HOST=h\nDB_PORT=5432\nNAME=Ida\nTAGS_0=a\nTAGS_1=2"
        );
        assert_eq!(
            read_env("# c\nexport A=1\nB = \"x y\"\nC='true'\nrest"),
            Value::map(vec![
                ("A", Value::Int(1)),
                ("B", Value::Text("x y")),
                ("C", Value::Bool(true)),
            ])
        );
    }
}
