//! Connect, and Start and Stop of the socket server (runtime.md 6.1, 6.7; actions.md 15.1, 15.2, 15.4).

use super::{Body, plain_with, result_noun, server, with_object};
use crate::ir::{Argument, Constant, Expr, FailureKind, HostFunction, Kind, LocalId, Node};
use crate::syntax::ast::{
    Action, Expression, ExpressionKind, Noun, Operand, Preposition, WithValue,
};
use aro_wit::interface;

/// Host where none is named.
const DEFAULT_HOST: &str = "localhost";
/// Names of the socket server, in small letters and without hyphens.
const SOCKET_SERVER: &str = "socketserver";

impl Body<'_, '_> {
    /// `Connect to <host: "h"> on port n as <name>.`, `Connect the <c> to the <h> with { port: n }.`
    pub(super) fn connect(&mut self, action: &Action) {
        let alias = action.clauses.alias.as_ref();
        let Some(name) = alias.or(result_noun(action)) else {
            return self.misused(action);
        };
        if self.names_websocket(action) {
            return self.connect_websocket(action, name);
        }
        let port = port(action);
        let Some(host) = self.host(action) else {
            return self.misused(action);
        };
        let number = port.as_ref().and_then(|port| match port.kind {
            ExpressionKind::Int(number) => Some(number),
            _ => None,
        });
        if let (Some(port), Some(number)) = (&port, number)
            && !self.is_port(number, port.span, 1)
        {
            return;
        }
        let target = match (&host, number) {
            (Host::Constant(host), Some(port)) => format!("{host}:{port}"),
            _ => String::new(),
        };
        self.needs(interface::OUTBOUND, &target);
        let host = match host {
            Host::Constant(host) => self.constant_text(&host),
            Host::Value(value) => value,
        };
        let port = match port {
            Some(port) => self.expression(&port),
            None => Expr::Unbound,
        };
        let options = self.socket_options(action);
        // The seeds test whether the name is empty; the older form fails, and binds the identity.
        let soft = alias.is_some();
        let known = self.text(if soft { &name.base } else { "" });
        let opened = Expr::fallible_host(
            HostFunction::Connect,
            vec![
                Argument::Slice(Expr::runtime("string", vec![host.into()])),
                port.into(),
                known.into(),
                options.into(),
                Expr::Flag(i32::from(soft)).into(),
            ],
        );
        if soft {
            return self.bind(&name.base, opened, true);
        }
        let socket = self.keep(opened, Kind::Value);
        let id = self.text("id");
        let id = Expr::runtime("step", vec![Expr::Local(socket).into(), id.into()]);
        self.bind(&name.base, id, false);
    }

    /// actions.md 15.4
    fn host(&mut self, action: &Action) -> Option<Host> {
        let mut objects = action.object.iter().chain(&action.extra);
        let object = objects.find(|object| object.preposition == Preposition::To)?;
        let noun = match &object.operand {
            Operand::Noun(noun) => noun,
            Operand::Expression(expression) => match &expression.kind {
                ExpressionKind::Text(text) => return Some(Host::Constant(text.clone())),
                ExpressionKind::Reference(noun) => noun,
                _ => return Some(Host::Value(self.expression(expression))),
            },
            Operand::Labelled { label, value } if label.text == "host" => {
                return Some(match &value.kind {
                    ExpressionKind::Text(text) => Host::Constant(text.clone()),
                    _ => Host::Value(self.expression(value)),
                });
            }
            Operand::Labelled { .. } | Operand::Duration { .. } => return None,
        };
        Some(self.host_noun(noun))
    }

    fn host_noun(&mut self, noun: &Noun) -> Host {
        let (name, literal) = match &noun.qualifier {
            // What is quoted is meant literally; a name may be that of a variable.
            Some(qualifier) if noun.base == "host" && qualifier.quoted => {
                return Host::Constant(qualifier.text.clone());
            }
            Some(qualifier) if noun.base == "host" => {
                (qualifier.text.clone(), qualifier.text.clone())
            }
            Some(_) => {
                let value = self.noun(noun, super::Path::Step, FailureKind::Action);
                return Host::Value(value);
            }
            None if noun.base == "host" => (noun.base.clone(), DEFAULT_HOST.to_owned()),
            None => (noun.base.clone(), noun.base.clone()),
        };
        match self.variable_or_unbound(&name) {
            Expr::Unbound => Host::Constant(literal),
            value => {
                let literal = self.constant_text(&literal);
                Host::Value(self.bound_or(value, literal))
            }
        }
    }

