//! Tokens to syntax tree, by hand: recursive descent for statements, precedence climbing for expressions.
//!
//! It reads the strict grammar and the leniencies of both statement styles into one tree. A broken statement is reported and skipped, and reading goes on with the next one. Look-ahead is bounded and every recursion is counted, so time is linear and the stack is safe on any input.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "at any place few of all tokens may stand"
)]

mod action;
mod clause;
mod control;
mod expression;
mod header;
mod noun;
mod operand;
mod statement;

use super::ast::{Block, Name, Program};
use super::lexer::lex;
use super::token::{Token, TokenKind, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use rustc_hash::FxHashSet;

/// Deepest nesting of blocks, brackets and operators: also the deepest tree, so that later passes may recurse.
pub const DEPTH_MAX: u32 = 200;
/// Largest source file.
pub const SOURCE_BYTES_MAX: usize = 16 << 20;
/// Most diagnostics of one file; the rest would not be read.
pub const DIAGNOSTICS_MAX: usize = 200;

/// What was understood of a file, and what was not.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// Everything that could be read.
    pub program: Program,
    /// Mistakes in source order; empty for a correct file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads one file; `file` is its index for spans. Bad source is reported, never refused.
pub fn parse(file: u32, source: &str) -> Parsed {
    if source.len() > SOURCE_BYTES_MAX {
        let span = Span {
            file,
            start: 0,
            end: 0,
        };
        let message = format!(
            "this file has {} bytes, more than the {SOURCE_BYTES_MAX} that are read",
            source.len()
        );
        return Parsed {
            program: Program::default(),
            diagnostics: vec![Diagnostic::new(Code::FileTooLarge, span, message)],
        };
    }
    let mut parser = Parser::new(file, source, 0..source.len());
    let program = parser.program();
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.map(|span| span.start));
    diagnostics.truncate(DIAGNOSTICS_MAX);
    Parsed {
        program,
        diagnostics,
    }
}

/// Reads the statements in the bytes `range` of `source`, which are those of a template.
pub(crate) fn parse_statements(
    file: u32,
    source: &str,
    range: std::ops::Range<usize>,
) -> (Block, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, source, range);
    let block = parser.fragment();
    (block, parser.diagnostics)
}

/// The result of a parser function that must find something: the caller reports the mistake or gives up as well.
type Parse<T> = Result<T, Box<Diagnostic>>;

struct Parser<'a> {
    source: &'a str,
    file: u32,
    tokens: Vec<Token>,
    at: usize,
    diagnostics: Vec<Diagnostic>,
    /// Where the lexer already complained, ascending.
    lexical: Vec<u32>,
    /// Open recursions.
    depth: u32,
    /// Height of the expression read last.
    height: u32,
    /// Joined conditions of the `where` clause at hand.
    conditions: u32,
    /// Place of the expression in round brackets read last.
    parenthesised: Option<Span>,
    /// Names bound so far in this feature set: they are variables even where a system object has the same name (EXT-7).
    bound: FxHashSet<String>,
}

