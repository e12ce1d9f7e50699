//! Listen, Send, Broadcast, Close (runtime.md 6.1, 6.6, 6.8).

use super::connect::port;
use super::{Body, is_json, object_noun, operand_noun, plain_with, result_noun, with_object};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, LocalId, Node};
use crate::source::Span;
use crate::syntax::ast::{Action, Expression, ExpressionKind, Name, Noun, Operand, Preposition};

/// Name of a listener that is given none.
const DEFAULT_NAME: &str = "socket-server";
/// What ends where a Close does not mean the whole connection.
const SENDING: &str = "sending";
/// Largest port (RFC 9293 3.1).
const PORT_MAX: i64 = 65_535;

impl Body<'_, '_> {
    /// `Listen on port n as <name>.`
    pub(super) fn listen(&mut self, action: &Action) {
        let Some(port) = port(action) else {
            return self.listen_to_nothing(action);
        };
        if let ExpressionKind::Int(number) = port.kind
            && !self.is_port(number, port.span, 0)
        {
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
        let options = self.socket_options(action);
        let listener = self.open_listener(&name, port, options, true);
        self.bind(&name, listener, true);
    }

    pub(super) fn open_listener(
        &mut self,
        name: &str,
        port: Expr,
        options: Expr,
        strict: bool,
    ) -> Expr {
        let name = self.text(name);
        Expr::fallible_host(
            HostFunction::Listen,
            vec![
                port.into(),
                name.into(),
                options.into(),
                Expr::Flag(i32::from(strict)).into(),
            ],
        )
    }

    /// Whether a constant can be a port; says so if not.
    pub(super) fn is_port(&mut self, number: i64, span: Span, first: i64) -> bool {
        let fits = (first..=PORT_MAX).contains(&number);
        if !fits {
            let mut wrong = Diagnostic::new(
                Code::InvalidPort,
                span,
                format!("{number} is no port: ports are numbers from {first} to {PORT_MAX}"),
            );
            if first == 0 {
                wrong = wrong.help("0 lets the system choose a free port");
            }
            self.shared.diagnostics.push(wrong);
        }
        fits
    }

    /// runtime.md 6.6
    pub(super) fn send(&mut self, action: &Action) {
        let value = self.given(action);
        let value = self.keep(value, Kind::Value);
        let payload = self.payload(action, Expr::Local(value));
        let destination = self.destination(action);
        match self.own_or_all(destination) {
            Destination::Nowhere => self.perform(Expr::Local(payload)),
            Destination::EventStreams => {
                self.label_event(action);
                self.broadcast_to_streams(None, payload);
            }
            Destination::Listener(name) => self.broadcast_to(&name, None, payload),
            Destination::WebSockets => self.broadcast_to_websockets(None, value, payload),
            Destination::Value(target) => {
                let target = self.keep(Expr::runtime("target", vec![target.into()]), Kind::Value);
                let is_binary = self.is_binary(value);
                let send = Expr::fallible_host(
                    HostFunction::Send,
                    vec![
                        Expr::Local(target).into(),
                        Argument::Slice(Expr::Local(payload)),
                        is_binary.into(),
                    ],
                );
                let then = self.nested(|this| {
                    this.label_event(action);
                    this.perform(send);
                });
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
        let value = self.given(action);
        let value = self.keep(value, Kind::Value);
        let payload = self.payload(action, Expr::Local(value));
        let filter = action.clauses.filter.as_ref().map(|condition| {
            let filter = self.keep(Expr::runtime("filter", Vec::new()), Kind::Flag);
            self.filter(filter, condition, action);
            filter
        });
        match self.destination(action) {
            Destination::Listener(name) => self.broadcast_to(&name, filter, payload),
            Destination::WebSockets => self.broadcast_to_websockets(filter, value, payload),
            Destination::EventStreams => {
                self.label_event(action);
                self.broadcast_to_streams(filter, payload);
            }
            Destination::Nowhere => self.broadcast_from(Expr::Unbound, filter, payload),
            Destination::Value(value) => {
                let target = Expr::runtime("target", vec![value.into()]);
                self.broadcast_from(target, filter, payload);
            }
        }
    }

    pub(super) fn payload(&mut self, action: &Action, value: Expr) -> LocalId {
        let function = if result_noun(action).is_some_and(is_json) {
            "json"
        } else {
            "payload"
        };
        self.keep(Expr::runtime(function, vec![value.into()]), Kind::Slice)
    }

    /// A listener that is not open has nobody to hear it; the name that stands for all of them has.
    fn broadcast_to(&mut self, name: &str, filter: Option<LocalId>, payload: LocalId) {
        let listener = self.find(name);
        if name == DEFAULT_NAME {
            return self.broadcast_from(listener, filter, payload);
        }
        let listener = self.keep(listener, Kind::Value);
        let then = self.nested(|this| {
            this.broadcast_from(Expr::Local(listener), filter, payload);
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(listener),
            then,
            otherwise: Vec::new(),
        });
    }

    fn broadcast_from(&mut self, listener: Expr, filter: Option<LocalId>, payload: LocalId) {
        let payload = Argument::Slice(Expr::Local(payload));
        let broadcast = match filter {
            None => Expr::host(HostFunction::Broadcast, vec![listener.into(), payload]),
            Some(filter) => Expr::fallible_host(
                HostFunction::BroadcastWhere,
                vec![listener.into(), Expr::Local(filter).into(), payload],
            ),
        };
        self.perform(broadcast);
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
        if !matches!(self.lookup(&noun.base), Some((_, true)))
            && let Some(destination) = self
                .websocket_destination(noun)
                .or_else(|| self.stream_destination(noun))
        {
            return destination;
        }
        if noun.qualifier.is_none() {
            if self.shared.facts.listeners.contains(noun.base.as_str())
                && !self.shared.facts.links.contains(noun.base.as_str())
            {
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
        if ends_sending(action) {
            return self.finish(action);
        }
        let options = close_options(action);
        let Some(noun) = result_noun(action).filter(|noun| {
            noun.base != "connection" || action.object.is_none() || options.is_some()
        }) else {
            return self.close_object(action);
        };
        let destination = self.noun_destination(noun);
        match self.own_or_all(destination) {
            Destination::Nowhere | Destination::WebSockets | Destination::EventStreams => {}
            Destination::Listener(name) => {
                let listener = self.find(&name);
                let listener = self.keep(listener, Kind::Value);
                self.close_if_bound(HostFunction::CloseListener, listener);
            }
            Destination::Value(value) => {
                let target = self.keep(Expr::runtime("target", vec![value.into()]), Kind::Value);
                match options {
                    Some(options) => self.close_saying_why(target, options),
                    None => self.close_if_bound(HostFunction::CloseConnection, target),
                }
            }
        }
    }

    /// `Close the <connection> for the <sending>.`
    fn finish(&mut self, action: &Action) {
        let Some(noun) = result_noun(action) else {
            return self.misused(action);
        };
        let destination = self.noun_destination(noun);
        let target = match self.own_or_all(destination) {
            Destination::Nowhere | Destination::WebSockets | Destination::EventStreams => return,
            Destination::Listener(name) => self.find(&name),
            Destination::Value(value) => Expr::runtime("target", vec![value.into()]),
        };
        let target = self.keep(target, Kind::Value);
        self.close_if_bound(HostFunction::FinishConnection, target);
    }

    /// `Close the <connection> with <id>.`
    fn close_object(&mut self, action: &Action) {
        let value = match object_noun(action) {
            Some(noun) => match self.noun_destination(noun) {
                Destination::Value(value) => value,
                Destination::Nowhere
                | Destination::Listener(_)
                | Destination::WebSockets
                | Destination::EventStreams => return,
            },
            None => match self.object_value(action) {
                Some(value) => value,
                None => return,
            },
        };
        let target = self.keep(Expr::runtime("target", vec![value.into()]), Kind::Value);
        self.close_if_bound(HostFunction::CloseConnection, target);
    }

    pub(super) fn close_if_bound(&mut self, function: HostFunction, target: LocalId) {
        let close = Node::Do(Expr::host(function, vec![Expr::Local(target).into()]));
        self.nodes.push(Node::If {
            condition: Expr::Local(target),
            then: vec![close],
            otherwise: Vec::new(),
        });
    }
}

/// `{ code: 4001, reason: "kicked" }`, where a Close says it.
pub(super) fn close_options(action: &Action) -> Option<&Expression> {
    let says = |(key, _): &(Name, Expression)| matches!(key.text.as_str(), "code" | "reason");
    let options = plain_with(action).or(with_object(action))?;
    match &options.kind {
        ExpressionKind::Map(entries) if entries.iter().any(says) => Some(options),
        _ => None,
    }
}

/// Whether a Close does so whatever its object is.
pub(super) fn closes(action: &Action) -> bool {
    close_options(action).is_some() || ends_sending(action)
}

/// Whether a Close ends our direction of a connection only.
fn ends_sending(action: &Action) -> bool {
    action.object.as_ref().is_some_and(|object| {
        let noun = operand_noun(object);
        object.preposition == Preposition::For
            && noun.is_some_and(|noun| noun.base == SENDING && noun.qualifier.is_none())
    })
}

pub(super) enum Destination {
    /// A name that is bound nowhere.
    Nowhere,
    /// A listener, by name.
    Listener(String),
    /// All WebSockets.
    WebSockets,
    /// All responses that stay open.
    EventStreams,
    /// Whatever the value names.
    Value(Expr),
}
