//! Every place that the tree remembers, with what stands there.

use crate::source::Span;
use crate::syntax::ast::{
    Action, Block, By, Case, Clauses, Condition, Expression, ExpressionKind, IsTest, Name, Noun,
    Object, Operand, Pattern, Program, Segment, Statement, Target, UnaryOperator, WithValue,
};

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// A noun or name: its tokens belong together.
    Word,
    /// The name of an action.
    Verb,
    /// The name behind a member dot.
    Member,
    /// A map literal.
    Map,
    /// A list literal.
    List,
    /// `- e`
    Negation,
    /// A number.
    Number,
    /// A `match` statement.
    Match,
    /// Anything else.
    Other,
}

type Visit<'v> = dyn FnMut(Site, &mut Span) + 'v;

/// Calls `visit` for every place in `program`.
pub(super) fn visit(program: &mut Program, visit: &mut Visit<'_>) {
    for import in &mut program.imports {
        visit(Site::Other, &mut import.span);
    }
    for set in &mut program.feature_sets {
        visit(Site::Other, &mut set.header);
        visit(Site::Other, &mut set.span);
        if let Some(condition) = &mut set.condition {
            expression(condition, visit);
        }
        block(&mut set.body, visit);
    }
}

/// Writes the first letter of every verb large, as it must be without angle brackets.
pub(super) fn capital_verbs(program: &mut Program) {
    for set in &mut program.feature_sets {
        actions(&mut set.body, &mut |action| {
            action.verb.text = capital(&action.verb.text);
        });
    }
}

/// `application.scale` as `Application.Scale`.
pub(super) fn capital(verb: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters.clone()).collect::<String>()
    };
    verb.split('.').map(part).collect::<Vec<_>>().join(".")
}

fn actions(block: &mut Block, visit: &mut dyn FnMut(&mut Action)) {
    for statement in &mut block.statements {
        match statement {
            Statement::Action(action) => visit(action),
            Statement::Pipeline(stages) => stages.iter_mut().for_each(&mut *visit),
            Statement::Publish(_) | Statement::Require(_) | Statement::Break(_) => {}
            Statement::Match(one) => {
                one.cases
                    .iter_mut()
                    .for_each(|case| actions(&mut case.body, visit));
                one.otherwise
                    .iter_mut()
                    .for_each(|block| actions(block, visit));
            }
            Statement::If(one) => {
                actions(&mut one.then, visit);
                one.otherwise
                    .iter_mut()
                    .for_each(|block| actions(block, visit));
            }
            Statement::ForEach(one) => actions(&mut one.body, visit),
            Statement::Range(one) => actions(&mut one.body, visit),
            Statement::While(one) => actions(&mut one.body, visit),
        }
    }
}

fn block(block: &mut Block, visit: &mut Visit<'_>) {
    for one in &mut block.statements {
        statement(one, visit);
    }
}

fn statement(one: &mut Statement, visit: &mut Visit<'_>) {
    match one {
        Statement::Action(one) => action(one, visit),
        Statement::Pipeline(stages) => stages.iter_mut().for_each(|stage| action(stage, visit)),
        Statement::Publish(publish) => {
            name(&mut publish.external, visit);
            name(&mut publish.internal, visit);
            visit(Site::Other, &mut publish.span);
        }
        Statement::Require(require) => {
            name(&mut require.name, visit);
            name(&mut require.source, visit);
            visit(Site::Other, &mut require.span);
        }
        Statement::Match(one) => {
            expression(&mut one.subject, visit);
            one.cases.iter_mut().for_each(|one| case(one, visit));
            one.otherwise.iter_mut().for_each(|one| block(one, visit));
            visit(Site::Match, &mut one.span);
        }
        Statement::If(one) => {
            expression(&mut one.condition, visit);
            block(&mut one.then, visit);
            one.otherwise.iter_mut().for_each(|one| block(one, visit));
            visit(Site::Other, &mut one.span);
        }
        Statement::ForEach(one) => {
            name(&mut one.item, visit);
            one.index.iter_mut().for_each(|one| name(one, visit));
            noun(&mut one.collection, visit);
            one.guard.iter_mut().for_each(|one| expression(one, visit));
            block(&mut one.body, visit);
            visit(Site::Other, &mut one.span);
        }
        Statement::Range(one) => {
            name(&mut one.item, visit);
            expression(&mut one.from, visit);
            expression(&mut one.to, visit);
            block(&mut one.body, visit);
            visit(Site::Other, &mut one.span);
        }
        Statement::While(one) => {
            expression(&mut one.condition, visit);
            block(&mut one.body, visit);
            visit(Site::Other, &mut one.span);
        }
        Statement::Break(span) => visit(Site::Other, span),
    }
}

