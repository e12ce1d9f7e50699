//! Store, Retrieve, Delete, Clear, and the limits of repositories (runtime.md 7).

use super::{Body, labelled_with, object_noun, result_noun};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Argument, Constant, Expr, FailureKind, HostFunction, Kind, LocalId, Node};
use crate::syntax::ast::{Action, Comparison, Condition, Expression, Name, Noun};

/// Most groups that a `where` condition may fall into when `and` is distributed over `or`.
const FILTER_GROUPS_MAX: usize = 64;
/// Positions in `aro:state/repositories.selection`.
pub(super) const SELECT_ALL: i32 = 0;
const SELECT_FIRST: i32 = 1;
const SELECT_LAST: i32 = 2;
const SELECT_RANDOM: i32 = 3;
/// Objects of the system that a sandbox does not have (actions.md 21).
const OUTSIDE: [&str; 2] = ["git", "system"];
/// Name that Store binds: 1 if its last row was new, else 0.
const NEW_ENTRY: &str = "new-entry";

impl Body<'_, '_> {
    /// runtime.md 7.2
    pub(super) fn store(&mut self, action: &Action) {
        let Some(result) = result_noun(action).filter(|_| action.object.is_some()) else {
            return self.misused(action);
        };
        let Some(object) = object_noun(action) else {
            // What is no repository stores nothing.
            let value = self.variable(&result.base, FailureKind::Action);
            return self.perform(value);
        };
        // `Store the <saved: x>` stores `x` and binds `saved` to the row.
        let source = result
            .qualifier
            .as_ref()
            .and_then(|qualifier| qualifier.specifiers.first());
        let name = source.unwrap_or(&result.base).clone();
        let value = self.variable(&name, FailureKind::Action);
        if !self.shared.facts.is_repository(&object.base) {
            // Nothing is stored; the checker has warned.
            return self.perform(value);
        }
        let value = match labelled_with(action, "id") {
            None => value,
            Some(id) => {
                let value = Expr::Local(self.keep(value, Kind::Value));
                let id = self.expression(id);
                let name = self.text(&name);
                Expr::runtime("row", vec![value.into(), id.into(), name.into()])
            }
        };
        let repository = self.text(&object.base);
        let row = Expr::fallible_host(HostFunction::Store, vec![repository.into(), value.into()]);
        match source {
            Some(_) => self.bind(&result.base, row, false),
            None => self.perform(row),
        }
        if self.mentions(NEW_ENTRY) {
            let created = Expr::Choose {
                condition: Box::new(Expr::host(HostFunction::StoreCreated, Vec::new())),
                then: Box::new(Expr::Constant(Constant::Int(1))),
                otherwise: Box::new(Expr::Constant(Constant::Int(0))),
            };
            self.bind(NEW_ENTRY, created, false);
        }
    }

    /// Whether the source of the feature set mentions a name at all: a cheap over-approximation.
    fn mentions(&self, name: &str) -> bool {
        self.source_text().contains(name)
    }

    /// Whether it mentions a name more than once, as a whole word.
    fn mentions_again(&self, name: &str) -> bool {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
        self.source_text()
            .split(|letter| !is_part(letter))
            .filter(|word| *word == name)
            .nth(1)
            .is_some()
    }

    fn source_text(&self) -> &str {
        let span = self.set.span;
        let file = self.shared.facts.files.get(span.file as usize);
        file.and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
    }

    /// runtime.md 7.3
    pub(super) fn retrieve(&mut self, action: &Action) {
        let Some(result) = result_noun(action).filter(|_| action.object.is_some()) else {
            return self.misused(action);
        };
        let Some(object) = object_noun(action) else {
            return self.copy(action);
        };
        if !self.is_repository_position(object, action) {
            return if self.is_source(object, action) {
                self.copy(action)
            };
        }
        let (mut selection, selector) = selection(object);
        if action.clauses.by.is_some() {
            // Which row is the first is known once all are sorted.
            selection = SELECT_ALL;
        }
        let (repository, filter) = self.repository_and_filter(object, action);
        let rows = Expr::fallible_host(
            HostFunction::Retrieve,
            vec![repository, filter, Expr::Flag(selection).into()],
        );
        let rows = match self.by_field(action) {
            None => rows,
            Some((field, variable)) => {
                let order = [field.into(), variable.into(), Expr::Flag(0).into()];
                let arguments = std::iter::once(rows.into()).chain(order).collect();
                Expr::runtime("sort_by", arguments)
            }
        };
        let rows = self.keep(rows, Kind::Value);
        let filtered = i32::from(action.clauses.filter.is_some());
        let found = match selector {
            Some(selector) => {
                let selector = self.text(selector);
                self.act("select", vec![Expr::Local(rows).into(), selector.into()])
            }
            None => Expr::runtime(
                "pick",
                vec![Expr::Local(rows).into(), Expr::Flag(filtered).into()],
            ),
        };
        // A row by its place is an empty text where there is none, whatever the default (actions.md 12.2).
        let default = action
            .clauses
            .default
            .as_ref()
            .filter(|_| !matches!(selector, Some("first" | "last")));
        let value = match default {
            None => found,
            Some(default) => {
                let found = self.keep(found, Kind::Value);
                let default = self.expression(default);
                let default = self.keep(default, Kind::Value);
                Expr::Choose {
                    condition: Box::new(Expr::runtime("is_empty", vec![Expr::Local(rows).into()])),
                    then: Box::new(Expr::Local(default)),
                    otherwise: Box::new(Expr::Local(found)),
                }
            }
        };
        self.bind(&result.base, value, false);
    }

