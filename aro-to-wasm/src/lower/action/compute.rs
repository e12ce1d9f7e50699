//! Compute and Transform: operations on one value (actions.md 7, 8.1).

use super::object::is_annotation;
use super::{Body, kind, lone_reference, plain_with, result_noun, with_object};
use crate::actions::ActionKind;
use crate::ir::{Argument, Expr, Kind, LocalId};
use crate::syntax::ast::{Action, Noun, Operand};

/// Names that select an operation also where they are the result itself. What the table of the operations adds to the reference is among them only if it can mean nothing else.
const OPERATIONS: &[&str] = &[
    "hash",
    "length",
    "count",
    "uppercase",
    "lowercase",
    "trim",
    "identity",
    "clip",
    "take",
    "date",
    "format",
    "distance",
    "intersect",
    "difference",
    "union",
    "markdown",
    "sum",
    "average",
    "avg",
    "min",
    "max",
    "reverse",
    "unique",
];

/// Operations on two values, the second one in the `with` clause.
const SET_OPERATIONS: &[&str] = &["intersect", "intersection", "difference", "union"];

/// Kinds that a value can be transformed to, in any letter case.
const KINDS: &[&str] = &[
    "string", "int", "integer", "double", "float", "bool", "boolean", "json", "identity",
];

/// Whether a Compute statement names a built-in operation as its result, and its object is a lone reference (EXT-30).
pub(super) fn is_operation(action: &Action, result: &Noun) -> bool {
    let lone = match action.object.as_ref().map(|object| &object.operand) {
        Some(Operand::Expression(expression)) => lone_reference(expression),
        Some(_) => true,
        None => false,
    };
    lone && kind(action) == Some(ActionKind::Compute) && OPERATIONS.contains(&result.base.as_str())
}

impl Body<'_, '_> {
    /// actions.md 7
    pub(super) fn compute(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let Some(value) = self.object_value(action) else {
            return self.misused(action);
        };
        let operations = match &result.qualifier {
            Some(qualifier) if is_annotation(&qualifier.text) => "",
            Some(qualifier) => qualifier.text.as_str(),
            None if is_operation(action, result) => result.base.as_str(),
            None => "",
        };
        let mut with = None;
        let mut value = value;
        // A chain is applied from left to right (quirk Q-53).
        for operation in operations.split('|').map(str::trim) {
            match self.operation(operation, value, &mut with, action) {
                Some(next) => value = next,
                None => return,
            }
        }
        self.bind(&result.base, value, false);
    }

    /// Applies one operation; what is none leaves the value as it is. Nothing if the statement has been given up.
    fn operation(
        &mut self,
        name: &str,
        value: Expr,
        with: &mut Option<LocalId>,
        action: &Action,
    ) -> Option<Expr> {
        if matches!(name, "" | "identity") {
            return Some(value);
        }
        let value = self.keep(value, Kind::Value);
        if super::time::is_operation(name) {
            return self.time_operation(name, value, action);
        }
        if with_object(action).is_some() {
            with.get_or_insert(value);
        }
        let second = match (*with, plain_with(action)) {
            (Some(second), _) => Expr::Local(second),
            (None, Some(expression)) => {
                let second = self.expression(expression);
                let second = self.keep(second, Kind::Value);
                *with = Some(second);
                Expr::Local(second)
            }
            (None, None) if SET_OPERATIONS.contains(&name) => {
                self.fail(&format!("'Compute {name}' requires a 'with' clause"));
                return None;
            }
            (None, None) => Expr::Unbound,
        };
        let name = self.text(name);
        let arguments: Vec<Argument> = vec![name.into(), Expr::Local(value).into(), second.into()];
        Some(self.act("compute", arguments))
    }

    /// actions.md 8.1
    pub(super) fn transform(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let Some(value) = self.object_value(action) else {
            return self.misused(action);
        };
        let kind = match &result.qualifier {
            Some(qualifier) => qualifier.specifiers.first().unwrap_or(&qualifier.text),
            None => &result.base,
        };
        let known = KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known));
        let value = if known {
            let kind = self.text(kind);
            self.act("convert", vec![kind.into(), value.into()])
        } else {
            value
        };
        self.bind(&result.base, value, false);
    }
}
