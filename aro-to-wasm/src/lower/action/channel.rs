//! Channels: Subscribe, Unsubscribe, Publish to, and how many subscribe (runtime.md 6.9).

use super::{Body, Path, operand_noun, result_noun};
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, Node};
use crate::syntax::ast::{Action, Noun, Operand, Preposition};

impl Body<'_, '_> {
    /// `Subscribe the <connection> to the <channel>.`
    pub(super) fn subscribe(&mut self, action: &Action) {
        let object = action.object.as_ref();
        if object.is_some_and(|object| object.preposition == Preposition::From) {
            return self.stream(action);
        }
        let Some(channel) = self.channel(action, Preposition::To) else {
            return self.misused(action);
        };
        self.membership(action, HostFunction::Subscribe, channel);
    }

    /// `Unsubscribe the <connection> from the <channel>.`
    pub(super) fn unsubscribe(&mut self, action: &Action) {
        let Some(channel) = self.channel(action, Preposition::From) else {
            return self.misused(action);
        };
        self.membership(action, HostFunction::Unsubscribe, channel);
    }

    /// What is no connection subscribes to nothing, as a Send to it would reach nobody.
    fn membership(&mut self, action: &Action, function: HostFunction, channel: Expr) {
        let Some(noun) = result_noun(action) else {
            return self.misused(action);
        };
        let value = self.noun(noun, Path::Step, FailureKind::Action);
        let target = self.keep(Expr::runtime("target", vec![value.into()]), Kind::Value);
        let arguments = vec![Expr::Local(target).into(), text_form(channel)];
        let change = match function {
            HostFunction::Unsubscribe => Expr::host(function, arguments),
            _ => Expr::fallible_host(function, arguments),
        };
        self.nodes.push(Node::If {
            condition: Expr::Local(target),
            then: vec![Node::Do(change)],
            otherwise: Vec::new(),
        });
    }

    /// `Publish the <data> to the <channel>.`
    pub(super) fn publish_to(&mut self, action: &Action) {
        let value = self.given(action);
        let payload = self.payload(action, value);
        let Some(channel) = self.channel(action, Preposition::To) else {
            return self.misused(action);
        };
        self.label_event(action);
        let arguments = vec![text_form(channel), Argument::Slice(Expr::Local(payload))];
        self.perform(Expr::host(HostFunction::PublishChannel, arguments));
    }

    /// The value of a variable, else its name.
    fn channel(&mut self, action: &Action, preposition: Preposition) -> Option<Expr> {
        let mut objects = action.object.iter().chain(&action.extra);
        let object = objects.find(|object| object.preposition == preposition)?;
        match operand_noun(object) {
            Some(noun) if noun.qualifier.is_none() => Some(self.named_channel(&noun.base)),
            Some(noun) => Some(self.noun(noun, Path::Step, FailureKind::Action)),
            None => match &object.operand {
                Operand::Expression(value) => Some(self.expression(value)),
                Operand::Noun(_) | Operand::Duration { .. } | Operand::Labelled { .. } => None,
            },
        }
    }

    fn named_channel(&mut self, name: &str) -> Expr {
        let literal = self.constant_text(name);
        match self.variable_or_unbound(name) {
            Expr::Unbound => literal,
            value => self.bound_or(value, literal),
        }
    }

    /// `<subscribers: channel>`: how many connections subscribe, unless the program has a variable of that name.
    pub(in crate::lower) fn subscribers(&mut self, noun: &Noun) -> Option<Expr> {
        let qualifier = noun.qualifier.as_ref()?;
        if noun.base != "subscribers" || self.lookup(&noun.base).is_some() {
            return None;
        }
        let channel = match qualifier.quoted {
            true => self.constant_text(&qualifier.text),
            false => self.named_channel(&qualifier.text),
        };
        let arguments = vec![text_form(channel)];
        Some(Expr::host(HostFunction::CountChannel, arguments))
    }
}

fn text_form(value: Expr) -> Argument {
    Argument::Slice(Expr::runtime("string", vec![value.into()]))
}
