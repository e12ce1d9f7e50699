//! Log, Return, Throw.

use super::environment::METRICS_FORMAT;
use super::{Body, object_noun, plain_with, with_object};
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, LocalId, Node, Role};
use crate::lower::scope::Lazy;
use crate::syntax::ast::{Action, ExpressionKind, Noun, Operand, Target};

/// Streams of `aro:log/console`.
const OUTPUT: i32 = 0;
const ERROR: i32 = 1;

/// Names whose value a bare Return answers, the first bound one (runtime.md 2.4 step 3).
pub(super) const ANSWERS: &[&str] = &["greeting", "message", "result", "data", "output", "value"];

impl Body<'_, '_> {
    /// actions.md 14.1
    pub(super) fn log(&mut self, action: &Action) {
        let message = match (plain_with(action), with_object(action), &action.result) {
            (_, _, Target::Sink(sink)) => self.expression(sink),
            (Some(with), ..) | (None, Some(with), _) => self.expression(with),
            (None, None, Target::Noun(noun)) => self.log_noun(noun),
            (None, None, Target::None) => self.constant_text(""),
        };
        let stream = match object_noun(action) {
            Some(noun) if noun.base == "stderr" => ERROR,
            Some(noun)
                if noun.base == "console"
                    && noun.qualifier.as_ref().is_some_and(|q| q.text == "error") =>
            {
                ERROR
            }
            Some(noun) if self.means_template(noun) => {
                return self.print_to_template(message);
            }
            _ => OUTPUT,
        };
        match self.logged_lazily(action) {
            Lazy::Yes(list) => self.lines_of(action, stream, list),
            Lazy::No => self.line(action, stream, message),
            Lazy::If(condition, list) => {
                let message = self.keep(message, Kind::Value);
                let then = self.nested(|this| this.lines_of(action, stream, list));
                let otherwise = self.nested(|this| this.line(action, stream, Expr::Local(message)));
                self.nodes.push(Node::If {
                    condition,
                    then,
                    otherwise,
                });
            }
        }
    }

    /// Whether a Log writes line by line what its result names.
    fn logged_lazily(&self, action: &Action) -> Lazy {
        let is_given = plain_with(action).is_some() || with_object(action).is_some();
        super::result_noun(action)
            .filter(|noun| !is_given && noun.qualifier.is_none())
            .map_or(Lazy::No, |noun| self.lazy(&noun.base))
    }

    /// A line for each element.
    fn lines_of(&mut self, action: &Action, stream: i32, list: LocalId) {
        self.each(list, |this, element, _| this.line(action, stream, element));
    }

    /// One line of the console.
    fn line(&mut self, action: &Action, stream: i32, message: Expr) {
        let text = if matches!(self.role, Role::Test | Role::Tested) {
            self.test_line(action, message)
        } else {
            Expr::runtime("human", vec![message.into()])
        };
        self.perform(Expr::host(
            HostFunction::ConsoleWrite,
            vec![Expr::Flag(stream).into(), Argument::Slice(text)],
        ));
    }

    /// The variable, its property, or, when it is unbound, its own name (actions.md ).
    fn log_noun(&mut self, noun: &Noun) -> Expr {
        let is_metrics = noun.base == "metrics" && self.lookup("metrics").is_none();
        if noun.qualifier.is_some() || is_metrics {
            return self.noun(noun, super::Path::Step, FailureKind::Action);
        }
        let value = self.variable_or_unbound(&noun.base);
        let name = self.constant_text(&noun.base);
        match value {
            Expr::Unbound => name,
            value => {
                let value = self.keep(value, Kind::Value);
                Expr::Choose {
                    condition: Box::new(Expr::Local(value)),
                    then: Box::new(Expr::Local(value)),
                    otherwise: Box::new(name),
                }
            }
        }
    }

    /// actions.md 14.3: the sentence of the statement is the error; `with` adds to its cause.
    pub(super) fn throw(&mut self, action: &Action) {
        let (thrown, reason) = match (&action.result, object_noun(action)) {
            (Target::Noun(thrown), Some(reason)) => (thrown.base.as_str(), reason.base.as_str()),
            (Target::Noun(thrown), None) => (thrown.base.as_str(), ""),
            _ => ("error", ""),
        };
        let mut cause = format!("{thrown} in {}", self.set.name);
        if !reason.is_empty() {
            cause = format!("{cause}: {reason}");
        }
        let object = match action.object.as_ref().map(|object| &object.operand) {
            Some(Operand::Expression(value)) if !super::lone_reference(value) => Some(value),
            _ => None,
        };
        match plain_with(action).or(with_object(action)).or(object) {
            None => self.fail(&cause),
            Some(with) => {
                let value = self.expression(with);
                let separated = self.constant_text(&format!("{cause}: "));
                let text = Expr::fallible(
                    "concat",
                    vec![separated.into(), value.into()],
                    FailureKind::Action,
                );
                let text = Expr::runtime("string", vec![text.into()]);
                self.perform(Expr::runtime("raise", vec![Argument::Slice(text)]));
                self.nodes.push(Node::Fail(FailureKind::Action));
            }
        }
    }