    /// runtime.md 7.4
    pub(super) fn delete(&mut self, action: &Action) {
        let (Some(result), Some(object)) = (result_noun(action), object_noun(action)) else {
            return self.delete_from_value(action);
        };
        if !self.is_repository_position(object, action) {
            let is_outside = OUTSIDE.contains(&object.base.as_str())
                && self.variable_or_unbound(&object.base) == Expr::Unbound;
            return match is_outside {
                true => self.not_available(action),
                false => self.delete_from_value(action),
            };
        }
        // Rows that nobody looks at are not fetched: all of them may be too many.
        if action.clauses.filter.is_none() && !self.mentions_again(&result.base) {
            return self.clear(action);
        }
        let (repository, filter) = self.repository_and_filter(object, action);
        let rows = Expr::fallible_host(HostFunction::Delete, vec![repository, filter]);
        let value = match action.clauses.filter {
            Some(_) => Expr::runtime("pick", vec![rows.into(), Expr::Flag(1).into()]),
            None => rows,
        };
        self.bind(&result.base, value, false);
    }

    /// `Clear the <all> from the <r>.` removes the rows without reading them: there may be too many for that.
    pub(super) fn clear(&mut self, action: &Action) {
        let object = object_noun(action).filter(|noun| self.shared.facts.is_repository(&noun.base));
        let Some(object) = object else {
            // Of the terminal.
            return self.not_available(action);
        };
        if action.clauses.filter.is_some() {
            return self.delete(action);
        }
        let repository = self.text(&object.base);
        self.perform(Expr::fallible_host(
            HostFunction::ClearRepository,
            vec![repository.into()],
        ));
        if let Some(result) = result_noun(action) {
            let nothing = Expr::runtime("list", vec![Expr::Flag(0).into()]);
            self.bind(&result.base, nothing, false);
        }
    }

    /// `Configure the <r: maxSize> with 100.` (runtime.md 7.6); the host knows which settings there are.
    pub(super) fn configure_repository(&mut self, noun: &Noun, value: LocalId) {
        let setting = noun
            .qualifier
            .as_ref()
            .map_or("", |qualifier| qualifier.text.as_str());
        let (repository, setting) = (self.text(&noun.base), self.text(setting));
        let arguments = vec![repository.into(), setting.into(), Expr::Local(value).into()];
        self.perform(Expr::fallible_host(HostFunction::Configure, arguments));
    }

    /// A repository name, or an unbound name with a `where` clause (runtime.md 7.1).
    fn is_repository_position(&mut self, noun: &Noun, action: &Action) -> bool {
        self.shared.facts.is_repository(&noun.base)
            || (action.clauses.filter.is_some()
                && self.variable_or_unbound(&noun.base) == Expr::Unbound)
    }

    /// Whether a noun that is no repository may have a value; else the statement fails, saying what it is not.
    fn is_source(&mut self, noun: &Noun, action: &Action) -> bool {
        let name = noun.base.as_str();
        if matches!(self.lookup(name), Some((_, true))) || self.is_system_name(noun) {
            return true;
        }
        let value = self.variable_or_unbound(name);
        if value == Expr::Unbound && OUTSIDE.contains(&name) {
            self.not_available(action);
            return false;
        }
        let cause = format!("Repository not found: '{name}'");
        if value == Expr::Unbound {
            self.fail(&cause);
            return false;
        }
        let value = self.keep(value, Kind::Value);
        let then = self.nested(|this| this.fail(&cause));
        self.nodes.push(Node::If {
            condition: Expr::Local(value).negated(),
            then,
            otherwise: Vec::new(),
        });
        true
    }

