//! The names that a trigger binds (runtime.md 3.4, 6.4), each made only if it is used.

use super::Body;
use crate::contract::Parameters;
use crate::ir::{
    Argument, Constant, Expr, FailureKind, HostFunction, Kind, LocalId, Node, OnFailure, Role,
};
use aro_wit::manifest::setting;

/// A value that the trigger provides. The order is that in which they are made: later ones are made of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Implicit {
    /// The connection.
    Socket,
    /// Received bytes: text if they are UTF-8. A message on a WebSocket: text.
    Data,
    /// Received bytes as bytes.
    Bytes,
    /// Why the connection ended.
    Reason,
    /// What the host knows of the connection.
    Facts,
    /// `<event>` as a whole.
    Event,
    /// `<packet>` as a whole.
    Packet,
    /// `<websocket-message>` as a whole.
    Message,
    /// What an event carries.
    Payload,
    /// `<shutdown>`
    Shutdown,
    /// `<headers>` of a request.
    Headers,
    /// `<pathParameters>`
    PathParameters,
    /// `<queryParameters>`
    QueryParameters,
    /// `<headerParameters>`
    HeaderParameters,
    /// `<cookieParameters>`
    CookieParameters,
    /// `<body>` of a request.
    Body,
    /// `<request>` as a whole.
    Request,
    /// `<event-stream>`: the response that stays open.
    Stream,
}

impl Implicit {
    /// Whether it is made of the headers of a request.
    pub(super) fn is_of_headers(self) -> bool {
        matches!(
            self,
            Implicit::Headers
                | Implicit::HeaderParameters
                | Implicit::CookieParameters
                | Implicit::Body
                | Implicit::Request
        )
    }

    /// What it is made of.
    fn needs(self, role: Role) -> &'static [Implicit] {
        match (self, role) {
            (Implicit::Facts, _) => &[Implicit::Socket],
            (Implicit::Event, Role::TcpData) => {
                &[Implicit::Socket, Implicit::Facts, Implicit::Data]
            }
            (Implicit::Event, Role::WebSocketMessage) => &[
                Implicit::Socket,
                Implicit::Facts,
                Implicit::Data,
                Implicit::Bytes,
            ],
            (Implicit::Message, _) => &[Implicit::Socket, Implicit::Data],
            (Implicit::Event, Role::TcpDisconnected | Role::WebSocketDisconnected) => {
                &[Implicit::Socket, Implicit::Facts, Implicit::Reason]
            }
            (Implicit::Event, _) => &[Implicit::Socket, Implicit::Facts],
            (Implicit::Request, _) => &[
                Implicit::Headers,
                Implicit::PathParameters,
                Implicit::QueryParameters,
                Implicit::Body,
            ],
            (Implicit::Packet, _) => &[Implicit::Socket, Implicit::Data, Implicit::Bytes],
            _ => &[],
        }
    }
}

/// Parameters of the handlers.
const HIGH: LocalId = LocalId(0);
const LOW: LocalId = LocalId(1);
const ADDRESS: LocalId = LocalId(2);
const LENGTH: LocalId = LocalId(3);
/// Whether a message is binary.
pub(super) const IS_BINARY: LocalId = LocalId(4);

/// Parts of a request by the first of their two parameters.
const METHOD: u32 = 0;
const PATH: u32 = 2;
const QUERY: u32 = 4;
const HEADERS: u32 = 6;
const PARAMETERS: u32 = 8;
const BODY: u32 = 10;

/// Address and length of a part of a request.
fn slice(first: u32) -> Vec<Argument> {
    vec![
        Expr::Local(LocalId(first)).into(),
        Expr::Local(LocalId(first + 1)).into(),
    ]
}

fn request_text(first: u32) -> Expr {
    Expr::runtime("text", slice(first))
}

/// The path of the request, as arguments of a call.
pub(super) fn request_path() -> Vec<Argument> {
    slice(PATH)
}

impl Body<'_, '_> {
    /// The local of a value that the trigger provides.
    pub(super) fn implicit(&mut self, implicit: Implicit) -> LocalId {
        if let Some(local) = self.implicit.get(&implicit) {
            return *local;
        }
        let local = self.local(Kind::Value);
        self.implicit.insert(implicit, local);
        for needed in implicit.needs(self.role) {
            self.implicit(*needed);
        }
        local
    }