impl<'a> Parser<'a> {
    fn new(file: u32, source: &'a str, range: std::ops::Range<usize>) -> Self {
        let lexed = lex(file, source, range);
        Parser {
            source,
            file,
            tokens: lexed.tokens,
            at: 0,
            lexical: lexed
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.is_error())
                .filter_map(|diagnostic| diagnostic.primary.map(|span| span.start))
                .collect(),
            diagnostics: lexed.diagnostics,
            depth: 0,
            height: 0,
            conditions: 0,
            parenthesised: None,
            bound: FxHashSet::default(),
        }
    }

    fn peek(&self, ahead: usize) -> &TokenKind {
        self.tokens
            .get(self.at + ahead)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn kind(&self) -> &TokenKind {
        self.peek(0)
    }

    fn span_at(&self, ahead: usize) -> Span {
        let last = self.tokens.last().map_or(
            Span {
                file: self.file,
                start: 0,
                end: 0,
            },
            |token| token.span,
        );
        self.tokens
            .get(self.at + ahead)
            .map_or(last, |token| token.span)
    }

    fn span(&self) -> Span {
        self.span_at(0)
    }

    /// Place of the token read last.
    fn previous(&self) -> Span {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or_else(
            || Span {
                end: self.span().start,
                ..self.span()
            },
            |token| token.span,
        )
    }

    /// From `start` to the token read last.
    fn since(&self, start: Span) -> Span {
        Span {
            end: self.previous().end.max(start.end),
            ..start
        }
    }

    fn starts_line(&self, ahead: usize) -> bool {
        self.tokens
            .get(self.at + ahead)
            .is_none_or(|token| token.starts_line)
    }

    /// Whether the token `ahead` touches the one before it.
    fn touches(&self, ahead: usize) -> bool {
        let before = (self.at + ahead)
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at));
        before.is_some_and(|token| token.span.end == self.span_at(ahead).start)
    }

    fn text(&self, span: Span) -> &'a str {
        self.source
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    fn bump(&mut self) -> Span {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    fn at(&self, kind: &TokenKind) -> bool {
        self.kind() == kind
    }

    fn eat(&mut self, kind: &TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    fn word_class(&self, ahead: usize) -> Option<Word> {
        if let TokenKind::Word(class) = self.peek(ahead) {
            Some(*class)
        } else {
            None
        }
    }

    /// The spelling of the word `ahead`, or nothing if it is no word.
    fn word(&self, ahead: usize) -> &'a str {
        if self.word_class(ahead).is_some() {
            self.text(self.span_at(ahead))
        } else {
            ""
        }
    }

    fn at_word(&self, word: &str) -> bool {
        self.word_ahead(0, word)
    }

    fn word_ahead(&self, ahead: usize, word: &str) -> bool {
        self.word(ahead).eq_ignore_ascii_case(word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.bump();
        }
        found
    }

    fn eat_article(&mut self) -> bool {
        let found = self.at_article(0);
        if found {
            self.bump();
        }
        found
    }

    fn at_article(&self, ahead: usize) -> bool {
        self.word_class(ahead) == Some(Word::Article)
    }

    fn expect_word(&mut self, word: &str) -> Parse<Span> {
        if self.at_word(word) {
            Ok(self.bump())
        } else {
            Err(self.expected(&format!("`{word}`")))
        }
    }

    fn expect(&mut self, kind: &TokenKind, what: &str) -> Parse<Span> {
        if self.at(kind) {
            Ok(self.bump())
        } else {
            Err(self.expected(what))
        }
    }

    /// Expects the partner of the bracket at `open`.
    fn expect_close(&mut self, kind: &TokenKind, close: &str, open: Span) -> Parse<Span> {
        if self.at(kind) {
            return Ok(self.bump());
        }
        let opening = self.text(open).to_owned();
        let mut diagnostic = self.expected(&format!("`{close}`"));
        if matches!(self.kind(), TokenKind::End) {
            diagnostic.code = Code::Unclosed;
            diagnostic.primary = Some(open);
            diagnostic.message = format!("this `{opening}` is never closed");
            diagnostic.labels.clear();
            return Err(Box::new(
                diagnostic.help(format!("close it with `{close}`")),
            ));
        }
        Err(Box::new(
            diagnostic.label(open, format!("to close this `{opening}`")),
        ))
    }

    /// The mistake that the current token is not `what`.
    fn expected(&self, what: &str) -> Box<Diagnostic> {
        let got = self.describe();
        Box::new(
            Diagnostic::new(
                Code::UnexpectedToken,
                self.span(),
                format!("expected {what}, but got {got}"),
            )
            .label(self.span(), format!("expected {what}")),
        )
    }

    /// The current token in words.
    fn describe(&self) -> String {
        let text = self.text(self.span());
        match self.kind() {
            TokenKind::End => "the end of the file".to_owned(),
            TokenKind::Text(_) | TokenKind::Interpolated(_)
                if text.contains('\n') || text.len() > 40 =>
            {
                "a string".to_owned()
            }
            TokenKind::Text(_) | TokenKind::Interpolated(_) => format!("the string {text}"),
            TokenKind::Int(_) | TokenKind::Float(_) => format!("the number `{text}`"),
            TokenKind::Word(Word::Article) => format!("the article `{text}`"),
            TokenKind::Word(Word::Preposition(_)) => format!("the preposition `{text}`"),
            TokenKind::Regex { .. } => format!("the pattern `{text}`"),
            _ => format!("`{text}`"),
        }
    }

    /// Reports a mistake, unless it only follows from an unreadable token since `since`.
    fn report(&mut self, diagnostic: Diagnostic, since: u32) {
        let place = diagnostic
            .primary
            .map_or(since, |span| span.start)
            .max(self.span().start);
        let first = self.lexical.partition_point(|start| *start < since);
        let follows = self.lexical.get(first).is_some_and(|start| *start <= place);
        if !(follows && diagnostic.is_error()) && self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }

    fn warn(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth >= DEPTH_MAX {
            return Err(self.too_deep(self.span()));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::new(
                Code::TooDeep,
                span,
                format!("nested more than {DEPTH_MAX} levels deep"),
            )
            .label(span, "this is one level too much")
            .help("compute parts of it in statements of their own"),
        )
    }

    /// Tries `inner`; on failure nothing has happened. Used where the input decides late, and never inside itself.
    fn attempt<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Option<T> {
        let (at, reported, depth) = (self.at, self.diagnostics.len(), self.depth);
        let result = inner(self).ok();
        if result.is_none() {
            self.at = at;
            self.depth = depth;
            self.diagnostics.truncate(reported);
        }
        result
    }

    fn name_here(&mut self) -> Name {
        let span = self.bump();
        Name {
            text: self.text(span).to_owned(),
            span,
        }
    }
}
