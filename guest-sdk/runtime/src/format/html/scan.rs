//! Tags and texts of an HTML page.

use super::super::cut;

/// One piece of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text with its entities.
    Text(&'a str),
    /// A start tag.
    Open(Tag<'a>),
    /// An end tag's name.
    Close(&'a str),
}

/// A start tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    attributes: &'a str,
}

/// The pieces of `page`. Comments, declarations, and what scripts and styles hold are passed over.
pub(super) fn pieces(page: &str) -> Scanner<'_> {
    Scanner {
        rest: page,
        raw: None,
    }
}

pub(super) struct Scanner<'a> {
    rest: &'a str,
    /// The script or style that is open.
    raw: Option<&'a str>,
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(name) = self.raw.take() {
            self.skip_raw(name);
        }
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            if end > 0 {
                return Some(Piece::Text(self.advance(end)));
            }
            if self.rest.starts_with("<!--") {
                self.rest = cut(self.rest, "-->").map_or("", |(_, rest)| rest);
            } else if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
                let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
                self.advance(end);
            } else if let Some(piece) = self.tag() {
                return Some(piece);
            } else {
                return Some(Piece::Text(self.advance(1)));
            }
        }
    }
}

impl<'a> Scanner<'a> {
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (piece, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        piece
    }

    fn tag(&mut self) -> Option<Piece<'a>> {
        let inner = self.rest.strip_prefix('<')?;
        let (inner, closes) = match inner.strip_prefix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        if !inner.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return None;
        }
        let end = tag_end(inner).unwrap_or(inner.len());
        let (tag, rest) = inner.split_at_checked(end).unwrap_or((inner, ""));
        self.rest = rest.strip_prefix('>').unwrap_or(rest);
        let name_end = tag
            .find(|char: char| char.is_ascii_whitespace() || char == '/')
            .unwrap_or(tag.len());
        let (name, attributes) = tag.split_at_checked(name_end).unwrap_or((tag, ""));
        if closes {
            return Some(Piece::Close(name));
        }
        if is(name, &["script", "style"]) {
            self.raw = Some(name);
        }
        Some(Piece::Open(Tag { name, attributes }))
    }

    /// Passes over the text of a script, up to its end tag.
    fn skip_raw(&mut self, name: &str) {
        let mut rest = self.rest;
        while let Some((before, after)) = cut(rest, "</") {
            let (_, tag) = rest.split_at_checked(before.len()).unwrap_or((rest, ""));
            if after
                .get(..name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
            {
                self.rest = tag;
                return;
            }
            rest = after;
        }
        self.rest = "";
    }
}

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

/// Whether `name` is one of `names`, in any letter case.
pub(super) fn is(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

impl<'a> Tag<'a> {
    /// Whether the element has no end tag.
    pub(super) fn is_void(self) -> bool {
        self.attributes.ends_with('/')
            || is(
                self.name,
                &[
                    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
                    "source", "track", "wbr",
                ],
            )
    }

    /// An attribute as written, empty if it has no value.
    pub(super) fn attribute(self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|char: char| char.is_ascii_whitespace() || char == '/');
            if rest.is_empty() {
                return None;
            }
            let end = rest
                .find(|char: char| char.is_ascii_whitespace() || char == '=')
                .unwrap_or(rest.len());
            let (found, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let behind = behind.trim_ascii_start();
            let (value, behind) = match behind.strip_prefix('=') {
                Some(value) => split_value(value.trim_ascii_start()),
                None => ("", behind),
            };
            if found.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            // A stray `=` is passed over, so that every turn takes a character.
            rest = if found.is_empty() && value.is_empty() {
                behind.get(1..).unwrap_or_default()
            } else {
                behind
            };
        }
    }
}

fn split_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    let end = text
        .find(|char: char| char.is_ascii_whitespace())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn pieces_of_a_page() {
        let page =
            "<!doctype html><!-- x --><P a>a &lt; b<br/>1 < 2<script>if (a</b) {}</script>c</p";
        let names: Vec<Piece<'_>> = pieces(page)
            .map(|piece| match piece {
                Piece::Open(tag) => Piece::Text(tag.name),
                Piece::Text(_) | Piece::Close(_) => piece,
            })
            .collect();
        let text = Piece::Text;
        assert_eq!(
            names,
            [
                text("P"),
                text("a &lt; b"),
                text("br"),
                text("1 "),
                text("<"),
                text(" 2"),
                text("script"),
                Piece::Close("script"),
                text("c"),
                Piece::Close("p")
            ]
        );
    }

    #[test]
    fn attributes_in_every_quotation() {
        let tag = Tag {
            name: "a",
            attributes: " x = 1 HREF='a b' checked data-y=\"=\" = z",
        };
        for (name, value) in [
            ("href", Some("a b")),
            ("x", Some("1")),
            ("checked", Some("")),
            ("data-y", Some("=")),
            ("none", None),
        ] {
            assert_eq!(tag.attribute(name), value, "{name}");
        }
    }
}
