//! String literals (2.7): interpolating, raw, and block strings.

use super::Lexer;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::token::{Piece, TokenKind};

impl Lexer<'_> {
    /// `"…"`
    pub(super) fn quoted_text(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut pieces = Vec::new();
        let mut text = String::new();
        loop {
            match self.char() {
                None | Some('\n' | '\r') => {
                    self.unterminated(start, "\"");
                    break;
                }
                Some('"') => {
                    self.at += 1;
                    break;
                }
                Some('\\') => self.escape(&mut text),
                Some('$') if self.rest().starts_with("${") => {
                    let Some(code) = self.code() else {
                        self.open_interpolation(start);
                        break;
                    };
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Code(code));
                }
                Some(char) => {
                    text.push(char);
                    self.at += char.len_utf8();
                }
            }
        }
        if pieces.is_empty() {
            return self.push(TokenKind::Text(text), start);
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        self.push(TokenKind::Interpolated(pieces), start);
    }

    /// Steps over `${…}` and answers what is inside: braces nest, and between single quotes anything goes.
    fn code(&mut self) -> Option<Span> {
        let content = self.source.get(self.at + 2..self.end)?;
        let (mut depth, mut quoted) = (1_u32, false);
        for (at, char) in content.char_indices() {
            match char {
                '\n' | '\r' => return None,
                '\'' => quoted = !quoted,
                _ if quoted => {}
                '"' => return None,
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let start = self.at + 2;
                self.at = start + at + 1;
                return Some(Span {
                    file: self.file,
                    start: start as u32,
                    end: (start + at) as u32,
                });
            }
        }
        None
    }

    /// Ends the string at the end of its line.
    fn open_interpolation(&mut self, start: usize) {
        let open = self.at;
        self.at += 2;
        let span = self.span(open);
        self.skip_line();
        let string = Span {
            end: start as u32 + 1,
            ..self.span(start)
        };
        self.report(
            Diagnostic::new(Code::UnterminatedText, span, "this interpolation is never closed")
                .label(span, "`${` without its `}`")
                .label(string, "in the string that starts here")
                .help("inside `${…}` use single quotes for text; write `\\${` for the characters themselves"),
        );
    }

    fn skip_line(&mut self) {
        let length = self.rest().find(['\n', '\r']).unwrap_or(self.end - self.at);
        self.at += length;
    }

    fn unterminated(&mut self, start: usize, quote: &str) {
        let open = Span {
            end: (start + quote.len()) as u32,
            ..self.span(start)
        };
        self.report(
            Diagnostic::new(Code::UnterminatedText, open, "unterminated string literal")
                .label(open, format!("this {quote} has no partner on its line"))
                .help("close the string on the same line, or write `\"\"\"` for text of several lines"),
        );
    }

    /// At a backslash.
    fn escape(&mut self, text: &mut String) {
        let start = self.at;
        self.at += 1;
        let Some(char) = self.char().filter(|char| !matches!(char, '\n' | '\r')) else {
            return;
        };
        self.at += char.len_utf8();
        let plain = match char {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            '\\' | '"' | '\'' | '$' => char,
            'u' => return self.unicode_escape(start, text),
            _ => {
                let span = self.span(start);
                self.report(
                    Diagnostic::new(Code::InvalidEscape, span, format!("invalid escape sequence `\\{char}`"))
                        .help(r#"known are \n \r \t \\ \" \' \0 \$ and \u{…}; write `\\` for a backslash, or use a raw string '…'"#),
                );
                return;
            }
        };
        text.push(plain);
    }

    /// Behind `\u`.
    fn unicode_escape(&mut self, start: usize, text: &mut String) {
        let digits = self.rest().strip_prefix('{').map_or("", |rest| {
            let length = rest
                .find(|char: char| !char.is_ascii_hexdigit())
                .unwrap_or(rest.len());
            rest.get(..length).unwrap_or("")
        });
        if !digits.is_empty() && self.byte_at(self.at + 1 + digits.len()) == Some(b'}') {
            let scalar = u32::from_str_radix(digits, 16)
                .ok()
                .and_then(char::from_u32);
            self.at += digits.len() + 2;
            if let Some(scalar) = scalar {
                text.push(scalar);
                return;
            }
        }
        let span = self.span(start);
        self.report(
            Diagnostic::new(
                Code::InvalidUnicodeEscape,
                span,
                "invalid unicode escape sequence",
            )
            .help(r"write the number of the character in hexadecimal: `\u{1F600}`"),
        );
    }

    /// `'…'`: only `\'` is an escape.
    pub(super) fn raw_text(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.char() {
                None | Some('\n' | '\r') => {
                    self.unterminated(start, "'");
                    break;
                }
                Some('\'') => {
                    self.at += 1;
                    break;
                }
                Some('\\') if self.byte_at(self.at + 1) == Some(b'\'') => {
                    text.push('\'');
                    self.at += 2;
                }
                Some(char) => {
                    text.push(char);
                    self.at += char.len_utf8();
                }
            }
        }
        self.push(TokenKind::Text(text), start);
    }

    /// `"""…"""`: no interpolation; the white space before the closing quotes is taken off every line.
    pub(super) fn block_text(&mut self) {
        let start = self.at;
        self.at += 3;
        let opening = self.rest().split('\n').next().unwrap_or("");
        if !opening.trim().is_empty() {
            let length = opening
                .find("\"\"\"")
                .map_or(opening.trim_end().len(), |close| close + 3);
            self.at += length;
            let span = self.span(start);
            self.report(
                Diagnostic::new(
                    Code::InvalidBlockText,
                    span,
                    "a block string begins on the line after its `\"\"\"`",
                )
                .help("start a new line after the opening quotes, or use \"…\" for one line"),
            );
            return self.push(TokenKind::Text(String::new()), start);
        }
        self.at = (self.at + opening.len() + 1).min(self.end);
        let mut lines = vec![String::new()];
        let closed = loop {
            let Some(char) = self.char() else { break false };
            match char {
                '"' if self.rest().starts_with("\"\"\"") => {
                    self.at += 3;
                    break true;
                }
                '\n' => lines.push(String::new()),
                '\r' if self.rest().starts_with("\r\n") => {}
                '\\' => {
                    if let Some(line) = lines.last_mut() {
                        self.escape(line);
                    }
                    continue;
                }
                _ => lines
                    .last_mut()
                    .into_iter()
                    .for_each(|line| line.push(char)),
            }
            self.at += char.len_utf8();
        };
        if !closed {
            let open = Span {
                end: start as u32 + 3,
                ..self.span(start)
            };
            self.report(
                Diagnostic::new(Code::UnterminatedText, open, "unterminated string literal")
                    .label(open, "this block string is never closed")
                    .help("close it with `\"\"\"`"),
            );
        }
        self.push(TokenKind::Text(unindent(lines)), start);
    }
}

/// The last line is what stands before the closing quotes: it sets the indent and is no text.
fn unindent(mut lines: Vec<String>) -> String {
    let indent = lines.pop().unwrap_or_default();
    for line in &mut lines {
        if let Some(rest) = line.strip_prefix(indent.as_str()) {
            *line = rest.to_owned();
        } else if line.trim().is_empty() {
            line.clear();
        }
    }
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}
