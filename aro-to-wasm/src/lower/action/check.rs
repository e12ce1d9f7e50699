//! Actions that check values: Validate, Compare, Accept (actions.md 9).

use super::collection::specifiers;
use super::object::is_schema;
use super::{Body, lone_reference, object_noun, operand_noun, plain_with, result_noun};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Argument, Expr, FailureKind, Kind, LocalId, TextId};
use crate::lower::expression::Path;
use crate::syntax::ast::{Action, Expression, Noun, Operand, Preposition};
use aro_runtime::check::is_rule;

/// Name that Validate binds besides its result.
const VALIDATION: &str = "validation";
/// Name that Compare binds besides its result.
const COMPARISON: &str = "comparison";
/// Between the states of a transition.
const TRANSITION: &str = "_to_";
/// Field of the state, if none is named.
const STATE_FIELD: &str = "status";
/// Rule of Validate, if none is named.
const RULE: &str = "required";

impl Body<'_, '_> {
    /// actions.md 9.1. `Validate the <ok: rule> for the <value>.` binds `ok`; `Validate the <value> for the <schema>.` judges an existing value and leaves it alone. Both bind `validation`.
    pub(super) fn validate(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let consumed = self.is_bound(&result.base);
        let against = self.schema_against(action);
        if let Some(expression) = expression_object(action)
            && !(lone_reference(expression) && (consumed || against.is_some()))
        {
            let value = self.expression(expression);
            return self.bind_both(&result.base, VALIDATION, value);
        }
        let object = object_noun(action).filter(|noun| self.may_be_bound(&noun.base));
        let rule = match specifiers(result).first() {
            Some(rule) => rule,
            None if is_rule(&result.base) => &result.base,
            None => RULE,
        };
        let schema = match (against, object) {
            (Some(schema), _) => Some(schema),
            (None, None) => object_noun(action).filter(|noun| noun.qualifier.is_none()),
            (None, Some(_)) => None,
        };
        let schema = schema.filter(|schema| self.has_schema(&schema.base));
        if schema.is_none() {
            self.unknown_rule(result, rule);
        }
        let rule = self.text(rule);
        let (subject, name) = match object {
            Some(object) if !consumed => (
                self.noun(object, Path::Project, FailureKind::Action),
                result.base.as_str(),
            ),
            // What is not there to be judged is the object, unless the result is.
            _ if !consumed => (self.result_or_undefined(action, result), VALIDATION),
            _ => (self.variable(&result.base, FailureKind::Action), VALIDATION),
        };
        let judged = schema.and_then(|schema| {
            let value = self.keep(subject.clone(), Kind::Value);
            self.judged(value, &schema.base)
        });
        let record =
            judged.unwrap_or_else(|| Expr::runtime("validate", vec![subject.into(), rule.into()]));
        self.bind_both(name, VALIDATION, record);
    }