    /// The options of a statement as one value: its `with` clause, and those with labels.
    pub(super) fn socket_options(&mut self, action: &Action) -> Expr {
        let plain = plain_with(action).or_else(|| with_object(action));
        let labelled: Vec<_> = action
            .clauses
            .with
            .iter()
            .filter_map(|with| match (&with.label, &with.value) {
                (Some(label), WithValue::Expression(value)) => Some((label, value)),
                _ => None,
            })
            .collect();
        if labelled.is_empty() {
            return match plain {
                Some(value) => self.expression(value),
                None => Expr::Unbound,
            };
        }
        let map = self.options_map();
        for (label, value) in labelled {
            let value = self.expression(value);
            self.put(map, &label.text, value);
        }
        if let Some(value) = plain {
            let value = self.expression(value);
            let merge = Expr::runtime("merge", vec![Expr::Local(map).into(), value.into()]);
            self.nodes.push(Node::Do(merge));
        }
        Expr::Local(map)
    }

    fn options_map(&mut self) -> LocalId {
        let map = Expr::runtime("map", vec![Expr::Flag(4).into()]);
        self.keep(map, Kind::Value)
    }

    /// `Start the <socket-server> with { port: 9000 }.`
    pub(super) fn start(&mut self, action: &Action) {
        if server::is_http(action) {
            return self.start_service(action);
        }
        if super::monitor::names_monitor(action) {
            return self.start_monitor(action);
        }
        let Some(result) = result_noun(action).filter(|noun| is_socket_server(noun)) else {
            return self.unknown_service(action);
        };
        let name = action
            .clauses
            .alias
            .as_ref()
            .map_or(&result.base, |alias| &alias.base)
            .to_owned();
        let port = match (port(action), &result.qualifier) {
            (Some(port), _) => self.expression(&port),
            (None, Some(qualifier)) => match qualifier.text.parse() {
                Ok(number) => Expr::Constant(Constant::Int(number)),
                Err(_) => Expr::Unbound,
            },
            (None, None) => Expr::Unbound,
        };
        let options = self.socket_options(action);
        let opened = self.open_listener(&name, port, options, false);
        let listener = self.keep(opened, Kind::Value);
        let Some(alias) = &action.clauses.alias else {
            return self.bind_service(result, Some(listener));
        };
        self.bind(&alias.base, Expr::Local(listener), true);
    }

    /// `Stop the <socket-server> with <application>.`
    pub(super) fn stop(&mut self, action: &Action) {
        if server::is_http(action) {
            return self.stop_service();
        }
        if super::monitor::names_monitor(action) {
            return self.stop_monitor(action);
        }
        let Some(result) = result_noun(action).filter(|noun| is_socket_server(noun)) else {
            return self.unknown_service(action);
        };
        let listener = self.find(&result.base);
        let listener = self.keep(listener, Kind::Value);
        self.close_if_bound(HostFunction::CloseListener, listener);
        self.bind_service(result, None);
    }

    /// The record that Start and Stop bind.
    fn bind_service(&mut self, result: &Noun, listener: Option<LocalId>) {
        let map = self.options_map();
        let kind = self.constant_text("socket-server");
        self.put(map, "serverType", kind);
        self.put(map, "success", Expr::Constant(Constant::Bool(true)));
        if let Some(listener) = listener {
            let port = self.text("port");
            let port = Expr::fallible_host(
                HostFunction::StepSocket,
                vec![Expr::Local(listener).into(), port.into()],
            );
            self.put(map, "port", port);
        }
        self.bind(&result.base, Expr::Local(map), false);
    }
}

/// What is connected to.
enum Host {
    /// Known when it is compiled.
    Constant(String),
    /// Known when it runs.
    Value(Expr),
}

fn is_socket_server(noun: &Noun) -> bool {
    noun.base
        .replace('-', "")
        .eq_ignore_ascii_case(SOCKET_SERVER)
}

/// The port of `on port n` or `on <port: n>`.
pub(super) fn port(action: &Action) -> Option<Expression> {
    let mut objects = action.object.iter().chain(&action.extra);
    let object = objects.find(|object| object.preposition == Preposition::On)?;
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
