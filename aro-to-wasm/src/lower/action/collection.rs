//! Actions on collections: Filter, Map, Reduce, Group, Sort (actions.md 10).

use super::{Body, object_noun, result_noun};
use crate::actions::lookup;
use crate::ir::{Argument, Expr, FailureKind, HostFunction, Kind, LocalId, Node, TextId};
use crate::lower::expression::Path;
use crate::syntax::ast::{
    Action, By, Comparison, Condition, ExpressionKind, Noun, Operand, Preposition, Qualifier,
    WithValue,
};

/// Qualifiers of Map that annotate and name no field.
const TYPES: &[&str] = &[
    "List",
    "Array",
    "Set",
    "Integer",
    "Int",
    "Float",
    "Double",
    "Number",
    "String",
    "Boolean",
    "Bool",
    "Object",
    "Dictionary",
    "Map",
];

/// Operators of the form `<result: field.operator.value>`.
const WORD_OPERATORS: &[(&str, Comparison)] = &[
    ("is", Comparison::Equal),
    ("equals", Comparison::Equal),
    ("is-not", Comparison::NotEqual),
    ("contains", Comparison::Contains),
    ("starts-with", Comparison::StartsWith),
    ("ends-with", Comparison::EndsWith),
    ("matches", Comparison::Matches),
    ("in", Comparison::In),
    ("not-in", Comparison::NotIn),
];

impl Body<'_, '_> {
    /// actions.md 10.1
    pub(super) fn filter_list(&mut self, action: &Action) {
        let (Some(result), Some(source)) = (result_noun(action), self.selected(action)) else {
            return self.misused(action);
        };
        let value = match legacy_test(result) {
            Some((field, operator, expected)) if action.clauses.filter.is_none() => {
                let condition = self.keep(Expr::runtime("condition", Vec::new()), Kind::Flag);
                self.alternative(condition);
                let expected = self.constant_text(expected);
                self.test(condition, field, operator, expected);
                Expr::runtime(
                    "select_where",
                    vec![source.into(), Expr::Local(condition).into()],
                )
            }
            _ => source,
        };
        self.bind(&result.base, value, false);
    }

    /// actions.md 10.2
    pub(super) fn map(&mut self, action: &Action) {
        let (Some(result), Some(source)) = (result_noun(action), self.selected(action)) else {
            return self.misused(action);
        };
        let field: Vec<&str> = specifiers(result)
            .iter()
            .map(String::as_str)
            .filter(|name| !TYPES.contains(name) && !name.contains('<'))
            .collect();
        let value = if field.is_empty() {
            source
        } else {
            let field = self.text(&field.join("."));
            self.act("pluck", vec![source.into(), field.into()])
        };
        self.bind(&result.base, value, false);
    }

    /// actions.md 10.3
    pub(super) fn reduce(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let aggregate = action
            .clauses
            .with
            .iter()
            .find_map(|with| match &with.value {
                WithValue::Aggregate { function, field } => {
                    Some((function.as_str(), field.as_deref()))
                }
                _ => None,
            });
        let (function, field) = match (aggregate, specifiers(result)) {
            (Some(aggregate), _) => aggregate,
            (None, [function]) => (function.as_str(), None),
            (None, [function, field, ..]) => (function.as_str(), Some(field.as_str())),
            (None, []) => ("count", None),
        };
        // The last step of the path goes into a map, or names the field of a list's elements.
        let (noun, path) = match object_noun(action).map(|noun| (noun, specifiers(noun))) {
            Some((noun, [before @ .., last])) => (Some(with_path(noun, before)), last.as_str()),
            Some((noun, [])) => (Some(noun.clone()), ""),
            None => (None, ""),
        };
        let source = match &noun {
            Some(noun) => Some(self.collection(noun)),
            None => self.source(action),
        };
        let Some(source) = source else {
            return self.misused(action);
        };
        let source = self.narrowed(source, action);
        let [function, field, path] =
            [function, field.unwrap_or(""), path].map(|text| self.text(text));
        let arguments: Vec<Argument> =
            vec![source.into(), function.into(), field.into(), path.into()];
        let value = self.act("reduce", arguments);
        self.bind(&result.base, value, false);
    }

