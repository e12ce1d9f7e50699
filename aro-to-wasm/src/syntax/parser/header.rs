//! The top level: imports, feature sets and their headers (4).

use super::{Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Block, FeatureSet, Import, Program, Takes};
use crate::syntax::token::TokenKind;

/// Tokens a header may have before its closing bracket, for telling whether a bracket opens one.
const HEADER_TOKENS_MAX: usize = 64;

impl Parser<'_> {
    pub(super) fn program(&mut self) -> Program {
        let mut program = Program::default();
        loop {
            match self.kind() {
                TokenKind::End => return program,
                TokenKind::LeftParen => {
                    let start = self.at;
                    match self.feature_set() {
                        Ok(set) => program.feature_sets.push(set),
                        Err(diagnostic) => {
                            let since = self.tokens.get(start).map_or(0, |token| token.span.start);
                            self.report(*diagnostic, since);
                            self.skip_to_header(start);
                        }
                    }
                }
                _ if self.at_word("import") => {
                    let import = self.import();
                    if !program.feature_sets.is_empty() {
                        let mistake = Diagnostic::new(
                            Code::UnexpectedToken,
                            import.span,
                            "imports stand before the first feature set",
                        )
                        .help("move this line to the top of the file");
                        self.report(mistake, import.span.start);
                    }
                    program.imports.push(import);
                }
                _ => {
                    let start = self.at;
                    let mistake = self.expected("a feature set");
                    let since = self.span().start;
                    self.report(
                        mistake.help(
                            "a file consists of feature sets: `(Name: Business Activity) { … }`",
                        ),
                        since,
                    );
                    self.skip_to_header(start);
                }
            }
        }
    }

    /// `import PATH`: the path is letters, digits and `. / - _`, up to a comment.
    fn import(&mut self) -> Import {
        let keyword = self.bump();
        let line = self
            .source
            .get(keyword.end as usize..)
            .unwrap_or("")
            .split(['\n', '\r'])
            .next()
            .unwrap_or("");
        let path = line
            .trim_start()
            .split(|char: char| !(char.is_alphanumeric() || "./-_".contains(char)))
            .next()
            .and_then(|path| path.split("//").next())
            .filter(|path| !path.is_empty());
        let Some(path) = path else {
            let mistake = self.expected("an import path");
            self.report(
                mistake.help("write `import ../shared`, without quotes"),
                keyword.start,
            );
            if matches!(self.kind(), TokenKind::Text(_)) {
                self.bump();
            }
            return Import {
                path: String::new(),
                span: keyword,
            };
        };
        let start = keyword.end + (line.len() - line.trim_start().len()) as u32;
        let span = Span {
            end: start + path.len() as u32,
            ..keyword
        };
        while self.span().start < span.end && !self.at(&TokenKind::End) {
            self.bump();
        }
        Import {
            path: path.to_owned(),
            span,
        }
    }

    /// After a broken feature set: the next bracket that opens a header, else the next one at all.
    fn skip_to_header(&mut self, start: usize) {
        if self.at == start {
            self.bump();
        }
        while !self.at(&TokenKind::End) && !self.at_header() {
            self.bump();
        }
    }

    /// Whether a feature set begins here: `(` as the first of its line, and `) {`, `) when` or `) where` behind a name.
    pub(super) fn at_header(&self) -> bool {
        if !self.at(&TokenKind::LeftParen) || !self.starts_line(0) {
            return false;
        }
        let mut named = false;
        for ahead in 1..HEADER_TOKENS_MAX {
            named |= *self.peek(ahead) == TokenKind::Colon;
            match self.peek(ahead) {
                TokenKind::RightParen => {
                    let next = ahead + 1;
                    let follows = match self.peek(next) {
                        TokenKind::LeftBrace => true,
                        // A header that was given no body.
                        TokenKind::LeftParen | TokenKind::End => self.starts_line(next) && named,
                        _ => self.word_ahead(next, "when") || self.word_ahead(next, "where"),
                    };
                    return ahead > 1 && follows;
                }
                TokenKind::End | TokenKind::LeftParen => return false,
                _ => {}
            }
        }
        false
    }

    fn feature_set(&mut self) -> Parse<FeatureSet> {
        self.bound.clear();
        let open = self.bump();
        let name = self.words()?;
        if name.is_empty() {
            let mistake = self.expected("the name of a feature set");
            return Err(Box::new(Diagnostic {
                code: Code::MissingName,
                ..mistake.help("write `(Name: Business Activity) { … }`")
            }));
        }
        let (mut activity, mut takes) = (String::new(), None);
        if self.eat(&TokenKind::Colon) {
            activity = self.words()?;
            takes = self.takes(&mut activity)?;
            if activity.is_empty() {
                let mistake = self.expected("a business activity");
                let help = format!(
                    "write what `{name}` belongs to, for example `({name}: Order Management)`"
                );
                return Err(Box::new(Diagnostic {
                    code: Code::MissingActivity,
                    ..mistake.help(help)
                }));
            }
        }
        let close = self.expect_close(&TokenKind::RightParen, ")", open)?;
        let header = open.to(close);
        let guarded = self.eat_word("when") || self.eat_word("where");
        let condition = if guarded {
            Some(self.expression()?)
        } else {
            None
        };
        let body = self.block("a feature set")?;
        Ok(FeatureSet {
            name,
            activity,
            takes,
            condition,
            body,
            header,
            span: self.since(open),
        })
    }

    /// Header words up to a colon, `takes <` or the closing bracket: single spaces between words, none around hyphens and in angle brackets.
    fn words(&mut self) -> Parse<String> {
        let mut words = String::new();
        let mut glued = true;
        loop {
            match self.kind() {
                TokenKind::End
                | TokenKind::RightParen
                | TokenKind::LeftParen
                | TokenKind::Colon => return Ok(words),
                // A brace that is not glued to a path opens the body of a header that was never closed.
                TokenKind::LeftBrace if words.is_empty() || !self.touches(0) => return Ok(words),
                TokenKind::Less => {
                    self.guard(&mut words)?;
                    glued = false;
                    continue;
                }
                _ if self.at_word("takes") && *self.peek(1) == TokenKind::Less => return Ok(words),
                _ => {}
            }
            let hyphen = self.at(&TokenKind::Minus);
            if !(glued || hyphen || self.touches(0)) {
                words.push(' ');
            }
            let span = self.bump();
            words.push_str(self.text(span));
            glued = hyphen;
        }
    }

    /// `<…>` behind a word, taken over without spaces.
    fn guard(&mut self, words: &mut String) -> Parse<()> {
        let open = self.bump();
        words.push('<');
        while !matches!(
            self.kind(),
            TokenKind::Greater
                | TokenKind::End
                | TokenKind::LeftParen
                | TokenKind::RightParen
                | TokenKind::LeftBrace
                | TokenKind::RightBrace
                | TokenKind::Slash
        ) {
            let span = self.bump();
            words.push_str(self.text(span));
        }
        self.close_angle(open)?;
        words.push('>');
        Ok(())
    }

    /// `takes <field: Type>`
    fn takes(&mut self, activity: &mut String) -> Parse<Option<Takes>> {
        if !(self.at_word("takes") && *self.peek(1) == TokenKind::Less) {
            return Ok(None);
        }
        let word = self.bump();
        let noun = self.angle_noun()?;
        if activity != "Action" {
            // Elsewhere these are words of the activity like any other.
            activity.push_str(" takes");
            activity.push_str(&self.text(noun.span).replace(' ', ""));
            let rest = self.words()?;
            activity.push_str(&rest);
            return Ok(None);
        }
        if !self.at(&TokenKind::RightParen) {
            return Err(Box::new(
                self.expected("`)`")
                    .label(word.to(noun.span), "an action takes one value"),
            ));
        }
        Ok(Some(Takes {
            field: noun.base,
            ty: noun.qualifier.map(|qualifier| qualifier.text),
        }))
    }

    /// `{ statements }`
    pub(super) fn block(&mut self, owner: &str) -> Parse<Block> {
        if !self.at(&TokenKind::LeftBrace) {
            return Err(Box::new(self.expected("`{`").help(format!(
                "the statements of {owner} stand between `{{` and `}}`"
            ))));
        }
        self.nested(|parser| {
            let open = parser.bump();
            Ok(parser.statements(open))
        })
    }
}
