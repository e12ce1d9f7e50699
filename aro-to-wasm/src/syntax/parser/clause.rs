//! The trailing clauses of an action statement (5.3).

use super::expression::EQUALITY;
use super::{Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Action, By, Comparison, Condition, Name, Preposition, With, WithValue};
use crate::syntax::token::{TokenKind, Word};

/// The order in which clauses must stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    With,
    To,
    Where,
    By,
    Default,
    When,
}

impl Rank {
    fn word(self) -> &'static str {
        match self {
            Rank::With => "with",
            Rank::To => "to",
            Rank::Where => "where",
            Rank::By => "by",
            Rank::Default => "default",
            Rank::When => "when",
        }
    }
}

impl Parser<'_> {
    /// Whether a clause that is no preposition begins here.
    pub(super) fn at_clause(&self) -> bool {
        ["where", "when", "as", "default"]
            .iter()
            .any(|word| self.at_word(word))
            || self.at_matching()
    }

    /// `matching "glob"`
    fn at_matching(&self) -> bool {
        self.at_word("matching")
            && matches!(
                self.peek(1),
                TokenKind::Text(_) | TokenKind::Interpolated(_) | TokenKind::Less
            )
    }

    /// Clauses and further objects up to the end of the action.
    pub(super) fn clauses(&mut self, action: &mut Action) -> Parse<()> {
        let mut last: Option<(Rank, Span)> = None;
        loop {
            let start = self.span();
            let rank = match self.preposition(0) {
                Some(Preposition::With) => Rank::With,
                Some(Preposition::To) if !self.at_article(1) => Rank::To,
                Some(Preposition::By) if !self.at_article(1) => Rank::By,
                Some(preposition) => {
                    in_order(last, Rank::To, start, self.word(0))?;
                    let object = self.object(preposition)?;
                    action.extra.push(object);
                    continue;
                }
                None if self.at_matching() => Rank::With,
                None if self.at_word("where") => Rank::Where,
                None if self.at_word("default") => Rank::Default,
                None if self.at_word("when") => Rank::When,
                None if self.at_word("as") => {
                    self.alias(action)?;
                    continue;
                }
                None => return Ok(()),
            };
            in_order(last, rank, start, rank.word())?;
            if let Some((_, first)) =
                last.filter(|(earlier, _)| *earlier == rank && rank != Rank::With)
            {
                return Err(repeated(rank.word(), start, first));
            }
            self.clause(action, rank, start, last)?;
            last = Some((rank, start));
        }
    }

    fn clause(
        &mut self,
        action: &mut Action,
        rank: Rank,
        start: Span,
        last: Option<(Rank, Span)>,
    ) -> Parse<()> {
        match rank {
            Rank::With => {
                let with = self.with_clause()?;
                let plain = |with: &With| with.label.is_none();
                if plain(&with) && action.clauses.with.iter().any(plain) {
                    return Err(repeated(
                        "with",
                        start,
                        last.map_or(start, |(_, span)| span),
                    ));
                }
                action.clauses.with.push(with);
            }
            Rank::To => {
                self.bump();
                action.clauses.to = Some(self.expression()?);
            }
            Rank::Where => {
                self.bump();
                self.conditions = 0;
                action.clauses.filter = Some(self.condition()?);
            }
            Rank::By => action.clauses.by = Some(self.by_clause()?),
            Rank::Default => {
                self.bump();
                action.clauses.default = Some(self.expression()?);
            }
            Rank::When => {
                self.bump();
                action.when = Some(self.expression()?);
            }
        }
        Ok(())
    }

    /// `as <name>`
    fn alias(&mut self, action: &mut Action) -> Parse<()> {
        let keyword = self.bump();
        self.eat_article();
        if !self.at(&TokenKind::Less) {
            let mistake = self.expected("`<`").help("write `as <name>`");
            return Err(Box::new(mistake));
        }
        if let Some(first) = &action.clauses.alias {
            return Err(repeated("as", keyword, first.span));
        }
        action.clauses.alias = Some(self.angle_noun()?);
        Ok(())
    }

    /// Whether a label and its value stand `ahead`: `id <x>`, `headers {…}`. Answers the number of tokens of the label.
    pub(super) fn label(&self, ahead: usize) -> Option<usize> {
        let labels = match self.word_class(ahead)? {
            Word::Plain => true,
            Word::Keyword => ["type", "error", "protocol", "concurrency"]
                .iter()
                .any(|word| self.word_ahead(ahead, word)),
            Word::Literal | Word::Article | Word::Preposition(_) => false,
        };
        let mut length = 1;
        while *self.peek(ahead + length) == TokenKind::Minus
            && self.touches(ahead + length)
            && self.touches(ahead + length + 1)
        {
            length += 2;
        }
        let next = ahead + length;
        let value = match self.peek(next) {
            TokenKind::Text(_)
            | TokenKind::Interpolated(_)
            | TokenKind::Int(_)
            | TokenKind::Float(_) => true,
            TokenKind::Regex { .. } | TokenKind::LeftBrace | TokenKind::LeftBracket => true,
            TokenKind::Less => self.at_noun(next),
            TokenKind::Word(Word::Literal) => true,
            _ => false,
        };
        (labels && value && !self.starts_line(next)
            || labels && matches!(self.peek(next), TokenKind::LeftBrace))
        .then_some(length)
    }

    /// `sum(<field>)`
    pub(super) fn aggregate_ahead(&self, ahead: usize) -> bool {
        let functions = ["sum", "count", "avg", "min", "max"];
        functions
            .iter()
            .any(|function| self.word_ahead(ahead, function))
            && *self.peek(ahead + 1) == TokenKind::LeftParen
    }

    /// At `with` or `matching`.
    fn with_clause(&mut self) -> Parse<With> {
        if self.at_word("matching") {
            let label = Some(self.name_here());
            return Ok(With {
                label,
                value: WithValue::Expression(self.expression()?),
            });
        }
        self.bump();
        if self.aggregate_ahead(0) {
            return Ok(With {
                label: None,
                value: self.aggregate()?,
            });
        }
        let label = if self.label(0).is_some() {
            Some(self.bare_name()?)
        } else {
            None
        };
        // `with the <value>` reads as `with <value>`.
        if self.at_article(0) && *self.peek(1) == TokenKind::Less {
            self.bump();
        }
        let value = self.expression()?;
        let value = match self.time_unit() {
            Some(unit) => WithValue::Duration {
                amount: value,
                unit,
            },
            None => WithValue::Expression(value),
        };
        Ok(With { label, value })
    }

    fn aggregate(&mut self) -> Parse<WithValue> {
        let function = self.word(0).to_ascii_lowercase();
        self.bump();
        let open = self.bump();
        let field = match self.kind() {
            TokenKind::RightParen => None,
            TokenKind::Less => Some(self.plain_name()?.text),
            _ => Some(self.bare_name()?.text),
        };
        self.expect_close(&TokenKind::RightParen, ")", open)?;
        Ok(WithValue::Aggregate { function, field })
    }

    fn by_clause(&mut self) -> Parse<By> {
        self.bump();
        let by = match self.kind() {
            TokenKind::Regex { pattern, flags } => By::Regex {
                pattern: pattern.clone(),
                flags: flags.clone(),
            },
            TokenKind::Text(text) => By::Text(text.clone()),
            TokenKind::Less => return self.plain_name().map(By::Name),
            _ => {
                let mistake =
                    self.expected("a regex literal, a string literal, or <name> after `by`");
                let word = self.word(0);
                return Err(if word.is_empty() {
                    mistake
                } else {
                    Box::new(mistake.help(format!("write `by <{word}>`")))
                });
            }
        };
        self.bump();
        Ok(by)
    }

    /// `field op value`, joined by `and` and `or` (EXT-15).
    fn condition(&mut self) -> Parse<Condition> {
        let mut any = self.all_conditions()?;
        while self.eat_word("or") {
            let next = match self.bare_alternative(&any)? {
                Some(copied) => copied,
                None => self.nested(Self::all_conditions)?,
            };
            any = Condition::Or(Box::new(any), Box::new(next));
            self.count_condition()?;
        }
        Ok(any)
    }

    fn all_conditions(&mut self) -> Parse<Condition> {
        let mut all = self.comparison()?;
        while self.eat_word("and") {
            let next = self.comparison()?;
            all = Condition::And(Box::new(all), Box::new(next));
            self.count_condition()?;
        }
        Ok(all)
    }

    /// Conditions chain to the left: their number is the height of the tree.
    fn count_condition(&mut self) -> Parse<()> {
        self.conditions += 1;
        if self.conditions > super::DEPTH_MAX {
            Err(self.too_deep(self.previous()))
        } else {
            Ok(())
        }
    }

    /// `where <c> = "x" or "y"`: the comparison is meant for the second value too.
    fn bare_alternative(&mut self, left: &Condition) -> Parse<Option<Condition>> {
        if self.at(&TokenKind::Less)
            || matches!(self.kind(), TokenKind::Word(Word::Plain | Word::Keyword))
            || !self.at_value(0)
        {
            return Ok(None);
        }
        let last = match left {
            Condition::Or(_, last) => last,
            other => other,
        };
        let Condition::Compare {
            field, operator, ..
        } = last
        else {
            return Ok(None);
        };
        let value = self.binary(EQUALITY)?;
        Ok(Some(Condition::Compare {
            field: field.clone(),
            operator: *operator,
            value,
        }))
    }

    fn comparison(&mut self) -> Parse<Condition> {
        let field = self.field()?;
        let operator = self.comparison_operator()?;
        let value = self.binary(EQUALITY)?;
        Ok(Condition::Compare {
            field,
            operator,
            value,
        })
    }

    /// The field with or without brackets, dotted if it is nested.
    fn field(&mut self) -> Parse<Name> {
        if self.at(&TokenKind::Less) {
            let noun = self.angle_noun()?;
            let mut text = noun.base;
            if let Some(qualifier) = noun.qualifier.filter(|qualifier| !qualifier.quoted) {
                text = format!("{text}.{}", qualifier.text);
            }
            return Ok(Name {
                text,
                span: noun.span,
            });
        }
        if self.word_class(0).is_none() {
            return Err(Box::new(
                self.expected("a field name")
                    .help("write `where id = <key>`"),
            ));
        }
        let mut name = self.bare_name()?;
        while self.at(&TokenKind::Dot)
            && self.touches(0)
            && self.touches(1)
            && self.word_class(1).is_some()
        {
            self.bump();
            self.bare_name()?;
            name.span = self.since(name.span);
            name.text = self.text(name.span).to_owned();
        }
        Ok(name)
    }

    fn comparison_operator(&mut self) -> Parse<Comparison> {
        let (operator, tokens) = match self.kind() {
            TokenKind::Equal | TokenKind::DoubleEqual => (Comparison::Equal, 1),
            TokenKind::NotEqual => (Comparison::NotEqual, 1),
            TokenKind::Less if *self.peek(1) == TokenKind::Equal => (Comparison::LessOrEqual, 2),
            TokenKind::Greater if *self.peek(1) == TokenKind::Equal => {
                (Comparison::GreaterOrEqual, 2)
            }
            TokenKind::Less => (Comparison::Less, 1),
            TokenKind::Greater => (Comparison::Greater, 1),
            TokenKind::LessEqual => (Comparison::LessOrEqual, 1),
            TokenKind::GreaterEqual => (Comparison::GreaterOrEqual, 1),
            _ => match self.word(0).to_ascii_lowercase().as_str() {
                "is" if self.word_ahead(1, "not") => (Comparison::NotEqual, 2),
                "is" | "equals" => (Comparison::Equal, 1),
                "contains" => (Comparison::Contains, 1),
                "matches" => (Comparison::Matches, 1),
                "in" => (Comparison::In, 1),
                "not" if self.word_ahead(1, "in") => (Comparison::NotIn, 2),
                "not" => {
                    self.bump();
                    return Err(self.expected("`in` after `not` in a where clause"));
                }
                "starts" if self.word_ahead(1, "with") => (Comparison::StartsWith, 2),
                "ends" if self.word_ahead(1, "with") => (Comparison::EndsWith, 2),
                "starts" if *self.peek(1) == TokenKind::Minus && self.word_ahead(2, "with") => {
                    (Comparison::StartsWith, 3)
                }
                "ends" if *self.peek(1) == TokenKind::Minus && self.word_ahead(2, "with") => {
                    (Comparison::EndsWith, 3)
                }
                _ => {
                    return Err(self.expected("a comparison operator (is, =, <, >, <=, >=, !=, contains, matches, in, not in)"));
                }
            },
        };
        for _ in 0..tokens {
            self.bump();
        }
        Ok(operator)
    }
}

fn in_order(last: Option<(Rank, Span)>, rank: Rank, at: Span, word: &str) -> Parse<()> {
    let Some((later, span)) = last.filter(|(last, _)| *last > rank) else {
        return Ok(());
    };
    let message = format!("`{word}` stands behind `{}`", later.word());
    Err(Box::new(
        Diagnostic::new(Code::ClauseOrder, at, message)
            .label(span, format!("`{}` must come after it", later.word()))
            .help("the order is: with, to, where, by, default, when"),
    ))
}

fn repeated(word: &str, at: Span, first: Span) -> Box<Diagnostic> {
    let mistake = Diagnostic::new(Code::ClauseOrder, at, format!("`{word}` is written twice"))
        .label(first, "the first one");
    Box::new(if word == "with" {
        mistake.help("several values go into one map, or each has a label: `with headers { … }`")
    } else {
        mistake
    })
}