    /// actions.md 10.4
    pub(super) fn group(&mut self, action: &Action) {
        let (Some(result), Some(source)) = (result_noun(action), self.selected(action)) else {
            return self.misused(action);
        };
        let field = self
            .by_field(action)
            .or_else(|| Some((self.text(specifiers(result).first()?), Expr::Unbound)));
        let Some((field, variable)) = field else {
            return self.fail("'Group' requires a 'by' clause with field name");
        };
        let arguments = vec![source.into(), field.into(), variable.into()];
        self.bind(&result.base, Expr::runtime("group_by", arguments), false);
    }

    /// actions.md 10.5
    pub(super) fn sort(&mut self, action: &Action) {
        let (Some(result), Some(source)) = (result_noun(action), self.selected(action)) else {
            return self.misused(action);
        };
        if matches!(action.clauses.by, Some(By::Regex { .. })) {
            return self.fail("'Sort' sorts by a field, not by a pattern");
        }
        let order = specifiers(result).first().unwrap_or(&result.base);
        let descending = Expr::Flag(i32::from(order.eq_ignore_ascii_case("descending")));
        let value = match self.by_field(action) {
            Some((field, variable)) => Expr::runtime(
                "sort_by",
                vec![
                    source.into(),
                    field.into(),
                    variable.into(),
                    descending.into(),
                ],
            ),
            None => Expr::runtime("sort", vec![source.into(), descending.into()]),
        };
        self.bind(&result.base, value, false);
    }

    /// The field that `by` names, and the value of a variable of that name: `by "f"`, `by <f>`, `by the <f>`.
    pub(super) fn by_field(&mut self, action: &Action) -> Option<(TextId, Expr)> {
        let name = match &action.clauses.by {
            Some(By::Text(text)) => return Some((self.text(text), Expr::Unbound)),
            Some(By::Name(name)) => name.text.clone(),
            Some(By::Regex { .. }) => return None,
            None => {
                let mut objects = action.object.iter().chain(&action.extra);
                let by = objects.find(|object| object.preposition == Preposition::By)?;
                dotted(super::operand_noun(by)?)
            }
        };
        let variable = self.variable_or_unbound(&name);
        Some((self.text(&name), variable))
    }

    /// The value that the action works on, kept; only its elements that the `where` clause selects.
    fn selected(&mut self, action: &Action) -> Option<Expr> {
        let source = self.source(action)?;
        Some(self.narrowed(source, action))
    }

    /// The value that the action works on: its object.
    pub(super) fn source(&mut self, action: &Action) -> Option<Expr> {
        match &action.object.as_ref()?.operand {
            Operand::Noun(noun) => Some(self.collection(noun)),
            Operand::Expression(expression) => Some(match &expression.kind {
                ExpressionKind::Reference(noun) => self.collection(noun),
                _ => self.expression(expression),
            }),
            Operand::Duration { amount, .. } => Some(self.expression(amount)),
            Operand::Labelled { .. } => None,
        }
    }

    /// A noun as a source: its path goes through lists, and an unbound repository means its rows.
    fn collection(&mut self, noun: &Noun) -> Expr {
        let is_rows = noun.qualifier.is_none()
            && self.shared.facts.is_repository(&noun.base)
            && self.variable_or_unbound(&noun.base) == Expr::Unbound;
        if !is_rows {
            return self.noun(noun, Path::Project, FailureKind::Action);
        }
        let filter = Expr::runtime("filter", Vec::new());
        let name = self.text(&noun.base);
        let all = Expr::Flag(super::state::SELECT_ALL);
        let arguments = vec![name.into(), filter.into(), all.into()];
        Expr::fallible_host(HostFunction::Retrieve, arguments)
    }

