//! Statements with blocks (5.6, 6.2).

use super::{Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{
    Block, Case, Expression, ForEach, If, Match, Pattern, RangeLoop, Statement, While,
};
use crate::syntax::token::{TokenKind, Word};

impl Parser<'_> {
    pub(super) fn match_statement(&mut self) -> Parse<Statement> {
        let start = self.bump();
        let subject = self.expression()?;
        let open = self.expect(&TokenKind::LeftBrace, "`{`")?;
        let (cases, otherwise) = self.nested(|parser| parser.cases(open))?;
        Ok(Statement::Match(Box::new(Match {
            subject,
            cases,
            otherwise,
            span: self.since(start),
        })))
    }

    fn cases(&mut self, open: Span) -> Parse<(Vec<Case>, Option<Block>)> {
        let (mut cases, mut otherwise) = (Vec::new(), None);
        let mut last: Option<Span> = None;
        loop {
            let start = self.span();
            if self.eat_word("case") {
                let case = self.case(start)?;
                if let Some(last) = last {
                    let mistake = Diagnostic::new(
                        Code::UnexpectedToken,
                        start,
                        "a `case` stands behind `otherwise`",
                    )
                    .label(last, "this catches everything")
                    .help("move `otherwise` to the end");
                    self.report(mistake, start.start);
                }
                cases.push(case);
            } else if self.eat_word("otherwise") {
                let block = self.block("`otherwise`")?;
                if let Some(last) = last.replace(start) {
                    let mistake =
                        Diagnostic::new(Code::UnexpectedToken, start, "a second `otherwise`")
                            .label(last, "the first one");
                    self.report(mistake, start.start);
                }
                otherwise = Some(block);
            } else if self.eat(&TokenKind::RightBrace) {
                return Ok((cases, otherwise));
            } else if self.at(&TokenKind::End) {
                self.unclosed_block(open);
                return Ok((cases, otherwise));
            } else {
                return Err(Box::new(
                    self.expected("`case` or `otherwise`")
                        .label(open, "in the match that starts here"),
                ));
            }
        }
    }

    fn case(&mut self, start: Span) -> Parse<Case> {
        let pattern = self.pattern()?;
        let guard = if self.eat_word("where") {
            Some(self.expression()?)
        } else {
            None
        };
        if self.at(&TokenKind::Colon) || self.at(&TokenKind::FatArrow) || self.at(&TokenKind::Arrow)
        {
            let mut mistake = self
                .expected("`{`")
                .help("the statements of a case stand in braces: `case \"a\" { … }`");
            mistake.code = Code::UnsupportedForm;
            return Err(Box::new(mistake));
        }
        let body = self.block("a case")?;
        Ok(Case {
            pattern,
            guard,
            body,
            span: self.since(start),
        })
    }

    fn pattern(&mut self) -> Parse<Pattern> {
        let pattern = match self.kind() {
            TokenKind::Text(text) => Pattern::Text(text.clone()),
            TokenKind::Int(value) => Pattern::Int(*value),
            TokenKind::Float(value) => Pattern::Float(*value),
            TokenKind::Regex { pattern, flags } => Pattern::Regex {
                pattern: pattern.clone(),
                flags: flags.clone(),
            },
            TokenKind::Less => return self.angle_noun().map(Pattern::Noun),
            TokenKind::Word(Word::Literal) => match self.word(0).to_ascii_lowercase().as_str() {
                "true" => Pattern::Bool(true),
                "false" => Pattern::Bool(false),
                _ => Pattern::Null,
            },
            TokenKind::Word(_) if self.word(0) == "_" => Pattern::Any,
            _ => {
                let mistake = self.expected("a pattern (literal, <variable>, _, or /regex/)");
                let help = match self.kind() {
                    TokenKind::Word(_) => format!("write `\"{0}\"` for the text or `<{0}>` for the variable", self.word(0)),
                    TokenKind::Interpolated(_) => "patterns do not interpolate: compute the text before the match and use `<name>`".to_owned(),
                    _ => return Err(mistake),
                };
                return Err(Box::new(mistake.help(help)));
            }
        };
        self.bump();
        Ok(pattern)
    }

    /// At `for` or `parallel`.
    pub(super) fn for_statement(&mut self) -> Parse<Statement> {
        let start = self.span();
        let parallel = self.eat_word("parallel");
        self.expect_word("for")?;
        if self.eat_word("each") {
            return self.for_each(start, parallel);
        }
        if parallel || !matches!(self.kind(), TokenKind::Less) {
            let mistake = self.expected("`each`");
            return Err(Box::new(mistake.help(
                "write `for each <item> in <items> { … }` or `for <i> from 0 to <n> { … }`",
            )));
        }
        let item = self.plain_name()?;
        if self.at_word("in") {
            let mistake = self
                .expected("`from`")
                .help(format!("write `for each <{}> in …`", item.text));
            return Err(Box::new(mistake));
        }
        self.expect_word("from")?;
        let from = self.expression()?;
        self.expect_word("to")?;
        let to = self.expression()?;
        self.bound.insert(item.text.clone());
        let body = self.block("a loop")?;
        Ok(Statement::Range(Box::new(RangeLoop {
            item,
            from,
            to,
            body,
            span: self.since(start),
        })))
    }

    fn for_each(&mut self, start: Span, parallel: bool) -> Parse<Statement> {
        self.eat_article();
        let item = self.plain_name()?;
        let index = if self.eat_word("at") {
            Some(self.plain_name()?)
        } else {
            None
        };
        if !self.at_word("in") {
            let help = format!("write `for each <{}> in <items> {{ … }}`", item.text);
            return Err(Box::new(self.expected("`in`").help(help)));
        }
        self.bump();
        self.eat_article();
        if !self.at(&TokenKind::Less) {
            return Err(Box::new(self.expected("`<`").help("loops go over a named list: `Create the <items> with [ … ].` before it, then `in <items>`")));
        }
        let collection = self.angle_noun()?;
        let mut concurrency = None;
        if self.at_word("with") {
            let with = self.span();
            if !parallel {
                let mistake = self
                    .expected("`{`")
                    .help("only `parallel for each` takes a concurrency limit");
                return Err(Box::new(mistake));
            }
            self.bump();
            concurrency = Some(self.concurrency(with)?);
        }
        let guard = if self.eat_word("where") {
            Some(self.expression()?)
        } else {
            None
        };
        self.bound.insert(item.text.clone());
        self.bound
            .extend(index.iter().map(|index| index.text.clone()));
        let body = self.block("a loop")?;
        let span = self.since(start);
        Ok(Statement::ForEach(Box::new(ForEach {
            item,
            index,
            collection,
            guard,
            body,
            parallel,
            concurrency,
            span,
        })))
    }

    /// `<concurrency: N>`
    fn concurrency(&mut self, with: Span) -> Parse<i64> {
        let open = self.expect(&TokenKind::Less, "`<`")?;
        self.expect_word("concurrency")?;
        self.expect(&TokenKind::Colon, "`:`")?;
        let TokenKind::Int(limit) = *self.kind() else {
            return Err(self.expected("an integer for concurrency"));
        };
        let place = self.bump();
        self.close_angle(open)?;
        if limit <= 0 {
            let message = format!("concurrency limit must be greater than 0, got {limit}");
            self.warn(
                Diagnostic::new(Code::Concurrency, place, message)
                    .label(with, "one item at a time runs instead"),
            );
        }
        Ok(limit)
    }

    pub(super) fn while_statement(&mut self) -> Parse<Statement> {
        let start = self.bump();
        let condition = self.expression()?;
        let body = self.block("a loop")?;
        Ok(Statement::While(Box::new(While {
            condition,
            body,
            span: self.since(start),
        })))
    }

    /// EXT-11: `if COND [then] { … } [else …]`
    pub(super) fn if_statement(&mut self) -> Parse<Statement> {
        let start = self.bump();
        let condition = self.expression()?;
        self.eat_word("then");
        let then = self.block("`if`")?;
        let otherwise = if !self.eat_word("else") {
            None
        } else if self.at_word("if") {
            Some(Block {
                statements: vec![self.nested(Self::if_statement)?],
            })
        } else {
            Some(self.block("`else`")?)
        };
        Ok(Statement::If(Box::new(If {
            condition,
            then,
            otherwise,
            span: self.since(start),
        })))
    }

    /// EXT-12: `when COND { … } [otherwise { … }]`, else the test verb `When`.
    pub(super) fn when_statement(&mut self) -> Parse<Statement> {
        let start = self.span();
        let condition: Option<Expression> = self.attempt(|parser| {
            parser.bump();
            let condition = parser.expression()?;
            if parser.at(&TokenKind::LeftBrace) {
                Ok(condition)
            } else {
                Err(parser.expected("`{`"))
            }
        });
        let Some(condition) = condition else {
            return self.action_statement();
        };
        let then = self.block("`when`")?;
        let otherwise = if self.eat_word("otherwise") {
            Some(self.block("`otherwise`")?)
        } else {
            None
        };
        Ok(Statement::If(Box::new(If {
            condition,
            then,
            otherwise,
            span: self.since(start),
        })))
    }
}
