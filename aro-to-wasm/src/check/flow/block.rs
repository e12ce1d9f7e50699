//! Blocks: which of their names outlive them.

use super::Flow;
use crate::check::shape::always_ends;
use crate::diagnostic::Code;
use crate::source::Span;
use crate::syntax::ast::{
    Block, Expression, ExpressionKind, ForEach, Match, Pattern, RangeLoop, Statement,
};

impl<'a> Flow<'a, '_> {
    pub(super) fn block(&mut self, block: &'a Block) {
        for statement in &block.statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Statement) {
        match statement {
            Statement::Action(action) => self.action(action),
            Statement::Pipeline(stages) => {
                self.leniently(|flow| stages.iter().for_each(|stage| flow.action(stage)))
            }
            Statement::Publish(publish) => self.publish(publish),
            Statement::Require(require) => self.require(require),
            Statement::Match(one) => self.match_statement(one),
            Statement::If(one) => {
                self.expression(&one.condition);
                self.branches(
                    [Some(&one.then), one.otherwise.as_ref()]
                        .into_iter()
                        .flatten(),
                );
            }
            Statement::ForEach(one) => self.for_each(one),
            Statement::Range(one) => self.range(one),
            Statement::While(one) => {
                self.expression(&one.condition);
                let mutable = std::mem::replace(&mut self.mutable, true);
                self.block(&one.body);
                self.mutable = mutable;
            }
            Statement::Break(_) => {}
        }
    }

    fn leniently(&mut self, inner: impl FnOnce(&mut Self)) {
        let lenient = std::mem::replace(&mut self.lenient, true);
        inner(self);
        self.lenient = lenient;
    }

    /// Runs `inner` and takes away the names it bound, which are the answer.
    fn scoped(&mut self, inner: impl FnOnce(&mut Self)) -> Vec<(&'a str, Span)> {
        let mark = self.trail.len();
        inner(self);
        let own = self.trail.split_off(mark);
        own.into_iter()
            .filter_map(|name| self.defined.remove(name).map(|span| (name, span)))
            .collect()
    }

    /// Alternatives start from the same names; afterwards all their names are bound, save those of a branch that ends the feature set.
    fn branches(&mut self, blocks: impl Iterator<Item = &'a Block>) {
        let mut all = Vec::new();
        for block in blocks {
            let own = self.scoped(|flow| flow.block(block));
            if !block.statements.last().is_some_and(always_ends) {
                all.extend(own);
            }
        }
        for (name, span) in all {
            self.define(name, span);
        }
    }

    fn match_statement(&mut self, one: &'a Match) {
        self.subject(&one.subject);
        for case in &one.cases {
            if let Pattern::Noun(noun) = &case.pattern {
                self.mention(noun);
            }
            if let Some(guard) = &case.guard {
                self.expression(guard);
            }
        }
        self.branches(
            one.cases
                .iter()
                .map(|case| &case.body)
                .chain(&one.otherwise),
        );
    }

    /// D5: a plain subject has a warning of its own.
    fn subject(&mut self, subject: &'a Expression) {
        if let ExpressionKind::Reference(noun) = &subject.kind {
            self.mention(noun);
            self.need(&noun.base, noun.span, Code::UndefinedSubject);
        } else {
            self.expression(subject);
        }
    }

    fn for_each(&mut self, one: &'a ForEach) {
        self.mention(&one.collection);
        self.need(
            &one.collection.base,
            one.collection.span,
            Code::UndefinedCollection,
        );
        let mutable = std::mem::replace(&mut self.mutable, false);
        let names = std::iter::once(&one.item).chain(&one.index);
        let shadowed: Vec<(&'a str, Option<Span>)> = names
            .map(|name| {
                (
                    name.text.as_str(),
                    self.defined.insert(&name.text, name.span),
                )
            })
            .collect();
        self.scoped(|flow| {
            if let Some(guard) = &one.guard {
                flow.expression(guard);
            }
            flow.block(&one.body);
        });
        self.restore(shadowed);
        self.mutable = mutable;
    }

    fn range(&mut self, one: &'a RangeLoop) {
        self.expression(&one.from);
        self.expression(&one.to);
        let mutable = std::mem::replace(&mut self.mutable, false);
        let shadowed = vec![(
            one.item.text.as_str(),
            self.defined.insert(&one.item.text, one.item.span),
        )];
        self.scoped(|flow| flow.leniently(|flow| flow.block(&one.body)));
        self.restore(shadowed);
        self.mutable = mutable;
    }

    fn restore(&mut self, shadowed: Vec<(&'a str, Option<Span>)>) {
        for (name, before) in shadowed.into_iter().rev() {
            match before {
                Some(span) => self.defined.insert(name, span),
                None => self.defined.remove(name),
            };
        }
    }
}
