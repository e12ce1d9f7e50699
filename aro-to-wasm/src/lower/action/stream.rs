//! Stream, and Subscribe from a source: events of servers, messages of WebSockets, lines of files (actions.md 13.7). Connect to the URL of a WebSocket.

use super::file::{FILE, text_of};
use super::{Body, kind, operand_noun, plain_with, result_noun, with_object};
use crate::actions::ActionKind;
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, Node};
use crate::syntax::ast::{
    Action, Block, Expression, ExpressionKind, Noun, Operand, Preposition, Segment, Statement,
};
use crate::syntax::walk;
use aro_wit::interface::FILES_READING;

/// Form of `http_ask`.
const OPEN: i32 = 4;
/// How URLs of WebSockets begin.
const WEBSOCKET: [&str; 2] = ["ws://", "wss://"];
/// How URLs of streams begin.
const SOURCES: [&str; 4] = ["http://", "https://", "ws://", "wss://"];

impl Body<'_, '_> {
    /// `Stream the <events> from "https://…".`
    pub(super) fn stream(&mut self, action: &Action) {
        let (Some(result), Some(_)) = (result_noun(action), &action.object) else {
            return self.misused(action);
        };
        if self.streams_file(action) {
            return self.lines(action, result);
        }
        let Some(url) = self.url(action) else {
            return self.misused(action);
        };
        let url = self.keep(url, Kind::Value);
        let event = self.text(&result.base);
        let mut arguments = self.opening(Expr::Local(url), action);
        arguments.push(event.into());
        let followed = Expr::fallible_host(HostFunction::Follow, arguments);
        self.perform(followed);
        let url = Expr::runtime("string", vec![Expr::Local(url).into()]);
        let url = Expr::runtime("text", vec![Argument::Slice(url)]);
        self.bind(&result.base, url, false);
    }

    /// Whether the source is a file: its text, or the constant of its variable, is no URL.
    fn streams_file(&self, action: &Action) -> bool {
        let is_file = |text: &str| !begins(text, &SOURCES);
        match action.object.as_ref().map(|object| &object.operand) {
            Some(Operand::Expression(Expression { kind, .. })) => match kind {
                ExpressionKind::Text(text) => is_file(text),
                ExpressionKind::Interpolated(segments) => first_text(segments).is_some_and(is_file),
                ExpressionKind::Reference(noun) => self.is_file(noun),
                _ => false,
            },
            Some(Operand::Noun(noun)) => self.is_file(noun),
            Some(Operand::Duration { .. } | Operand::Labelled { .. }) | None => false,
        }
    }

    fn is_file(&self, noun: &Noun) -> bool {
        let constant = constant(&self.set.body, &noun.base);
        match (&noun.qualifier, constant) {
            (Some(_), _) => noun.base == "file",
            (None, Some(text)) => !begins(text, &SOURCES),
            (None, None) => false,
        }
    }

    /// The lines of a file as a list.
    fn lines(&mut self, action: &Action, result: &Noun) {
        let Some(path) = self.object_path(action) else {
            return self.misused(action);
        };
        let path = self.keep(path, Kind::Value);
        self.needs(FILES_READING, "");
        let exists = Expr::host(
            HostFunction::FileExists,
            vec![text_of(Expr::Local(path)), Expr::Flag(FILE).into()],
        );
        let missing = self.nested(|this| {
            let prefix = this.constant_text("Cannot open file: ");
            let message = Expr::runtime("concat", vec![prefix.into(), Expr::Local(path).into()]);
            this.perform(Expr::runtime("raise", vec![text_of(message)]));
            this.nodes.push(Node::Fail(FailureKind::Action));
        });
        self.nodes.push(Node::If {
            condition: exists,
            then: Vec::new(),
            otherwise: missing,
        });
        let read = Expr::fallible_host(HostFunction::FileRead, vec![text_of(Expr::Local(path))]);
        let lines = Expr::runtime("lines", vec![read.into()]);
        self.bind_lazy(&result.base, lines);
    }

