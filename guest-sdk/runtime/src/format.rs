//! Texts of other formats than the language's own: what Read, Write and Parse turn into values and back (actions.md 17.5, 17.6, 11.3).
//!
//! Pure functions on texts. Every reader is linear in its text, bounded in depth, and says in which line it stopped understanding.

pub mod csv;
pub mod html;
pub mod json;
pub mod link;
pub mod markdown;
pub mod pairs;
pub mod scalar;
pub mod table;
pub mod toml;
pub mod xml;
pub mod yaml;

use alloc::string::String;

use crate::error::Error;
use crate::text;
use crate::value::Value;

/// Deepest nesting that the readers and writers of this module follow: what the stack of a guest holds with several frames a level.
pub const DEPTH_MAX: usize = 32;

/// What a file name or qualifier selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the format it names")]
pub enum Format {
    Json,
    JsonLines,
    Yaml,
    Xml,
    Toml,
    Csv,
    Tsv,
    Text,
    Env,
    Markdown,
    Html,
    Sql,
    Log,
    LinkHeader,
    /// A text as it is, other values in their text form.
    Binary,
}

impl Format {
    /// The format of a file extension or qualifier in any letter case.
    pub fn named(name: &str) -> Option<Format> {
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        Some(if is(&["json"]) {
            Format::Json
        } else if is(&["jsonl", "ndjson", "json-lines"]) {
            Format::JsonLines
        } else if is(&["yaml", "yml"]) {
            Format::Yaml
        } else if is(&["xml"]) {
            Format::Xml
        } else if is(&["toml"]) {
            Format::Toml
        } else if is(&["csv"]) {
            Format::Csv
        } else if is(&["tsv"]) {
            Format::Tsv
        } else if is(&["txt", "text"]) {
            Format::Text
        } else if is(&["env"]) {
            Format::Env
        } else if is(&["md", "markdown"]) {
            Format::Markdown
        } else if is(&["html", "htm"]) {
            Format::Html
        } else if is(&["sql"]) {
            Format::Sql
        } else if is(&["log"]) {
            Format::Log
        } else if is(&["link-header"]) {
            Format::LinkHeader
        } else if is(&["binary", "bin", "obj", "dat"]) {
            Format::Binary
        } else {
            return None;
        })
    }
}

/// What a writer or reader is told besides the value.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Name of what is written: XML root, TOML and SQL table.
    pub name: &'static str,
    /// The map of a `with` clause: `delimiter`, `header`, `quote`, and for logs `now`. Other kinds and keys say nothing.
    pub settings: Value,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            name: "data",
            settings: Value::Null,
        }
    }
}

/// The text of `value` in the format `extension` names; an unknown one takes it as it is. Without a newline at the end.
///
/// # Errors
/// [`Error::TooDeep`].
pub fn serialize(value: Value, extension: &str, options: Options) -> Result<&'static str, Error> {
    let mut out = String::new();
    match Format::named(extension).unwrap_or(Format::Binary) {
        Format::Json => json::write(&mut out, value, 0)?,
        Format::JsonLines => json::write_lines(&mut out, value),
        Format::Yaml => yaml::write(&mut out, value)?,
        Format::Xml => xml::write(&mut out, value, options.name)?,
        Format::Toml => toml::write(&mut out, value, options.name)?,
        Format::Csv => csv::write(&mut out, value, csv::Dialect::new(',', options)),
        Format::Tsv => csv::write(&mut out, value, csv::Dialect::new('\t', options)),
        Format::Text => pairs::write_text(&mut out, value)?,
        Format::Env => pairs::write_env(&mut out, value)?,
        Format::Markdown => table::write_markdown(&mut out, value),
        Format::Html => table::write_html(&mut out, value),
        Format::Sql => table::write_sql(&mut out, value, options.name),
        Format::Log => table::write_log(&mut out, value, options.settings.entry("now")),
        Format::LinkHeader | Format::Binary => return Ok(text::of(value)),
    }
    Ok(out.leak())
}

/// The value that `content` denotes in the format `extension` names; an unknown one gives the text itself.
///
/// # Errors
/// [`Error::Format`] with the line that is not understood, [`Error::TooDeep`].
pub fn deserialize(
    content: &'static str,
    extension: &str,
    options: Options,
) -> Result<Value, Error> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    Ok(match Format::named(extension).unwrap_or(Format::Binary) {
        Format::Json => json::read(content),
        Format::JsonLines => json::read_lines(content),
        Format::Yaml => return yaml::read(content),
        Format::Xml => return xml::read(content),
        Format::Toml => return toml::read(content),
        Format::Csv => return csv::read(content, csv::Dialect::new(',', options), options),
        Format::Tsv => csv::read_with(content, csv::Dialect::new('\t', options))?,
        Format::Text => return pairs::read_text(content),
        Format::Env => pairs::read_env(content),
        Format::LinkHeader => link::read(content),
        Format::Markdown | Format::Html | Format::Sql | Format::Log | Format::Binary => {
            Value::Text(content)
        }
    })
}

/// A mistake in line `line`, counted from 1.
pub(crate) fn mistake(format: &'static str, line: usize, what: &'static str) -> Error {
    Error::Format { format, line, what }
}

/// What stands before and behind the first `mark`. One copy of the search for all readers: it is large.
#[inline(never)]
pub(crate) fn cut<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(mark)
}

/// Writes two blanks for each level.
pub(crate) fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// Appends `text` with the characters that markup gives a meaning written as entities.
pub(crate) fn escape(out: &mut String, text: &str, apostrophe: bool) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' if apostrophe => out.push_str("&apos;"),
            _ => out.push(char),
        }
    }
}

/// Appends `text` with its entities resolved; what is none stays.
pub(crate) fn unescape(out: &mut String, text: &str) {
    const NAME_BYTES_MAX: usize = 10;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let end = after
            .bytes()
            .take(NAME_BYTES_MAX)
            .position(|byte| byte == b';');
        let resolved = end
            .and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?)))
            .and_then(|(name, behind)| Some((entity(name)?, behind)));
        rest = match resolved {
            Some((char, behind)) => {
                out.push(char);
                behind
            }
            None => {
                out.push('&');
                after
            }
        };
    }
    out.push_str(rest);
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            return char::from_u32(code);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_resolve_and_others_stay() {
        let mut out = String::new();
        unescape(&mut out, "a &amp; b &#65;&#x42; &nope; & &lt;");
        assert_eq!(out, "a & b AB &nope; & <");
    }

    #[test]
    fn names_select_formats_in_any_letter_case() {
        assert_eq!(Format::named("YML"), Some(Format::Yaml));
        assert_eq!(Format::named("ndjson"), Some(Format::JsonLines));
        assert_eq!(Format::named("pdf"), None);
        assert_eq!(
            serialize(Value::Text("x"), "pdf", Options::default()),
            Ok("x")
        );
        assert_eq!(
            deserialize("\u{feff}a: 1", "yaml", Options::default()),
            Ok(Value::map(alloc::vec![("a", Value::Int(1))]))
        );
    }
}
