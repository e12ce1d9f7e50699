//! Nouns `<base: qualifier>` and how a qualifier splits into specifiers (3).

use super::{Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Name, Noun, Qualifier};
use crate::syntax::token::TokenKind;

impl Parser<'_> {
    /// `<base: qualifier>`
    pub(super) fn angle_noun(&mut self) -> Parse<Noun> {
        let open = self.expect(&TokenKind::Less, "`<`")?;
        let (base, path) = self.base()?;
        let mut qualifier = if self.eat(&TokenKind::Colon) {
            Some(self.qualifier(open)?)
        } else {
            None
        };
        if !path.is_empty() {
            qualifier = Some(dotted(path, qualifier));
        }
        self.close_angle(open)?;
        Ok(Noun {
            base,
            qualifier,
            span: self.since(open),
        })
    }

    /// `<name>` where no qualifier may stand.
    pub(super) fn plain_name(&mut self) -> Parse<Name> {
        if !self.at(&TokenKind::Less) {
            let mistake = self.expected("`<`");
            return Err(if self.word_class(0).is_some() {
                Box::new(mistake.help(format!(
                    "names stand in angle brackets: `<{}>`",
                    self.word(0)
                )))
            } else {
                mistake
            });
        }
        let noun = self.angle_noun()?;
        if noun.qualifier.is_some() {
            let mistake = Diagnostic::new(
                Code::UnexpectedToken,
                noun.span,
                "expected a name without a qualifier",
            )
            .help(format!("write `<{}>`", noun.base));
            return Err(Box::new(mistake));
        }
        Ok(Name {
            text: noun.base,
            span: noun.span,
        })
    }

    /// The base, and the path behind it if it is dotted (EXT-4).
    fn base(&mut self) -> Parse<(String, Vec<String>)> {
        if self.word_class(0).is_none() {
            let mistake = self.expected("an identifier");
            return Err(Box::new(mistake.help(
                "names consist of letters, digits, underscores and hyphens and start with a letter",
            )));
        }
        let base = self.compound()?;
        let mut path = Vec::new();
        while self.eat(&TokenKind::Dot) {
            match self.kind() {
                TokenKind::Word(_) => path.push(self.compound()?),
                TokenKind::Int(_) => {
                    let span = self.bump();
                    path.push(self.text(span).to_owned());
                }
                // `users.0.1` reads as the number 0.1.
                TokenKind::Float(_) => {
                    let span = self.bump();
                    path.extend(self.text(span).split('.').map(str::to_owned));
                }
                _ => return Err(self.expected("an identifier after `.`")),
            }
        }
        Ok((base, path))
    }

    /// Words joined by hyphens, spaces around them dropped; `-1` continues a name (EXT-1).
    fn compound(&mut self) -> Parse<String> {
        let span = self.bump();
        let mut name = self.text(span).to_owned();
        loop {
            match self.kind() {
                TokenKind::Minus => {
                    self.bump();
                    if !matches!(self.kind(), TokenKind::Word(_) | TokenKind::Int(_)) {
                        return Err(self.expected("an identifier after `-`"));
                    }
                    name.push('-');
                }
                TokenKind::Int(value) if *value < 0 || self.text(self.span()).starts_with('-') => {}
                // `item-1b`: the letters behind a number.
                TokenKind::Word(_)
                    if self.touches(0) && name.ends_with(|last: char| last.is_ascii_digit()) => {}
                _ => return Ok(name),
            }
            let span = self.bump();
            name.push_str(self.text(span));
        }
    }

    pub(super) fn close_angle(&mut self, open: Span) -> Parse<()> {
        if self.eat(&TokenKind::Greater) {
            return Ok(());
        }
        let mistake = self.expected("`>`").label(open, "to close this `<`");
        let help = match self.kind() {
            TokenKind::GreaterEqual | TokenKind::Arrow => {
                "put a space behind `>`: `<x> = 5`, `<x> >= 5`"
            }
            TokenKind::Word(_) => "words of one name are joined with hyphens: `<user-name>`",
            TokenKind::Text(_) => "text stands behind a colon: `<file: \"./data.json\">`",
            _ => "a name ends with `>`",
        };
        Err(Box::new(mistake.help(help)))
    }

    /// Behind the colon, up to the closing bracket.
    fn qualifier(&mut self, open: Span) -> Parse<Qualifier> {
        if let TokenKind::Text(text) = self.kind() {
            let text = text.clone();
            self.bump();
            return Ok(Qualifier {
                specifiers: vec![text.clone()],
                text,
                quoted: true,
            });
        }
        if matches!(self.kind(), TokenKind::Interpolated(_)) {
            let mistake = self.expected("a qualifier without interpolation");
            return Err(Box::new(mistake.help(
                "compute the text in a statement before this one and use its name",
            )));
        }
        if let TokenKind::Path(path) = self.kind() {
            let text = path.clone();
            self.bump();
            return Ok(Qualifier {
                specifiers: vec![text.clone()],
                text,
                quoted: false,
            });
        }
        let start = self.span();
        let text = self.annotation(open, true)?;
        let span = self.since(start);
        self.check_range(&text, span);
        let specifiers = split(&text);
        Ok(Qualifier {
            text,
            specifiers,
            quoted: false,
        })
    }

    /// Qualifier text behind the colon or `as` at `open`, normalised: no spaces except behind the commas of a generic type. Words and colons that only EXT-4 accepts become the dots they stand for.
    pub(super) fn annotation(&mut self, open: Span, bracketed: bool) -> Parse<String> {
        let mut text = String::new();
        let mut depth = 0_u32;
        let phrase = self.at_word("as");
        loop {
            let glue = match self.kind() {
                // `as Integer with 5`: outside brackets the next word ends the type.
                TokenKind::Word(_) if depth == 0 && !bracketed && is_atom_end(&text) => break,
                // A generic type ends with its bracket.
                TokenKind::Word(_) | TokenKind::Int(_) | TokenKind::Float(_)
                    if text.ends_with('>') =>
                {
                    break;
                }
                TokenKind::Word(_) | TokenKind::Float(_)
                    if is_atom_end(&text) && !self.glued(&text) =>
                {
                    if phrase {
                        " "
                    } else {
                        "."
                    }
                }
                TokenKind::Int(_)
                    if is_atom_end(&text)
                        && !self.touches(0)
                        && !self.text(self.span()).starts_with('-') =>
                {
                    "."
                }
                TokenKind::Word(_)
                | TokenKind::Int(_)
                | TokenKind::Float(_)
                | TokenKind::Regex { .. } => "",
                TokenKind::Dot if !(bracketed || self.touches(0) && self.touches(1)) => break,
                // A path that does not end on its line.
                TokenKind::Dot if text.is_empty() => break,
                TokenKind::Slash if !is_atom_end(&text) => break,
                TokenKind::Minus
                | TokenKind::Plus
                | TokenKind::Dot
                | TokenKind::Slash
                | TokenKind::Pipe => "",
                TokenKind::Comma if depth > 0 => {
                    self.bump();
                    text.push_str(", ");
                    continue;
                }
                TokenKind::Comma if bracketed => "",
                // A glob: `<entries: a*>`, `<entries: 202?>` (actions.md 17.4). What stands apart is a product.
                TokenKind::Star | TokenKind::Question if bracketed && self.at_glob(&text) => "",
                TokenKind::Colon if depth == 0 && bracketed => {
                    self.bump();
                    text.push('.');
                    continue;
                }
                TokenKind::Less if is_atom_end(&text) => {
                    depth += 1;
                    ""
                }
                // `Map<>` and `Map<A, >` name no type.
                TokenKind::Greater if depth > 0 && is_atom_end(&text) => {
                    depth -= 1;
                    ""
                }
                _ => break,
            };
            text.push_str(glue);
            let span = self.bump();
            text.push_str(self.text(span));
        }
        self.whole(text, depth, open)
    }

    /// The text of a qualifier that ends here, unless more must follow.
    fn whole(&self, text: String, depth: u32, open: Span) -> Parse<String> {
        if text.is_empty() {
            return Err(Box::new(
                self.expected("a qualifier").label(open, "of this name"),
            ));
        }
        let expected = match text.chars().last() {
            Some('<' | ' ') => Some("a type"),
            Some('-' | '+' | '.' | '/' | '|' | ',') => Some("an identifier"),
            _ if depth > 0 => Some("`>`"),
            _ => None,
        };
        if let Some(expected) = expected {
            return Err(Box::new(
                self.expected(expected)
                    .label(open, "in the qualifier of this name"),
            ));
        }
        Ok(text)
    }

    /// Date offsets keep their unit (`+7d`), and what touches belongs together.
    fn glued(&self, text: &str) -> bool {
        let offset = text
            .strip_prefix(['+', '-'])
            .is_some_and(|digits| digits.chars().all(|char| char.is_ascii_digit()));
        offset || self.touches(0)
    }

    /// Whether the star or question mark here touches what stands beside it in the qualifier.
    fn at_glob(&self, text: &str) -> bool {
        let before = text.is_empty() || self.touches(0);
        before && (self.touches(1) || *self.peek(1) == TokenKind::Greater)
    }

    fn check_range(&mut self, text: &str, span: Span) {
        let Some((first, last)) = text.split_once('-') else {
            return;
        };
        let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else {
            return;
        };
        if first > last {
            let message = format!("range start ({first}) is greater than end ({last})");
            self.warn(
                Diagnostic::new(Code::ReversedRange, span, message)
                    .help(format!("write `{last}-{first}`")),
            );
        }
    }
}

fn is_atom_end(text: &str) -> bool {
    text.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '>')
}

/// 3.3: at dots, unless it is a chain, a generic type, a path or a URL; `as String` stays whole.
pub(super) fn split(text: &str) -> Vec<String> {
    let opens = ["/", "./", "../", "~", "http://", "https://", "as "];
    if text.contains(['|', '<']) || opens.iter().any(|open| text.starts_with(open)) {
        return vec![text.to_owned()];
    }
    text.split('.')
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `<a.b: c>` is `<a: b.c>`.
fn dotted(mut path: Vec<String>, qualifier: Option<Qualifier>) -> Qualifier {
    let mut text = path.join(".");
    let mut quoted = false;
    if let Some(qualifier) = qualifier {
        text.push('.');
        text.push_str(&qualifier.text);
        quoted = qualifier.quoted;
        path.extend(qualifier.specifiers);
    }
    Qualifier {
        text,
        specifiers: path,
        quoted,
    }
}
