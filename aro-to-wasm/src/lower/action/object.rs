//! Actions on values: Extract, Receive, Create, Update, Merge, Delete.

use super::{Body, Path, lone_reference, object_noun, plain_with, result_noun};
use crate::ir::{
    Argument, Constant, Expr, FailureKind, HostFunction, Kind, LocalId, Node, Role, TextId,
};
use crate::syntax::ast::{Action, Expression, ExpressionKind, Noun, Operand, Qualifier};
use aro_wit::manifest::setting;

/// Names of types, which as the qualifier of a result say nothing to an action (language.md 10.8, EXT-31).
const TYPES: &[&str] = &[
    "String", "Integer", "Int", "Float", "Double", "Boolean", "Bool", "List", "Array", "Map",
    "Object", "Number", "Date", "Bytes",
];

/// Selectors and properties, in any letter case: never names of schemas (language.md 10.8).
const SELECTORS: &[&str] = &[
    "first", "last", "length", "count", "days", "year", "month", "day", "hour", "minute", "second",
    "weekday", "timezone", "start", "end", "pattern", "next", "all", "years", "months", "hours",
    "minutes", "seconds",
];

/// Whether a noun names a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    Yes,
    Perhaps,
    No,
}

impl Body<'_, '_> {
    /// actions.md 5.1
    pub(super) fn extract(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let socket = object_noun(action).map_or(Socket::No, |noun| self.names_socket(noun));
        let Some(value) = self.object_value(action) else {
            return self.misused(action);
        };
        let has_path = object_noun(action).is_some_and(|noun| noun.qualifier.is_some());
        // Text that is JSON is read, unless a path has been followed into it already.
        let value = if has_path {
            value
        } else {
            Expr::runtime("unpack", vec![value.into()])
        };
        let value = match &result.qualifier {
            Some(qualifier)
                if is_annotation(&qualifier.text) && !self.has_schema(&qualifier.text) =>
            {
                value
            }
            Some(qualifier) if is_schema(&qualifier.text) => {
                return self.extract_typed(result, &qualifier.text, value);
            }
            Some(qualifier) => {
                let selector = self.text(&qualifier.text);
                self.act("select", vec![value.into(), selector.into()])
            }
            None if object_noun(action).is_some_and(|noun| self.is_request_parameters(noun)) => {
                let name = self.text(&result.base);
                Expr::runtime("http_parameter", vec![value.into(), name.into()])
            }
            None => value,
        };
        match socket {
            Socket::Perhaps if result.qualifier.is_none() => {
                self.bind_perhaps_socket(&result.base, value);
            }
            Socket::Yes if result.qualifier.is_none() => self.bind(&result.base, value, true),
            Socket::Yes | Socket::Perhaps | Socket::No => self.bind(&result.base, value, false),
        }
    }

    /// `<request: parameters>`, of which one may be meant (runtime.md 4.4).
    fn is_request_parameters(&self, noun: &Noun) -> bool {
        let is_all = noun
            .qualifier
            .as_ref()
            .is_some_and(|qualifier| qualifier.text == "parameters");
        is_all
            && noun.base == "request"
            && self.role == Role::Operation
            && self.lookup("request").is_none()
    }

    /// Whether a noun is the connection of the event, or a name that holds a socket; what other maps have under that name may be anything.
    fn names_socket(&self, noun: &Noun) -> Socket {
        let Some(qualifier) = &noun.qualifier else {
            return match self.is_socket(&noun.base) {
                true => Socket::Yes,
                false if self.may_be_socket(&noun.base) => Socket::Perhaps,
                false => Socket::No,
            };
        };
        if qualifier
            .specifiers
            .last()
            .is_none_or(|last| last != "connection")
        {
            return Socket::No;
        }
        let is_event = noun.base == "event" && self.lookup("event").is_none();
        match is_event && qualifier.specifiers.len() == 1 {
            true if self.is_of_connection() => Socket::Yes,
            true => Socket::No,
            false => Socket::Perhaps,
        }
    }

    /// Binds the object as it is.
    pub(super) fn copy(&mut self, action: &Action) {
        let (Some(result), Some(value)) = (result_noun(action), self.object_value(action)) else {
            return self.misused(action);
        };
        self.bind(&result.base, value, false);
    }

    /// actions.md 6.1
    pub(super) fn create(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let value = self.created(action);
        let value = if result.qualifier.is_some() && may_lack_id(action) {
            self.with_id(value)
        } else {
            value
        };
        self.bind(&result.base, value, false);
    }

