//! Which rows a `where` clause selects (runtime.md 7.3).

use super::datum::{Datum, DatumError, at_path};
use regex_lite::{Regex, RegexBuilder};
use std::cmp::Ordering;

/// Comparisons in one filter.
const COMPARISONS_MAX: usize = 256;
/// Size of a compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// Lookups in an index for one filter; with more, rows are looked at one by one.
const PROBES_MAX: usize = 1024;
/// Field name of a row that is no map.
const PLAIN_FIELD: &str = "_value";

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
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

/// Why a filter cannot be evaluated; the program sees the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("a where clause is limited to {COMPARISONS_MAX} comparisons")]
    TooMany,
    #[error("the value compared with {field:?} is malformed")]
    Malformed { field: String, source: DatumError },
    #[error("the pattern for {field:?} must be a text")]
    PatternKind { field: String },
    #[error("the pattern for {field:?} is not valid: {source}")]
    Pattern {
        field: String,
        source: regex_lite::Error,
    },
}

/// One comparison.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// None for the row itself.
    path: Option<Vec<String>>,
    operator: Operator,
    value: Datum,
    pattern: Option<Regex>,
}

impl Comparison {
    pub(crate) fn new(
        field: String,
        operator: Operator,
        value: &[u8],
    ) -> Result<Self, FilterError> {
        let value = match Datum::decode(value) {
            Ok(value) => value,
            Err(source) => return Err(FilterError::Malformed { field, source }),
        };
        let pattern = match (operator, &value) {
            (Operator::Matches, Datum::Text(pattern)) => match RegexBuilder::new(pattern)
                .size_limit(PATTERN_BYTES_MAX)
                .build()
            {
                Ok(pattern) => Some(pattern),
                Err(source) => return Err(FilterError::Pattern { field, source }),
            },
            (Operator::Matches, _) => return Err(FilterError::PatternKind { field }),
            _ => None,
        };
        let path = (field != PLAIN_FIELD).then(|| field.split('.').map(str::to_owned).collect());
        Ok(Self {
            path,
            operator,
            value,
            pattern,
        })
    }

    fn holds_in(&self, field: impl Fn(&str) -> Option<Datum>) -> bool {
        let Some([name]) = self.path.as_deref() else {
            return false;
        };
        field(name).is_some_and(|found| self.holds_for(&found))
    }

    fn holds(&self, row: &[u8]) -> bool {
        let found = match &self.path {
            Some(path) => at_path(row, path),
            None => at_path::<&str>(row, &[]).filter(|row| !matches!(row, Datum::Map(_))),
        };
        // A missing field never matches, not even `!=`.
        found.is_some_and(|found| self.holds_for(&found))
    }

    fn holds_for(&self, found: &Datum) -> bool {
        let order = || found.compare(&self.value);
        match self.operator {
            Operator::Equal => found.equals(&self.value),
            Operator::NotEqual => !found.equals(&self.value),
            Operator::Less => order() == Some(Ordering::Less),
            Operator::LessOrEqual => order().is_some_and(Ordering::is_le),
            Operator::Greater => order() == Some(Ordering::Greater),
            Operator::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
            Operator::Contains => match (found, &self.value) {
                (Datum::Text(text), Datum::Text(part)) => text.contains(part.as_str()),
                (Datum::List(list), value) => list.iter().any(|element| element.equals(value)),
                (Datum::Map(map), Datum::Text(key)) => map.contains_key(key),
                _ => false,
            },
            Operator::StartsWith => {
                matches!((found, &self.value), (Datum::Text(text), Datum::Text(part)) if text.starts_with(part.as_str()))
            }
            Operator::EndsWith => {
                matches!((found, &self.value), (Datum::Text(text), Datum::Text(part)) if text.ends_with(part.as_str()))
            }
            Operator::Matches => {
                matches!((found, &self.pattern), (Datum::Text(text), Some(pattern)) if pattern.is_match(text))
            }
            Operator::OneOf => self.lists(found),
            Operator::NotOneOf => !self.lists(found),
        }
    }

    fn probes(&self, number: impl Fn(&[String]) -> Option<u8>) -> Option<Vec<(u8, Box<[u8]>)>> {
        let field = match &self.path {
            Some(path) => number(path)?,
            None => number(&[])?,
        };
        match (self.operator, &self.value) {
            (Operator::Equal, value) => Some(vec![(field, value.index_key())]),
            (Operator::OneOf, Datum::List(list)) if list.len() <= PROBES_MAX => Some(
                list.iter()
                    .map(|value| (field, value.index_key()))
                    .collect(),
            ),
            _ => None,
        }
    }

    fn lists(&self, found: &Datum) -> bool {
        matches!(&self.value, Datum::List(list) if list.iter().any(|element| element.equals(found)))
    }
}

/// Any of the groups, all comparisons in a group; no group selects every row.
#[derive(Debug)]
pub(crate) struct Filter {
    groups: Vec<Vec<Comparison>>,
}

impl Filter {
    pub(crate) fn new(groups: Vec<Vec<Comparison>>) -> Result<Self, FilterError> {
        if groups.iter().map(Vec::len).sum::<usize>() > COMPARISONS_MAX {
            return Err(FilterError::TooMany);
        }
        Ok(Self { groups })
    }

    pub(crate) fn selects(&self, row: &[u8]) -> bool {
        self.groups.is_empty()
            || self
                .groups
                .iter()
                .any(|group| group.iter().all(|comparison| comparison.holds(row)))
    }

    /// As [`selects`](Self::selects), where the fields of the row are made when they are asked for.
    pub(crate) fn selects_fields(&self, field: impl Fn(&str) -> Option<Datum>) -> bool {
        let holds = |group: &Vec<Comparison>| group.iter().all(|one| one.holds_in(&field));
        self.groups.is_empty() || self.groups.iter().any(holds)
    }

    /// Whether it selects every row.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Fields and values of which every selected row has at least one: what an index has to look up. None where the filter does not say so; `number` knows the fields that are indexed.
    pub(crate) fn probes(
        &self,
        number: impl Fn(&[String]) -> Option<u8>,
    ) -> Option<Vec<(u8, Box<[u8]>)>> {
        let mut probes = Vec::new();
        for group in &self.groups {
            let of_group = group
                .iter()
                .filter_map(|comparison| comparison.probes(&number))
                .min_by_key(Vec::len)?;
            probes.extend(of_group);
            if probes.len() > PROBES_MAX {
                return None;
            }
        }
        (!self.groups.is_empty()).then_some(probes)
    }
}
