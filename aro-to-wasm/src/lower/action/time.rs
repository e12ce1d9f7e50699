//! Dates: the operations of Compute and the qualifiers of Create that make them (actions.md 18).

use super::{Body, operand_noun, plain_with, result_noun};
use crate::ir::{Constant, Expr, HostFunction, Kind, LocalId};
use crate::syntax::ast::{Action, ExpressionKind, Noun, Operand, Preposition};

/// What Compute does with a date or for a page.
const OPERATIONS: &[&str] = &["date", "format", "distance", "markdown"];

/// The operation on times that a Compute statement names, by its qualifier or its result.
fn operation(result: &Noun) -> Option<&str> {
    let name = result
        .qualifier
        .as_ref()
        .map_or(result.base.as_str(), |qualifier| qualifier.text.as_str());
    let known = match result.qualifier {
        Some(_) => is_operation(name),
        None => OPERATIONS.contains(&name),
    };
    known.then_some(name)
}

/// Whether a word names an operation here: `date`, `+7d`.
pub(super) fn is_operation(name: &str) -> bool {
    let is_offset = name
        .strip_prefix(['+', '-'])
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    (is_offset && !name.contains('|')) || OPERATIONS.contains(&name)
}

/// Whether Compute is one of the operations here.
pub(super) fn computes(action: &Action) -> bool {
    result_noun(action).is_some_and(|result| operation(result).is_some())
}

/// Whether Create makes a range or a recurrence.
pub(super) fn creates(action: &Action) -> bool {
    result_noun(action)
        .and_then(|result| result.qualifier.as_ref())
        .is_some_and(|qualifier| {
            matches!(
                qualifier.text.as_str(),
                "date-range" | "daterange" | "recurrence"
            )
        })
}

impl Body<'_, '_> {
    pub(super) fn compute_time(&mut self, action: &Action) {
        let Some((result, name)) =
            result_noun(action).and_then(|result| Some((result, operation(result)?)))
        else {
            return;
        };
        // In `Compute the <x: format> with "p" from …` the object is the pattern; nothing else has one.
        let Some(value) = self.object_value(action) else {
            return self.fail("Compute needs a value");
        };
        let value = self.keep(value, Kind::Value);
        if let Some(computed) = self.time_operation(name, value, action) {
            self.bind(&result.base, computed, false);
        }
    }

    /// One operation; nothing if the statement has been given up.
    pub(super) fn time_operation(
        &mut self,
        name: &str,
        value: LocalId,
        action: &Action,
    ) -> Option<Expr> {
        Some(match name {
            "date" => self.act("to_date", vec![Expr::Local(value).into()]),
            "markdown" => Expr::runtime("markdown", vec![Expr::Local(value).into()]),
            "format" => {
                let pattern = match plain_with(action) {
                    Some(pattern) => self.expression(pattern),
                    None => Expr::Unbound,
                };
                self.act(
                    "format_date",
                    vec![Expr::Local(value).into(), pattern.into()],
                )
            }
            "distance" => {
                let Some(to) = self.time_end(action) else {
                    self.fail("'Compute distance' requires a 'to' clause");
                    return None;
                };
                self.act("distance", vec![Expr::Local(value).into(), to.into()])
            }
            offset => {
                let offset = self.text(offset);
                self.act("shift", vec![Expr::Local(value).into(), offset.into()])
            }
        })
    }

    /// What follows `to`, with an article or without.
    fn time_end(&mut self, action: &Action) -> Option<Expr> {
        if let Some(to) = &action.clauses.to {
            return Some(match &to.kind {
                ExpressionKind::Reference(noun) => self.noun(
                    noun,
                    crate::lower::expression::Path::Step,
                    crate::ir::FailureKind::Action,
                ),
                _ => self.expression(to),
            });
        }
        let object = action
            .extra
            .iter()
            .find(|object| object.preposition == Preposition::To)?;
        match (operand_noun(object), &object.operand) {
            (Some(noun), _) => Some(self.noun(
                noun,
                crate::lower::expression::Path::Step,
                crate::ir::FailureKind::Action,
            )),
            (None, Operand::Expression(value)) => Some(self.expression(value)),
            (None, _) => None,
        }
    }

    pub(super) fn create_time(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let value = match plain_with(action) {
            Some(with) => self.expression(with),
            None => self
                .object_value(action)
                .unwrap_or(Expr::Constant(Constant::Null)),
        };
        let value = self.keep(value, Kind::Value);
        let is_recurrence = result
            .qualifier
            .as_ref()
            .is_some_and(|qualifier| qualifier.text == "recurrence");
        let created = if is_recurrence {
            let now = Expr::host(HostFunction::Now, Vec::new());
            self.act("recurrence", vec![Expr::Local(value).into(), now.into()])
        } else {
            let Some(to) = self.time_end(action) else {
                return self.fail("'Create date-range' requires a 'to' clause");
            };
            self.act("date_range", vec![Expr::Local(value).into(), to.into()])
        };
        self.bind(&result.base, created, false);
    }
}
