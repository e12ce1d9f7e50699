//! The reader of TOML.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::yaml::escape;
use super::super::{DEPTH_MAX, cut, mistake, scalar};
use crate::error::Error;
use crate::value::{Entry, Value};

/// Reads a document; one that is a single array of tables is that list.
///
/// # Errors
/// [`Error::Format`], [`Error::TooDeep`].
pub fn read(text: &'static str) -> Result<Value, Error> {
    let mut reader = Reader { text, rest: text };
    let mut root = Table::default();
    let mut path: Vec<&'static str> = Vec::new();
    while reader.next_line() {
        if reader.take("[[") {
            path = reader.path()?;
            reader.expect("]]")?;
            let parent = path.split_last().unwrap_or((&"", &[]));
            let parents = root.descend(parent.1);
            if !parents.is_some_and(|table| table.push_table(parent.0)) {
                return Err(reader.wrong("a name is used twice"));
            }
        } else if reader.take("[") {
            path = reader.path()?;
            reader.expect("]")?;
            if root.descend(&path).is_none() {
                return Err(reader.wrong("a name is used twice"));
            }
        } else {
            let key = reader.path()?;
            reader.expect("=")?;
            let value = reader.value(0)?;
            let full: Vec<&'static str> = path.iter().chain(&key).copied().collect();
            let (name, parents) = full.split_last().unwrap_or((&"", &[]));
            match root.descend(parents) {
                Some(table) if table.find(name).is_none() => {
                    table.entries.push((name, Item::Value(value)));
                }
                _ => return Err(reader.wrong("a name is used twice")),
            }
        }
        reader.end_of_line()?;
    }
    Ok(match root.entries.as_mut_slice() {
        [(_, Item::Tables(tables))] => Value::list(
            core::mem::take(tables)
                .into_iter()
                .map(Table::into_value)
                .collect(),
        ),
        _ => root.into_value(),
    })
}

/// A table that may grow.
#[derive(Default)]
struct Table {
    entries: Vec<(&'static str, Item)>,
}

enum Item {
    Value(Value),
    Table(Table),
    Tables(Vec<Table>),
}

impl Table {
    fn find(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|(known, _)| *known == name)
    }

