//! The modes of ParseHtml.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::{cut, unescape};
use super::scan::{Piece, Tag, is, pieces};
use crate::error::Error;
use crate::value::Value;

/// Deepest nesting of elements that one selector matches inside of each other; further ones add no text of their own.
const NESTED_MAX: usize = 32;

/// What ParseHtml answers for `mode`; `selector` is what `text` selects.
///
/// # Errors
/// [`Error::Message`] for an unknown mode.
pub fn extract(page: &str, mode: &str, selector: &str) -> Result<Value, Error> {
    let lower = mode.to_ascii_lowercase();
    Ok(match lower.as_str() {
        "links" => Value::list(links(page)),
        "content" => entries(&[
            ("content", first_of(page, &["main", "article", "body"])),
            ("title", first_of(page, &["title"])),
        ]),
        "text" => Value::list(texts(page, selector, usize::MAX)),
        "markdown" => entries(&[
            ("markdown", Value::text(markdown(page))),
            ("title", first_of(page, &["title"])),
        ]),
        "page" => entries(&[
            ("links", Value::list(links(page))),
            ("markdown", Value::text(markdown(page))),
            ("title", first_of(page, &["title"])),
        ]),
        _ => {
            return Err(Error::Message(
                alloc::format!(
                    "Invalid value '{mode}' for parse type. Valid values: links, content, text, markdown, page"
                )
                .leak(),
            ));
        }
    })
}

