//! Responses that stay open: `<event-stream>` as the target of Send, Broadcast and Close, and what Return sends first.

use super::socket::Destination;
use super::{Body, labelled_with};
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, LocalId, Node};
use crate::lower::trigger::Implicit;
use crate::syntax::ast::{Action, Noun};

/// The response of the request, or all that are open.
const STREAM: &str = "event-stream";

impl Body<'_, '_> {
    /// Where a noun means responses that stay open, unless its base is bound.
    pub(super) fn stream_destination(&mut self, noun: &Noun) -> Option<Destination> {
        if noun.base != STREAM || self.shared.facts.listeners.contains(STREAM) {
            return None;
        }
        let qualifier = noun.qualifier.as_ref().map(|one| one.text.as_str());
        Some(match qualifier {
            None => Destination::EventStreams,
            Some("id" | "connectionId") if self.is_stream() => self.own_stream(),
            Some(name) if self.lookup(name).is_some() => {
                Destination::Value(self.variable(name, FailureKind::Action))
            }
            // The id itself.
            Some(id) => Destination::Value(self.constant_text(id)),
        })
    }

    /// A Send or Close in the handler of a request means its own response, elsewhere all of them.
    pub(super) fn own_or_all(&mut self, destination: Destination) -> Destination {
        match destination {
            Destination::EventStreams if self.is_stream() => self.own_stream(),
            other => other,
        }
    }

    fn own_stream(&mut self) -> Destination {
        Destination::Value(Expr::Local(self.implicit(Implicit::Stream)))
    }

    /// `Send the <price> to the <event-stream> with event "price" with id 7.` The host keeps it for the message behind it only.
    pub(super) fn label_event(&mut self, action: &Action) {
        let event = labelled_with(action, "event");
        let id = labelled_with(action, "id");
        if event.is_none() && id.is_none() {
            return;
        }
        let arguments = [event, id].map(|text| match text {
            Some(text) => {
                let text = self.expression(text);
                Argument::Slice(Expr::runtime("string", vec![text.into()]))
            }
            None => self.text("").into(),
        });
        let label = Expr::fallible_host(HostFunction::LabelEvent, arguments.into());
        self.perform(label);
    }

    pub(super) fn broadcast_to_streams(&mut self, filter: Option<LocalId>, payload: LocalId) {
        let filter = filter.unwrap_or_else(|| {
            let all = Expr::runtime("filter", Vec::new());
            self.keep(all, Kind::Flag)
        });
        self.perform(Expr::fallible_host(
            HostFunction::BroadcastEventStreams,
            vec![
                Expr::Local(filter).into(),
                Argument::Slice(Expr::Local(payload)),
            ],
        ));
    }

    /// What Return gives to a response that stays open is its first event. Answers what is left for its body.
    pub(super) fn first_event(&mut self, status: &str, value: Option<LocalId>) -> Option<LocalId> {
        let code = aro_runtime::http::status_code(status, &[]);
        if !self.is_stream() || !(200..300).contains(&code) {
            return value;
        }
        let value = Expr::Local(value?);
        let payload = Expr::runtime("payload", vec![value.into()]);
        let payload = self.keep(payload, Kind::Slice);
        let stream = Expr::Local(self.implicit(Implicit::Stream));
        let target = self.keep(Expr::runtime("target", vec![stream.into()]), Kind::Value);
        let send = Expr::fallible_host(
            HostFunction::Send,
            vec![
                Expr::Local(target).into(),
                Argument::Slice(Expr::Local(payload)),
                Expr::Flag(0).into(),
            ],
        );
        // There is no stream where only the head of the response is asked for.
        self.nodes.push(Node::If {
            condition: Expr::Local(target),
            then: vec![Node::Do(send)],
            otherwise: Vec::new(),
        });
        None
    }
}