    /// Name and filter, as arguments of the host function that searches.
    fn repository_and_filter(&mut self, object: &Noun, action: &Action) -> (Argument, Argument) {
        let filter = self.keep(Expr::runtime("filter", Vec::new()), Kind::Flag);
        if let Some(condition) = &action.clauses.filter {
            self.filter(filter, condition, action);
        }
        let repository = self.text(&object.base);
        (repository.into(), Expr::Local(filter).into())
    }

    /// A condition that would be too long once it is a list of alternatives.
    pub(super) fn too_many_alternatives(&mut self, action: &Action) {
        let message = format!("a `where` has at most {FILTER_GROUPS_MAX} alternatives");
        let diagnostic = Diagnostic::new(Code::TooDeep, action.span, message).help(
            "`and` over `or` makes an alternative of each pair: ask for less and filter the rows",
        );
        self.shared.diagnostics.push(diagnostic);
    }

    pub(super) fn filter(&mut self, filter: LocalId, condition: &Condition, action: &Action) {
        let mut comparisons = Vec::new();
        let Some(groups) = groups(condition, &mut comparisons) else {
            return self.too_many_alternatives(action);
        };
        // Each value is evaluated once, in source order, however many groups it stands in.
        let values: Vec<LocalId> = comparisons
            .iter()
            .map(|(_, _, value)| {
                let value = self.expression(value);
                self.keep(value, Kind::Value)
            })
            .collect();
        for group in groups {
            self.perform(Expr::runtime("group", vec![Expr::Local(filter).into()]));
            for index in group {
                let (Some((field, operator, _)), Some(value)) =
                    (comparisons.get(index), values.get(index))
                else {
                    continue;
                };
                let field = self.text(&field.text);
                let arguments: Vec<Argument> = vec![
                    Expr::Local(filter).into(),
                    field.into(),
                    Expr::Flag(operator_number(*operator)).into(),
                    Expr::Local(*value).into(),
                ];
                self.nodes
                    .push(Node::Do(Expr::runtime("compare", arguments)));
            }
        }
    }
}

/// Which rows the host is asked for, and which of them the statement takes: the host need not give all where one is wanted.
fn selection(object: &Noun) -> (i32, Option<&str>) {
    let Some(qualifier) = &object.qualifier else {
        return (SELECT_ALL, None);
    };
    match qualifier.text.as_str() {
        "first" => (SELECT_FIRST, Some("first")),
        "last" => (SELECT_LAST, Some("last")),
        // Positions count from the newest row.
        "0" => (SELECT_LAST, Some("0")),
        "random" => (SELECT_RANDOM, Some("first")),
        other => (SELECT_ALL, Some(other)),
    }
}

pub(super) type Compared<'a> = (&'a Name, Comparison, &'a Expression);

/// The condition as alternatives of conjunctions, each comparison by index.
pub(super) fn groups<'a>(
    condition: &'a Condition,
    comparisons: &mut Vec<Compared<'a>>,
) -> Option<Vec<Vec<usize>>> {
    let groups = match condition {
        Condition::Compare {
            field,
            operator,
            value,
        } => {
            comparisons.push((field, *operator, value));
            vec![vec![comparisons.len() - 1]]
        }
        Condition::Or(left, right) => {
            let mut groups_left = groups(left, comparisons)?;
            groups_left.extend(groups(right, comparisons)?);
            groups_left
        }
        Condition::And(left, right) => {
            let left = groups(left, comparisons)?;
            let right = groups(right, comparisons)?;
            if left.len() * right.len() > FILTER_GROUPS_MAX {
                return None;
            }
            left.iter()
                .flat_map(|left| right.iter().map(|right| [left.as_slice(), right].concat()))
                .collect()
        }
    };
    (groups.len() <= FILTER_GROUPS_MAX).then_some(groups)
}

/// Position of an operator in `aro:state/repositories.operator`.
pub(super) fn operator_number(comparison: Comparison) -> i32 {
    match comparison {
        Comparison::Equal => 0,
        Comparison::NotEqual => 1,
        Comparison::Less => 2,
        Comparison::LessOrEqual => 3,
        Comparison::Greater => 4,
        Comparison::GreaterOrEqual => 5,
        Comparison::Contains => 6,
        Comparison::StartsWith => 7,
        Comparison::EndsWith => 8,
        Comparison::Matches => 9,
        Comparison::In => 10,
        Comparison::NotIn => 11,
    }
}
