//! Start and Stop of the HTTP server (runtime.md 4.1; actions.md 15.1).

use super::{Body, labelled_with, plain_with, result_noun, with_object};
use crate::ir::{Constant, Expr, FailureKind, HostFunction, Kind};
use crate::syntax::ast::{Action, Expression, ExpressionKind};

/// Names of the HTTP server, in lower case.
const HTTP: [&str; 3] = ["http-server", "httpserver", "server"];

/// Names of the contract and its server, which need no binding (runtime.md 1.9).
const CONTRACT: [&str; 4] = ["contract", "Contract", "http-server", "httpServer"];

impl Body<'_, '_> {
    /// `Start the <http-server> with { port: 8085 }.`
    pub(super) fn start_service(&mut self, action: &Action) {
        let Some(service) = http_server(action) else {
            return;
        };
        let port = match plain_with(action).or(with_object(action)) {
            // The host knows the port of the contract.
            Some(with) if self.is_contract(with) => Expr::Long(-1),
            Some(with) => {
                let value = self.expression(with);
                let value = self.keep(value, Kind::Value);
                if names_option(with, "websocket") {
                    self.start_websockets(value);
                }
                Expr::runtime("http_port", vec![Expr::Local(value).into()])
            }
            None => Expr::Long(-1),
        };
        let port = Expr::Call {
            callee: crate::ir::Callee::Host(HostFunction::StartServer),
            arguments: vec![port.into()],
            fails: crate::ir::Fails::OnZero(FailureKind::Action),
        };
        let port = self.keep(port, Kind::Value);
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(4).into()]),
            Kind::Value,
        );
        let kind = self.constant_text(HTTP[0]);
        self.put(map, "port", Expr::Local(port));
        self.put(map, "type", kind.clone());
        self.put(map, "serverType", kind);
        self.put(map, "success", Expr::Constant(Constant::Bool(true)));
        self.bind(&service, Expr::Local(map), false);
    }

    /// `Return … with headers { "Location": "/here" }.`
    pub(super) fn response_headers(&mut self, action: &Action) {
        if let Some(headers) = labelled_with(action, "headers") {
            let headers = self.expression(headers);
            self.perform(Expr::runtime("http_with", vec![headers.into()]));
        }
    }

    fn is_contract(&self, with: &Expression) -> bool {
        let ExpressionKind::Reference(noun) = &with.kind else {
            return false;
        };
        CONTRACT.contains(&noun.base.as_str()) && self.lookup(&noun.base).is_none()
    }

    /// `Stop the <http-server> with <application>.`
    pub(super) fn stop_service(&mut self) {
        self.perform(Expr::host(HostFunction::StopServer, Vec::new()));
    }
}

/// Whether options may have an entry: a map that is written out shows it.
fn names_option(options: &Expression, name: &str) -> bool {
    match &options.kind {
        ExpressionKind::Map(entries) => entries.iter().any(|(key, _)| key.text == name),
        ExpressionKind::Reference(_) => true,
        _ => false,
    }
}

/// Whether the service is the HTTP server.
pub(super) fn is_http(action: &Action) -> bool {
    http_server(action).is_some()
}

fn http_server(action: &Action) -> Option<String> {
    let name = &result_noun(action)?.base;
    HTTP.contains(&name.to_lowercase().as_str())
        .then(|| name.clone())
}
