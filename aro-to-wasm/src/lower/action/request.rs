//! Request, Probe, Call, and Read and Write of a URL (runtime.md 8.1; actions.md 16).

use super::{Body, Path, object_noun, plain_with, result_noun};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind};
use crate::syntax::ast::{Action, Expression, ExpressionKind, Noun, Operand, Preposition, Target};
use aro_wit::interface::HTTP_CLIENT;

/// Forms of `http_ask`.
const REQUEST: i32 = 0;
const OPTIONS: i32 = 1;
const PROBE: i32 = 2;
const CALL: i32 = 3;

/// Methods that may follow `via` (EXT-25), and those of the service `http`.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const CALLED: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What is asked for.
struct Ask<'a> {
    url: Expr,
    with: Expr,
    data: Expr,
    method: &'a str,
    form: i32,
}

impl Body<'_, '_> {
    /// `Request the <r> from the <url> with { … }.`
    pub(super) fn request(&mut self, action: &Action) {
        let (Some(result), Some(object)) = (result_noun(action), &action.object) else {
            return self.misused(action);
        };
        if object_noun(action).is_some_and(|noun| self.is_socket(&noun.base)) {
            return self.request_of_peer(action);
        }
        let mut method = match object.preposition {
            Preposition::To => "POST",
            _ => "GET",
        };
        let url = match object_noun(action) {
            Some(noun) if object.preposition == Preposition::Via => {
                let (url, known) = self.via(noun);
                method = known.unwrap_or(method);
                Some(url)
            }
            _ => self.url(action),
        };
        let Some(url) = url else {
            return self.misused(action);
        };
        let with = self.socket_options(action);
        let answer = self.ask(Ask {
            url,
            with,
            data: Expr::Unbound,
            method,
            form: REQUEST,
        });
        self.bind(&result.base, answer, false);
    }

    /// A peer does not say which of its bytes answer which of ours.
    fn request_of_peer(&mut self, action: &Action) {
        let message = format!(
            "`{}` asks servers of HTTP, not the peer of a socket",
            action.verb.text
        );
        let diagnostic = Diagnostic::new(Code::UnsupportedForm, action.span, message).help(
            "`Send` the question to the connection and take the answer in a `DataReceived Handler`",
        );
        self.shared.diagnostics.push(diagnostic);
    }

    /// `Probe the <health> from "https://host/ping".`
    pub(super) fn probe(&mut self, action: &Action) {
        let (Some(result), Some(url)) = (result_noun(action), self.url(action)) else {
            return self.misused(action);
        };
        let with = self.optional(plain_with(action));
        let method = self.text("GET");
        let found = Expr::fallible_host(
            HostFunction::Probe,
            vec![
                url.into(),
                with.into(),
                Expr::Unbound.into(),
                method.into(),
                Expr::Flag(PROBE).into(),
            ],
        );
        self.bind(&result.base, found, false);
    }

    /// `Call the <r> from the <http: get> with { url: … }.`: the one service there is.
    pub(super) fn call_service(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let named = object_noun(action).and_then(|noun| match &noun.qualifier {
            Some(method) => Some((noun.base.clone(), method.text.clone())),
            None => noun
                .base
                .split_once('-')
                .map(|(service, method)| (service.to_owned(), method.to_owned())),
        });
        let Some((service, wanted)) = named else {
            let received = object_noun(action).map_or("", |noun| noun.base.as_str());
            return self.fail(&format!(
                "Invalid input: Call action requires service and method: <service: method>. Received: {received}"
            ));
        };
        if service != "http" {
            return self.fail(&format!("Service not found: {service}"));
        }
        let known = CALLED
            .into_iter()
            .find(|method| method.eq_ignore_ascii_case(&wanted));
        let Some(method) = known else {
            return self.fail(&format!("Unknown method '{wanted}' on service 'http'"));
        };
        let with = self.optional(plain_with(action));
        let with = self.keep(with, Kind::Value);
        let (key, empty) = (self.text("url"), self.constant_text(""));
        let url = Expr::runtime("get", vec![Expr::Local(with).into(), key.into()]);
        let url = Expr::Choose {
            condition: Box::new(Expr::Local(with)),
            then: Box::new(url),
            otherwise: Box::new(Expr::Unbound),
        };
        let url = self.bound_or(url, empty);
        self.needs(HTTP_CLIENT, "");
        let answer = self.ask(Ask {
            url,
            with: Expr::Local(with),
            data: Expr::Unbound,
            method,
            form: CALL,
        });
        self.bind(&result.base, answer, false);
    }

