//! Expressions by precedence climbing (7.1), with the shorthand for alternatives (7.3) written out in the tree.

use super::{DEPTH_MAX, Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{BinaryOperator, Expression, ExpressionKind, IsTest, Name, UnaryOperator};
use crate::syntax::token::{TokenKind, Word};

const OR: u8 = 1;
const AND: u8 = 2;
pub(super) const EQUALITY: u8 = 3;
const RELATION: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;

/// What stands behind a complete operand.
#[derive(Clone, Copy)]
enum Infix {
    Operator(BinaryOperator, u8),
    Is,
    NotIn,
    /// A number with a minus sign that is a subtraction here (EXT-2).
    Minus,
}

impl Infix {
    fn level(self) -> u8 {
        match self {
            Infix::Operator(_, level) => level,
            Infix::Is | Infix::NotIn => EQUALITY,
            Infix::Minus => SUM,
        }
    }
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parse<Expression> {
        self.binary(OR)
    }

    /// An expression whose operators bind at least as tightly as `minimum`.
    pub(super) fn binary(&mut self, minimum: u8) -> Parse<Expression> {
        let left = self.nested(Self::unary)?;
        self.binary_from(left, minimum)
    }

    /// What goes on behind the leftmost operand.
    fn binary_from(&mut self, mut left: Expression, minimum: u8) -> Parse<Expression> {
        while let Some(infix) = self.infix().filter(|infix| infix.level() >= minimum) {
            let height = self.height;
            left = match infix {
                Infix::Operator(operator, level) => {
                    self.bump();
                    let right = self.nested(|parser| parser.binary(level + 1))?;
                    self.raise(height, right.span)?;
                    self.join(left, operator, right)
                }
                Infix::Minus => {
                    let right = self.nested(|parser| {
                        let number = parser.minus()?;
                        parser.binary_from(number, PRODUCT)
                    })?;
                    self.raise(height, right.span)?;
                    combine(left, BinaryOperator::Subtract, right)
                }
                Infix::NotIn => {
                    self.bump();
                    self.bump();
                    let right = self.nested(|parser| parser.binary(RELATION))?;
                    self.raise(height + 1, right.span)?;
                    negate(combine(left, BinaryOperator::In, right))
                }
                Infix::Is => {
                    let tested = self.is_test(left)?;
                    self.raise(height + 1, tested.span)?;
                    tested
                }
            };
        }
        Ok(left)
    }

    /// Notes that a node was put above trees of height `left` and of the height read last.
    fn raise(&mut self, left: u32, at: Span) -> Parse<()> {
        self.height = self.height.max(left) + 1;
        if self.height > DEPTH_MAX {
            Err(self.too_deep(at))
        } else {
            Ok(())
        }
    }

    fn infix(&self) -> Option<Infix> {
        use BinaryOperator as Op;
        let (operator, level) = match self.kind() {
            TokenKind::DoubleEqual | TokenKind::Equal => (Op::Equal, EQUALITY),
            TokenKind::NotEqual => (Op::NotEqual, EQUALITY),
            TokenKind::LessEqual => (Op::LessOrEqual, RELATION),
            TokenKind::GreaterEqual => (Op::GreaterOrEqual, RELATION),
            TokenKind::Greater => (Op::Greater, RELATION),
            TokenKind::Less if !self.at_noun(0) => (Op::Less, RELATION),
            TokenKind::Plus => (Op::Add, SUM),
            TokenKind::Minus => (Op::Subtract, SUM),
            TokenKind::DoublePlus => (Op::Concat, SUM),
            TokenKind::Star => (Op::Multiply, PRODUCT),
            TokenKind::Slash => (Op::Divide, PRODUCT),
            TokenKind::Percent => (Op::Remainder, PRODUCT),
            TokenKind::Int(_) | TokenKind::Float(_) if self.text(self.span()).starts_with('-') => {
                return Some(Infix::Minus);
            }
            TokenKind::Word(_) => return self.infix_word(),
            _ => return None,
        };
        Some(Infix::Operator(operator, level))
    }

    fn infix_word(&self) -> Option<Infix> {
        use BinaryOperator as Op;
        let word = self.word(0).to_ascii_lowercase();
        let (operator, level) = match word.as_str() {
            "or" => (Op::Or, OR),
            "and" => (Op::And, AND),
            "contains" => (Op::Contains, EQUALITY),
            "matches" => (Op::Matches, EQUALITY),
            "equals" => (Op::Equal, EQUALITY),
            // `in the <repository>` is the preposition (EXT-22).
            "in" if !self.at_article(1) => (Op::In, EQUALITY),
            "is" => return Some(Infix::Is),
            "not" if self.word_ahead(1, "in") => return Some(Infix::NotIn),
            _ => return None,
        };
        Some(Infix::Operator(operator, level))
    }

    /// Whether what stands here goes on an expression: an operator, a member, or `exists`.
    pub(super) fn continues_expression(&self) -> bool {
        self.infix().is_some() || self.at_member() || self.at_word("exists")
    }

    /// Whether the angle bracket here opens a noun rather than compares: its name is closed or qualified (EXT-26), or the bracket opens a verb.
    pub(super) fn at_noun(&self, ahead: usize) -> bool {
        if *self.peek(ahead) != TokenKind::Less || self.word_class(ahead + 1).is_none() {
            return false;
        }
        let mut ahead = ahead + 2;
        while *self.peek(ahead) == TokenKind::Minus && self.word_class(ahead + 1).is_some() {
            ahead += 2;
        }
        matches!(self.peek(ahead), TokenKind::Greater | TokenKind::Colon)
    }

    /// The number behind its minus sign.
    fn minus(&mut self) -> Parse<Expression> {
        let positive = match self.kind() {
            TokenKind::Int(value) => value.checked_neg().map(ExpressionKind::Int),
            TokenKind::Float(value) => Some(ExpressionKind::Float(-value)),
            _ => None,
        };
        let Some(kind) = positive else {
            return Err(self.expected("a number that fits into 64 bits"));
        };
        let span = self.bump();
        self.height = 1;
        self.postfix(Expression {
            kind,
            span: Span {
                start: span.start + 1,
                ..span
            },
        })
    }

    fn unary(&mut self) -> Parse<Expression> {
        let operator = match self.kind() {
            TokenKind::Minus => UnaryOperator::Negate,
            TokenKind::Word(Word::Keyword) if self.at_word("not") => UnaryOperator::Not,
            _ => {
                let operand = self.primary()?;
                return self.postfix(operand);
            }
        };
        let start = self.bump();
        let operand = self.nested(Self::unary)?;
        let span = start.to(operand.span);
        self.raise(0, span)?;
        Ok(Expression {
            kind: ExpressionKind::Unary(operator, Box::new(operand)),
            span,
        })
    }

    /// Members, subscripts and `exists` behind an operand.
    fn postfix(&mut self, mut operand: Expression) -> Parse<Expression> {
        loop {
            let (height, start) = (self.height, operand.span);
            let kind = if self.at_member() {
                self.bump();
                ExpressionKind::Member(Box::new(operand), self.name_here())
            } else if self.at(&TokenKind::LeftBracket) {
                let open = self.bump();
                let index = self.nested(Self::expression)?;
                self.expect_close(&TokenKind::RightBracket, "]", open)?;
                ExpressionKind::Index(Box::new(operand), Box::new(index))
            } else if self.at_word("exists") {
                self.bump();
                ExpressionKind::Exists(Box::new(operand))
            } else {
                return Ok(operand);
            };
            let span = self.since(start);
            self.raise(height, span)?;
            operand = Expression { kind, span };
        }
    }

    /// A full stop and a small letter; a reserved word counts only where it touches and begins no statement.
    fn at_member(&self) -> bool {
        let small = self
            .word(1)
            .starts_with(|first: char| first.is_lowercase() || first == '_');
        if !self.at(&TokenKind::Dot) || !small {
            return false;
        }
        self.word_class(1) == Some(Word::Plain)
            || (self.touches(0) && self.touches(1) && !self.starts_keyword(1))
    }

    /// At `is`.
    fn is_test(&mut self, subject: Expression) -> Parse<Expression> {
        self.bump();
        let negated = self.eat_word("not");
        let article = self.eat_article();
        let start = subject.span;
        let finish = |parser: &Self, kind| Expression {
            kind,
            span: parser.since(start),
        };
        self.height = 0;
        if self.eat_word("empty") {
            let kind = ExpressionKind::Is {
                subject: Box::new(subject),
                negated,
                test: IsTest::Empty,
            };
            return Ok(finish(self, kind));
        }
        if self.eat_word("defined") {
            let exists = finish(self, ExpressionKind::Exists(Box::new(subject)));
            return Ok(if negated { negate(exists) } else { exists });
        }
        if self.at_word("in") {
            self.bump();
            let right = self.nested(|parser| parser.binary(RELATION))?;
            let test = combine(subject, BinaryOperator::In, right);
            return Ok(if negated { negate(test) } else { test });
        }
        if self.at_type_name(article) {
            let word = self.bare_name()?;
            let kind = ExpressionKind::Is {
                subject: Box::new(subject),
                negated,
                test: IsTest::Word(word),
            };
            return Ok(finish(self, kind));
        }
        if article {
            return Err(self.expected("a type name"));
        }
        let right = self.nested(|parser| parser.binary(RELATION))?;
        let operator = if negated {
            BinaryOperator::NotEqual
        } else {
            BinaryOperator::Equal
        };
        Ok(combine(subject, operator, right))
    }

    fn at_type_name(&self, article: bool) -> bool {
        match self.word_class(0) {
            Some(Word::Plain) => true,
            Some(Word::Keyword) => {
                let names = [
                    "error",
                    "match",
                    "case",
                    "otherwise",
                    "type",
                    "enum",
                    "protocol",
                    "guard",
                ];
                names.iter().any(|name| self.at_word(name))
            }
            Some(Word::Literal) => article,
            Some(Word::Article | Word::Preposition(_)) | None => false,
        }
    }

    /// Builds `left operator right`, copying the comparison of `left` onto a bare right side (7.3, EXT-27, EXT-28).
    fn join(
        &mut self,
        left: Expression,
        operator: BinaryOperator,
        right: Expression,
    ) -> Expression {
        if !matches!(operator, BinaryOperator::And | BinaryOperator::Or)
            || self.parenthesised == Some(right.span)
            || !copies(&right)
        {
            return combine(left, operator, right);
        }
        let Some((subject, comparison)) = comparison_of(&left, operator) else {
            return combine(left, operator, right);
        };
        if operator == BinaryOperator::And || matches!(right.kind, ExpressionKind::Exists(_)) {
            self.warn_copied(subject, right.span);
        }
        let span = right.span;
        let copied = Expression {
            kind: ExpressionKind::Binary(comparison, Box::new(subject.clone()), Box::new(right)),
            span,
        };
        combine(left, operator, copied)
    }

    fn warn_copied(&mut self, subject: &Expression, right: Span) {
        let (subject_text, right_text) = (
            self.text(subject.span).to_owned(),
            self.text(right).to_owned(),
        );
        let message = format!("`{right_text}` is compared with `{subject_text}` as well");
        self.warn(
            Diagnostic::new(Code::CopiedComparison, right, message)
                .label(right, "the comparison on the left is repeated for this")
                .label(subject.span, "with this on its left side")
                .help(format!(
                    "if it is a condition of its own, write `({right_text})`"
                )),
        );
    }
}

fn combine(left: Expression, operator: BinaryOperator, right: Expression) -> Expression {
    let span = left.span.to(right.span);
    Expression {
        kind: ExpressionKind::Binary(operator, Box::new(left), Box::new(right)),
        span,
    }
}

fn negate(expression: Expression) -> Expression {
    let span = expression.span;
    Expression {
        kind: ExpressionKind::Unary(UnaryOperator::Not, Box::new(expression)),
        span,
    }
}

fn is_comparison(operator: BinaryOperator) -> bool {
    use BinaryOperator as Op;
    match operator {
        Op::Equal | Op::NotEqual | Op::Contains | Op::Matches | Op::In => true,
        Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => true,
        Op::Or
        | Op::And
        | Op::Add
        | Op::Subtract
        | Op::Concat
        | Op::Multiply
        | Op::Divide
        | Op::Remainder => false,
    }
}

/// Whether a right side of `and` or `or` is bare, so that the comparison on the left is meant for it too.
fn copies(right: &Expression) -> bool {
    match &right.kind {
        ExpressionKind::Binary(operator, ..) => {
            !is_comparison(*operator)
                && !matches!(operator, BinaryOperator::And | BinaryOperator::Or)
        }
        ExpressionKind::Bool(_) | ExpressionKind::Exists(_) | ExpressionKind::Is { .. } => false,
        ExpressionKind::Unary(operator, _) => *operator != UnaryOperator::Not,
        ExpressionKind::Null
        | ExpressionKind::Int(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Regex { .. }
        | ExpressionKind::Interpolated(_)
        | ExpressionKind::Reference(_)
        | ExpressionKind::Name(_)
        | ExpressionKind::List(_)
        | ExpressionKind::Map(_)
        | ExpressionKind::Member(..)
        | ExpressionKind::Index(..) => true,
    }
}

/// The comparison at the end of a chain of `operator`: its subject and how it compares.
fn comparison_of(
    left: &Expression,
    operator: BinaryOperator,
) -> Option<(&Expression, BinaryOperator)> {
    match &left.kind {
        ExpressionKind::Binary(comparison, subject, _) if is_comparison(*comparison) => {
            Some((subject, *comparison))
        }
        ExpressionKind::Binary(chain, _, last) if *chain == operator => match &last.kind {
            ExpressionKind::Binary(comparison, subject, _) if is_comparison(*comparison) => {
                Some((subject, *comparison))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A bare word as an expression.
pub(super) fn name_expression(name: Name) -> Expression {
    Expression {
        kind: ExpressionKind::Name(name.text),
        span: name.span,
    }
}
