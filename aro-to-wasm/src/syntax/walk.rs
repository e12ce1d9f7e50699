//! Walks over the tree that more than one pass needs.

use super::ast::{
    Action, Block, Clauses, Condition, Expression, ExpressionKind, Noun, Operand, Segment,
    Statement, Target, WithValue,
};
use crate::source::Span;

/// A variable read by an expression.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Base name.
    pub name: &'a str,
    /// The whole noun, if it is not a bare word.
    pub noun: Option<&'a Noun>,
    /// Its place.
    pub span: Span,
    /// Whether it is only asked for, as in `<x> exists` and `<x> is empty`: being unbound is then no mistake.
    pub asked: bool,
}

/// Calls `visit` for every variable in `expression`, left to right.
pub fn uses<'a>(expression: &'a Expression, visit: &mut dyn FnMut(Use<'a>)) {
    uses_in(expression, false, visit);
}

fn uses_in<'a>(expression: &'a Expression, asked: bool, visit: &mut dyn FnMut(Use<'a>)) {
    let span = expression.span;
    match &expression.kind {
        ExpressionKind::Reference(noun) => visit(Use {
            name: &noun.base,
            noun: Some(noun),
            span,
            asked,
        }),
        ExpressionKind::Name(name) => visit(Use {
            name,
            noun: None,
            span,
            asked,
        }),
        ExpressionKind::Interpolated(segments) => {
            for segment in segments {
                if let Segment::Expression(inner) = segment {
                    uses_in(inner, false, visit);
                }
            }
        }
        ExpressionKind::List(items) => items.iter().for_each(|item| uses_in(item, false, visit)),
        ExpressionKind::Map(entries) => entries
            .iter()
            .for_each(|(_, value)| uses_in(value, false, visit)),
        ExpressionKind::Unary(_, inner) => uses_in(inner, false, visit),
        ExpressionKind::Member(inner, _) => uses_in(inner, asked, visit),
        ExpressionKind::Exists(inner) => uses_in(inner, true, visit),
        ExpressionKind::Is { subject, .. } => uses_in(subject, true, visit),
        ExpressionKind::Binary(_, left, right) | ExpressionKind::Index(left, right) => {
            uses_in(left, false, visit);
            uses_in(right, false, visit);
        }
        ExpressionKind::Null
        | ExpressionKind::Bool(_)
        | ExpressionKind::Int(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Regex { .. } => {}
    }
}

/// Calls `visit` for every expression that belongs to `action` itself, in source order: sink, objects, clauses, guard.
pub fn expressions<'a>(action: &'a Action, visit: &mut dyn FnMut(&'a Expression)) {
    if let Target::Sink(sink) = &action.result {
        visit(sink);
    }
    for object in action.object.iter().chain(&action.extra) {
        match &object.operand {
            Operand::Noun(_) => {}
            Operand::Expression(value)
            | Operand::Labelled { value, .. }
            | Operand::Duration { amount: value, .. } => visit(value),
        }
    }
    clauses(&action.clauses, visit);
    action.when.iter().for_each(visit);
}

fn clauses<'a>(clauses: &'a Clauses, visit: &mut dyn FnMut(&'a Expression)) {
    for with in &clauses.with {
        match &with.value {
            WithValue::Expression(value) | WithValue::Duration { amount: value, .. } => {
                visit(value)
            }
            WithValue::Aggregate { .. } => {}
        }
    }
    clauses.to.iter().for_each(&mut *visit);
    if let Some(filter) = &clauses.filter {
        condition(filter, visit);
    }
    clauses.default.iter().for_each(visit);
}

fn condition<'a>(one: &'a Condition, visit: &mut dyn FnMut(&'a Expression)) {
    match one {
        Condition::Compare { value, .. } => visit(value),
        Condition::And(left, right) | Condition::Or(left, right) => {
            condition(left, visit);
            condition(right, visit);
        }
    }
}

/// Calls `visit` for every statement of `block` and of the blocks in it, outer before inner; the flag tells whether it may be skipped or repeated, because it stands in another block.
pub fn statements<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Statement, bool)) {
    statements_in(block, false, visit);
}

fn statements_in<'a>(block: &'a Block, inner: bool, visit: &mut dyn FnMut(&'a Statement, bool)) {
    for statement in &block.statements {
        visit(statement, inner);
        blocks(statement, &mut |block| statements_in(block, true, visit));
    }
}

/// Calls `visit` for every block directly inside `statement`.
pub fn blocks<'a>(statement: &'a Statement, visit: &mut dyn FnMut(&'a Block)) {
    match statement {
        Statement::Match(one) => {
            one.cases.iter().for_each(|case| visit(&case.body));
            one.otherwise.iter().for_each(visit);
        }
        Statement::If(one) => {
            visit(&one.then);
            one.otherwise.iter().for_each(visit);
        }
        Statement::ForEach(one) => visit(&one.body),
        Statement::Range(one) => visit(&one.body),
        Statement::While(one) => visit(&one.body),
        Statement::Action(_)
        | Statement::Pipeline(_)
        | Statement::Publish(_)
        | Statement::Require(_)
        | Statement::Break(_) => {}
    }
}

/// Calls `visit` for every action of `block` and of the blocks in it, pipeline stages included; the flag is that of [`statements`].
pub fn actions<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Action, bool)) {
    statements(block, &mut |statement, inner| match statement {
        Statement::Action(action) => visit(action, inner),
        Statement::Pipeline(stages) => stages.iter().for_each(|stage| visit(stage, inner)),
        Statement::Publish(_)
        | Statement::Require(_)
        | Statement::Match(_)
        | Statement::If(_)
        | Statement::ForEach(_)
        | Statement::Range(_)
        | Statement::While(_)
        | Statement::Break(_) => {}
    });
}

/// Calls `visit` for `expression` and every expression in it, outer before inner.
pub fn parts<'a>(expression: &'a Expression, visit: &mut dyn FnMut(&'a Expression)) {
    visit(expression);
    match &expression.kind {
        ExpressionKind::Interpolated(segments) => {
            for segment in segments {
                if let Segment::Expression(inner) = segment {
                    parts(inner, visit);
                }
            }
        }
        ExpressionKind::List(items) => items.iter().for_each(|item| parts(item, visit)),
        ExpressionKind::Map(entries) => entries.iter().for_each(|(_, value)| parts(value, visit)),
        ExpressionKind::Unary(_, inner)
        | ExpressionKind::Member(inner, _)
        | ExpressionKind::Exists(inner)
        | ExpressionKind::Is { subject: inner, .. } => parts(inner, visit),
        ExpressionKind::Binary(_, left, right) | ExpressionKind::Index(left, right) => {
            parts(left, visit);
            parts(right, visit);
        }
        ExpressionKind::Null
        | ExpressionKind::Bool(_)
        | ExpressionKind::Int(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Regex { .. }
        | ExpressionKind::Reference(_)
        | ExpressionKind::Name(_) => {}
    }
}
