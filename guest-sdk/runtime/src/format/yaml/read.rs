//! Block style: lines and their indentation.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::{DEPTH_MAX, cut};
use super::flow::Flow;
use super::plain;
use crate::error::Error;
use crate::value::{Entry, Value};

/// Reads one document.
///
/// # Errors
/// [`Error::Format`] with the line that is not understood, [`Error::TooDeep`].
pub fn read(text: &'static str) -> Result<Value, Error> {
    let mut lines: Vec<Line> = text
        .lines()
        .enumerate()
        .map(|(index, line)| Line::new(line, index + 1))
        .collect();
    if let Some(end) = lines
        .iter()
        .position(|line| line.text == "..." && line.indent == 0)
    {
        lines.truncate(end);
    }
    let mut reader = Reader { lines, at: 0 };
    if reader.current().is_some_and(|line| line.text == "---") {
        reader.at += 1;
    }
    let value = reader.block(0, 0)?;
    match reader.current() {
        None => Ok(value),
        Some(line) if line.text == "---" => {
            Err(mistake(line.number, "several documents are not supported"))
        }
        Some(line) => Err(mistake(line.number, "unexpected indentation or text")),
    }
}

pub(super) fn mistake(line: usize, what: &'static str) -> Error {
    super::super::mistake("YAML", line, what)
}

/// What a scalar may not begin with.
pub(super) fn refuse_mark(text: &str, line: usize) -> Result<(), Error> {
    Err(mistake(
        line,
        match text.chars().next() {
            Some('&' | '*') => "anchors and aliases are not supported",
            Some('!') => "tags are not supported",
            Some('@' | '`') => "a text that begins like this must be quoted",
            Some('%') => "directives are not supported",
            _ => return Ok(()),
        },
    ))
}

/// One line, or what is left of it.
#[derive(Clone, Copy)]
struct Line {
    /// Column of the text; the tab that may not be there counts as one.
    indent: usize,
    /// Without indentation, comment and trailing space.
    text: &'static str,
    /// As it stands in the file.
    raw: &'static str,
    number: usize,
}

impl Line {
    fn new(raw: &'static str, number: usize) -> Self {
        let text = raw.trim_start_matches(' ');
        Self {
            indent: raw.len() - text.len(),
            text: without_comment(text),
            raw,
            number,
        }
    }
}