    /// runtime.md 2.4
    pub(super) fn return_(&mut self, action: &Action) {
        let mut answer = Answer::of(action);
        if self.role == Role::Operation && self.serves_file(&answer) {
            (answer.value, answer.noun) = (None, None);
        }
        let value = answer.value.map(|value| {
            let value = self.expression(value);
            self.keep(value, Kind::Value)
        });
        let value = self.first_event(&answer.status, value);
        if self.role == Role::Operation {
            self.response_headers(action);
        }
        match self.role {
            Role::Start | Role::Operation => self.respond(&answer, value),
            Role::Action => {
                let map = self.result_map(&answer.status, &answer.reason);
                if let Some(value) = value {
                    self.perform(Expr::runtime(
                        "merge",
                        vec![Expr::Local(map).into(), Expr::Local(value).into()],
                    ));
                }
                self.nodes.push(Node::Finish(Some(Expr::Local(map))));
            }
            Role::Tested => self.tested_outcome(&answer.status, value, answer.noun),
            // Nobody sees what a handler returns (runtime.md 3.1.7).
            Role::End
            | Role::Test
            | Role::Event
            | Role::TcpConnected
            | Role::TcpData
            | Role::TcpFinished
            | Role::TcpDisconnected
            | Role::WebSocketConnected
            | Role::WebSocketMessage
            | Role::WebSocketDisconnected => self.nodes.push(Node::Finish(None)),
        }
    }

    /// `Return … with <file: "./path">.` makes the file the body of the response; answers whether that is meant.
    fn serves_file(&mut self, answer: &Answer<'_>) -> bool {
        let named = match answer.value.map(|value| &value.kind) {
            Some(ExpressionKind::Reference(noun)) => Some(noun),
            Some(_) => None,
            None => answer.noun.filter(|_| answer.gives_noun),
        };
        let Some(noun) = named.filter(|noun| noun.base == "file" && noun.qualifier.is_some())
        else {
            return false;
        };
        if self.lookup("file").is_some() {
            return false;
        }
        self.serve_file(noun);
        true
    }

    fn respond(&mut self, answer: &Answer<'_>, value: Option<LocalId>) {
        let (status, reason) = (self.text(&answer.status), self.text(&answer.reason));
        self.perform(Expr::runtime(
            "response",
            vec![status.into(), reason.into()],
        ));
        if self.role == Role::Operation {
            let api = self.shared.facts.api;
            let nested = api.map_or(&[][..], |api| api.nested(&self.set.name));
            let nested = self.text(&nested.join("\n"));
            self.perform(Expr::runtime("http_nest", vec![nested.into()]));
        }
        if let Some(value) = value {
            self.field("", value);
        }
        if let Some(noun) = answer.noun {
            self.metrics_field(noun);
            let names = std::iter::once(&noun.base).chain(
                noun.qualifier
                    .iter()
                    .flat_map(|qualifier| &qualifier.specifiers),
            );
            for name in
                names.filter(|name| !matches!(name.as_str(), "status" | "response" | "application"))
            {
                self.field_if_bound(name, name);
            }
        }
        self.default_answer();
        self.finish_response();
    }

    /// `for the <metrics: format>` answers their text as `value`.
    fn metrics_field(&mut self, noun: &Noun) {
        if noun.base != "metrics" || self.lookup("metrics").is_some() {
            return;
        }
        let format = noun.qualifier.as_ref().map(|one| one.text.as_str());
        let metrics = self.metrics(format.unwrap_or(METRICS_FORMAT));
        let metrics = self.keep(metrics, Kind::Value);
        self.field("value", metrics);
    }

    fn field(&mut self, prefix: &str, value: LocalId) {
        let prefix = self.text(prefix);
        self.perform(Expr::runtime(
            "field",
            vec![prefix.into(), Expr::Local(value).into()],
        ));
    }

    fn field_if_bound(&mut self, name: &str, prefix: &str) {
        if let Some((local, _)) = self.lookup(name) {
            let then = self.nested(|this| this.field(prefix, local));
            self.nodes.push(Node::If {
                condition: Expr::Local(local),
                then,
                otherwise: Vec::new(),
            });
        }
    }

    /// Without data so far, the first bound one of a few names is the answer.
    fn default_answer(&mut self) {
        for name in ANSWERS {
            if let Some((local, _)) = self.lookup(name) {
                let add = Node::Do(Expr::runtime("fallback", vec![Expr::Local(local).into()]));
                self.nodes.push(Node::If {
                    condition: Expr::Local(local),
                    then: vec![add],
                    otherwise: Vec::new(),
                });
            }
        }
    }
}

/// What a Return statement says (runtime.md 2.4).
struct Answer<'a> {
    status: String,
    reason: String,
    value: Option<&'a crate::syntax::ast::Expression>,
    noun: Option<&'a Noun>,
    /// Whether the noun stands behind `with`.
    gives_noun: bool,
}

impl<'a> Answer<'a> {
    fn of(action: &'a Action) -> Self {
        let status = match &action.result {
            Target::Noun(noun) => noun.base.clone(),
            Target::Sink(_) | Target::None => "OK".to_owned(),
        };
        let mut answer = Answer {
            status,
            reason: "_expression_".to_owned(),
            value: plain_with(action),
            noun: None,
            gives_noun: false,
        };
        match action
            .object
            .as_ref()
            .map(|object| (&object.operand, object.preposition))
        {
            Some((Operand::Noun(noun), preposition)) => {
                answer.gives_noun = preposition == crate::syntax::ast::Preposition::With;
                answer.reason = noun.base.clone();
                answer.noun = Some(noun);
            }
            // `for <x>` without an article is meant as the noun (EXT-7); `with <x>` is the value.
            Some((Operand::Expression(expression), preposition)) => {
                match (&expression.kind, preposition) {
                    (ExpressionKind::Reference(noun), crate::syntax::ast::Preposition::For) => {
                        answer.reason = noun.base.clone();
                        answer.noun = Some(noun);
                    }
                    _ => answer.value = answer.value.or(Some(expression)),
                }
            }
            Some((Operand::Duration { .. } | Operand::Labelled { .. }, _)) => {}
            None => answer.reason = "status".to_owned(),
        }
        answer
    }
}
