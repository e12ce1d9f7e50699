//! Emit, Notify, Schedule, Cancel, Keepalive (runtime.md 1.4, 3; actions.md 13, 15.3).

use super::{Body, object_noun, plain_with, result_noun, with_object};
use crate::ir::{Argument, Constant, Expr, FailureKind, HostFunction, Kind, LocalId, Node};
use crate::syntax::ast::{Action, Expression, ExpressionKind, Noun, Operand, Preposition};
use aro_wit::manifest::{NOTIFICATION_SENT, STATE_CHANGED};

/// What an interval that is no number is told, and what to write instead (actions.md 13.5).
const NOT_NUMERIC: &str = "Schedule needs a numeric interval in seconds (optionally with a time unit): `Schedule the <tick> with 60.` or `Schedule the <tick> with 1 minute.`";

impl Body<'_, '_> {
    /// `Emit a <OrderPlaced: event> with <order>.`
    pub(super) fn emit(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let payload = self.event_payload(action);
        self.raise(&result.base, payload);
    }

    /// runtime.md 3.5.2
    fn event_payload(&mut self, action: &Action) -> Expr {
        if let Some(with) = plain_with(action).or_else(|| expression_object(action)) {
            return match &with.kind {
                ExpressionKind::Reference(noun) => {
                    let value = self.variable(&noun.base, FailureKind::Expression);
                    self.wrapped(&noun.base.clone(), value)
                }
                ExpressionKind::Name(name) => {
                    let value = self.variable(name, FailureKind::Expression);
                    self.wrapped(name, value)
                }
                _ => {
                    let value = self.expression(with);
                    Expr::runtime("event_payload", vec![value.into()])
                }
            };
        }
        let empty = Expr::runtime("map", vec![Expr::Flag(0).into()]);
        let Some(noun) = object_noun(action) else {
            return empty;
        };
        // A noun that is not bound gives an empty payload.
        let value = self.variable_or_unbound(&noun.base);
        if value == Expr::Unbound {
            return empty;
        }
        let value = self.keep(value, Kind::Value);
        let map = self.keep(empty, Kind::Value);
        let name = noun.base.clone();
        let then = self.nested(|this| this.put(map, &name, Expr::Local(value)));
        self.nodes.push(Node::If {
            condition: Expr::Local(value),
            then,
            otherwise: Vec::new(),
        });
        Expr::Local(map)
    }