    /// `Read the <d> from the <url: u>.`: by its media type, or the format that the result names.
    pub(super) fn read_url(&mut self, action: &Action) {
        let (Some(result), Some(url)) = (result_noun(action), self.url(action)) else {
            return self.misused(action);
        };
        let with = self.optional(plain_with(action));
        let with = self.keep(with, Kind::Value);
        let method = self.text("GET");
        let answer = Expr::fallible_host(
            HostFunction::Request,
            vec![
                url.into(),
                Expr::Local(with).into(),
                Expr::Unbound.into(),
                method.into(),
                Expr::Flag(OPTIONS).into(),
                Expr::Flag(1).into(),
            ],
        );
        let answer = self.keep(answer, Kind::Value);
        let key = self.text("body");
        let body = Expr::runtime("entry", vec![Expr::Local(answer).into(), key.into()]);
        let format = result.qualifier.as_ref().map(|format| format.text.as_str());
        let value = match format {
            Some("bytes") => {
                let contents = Expr::runtime("content", vec![body.into()]);
                Expr::runtime("bytes", vec![Argument::Slice(contents)])
            }
            Some(raw) if super::file::is_raw(raw) => Expr::runtime("dump", vec![body.into()]),
            format => {
                let text = Expr::runtime("dump", vec![body.into()]);
                let extension = match format {
                    Some(name) => self.text(name).into(),
                    None => Argument::Slice(Expr::runtime(
                        "http_format",
                        vec![Expr::Local(answer).into()],
                    )),
                };
                self.act(
                    "deserialize_as",
                    vec![text.into(), extension, Expr::Local(with).into()],
                )
            }
        };
        self.bind(&result.base, value, false);
    }

    /// `Write the <d> to the <url: u>.`
    pub(super) fn write_url(&mut self, action: &Action) {
        let data = match &action.result {
            Target::Sink(sink) => self.expression(sink),
            Target::Noun(noun) => self.result_variable(noun),
            Target::None => return self.misused(action),
        };
        let data = self.keep(data, Kind::Value);
        let Some(url) = self.url(action) else {
            return self.misused(action);
        };
        let with = self.optional(plain_with(action));
        let answer = self.ask(Ask {
            url,
            with,
            data: Expr::Local(data),
            method: "POST",
            form: OPTIONS,
        });
        self.perform(answer);
    }

    fn ask(&mut self, ask: Ask<'_>) -> Expr {
        let method = self.text(ask.method);
        Expr::fallible_host(
            HostFunction::Request,
            vec![
                ask.url.into(),
                ask.with.into(),
                ask.data.into(),
                method.into(),
                Expr::Flag(ask.form).into(),
                Expr::Flag(0).into(),
            ],
        )
    }

    fn optional(&mut self, value: Option<&Expression>) -> Expr {
        match value {
            Some(value) => self.expression(value),
            None => Expr::Unbound,
        }
    }

    /// The URL that a statement names; what it needs is noted.
    pub(super) fn url(&mut self, action: &Action) -> Option<Expr> {
        let constant = match &action.object.as_ref()?.operand {
            Operand::Expression(Expression {
                kind: ExpressionKind::Text(text),
                ..
            }) => Some(text.clone()),
            Operand::Noun(noun)
            | Operand::Expression(Expression {
                kind: ExpressionKind::Reference(noun),
                ..
            }) => self.literal(noun),
            // `from url "https://…"`
            Operand::Labelled { value, .. } => match &value.kind {
                ExpressionKind::Text(text) => Some(text.clone()),
                _ => {
                    self.needs(HTTP_CLIENT, "");
                    return Some(self.expression(value));
                }
            },
            Operand::Expression(_) | Operand::Duration { .. } => None,
        };
        if let Some(url) = constant {
            self.needs(HTTP_CLIENT, &authority(&url).unwrap_or_default());
            return Some(self.constant_text(&url));
        }
        self.needs(HTTP_CLIENT, "");
        match object_noun(action) {
            // `<url: address>`: the variable `address`, or a property of the variable `url`.
            Some(noun) if noun.base == "url" && self.lookup("url").is_none() => {
                let name = &noun.qualifier.as_ref()?.text;
                Some(self.variable(name, FailureKind::Action))
            }
            _ => self.object_value(action),
        }
    }

    /// `<url: "https://…">`
    fn literal(&self, noun: &Noun) -> Option<String> {
        let text = &noun.qualifier.as_ref()?.text;
        (noun.base == "url" && text.contains("://")).then(|| text.clone())
    }

    /// `via PUT <url>` has the method as the first step of its path.
    fn via(&mut self, noun: &Noun) -> (Expr, Option<&'static str>) {
        self.needs(HTTP_CLIENT, "");
        let mut plain = noun.clone();
        let mut method = None;
        if let Some(qualifier) = &mut plain.qualifier
            && let Some(first) = qualifier.specifiers.first()
        {
            method = METHODS.into_iter().find(|known| known == first);
            if method.is_some() {
                qualifier.specifiers.remove(0);
            }
        }
        (self.noun(&plain, Path::Step, FailureKind::Action), method)
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => return None,
    };
    let (host, stated) = match authority.rsplit_once(':') {
        // Colons within brackets are those of an address.
        Some((host, stated)) if !stated.ends_with(']') => (host, stated),
        _ => (authority, ""),
    };
    let port = match stated {
        "" => port,
        // What is no port is a mistake that the statement tells of when it runs.
        stated => stated.parse::<u16>().ok()?,
    };
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn targets_of_urls_are_known() {
        for (url, expected) in [
            ("https://example.org/a:b", Some("example.org:443")),
            ("http://h?x", Some("h:80")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("HTTP://[::1]/", Some("[::1]:80")),
            ("http://h:/", Some("h:80")),
            ("http://h:99999/", None),
            ("ws://h/chat", Some("h:80")),
            ("wss://h", Some("h:443")),
            ("ftp://h", None),
            ("h", None),
        ] {
            assert_eq!(authority(url).as_deref(), expected, "{url}");
        }
    }
}