/// Cuts a comment off: `#` at the beginning or behind a blank, outside of quotes.
fn without_comment(text: &'static str) -> &'static str {
    let mut quote = None;
    let mut before = ' ';
    for (at, char) in text.char_indices() {
        match (char, quote) {
            ('#', None) if before.is_ascii_whitespace() => {
                return text.get(..at).unwrap_or(text).trim_end();
            }
            ('"' | '\'', None) if matches!(before, ' ' | '[' | '{' | ',' | ':' | '\'') => {
                quote = Some(char);
            }
            (_, Some(open)) if char == open && !(open == '"' && before == '\\') => quote = None,
            _ => {}
        }
        before = if before == '\\' && char == '\\' {
            ' '
        } else {
            char
        };
    }
    text.trim_end()
}

struct Reader {
    lines: Vec<Line>,
    at: usize,
}

impl Reader {
    /// The next line that says something.
    fn current(&mut self) -> Option<Line> {
        while let Some(line) = self.lines.get(self.at) {
            if !line.text.is_empty() {
                return Some(*line);
            }
            self.at += 1;
        }
        None
    }

    /// The next line, if it belongs to a block that is indented by `least`.
    fn inside(&mut self, least: usize) -> Option<Line> {
        self.current()
            .filter(|line| line.indent >= least && !(line.indent == 0 && line.text == "---"))
    }

    /// What the lines from `least` columns on say.
    fn block(&mut self, least: usize, depth: usize) -> Result<Value, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        let Some(line) = self.inside(least) else {
            return Ok(Value::Null);
        };
        if item(line.text).is_some() {
            return self.list(line.indent, depth);
        }
        if key(line)?.is_some() {
            return self.map(line.indent, depth);
        }
        self.at += 1;
        self.scalar(line, line.text, least, depth)
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        while let Some(line) = self.inside(indent) {
            let Some(rest) = item(line.text).filter(|_| line.indent == indent) else {
                break;
            };
            items.push(self.behind(line, rest, indent + 1, depth)?);
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, indent: usize, depth: usize) -> Result<Value, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(line) = self.inside(indent) {
            if line.indent != indent || item(line.text).is_some() {
                break;
            }
            let Some((name, rest)) = key(line)? else {
                return Err(mistake(line.number, "expected `key: value`"));
            };
            let value = if rest.is_empty() {
                self.at += 1;
                // A list may stand as far left as its key.
                match self.inside(indent) {
                    Some(next) if next.indent == indent && item(next.text).is_some() => {
                        self.list(indent, depth + 1)?
                    }
                    _ => self.block(indent + 1, depth + 1)?,
                }
            } else {
                self.at += 1;
                self.scalar(line, rest, indent + 1, depth + 1)?
            };
            entries.push((name, value));
        }
        Ok(Value::map(entries))
    }

    /// Behind a dash: a scalar, or a block whose first line begins there.
    fn behind(
        &mut self,
        line: Line,
        rest: &'static str,
        least: usize,
        depth: usize,
    ) -> Result<Value, Error> {
        if rest.is_empty() {
            self.at += 1;
            return self.block(least, depth + 1);
        }
        let shifted = Line {
            indent: line.indent + line.text.len() - rest.len(),
            text: rest,
            ..line
        };
        if item(rest).is_some() || key(shifted)?.is_some() {
            if let Some(slot) = self.lines.get_mut(self.at) {
                *slot = shifted;
            }
            return self.block(shifted.indent, depth + 1);
        }
        self.at += 1;
        self.scalar(line, rest, least, depth + 1)
    }

    /// A value that begins with `text`, behind which the reader stands already.
    fn scalar(
        &mut self,
        line: Line,
        text: &'static str,
        least: usize,
        depth: usize,
    ) -> Result<Value, Error> {
        refuse_mark(text, line.number)?;
        if text.starts_with(['|', '>']) {
            return self.lines_of(line, text, least);
        }
        if text.starts_with(['[', '{', '"', '\'']) {
            let rest = self.balanced(text);
            let mut flow = Flow {
                rest,
                line: line.number,
            };
            let value = flow.value(depth)?;
            if !flow.rest.trim().is_empty() {
                return Err(mistake(line.number, "unexpected text behind a value"));
            }
            return Ok(value);
        }
        if text.starts_with("? ") || cut(text, ": ").is_some() || text.ends_with(':') {
            return Err(mistake(line.number, "a text with `: ` must be quoted"));
        }
        let mut out = String::new();
        while let Some(next) = self.inside(least.max(1)) {
            if key(next)?.is_some() {
                return Err(mistake(next.number, "unexpected indentation"));
            }
            self.at += 1;
            if out.is_empty() {
                out.push_str(text);
            }
            out.push(' ');
            out.push_str(next.text);
        }
        if out.is_empty() {
            return Ok(plain(text));
        }
        Ok(Value::text(out))
    }

    /// `text` with the following lines that its open brackets reach into.
    fn balanced(&mut self, text: &'static str) -> &'static str {
        let mut open = balance(text);
        if open <= 0 {
            return text;
        }
        let mut out = String::from(text);
        while open > 0 {
            let Some(line) = self.current() else { break };
            self.at += 1;
            out.push(' ');
            out.push_str(line.text);
            open += balance(line.text);
        }
        out.leak()
    }

    /// A block text: `|` keeps its lines, `>` folds them; `-` and `+` say what becomes of newlines at the end.
    fn lines_of(&mut self, line: Line, text: &str, least: usize) -> Result<Value, Error> {
        let folded = text.starts_with('>');
        let marks = text.get(1..).unwrap_or_default();
        let digit = marks.chars().find_map(|mark| mark.to_digit(10));
        if !marks
            .chars()
            .all(|mark| matches!(mark, '-' | '+' | '1'..='9'))
        {
            return Err(mistake(line.number, "unknown mark of a block text"));
        }
        let mut body: Vec<&'static str> = Vec::new();
        let mut indent = digit.map(|digit| least - 1 + digit as usize);
        while let Some(next) = self.lines.get(self.at) {
            let blank = next.raw.trim_matches(' ').is_empty();
            let column = next.raw.len() - next.raw.trim_start_matches(' ').len();
            if !blank && column < indent.unwrap_or(least) {
                break;
            }
            if !blank {
                indent = indent.or(Some(column));
            }
            body.push(next.raw.get(indent.unwrap_or(0)..).unwrap_or_default());
            self.at += 1;
        }
        let trailing = body.iter().rev().take_while(|line| line.is_empty()).count();
        body.truncate(body.len() - trailing);
        let mut out = if folded { fold(&body) } else { body.join("\n") };
        if marks.contains('+') {
            (0..trailing + usize::from(!body.is_empty())).for_each(|_| out.push('\n'));
        } else if !marks.contains('-') && !body.is_empty() {
            out.push('\n');
        }
        Ok(Value::text(out))
    }
}

/// Lines joined by blanks; an empty line is a newline, and lines that are indented further stay.
fn fold(lines: &[&str]) -> String {
    let mut out = String::new();
    let mut before = "";
    for (index, line) in lines.iter().enumerate() {
        let keeps = line.starts_with(' ') || before.starts_with(' ');
        if index > 0 && !line.is_empty() && !before.is_empty() && !keeps {
            out.push(' ');
        } else if index > 0 && (line.is_empty() || keeps) {
            out.push('\n');
        }
        out.push_str(line);
        before = line;
    }
    out
}

/// What follows the dash of a list's item.
fn item(text: &'static str) -> Option<&'static str> {
    if text == "-" {
        return Some("");
    }
    text.strip_prefix("- ").map(str::trim_start)
}

/// Brackets that are opened and not closed, outside of quotes.
fn balance(text: &str) -> i64 {
    let mut quote = None;
    let mut before = ' ';
    let mut open = 0;
    for char in text.chars() {
        match (char, quote) {
            ('[' | '{', None) => open += 1,
            (']' | '}', None) => open -= 1,
            ('"' | '\'', None) if !before.is_ascii_alphanumeric() => quote = Some(char),
            (_, Some(mark)) if char == mark && before != '\\' => quote = None,
            _ => {}
        }
        before = char;
    }
    open
}

/// The key that a line begins with, and what follows its colon.
fn key(line: Line) -> Result<Option<(&'static str, &'static str)>, Error> {
    let text = line.text;
    if text.starts_with('\t') {
        return Err(mistake(line.number, "tabs cannot indent"));
    }
    if text.starts_with(['"', '\'']) {
        let mut flow = Flow {
            rest: text,
            line: line.number,
        };
        let Some(name) = flow.quoted()? else {
            return Ok(None);
        };
        return Ok(flow
            .rest
            .trim_start()
            .strip_prefix(':')
            .filter(|rest| rest.is_empty() || rest.starts_with(' '))
            .map(|rest| (name, rest.trim())));
    }
    if text.starts_with(['[', '{', '|', '>']) {
        return Ok(None);
    }
    if text.starts_with("? ") {
        return Err(mistake(
            line.number,
            "keys that are no plain text are not supported",
        ));
    }
    let found = match cut(text, ": ") {
        Some((name, rest)) => Some((name.trim(), rest.trim())),
        None => text.strip_suffix(':').map(|name| (name.trim(), "")),
    };
    if let Some((name, _)) = found {
        refuse_mark(name, line.number)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use alloc::vec;

    fn shown(source: &'static str) -> &'static str {
        match read(source) {
            Ok(value) => text::debug(value),
            Err(error) => alloc::format!("{error}").leak(),
        }
    }

    #[test]
    fn documents_of_configuration_files() {
        for (source, value) in [
            (
                "a: 1\nb: two words # comment\nc: 'it''s # no'\nd:\n",
                r#"["a": 1, "b": "two words", "c": "it's # no", "d": null]"#,
            ),
            (
                "---\n- 1\n- 2.5\n- true\n- ~\n...\nrest",
                "[1, 2.5, true, null]",
            ),
            (
                "list:\n- a\n- b\nmap:\n  x:\n    y: z\n",
                r#"["list": ["a", "b"], "map": ["x": ["y": "z"]]]"#,
            ),
            (
                "- name: Ida\n  tags: [x, \"y, z\", 3]\n- name: Bo\n  at: {p: 1, q: , r: {}}\n",
                r#"[["name": "Ida", "tags": ["x", "y, z", 3]], ["at": ["p": 1, "q": null, "r": [:]], "name": "Bo"]]"#,
            ),
            ("- - 1\n  - 2\n-\n  - 3\n", "[[1, 2], [3]]"),
            (
                "t: |\n  one\n    two\n\n  three\nu: >-\n  a\n  b\n\n  c\n",
                r#"["t": "one\n  two\n\nthree\n", "u": "a b\nc"]"#,
            ),
            ("k: |+\n  x\n\n", r#"["k": "x\n\n"]"#),
            (
                "url: http://x:80/a#b\nt: 10:30\n",
                r#"["t": "10:30", "url": "http://x:80/a#b"]"#,
            ),
            (
                "flow: [1,\n  2, # two\n  3]\nplain: first\n  second\n",
                r#"["flow": [1, 2, 3], "plain": "first second"]"#,
            ),
            (
                "\"quoted key\": \"a\\tb\\u00e9\"\n'x': y",
                r#"["quoted key": "a\tbé", "x": "y"]"#,
            ),
            ("just text", "just text"),
            (
                "{a: [1, {b: c}], 'd': \"e\"}",
                r#"["a": [1, ["b": "c"]], "d": "e"]"#,
            ),
            ("", "null"),
            ("# only\n", "null"),
            ("a: don't\nb: x\n", r#"["a": "don't", "b": "x"]"#),
        ] {
            assert_eq!(shown(source), value, "{source}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named_with_its_line() {
        for (source, message) in [
            (
                "a: &x 1",
                "Invalid YAML at line 1: anchors and aliases are not supported",
            ),
            (
                "a: 1\nb: *x",
                "Invalid YAML at line 2: anchors and aliases are not supported",
            ),
            (
                "a: !!int 1",
                "Invalid YAML at line 1: tags are not supported",
            ),
            (
                "a: 1\n---\nb: 2",
                "Invalid YAML at line 2: several documents are not supported",
            ),
            (
                "a: 1\n   b: 2",
                "Invalid YAML at line 2: unexpected indentation",
            ),
            (
                "a:\n  b: 1\n c: 2",
                "Invalid YAML at line 3: unexpected indentation or text",
            ),
            ("a: [1, 2", "Invalid YAML at line 1: expected `,` or `]`"),
            (
                "a: \"x",
                "Invalid YAML at line 1: a quoted text does not end in its line",
            ),
            ("a: 1\nb", "Invalid YAML at line 2: expected `key: value`"),
            ("a:\n\tb: 1", "Invalid YAML at line 2: tabs cannot indent"),
            (
                "a: b: c",
                "Invalid YAML at line 1: a text with `: ` must be quoted",
            ),
        ] {
            assert_eq!(shown(source), message, "{source}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let dashes: String = core::iter::repeat_n("- ", 10_000).collect();
        let brackets: String = core::iter::repeat_n('[', 10_000).collect();
        assert_eq!(read(dashes.leak()), Err(Error::TooDeep));
        assert_eq!(read(brackets.leak()), Err(Error::TooDeep));
    }

    #[test]
    fn written_texts_read_back() {
        let value = Value::map(vec![
            ("n", Value::Int(1)),
            ("f", Value::Float(10.0)),
            ("t", Value::Text("plain")),
            ("u", Value::Text("http://x#y")),
            ("m", Value::Text("a\n\n b\n")),
            ("e", Value::list(vec![])),
            ("o", Value::map(vec![])),
            (
                "l",
                Value::list(vec![
                    Value::map(vec![
                        ("k", Value::Bool(true)),
                        ("x", Value::list(vec![Value::Int(1)])),
                    ]),
                    Value::list(vec![Value::Int(2)]),
                    Value::Text("s: t"),
                ]),
            ),
        ]);
        let mut out = String::new();
        super::super::write(&mut out, value).unwrap();
        assert_eq!(
            out,
            "e: []\nf: 10.0\nl:\n  - k: true\n    x:\n      - 1\n  -\n    - 2\n  - |-\n    s: t\nm: |\n  a\n\n   b\nn: 1\no: {}\nt: plain\nu: |-\n  http://x#y"
        );
        assert_eq!(read(out.leak()), Ok(value));
    }
}