    /// The elements that the `where` clause selects, and the value of an idle `default`.
    fn narrowed(&mut self, source: Expr, action: &Action) -> Expr {
        let source = Expr::Local(self.keep(source, Kind::Value));
        let selected = match &action.clauses.filter {
            None => source,
            Some(filter) => {
                let Some(condition) = self.where_clause(filter) else {
                    self.too_many_alternatives(action);
                    return source;
                };
                Expr::runtime(
                    "select_where",
                    vec![source.into(), Expr::Local(condition).into()],
                )
            }
        };
        let Some(default) = &action.clauses.default else {
            return selected;
        };
        let selected = self.keep(selected, Kind::Value);
        let default = self.expression(default);
        self.perform(default);
        Expr::Local(selected)
    }

    /// The condition of a `where` clause, built; none if it has too many alternatives.
    fn where_clause(&mut self, filter: &Condition) -> Option<LocalId> {
        let mut comparisons = Vec::new();
        let groups = super::state::groups(filter, &mut comparisons)?;
        let condition = self.keep(Expr::runtime("condition", Vec::new()), Kind::Flag);
        // Each value is evaluated once, in source order, however many groups it stands in.
        let values: Vec<LocalId> = comparisons
            .iter()
            .map(|(_, _, value)| {
                let value = self.expression(value);
                self.keep(value, Kind::Value)
            })
            .collect();
        for group in groups {
            self.alternative(condition);
            for index in group {
                if let (Some((field, operator, _)), Some(value)) =
                    (comparisons.get(index), values.get(index))
                {
                    self.test(condition, &field.text, *operator, Expr::Local(*value));
                }
            }
        }
        Some(condition)
    }

    fn alternative(&mut self, condition: LocalId) {
        self.perform(Expr::runtime(
            "alternative",
            vec![Expr::Local(condition).into()],
        ));
    }

    fn test(&mut self, condition: LocalId, field: &str, operator: Comparison, expected: Expr) {
        let field = self.text(field);
        let arguments = vec![
            Expr::Local(condition).into(),
            field.into(),
            Expr::Flag(super::state::operator_number(operator)).into(),
            expected.into(),
        ];
        self.nodes.push(Node::Do(Expr::runtime("test", arguments)));
    }
}

/// Why the preposition of a statement is refused when it runs, if it is.
pub(super) fn wrong_preposition(action: &Action) -> Option<String> {
    let known = lookup(&action.verb.text)?;
    let found = action.object.as_ref()?.preposition;
    if known.takes.contains(&found) {
        return None;
    }
    let mut expected: Vec<&str> = known.takes.iter().map(|taken| taken.as_str()).collect();
    expected.sort_unstable();
    Some(format!(
        "Invalid preposition '{}' for action '{:?}Action'. Expected: [{}]",
        found.as_str(),
        known.kind,
        expected.join(", ")
    ))
}

/// The parts of a noun's qualifier.
pub(super) fn specifiers(noun: &Noun) -> &[String] {
    noun.qualifier
        .as_ref()
        .map_or(&[], |qualifier| &qualifier.specifiers)
}

/// A noun with another path.
fn with_path(noun: &Noun, path: &[String]) -> Noun {
    let qualifier = (!path.is_empty()).then(|| Qualifier {
        text: path.join("."),
        specifiers: path.to_vec(),
        quoted: false,
    });
    Noun {
        base: noun.base.clone(),
        qualifier,
        span: noun.span,
    }
}

/// A noun as the path of a field.
fn dotted(noun: &Noun) -> String {
    let mut name = noun.base.clone();
    for part in specifiers(noun) {
        name.push('.');
        name.push_str(part);
    }
    name
}

/// `<result: field.operator.value>`
fn legacy_test(result: &Noun) -> Option<(&str, Comparison, &str)> {
    let [field, operator, value] = specifiers(result) else {
        return None;
    };
    let (_, operator) = WORD_OPERATORS.iter().find(|(word, _)| word == operator)?;
    Some((field, *operator, value))
}