    /// The map that guards in the activity look into; none where there is no event.
    pub(super) fn guarded_event(&mut self) -> Option<LocalId> {
        let implicit = match self.role {
            Role::Event => Implicit::Payload,
            Role::TcpConnected
            | Role::TcpData
            | Role::TcpFinished
            | Role::TcpDisconnected
            | Role::WebSocketConnected
            | Role::WebSocketMessage
            | Role::WebSocketDisconnected => Implicit::Event,
            Role::Operation => Implicit::Request,
            Role::Start | Role::End | Role::Action | Role::Test | Role::Tested => return None,
        };
        Some(self.implicit(implicit))
    }

    /// The first step of a path into `<request>`, where it needs no map.
    pub(super) fn request_field(&mut self, base: &str, field: &str) -> Option<Expr> {
        if self.role != Role::Operation || base != "request" || self.lookup(base).is_some() {
            return None;
        }
        let implicit = match field {
            "headers" => Implicit::Headers,
            "queryParameters" => return Some(self.plain_query()),
            "body" => Implicit::Body,
            "method" => return Some(request_text(METHOD)),
            "path" => return Some(request_text(PATH)),
            _ => return None,
        };
        Some(Expr::Local(self.implicit(implicit)))
    }

    /// Query parameters that have a value.
    fn plain_query(&mut self) -> Expr {
        let mut arguments = slice(QUERY);
        arguments.push(Expr::Flag(0).into());
        Expr::runtime("http_query", arguments)
    }

    /// What the contract declares of the headers of the request.
    fn declared(
        &mut self,
        function: &'static str,
        which: impl FnOnce(&Parameters) -> &Vec<String>,
    ) -> Expr {
        let api = self.shared.facts.api;
        let declared = api.and_then(|api| api.parameters(&self.set.name));
        let names = declared.map_or_else(String::new, |all| which(all).join("\n"));
        let mut arguments = slice(HEADERS);
        arguments.push(self.text(&names).into());
        Expr::runtime(function, arguments)
    }

    /// All parameters of the query, lists where the contract says so.
    fn query_parameters(&mut self) -> Expr {
        let mut arguments = slice(QUERY);
        arguments.push(Expr::Flag(1).into());
        let all = Expr::runtime("http_query", arguments);
        let api = self.shared.facts.api;
        let declared = api.and_then(|api| api.parameters(&self.set.name));
        let lists = declared.map_or(&[][..], |declared| &declared.lists);
        if lists.is_empty() {
            return all;
        }
        let mut arguments = vec![all.into()];
        arguments.extend(slice(QUERY));
        arguments.push(self.text(&lists.join("\n")).into());
        Expr::runtime("http_lists", arguments)
    }

    fn make_request(&mut self) -> Expr {
        let map = self.new_map();
        self.put(map, "method", request_text(METHOD));
        self.put(map, "path", request_text(PATH));
        for (name, implicit) in [("headers", Implicit::Headers), ("body", Implicit::Body)] {
            let value = Expr::Local(self.implicit(implicit));
            self.put(map, name, value);
        }
        let query = self.plain_query();
        self.put(map, "queryParameters", query);
        // Parameters of the path hide those of the query.
        let all = self.new_map();
        for implicit in [Implicit::QueryParameters, Implicit::PathParameters] {
            let part = Expr::Local(self.implicit(implicit));
            let merge = Expr::runtime("merge", vec![Expr::Local(all).into(), part.into()]);
            self.nodes.push(Node::Do(merge));
        }
        self.put(map, "parameters", Expr::Local(all));
        Expr::Local(map)
    }

