//! Text to tokens, in one pass over the bytes. Mistakes become diagnostics, and the next token is read all the same.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of all tokens matter to the next one"
)]

mod number;
mod text;

use super::token::{Token, TokenKind, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// Longest unquoted path; looking further for its end would make a hostile line slow.
const PATH_BYTES_MAX: usize = 4096;
/// Longest regular expression literal, for the same reason.
const PATTERN_BYTES_MAX: usize = 4096;

/// The tokens of one file or of one `${…}`; the last one is always `End`.
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads the bytes `range` of `source`, which must begin and end between characters.
pub(crate) fn lex(file: u32, source: &str, range: std::ops::Range<usize>) -> Lexed {
    let mut lexer = Lexer {
        source,
        file,
        at: range.start,
        end: range.end.min(source.len()),
        tokens: Vec::with_capacity((range.end - range.start) / 4),
        diagnostics: Vec::new(),
        starts_line: true,
        in_angle: false,
    };
    while lexer.token() {}
    Lexed {
        tokens: lexer.tokens,
        diagnostics: lexer.diagnostics,
    }
}

struct Lexer<'a> {
    source: &'a str,
    file: u32,
    at: usize,
    end: usize,
    tokens: Vec<Token>,
    diagnostics: Vec<Diagnostic>,
    starts_line: bool,
    /// Whether an angle bracket and nothing but name parts precede: a colon then opens a qualifier, which may be a path.
    in_angle: bool,
}