    /// The schema that stands behind the value: `Validate the <ok> for the <order> against the <Order>.` (EXT-23)
    fn schema_against<'a>(&mut self, action: &'a Action) -> Option<&'a Noun> {
        let mut objects = action.object.iter().chain(&action.extra);
        let against = objects.find(|object| object.preposition == Preposition::Against)?;
        let schema = operand_noun(against).filter(|noun| noun.qualifier.is_none())?;
        if self.has_schema(&schema.base) {
            return Some(schema);
        }
        if is_schema(&schema.base) && !self.may_be_bound(&schema.base) {
            self.warn_of_schema(
                schema.span,
                &schema.base,
                "no schema judges the value: it is checked for being there",
            );
        }
        None
    }

    /// A rule that Validate does not have is never broken (actions.md 9.1).
    fn unknown_rule(&mut self, result: &Noun, rule: &str) {
        if is_rule(rule) {
            return;
        }
        let message = format!("`{rule}` is no rule of Validate: every value is valid by it");
        let help = match self.has_schema(rule) {
            true => format!("to judge by the schema, write `against the <{rule}>` behind the value"),
            false => "its rules are `required`, `exists`, `nonempty`, `email` and `numeric`; a schema of the contract stands behind `against the`".to_owned(),
        };
        self.shared
            .diagnostics
            .push(Diagnostic::new(Code::UnknownRule, result.span, message).help(help));
    }

    /// The variable that the result names, in a statement whose object is unbound.
    fn result_or_undefined(&mut self, action: &Action, result: &Noun) -> Expr {
        let value = self.variable_or_unbound(&result.base);
        let missing = object_noun(action).unwrap_or(result);
        let undefined = Expr::Undefined {
            name: self.text(&missing.base),
            kind: FailureKind::Action,
        };
        if value == Expr::Unbound {
            return undefined;
        }
        let local = self.keep(value, Kind::Value);
        Expr::Choose {
            condition: Box::new(Expr::Local(local)),
            then: Box::new(Expr::Local(local)),
            otherwise: Box::new(undefined),
        }
    }

    /// actions.md 9.2. `Compare the <a> against the <b>.` binds `comparison`, `Compare the <res: a> against the <b>.` also `res`.
    pub(super) fn compare(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let (left, name) = match specifiers(result) {
            [left, path @ ..] => (left.as_str(), (path, result.base.as_str())),
            [] => (result.base.as_str(), (&[][..], COMPARISON)),
        };
        let (path, name) = name;
        if let Some(expression) = expression_object(action)
            && !self.may_be_bound(left)
        {
            let value = self.expression(expression);
            return self.bind_both(&result.base, COMPARISON, value);
        }
        let mut value = self.variable(left, FailureKind::Action);
        for step in path {
            let step = self.text(step);
            value = self.act("project", vec![value.into(), step.into()]);
        }
        let left = self.keep(value, Kind::Value);
        let right = match plain_with(action) {
            Some(with) => self.expression(with),
            None => match self.source(action) {
                Some(right) => right,
                None => return self.misused(action),
            },
        };
        let record = Expr::runtime("relation", vec![Expr::Local(left).into(), right.into()]);
        self.bind_both(name, COMPARISON, record);
    }

    /// actions.md 9.3
    pub(super) fn accept(&mut self, action: &Action) {
        let (Some(result), Some(object)) = (result_noun(action), object_noun(action)) else {
            return self.misused(action);
        };
        let transition = match &result.qualifier {
            Some(qualifier) => &qualifier.text,
            None => &result.base,
        };
        if result.qualifier.is_none() && !transition.contains(TRANSITION) {
            return self.fail(&format!(
                "Invalid value '{transition}' for state transition. Valid values: <transition: from{TRANSITION}target>"
            ));
        }
        let states: Vec<&str> = transition.split(TRANSITION).collect();
        let [from, to] = states.as_slice() else {
            return self.fail(&format!(
                "Invalid value '{transition}' for state transition. Valid values: from{TRANSITION}target"
            ));
        };
        let field = match specifiers(object) {
            [] => STATE_FIELD.to_owned(),
            path => path.join("."),
        };
        let value = self.variable(&object.base, FailureKind::Action);
        let words: [TextId; 4] =
            [object.base.as_str(), &field, from, to].map(|word| self.text(word));
        let arguments: Vec<Argument> = std::iter::once(value.into())
            .chain(words.map(Argument::from))
            .collect();
        let updated = self.act("accept", arguments);
        let updated = self.keep(updated, Kind::Value);
        self.bind_both(&object.base, &result.base, Expr::Local(updated));
        if self.shared.facts.has_state_handlers {
            let fields = [
                ("fieldName", field.as_str()),
                ("objectName", &object.base),
                ("fromState", from),
                ("toState", to),
            ];
            self.raise_transition(&fields, updated);
        }
    }

    /// Binds two names to one value, or one if they are the same.
    fn bind_both(&mut self, first: &str, second: &str, value: Expr) {
        let value: LocalId = self.keep(value, Kind::Value);
        self.bind(first, Expr::Local(value), false);
        if first != second {
            self.bind(second, Expr::Local(value), false);
        }
    }

    /// Whether a name has a value for certain, or from elsewhere.
    fn is_bound(&mut self, name: &str) -> bool {
        match self.lookup(name) {
            Some((_, certain)) => certain,
            None => self.may_be_bound(name),
        }
    }

    /// Whether a name may have a value here.
    fn may_be_bound(&mut self, name: &str) -> bool {
        self.variable_or_unbound(name) != Expr::Unbound
    }
}

fn expression_object(action: &Action) -> Option<&Expression> {
    match &action.object.as_ref()?.operand {
        Operand::Expression(expression) => Some(expression),
        Operand::Noun(_) | Operand::Duration { .. } | Operand::Labelled { .. } => None,
    }
}