    /// The table that `path` names, made where it is not there; of an array of tables the last. None if something else is in the way.
    fn descend(&mut self, path: &[&'static str]) -> Option<&mut Table> {
        let mut table = self;
        for name in path {
            let index = match table.find(name) {
                Some(index) => index,
                None => {
                    table.entries.push((name, Item::Table(Table::default())));
                    table.entries.len() - 1
                }
            };
            table = match &mut table.entries.get_mut(index)?.1 {
                Item::Table(inner) => inner,
                Item::Tables(tables) => tables.last_mut()?,
                Item::Value(_) => return None,
            };
        }
        Some(table)
    }

    /// Adds a table to the array of tables `name`; false if that is something else.
    fn push_table(&mut self, name: &'static str) -> bool {
        match self
            .find(name)
            .and_then(|index| self.entries.get_mut(index))
        {
            Some((_, Item::Tables(tables))) => tables.push(Table::default()),
            Some(_) => return false,
            None => self
                .entries
                .push((name, Item::Tables(Vec::from([Table::default()])))),
        }
        true
    }

    /// Recursion is as deep as the longest path, which is bounded.
    fn into_value(self) -> Value {
        let entries = self.entries.into_iter().map(|(name, item)| {
            let value = match item {
                Item::Value(value) => value,
                Item::Table(table) => table.into_value(),
                Item::Tables(tables) => {
                    Value::list(tables.into_iter().map(Table::into_value).collect())
                }
            };
            (name, value)
        });
        Value::map(entries.collect())
    }
}

/// What keys need no quotes for.
pub(super) fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

struct Reader {
    text: &'static str,
    rest: &'static str,
}

impl Reader {
    fn wrong(&self, what: &'static str) -> Error {
        let read = self.text.len() - self.rest.len();
        let before = self.text.as_bytes().iter().take(read);
        mistake(
            "TOML",
            before.filter(|byte| **byte == b'\n').count() + 1,
            what,
        )
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Passes over blanks, comments and newlines; false at the end.
    fn next_line(&mut self) -> bool {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn end_of_line(&mut self) -> Result<(), Error> {
        self.space();
        if self.rest.is_empty() || self.rest.starts_with(['#', '\n', '\r']) {
            Ok(())
        } else {
            Err(self.wrong("unexpected text behind a value"))
        }
    }

    fn take(&mut self, mark: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), Error> {
        if self.take(mark) {
            return Ok(());
        }
        Err(self.wrong(match mark {
            "=" => "expected `=`",
            "]" => "expected `]`",
            "]]" => "expected `]]`",
            _ => "expected `}`",
        }))
    }

    /// `a.b."c d"`
    fn path(&mut self) -> Result<Vec<&'static str>, Error> {
        let mut parts = Vec::new();
        loop {
            self.space();
            parts.push(if self.rest.starts_with(['"', '\'']) {
                self.quoted()?
            } else {
                let end = self
                    .rest
                    .bytes()
                    .position(|byte| !is_bare(byte))
                    .unwrap_or(self.rest.len());
                let (name, rest) = self.rest.split_at_checked(end).unwrap_or(("", ""));
                if name.is_empty() {
                    return Err(self.wrong("expected a key"));
                }
                self.rest = rest;
                name
            });
            if parts.len() > DEPTH_MAX {
                return Err(Error::TooDeep);
            }
            if !self.take(".") {
                return Ok(parts);
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        if self.take("[") {
            return self.array(depth);
        }
        if self.take("{") {
            return self.inline(depth);
        }
        if self.rest.starts_with(['"', '\'']) {
            return self.quoted().map(Value::Text);
        }
        let end = self
            .rest
            .find([',', ']', '}', '#', '\n', '\r'])
            .unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(self.wrong("a value is missing"));
        }
        let value = number(text);
        // What is left are dates and times, which are no other kind here.
        let is_time = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-:TZ.+ ".contains(&byte))
            && text.contains(['-', ':']);
        if value.as_text().is_some() && !is_time {
            return Err(self.wrong("a text must be quoted"));
        }
        self.rest = rest;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            self.next_line();
            if self.take("]") {
                return Ok(Value::list(items));
            }
            items.push(self.value(depth + 1)?);
            self.next_line();
            if !self.take(",") && !self.rest.starts_with(']') {
                return Err(self.wrong("expected `,` or `]`"));
            }
        }
    }

    fn inline(&mut self, depth: usize) -> Result<Value, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            if self.take("}") {
                return Ok(Value::map(entries));
            }
            let path = self.path()?;
            self.expect("=")?;
            let value = self.value(depth + 1)?;
            let (first, inner) = path.split_first().unwrap_or((&"", &[]));
            let value = inner
                .iter()
                .rev()
                .fold(value, |value, name| Value::map(Vec::from([(*name, value)])));
            entries.push((first, value));
            if !self.take(",") && !self.rest.starts_with('}') {
                return Err(self.wrong("expected `,` or `}`"));
            }
        }
    }

    /// A text in any of the four quotations.
    fn quoted(&mut self) -> Result<&'static str, Error> {
        for (mark, escapes) in [("\"\"\"", true), ("'''", false), ("\"", true), ("'", false)] {
            let Some(inner) = self.rest.strip_prefix(mark) else {
                continue;
            };
            let block = mark.len() == 3;
            let inner = if block {
                inner
                    .strip_prefix("\r\n")
                    .or(inner.strip_prefix('\n'))
                    .unwrap_or(inner)
            } else {
                inner
            };
            return if escapes {
                self.escaped(inner, mark, block)
            } else {
                self.literal(inner, mark, block)
            };
        }
        Err(self.wrong("expected a text"))
    }

    fn literal(
        &mut self,
        inner: &'static str,
        mark: &str,
        block: bool,
    ) -> Result<&'static str, Error> {
        match cut(inner, mark) {
            Some((text, rest)) if block || !text.contains('\n') => {
                self.rest = rest;
                Ok(text)
            }
            _ => Err(self.wrong("a quoted text does not end")),
        }
    }

    fn escaped(
        &mut self,
        inner: &'static str,
        mark: &str,
        block: bool,
    ) -> Result<&'static str, Error> {
        let mut out = String::new();
        let mut chars = inner.chars();
        loop {
            if let Some(rest) = chars.as_str().strip_prefix(mark) {
                self.rest = rest;
                return Ok(out.leak());
            }
            match chars.next() {
                Some('\\') if block && chars.as_str().starts_with(['\n', '\r']) => {
                    chars = chars.as_str().trim_ascii_start().chars();
                }
                Some('\\') => out.push(escape(&mut chars).ok_or(self.wrong("unknown escape"))?),
                Some('\n') if !block => return Err(self.wrong("a quoted text does not end")),
                Some(char) => out.push(char),
                None => return Err(self.wrong("a quoted text does not end")),
            }
        }
    }
}

