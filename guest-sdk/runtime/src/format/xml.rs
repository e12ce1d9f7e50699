//! XML as data: elements and their text. Attributes are passed over.

use alloc::string::String;
use alloc::vec::Vec;

use super::{DEPTH_MAX, cut, escape, indent, mistake, scalar, unescape};
use crate::error::Error;
use crate::text;
use crate::value::{self, Entry, Value};

/// Appends a document whose root element is `root`: entries as elements by their keys, items of a list as `<item>`.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn write(out: &mut String, value: Value, root: &str) -> Result<(), Error> {
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    element(out, root, value, 0)?;
    out.pop();
    Ok(())
}

fn element(out: &mut String, name: &str, value: Value, depth: usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(Error::TooDeep);
    }
    indent(out, depth);
    tag(out, "<", name);
    let items = value.as_list().unwrap_or_default();
    let entries = value.as_map().unwrap_or_default();
    if items.is_empty() && entries.is_empty() {
        if value.as_list().is_none() && value.as_map().is_none() {
            escape(out, text::of(value), true);
        }
    } else {
        out.push('\n');
        for item in items {
            element(out, "item", *item, depth + 1)?;
        }
        for (key, item) in entries {
            element(out, key, *item, depth + 1)?;
        }
        indent(out, depth);
    }
    tag(out, "</", name);
    out.push('\n');
    Ok(())
}

fn tag(out: &mut String, open: &str, name: &str) {
    out.push_str(open);
    // A key that is no name would not be read back.
    let first = name.chars().next();
    if first.is_none_or(|first| !(first.is_ascii_alphabetic() || first > '\x7f') && first != '_') {
        out.push('_');
    }
    out.extend(name.chars().map(|char| {
        if char.is_ascii_alphanumeric() || char > '\x7f' || matches!(char, '_' | '-' | '.') {
            char
        } else {
            '_'
        }
    }));
    out.push('>');
}

/// The content of the root element: a scalar, a list of what its `<item>` elements hold, or a map; elements of one name are a list.
///
/// # Errors
/// [`Error::Format`], [`Error::TooDeep`].
pub fn read(text: &'static str) -> Result<Value, Error> {
    let mut reader = Reader {
        text,
        rest: text,
        open: Vec::new(),
    };
    loop {
        if let Some(value) = reader.step()? {
            return Ok(value);
        }
    }
}

/// An element that is open.
struct Element {
    name: &'static str,
    text: String,
    children: Vec<Entry>,
}

struct Reader {
    text: &'static str,
    rest: &'static str,
    open: Vec<Element>,
}

impl Reader {
    fn wrong(&self, what: &'static str) -> Error {
        let read = self.text.len() - self.rest.len();
        let before = self.text.as_bytes().iter().take(read);
        mistake(
            "XML",
            before.filter(|byte| **byte == b'\n').count() + 1,
            what,
        )
    }

    /// Reads text and what follows it; the value of the root when that is closed.
    fn step(&mut self) -> Result<Option<Value>, Error> {
        let Some((before, after)) = self.rest.split_once('<') else {
            return Err(self.wrong(if self.open.is_empty() {
                "there is no root element"
            } else {
                "the document ends inside of an element"
            }));
        };
        match self.open.last_mut() {
            Some(element) => unescape(&mut element.text, before),
            None if before.trim_ascii().is_empty() => {}
            None => return Err(self.wrong("text before the root element")),
        }
        if let Some(comment) = after.strip_prefix("!--") {
            return self.skip(comment, "-->");
        }
        if let Some(section) = after.strip_prefix("![CDATA[") {
            let Some((data, behind)) = cut(section, "]]>") else {
                return Err(self.wrong("a CDATA section does not end"));
            };
            self.rest = behind;
            if let Some(element) = self.open.last_mut() {
                element.text.push_str(data);
            }
            return Ok(None);
        }
        if let Some(instruction) = after.strip_prefix('?') {
            return self.skip(instruction, "?>");
        }
        if let Some(declaration) = after.strip_prefix('!') {
            if declaration
                .split_once('>')
                .is_none_or(|(inner, _)| inner.contains('['))
            {
                return Err(self.wrong("declarations of entities are not supported"));
            }
            return self.skip(declaration, ">");
        }
        self.tag(after)
    }

    fn skip(&mut self, text: &'static str, end: &str) -> Result<Option<Value>, Error> {
        match cut(text, end) {
            Some((_, behind)) => {
                self.rest = behind;
                Ok(None)
            }
            None => Err(self.wrong("a comment or instruction does not end")),
        }
    }

