//! Tokens: what the lexer makes and the parser reads.

use super::ast::Preposition;
use crate::source::Span;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it is.
    pub(crate) span: Span,
    /// Whether only white space or comments stand before it on its line.
    pub(crate) starts_line: bool,
}

/// The kinds of token. Words and numbers keep their spelling in the source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// Identifier or reserved word.
    Word(Word),
    /// Includes a minus sign that touches the first digit.
    Int(i64),
    Float(f64),
    /// A string without interpolation, escapes resolved.
    Text(String),
    /// A double-quoted string with at least one `${`.
    Interpolated(Vec<Piece>),
    Regex {
        pattern: String,
        flags: String,
    },
    /// An unquoted path after the colon of a noun (EXT-4), up to the closing angle bracket.
    Path(String),
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    Less,
    Greater,
    LeftBracket,
    RightBracket,
    Colon,
    DoubleColon,
    Dot,
    Minus,
    Comma,
    Semicolon,
    At,
    Question,
    Arrow,
    FatArrow,
    Equal,
    DoubleEqual,
    NotEqual,
    LessEqual,
    GreaterEqual,
    Pipe,
    PipeGreater,
    Plus,
    DoublePlus,
    Star,
    Slash,
    Percent,
    /// End of the file.
    End,
}

/// A piece of an interpolated string.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// Literal text, escapes resolved.
    Text(String),
    /// What stands between `${` and `}`.
    Code(Span),
}

/// The class of a word (2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// No reserved word.
    Plain,
    /// A keyword.
    Keyword,
    /// `true false null nil none`
    Literal,
    /// `a an the`
    Article,
    /// One of the closed set.
    Preposition(Preposition),
}

const KEYWORDS: &[&str] = &[
    "publish",
    "require",
    "import",
    "as",
    "if",
    "then",
    "else",
    "when",
    "match",
    "case",
    "otherwise",
    "where",
    "each",
    "in",
    "parallel",
    "concurrency",
    "while",
    "break",
    "type",
    "enum",
    "protocol",
    "error",
    "guard",
    "defer",
    "assert",
    "precondition",
    "and",
    "or",
    "not",
    "is",
    "exists",
    "defined",
    "empty",
    "contains",
    "matches",
];

const PREPOSITIONS: &[(&str, Preposition)] = &[
    ("from", Preposition::From),
    ("for", Preposition::For),
    ("against", Preposition::Against),
    ("to", Preposition::To),
    ("into", Preposition::Into),
    ("via", Preposition::Via),
    ("with", Preposition::With),
    ("on", Preposition::On),
    ("at", Preposition::At),
    ("by", Preposition::By),
];

impl Word {
    /// The class of `text`, ignoring case.
    pub(crate) fn classify(text: &str) -> Word {
        // No reserved word is longer than `precondition` and `concurrency`, and all are ASCII.
        if text.len() > 12 || !text.is_ascii() {
            return Word::Plain;
        }
        let is = |word: &&str| word.eq_ignore_ascii_case(text);
        if ["a", "an", "the"].iter().any(is) {
            Word::Article
        } else if ["true", "false", "null", "nil", "none"].iter().any(is) {
            Word::Literal
        } else if let Some((_, preposition)) = PREPOSITIONS.iter().find(|(word, _)| is(word)) {
            Word::Preposition(*preposition)
        } else if KEYWORDS.iter().any(is) {
            Word::Keyword
        } else {
            Word::Plain
        }
    }
}
