//! Actions on values: Extract, Create, Compute, Parse.

use super::{Body, is_json, kind, object_noun, plain_with, result_noun};
use crate::actions::ActionKind;
use crate::ir::{Constant, Expr};
use crate::syntax::ast::{Action, ExpressionKind, Noun, Operand};

/// Names that select an operation when they stand in the result of Compute (actions.md 7.2).
const OPERATIONS: &[&str] = &[
    "length",
    "count",
    "size",
    "uppercase",
    "lowercase",
    "trim",
    "reverse",
    "sum",
    "average",
    "avg",
    "min",
    "max",
    "hash",
    "abs",
    "round",
    "floor",
    "ceil",
    "sqrt",
    "identity",
    "keys",
    "values",
    "unique",
    "difference",
    "union",
    "intersect",
    "format",
    "distance",
    "date",
    "clip",
    "markdown",
];

/// Type names that only annotate (language.md 10.8, EXT-31).
const TYPES: &[&str] = &[
    "String", "Integer", "Int", "Float", "Double", "Boolean", "Bool", "List", "Array", "Map",
    "Object", "Number", "Date", "Bytes",
];

/// Whether a Compute statement names a built-in operation as its result.
pub(super) fn is_operation(action: &Action, result: &Noun) -> bool {
    let lone = matches!(
        action.object.as_ref().map(|object| &object.operand),
        Some(Operand::Expression(expression)) if super::lone_reference(expression) || matches!(expression.kind, ExpressionKind::Text(_))
    );
    kind(action) == Some(ActionKind::Compute) && lone && OPERATIONS.contains(&result.base.as_str())
}

impl Body<'_, '_> {
    /// actions.md 5.1
    pub(super) fn extract(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let socket = object_noun(action).is_some_and(|noun| self.names_socket(noun));
        let Some(value) = self.object_value(action) else {
            return self.not_yet(action.span, "this form of Extract");
        };
        let has_path = object_noun(action).is_some_and(|noun| noun.qualifier.is_some());
        // Text that is JSON is read, unless a path has been followed into it already.
        let value = if has_path {
            value
        } else {
            Expr::runtime("unpack", vec![value.into()])
        };
        let value = match &result.qualifier {
            Some(qualifier) if is_annotation(&qualifier.text) => value,
            Some(qualifier) if is_schema(&qualifier.text) => {
                return self.not_yet(
                    result.span,
                    &format!("extraction of the type `{}`", qualifier.text),
                );
            }
            Some(qualifier) => {
                let selector = self.text(&qualifier.text);
                self.act("select", vec![value.into(), selector.into()])
            }
            None => value,
        };
        self.bind(&result.base, value, socket && result.qualifier.is_none());
    }

    /// Whether a noun is the connection of the event, or a name that holds a socket.
    fn names_socket(&self, noun: &Noun) -> bool {
        match &noun.qualifier {
            None => self.is_socket(&noun.base),
            Some(qualifier) => {
                qualifier.text == "connection"
                    && noun.base == "event"
                    && self.is_tcp()
                    && self.lookup("event").is_none()
            }
        }
    }

    /// Binds the object as it is.
    pub(super) fn copy(&mut self, action: &Action) {
        let (Some(result), Some(value)) = (result_noun(action), self.object_value(action)) else {
            return;
        };
        self.bind(&result.base, value, false);
    }

    /// actions.md 6.1
    pub(super) fn create(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let literal = super::with_object(action).or(plain_with(action));
        let is_map = literal.is_none_or(|literal| {
            matches!(
                literal.kind,
                ExpressionKind::Map(_) | ExpressionKind::Reference(_)
            )
        });
        if let Some(qualifier) = &result.qualifier
            && (is_map
                || matches!(
                    qualifier.text.as_str(),
                    "date-range" | "daterange" | "recurrence"
                ))
            && !is_annotation(&qualifier.text)
        {
            return self.not_yet(
                result.span,
                &format!("`Create` with the qualifier `{}`", qualifier.text),
            );
        }
        let value = match plain_with(action) {
            Some(with) => self.expression(with),
            None => match &action.object {
                None => self.constant_text(""),
                Some(object) => match &object.operand {
                    // A noun that is not bound gives the empty text.
                    Operand::Noun(noun)
                        if noun.qualifier.is_none()
                            && self.variable_or_unbound(&noun.base) == Expr::Unbound =>
                    {
                        self.constant_text("")
                    }
                    _ => self
                        .object_value(action)
                        .unwrap_or(Expr::Constant(Constant::Null)),
                },
            },
        };
        self.bind(&result.base, value, false);
    }

    /// Plain calculation; the operations of actions.md 7.2 are not compiled yet.
    pub(super) fn compute(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        match &result.qualifier {
            Some(qualifier) if !is_annotation(&qualifier.text) => {
                self.not_yet(result.span, &format!("the operation `{}`", qualifier.text));
            }
            _ if OPERATIONS.contains(&result.base.as_str()) => {
                self.not_yet(result.span, &format!("the operation `{}`", result.base));
            }
            _ => self.copy(action),
        }
    }

    /// JSON; text that is none gives the empty value, so that `is empty` can be asked (runtime.md 6.10).
    pub(super) fn parse(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        if result.qualifier.is_some() && !is_json(result) {
            return self.not_yet(result.span, "`Parse` of another format than JSON");
        }
        let Some(value) = self.object_value(action) else {
            return self.not_yet(action.span, "this form of Parse");
        };
        let parsed = self.keep(
            Expr::runtime("parse_json", vec![value.into()]),
            crate::ir::Kind::Value,
        );
        let value = Expr::Choose {
            condition: Box::new(Expr::Local(parsed)),
            then: Box::new(Expr::Local(parsed)),
            otherwise: Box::new(Expr::Constant(Constant::Null)),
        };
        self.bind(&result.base, value, false);
    }
}

fn is_annotation(qualifier: &str) -> bool {
    let name = qualifier
        .split_once('<')
        .map_or(qualifier, |(name, _)| name);
    TYPES.contains(&name)
}

/// A name that typed extraction looks up in the contract (actions.md 5.1, step 5).
fn is_schema(qualifier: &str) -> bool {
    qualifier.starts_with(|first: char| first.is_uppercase())
        && qualifier.chars().all(char::is_alphanumeric)
}
