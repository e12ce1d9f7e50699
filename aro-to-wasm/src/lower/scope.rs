//! Names to locals.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Body;
use super::action::METRICS_FORMAT;
use super::trigger::Implicit;
use crate::actions::{ActionKind, Role as ActionRole, lookup};
use crate::ir::{
    Constant, Expr, FailureKind, FlagOperator, HostFunction, Kind, LocalId, Node, Role,
};
use crate::syntax::ast::{Action, Block, Statement, Target};

/// Field of a notification that holds whom it is for.
const NOTIFIED: &str = "user";

/// The names of one context (language.md 9.1).
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Every name that some statement of the context binds.
    names: FxHashMap<String, LocalId>,
    /// The ones bound on every path to here.
    bound: FxHashSet<LocalId>,
    /// The ones that hold a socket for certain.
    sockets: FxHashSet<LocalId>,
    /// The ones that hold what stood in a field for a connection, which may be a socket.
    perhaps_sockets: FxHashSet<LocalId>,
    /// The ones whose elements come one by one, so that Log writes a line for each (runtime.md 8.5.4).
    lazy: FxHashSet<LocalId>,
    /// Of the ones that are bound several times, perhaps to such a list: a flag that says whether the last time was one.
    flags: FxHashMap<LocalId, LocalId>,
}

/// Whether a Log of a name writes a line for each element.
pub(super) enum Lazy {
    /// It does not.
    No,
    /// It does: the elements are those of the local.
    Yes(LocalId),
    /// It does if the condition holds.
    If(Expr, LocalId),
}

impl Body<'_, '_> {
    /// Opens a context with a local for each name that the block binds in it.
    pub(super) fn open_scope(&mut self, block: &Block) -> Vec<LocalId> {
        let mut names = Vec::new();
        bindings(block, &mut names);
        let mut scope = Scope::default();
        let mut locals = Vec::new();
        let mut times: FxHashMap<LocalId, (u32, bool)> = FxHashMap::default();
        for (name, is_lazy) in names {
            let local = *scope.names.entry(name).or_insert_with(|| {
                let local = self.local(Kind::Value);
                locals.push(local);
                local
            });
            let (count, lazily) = times.entry(local).or_default();
            *count += 1;
            *lazily |= is_lazy;
        }
        for local in &locals {
            if let Some((2.., true)) = times.get(local) {
                scope.flags.insert(*local, self.local(Kind::Flag));
            }
        }
        self.scopes.push(scope);
        locals
    }

    pub(super) fn close_scope(&mut self) {
        self.scopes.pop();
    }