    fn tag(&mut self, text: &'static str) -> Result<Option<Value>, Error> {
        let Some(end) = tag_end(text) else {
            return Err(self.wrong("a tag does not end"));
        };
        let (inner, behind) = text.split_at_checked(end).unwrap_or((text, ""));
        if let Some(name) = inner.strip_prefix('/') {
            let matches = self
                .open
                .last()
                .is_some_and(|open| open.name == name.trim_ascii());
            if !matches {
                return Err(self.wrong("an end tag does not match"));
            }
            self.rest = behind.strip_prefix('>').unwrap_or(behind);
            return Ok(self.close());
        }
        let (inner, empty) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let name = inner
            .split(|char: char| char.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        if name.is_empty() {
            return Err(self.wrong("a tag has no name"));
        }
        if self.open.len() > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        self.rest = behind.strip_prefix('>').unwrap_or(behind);
        self.open.push(Element {
            name,
            text: String::new(),
            children: Vec::new(),
        });
        Ok(if empty { self.close() } else { None })
    }

    /// Closes the innermost element; answers its value if it is the root.
    fn close(&mut self) -> Option<Value> {
        let element = self.open.pop()?;
        let name = element.name;
        let value = element.into_value();
        match self.open.last_mut() {
            Some(parent) => {
                parent.children.push((name, value));
                None
            }
            None => Some(value),
        }
    }
}

/// Where the `>` of a tag is: outside of quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    text.bytes().position(|byte| {
        match (byte, quote) {
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
        byte == b'>' && quote.is_none()
    })
}

impl Element {
    fn into_value(mut self) -> Value {
        if self.children.is_empty() {
            let text: &'static str = self.text.leak();
            return scalar::typed(text.trim_ascii());
        }
        if self.children.iter().all(|(name, _)| *name == "item") {
            return Value::list(self.children.into_iter().map(|(_, value)| value).collect());
        }
        // Stable, so that elements of one name keep their order.
        value::sort(&mut self.children);
        let groups = self
            .children
            .chunk_by(|(left, _), (right, _)| left == right);
        let entries = groups.filter_map(|group| match group {
            [one] => Some(*one),
            _ => {
                let values = group.iter().map(|(_, value)| *value).collect();
                Some((group.first()?.0, Value::list(values)))
            }
        });
        Value::map(entries.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn values_round_trip() {
        let value = Value::map(vec![
            ("name", Value::Text("a < b & \"c\" 'd'")),
            ("n", Value::Int(3)),
            (
                "tags",
                Value::list(vec![Value::Text("x"), Value::Bool(true)]),
            ),
            ("inner", Value::map(vec![("f", Value::Float(1.5))])),
        ]);
        let mut out = String::new();
        write(&mut out, value, "config").unwrap();
        assert_eq!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config>\n  <inner>\n    <f>1.5</f>\n  </inner>\n  <n>3</n>\n  <name>a &lt; b &amp; &quot;c&quot; &apos;d&apos;</name>\n  <tags>\n    <item>x</item>\n    <item>true</item>\n  </tags>\n</config>"
        );
        assert_eq!(read(out.leak()), Ok(value));
        let mut out = String::new();
        write(
            &mut out,
            Value::map(vec![("1 a", Value::list(vec![]))]),
            "r",
        )
        .unwrap();
        assert!(out.ends_with("<r>\n  <_1_a></_1_a>\n</r>"));
    }

    #[test]
    fn feeds_are_read() {
        let feed = "<?xml version='1.0'?><!DOCTYPE rss><!-- c --><rss version=\"2 > 1\"><channel><title>News</title><item><t>One</t></item><item><t><![CDATA[<Two>]]></t><e/></item></channel></rss>\n";
        assert_eq!(
            text::of(read(feed).unwrap()),
            r#"["channel": ["item": [["t": "One"], ["e": "", "t": "<Two>"]], "title": "News"]]"#
        );
    }

    #[test]
    fn broken_documents_are_named_with_their_line() {
        for (source, message) in [
            ("plain", "Invalid XML at line 1: there is no root element"),
            (
                "<a>\n<b></a>",
                "Invalid XML at line 2: an end tag does not match",
            ),
            (
                "<a>\n",
                "Invalid XML at line 1: the document ends inside of an element",
            ),
            (
                "<!DOCTYPE a [<!ENTITY x \"y\">]><a/>",
                "Invalid XML at line 1: declarations of entities are not supported",
            ),
            ("<a", "Invalid XML at line 1: a tag does not end"),
        ] {
            assert_eq!(alloc::format!("{}", read(source).unwrap_err()), message);
        }
        let deep: String = core::iter::repeat_n("<a>", 1000).collect();
        assert_eq!(read(deep.leak()), Err(Error::TooDeep));
    }
}