    fn created(&mut self, action: &Action) -> Expr {
        if let Some(with) = plain_with(action) {
            return self.expression(with);
        }
        let noun = object_noun(action).filter(|noun| noun.qualifier.is_none());
        match noun {
            // A noun that is not bound gives the empty text.
            Some(noun) if object_expression(action).is_none() => {
                let empty = self.constant_text("");
                self.name_or(&noun.base, empty)
            }
            _ => match self.object_value(action) {
                Some(value) => value,
                None => self.constant_text(""),
            },
        }
    }

    /// The value of a name; another one if it is not bound.
    fn name_or(&mut self, name: &str, otherwise: Expr) -> Expr {
        if let Some((local, true)) = self.lookup(name) {
            return Expr::Local(local);
        }
        match self.variable_or_unbound(name) {
            Expr::Unbound => otherwise,
            value => self.bound_or(value, otherwise),
        }
    }

    /// Gives an identity to a value that is a map without one. Nothing else asks for the time or for chance.
    fn with_id(&mut self, value: Expr) -> Expr {
        let value = self.keep(value, Kind::Value);
        let then = self.nested(|this| {
            let now = Expr::host(HostFunction::Now, Vec::new());
            let random = Expr::host(HostFunction::GeneratedId, Vec::new());
            let identified = Expr::runtime(
                "with_id",
                vec![Expr::Local(value).into(), now.into(), random.into()],
            );
            this.nodes.push(Node::Set(value, identified));
        });
        self.nodes.push(Node::If {
            condition: Expr::runtime("lacks_id", vec![Expr::Local(value).into()]),
            then,
            otherwise: Vec::new(),
        });
        Expr::Local(value)
    }

    /// actions.md 6.2; a path of several parts sets inside, making maps on its way (quirk Q-48).
    pub(super) fn update(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let value = self.new_value(action);
        let value = self.keep(value, Kind::Value);
        if self.shared.facts.is_repository(&result.base) {
            return self.configure_repository(result, value);
        }
        let configures = action.verb.text.eq_ignore_ascii_case("configure");
        if configures && self.means_websockets(result) {
            return self.configure_websockets(result, value);
        }
        let entity = self.name_or(&result.base, Expr::Constant(Constant::Null));
        let updated = match &result.qualifier {
            None => Expr::runtime("overlay", vec![entity.into(), Expr::Local(value).into()]),
            Some(qualifier) => {
                let entity = self.keep(entity, Kind::Value);
                self.set_inside(entity, &qualifier.specifiers, value)
            }
        };
        self.bind(&result.base, updated, false);
        if configures && result.qualifier.is_some() && self.settings.contains(result.base.as_str())
        {
            self.publish_setting(&result.base);
        }
    }

    /// What is configured holds for the whole application (runtime.md 1.7.3).
    fn publish_setting(&mut self, name: &str) {
        let value = self.variable(name, FailureKind::Action);
        let name = self.text(&setting(name));
        let arguments = vec![name.into(), value.into()];
        self.perform(Expr::fallible_host(HostFunction::Publish, arguments));
    }

    /// What an entity becomes or gets: an expression, a noun with its path, or of a noun that is not bound the name.
    fn new_value(&mut self, action: &Action) -> Expr {
        if let Some(with) = plain_with(action).or(action.clauses.to.as_ref()) {
            return self.expression(with);
        }
        match object_noun(action) {
            Some(noun) if noun.qualifier.is_none() && object_expression(action).is_none() => {
                let name = self.constant_text(&noun.base);
                self.name_or(&noun.base, name)
            }
            _ => self
                .object_value(action)
                .unwrap_or(Expr::Constant(Constant::Null)),
        }
    }

    /// A copy of `entity` in which the end of a path is `value`: down to the innermost map, and back with a copy of each.
    fn set_inside(&mut self, entity: LocalId, path: &[String], value: LocalId) -> Expr {
        let Some((first, inner)) = path.split_first() else {
            return Expr::Local(value);
        };
        let mut key = self.text(first);
        let mut map = entity;
        let mut outer = Vec::new();
        for part in inner {
            outer.push((map, key));
            let entry = Expr::runtime("entry", vec![Expr::Local(map).into(), key.into()]);
            map = self.keep(entry, Kind::Value);
            key = self.text(part);
        }
        let with_entry = |map: LocalId, key: TextId, value: LocalId| {
            let arguments = vec![
                Expr::Local(map).into(),
                key.into(),
                Expr::Local(value).into(),
            ];
            Expr::runtime("with_entry", arguments)
        };
        let mut changed = with_entry(map, key, value);
        for (map, key) in outer.into_iter().rev() {
            let inner = self.keep(changed, Kind::Value);
            changed = with_entry(map, key, inner);
        }
        changed
    }

