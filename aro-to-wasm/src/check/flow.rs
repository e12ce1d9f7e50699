//! Data flow of one feature set: what is defined where, bound twice, used without being defined, or never used (14.3).

mod block;
mod statement;

use super::{SUGGESTIONS_MAX, Scope, names, nearest};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{FeatureSet, Program};
use crate::source::Span;
use crate::syntax::ast::{Expression, Noun};
use crate::syntax::walk::{self, Use};
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

/// Names of services, which are bound for what they do (14.4).
const SERVICES: &[&str] = &[
    "http-client",
    "server",
    "client",
    "file-watcher",
    "database-connections",
    "database",
    "db-connection",
    "socket-client",
    "log-buffer",
    "cache",
];

pub(super) fn check(
    program: &Program,
    set: &FeatureSet,
    scope: Scope,
    found: &mut Vec<Diagnostic>,
) {
    let mut flow = Flow {
        program,
        set,
        scope,
        found,
        defined: FxHashMap::default(),
        trail: Vec::new(),
        first: IndexMap::new(),
        used: FxHashSet::default(),
        missing: IndexMap::new(),
        mutable: false,
        lenient: false,
    };
    if let Some(condition) = &set.syntax.condition {
        // Fields of the payload are bound by their bare names (EXT-9): `header` knows which there are.
        walk::uses(condition, &mut |one| flow.used.extend([one.name]));
    }
    flow.block(&set.syntax.body);
    flow.report_missing();
    flow.report_unused();
}

/// What is missing, and how much that matters.
#[derive(Clone, Copy)]
struct Missing {
    span: Span,
    code: Code,
}

struct Flow<'a, 'f> {
    program: &'a Program,
    set: &'a FeatureSet,
    scope: Scope,
    found: &'f mut Vec<Diagnostic>,
    /// Names bound here and in the blocks around, with the place.
    defined: FxHashMap<&'a str, Span>,
    /// Names in the order they were bound, so that a block can take its own away again.
    trail: Vec<&'a str>,
    /// First binding of every name that must be used, in order.
    first: IndexMap<&'a str, Span>,
    used: FxHashSet<&'a str>,
    /// First use of each name that was unknown there.
    missing: IndexMap<&'a str, Missing>,
    /// In a `while` body: names may be bound again.
    mutable: bool,
    /// In a range loop or pipeline: the reference does not look there, so mistakes are warnings.
    lenient: bool,
}

impl<'a> Flow<'a, '_> {
    fn define(&mut self, name: &'a str, span: Span) {
        if self.defined.insert(name, span).is_none() {
            self.trail.push(name);
        }
    }

    /// Defines the result of an action, which must be new unless the action may bind again (D2).
    fn define_result(&mut self, name: &'a str, span: Span, may_rebind: bool) {
        if let Some(first) = self.defined.get(name).copied()
            && !(may_rebind || self.mutable || name.starts_with('_'))
        {
            let (code, message) = if self.lenient {
                (
                    Code::LoopRebinding,
                    format!("variable `{name}` is bound again: the value outside stays as it is"),
                )
            } else {
                (
                    Code::Rebinding,
                    format!("cannot rebind variable `{name}`: variables are immutable"),
                )
            };
            self.found.push(
                Diagnostic::new(code, span, message)
                    .label(span, "bound again here")
                    .label(first, format!("`{name}` is already defined here"))
                    .help(format!("use a new name, for example `<{name}-updated>`")),
            );
            return;
        }
        self.first.entry(name).or_insert(span);
        self.define(name, span);
    }

    fn is_known(&self, name: &str) -> bool {
        self.defined.contains_key(name) || names::provided(self.program, self.set, name)
    }

    /// Notes a use that needs a value.
    fn need(&mut self, name: &'a str, span: Span, code: Code) {
        self.used.insert(name);
        if !self.is_known(name) {
            self.missing.entry(name).or_insert(Missing { span, code });
        }
    }

    fn expression(&mut self, expression: &'a Expression) {
        walk::uses(expression, &mut |one| self.one_use(one));
    }

    fn one_use(&mut self, one: Use<'a>) {
        if let Some(noun) = one.noun {
            self.mention(noun);
        }
        if one.asked {
            self.used.insert(one.name);
        } else {
            self.need(one.name, one.span, Code::UndefinedName);
        }
    }

    /// Counts base and specifiers of a noun as used: a specifier may name a variable (`<file: path>`).
    fn mention(&mut self, noun: &'a Noun) {
        self.used.insert(&noun.base);
        self.used.extend(
            noun.qualifier
                .iter()
                .flat_map(|qualifier| &qualifier.specifiers)
                .map(String::as_str),
        );
    }

    fn report_missing(&mut self) {
        if self.scope != Scope::Whole {
            return;
        }
        let missing = std::mem::take(&mut self.missing);
        for (index, (name, missing)) in missing.into_iter().enumerate() {
            let diagnostic = self.describe_missing(name, missing, index < SUGGESTIONS_MAX);
            self.found.push(diagnostic);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "few codes say that a name is missing"
    )]
    fn describe_missing(&self, name: &str, missing: Missing, suggest: bool) -> Diagnostic {
        let message = match missing.code {
            Code::UndefinedSubject => {
                format!("variable `{name}` is used in match before definition")
            }
            Code::UndefinedCollection => {
                format!("collection `{name}` is used in for-each before definition")
            }
            Code::NotPublished => {
                format!("external dependency `{name}` is not published by any feature set")
            }
            _ => format!("variable `{name}` is not defined here"),
        };
        let label = match missing.code {
            Code::NotPublished => "nothing gives it a value",
            _ => "nothing has bound this name before",
        };
        let diagnostic =
            Diagnostic::new(missing.code, missing.span, message).label(missing.span, label);
        if let Some(later) = self
            .first
            .get(name)
            .filter(|later| later.start > missing.span.start)
        {
            return diagnostic.label(*later, "it is defined only here");
        }
        if let Some(inner) = self.first.get(name) {
            return diagnostic.label(*inner, "this definition ends with its block");
        }
        if let Some(publisher) = self
            .program
            .published
            .get(name)
            .and_then(|publishers| publishers.first())
        {
            let help = format!(
                "only feature sets of the activity `{}` see it",
                publisher.activity
            );
            return diagnostic
                .label(
                    publisher.span,
                    format!("published for `{}` here", publisher.activity),
                )
                .help(help);
        }
        let known = self
            .first
            .keys()
            .copied()
            .chain(names::suggestions(self.program, self.set));
        match if suggest { nearest(name, known) } else { None } {
            Some(near) => diagnostic.help(format!("did you mean `<{near}>`?")),
            None => diagnostic,
        }
    }

    /// D8.
    fn report_unused(&mut self) {
        if self.scope == Scope::Broken || self.renders_template() {
            return;
        }
        let unused: Vec<(&str, Span)> = self
            .first
            .iter()
            .filter(|(name, _)| !self.used.contains(**name))
            .map(|(name, span)| (*name, *span))
            .collect();
        for (name, span) in unused {
            if name.starts_with('_')
                || SERVICES.contains(&name)
                || names::provided(self.program, self.set, name)
            {
                continue;
            }
            let message = format!("variable `{name}` is defined but never used");
            let warning = Diagnostic::new(Code::UnusedName, span, message)
                .label(span, "bound here, and read nowhere")
                .help(format!(
                    "leave the statement out, or call it `<_{name}>` if only its effect matters"
                ));
            self.found.push(warning);
        }
    }

    /// A template may use any name.
    fn renders_template(&self) -> bool {
        self.used.contains("template")
    }
}
