//! `where` on values in memory (actions.md 10.1): alternatives of conjunctions of comparisons, mostly by text.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::date;
use crate::field;
use crate::regex::{self, Regex};
use crate::text;
use crate::value::Value;

/// Field name of an element that is no map, as in repositories.
const PLAIN_FIELD: &str = "_value";

/// How a field is compared. The numbers are those of `aro:state/repositories.operator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    OneOf,
    NotOneOf,
}

const OPERATORS: [Operator; 12] = [
    Operator::Equal,
    Operator::NotEqual,
    Operator::Less,
    Operator::LessOrEqual,
    Operator::Greater,
    Operator::GreaterOrEqual,
    Operator::Contains,
    Operator::StartsWith,
    Operator::EndsWith,
    Operator::Matches,
    Operator::OneOf,
    Operator::NotOneOf,
];

/// One comparison, prepared so that it costs little for each element.
#[derive(Debug)]
pub struct Test {
    field: &'static str,
    operator: Operator,
    expected: Value,
    /// Text form of the expected value, for the operators that need it.
    text: &'static str,
    /// The number that the expected value is or denotes.
    number: Option<f64>,
    pattern: Option<&'static Regex>,
    /// Text forms of the values of `in`, in order.
    members: Vec<&'static str>,
}

impl Test {
    /// A comparison of `field` with `expected`; an unknown operator number means equality. `compile` gives the pattern of `matches`, none if it is malformed.
    pub fn new(
        field: &'static str,
        operator: u32,
        expected: Value,
        compile: impl FnOnce((&'static str, &'static str)) -> Option<&'static Regex>,
    ) -> Test {
        let operator = usize::try_from(operator)
            .ok()
            .and_then(|number| OPERATORS.get(number).copied())
            .unwrap_or(Operator::Equal);
        let is_set = matches!(operator, Operator::OneOf | Operator::NotOneOf);
        let is_pattern = operator == Operator::Matches;
        Test {
            field,
            operator,
            expected,
            text: if is_set || is_pattern {
                ""
            } else {
                text::of(expected)
            },
            number: expected.to_float(),
            pattern: is_pattern
                .then(|| regex::pattern(expected).unwrap_or_else(|| (text::of(expected), "")))
                .and_then(compile),
            members: if is_set {
                members(expected)
            } else {
                Vec::new()
            },
        }
    }

    /// Whether an element passes. One that is no map, or has no such field, does not, whatever the operator. `room` is scratch space for text forms.
    fn holds(&self, element: Value, room: &mut String) -> bool {
        let found = match element.as_map() {
            None if self.field == PLAIN_FIELD => Some(element),
            None => None,
            Some(_) => field::of(element, self.field),
        };
        found.is_some_and(|found| self.holds_for(found, room))
    }

    fn holds_for(&self, found: Value, room: &mut String) -> bool {
        let order = self.operator.order();
        if let Some(accept) = order {
            return self.order(found, room).is_some_and(accept);
        }
        let text = text_of(found, room);
        match self.operator {
            Operator::NotEqual => text != self.text,
            Operator::Contains => text.contains(self.text),
            Operator::StartsWith => text.starts_with(self.text),
            Operator::EndsWith => text.ends_with(self.text),
            Operator::Matches => self.pattern.is_some_and(|pattern| pattern.is_match(text)),
            Operator::OneOf => self.members.binary_search(&text).is_ok(),
            Operator::NotOneOf => self.members.binary_search(&text).is_err(),
            Operator::Equal
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => text == self.text,
        }
    }

    /// By number where both are or denote one, by instant where a Date is in it, else by text; `None` where a NaN is in it.
    fn order(&self, found: Value, room: &mut String) -> Option<Ordering> {
        if let (Value::Int(left), Value::Int(right)) = (found, self.expected) {
            return Some(left.cmp(&right));
        }
        if let (Some(left), Some(right)) = (found.to_float(), self.number) {
            return left.partial_cmp(&right);
        }
        if matches!(found, Value::Date { .. }) || matches!(self.expected, Value::Date { .. }) {
            let instants = (date::instant(found), date::instant(self.expected));
            if let (Some(left), Some(right)) = instants {
                return Some(left.cmp(&right));
            }
        }
        Some(text_of(found, room).cmp(self.text))
    }
}

impl Operator {
    /// Which orders an order operator accepts; none for the others.
    fn order(self) -> Option<fn(Ordering) -> bool> {
        match self {
            Operator::Less => Some(Ordering::is_lt),
            Operator::LessOrEqual => Some(Ordering::is_le),
            Operator::Greater => Some(Ordering::is_gt),
            Operator::GreaterOrEqual => Some(Ordering::is_ge),
            Operator::Equal
            | Operator::NotEqual
            | Operator::Contains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Matches
            | Operator::OneOf
            | Operator::NotOneOf => None,
        }
    }
}

/// The texts that `in` accepts: those of a list, or the parts of a text between commas.
fn members(expected: Value) -> Vec<&'static str> {
    let mut members: Vec<&'static str> = match expected.as_list() {
        Some(items) => items.iter().map(|item| text::of(*item)).collect(),
        None => text::of(expected).split(',').map(str::trim_ascii).collect(),
    };
    members.sort_unstable();
    members
}

/// The text form of a value, in `room` unless it is a text.
fn text_of(value: Value, room: &mut String) -> &str {
    if let Value::Text(text) = value {
        return text;
    }
    room.clear();
    text::write(room, value);
    room
}