fn case(one: &mut Case, visit: &mut Visit<'_>) {
    if let Pattern::Noun(pattern) = &mut one.pattern {
        noun(pattern, visit);
    }
    one.guard.iter_mut().for_each(|one| expression(one, visit));
    block(&mut one.body, visit);
    visit(Site::Other, &mut one.span);
}

fn action(one: &mut Action, visit: &mut Visit<'_>) {
    visit(Site::Verb, &mut one.verb.span);
    match &mut one.result {
        Target::Noun(result) => noun(result, visit),
        Target::Sink(sink) => expression(sink, visit),
        Target::None => {}
    }
    let objects = one.object.iter_mut().chain(&mut one.extra);
    objects.for_each(|one| object(one, visit));
    clauses(&mut one.clauses, visit);
    one.when.iter_mut().for_each(|one| expression(one, visit));
    visit(Site::Other, &mut one.span);
}

fn object(one: &mut Object, visit: &mut Visit<'_>) {
    match &mut one.operand {
        Operand::Noun(object) => noun(object, visit),
        Operand::Expression(value) => expression(value, visit),
        Operand::Duration { amount, unit } => {
            expression(amount, visit);
            name(unit, visit);
        }
        Operand::Labelled { label, value } => {
            name(label, visit);
            expression(value, visit);
        }
    }
    visit(Site::Other, &mut one.span);
}

fn clauses(clauses: &mut Clauses, visit: &mut Visit<'_>) {
    for with in &mut clauses.with {
        with.label.iter_mut().for_each(|one| name(one, visit));
        match &mut with.value {
            WithValue::Expression(value) => expression(value, visit),
            WithValue::Duration { amount, unit } => {
                expression(amount, visit);
                name(unit, visit);
            }
            WithValue::Aggregate { .. } => {}
        }
    }
    clauses.to.iter_mut().for_each(|one| expression(one, visit));
    clauses
        .filter
        .iter_mut()
        .for_each(|one| condition(one, visit));
    if let Some(By::Name(by)) = &mut clauses.by {
        name(by, visit);
    }
    clauses
        .default
        .iter_mut()
        .for_each(|one| expression(one, visit));
    clauses.alias.iter_mut().for_each(|one| noun(one, visit));
}

fn condition(one: &mut Condition, visit: &mut Visit<'_>) {
    match one {
        Condition::Compare { field, value, .. } => {
            name(field, visit);
            expression(value, visit);
        }
        Condition::And(left, right) | Condition::Or(left, right) => {
            condition(left, visit);
            condition(right, visit);
        }
    }
}

fn expression(one: &mut Expression, visit: &mut Visit<'_>) {
    let site = match &mut one.kind {
        ExpressionKind::Null
        | ExpressionKind::Bool(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Regex { .. } => Site::Other,
        ExpressionKind::Int(_) | ExpressionKind::Float(_) => Site::Number,
        ExpressionKind::Interpolated(segments) => {
            for segment in segments {
                if let Segment::Expression(inner) = segment {
                    expression(inner, visit);
                }
            }
            Site::Other
        }
        ExpressionKind::Reference(reference) => {
            noun(reference, visit);
            Site::Other
        }
        ExpressionKind::Name(_) => Site::Word,
        ExpressionKind::List(items) => {
            items.iter_mut().for_each(|item| expression(item, visit));
            Site::List
        }
        ExpressionKind::Map(entries) => {
            for (key, value) in entries {
                name(key, visit);
                expression(value, visit);
            }
            Site::Map
        }
        ExpressionKind::Unary(operator, inner) => {
            expression(inner, visit);
            match operator {
                UnaryOperator::Negate => Site::Negation,
                UnaryOperator::Not => Site::Other,
            }
        }
        ExpressionKind::Binary(_, left, right) | ExpressionKind::Index(left, right) => {
            expression(left, visit);
            expression(right, visit);
            Site::Other
        }
        ExpressionKind::Member(inner, member) => {
            expression(inner, visit);
            visit(Site::Member, &mut member.span);
            Site::Other
        }
        ExpressionKind::Exists(inner) => {
            expression(inner, visit);
            Site::Other
        }
        ExpressionKind::Is { subject, test, .. } => {
            expression(subject, visit);
            if let IsTest::Word(word) = test {
                name(word, visit);
            }
            Site::Other
        }
    };
    visit(site, &mut one.span);
}

fn noun(one: &mut Noun, visit: &mut Visit<'_>) {
    visit(Site::Word, &mut one.span);
}

fn name(one: &mut Name, visit: &mut Visit<'_>) {
    visit(Site::Word, &mut one.span);
}