impl<'a> Lexer<'a> {
    /// Reads one token; `false` after the last.
    fn token(&mut self) -> bool {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.char() else {
            self.push(TokenKind::End, start);
            return false;
        };
        match first {
            '"' if self.rest().starts_with("\"\"\"") => self.block_text(),
            '"' => self.quoted_text(),
            '\'' => self.raw_text(),
            '0'..='9' => self.number(),
            '-' if self
                .byte_at(self.at + 1)
                .is_some_and(|byte| byte.is_ascii_digit()) =>
            {
                self.number()
            }
            '/' if self.regex() => {}
            _ if first == '_' || first.is_alphabetic() => self.word(),
            _ => self.punctuator(first),
        }
        true
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..self.end).unwrap_or("")
    }

    fn char(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn byte_at(&self, at: usize) -> Option<u8> {
        if at < self.end {
            self.source.as_bytes().get(at).copied()
        } else {
            None
        }
    }

    fn span(&self, start: usize) -> Span {
        Span {
            file: self.file,
            start: start as u32,
            end: self.at as u32,
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.in_angle = match kind {
            TokenKind::Less => true,
            TokenKind::Word(_) | TokenKind::Minus | TokenKind::Dot | TokenKind::Int(_) => {
                self.in_angle
            }
            _ => false,
        };
        self.tokens.push(Token {
            kind,
            span: self.span(start),
            starts_line: self.starts_line,
        });
        self.starts_line = false;
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// White space and comments.
    fn skip_space(&mut self) {
        while let Some(char) = self.char() {
            // Some editors begin a file with a byte order mark.
            let mark = char == '\u{FEFF}' && self.at == 0;
            if char.is_whitespace() || mark {
                self.starts_line |= char == '\n';
                self.at += char.len_utf8();
            } else if self.rest().starts_with("//") {
                self.at = self.find_from(self.at, "\n").unwrap_or(self.end);
            } else if self.rest().starts_with("(*") {
                self.skip_comment();
            } else {
                return;
            }
        }
    }

    /// Comments do not nest: the first `*)` ends one, the end of the file too.
    fn skip_comment(&mut self) {
        let start = self.at;
        match self.find_from(self.at + 2, "*)") {
            Some(close) => self.at = close + 2,
            None => {
                self.at = start + 2;
                let span = self.span(start);
                self.at = self.end;
                self.report(
                    Diagnostic::new(
                        Code::UnterminatedComment,
                        span,
                        "this comment is never closed",
                    )
                    .label(
                        span,
                        "everything from here to the end of the file is a comment",
                    )
                    .help("close it with `*)`"),
                );
            }
        }
        let skipped = self.source.get(start..self.at).unwrap_or("");
        self.starts_line |= skipped.contains('\n');
    }

    fn find_from(&self, from: usize, needle: &str) -> Option<usize> {
        self.source
            .get(from..self.end)?
            .find(needle)
            .map(|found| from + found)
    }

    fn word(&mut self) {
        let start = self.at;
        let length = self
            .rest()
            .char_indices()
            .find(|(_, char)| !(*char == '_' || char.is_alphanumeric()))
            .map_or(self.end - start, |(length, _)| length);
        self.at += length;
        let class = Word::classify(self.source.get(start..self.at).unwrap_or(""));
        self.push(TokenKind::Word(class), start);
    }

    fn punctuator(&mut self, first: char) {
        let start = self.at;
        let rest = self.rest();
        let Some((text, kind)) = PUNCTUATORS.iter().find(|(text, _)| rest.starts_with(text)) else {
            self.at += first.len_utf8();
            return self.unexpected(first, start);
        };
        let opens_qualifier = self.in_angle && *kind == TokenKind::Colon;
        self.at += text.len();
        self.push(kind.clone(), start);
        if opens_qualifier {
            self.path();
        }
    }

    fn unexpected(&mut self, char: char, start: usize) {
        let span = self.span(start);
        let mut diagnostic = Diagnostic::new(
            Code::UnexpectedCharacter,
            span,
            format!("unexpected character `{char}`"),
        );
        let help = match char {
            '!' => Some("write `not` before a condition, or `!=` for \"is not equal\""),
            '“' | '”' | '„' => Some("text stands between straight quotes: \"…\""),
            '‘' | '’' => Some("raw text stands between straight single quotes: '…'"),
            '#' => Some("comments are written `(* … *)` or `// …`"),
            '&' => Some("write `and`"),
            '$' => Some("`${…}` works inside double quotes only"),
            '–' | '—' | '−' => Some("use the plain hyphen `-`"),
            _ => None,
        };
        diagnostic.help.extend(help.map(str::to_owned));
        self.report(diagnostic);
    }

    /// EXT-4: an unquoted path is read as it stands, up to the closing bracket on the same line.
    fn path(&mut self) {
        let spaces = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        let path = self.rest().get(spaces..).unwrap_or("");
        let opens = [
            "/", "./", "../", "~", "http://", "https://", "ws://", "wss://",
        ];
        if !opens.iter().any(|open| path.starts_with(open)) {
            return;
        }
        let window = path
            .as_bytes()
            .get(..PATH_BYTES_MAX)
            .unwrap_or(path.as_bytes());
        let stop = window
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r' | b'>'));
        let stop = stop.filter(|at| window.get(*at) == Some(&b'>'));
        let Some(length) = stop.filter(|length| *length > 0) else {
            return;
        };
        let text = path.get(..length).unwrap_or("").trim_end();
        self.at += spaces;
        let start = self.at;
        self.at += text.len();
        self.push(TokenKind::Path(text.to_owned()), start);
    }

    /// A slash opens a regular expression only where an operand may stand (2.8): behind a complete operand it divides (EXT-3).
    fn regex(&mut self) -> bool {
        let divides = match self.tokens.last().map(|token| &token.kind) {
            Some(TokenKind::Word(class)) => matches!(class, Word::Plain | Word::Literal),
            Some(
                TokenKind::Dot
                | TokenKind::Int(_)
                | TokenKind::Float(_)
                | TokenKind::Text(_)
                | TokenKind::Interpolated(_)
                | TokenKind::Greater
                | TokenKind::RightParen
                | TokenKind::RightBracket
                | TokenKind::RightBrace,
            ) => true,
            _ => false,
        };
        let start = self.at;
        let body = self.source.get(start + 1..self.end).unwrap_or("");
        if divides || body.starts_with([' ', '\t', '\n', '\r', '/']) {
            return false;
        }
        let Some(length) = closing_slash(body) else {
            return false;
        };
        let pattern = body.get(..length).unwrap_or("").to_owned();
        let after = body.get(length + 1..).unwrap_or("");
        let flags: String = after
            .chars()
            .take_while(|char| "ismg".contains(*char))
            .collect();
        self.at += 1 + length + 1 + flags.len();
        self.push(TokenKind::Regex { pattern, flags }, start);
        true
    }
}

/// Bytes before the first unescaped slash of the line.
fn closing_slash(body: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, char) in body
        .char_indices()
        .take_while(|(at, _)| *at < PATTERN_BYTES_MAX)
    {
        match char {
            '\n' | '\r' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '/' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Longest first.
const PUNCTUATORS: &[(&str, TokenKind)] = &[
    ("::", TokenKind::DoubleColon),
    ("->", TokenKind::Arrow),
    ("=>", TokenKind::FatArrow),
    ("|>", TokenKind::PipeGreater),
    ("++", TokenKind::DoublePlus),
    ("==", TokenKind::DoubleEqual),
    ("!=", TokenKind::NotEqual),
    ("<=", TokenKind::LessEqual),
    (">=", TokenKind::GreaterEqual),
    ("(", TokenKind::LeftParen),
    (")", TokenKind::RightParen),
    ("{", TokenKind::LeftBrace),
    ("}", TokenKind::RightBrace),
    ("<", TokenKind::Less),
    (">", TokenKind::Greater),
    ("[", TokenKind::LeftBracket),
    ("]", TokenKind::RightBracket),
    (":", TokenKind::Colon),
    (".", TokenKind::Dot),
    ("-", TokenKind::Minus),
    (",", TokenKind::Comma),
    (";", TokenKind::Semicolon),
    ("@", TokenKind::At),
    ("?", TokenKind::Question),
    ("=", TokenKind::Equal),
    ("|", TokenKind::Pipe),
    ("+", TokenKind::Plus),
    ("*", TokenKind::Star),
    ("/", TokenKind::Slash),
    ("%", TokenKind::Percent),
];
