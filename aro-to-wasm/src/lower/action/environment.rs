//! What surrounds a program: environment variables, parameters, standard input (actions.md 5.1, 22.1, 23.3; runtime.md 1.7 to 1.9).

use super::Body;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Argument, Callee, Constant, Expr, Fails, FailureKind, HostFunction, Kind};
use crate::syntax::ast::{Noun, Require};
use aro_wit::interface;

/// Amounts of `aro:console/input`.
const LINE: i32 = 0;
const REST: i32 = 1;

/// Format of `<metrics>` where none is named.
pub(in crate::lower) const METRICS_FORMAT: &str = "plain";

/// Columns and rows that a program sees whose output is no terminal.
const TERMINAL: &[(&str, i64)] = &[("rows", 24), ("height", 24), ("columns", 80), ("width", 80)];
/// What such output cannot do.
const TERMINAL_ABILITIES: &[&str] = &["supports_color", "supports_true_color", "is_tty"];

impl Body<'_, '_> {
    /// `<env: NAME>`, `<parameter: name>`, `<metrics: format>`, `<stdin>` and the whole objects, unless the program has a variable of that name.
    pub(in crate::lower) fn system_object(
        &mut self,
        noun: &Noun,
        missing: FailureKind,
    ) -> Option<Expr> {
        if let Some(count) = self.subscribers(noun) {
            return Some(count);
        }
        if !matches!(
            noun.base.as_str(),
            "env" | "parameter" | "metrics" | "stdin"
        ) || self.lookup(&noun.base).is_some()
        {
            return None;
        }
        let qualifier = noun
            .qualifier
            .as_ref()
            .map(|qualifier| qualifier.text.as_str());
        Some(match (noun.base.as_str(), qualifier) {
            ("env", None) => Expr::host(HostFunction::EnvironmentAll, Vec::new()),
            ("env", Some(name)) => {
                let value = self.environment_variable(name);
                let empty = self.constant_text("");
                self.bound_or(value, empty)
            }
            ("parameter", None) => Expr::host(HostFunction::Parameters, Vec::new()),
            ("parameter", Some(name)) => self.parameter(name, missing),
            ("metrics", format) => self.metrics(format.unwrap_or(METRICS_FORMAT)),
            (_, qualifier) => self.standard_input(noun, qualifier.unwrap_or("line")),
        })
    }

    /// Whether a noun has a value everywhere. The steps that would make it are dropped: whoever asks lowers the noun again.
    pub(super) fn is_system_name(&mut self, noun: &Noun) -> bool {
        let mut is_known = false;
        self.nested(|this| {
            is_known = this.system_object(noun, FailureKind::Action).is_some()
                || this.magic(&noun.base).is_some();
        });
        is_known
    }

    /// What the program has executed, as text (runtime.md 8.3).
    pub(in crate::lower) fn metrics(&mut self, format: &str) -> Expr {
        let format = self.text(format);
        Expr::host(HostFunction::Metrics, vec![format.into()])
    }

    /// The value of an environment variable, or zero.
    fn environment_variable(&mut self, name: &str) -> Expr {
        self.needs(interface::ENVIRONMENT, name);
        let name = self.text(name);
        Expr::host(HostFunction::Environment, vec![name.into()])
    }

    fn parameter(&mut self, name: &str, missing: FailureKind) -> Expr {
        let all = Expr::host(HostFunction::Parameters, Vec::new());
        let key = self.text(name);
        let value = Expr::runtime("get", vec![all.into(), key.into()]);
        let undefined = Expr::Undefined {
            name: self.text(&format!("parameter:{name}")),
            kind: missing,
        };
        self.bound_or(value, undefined)
    }

    /// One line or all that is left; Null at the end.
    fn standard_input(&mut self, noun: &Noun, what: &str) -> Expr {
        let amount = match what {
            "line" => LINE,
            "rest" | "all" | "text" | "content" => REST,
            other => {
                let message = format!("the standard input has no `{other}`");
                let diagnostic = Diagnostic::new(Code::UnsupportedForm, noun.span, message)
                    .help("it has `<stdin: line>` and `<stdin: rest>`");
                self.shared.diagnostics.push(diagnostic);
                return Expr::Constant(Constant::Null);
            }
        };
        self.needs(interface::INPUT, "");
        let read = Expr::Call {
            callee: Callee::Host(HostFunction::ReadInput),
            arguments: vec![Argument::Expr(Expr::Flag(amount))],
            fails: Fails::OnMinusOne(FailureKind::Action),
        };
        self.bound_or(read, Expr::Constant(Constant::Null))
    }

    /// A value, or what stands for it when it is zero.
    pub(in crate::lower) fn bound_or(&mut self, value: Expr, otherwise: Expr) -> Expr {
        let local = self.keep(value, Kind::Value);
        Expr::Choose {
            condition: Box::new(Expr::Local(local)),
            then: Box::new(Expr::Local(local)),
            otherwise: Box::new(otherwise),
        }
    }

    /// actions.md 13.4: a variable that is not set leaves the name unbound.
    pub(in crate::lower) fn require_environment(&mut self, require: &Require) {
        let name = &require.name.text;
        self.add_statement(
            require.span,
            format!("Cannot require the {name} from the environment."),
            format!("<Require> the <{name}> from the <environment>."),
        );
        let value = self.environment_variable(name);
        let local = self.binding(name);
        self.nodes.push(crate::ir::Node::Set(local, value));
    }

    /// Objects that are the same for every program, unless it has a variable of that name.
    pub(in crate::lower) fn constant_object(&mut self, name: &str) -> Option<Expr> {
        if !matches!(name, "application" | "terminal") || self.lookup(name).is_some() {
            return None;
        }
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(8).into()]),
            Kind::Value,
        );
        if name == "application" {
            let value = self.constant_text("application");
            self.put(map, "type", value);
            return Some(Expr::Local(map));
        }
        for (key, number) in TERMINAL {
            self.put(map, key, Expr::Constant(Constant::Int(*number)));
        }
        for key in TERMINAL_ABILITIES {
            self.put(map, key, Expr::Constant(Constant::Bool(false)));
        }
        let encoding = self.constant_text("UTF-8");
        self.put(map, "encoding", encoding);
        Some(Expr::Local(map))
    }
}
