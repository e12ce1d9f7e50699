//! Sleep, Delay, Pause, and Wait for a time (actions.md 18.1, runtime.md 1.4.1).

use super::{Body, object_noun, plain_with, result_noun};
use crate::ir::{Constant, Expr, HostFunction, Kind};
use crate::syntax::ast::{Action, ExpressionKind, Operand, WithValue};

/// Milliseconds of a second, which an amount without unit counts.
const SECOND: i64 = 1000;

impl Body<'_, '_> {
    /// Whether `Wait for …` names a time: a number, with or without unit, or a variable.
    pub(super) fn is_sleep(&self, action: &Action) -> bool {
        match action.object.as_ref().map(|object| &object.operand) {
            Some(Operand::Duration { .. }) => true,
            Some(Operand::Expression(expression)) => match &expression.kind {
                ExpressionKind::Int(_) | ExpressionKind::Float(_) => true,
                ExpressionKind::Reference(noun) => self.has_value(&noun.base),
                ExpressionKind::Name(name) => self.has_value(name),
                _ => false,
            },
            _ => false,
        }
    }

    fn has_value(&self, name: &str) -> bool {
        self.lookup(name).is_some() || self.shared.facts.published.contains(name)
    }

    /// Suspends this execution only; binds how long it was to sleep.
    pub(super) fn sleep(&mut self, action: &Action) {
        let (value, unit) = self.amount(action);
        let amount = self.keep(value, Kind::Value);
        let milliseconds = Expr::runtime(
            "milliseconds",
            vec![Expr::Local(amount).into(), Expr::Long(unit).into()],
        );
        self.perform(Expr::host(HostFunction::Sleep, vec![milliseconds.into()]));
        if let Some(result) = result_noun(action) {
            let map = self.keep(
                Expr::runtime("map", vec![Expr::Flag(1).into()]),
                Kind::Value,
            );
            let slept = Expr::runtime(
                "as_int",
                vec![Expr::Local(amount).into(), Expr::Long(1).into()],
            );
            self.put(map, "slept", Expr::runtime("int", vec![slept.into()]));
            self.bind(&result.base, Expr::Local(map), false);
        }
    }

    /// The amount and the milliseconds of its unit; what is no number counts as one second.
    fn amount(&mut self, action: &Action) -> (Expr, i64) {
        let labelled = action
            .clauses
            .with
            .iter()
            .find_map(|with| match &with.value {
                WithValue::Duration { amount, unit } => Some((amount, unit)),
                _ => None,
            });
        match (
            action.object.as_ref().map(|object| &object.operand),
            labelled,
        ) {
            (Some(Operand::Duration { amount, unit }), _) | (_, Some((amount, unit))) => {
                (self.expression(amount), milliseconds_of(&unit.text))
            }
            (Some(Operand::Expression(amount)), _) => (self.expression(amount), SECOND),
            _ => {
                let value = match (plain_with(action), object_noun(action)) {
                    (Some(with), _) => self.expression(with),
                    (None, Some(noun)) => {
                        let value = match &noun.qualifier {
                            Some(_) => {
                                self.noun(noun, super::Path::Step, crate::ir::FailureKind::Action)
                            }
                            None => self.variable_or_unbound(&noun.base),
                        };
                        self.bound_or(value, Expr::Constant(Constant::Null))
                    }
                    (None, None) => Expr::Constant(Constant::Null),
                };
                (value, SECOND)
            }
        }
    }
}

fn milliseconds_of(unit: &str) -> i64 {
    match unit.to_lowercase().as_str() {
        "millisecond" | "milliseconds" | "ms" => 1,
        "minute" | "minutes" | "min" => 60 * SECOND,
        "hour" | "hours" | "h" => 3600 * SECOND,
        _ => SECOND,
    }
}
