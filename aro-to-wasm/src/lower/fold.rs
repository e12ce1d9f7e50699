//! Constant expressions, evaluated when the program is compiled (language.md 16.1).
//!
//! The value runtime's own functions evaluate them, so that folding cannot mean anything else than running. What would fail is left for run time, where it fails with its statement.

use aro_runtime::{Value, access, compare, operate, regex};

use crate::ir::Constant;
use crate::syntax::ast::{
    BinaryOperator, Expression, ExpressionKind, IsTest, Segment, UnaryOperator,
};

/// Longer texts are made when the program runs: repetition would let a short program make a large component.
const FOLDED_TEXT_BYTES_MAX: usize = 1 << 10;

/// A folded scalar. Lists and maps are built when the program runs.
pub(super) enum Folded {
    /// Everything but a text.
    Constant(Constant),
    /// A text.
    Text(&'static str),
}

/// The value of a composite expression of literals only, if it is a scalar.
pub(super) fn fold(expression: &Expression) -> Option<Folded> {
    Some(match composite(expression)? {
        Value::Null => Folded::Constant(Constant::Null),
        Value::Bool(truth) => Folded::Constant(Constant::Bool(truth)),
        Value::Int(number) => Folded::Constant(Constant::Int(number)),
        Value::Float(number) => Folded::Constant(Constant::Float(number)),
        Value::Text(text) => Folded::Text(text),
        _ => return None,
    })
}

/// The truth of a composite expression of literals only.
pub(super) fn truth(expression: &Expression) -> Option<bool> {
    composite(expression).map(operate::truthy)
}

fn composite(expression: &Expression) -> Option<Value> {
    let is_composite = matches!(
        expression.kind,
        ExpressionKind::Unary(..)
            | ExpressionKind::Binary(..)
            | ExpressionKind::Member(..)
            | ExpressionKind::Index(..)
            | ExpressionKind::Interpolated(_)
            | ExpressionKind::Is { .. }
    );
    // Evaluation keeps what it makes for ever, so it begins only where it can end.
    (is_composite && is_literal(expression))
        .then(|| evaluate(expression))
        .flatten()
}

fn is_literal(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Null
        | ExpressionKind::Bool(_)
        | ExpressionKind::Int(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Regex { .. } => true,
        ExpressionKind::Interpolated(segments) => segments.iter().all(|segment| match segment {
            Segment::Text(_) => true,
            Segment::Expression(expression) => is_literal(expression),
        }),
        ExpressionKind::List(items) => items.iter().all(is_literal),
        ExpressionKind::Map(entries) => entries.iter().all(|(_, value)| is_literal(value)),
        ExpressionKind::Unary(_, operand) => is_literal(operand),
        ExpressionKind::Binary(_, left, right) | ExpressionKind::Index(left, right) => {
            is_literal(left) && is_literal(right)
        }
        ExpressionKind::Member(base, _) => is_literal(base),
        ExpressionKind::Is { subject, .. } => is_literal(subject),
        ExpressionKind::Reference(_) | ExpressionKind::Name(_) | ExpressionKind::Exists(_) => false,
    }
}

fn kept(text: &str) -> &'static str {
    text.to_owned().leak()
}

fn evaluate(expression: &Expression) -> Option<Value> {
    let value = match &expression.kind {
        ExpressionKind::Null => Value::Null,
        ExpressionKind::Bool(truth) => Value::Bool(*truth),
        ExpressionKind::Int(number) => Value::Int(*number),
        ExpressionKind::Float(number) => Value::Float(*number),
        ExpressionKind::Text(text) => Value::Text(kept(text)),
        ExpressionKind::Regex { pattern, flags } => Value::regex(kept(pattern), kept(flags)),
        ExpressionKind::Interpolated(segments) => {
            let parts: Option<Vec<Value>> = segments
                .iter()
                .map(|segment| match segment {
                    Segment::Text(text) => Some(Value::Text(kept(text))),
                    Segment::Expression(expression) => evaluate(expression),
                })
                .collect();
            operate::interpolate(&parts?)
        }
        ExpressionKind::List(items) => {
            Value::list(items.iter().map(evaluate).collect::<Option<_>>()?)
        }
        ExpressionKind::Map(entries) => {
            let entry = |(key, value): &(crate::syntax::ast::Name, Expression)| {
                Some((kept(&key.text), evaluate(value)?))
            };
            Value::map(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        ExpressionKind::Unary(UnaryOperator::Negate, operand) => {
            operate::negate(evaluate(operand)?).ok()?
        }
        ExpressionKind::Unary(UnaryOperator::Not, operand) => {
            Value::Bool(!operate::truthy(evaluate(operand)?))
        }
        ExpressionKind::Binary(operator, left, right) => {
            binary(*operator, evaluate(left)?, evaluate(right)?)?
        }
        ExpressionKind::Member(base, name) => {
            access::member(evaluate(base)?, kept(&name.text)).ok()?
        }
        ExpressionKind::Index(base, index) => {
            access::index(evaluate(base)?, evaluate(index)?).ok()?
        }
        ExpressionKind::Is {
            subject,
            negated,
            test,
        } => {
            let subject = evaluate(subject)?;
            let holds = match test {
                IsTest::Empty => operate::is_empty(subject),
                IsTest::Word(word) => operate::is_word(subject, &word.text),
            };
            Value::Bool(holds != *negated)
        }
        ExpressionKind::Reference(_) | ExpressionKind::Name(_) | ExpressionKind::Exists(_) => {
            return None;
        }
    };
    match value {
        Value::Text(text) if text.len() > FOLDED_TEXT_BYTES_MAX => None,
        value => Some(value),
    }
}

fn binary(operator: BinaryOperator, left: Value, right: Value) -> Option<Value> {
    use BinaryOperator as Operator;
    let ordered = |accept: fn(std::cmp::Ordering) -> bool| {
        let order = compare::order(left, right).ok()?;
        Some(Value::Bool(order.is_some_and(accept)))
    };
    let truth = |truth: bool| Some(Value::Bool(truth));
    match operator {
        Operator::Add => operate::add(left, right).ok(),
        Operator::Subtract => operate::sub(left, right).ok(),
        Operator::Multiply if repeats_too_long(left, right) => None,
        Operator::Multiply => operate::mul(left, right).ok(),
        Operator::Divide => operate::div(left, right).ok(),
        Operator::Remainder => operate::rem(left, right).ok(),
        Operator::Concat => Some(operate::concat(left, right)),
        Operator::And => truth(operate::truthy(left) && operate::truthy(right)),
        Operator::Or => truth(operate::truthy(left) || operate::truthy(right)),
        Operator::Equal => truth(compare::equal(left, right)),
        Operator::NotEqual => truth(!compare::equal(left, right)),
        Operator::Contains => truth(compare::contains(left, right)),
        Operator::In => truth(compare::contains(right, left)),
        Operator::Matches => truth(regex::matches(left, right)),
        Operator::Less => ordered(std::cmp::Ordering::is_lt),
        Operator::LessOrEqual => ordered(std::cmp::Ordering::is_le),
        Operator::Greater => ordered(std::cmp::Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(std::cmp::Ordering::is_ge),
    }
}

/// Whether a product is a text beyond the limit, before it is made.
fn repeats_too_long(left: Value, right: Value) -> bool {
    let (text, times) = match (left, right) {
        (Value::Text(text), times) | (times, Value::Text(text)) => (text, times),
        _ => return false,
    };
    let times = times.to_float().unwrap_or_default();
    text.len() as f64 * times > FOLDED_TEXT_BYTES_MAX as f64
}