    /// Whether Connect names the URL of a WebSocket.
    pub(super) fn names_websocket(&self, action: &Action) -> bool {
        let Some(object) = action.object.as_ref() else {
            return false;
        };
        if object.preposition != Preposition::To {
            return false;
        }
        match &object.operand {
            Operand::Expression(Expression { kind, .. }) => match kind {
                ExpressionKind::Text(text) => begins(text, &WEBSOCKET),
                ExpressionKind::Interpolated(segments) => {
                    first_text(segments).is_some_and(|text| begins(text, &WEBSOCKET))
                }
                _ => self.is_websocket_url(operand_noun(object)),
            },
            Operand::Noun(_) => self.is_websocket_url(operand_noun(object)),
            Operand::Labelled { label, value } => {
                label.text == "url"
                    || matches!(&value.kind, ExpressionKind::Text(text) if begins(text, &WEBSOCKET))
            }
            Operand::Duration { .. } => false,
        }
    }

    /// `<url: …>`, or a variable that holds the URL of one.
    fn is_websocket_url(&self, noun: Option<&Noun>) -> bool {
        noun.is_some_and(|noun| match &noun.qualifier {
            Some(_) => noun.base == "url",
            None => {
                constant(&self.set.body, &noun.base).is_some_and(|text| begins(text, &WEBSOCKET))
            }
        })
    }

    /// `Connect the <feed> to "wss://…".`, `Connect to "wss://…" as <feed>.`
    pub(super) fn connect_websocket(&mut self, action: &Action, name: &Noun) {
        let labelled = match action.object.as_ref().map(|object| &object.operand) {
            Some(Operand::Labelled { value, .. }) => Some(value),
            _ => None,
        };
        let url = match labelled {
            Some(value) => {
                self.needs(aro_wit::interface::HTTP_CLIENT, "");
                Some(self.expression(value))
            }
            None => self.url(action),
        };
        let Some(url) = url else {
            return self.misused(action);
        };
        // As for other connections: the newer form leaves the name empty, the older one fails.
        let soft = action.clauses.alias.is_some();
        let known = self.text(if soft { &name.base } else { "" });
        let mut arguments = self.opening(url, action);
        arguments.push(known.into());
        arguments.push(Expr::Flag(i32::from(soft)).into());
        let opened = Expr::fallible_host(HostFunction::OpenWebSocket, arguments);
        if soft {
            return self.bind(&name.base, opened, true);
        }
        let socket = self.keep(opened, Kind::Value);
        let id = self.text("id");
        let id = Expr::runtime("step", vec![Expr::Local(socket).into(), id.into()]);
        self.bind(&name.base, id, false);
    }

    /// What `http_ask` takes.
    fn opening(&mut self, url: Expr, action: &Action) -> Vec<Argument> {
        let with = self.socket_options(action);
        let method = self.text("GET");
        vec![
            url.into(),
            with.into(),
            Expr::Unbound.into(),
            method.into(),
            Expr::Flag(OPEN).into(),
        ]
    }
}

fn begins(text: &str, schemes: &[&str]) -> bool {
    let begins = |scheme: &&str| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    schemes.iter().any(begins)
}

/// What a text with values in it begins with.
fn first_text(segments: &[Segment]) -> Option<&str> {
    match segments.first()? {
        Segment::Text(text) => Some(text),
        Segment::Expression(_) => None,
    }
}

/// The beginning of the text that a feature set binds to a name.
fn constant<'a>(body: &'a Block, name: &str) -> Option<&'a str> {
    let mut found = None;
    walk::statements(body, &mut |statement, _| {
        if let Statement::Action(action) = statement
            && result_noun(action).is_some_and(|noun| noun.base == name)
            && matches!(kind(action), Some(ActionKind::Create | ActionKind::Compute))
        {
            let object = match action.object.as_ref().map(|object| &object.operand) {
                Some(Operand::Expression(value)) => Some(value),
                _ => None,
            };
            let value = plain_with(action).or(with_object(action)).or(object);
            found = value.and_then(beginning).or(found);
        }
    });
    found
}

fn beginning(value: &Expression) -> Option<&str> {
    match &value.kind {
        ExpressionKind::Text(text) => Some(text),
        ExpressionKind::Interpolated(segments) => first_text(segments),
        ExpressionKind::Binary(_, left, _) => beginning(left),
        _ => None,
    }
}
