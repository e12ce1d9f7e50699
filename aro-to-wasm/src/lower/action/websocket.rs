//! WebSockets as targets of Send, Broadcast, Close and Configure (runtime.md 5.2, 5.4).

use super::Body;
use super::socket::Destination;
use crate::ir::{Argument, Expr, FailureKind, FlagOperator, HostFunction, Kind, LocalId, Node};
use crate::lower::trigger::Implicit;
use crate::program::is_websocket_name;
use crate::syntax::ast::{Expression, Noun};

/// The connection of the event, or one that is named by its id.
const CONNECTION: &str = "websocket-connection";
/// Kind number of bytes in the value runtime.
const KIND_BYTES: i32 = 5;
/// Code of a close without one (RFC 6455 7.4.1).
const NORMAL: i64 = 1000;

impl Body<'_, '_> {
    /// Where a noun means WebSockets, unless its base is bound.
    pub(super) fn websocket_destination(&mut self, noun: &Noun) -> Option<Destination> {
        let qualifier = noun
            .qualifier
            .as_ref()
            .map(|qualifier| qualifier.text.as_str());
        if noun.base == CONNECTION {
            let target = match qualifier {
                None | Some("id" | "connectionId") if self.is_websocket() => {
                    Expr::Local(self.implicit(Implicit::Socket))
                }
                None => return None,
                Some(name) if self.lookup(name).is_some() => {
                    self.variable(name, FailureKind::Action)
                }
                // The id itself.
                Some(id) => self.constant_text(id),
            };
            return Some(Destination::Value(target));
        }
        (self.means_websockets(noun) && qualifier.is_none()).then_some(Destination::WebSockets)
    }

    /// Whether a noun stands for the WebSockets of the program.
    pub(super) fn means_websockets(&self, noun: &Noun) -> bool {
        is_websocket_name(&noun.base)
            && !matches!(self.lookup(&noun.base), Some((_, true)))
            && !self.shared.facts.listeners.contains(noun.base.as_str())
            && noun.base != "websocket-message"
    }

    /// Whether a value is sent as a binary message; where there are no WebSockets it is not asked.
    pub(super) fn is_binary(&mut self, value: LocalId) -> Expr {
        if !self.shared.facts.has_websockets {
            return Expr::Flag(0);
        }
        Expr::Flags(
            FlagOperator::Equal,
            vec![
                Expr::runtime("kind", vec![Expr::Local(value).into()]),
                Expr::Flag(KIND_BYTES),
            ],
        )
    }

    pub(super) fn broadcast_to_websockets(
        &mut self,
        filter: Option<LocalId>,
        value: LocalId,
        payload: LocalId,
    ) {
        let filter = filter.unwrap_or_else(|| {
            let all = Expr::runtime("filter", Vec::new());
            self.keep(all, Kind::Flag)
        });
        let is_binary = self.is_binary(value);
        let arguments = vec![
            Expr::Local(filter).into(),
            Argument::Slice(Expr::Local(payload)),
            is_binary.into(),
        ];
        self.perform(Expr::fallible_host(
            HostFunction::BroadcastWebSockets,
            arguments,
        ));
    }

    /// `Close the <websocket-connection> with { code: 4001, reason: "kicked" }.`
    pub(super) fn close_saying_why(&mut self, target: LocalId, with: &Expression) {
        let options = self.expression(with);
        let options = self.keep(options, Kind::Value);
        let code = self.option(options, "code");
        let code = Expr::Choose {
            condition: Box::new(Expr::Local(code)),
            then: Box::new(Expr::runtime(
                "as_int",
                vec![Expr::Local(code).into(), Expr::Long(0).into()],
            )),
            otherwise: Box::new(Expr::Long(NORMAL)),
        };
        let code = self.keep(code, Kind::Long);
        let reason = self.option(options, "reason");
        let empty = self.constant_text("");
        let reason = Expr::Choose {
            condition: Box::new(Expr::Local(reason)),
            then: Box::new(Expr::Local(reason)),
            otherwise: Box::new(empty),
        };
        let reason = self.keep(reason, Kind::Value);
        let reason = Expr::runtime("string", vec![Expr::Local(reason).into()]);
        let reason = self.keep(reason, Kind::Slice);
        let close = Expr::fallible_host(
            HostFunction::CloseWebSocket,
            vec![
                Expr::Local(target).into(),
                Expr::Local(code).into(),
                Argument::Slice(Expr::Local(reason)),
            ],
        );
        self.nodes.push(Node::If {
            condition: Expr::Local(target),
            then: vec![Node::Do(close)],
            otherwise: Vec::new(),
        });
    }

    /// `Configure the <websocket> with { path: "/rt", protocols: ["chat"] }.`, or one of both as `<websocket: path>`.
    pub(super) fn configure_websockets(&mut self, noun: &Noun, value: LocalId) {
        let qualifier = noun
            .qualifier
            .as_ref()
            .map(|qualifier| qualifier.text.as_str());
        let (path, protocols) = match qualifier {
            Some("path") => (Expr::Local(value), Expr::Unbound),
            Some("protocols") => (Expr::Unbound, Expr::Local(value)),
            _ => {
                let path = self.option(value, "path");
                let protocols = self.option(value, "protocols");
                (Expr::Local(path), Expr::Local(protocols))
            }
        };
        self.perform(Expr::fallible_host(
            HostFunction::ConfigureWebSockets,
            vec![path.into(), protocols.into()],
        ));
    }

    /// `{ websocket: "/rt" }` of the statement that starts the server.
    pub(super) fn start_websockets(&mut self, options: LocalId) {
        let path = self.option(options, "websocket");
        let configure = Expr::fallible_host(
            HostFunction::ConfigureWebSockets,
            vec![Expr::Local(path).into(), Expr::Unbound.into()],
        );
        self.nodes.push(Node::If {
            condition: Expr::Local(path),
            then: vec![Node::Do(configure)],
            otherwise: Vec::new(),
        });
    }

    /// An entry of a map, unbound if there is none.
    fn option(&mut self, map: LocalId, name: &str) -> LocalId {
        let name = self.text(name);
        let found = Expr::runtime("get", vec![Expr::Local(map).into(), name.into()]);
        self.keep(found, Kind::Value)
    }
}
