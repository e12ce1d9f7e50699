//! Statements: what begins one, what ends one, and how reading goes on after a broken one.

use super::{Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Block, Name, Publish, Require, Statement};
use crate::syntax::token::{TokenKind, Word};

/// Keywords that begin a statement.
const STARTERS: &[&str] = &[
    "match", "for", "parallel", "while", "break", "publish", "require", "if", "when", "then",
    "assert", "exists",
];

impl Parser<'_> {
    /// Statements up to the brace that closes the one at `open`.
    pub(super) fn statements(&mut self, open: Span) -> Block {
        let mut block = Block::default();
        loop {
            match self.kind() {
                TokenKind::RightBrace => {
                    self.bump();
                    return block;
                }
                TokenKind::End => {
                    self.unclosed_block(open);
                    return block;
                }
                TokenKind::LeftParen if self.at_header() => {
                    self.unclosed_block(open);
                    return block;
                }
                _ => {}
            }
            let start = self.at;
            let since = self.span().start;
            match self.statement() {
                Ok(statement) => block.statements.push(statement),
                Err(diagnostic) => {
                    self.report(*diagnostic, since);
                    self.recover(start);
                }
            }
        }
    }

    /// Statements up to the end of the text.
    pub(super) fn fragment(&mut self) -> Block {
        let mut block = Block::default();
        while !self.at(&TokenKind::End) {
            let start = self.at;
            let since = self.span().start;
            match self.statement() {
                Ok(statement) => block.statements.push(statement),
                Err(diagnostic) => {
                    self.report(*diagnostic, since);
                    // A brace that closes nothing would stop the recovery, and ends what can be read.
                    if self.at(&TokenKind::RightBrace) && self.at == start {
                        return block;
                    }
                    self.recover(start);
                    if self.at(&TokenKind::RightBrace) {
                        return block;
                    }
                }
            }
        }
        block
    }

    /// Reported once, for the innermost block.
    pub(super) fn unclosed_block(&mut self, open: Span) {
        let here = self.span();
        let reported = self.diagnostics.last().is_some_and(|last| {
            last.code == Code::Unclosed && last.labels.iter().any(|(span, _)| *span == here)
        });
        if reported {
            return;
        }
        let what = if self.at(&TokenKind::End) {
            "the file ends here"
        } else {
            "but here the next feature set begins"
        };
        let mistake = Diagnostic::new(Code::Unclosed, open, "this `{` is never closed")
            .label(here, what)
            .help("close the block with `}`");
        self.report(mistake, here.start);
    }

    /// Skips at least one token, to behind the next full stop or before the end of the block or the next statement.
    fn recover(&mut self, start: usize) {
        // Braces that the broken statement opened: a map, or the cases of a match, whose own statements must not be taken for later ones.
        let mut depth = self.open_braces(start);
        let cases = self
            .tokens
            .get(start)
            .is_some_and(|token| self.text(token.span).eq_ignore_ascii_case("match"));
        if self.at == start && !matches!(self.kind(), TokenKind::LeftBrace | TokenKind::RightBrace)
        {
            self.bump();
        }
        loop {
            let fresh = self.at > start && self.starts_line(0);
            match self.kind() {
                TokenKind::End => return,
                TokenKind::RightBrace if depth == 0 => return,
                TokenKind::RightBrace => {
                    depth -= 1;
                    self.bump();
                    if depth == 0 && self.starts_line(0) && self.at_statement() {
                        return;
                    }
                    continue;
                }
                TokenKind::LeftBrace => depth += 1,
                TokenKind::LeftParen if self.at_header() => return,
                TokenKind::Dot if depth == 0 => {
                    while self.eat(&TokenKind::Dot) {}
                    return;
                }
                _ if (depth == 0 || !cases) && fresh && self.at_statement() => return,
                _ => {}
            }
            self.bump();
        }
    }

    fn open_braces(&self, start: usize) -> u32 {
        let read = self.tokens.get(start..self.at).unwrap_or_default();
        read.iter().fold(0, |depth, token| match token.kind {
            TokenKind::LeftBrace => depth + 1,
            TokenKind::RightBrace => depth.saturating_sub(1),
            _ => depth,
        })
    }

    /// Whether a statement seems to begin here; only used to end broken ones.
    pub(super) fn at_statement(&self) -> bool {
        match self.kind() {
            TokenKind::Word(_) => {
                let word = self.word(0);
                if self.starts_keyword(0) {
                    return true;
                }
                let next = matches!(
                    self.peek(1),
                    TokenKind::Word(Word::Article | Word::Preposition(_))
                        | TokenKind::Less
                        | TokenKind::Text(_)
                        | TokenKind::Interpolated(_)
                );
                word.starts_with(char::is_uppercase) && next
            }
            TokenKind::Less => {
                self.word_class(1).is_some()
                    && *self.peek(2) == TokenKind::Greater
                    && self.word_class(3).is_some()
            }
            _ => false,
        }
    }

    pub(super) fn starts_keyword(&self, ahead: usize) -> bool {
        STARTERS
            .iter()
            .any(|starter| self.word_ahead(ahead, starter))
    }

    fn statement(&mut self) -> Parse<Statement> {
        let word = self.word(0).to_ascii_lowercase();
        match word.as_str() {
            "match" => self.match_statement(),
            "for" | "parallel" => self.for_statement(),
            "while" => self.while_statement(),
            "break" => {
                let start = self.bump();
                self.terminator()?;
                Ok(Statement::Break(self.since(start)))
            }
            "if" => self.if_statement(),
            "when" if !self.at_article(1) => self.when_statement(),
            "publish" | "require" | "when" | "then" | "assert" | "exists" => {
                self.action_statement()
            }
            "else" | "otherwise" => Err(Box::new(self.expected("a statement").help(format!(
                "`{word}` follows directly behind the closing brace of its block"
            )))),
            "" if self.at(&TokenKind::Less) => self.action_statement(),
            "" => Err(self.no_verb()),
            _ if word.is_empty() => Err(self.no_verb()),
            _ if self.word(0).starts_with(char::is_uppercase)
                && self.word_class(0) == Some(Word::Plain) =>
            {
                self.action_statement()
            }
            _ => Err(self.no_verb()),
        }
    }

    fn no_verb(&self) -> Box<Diagnostic> {
        let word = self.word(0);
        let mistake = self.expected("an action verb (e.g. Extract, Filter, Return)");
        if self.at(&TokenKind::Dot) {
            return Box::new(mistake.help("a block ends with its `}`: remove this full stop"));
        }
        if self.word_class(0) != Some(Word::Plain) {
            return mistake;
        }
        let mut letters = word.chars();
        let capital: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect();
        Box::new(Diagnostic {
            code: Code::LowerCaseVerb,
            message: format!("expected an action verb, but `{word}` starts with a small letter"),
            ..mistake.help(format!("write `{capital}`: behind a full stop a small letter means a member, as in `<user>.name`"))
        })
    }

    /// One or more full stops. If the next line is a new statement, the mistake is reported here and the statement counts.
    pub(super) fn terminator(&mut self) -> Parse<()> {
        if self.at(&TokenKind::Dot) {
            while self.eat(&TokenKind::Dot) {}
            return Ok(());
        }
        let last = self.previous();
        let behind = Span {
            start: last.end,
            ..last
        };
        let mut mistake = *self.expected("`.`");
        mistake.labels.clear();
        let ends_here = matches!(self.kind(), TokenKind::RightBrace | TokenKind::End)
            || (self.starts_line(0) && self.at_statement());
        if ends_here {
            mistake.primary = Some(behind);
            mistake.message = "expected `.` at the end of the statement".to_owned();
            let mistake = mistake
                .label(behind, "the full stop is missing here")
                .help("statements end with a full stop");
            self.report(mistake, last.start);
            return Ok(());
        }
        mistake = mistake.label(self.span(), "expected `.`");
        Err(Box::new(self.explain_end(mistake)))
    }

    /// Hints for what is often written where a statement should end.
    fn explain_end(&self, mistake: Diagnostic) -> Diagnostic {
        let word = self.word(0).to_ascii_lowercase();
        let days = [
            "day", "days", "week", "weeks", "month", "months", "year", "years", "d", "w",
        ];
        match self.kind() {
            TokenKind::GreaterEqual | TokenKind::Arrow => mistake.help("put a space between `>` and what follows it"),
            TokenKind::Plus | TokenKind::Minus | TokenKind::Star | TokenKind::Slash | TokenKind::Percent | TokenKind::DoublePlus => {
                mistake.help("`the <x>` names an object and takes no operators: leave the article out, as in `from <x> + 1`")
            }
            TokenKind::LeftParen => mistake.help("ARO has no function calls: use an action, as in `Compute the <n: length> from the <x>.`"),
            TokenKind::Text(_) | TokenKind::Interpolated(_) => mistake.help("texts are joined with `++`, as in `\"a\" ++ \"b\"`"),
            _ if word == "order" => mistake.help("rows are sorted by a field with `by <name>`, or afterwards: `Sort the <sorted: descending> from the <rows> by <name>.`"),
            _ if word == "limit" => mistake.help("there is no `limit`: take some of the rows afterwards; `Extract the <two: 0-1> from the <rows>.` counts from the end"),
            _ if days.contains(&word.as_str()) => mistake.help("durations are written in milliseconds, seconds, minutes or hours: `24 hours` for a day"),
            _ => mistake.help("statements end with a full stop"),
        }
    }

    /// Behind the verb: `as <external> <internal>.`
    pub(super) fn publish(&mut self, start: Span) -> Parse<Publish> {
        self.expect_word("as")?;
        let external = self.plain_name()?;
        let internal = self.plain_name()?;
        self.terminator()?;
        self.bound.insert(external.text.clone());
        Ok(Publish {
            external,
            internal,
            span: self.since(start),
        })
    }

    /// Behind the verb: `the <name> from the <source>.`
    pub(super) fn require(&mut self, start: Span) -> Parse<Require> {
        self.eat_article();
        let name = self.plain_name()?;
        self.expect_word("from")?;
        self.eat_article();
        let source = if self.at(&TokenKind::Less) {
            self.plain_name()?
        } else {
            self.bare_name()?
        };
        self.terminator()?;
        self.bound.insert(name.text.clone());
        Ok(Require {
            name,
            source,
            span: self.since(start),
        })
    }

    /// A compound name without brackets; hyphens must touch.
    pub(super) fn bare_name(&mut self) -> Parse<Name> {
        if self.word_class(0).is_none() {
            return Err(self.expected("an identifier"));
        }
        let start = self.bump();
        while self.at(&TokenKind::Minus)
            && self.touches(0)
            && self.touches(1)
            && self.word_class(1).is_some()
        {
            self.bump();
            self.bump();
        }
        let span = self.since(start);
        Ok(Name {
            text: self.text(span).to_owned(),
            span,
        })
    }
}