fn entries(entries: &[(&'static str, Value)]) -> Value {
    Value::map(entries.to_vec())
}

fn decoded(text: &str) -> Value {
    let mut out = String::new();
    unescape(&mut out, text);
    Value::text(out)
}

fn links(page: &str) -> Vec<Value> {
    pieces(page)
        .filter_map(|piece| match piece {
            Piece::Open(tag) if is(tag.name, &["a"]) => tag.attribute("href").map(decoded),
            Piece::Open(_) | Piece::Close(_) | Piece::Text(_) => None,
        })
        .collect()
}

/// The text of the first element of the first name that there is one of.
fn first_of(page: &str, names: &[&str]) -> Value {
    names
        .iter()
        .find_map(|name| texts(page, name, 1).first().copied())
        .unwrap_or(Value::Text(""))
}

/// An element that is being read.
struct Open<'a> {
    name: &'a str,
    /// Elements of its name inside of it that are open as well.
    inner: usize,
    /// Where its text begins.
    start: usize,
    /// Its place among the answers.
    answer: usize,
}

/// Texts of the elements that a selector matches, in document order, `limit` at most. A page without an element `body` is its own body.
fn texts(page: &str, selector: &str, limit: usize) -> Vec<Value> {
    let mut out = String::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut found: Vec<Value> = Vec::new();
    for piece in pieces(page) {
        match piece {
            Piece::Text(_) if open.is_empty() => {}
            Piece::Text(text) => push_words(&mut out, text),
            Piece::Open(tag) => {
                gap(&mut out, tag.name);
                for one in &mut open {
                    one.inner += usize::from(!tag.is_void() && is(tag.name, &[one.name]));
                }
                let matched =
                    found.len() < limit && open.len() < NESTED_MAX && matches(tag, selector);
                if matched {
                    found.push(Value::Text(""));
                }
                if matched && !tag.is_void() {
                    open.push(Open {
                        name: tag.name,
                        inner: 0,
                        start: out.len(),
                        answer: found.len() - 1,
                    });
                }
            }
            Piece::Close(name) => {
                close(&mut open, name, &out, &mut found);
                gap(&mut out, name);
                if open.is_empty() {
                    out.clear();
                    if found.len() >= limit {
                        return found;
                    }
                }
            }
        }
    }
    while let Some(one) = open.pop() {
        answer(&one, &out, &mut found);
    }
    if found.is_empty() && selector.eq_ignore_ascii_case("body") && cut(page, "<body").is_none() {
        pieces(page).for_each(|piece| {
            if let Piece::Text(text) = piece {
                push_words(&mut out, text);
            }
        });
        found.push(Value::text(String::from(out.trim())));
    }
    found
}

fn close(open: &mut Vec<Open<'_>>, name: &str, out: &str, found: &mut [Value]) {
    let mut index = open.len();
    while index > 0 {
        index -= 1;
        let Some(one) = open.get_mut(index).filter(|one| is(name, &[one.name])) else {
            continue;
        };
        if one.inner > 0 {
            one.inner -= 1;
        } else {
            let one = open.remove(index);
            answer(&one, out, found);
        }
    }
}

fn answer(one: &Open<'_>, out: &str, found: &mut [Value]) {
    let text = out.get(one.start..).unwrap_or_default();
    if let Some(slot) = found.get_mut(one.answer) {
        *slot = Value::text(String::from(text.trim()));
    }
}

/// Appends text with its runs of white space as one blank.
fn push_words(out: &mut String, text: &str) {
    let mut plain = String::new();
    unescape(&mut plain, text);
    for char in plain.chars() {
        if !char.is_whitespace() {
            out.push(char);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
}

/// Elements that stand apart from the text around them.
fn is_block(name: &str) -> bool {
    is(
        name,
        &[
            "address",
            "article",
            "aside",
            "blockquote",
            "br",
            "div",
            "dd",
            "dl",
            "dt",
            "footer",
            "form",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "li",
            "main",
            "nav",
            "ol",
            "p",
            "pre",
            "section",
            "table",
            "td",
            "th",
            "tr",
            "ul",
        ],
    )
}

fn gap(out: &mut String, name: &str) {
    if is_block(name) && !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// `tag.class#id[attribute]` with any part missing, several separated by commas.
fn matches(tag: Tag<'_>, selector: &str) -> bool {
    selector.split(',').any(|one| matches_one(tag, one.trim()))
}

fn matches_one(tag: Tag<'_>, selector: &str) -> bool {
    let end = selector.find(['.', '#', '[']).unwrap_or(selector.len());
    let (name, mut rest) = selector.split_at_checked(end).unwrap_or((selector, ""));
    if selector.is_empty() || !(name.is_empty() || name == "*" || is(tag.name, &[name])) {
        return false;
    }
    while let Some(mark) = rest.chars().next() {
        let part = rest.get(1..).unwrap_or_default();
        let end = part.find(['.', '#', '[']).unwrap_or(part.len());
        let (part, behind) = part.split_at_checked(end).unwrap_or((part, ""));
        let holds = match mark {
            '.' => tag
                .attribute("class")
                .is_some_and(|classes| classes.split_ascii_whitespace().any(|one| one == part)),
            '#' => tag.attribute("id") == Some(part),
            _ => has_attribute(tag, part.trim_end_matches(']')),
        };
        if !holds {
            return false;
        }
        rest = behind;
    }
    true
}

fn has_attribute(tag: Tag<'_>, test: &str) -> bool {
    match test.split_once('=') {
        Some((name, value)) => tag.attribute(name) == Some(value.trim_matches(['"', '\''])),
        None => tag.attribute(test).is_some(),
    }
}

/// A page as Markdown: headings, paragraphs, lists, links, emphasis, code.
fn markdown(page: &str) -> String {
    let mut out = String::new();
    let mut target: Option<&str> = None;
    let mut hidden = 0usize;
    for piece in pieces(page) {
        match piece {
            Piece::Text(text) if hidden == 0 => push_words_of_block(&mut out, text),
            Piece::Text(_) => {}
            Piece::Open(tag) if is(tag.name, &["head", "title"]) => hidden += 1,
            Piece::Close(name) if is(name, &["head", "title"]) => hidden = hidden.saturating_sub(1),
            Piece::Open(tag) => {
                if is(tag.name, &["a"]) {
                    target = tag.attribute("href");
                    out.push_str(if target.is_some() { "[" } else { "" });
                } else {
                    mark(&mut out, tag.name, true);
                }
            }
            Piece::Close(name) => {
                if !is(name, &["a"]) {
                    mark(&mut out, name, false);
                } else if let Some(target) = target.take() {
                    out.push_str("](");
                    unescape(&mut out, target);
                    out.push(')');
                }
            }
        }
    }
    String::from(out.trim())
}

fn push_words_of_block(out: &mut String, text: &str) {
    let mut plain = String::new();
    unescape(&mut plain, text);
    for char in plain.chars() {
        if !char.is_whitespace() {
            out.push(char);
        } else if !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

/// What an element's beginning or end is in Markdown.
fn mark(out: &mut String, name: &str, opens: bool) {
    let inline = if is(name, &["strong", "b"]) {
        "**"
    } else if is(name, &["em", "i"]) {
        "*"
    } else if is(name, &["code"]) {
        "`"
    } else {
        ""
    };
    if !inline.is_empty() {
        out.push_str(inline);
        return;
    }
    if !is_block(name) {
        return;
    }
    let apart = out.ends_with("\n\n");
    out.truncate(out.trim_end().len());
    if out.is_empty() && !opens {
        return;
    }
    if !out.is_empty() {
        out.push_str(if !apart && is(name, &["li", "br"]) {
            "\n"
        } else {
            "\n\n"
        });
    }
    let level = name
        .get(1..)
        .filter(|_| name.len() == 2 && name.starts_with(['h', 'H']))
        .and_then(|digit| digit.parse::<usize>().ok());
    if let (Some(level), true) = (level, opens) {
        (0..level).for_each(|_| out.push('#'));
        out.push(' ');
    } else if opens && is(name, &["li"]) {
        out.push_str("- ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    const PAGE: &str = "<html><head><title> The &amp; Page </title></head><body class=x><nav><a href=\"/a?x=1&amp;y=2\">A</a></nav><main id=top><h1>Hello</h1>\n<p class='lead big'>Some <b>bold</b>\n text.</p><ul><li>one</li><li>two</li></ul><div>out <div>in</div></div></main><a name=n>no link</a><a href=/b>B</a></body></html>";

    fn shown(mode: &str, selector: &str) -> &'static str {
        text::of(extract(PAGE, mode, selector).unwrap())
    }

    #[test]
    fn modes_of_a_page() {
        assert_eq!(shown("links", "body"), r#"["/a?x=1&y=2", "/b"]"#);
        assert_eq!(
            shown("content", "body"),
            r#"["content": "Hello Some bold text. one two out in", "title": "The & Page"]"#
        );
        assert_eq!(
            shown("markdown", "body"),
            r#"["markdown": "[A](/a?x=1&y=2)\n\n# Hello\n\nSome **bold** text.\n\n- one\n- two\n\nout\n\nin\n\nno link[B](/b)", "title": "The & Page"]"#
        );
        assert!(shown("PAGE", "").starts_with(r#"["links": ["#));
        assert!(extract(PAGE, "tables", "").is_err());
    }

    #[test]
    fn selectors_pick_elements() {
        for (selector, texts) in [
            ("p", r#"["Some bold text."]"#),
            (".lead", r#"["Some bold text."]"#),
            ("p.big.lead", r#"["Some bold text."]"#),
            ("p.small", "[]"),
            ("#top h1", "[]"),
            ("h1, li", r#"["Hello", "one", "two"]"#),
            ("div", r#"["out in", "in"]"#),
            ("a[href]", r#"["A", "B"]"#),
            ("b", r#"["bold"]"#),
        ] {
            assert_eq!(shown("text", selector), texts, "{selector}");
        }
        assert_eq!(
            text::of(extract("plain <i>text</i>", "text", "body").unwrap()),
            r#"["plain text"]"#
        );
    }
}