    /// The first step of a path into `<event>` or `<packet>`, where it needs no map.
    pub(super) fn event_field(&mut self, base: &str, field: &str) -> Option<Expr> {
        if !self.is_of_connection() || self.lookup(base).is_some() {
            return None;
        }
        if self.is_websocket() {
            return self.websocket_field(base, field);
        }
        let implicit = match (base, field, self.role) {
            ("event", "connection", _) => Implicit::Socket,
            ("event", "data", Role::TcpData) => Implicit::Data,
            ("event", "reason", Role::TcpDisconnected) => Implicit::Reason,
            ("packet", "data" | "buffer", Role::TcpData) => Implicit::Bytes,
            ("event", "connectionId", _)
            | ("packet", "connection" | "connectionId", Role::TcpData) => {
                let socket = self.implicit(Implicit::Socket);
                return Some(self.step(Expr::Local(socket), "id"));
            }
            ("event", "remoteAddress" | "server" | "client" | "port", _) => {
                let facts = self.implicit(Implicit::Facts);
                return Some(self.step(Expr::Local(facts), field));
            }
            ("event", "timestamp", _) | ("packet", "timestamp", Role::TcpData) => {
                return Some(Expr::host(HostFunction::Now, Vec::new()));
            }
            ("packet", "message" | "text", Role::TcpData) => return Some(self.packet_text()),
            ("packet", "size" | "length", _) => return None,
            // Any other field is one of what was received.
            ("packet", _, Role::TcpData) => {
                let data = self.implicit(Implicit::Data);
                return Some(self.step(Expr::Local(data), field));
            }
            _ => return None,
        };
        Some(Expr::Local(self.implicit(implicit)))
    }

    /// The received bytes as text, empty if they are none.
    fn packet_text(&mut self) -> Expr {
        let data = self.implicit(Implicit::Data);
        let is_text = Expr::Flags(
            crate::ir::FlagOperator::Equal,
            vec![
                Expr::runtime("kind", vec![Expr::Local(data).into()]),
                Expr::Flag(super::expression::KIND_TEXT),
            ],
        );
        let empty = self.constant_text("");
        Expr::Choose {
            condition: Box::new(is_text),
            then: Box::new(Expr::Local(data)),
            otherwise: Box::new(empty),
        }
    }

    pub(super) fn step(&mut self, value: Expr, name: &str) -> Expr {
        let name = self.text(name);
        Expr::fallible("step", vec![value.into(), name.into()], FailureKind::Action)
    }

    /// Makes values that guards or body use, before these.
    pub(super) fn prologue(
        &mut self,
        mut implicit: Vec<(Implicit, LocalId)>,
        published: Vec<(String, LocalId)>,
    ) {
        implicit.sort();
        for (implicit, local) in implicit {
            let value = self.make(implicit);
            self.nodes.push(Node::Set(local, value));
        }
        for (name, local) in published {
            self.read_published(&name, local);
        }
    }

    fn make(&mut self, implicit: Implicit) -> Expr {
        let bytes = |function| {
            Expr::runtime(
                function,
                vec![Expr::Local(ADDRESS).into(), Expr::Local(LENGTH).into()],
            )
        };
        match implicit {
            Implicit::Socket => Expr::runtime(
                "socket",
                vec![Expr::Local(HIGH).into(), Expr::Local(LOW).into()],
            ),
            Implicit::Data if self.role == Role::WebSocketMessage => bytes("lossy"),
            Implicit::Data => bytes("data"),
            Implicit::Bytes => bytes("bytes"),
            Implicit::Reason => bytes("text"),
            Implicit::Facts => {
                let socket = self.implicit(Implicit::Socket);
                Expr::host(HostFunction::Describe, vec![Expr::Local(socket).into()])
            }
            Implicit::Event if self.is_websocket() => self.make_websocket_event(),
            Implicit::Event => self.make_event(),
            Implicit::Message => self.make_websocket_message(),
            Implicit::Packet => self.make_packet(),
            Implicit::Payload => Expr::runtime(
                "decode",
                vec![Expr::Local(HIGH).into(), Expr::Local(LOW).into()],
            ),
            Implicit::Shutdown => self.make_shutdown(),
            Implicit::Headers => Expr::runtime("http_pairs", slice(HEADERS)),
            Implicit::PathParameters => Expr::runtime("http_pairs", slice(PARAMETERS)),
            Implicit::QueryParameters => self.query_parameters(),
            Implicit::HeaderParameters => self.declared("http_headers", |all| &all.headers),
            Implicit::CookieParameters => self.declared("http_cookies", |all| &all.cookies),
            Implicit::Body => {
                let mut arguments = slice(HEADERS);
                arguments.extend(slice(BODY));
                Expr::runtime("http_body", arguments)
            }
            Implicit::Request => self.make_request(),
            Implicit::Stream => Expr::host(HostFunction::CurrentStream, Vec::new()),
        }
    }