    /// Enters a name that is bound already.
    pub(super) fn declare(&mut self, name: &str, local: LocalId) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.names.insert(name.to_owned(), local);
            scope.bound.insert(local);
        }
    }

    /// Enters a name that may be bound.
    pub(super) fn declare_doubtful(&mut self, name: &str, local: LocalId) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.names.insert(name.to_owned(), local);
        }
    }

    /// The names bound for certain, to be restored after a block that may not run.
    pub(super) fn bound(&self) -> Vec<FxHashSet<LocalId>> {
        self.scopes
            .iter()
            .map(|scope| scope.bound.clone())
            .collect()
    }

    pub(super) fn restore_bound(&mut self, bound: Vec<FxHashSet<LocalId>>) {
        for (scope, bound) in self.scopes.iter_mut().zip(bound) {
            scope.bound = bound;
        }
    }

    /// The local that a binding of `name` goes to.
    pub(super) fn binding(&mut self, name: &str) -> LocalId {
        if let Some(local) = self.scopes.last().and_then(|scope| scope.names.get(name)) {
            return *local;
        }
        let local = self.local(Kind::Value);
        if let Some(scope) = self.scopes.last_mut() {
            scope.names.insert(name.to_owned(), local);
        }
        local
    }

    /// Binds a name to a value.
    pub(super) fn bind(&mut self, name: &str, value: Expr, socket: bool) {
        let local = self.binding(name);
        self.nodes.push(Node::Set(local, value));
        self.note_laziness(local, false);
        if let Some(scope) = self.scopes.last_mut() {
            scope.bound.insert(local);
            scope.perhaps_sockets.remove(&local);
            match socket {
                true => scope.sockets.insert(local),
                false => scope.sockets.remove(&local),
            };
        }
        self.tell_bound(name, local);
    }

    /// Binds a name to what may be a socket.
    pub(super) fn bind_perhaps_socket(&mut self, name: &str, value: Expr) {
        self.bind(name, value, false);
        let local = self.binding(name);
        if let Some(scope) = self.scopes.last_mut() {
            scope.perhaps_sockets.insert(local);
        }
    }

    /// Binds a name to a list whose elements come one by one.
    pub(super) fn bind_lazy(&mut self, name: &str, value: Expr) {
        self.bind(name, value, false);
        let local = self.binding(name);
        self.note_laziness(local, true);
    }

    fn note_laziness(&mut self, local: LocalId, is_lazy: bool) {
        let Some(scope) = self.scopes.last_mut() else {
            return;
        };
        if let Some(flag) = scope.flags.get(&local) {
            self.nodes
                .push(Node::Set(*flag, Expr::Flag(is_lazy.into())));
        } else if is_lazy {
            scope.lazy.insert(local);
        }
    }

    /// Whether a name is bound to such a list.
    pub(super) fn lazy(&self, name: &str) -> Lazy {
        let Some((local, is_certain)) = self.lookup(name) else {
            return Lazy::No;
        };
        let mut scopes = self.scopes.iter();
        let flag = scopes.find_map(|scope| scope.flags.get(&local));
        let is_bound = Expr::Local(local).negated().negated();
        match flag {
            Some(flag) if is_certain => Lazy::If(Expr::Local(*flag), local),
            Some(flag) => {
                let both = vec![is_bound, Expr::Local(*flag)];
                Lazy::If(Expr::Flags(FlagOperator::And, both), local)
            }
            None if !self.scopes.iter().any(|scope| scope.lazy.contains(&local)) => Lazy::No,
            None if is_certain => Lazy::Yes(local),
            None => Lazy::If(is_bound, local),
        }
    }

    /// Tells a replay what a name is bound to.
    pub(super) fn tell_bound(&mut self, name: &str, local: LocalId) {
        if self.shared.facts.is_traced {
            let name = self.text(name);
            let told = vec![name.into(), Expr::Local(local).into()];
            let told = Expr::host(HostFunction::TraceBound, told);
            self.nodes.push(Node::Do(told));
        }
    }

    /// The local of a name in this context or one around it, and whether it is bound for certain.
    pub(super) fn lookup(&self, name: &str) -> Option<(LocalId, bool)> {
        self.scopes.iter().rev().find_map(|scope| {
            let local = *scope.names.get(name)?;
            Some((local, scope.bound.contains(&local)))
        })
    }

    /// Every name of this context and those around it with its local, in order; inner ones hide outer ones.
    pub(super) fn visible(&self) -> std::collections::BTreeMap<String, LocalId> {
        self.scopes
            .iter()
            .flat_map(|scope| scope.names.iter())
            .map(|(name, local)| (name.clone(), *local))
            .collect()
    }

    /// Whether a name may hold a socket.
    pub(super) fn may_be_socket(&self, name: &str) -> bool {
        let Some((local, _)) = self.lookup(name) else {
            return self.is_socket(name);
        };
        let mut scopes = self.scopes.iter();
        self.is_socket(name) || scopes.any(|scope| scope.perhaps_sockets.contains(&local))
    }

    /// Whether a name holds a socket for certain.
    pub(super) fn is_socket(&self, name: &str) -> bool {
        match self.lookup(name) {
            Some((local, _)) => self
                .scopes
                .iter()
                .any(|scope| scope.sockets.contains(&local)),
            None => {
                (name == "connection" && self.is_of_connection())
                    || (name == "websocket-connection" && self.is_websocket())
                    || (name == "event-stream" && self.is_stream())
                    || self.shared.facts.listeners.contains(name)
            }
        }
    }

    /// The value of a name; an unbound one fails the statement: as an error of an expression, of the runtime (loops, match, publish) or as the cause of the action's failure.
    pub(super) fn variable(&mut self, name: &str, missing: FailureKind) -> Expr {
        if let Some((local, true)) = self.lookup(name) {
            return Expr::Local(local);
        }
        if let Some(magic) = self.magic(name) {
            return magic;
        }
        let value = self.variable_or_unbound(name);
        let text = self.text(name);
        let undefined = Expr::Undefined {
            name: text,
            kind: missing,
        };
        if value == Expr::Unbound {
            return undefined;
        }
        let local = match value {
            Expr::Local(local) => local,
            other => self.keep(other, Kind::Value),
        };
        Expr::Choose {
            condition: Box::new(Expr::Local(local)),
            then: Box::new(Expr::Local(local)),
            otherwise: Box::new(undefined),
        }
    }

    /// The value of a name, or zero. A context that may bind the name hides those around it only once it has.
    pub(super) fn variable_or_unbound(&mut self, name: &str) -> Expr {
        let mut maybe_bound = Vec::new();
        let mut value = None;
        for scope in self.scopes.iter().rev() {
            match scope.names.get(name) {
                Some(local) if scope.bound.contains(local) => {
                    value = Some(Expr::Local(*local));
                    break;
                }
                Some(local) => maybe_bound.push(*local),
                None => {}
            }
        }
        let value = value.unwrap_or_else(|| self.elsewhere(name));
        maybe_bound
            .into_iter()
            .rev()
            .fold(value, |otherwise, local| match otherwise {
                Expr::Unbound => Expr::Local(local),
                otherwise => Expr::Choose {
                    condition: Box::new(Expr::Local(local)),
                    then: Box::new(Expr::Local(local)),
                    otherwise: Box::new(otherwise),
                },
            })
    }

    /// A name that no statement of the feature set has bound: trigger, named sockets, published variables.
    fn elsewhere(&mut self, name: &str) -> Expr {
        if self.role == Role::Tested {
            // A feature set under test sees the variables of the test; a name that is none of them gives zero.
            let name = self.text(name);
            return Expr::runtime("get", vec![Expr::Local(LocalId(0)).into(), name.into()]);
        }
        if let Some(implicit) = self.implicit_name(name) {
            return Expr::Local(self.implicit(implicit));
        }
        if let Some(field) = self.header_field(name) {
            return match self.application_name(name) {
                Expr::Unbound => field,
                otherwise => self.bound_or(field, otherwise),
            };
        }
        self.application_name(name)
    }

    /// A field of the event by its bare name, in the condition of a header (EXT-9; runtime.md 3.4 for notifications).
    fn header_field(&mut self, name: &str) -> Option<Expr> {
        if !self.in_header {
            return None;
        }
        if self.is_of_connection() {
            return self.event_field("event", name);
        }
        if self.role != Role::Event {
            return None;
        }
        let payload = self.implicit(Implicit::Payload);
        let field = self.field_of(Expr::Local(payload), name);
        if !self.notifies {
            return Some(field);
        }
        let notified = self.field_of(Expr::Local(payload), NOTIFIED);
        let notified = self.keep(notified, Kind::Value);
        let its = Expr::Choose {
            condition: Box::new(Expr::Local(notified)),
            then: Box::new(self.field_of(Expr::Local(notified), name)),
            otherwise: Box::new(Expr::Unbound),
        };
        Some(self.bound_or(field, its))
    }

    /// An entry of a map, or zero.
    fn field_of(&mut self, map: Expr, name: &str) -> Expr {
        let name = self.text(name);
        Expr::runtime("get", vec![map.into(), name.into()])
    }

    /// A name that belongs to the application: named sockets, published variables.
    fn application_name(&mut self, name: &str) -> Expr {
        if self.shared.facts.listeners.contains(name) {
            // What is not open is empty (runtime.md 6.2).
            let found = self.find(name);
            return self.bound_or(found, Expr::Constant(Constant::Null));
        }
        let facts = self.shared.facts;
        let is_shared = facts.published.contains(name) || facts.configured.contains(name);
        if is_shared && !facts.is_repository(name) {
            if let Some(local) = self.published.get(name) {
                return Expr::Local(*local);
            }
            let local = self.local(Kind::Value);
            self.published.insert(name.to_owned(), local);
            return Expr::Local(local);
        }
        Expr::Unbound
    }

    /// Names that have a value everywhere (language.md 9.3, runtime.md 1.9).
    pub(super) fn magic(&mut self, name: &str) -> Option<Expr> {
        if let Some(object) = self.constant_object(name) {
            return Some(object);
        }
        if name == "metrics" {
            return Some(self.metrics(METRICS_FORMAT));
        }
        let function = match name {
            "now" => HostFunction::Now,
            "current-time" => HostFunction::CurrentTime,
            "generated-id" => HostFunction::GeneratedId,
            _ => return None,
        };
        Some(Expr::host(function, Vec::new()))
    }

    /// Whether the function handles an event of a connection, be it a WebSocket or not.
    pub(super) fn is_of_connection(&self) -> bool {
        let is_tcp = matches!(
            self.role,
            Role::TcpConnected | Role::TcpData | Role::TcpFinished | Role::TcpDisconnected
        );
        is_tcp || self.is_websocket()
    }

    /// Whether the function handles an event of a WebSocket.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(
            self.role,
            Role::WebSocketConnected | Role::WebSocketMessage | Role::WebSocketDisconnected
        )
    }

    /// Whether the function handles a request whose response stays open.
    pub(super) fn is_stream(&self) -> bool {
        let streams = |api: &crate::contract::Contract| api.streams(&self.set.name);
        self.role == Role::Operation && self.shared.facts.api.is_some_and(streams)
    }

    fn implicit_name(&self, name: &str) -> Option<Implicit> {
        match (name, self.role) {
            ("event", _) if self.is_of_connection() => Some(Implicit::Event),
            (name, Role::Event) if name == self.event => Some(Implicit::Payload),
            ("connection", _) if self.is_of_connection() => Some(Implicit::Socket),
            ("websocket-connection", _) if self.is_websocket() => Some(Implicit::Socket),
            ("websocket-message", Role::WebSocketMessage) => Some(Implicit::Message),
            ("packet", Role::TcpData) => Some(Implicit::Packet),
            ("request", Role::Operation) => Some(Implicit::Request),
            ("pathParameters", Role::Operation) => Some(Implicit::PathParameters),
            ("queryParameters", Role::Operation) => Some(Implicit::QueryParameters),
            ("headers", Role::Operation) => Some(Implicit::Headers),
            ("headerParameters", Role::Operation) => Some(Implicit::HeaderParameters),
            ("cookieParameters", Role::Operation) => Some(Implicit::CookieParameters),
            ("body", Role::Operation) => Some(Implicit::Body),
            ("event-stream", _) if self.is_stream() => Some(Implicit::Stream),
            ("shutdown", Role::End) => Some(Implicit::Shutdown),
            _ => None,
        }
    }
}