/// The condition of a `where` clause: any of its alternatives, all tests of one. Without alternatives everything passes.
#[derive(Debug, Default)]
pub struct Condition {
    alternatives: Vec<Vec<Test>>,
}

impl Condition {
    /// A condition that everything meets.
    pub const fn new() -> Self {
        Condition {
            alternatives: Vec::new(),
        }
    }

    /// Begins an alternative.
    pub fn alternative(&mut self) {
        self.alternatives.push(Vec::new());
    }

    /// Adds a test to the last alternative.
    pub fn add(&mut self, test: Test) {
        if let Some(tests) = self.alternatives.last_mut() {
            tests.push(test);
        }
    }

    /// Filter: the elements that pass, in order. A value that is no list stays as it is.
    pub fn select(&self, value: Value) -> Value {
        let Some(items) = value.as_list().filter(|_| !self.alternatives.is_empty()) else {
            return value;
        };
        let mut room = String::new();
        let passes = |item: &Value| {
            self.alternatives
                .iter()
                .any(|tests| tests.iter().all(|test| test.holds(*item, &mut room)))
        };
        Value::list(items.iter().copied().filter(passes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec;

    fn select(rows: Value, field: &'static str, operator: Operator, expected: Value) -> Value {
        let mut condition = Condition::new();
        condition.alternative();
        condition.add(Test::new(
            field,
            operator as u32,
            expected,
            |(pattern, flags)| Regex::new(pattern, flags).map(|regex| &*Box::leak(Box::new(regex))),
        ));
        condition.select(rows)
    }

    fn row(value: Value) -> Value {
        Value::map(vec![("k", value)])
    }

    /// Whether `found` passes `operator expected`.
    fn passes(found: Value, operator: Operator, expected: Value) -> bool {
        let rows = Value::list(vec![row(found)]);
        select(rows, "k", operator, expected) == rows
    }

    #[test]
    fn operators_compare_as_the_table_says() {
        use Operator as O;
        let list = |items: &[Value]| Value::list(items.to_vec());
        for (found, operator, expected, answer) in [
            (Value::Int(5), O::Equal, Value::Text("5"), true),
            (Value::Float(5.0), O::Equal, Value::Int(5), false),
            (Value::Text("a"), O::NotEqual, Value::Text("a"), false),
            (Value::Text("10"), O::Greater, Value::Int(9), true),
            (Value::Text("10"), O::Less, Value::Text("9"), false),
            (Value::Text("b"), O::GreaterOrEqual, Value::Text("a"), true),
            (Value::Text("b"), O::Less, Value::Int(1), false),
            (Value::Int(7), O::LessOrEqual, Value::Float(7.0), true),
            (Value::Int(123), O::Contains, Value::Int(2), true),
            (
                Value::Text("signal"),
                O::StartsWith,
                Value::Text("sig"),
                true,
            ),
            (
                Value::Text("signal"),
                O::EndsWith,
                Value::Text("sig"),
                false,
            ),
            (Value::Text("ab1"), O::Matches, Value::Text(r"\d$"), true),
            (Value::Text("AB"), O::Matches, Value::regex("b", "i"), true),
            (Value::Int(12), O::Matches, Value::Text("^1"), true),
            (Value::Text("("), O::Matches, Value::Text("("), false),
            (Value::Int(3), O::OneOf, list(&[Value::Int(3)]), true),
            (Value::Int(3), O::OneOf, list(&[Value::Float(3.0)]), false),
            (Value::Int(3), O::OneOf, Value::Text("1, 3"), true),
            (Value::Int(3), O::NotOneOf, Value::Text("1, 3"), false),
            (Value::Int(3), O::NotOneOf, list(&[]), true),
            (Value::Float(f64::NAN), O::Less, Value::Int(1), false),
        ] {
            assert_eq!(
                passes(found, operator, expected),
                answer,
                "{found:?} {operator:?} {expected:?}"
            );
        }
    }

    #[test]
    fn what_has_no_such_field_is_dropped() {
        let rows = Value::list(vec![row(Value::Int(1)), Value::Int(1), Value::map(vec![])]);
        let kept = Value::list(vec![row(Value::Int(1))]);
        assert_eq!(select(rows, "k", Operator::NotEqual, Value::Int(2)), kept);
        assert_eq!(
            select(rows, PLAIN_FIELD, Operator::Equal, Value::Int(1)),
            Value::list(vec![Value::Int(1)])
        );
        assert_eq!(
            select(Value::Int(1), "k", Operator::Equal, Value::Int(2)),
            Value::Int(1)
        );
    }

    #[test]
    fn dates_are_ordered_by_instant() {
        let noon = Value::Date {
            millis: 43_200_000,
            offset_minutes: 0,
        };
        let zoned = Value::Text("1970-01-01T13:30:00+02:00");
        assert!(passes(noon, Operator::Greater, zoned));
        assert!(passes(zoned, Operator::Less, noon));
    }

    #[test]
    fn alternatives_are_conjunctions() {
        let mut condition = Condition::new();
        let rows = Value::list((0..6).map(|number| row(Value::Int(number))).collect());
        assert_eq!(condition.select(rows), rows);
        let test = |operator: Operator, number| {
            Test::new("k", operator as u32, Value::Int(number), |_| None)
        };
        condition.alternative();
        condition.add(test(Operator::Greater, 1));
        condition.add(test(Operator::Less, 3));
        condition.alternative();
        condition.add(test(Operator::Equal, 5));
        assert_eq!(
            condition.select(rows),
            Value::list(vec![row(Value::Int(2)), row(Value::Int(5))])
        );
    }
}
