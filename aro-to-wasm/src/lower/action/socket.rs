//! Listen, Send, Broadcast, Close (runtime.md 6).

use super::{Body, is_json, object_noun, operand_noun, result_noun};
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, LocalId, Node};
use crate::syntax::ast::{Action, Expression, ExpressionKind, Noun, Operand, Preposition};

/// Name of a listener that is given none.
const DEFAULT_NAME: &str = "socket-server";
/// Largest port (RFC 9293 3.1).
const PORT_MAX: i64 = 65_535;

impl Body<'_, '_> {
    /// `Listen on port n as <name>.`
    pub(super) fn listen(&mut self, action: &Action) {
        let Some(port) = listen_port(action) else {
            return self.not_yet(
                action.span,
                "this form of Listen; `Listen on port 9000 as <server>.` is",
            );
        };
        if let ExpressionKind::Int(number) = port.kind
            && !(0..=PORT_MAX).contains(&number)
        {
            self.shared.diagnostics.push(
                crate::diagnostic::Diagnostic::new(
                    crate::diagnostic::Code::InvalidPort,
                    port.span,
                    format!("{number} is no port: ports are numbers from 0 to {PORT_MAX}"),
                )
                .help("0 lets the system choose a free port"),
            );
            return;
        }
        let name = action
            .clauses
            .alias
            .as_ref()
            .or(result_noun(action))
            .map_or(DEFAULT_NAME, |noun| &noun.base)
            .to_owned();
        let port = self.expression(&port);
        let text = self.text(&name);
        let listener = Expr::fallible_host(HostFunction::Listen, vec![port.into(), text.into()]);
        self.bind(&name, listener, true);
    }

    /// runtime.md 6.6
    pub(super) fn send(&mut self, action: &Action) {
        let value = self.given(action);
        let payload = self.payload(action, value);
        match self.destination(action) {
            Destination::Nowhere => self.perform(Expr::Local(payload)),
            Destination::Listener(name) => self.broadcast_to(&name, payload),
            Destination::Value(value) => {
                let target = self.keep(Expr::runtime("target", vec![value.into()]), Kind::Value);
                let send = Expr::fallible_host(
                    HostFunction::Send,
                    vec![
                        Expr::Local(target).into(),
                        Argument::Slice(Expr::Local(payload)),
                    ],
                );
                let then = vec![Node::Do(send)];
                self.nodes.push(Node::If {
                    condition: Expr::Local(target),
                    then,
                    otherwise: Vec::new(),
                });
            }
        }
    }

    /// runtime.md 6.6.4
    pub(super) fn broadcast(&mut self, action: &Action) {
        if action.clauses.filter.is_some() {
            return self.not_yet(action.span, "`where` on Broadcast");
        }
        let value = self.given(action);
        let payload = self.payload(action, value);
        match self.destination(action) {
            Destination::Listener(name) => self.broadcast_to(&name, payload),
            Destination::Nowhere => self.broadcast_from(Expr::Unbound, payload),
            Destination::Value(value) => {
                let target = Expr::runtime("target", vec![value.into()]);
                self.broadcast_from(target, payload);
            }
        }
    }

    fn payload(&mut self, action: &Action, value: Expr) -> LocalId {
        let function = if result_noun(action).is_some_and(is_json) {
            "json"
        } else {
            "payload"
        };
        self.keep(Expr::runtime(function, vec![value.into()]), Kind::Slice)
    }

    fn broadcast_to(&mut self, name: &str, payload: LocalId) {
        let listener = self.find(name);
        self.broadcast_from(listener, payload);
    }

    fn broadcast_from(&mut self, listener: Expr, payload: LocalId) {
        let arguments = vec![listener.into(), Argument::Slice(Expr::Local(payload))];
        self.perform(Expr::host(HostFunction::Broadcast, arguments));
    }

    fn destination(&mut self, action: &Action) -> Destination {
        let object = action.object.iter().chain(&action.extra).find(|object| {
            matches!(
                object.preposition,
                Preposition::To | Preposition::Via | Preposition::With
            )
        });
        let Some(object) = object else {
            return Destination::Nowhere;
        };
        match operand_noun(object) {
            Some(noun) => self.noun_destination(noun),
            None => match &object.operand {
                Operand::Expression(expression) => Destination::Value(self.expression(expression)),
                Operand::Noun(_) | Operand::Duration { .. } | Operand::Labelled { .. } => {
                    Destination::Nowhere
                }
            },
        }
    }

    fn noun_destination(&mut self, noun: &Noun) -> Destination {
        if noun.qualifier.is_none() {
            if self.shared.facts.listeners.contains(noun.base.as_str()) {
                return Destination::Listener(noun.base.clone());
            }
            // A name that nothing binds is no connection of ours (runtime.md 6.6.3).
            if self.variable_or_unbound(&noun.base) == Expr::Unbound {
                return Destination::Nowhere;
            }
        }
        Destination::Value(self.noun(noun, super::Path::Step, FailureKind::Action))
    }

    /// runtime.md 6.8
    pub(super) fn close(&mut self, action: &Action) {
        let Some(noun) =
            result_noun(action).filter(|noun| noun.base != "connection" || action.object.is_none())
        else {
            return self.close_object(action);
        };
        match self.noun_destination(noun) {
            Destination::Nowhere => {}
            Destination::Listener(name) => {
                let listener = self.find(&name);
                let listener = self.keep(listener, Kind::Value);
                self.close_if_bound(HostFunction::CloseListener, listener);
            }
            Destination::Value(value) => {
                let target = self.keep(Expr::runtime("target", vec![value.into()]), Kind::Value);
                self.close_if_bound(HostFunction::CloseConnection, target);
            }
        }
    }

    /// `Close the <connection> with <id>.`
    fn close_object(&mut self, action: &Action) {
        let value = match object_noun(action) {
            Some(noun) => match self.noun_destination(noun) {
                Destination::Value(value) => value,
                Destination::Nowhere | Destination::Listener(_) => return,
            },
            None => match self.object_value(action) {
                Some(value) => value,
                None => return,
            },
        };
        let target = self.keep(Expr::runtime("target", vec![value.into()]), Kind::Value);
        self.close_if_bound(HostFunction::CloseConnection, target);
    }

    fn close_if_bound(&mut self, function: HostFunction, target: LocalId) {
        let close = Node::Do(Expr::host(function, vec![Expr::Local(target).into()]));
        self.nodes.push(Node::If {
            condition: Expr::Local(target),
            then: vec![close],
            otherwise: Vec::new(),
        });
    }
}

enum Destination {
    /// A name that is bound nowhere.
    Nowhere,
    /// A listener, by name.
    Listener(String),
    /// Whatever the value names.
    Value(Expr),
}

/// The port of `on port n` or `on <port: n>`.
fn listen_port(action: &Action) -> Option<Expression> {
    let object = action
        .object
        .as_ref()
        .filter(|object| object.preposition == Preposition::On)?;
    match &object.operand {
        Operand::Labelled { label, value } if label.text == "port" => Some(value.clone()),
        Operand::Noun(noun) if noun.base == "port" => {
            let number = noun.qualifier.as_ref()?.text.parse().ok()?;
            Some(Expression {
                kind: ExpressionKind::Int(number),
                span: noun.span,
            })
        }
        Operand::Labelled { .. }
        | Operand::Noun(_)
        | Operand::Expression(_)
        | Operand::Duration { .. } => None,
    }
}