    /// actions.md 6.3 and quirk Q-09: base and source of the three forms.
    pub(super) fn merge(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let is_from = action
            .object
            .as_ref()
            .is_some_and(|object| object.preposition == crate::syntax::ast::Preposition::From);
        let base_and_source = match (plain_with(action), &result.qualifier) {
            // `Merge the <r> from <a> with <b>.`
            (Some(with), _) if is_from => self.object_value(action).map(|base| {
                let base = self.keep(base, Kind::Value);
                (Expr::Local(base), self.expression(with))
            }),
            // `Merge the <new: base> with <b>.`
            (_, Some(qualifier)) if !is_annotation(&qualifier.text) => {
                let base = self.noun(&named(qualifier, result), Path::Step, FailureKind::Action);
                let base = self.keep(base, Kind::Value);
                self.object_value(action)
                    .map(|source| (Expr::Local(base), source))
            }
            // `Merge the <target> with <b>.`
            _ => self.object_value(action).and_then(|source| {
                let source = self.keep(source, Kind::Value);
                match self.name_or(&result.base, Expr::Unbound) {
                    Expr::Unbound => None,
                    base => Some((self.required_base(base), Expr::Local(source))),
                }
            }),
        };
        match base_and_source {
            Some((base, source)) => {
                let merged = Expr::runtime("combine", vec![base.into(), source.into()]);
                self.bind(&result.base, merged, false);
            }
            None => self.fail(BASE_MISSING),
        }
    }

    /// A base that may be unbound when the statement runs.
    fn required_base(&mut self, base: Expr) -> Expr {
        let base = self.keep(base, Kind::Value);
        let then = self.nested(|this| this.fail(BASE_MISSING));
        self.nodes.push(Node::If {
            condition: Expr::Local(base).negated(),
            then,
            otherwise: Vec::new(),
        });
        Expr::Local(base)
    }

    /// actions.md 6.4: a copy without an entry or position.
    pub(super) fn delete_from_value(&mut self, action: &Action) {
        let (Some(result), Some(value)) = (result_noun(action), self.object_value(action)) else {
            return self.misused(action);
        };
        let key = match &result.qualifier {
            Some(qualifier) => qualifier.specifiers.first().unwrap_or(&qualifier.text),
            None => &result.base,
        };
        let key = self.text(key);
        let arguments: Vec<Argument> = vec![value.into(), key.into()];
        self.bind(&result.base, Expr::runtime("without", arguments), false);
    }
}

/// Cause of a Merge without its first operand.
const BASE_MISSING: &str = "'Merge' requires a base value";

/// The noun that a qualifier spells: its first part is a variable, the others a path.
fn named(qualifier: &Qualifier, result: &Noun) -> Noun {
    let (base, path) = match qualifier.specifiers.split_first() {
        Some((base, path)) => (base.clone(), path),
        None => (qualifier.text.clone(), &[][..]),
    };
    Noun {
        base,
        qualifier: (!path.is_empty()).then(|| Qualifier {
            text: path.join("."),
            specifiers: path.to_vec(),
            quoted: false,
        }),
        ..result.clone()
    }
}

/// The object, where it is an expression and no lone reference.
fn object_expression(action: &Action) -> Option<&Expression> {
    match &action.object.as_ref()?.operand {
        Operand::Expression(expression) if !lone_reference(expression) => Some(expression),
        _ => None,
    }
}

/// Whether what Create binds may be a map without `id`: other literals are none, and a literal map shows its keys.
fn may_lack_id(action: &Action) -> bool {
    let literal = plain_with(action).or(object_expression(action));
    match literal.map(|literal| &literal.kind) {
        Some(ExpressionKind::Map(entries)) => entries.iter().all(|(key, _)| key.text != "id"),
        Some(
            ExpressionKind::Null
            | ExpressionKind::Bool(_)
            | ExpressionKind::Int(_)
            | ExpressionKind::Float(_)
            | ExpressionKind::Text(_)
            | ExpressionKind::Interpolated(_)
            | ExpressionKind::List(_)
            | ExpressionKind::Unary(..)
            | ExpressionKind::Binary(..)
            | ExpressionKind::Is { .. }
            | ExpressionKind::Exists(_),
        ) => false,
        _ => true,
    }
}

pub(super) fn is_annotation(qualifier: &str) -> bool {
    let name = qualifier
        .split_once('<')
        .map_or(qualifier, |(name, _)| name);
    TYPES.contains(&name)
}

/// A name that typed extraction looks up in the contract (actions.md 5.1, step 5).
pub(super) fn is_schema(qualifier: &str) -> bool {
    qualifier.starts_with(|first: char| first.is_uppercase())
        && qualifier.chars().all(char::is_alphanumeric)
        && !SELECTORS
            .iter()
            .any(|selector| qualifier.eq_ignore_ascii_case(selector))
}