/// A bare value: truth value, number with any underscores, or what remains, a date.
fn number(text: &'static str) -> Value {
    match text {
        "inf" | "+inf" => return Value::Float(f64::INFINITY),
        "-inf" => return Value::Float(f64::NEG_INFINITY),
        "nan" | "+nan" | "-nan" => return Value::Float(f64::NAN),
        _ => {}
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits = digits.replace('_', "");
            return i64::from_str_radix(&digits, radix).map_or(Value::Text(text), Value::Int);
        }
    }
    let value = scalar::typed(text);
    if matches!(value, Value::Text(_)) && text.contains('_') {
        scalar::numeric(&text.replace('_', "")).unwrap_or(value)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use alloc::vec;

    fn shown(source: &'static str) -> &'static str {
        match read(source) {
            Ok(value) => text::of(value),
            Err(error) => alloc::format!("{error}").leak(),
        }
    }

    #[test]
    fn documents_of_configuration_files() {
        for (source, value) in [
            (
                "title = \"T\" # c\n[owner]\nname = 'O \\ x'\n\n[db.main]\nport = 5_432\non = true\n",
                r#"["db": ["main": ["on": true, "port": 5432]], "owner": ["name": "O \\ x"], "title": "T"]"#,
            ),
            (
                "a.b = 1\na.\"c d\" = 2.5\nhex = 0xFF",
                r#"["a": ["b": 1, "c d": 2.5], "hex": 255]"#,
            ),
            (
                "list = [1,\n  2, # two\n  [\"x\"],\n]\np = { x = 1, y.z = \"\" }",
                r#"["list": [1, 2, ["x"]], "p": ["x": 1, "y": ["z": ""]]]"#,
            ),
            ("[[p]]\nn = 1\n[[p]]\nn = 2\n", r#"[["n": 1], ["n": 2]]"#),
            (
                "[[p]]\nn = 1\n[p.q]\nr = 2\n[o]\n",
                r#"["o": [:], "p": [["n": 1, "q": ["r": 2]]]]"#,
            ),
            (
                "d = 2025-01-01T10:00:00Z\nm = \"\"\"\none \\\n   two\n\"\"\"\nu = \"\\u00e9\\t\"",
                r#"["d": "2025-01-01T10:00:00Z", "m": "one two\n", "u": "é\t"]"#,
            ),
            ("", "[:]"),
        ] {
            assert_eq!(shown(source), value, "{source}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (source, message) in [
            (
                "a = 1\na = 2",
                "Invalid TOML at line 2: a name is used twice",
            ),
            ("a = x", "Invalid TOML at line 1: a text must be quoted"),
            ("a = 1\n\nb", "Invalid TOML at line 3: expected `=`"),
            (
                "a = \"x",
                "Invalid TOML at line 1: a quoted text does not end",
            ),
            ("a = [1 2]", "Invalid TOML at line 1: a text must be quoted"),
            ("a = 1 2", "Invalid TOML at line 1: a text must be quoted"),
            (
                "a = \"x\" 2",
                "Invalid TOML at line 1: unexpected text behind a value",
            ),
            ("[a", "Invalid TOML at line 1: expected `]`"),
        ] {
            assert_eq!(shown(source), message, "{source}");
        }
        let deep: String = core::iter::repeat_n("[", 1000).collect();
        assert_eq!(
            read((String::from("a = ") + &deep).leak()),
            Err(Error::TooDeep)
        );
    }

    #[test]
    fn written_documents_read_back() {
        let rows = Value::list(vec![
            Value::map(vec![("a", Value::Int(1)), ("b c", Value::Text("x\"y\n"))]),
            Value::map(vec![(
                "l",
                Value::list(vec![Value::map(vec![("k", Value::Bool(true))])]),
            )]),
        ]);
        let mut out = String::new();
        super::super::write(&mut out, rows, "rows").unwrap();
        assert_eq!(
            out,
            "[[rows]]\na = 1\n\"b c\" = \"x\\\"y\\n\"\n\n[[rows]]\nl = [{ k = true }]"
        );
        assert_eq!(read(out.leak()), Ok(rows));
    }
}