/// Names bound in the context of a block, and whether to what may be a list whose elements come one by one: loops over elements have contexts of their own, the other blocks have not.
fn bindings(block: &Block, names: &mut Vec<(String, bool)>) {
    for statement in &block.statements {
        match statement {
            Statement::Action(action) => action_bindings(action, names),
            Statement::Pipeline(actions) => actions
                .iter()
                .for_each(|action| action_bindings(action, names)),
            Statement::Publish(publish) => names.push((publish.external.text.clone(), false)),
            Statement::Require(require) => names.push((require.name.text.clone(), false)),
            Statement::Match(statement) => {
                let cases = statement.cases.iter().map(|case| &case.body);
                cases
                    .chain(&statement.otherwise)
                    .for_each(|block| bindings(block, names));
            }
            Statement::If(statement) => {
                bindings(&statement.then, names);
                statement
                    .otherwise
                    .iter()
                    .for_each(|block| bindings(block, names));
            }
            Statement::While(statement) => bindings(&statement.body, names),
            Statement::ForEach(_) | Statement::Range(_) | Statement::Break(_) => {}
        }
    }
}

fn action_bindings(action: &Action, names: &mut Vec<(String, bool)>) {
    if let Some(alias) = &action.clauses.alias {
        names.push((alias.base.clone(), false));
    }
    let Target::Noun(noun) = &action.result else {
        return;
    };
    let known = lookup(&action.verb.text);
    if known.is_none_or(|known| known.role != ActionRole::Response) {
        let is_lazy =
            known.is_some_and(|known| matches!(known.kind, ActionKind::List | ActionKind::Stream));
        names.push((noun.base.clone(), is_lazy));
    }
}