    pub(super) fn new_map(&mut self) -> LocalId {
        self.keep(
            Expr::runtime("map", vec![Expr::Flag(8).into()]),
            Kind::Value,
        )
    }

    fn make_event(&mut self) -> Expr {
        let map = self.new_map();
        let socket = Expr::Local(self.implicit(Implicit::Socket));
        let facts = Expr::Local(self.implicit(Implicit::Facts));
        self.put(map, "connection", socket);
        for (key, fact) in [
            ("connectionId", "id"),
            ("remoteAddress", "remoteAddress"),
            ("port", "port"),
        ] {
            let fact = self.text(fact);
            // A description has these fields always, so the step cannot fail.
            let value = Expr::runtime("step", vec![facts.clone().into(), fact.into()]);
            self.put(map, key, value);
        }
        // A connection belongs to a listener or, if it has a name, to a client.
        for side in ["server", "client"] {
            let name = self.text(side);
            let found = Expr::runtime("get", vec![facts.clone().into(), name.into()]);
            let found = self.keep(found, Kind::Value);
            let then = self.nested(|this| this.put(map, side, Expr::Local(found)));
            self.nodes.push(Node::If {
                condition: Expr::Local(found),
                then,
                otherwise: Vec::new(),
            });
        }
        match self.role {
            Role::TcpData => {
                let data = Expr::Local(self.implicit(Implicit::Data));
                self.put(map, "data", data);
            }
            Role::TcpDisconnected => {
                let reason = Expr::Local(self.implicit(Implicit::Reason));
                self.put(map, "reason", reason);
            }
            _ => {}
        }
        self.put(map, "timestamp", Expr::host(HostFunction::Now, Vec::new()));
        Expr::Local(map)
    }

    fn make_packet(&mut self) -> Expr {
        let map = self.new_map();
        let bytes = Expr::Local(self.implicit(Implicit::Bytes));
        let text = self.packet_text();
        let socket = Expr::Local(self.implicit(Implicit::Socket));
        let id = self.text("id");
        let id = Expr::runtime("step", vec![socket.into(), id.into()]);
        let length = Expr::runtime(
            "int",
            vec![Expr::Extend(Box::new(Expr::Local(LENGTH))).into()],
        );
        let fields = [
            ("buffer", bytes.clone()),
            ("data", bytes),
            ("message", text.clone()),
            ("text", text),
            ("connection", id.clone()),
            ("connectionId", id),
            ("size", length.clone()),
            ("length", length),
            ("timestamp", Expr::host(HostFunction::Now, Vec::new())),
        ];
        for (key, value) in fields {
            self.put(map, key, value);
        }
        Expr::Local(map)
    }

    /// runtime.md 1.5.2
    fn make_shutdown(&mut self) -> Expr {
        let map = self.new_map();
        if self.success {
            let reason = self.constant_text("graceful shutdown");
            let signal = self.constant_text("SIGTERM");
            self.put(map, "reason", reason);
            self.put(map, "code", Expr::Constant(Constant::Int(0)));
            self.put(map, "signal", signal);
        } else {
            // The parameter is `option<string>`: tag, address, length; address and length are zero for none.
            let error = Expr::runtime(
                "text",
                vec![Expr::Local(LOW).into(), Expr::Local(ADDRESS).into()],
            );
            self.put(map, "reason", error.clone());
            self.put(map, "error", error);
            self.put(map, "code", Expr::Constant(Constant::Int(1)));
        }
        Expr::Local(map)
    }

    /// A published variable is read once, before the first statement (runtime.md 7.9).
    fn read_published(&mut self, name: &str, local: LocalId) {
        let index = self.add_statement(self.set.header, String::new(), self.set.name.clone());
        let name = match self.shared.facts.published.contains(name) {
            true => self.text(name),
            false => self.text(&setting(name)),
        };
        let read = Expr::Call {
            callee: crate::ir::Callee::Host(HostFunction::ReadPublished),
            arguments: vec![Argument::Text(name)],
            fails: crate::ir::Fails::OnMinusOne(FailureKind::Runtime),
        };
        let body = vec![Node::Set(local, read)];
        self.nodes.push(Node::Statement {
            index,
            trace: Vec::new(),
            on_failure: OnFailure::Report,
            body,
        });
    }
}