    /// `{name: value}`
    fn wrapped(&mut self, name: &str, value: Expr) -> Expr {
        let value = self.keep(value, Kind::Value);
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(1).into()]),
            Kind::Value,
        );
        self.put(map, name, Expr::Local(value));
        Expr::Local(map)
    }

    /// The event of a transition that `entity` has gone through (runtime.md 3.4, 3.9).
    pub(super) fn raise_transition(&mut self, fields: &[(&str, &str)], entity: LocalId) {
        let count = Expr::Flag(fields.len() as i32 + 2);
        let map = self.keep(Expr::runtime("map", vec![count.into()]), Kind::Value);
        for (field, text) in fields {
            let text = self.constant_text(text);
            self.put(map, field, text);
        }
        let name = self.text("id");
        let id = Expr::runtime("get", vec![Expr::Local(entity).into(), name.into()]);
        let id = self.keep(id, Kind::Value);
        let then = self.nested(|this| {
            let text = Expr::runtime("string", vec![Expr::Local(id).into()]);
            let text = Expr::runtime("text", vec![Argument::Slice(text)]);
            this.put(map, "entityId", text);
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(id),
            then,
            otherwise: Vec::new(),
        });
        self.put(map, "entity", Expr::Local(entity));
        self.raise(STATE_CHANGED, Expr::Local(map));
    }

    fn raise(&mut self, subject: &str, payload: Expr) {
        let subject = self.text(subject);
        self.perform(Expr::fallible_host(
            HostFunction::Emit,
            vec![subject.into(), payload.into()],
        ));
    }

    /// `Notify the <user> with "text".`: nobody is notified about a name that is not bound, and each element of a list by itself.
    pub(super) fn notify(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let target = self.variable_or_unbound(&result.base);
        if target == Expr::Unbound {
            return;
        }
        let target = self.keep(target, Kind::Value);
        let message = self.notification_message(action);
        let message = self.keep(message, Kind::Value);
        let base = result.base.clone();
        let then = self.nested(|this| {
            this.each(target, |this, each, _| {
                let name = this.text(&base);
                let payload = Expr::runtime(
                    "event_notification",
                    vec![each.into(), name.into(), Expr::Local(message).into()],
                );
                this.raise(NOTIFICATION_SENT, payload);
            });
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(target),
            then,
            otherwise: Vec::new(),
        });
    }

    /// An expression, the value of a noun, or the name of one that is not bound.
    fn notification_message(&mut self, action: &Action) -> Expr {
        if let Some(with) = plain_with(action).or_else(|| expression_object(action)) {
            return self.expression(with);
        }
        let Some(noun) = object_noun(action) else {
            return self.constant_text("");
        };
        let name = self.constant_text(&noun.base);
        match self.variable_or_unbound(&noun.base) {
            Expr::Unbound => name,
            value => {
                let value = self.keep(value, Kind::Value);
                Expr::Choose {
                    condition: Box::new(Expr::Local(value)),
                    then: Box::new(Expr::Local(value)),
                    otherwise: Box::new(name),
                }
            }
        }
    }

    /// `Schedule the <tick> with 5 seconds.`; `<tick: once>` fires one time.
    pub(super) fn schedule(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let Some((amount, unit)) = interval(action) else {
            return self.fail(NOT_NUMERIC);
        };
        let value = self.expression(amount);
        let value = self.keep(value, Kind::Value);
        let once = result
            .qualifier
            .as_ref()
            .is_some_and(|qualifier| qualifier.text == "once");
        let subject = self.text(&result.base);
        let milliseconds = milliseconds_of(unit);
        let message = self.text(NOT_NUMERIC);
        let seconds = Expr::Call {
            callee: crate::ir::Callee::Host(HostFunction::Schedule),
            arguments: vec![
                subject.into(),
                Expr::Local(value).into(),
                Expr::Long(milliseconds).into(),
                Expr::Flag(i32::from(once)).into(),
                message.into(),
            ],
            fails: crate::ir::Fails::OnZero(FailureKind::Action),
        };
        self.bind(&result.base, seconds, false);
    }

    /// `Cancel the <tick>.`
    pub(super) fn cancel(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let subject = self.text(&result.base);
        self.perform(Expr::host(HostFunction::CancelTimer, vec![subject.into()]));
    }

    /// `Keepalive the <application> for the <events>.`, `Wait for <shutdown-signal>.`
    pub(super) fn keepalive(&mut self, action: &Action) {
        self.nodes
            .push(Node::Do(Expr::host(HostFunction::Keep, Vec::new())));
        let Some(Noun { base, .. }) = result_noun(action) else {
            return;
        };
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(2).into()]),
            Kind::Value,
        );
        self.put(map, "completed", Expr::Constant(Constant::Bool(true)));
        let reason = self.constant_text("shutdown");
        self.put(map, "reason", reason);
        self.bind(base, Expr::Local(map), false);
    }
}

/// The object where it is an expression, after `with` or `to`.
fn expression_object(action: &Action) -> Option<&Expression> {
    with_object(action).or_else(|| match action.object.as_ref()? {
        object if object.preposition == Preposition::To => match &object.operand {
            Operand::Expression(value) => Some(value),
            _ => None,
        },
        _ => None,
    })
}

/// Amount and unit.
fn interval(action: &Action) -> Option<(&Expression, &str)> {
    if let Some(object) = &action.object {
        return match &object.operand {
            Operand::Duration { amount, unit } => Some((amount, unit.text.as_str())),
            Operand::Expression(amount) => Some((amount, "seconds")),
            _ => None,
        };
    }
    plain_with(action).map(|amount| (amount, "seconds"))
}

/// Milliseconds of a unit (runtime.md 1.4.1); a word that is none counts as seconds.
fn milliseconds_of(unit: &str) -> i64 {
    match unit {
        "millisecond" | "milliseconds" | "ms" => 1,
        "minute" | "minutes" | "min" => 60_000,
        "hour" | "hours" | "h" => 3_600_000,
        _ => 1000,
    }
}
