//! The names that an event of a WebSocket binds (runtime.md 5.3).

use super::Body;
use super::trigger::{IS_BINARY, Implicit};
use crate::ir::{Expr, HostFunction, LocalId, Node, Role};
use crate::program::GuardCondition;

impl Body<'_, '_> {
    /// The first step of a path into `<event>`, `<websocket-connection>` or `<websocket-message>`, where it needs no map.
    pub(super) fn websocket_field(&mut self, base: &str, field: &str) -> Option<Expr> {
        let is_message = self.role == Role::WebSocketMessage;
        let implicit = match (base, field) {
            ("event", "connection") => Implicit::Socket,
            ("event", "message") | ("websocket-message", "text") if is_message => Implicit::Data,
            ("event", "binary") if is_message => return Some(self.message_bytes()),
            ("event", "kind") if is_message => return Some(self.message_kind()),
            ("event", "reason") if self.role == Role::WebSocketDisconnected => Implicit::Reason,
            ("event" | "websocket-connection", "connectionId" | "id")
            | ("websocket-message", "connectionId") => {
                let socket = self.implicit(Implicit::Socket);
                return Some(self.step(Expr::Local(socket), "id"));
            }
            ("event" | "websocket-connection", "remoteAddress" | "path") => {
                let facts = self.implicit(Implicit::Facts);
                return Some(self.step(Expr::Local(facts), field));
            }
            ("event" | "websocket-message", "timestamp") => {
                return Some(Expr::host(HostFunction::Now, Vec::new()));
            }
            _ => return None,
        };
        Some(Expr::Local(self.implicit(implicit)))
    }

    /// A map of just what guards look into, where that spares the whole event.
    pub(super) fn websocket_guarded(&mut self, guards: &[GuardCondition]) -> Option<LocalId> {
        let fields = guards.iter().map(|guard| match guard.field.as_slice() {
            [field] if matches!(field.as_str(), "kind" | "message" | "reason") => Some(field),
            _ => None,
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        if !self.is_websocket() {
            return None;
        }
        let map = self.new_map();
        for field in fields {
            let value = self.websocket_field("event", field)?;
            self.put(map, field, value);
        }
        Some(map)
    }

    /// The bytes of a binary message; a text message has no such field.
    fn message_bytes(&mut self) -> Expr {
        let bytes = self.implicit(Implicit::Bytes);
        let nothing = Expr::runtime("map", vec![Expr::Flag(0).into()]);
        let otherwise = self.step(nothing, "binary");
        Expr::Choose {
            condition: Box::new(Expr::Local(IS_BINARY)),
            then: Box::new(Expr::Local(bytes)),
            otherwise: Box::new(otherwise),
        }
    }

    fn message_kind(&mut self) -> Expr {
        let (binary, text) = (self.constant_text("binary"), self.constant_text("text"));
        Expr::Choose {
            condition: Box::new(Expr::Local(IS_BINARY)),
            then: Box::new(binary),
            otherwise: Box::new(text),
        }
    }

    pub(super) fn make_websocket_event(&mut self) -> Expr {
        let map = self.new_map();
        let socket = Expr::Local(self.implicit(Implicit::Socket));
        let facts = Expr::Local(self.implicit(Implicit::Facts));
        self.put(map, "connection", socket);
        for (key, fact) in [
            ("connectionId", "id"),
            ("id", "id"),
            ("path", "path"),
            ("remoteAddress", "remoteAddress"),
        ] {
            let fact = self.text(fact);
            // A description of a WebSocket has these fields always, so the step cannot fail.
            let value = Expr::runtime("step", vec![facts.clone().into(), fact.into()]);
            self.put(map, key, value);
        }
        if self.role == Role::WebSocketMessage {
            let (text, bytes) = (Implicit::Data, Implicit::Bytes);
            let (text, bytes) = (self.implicit(text), self.implicit(bytes));
            self.put(map, "message", Expr::Local(text));
            let kind = self.message_kind();
            self.put(map, "kind", kind);
            let then = self.nested(|this| this.put(map, "binary", Expr::Local(bytes)));
            self.nodes.push(Node::If {
                condition: Expr::Local(IS_BINARY),
                then,
                otherwise: Vec::new(),
            });
        } else if self.role == Role::WebSocketDisconnected {
            let reason = Expr::Local(self.implicit(Implicit::Reason));
            self.put(map, "reason", reason);
        }
        self.put(map, "timestamp", Expr::host(HostFunction::Now, Vec::new()));
        Expr::Local(map)
    }

    pub(super) fn make_websocket_message(&mut self) -> Expr {
        let map = self.new_map();
        let text = Expr::Local(self.implicit(Implicit::Data));
        let socket = self.implicit(Implicit::Socket);
        let id = self.text("id");
        let id = Expr::runtime("step", vec![Expr::Local(socket).into(), id.into()]);
        self.put(map, "text", text);
        self.put(map, "connectionId", id);
        self.put(map, "timestamp", Expr::host(HostFunction::Now, Vec::new()));
        Expr::Local(map)
    }
}
