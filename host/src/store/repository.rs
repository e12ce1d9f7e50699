//! Repositories: rows in insertion order, found by id without a scan (runtime.md 7.2 to 7.4).
//!
//! A row is kept in its canonical encoding, which is what a program gets back; only the fields that identify rows are indexed.

use super::datum::{Datum, encode_array, uuid_text};
use super::filter::Filter;
use super::{Budget, StoreError};
use crate::config::Limits;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a row costs beside its bytes, its share of the index included.
const ROW_OVERHEAD_BYTES: usize = 192;
/// Fields by which rows are found without a scan.
const INDEXED: [&str; 3] = ["id", "name", "key"];

/// All repositories of a tenant.
#[derive(Debug)]
pub(crate) struct Repositories {
    all: Mutex<FxHashMap<String, Arc<Mutex<Repository>>>>,
    budget: Arc<Budget>,
    rows_max: usize,
    repositories_max: usize,
}

/// What a store did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The stored row, with its id.
    pub(crate) row: Vec<u8>,
    /// Whether the last row was new.
    pub(crate) created: bool,
}

impl Repositories {
    pub(crate) fn new(budget: Arc<Budget>, limits: &Limits) -> Self {
        Self {
            all: Mutex::default(),
            budget,
            rows_max: limits.repository_rows_max,
            repositories_max: limits.repositories_max,
        }
    }

    /// Stores a row, or each element of a list.
    pub(crate) fn store(&self, name: &str, value: &[u8]) -> Result<Stored, StoreError> {
        let value = Datum::decode(value).map_err(StoreError::Malformed)?;
        let repository = self.open(name)?;
        let Datum::List(list) = value else {
            return self.store_row(name, &repository, value);
        };
        let mut last = Stored {
            row: Datum::List(Vec::new()).encode(),
            created: false,
        };
        for element in list {
            last = self.store_row(name, &repository, element)?;
        }
        Ok(last)
    }

    fn store_row(
        &self,
        name: &str,
        repository: &Mutex<Repository>,
        row: Datum,
    ) -> Result<Stored, StoreError> {
        let mut repository = repository.lock();
        let change = repository.plan(row)?;
        match change {
            Change::Unchanged { row } => Ok(Stored {
                row,
                created: false,
            }),
            Change::Replace { position, row } => {
                let before = repository.rows.get(&position).map_or(0, |row| cost(row));
                self.budget.reserve(cost(&row))?;
                self.budget.release(before);
                repository.replace(position, row.clone());
                Ok(Stored {
                    row,
                    created: false,
                })
            }
            Change::Append { row } => {
                if repository.rows.len() >= self.rows_max {
                    return Err(StoreError::Rows {
                        repository: name.to_owned(),
                        max: self.rows_max,
                    });
                }
                self.budget.reserve(cost(&row))?;
                repository.append(row.clone());
                Ok(Stored { row, created: true })
            }
        }
    }

    /// The matching rows in insertion order, as one array.
    pub(crate) fn retrieve(&self, name: &str, filter: &Filter) -> Vec<u8> {
        self.find(name).map_or_else(
            || encode_array(std::iter::empty()),
            |repository| repository.lock().retrieve(filter),
        )
    }

    /// Removes the matching rows and answers them.
    pub(crate) fn delete(&self, name: &str, filter: &Filter) -> Vec<u8> {
        let Some(repository) = self.find(name) else {
            return encode_array(std::iter::empty());
        };
        let mut repository = repository.lock();
        let removed = repository.remove(filter);
        self.budget
            .release(removed.iter().map(|row| cost(row)).sum());
        encode_array(removed.iter().map(Vec::as_slice))
    }

    /// Number of rows.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.find(name)
            .map_or(0, |repository| repository.lock().rows.len() as u64)
    }

    fn find(&self, name: &str) -> Option<Arc<Mutex<Repository>>> {
        self.all.lock().get(name).map(Arc::clone)
    }

    fn open(&self, name: &str) -> Result<Arc<Mutex<Repository>>, StoreError> {
        let mut all = self.all.lock();
        if let Some(repository) = all.get(name) {
            return Ok(Arc::clone(repository));
        }
        if all.len() >= self.repositories_max {
            return Err(StoreError::Repositories {
                max: self.repositories_max,
            });
        }
        self.budget.reserve(name.len() + ROW_OVERHEAD_BYTES)?;
        Ok(Arc::clone(all.entry(name.to_owned()).or_default()))
    }
}

fn cost(row: &[u8]) -> usize {
    row.len() + ROW_OVERHEAD_BYTES
}

/// Field, key and position of a row.
type IndexEntry = (u8, Vec<u8>, u64);
/// In the place of a field: the whole of a row that is no map.
const PLAIN: u8 = u8::MAX;

#[derive(Debug, Default)]
struct Repository {
    rows: BTreeMap<u64, Vec<u8>>,
    index: BTreeSet<IndexEntry>,
    next: u64,
}

/// What storing a row comes to.
enum Change {
    Unchanged { row: Vec<u8> },
    Replace { position: u64, row: Vec<u8> },
    Append { row: Vec<u8> },
}

impl Repository {
    fn plan(&self, row: Datum) -> Result<Change, StoreError> {
        let Datum::Map(mut map) = row else {
            let key = row.encode();
            let known = self.lookup(PLAIN, &key).next().is_some();
            return Ok(if known {
                Change::Unchanged { row: key }
            } else {
                Change::Append { row: key }
            });
        };
        let position = match map.get("id") {
            Some(id @ (Datum::Text(_) | Datum::Int(_))) => self.same_kind(id),
            Some(_) => None,
            None => {
                let position = ["name", "key"]
                    .into_iter()
                    .find_map(|field| Some((field, map.get(field)?)))
                    .and_then(|(field, value)| {
                        let field = field_number(field)?;
                        self.lookup(field, &value.index_key()).next()
                    });
                let kept = position.and_then(|position| {
                    super::datum::at_path(self.rows.get(&position)?, &["id".to_owned()])
                });
                let id = match kept {
                    Some(id) => id,
                    None => Datum::Text(new_id()?),
                };
                map.insert("id".to_owned(), id);
                position
            }
        };
        let row = Datum::Map(map).encode();
        Ok(match position {
            Some(position) if self.rows.get(&position) == Some(&row) => Change::Unchanged { row },
            Some(position) => Change::Replace { position, row },
            None => Change::Append { row },
        })
    }

    /// The first row whose id has this kind and value.
    fn same_kind(&self, id: &Datum) -> Option<u64> {
        let is_same = |position: &u64| {
            self.rows
                .get(position)
                .and_then(|row| super::datum::at_path(row, &["id".to_owned()]))
                .as_ref()
                == Some(id)
        };
        self.lookup(0, &id.index_key()).find(is_same)
    }

    fn lookup(&self, field: u8, key: &[u8]) -> impl Iterator<Item = u64> {
        self.index
            .range((field, key.to_vec(), 0)..=(field, key.to_vec(), u64::MAX))
            .map(|(_, _, position)| *position)
    }

    fn append(&mut self, row: Vec<u8>) {
        let position = self.next;
        self.next += 1;
        self.index.extend(entries(&row, position));
        self.rows.insert(position, row);
    }

    fn replace(&mut self, position: u64, row: Vec<u8>) {
        self.unindex(position);
        self.index.extend(entries(&row, position));
        self.rows.insert(position, row);
    }

    fn unindex(&mut self, position: u64) {
        if let Some(row) = self.rows.get(&position) {
            for entry in entries(row, position) {
                self.index.remove(&entry);
            }
        }
    }

    fn selected(&self, filter: &Filter) -> Vec<u64> {
        let required = filter.required(|field| INDEXED.contains(&field));
        match required.and_then(|(field, value)| Some((field_number(field)?, value.index_key()))) {
            Some((field, key)) => {
                let candidates = self.lookup(field, &key);
                candidates
                    .filter(|position| {
                        self.rows
                            .get(position)
                            .is_some_and(|row| filter.selects(row))
                    })
                    .collect()
            }
            None => self
                .rows
                .iter()
                .filter(|(_, row)| filter.selects(row))
                .map(|(position, _)| *position)
                .collect(),
        }
    }

    fn retrieve(&self, filter: &Filter) -> Vec<u8> {
        let rows: Vec<&[u8]> = self
            .selected(filter)
            .iter()
            .filter_map(|position| self.rows.get(position))
            .map(Vec::as_slice)
            .collect();
        encode_array(rows.into_iter())
    }

    fn remove(&mut self, filter: &Filter) -> Vec<Vec<u8>> {
        let selected = self.selected(filter);
        selected
            .into_iter()
            .filter_map(|position| {
                self.unindex(position);
                self.rows.remove(&position)
            })
            .collect()
    }
}

fn field_number(field: &str) -> Option<u8> {
    INDEXED
        .iter()
        .position(|known| *known == field)
        .and_then(|position| u8::try_from(position).ok())
}

fn entries(row: &[u8], position: u64) -> Vec<IndexEntry> {
    match Datum::decode(row) {
        Ok(Datum::Map(map)) => {
            let fields = INDEXED.iter().filter_map(|field| {
                Some((field_number(field)?, map.get(*field)?.index_key(), position))
            });
            fields.collect()
        }
        Ok(_) => vec![(PLAIN, row.to_vec(), position)],
        Err(_) => Vec::new(),
    }
}

fn new_id() -> Result<String, StoreError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| StoreError::Random)?;
    // Version 4, variant 10 (RFC 9562 5.4).
    let value = u128::from_be_bytes(id) & !(0xF << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    Ok(uuid_text(value.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::filter::{Comparison, Operator};
    use std::sync::atomic::AtomicUsize;

    const NAME: &str = "user-repository";

    fn repositories(rows_max: usize, bytes_max: usize) -> Repositories {
        let limits = Limits {
            repository_rows_max: rows_max,
            ..Limits::default()
        };
        Repositories::new(
            Arc::new(Budget {
                used: AtomicUsize::new(0),
                max: bytes_max,
            }),
            &limits,
        )
    }

    fn text(text: &str) -> Datum {
        Datum::Text(text.to_owned())
    }

    fn row(fields: &[(&str, Datum)]) -> Datum {
        Datum::Map(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        )
    }

    fn filter(groups: &[&[(&str, Operator, Datum)]]) -> Filter {
        let comparison = |(field, operator, value): &(&str, Operator, Datum)| {
            Comparison::new((*field).to_owned(), *operator, &value.encode()).unwrap()
        };
        Filter::new(
            groups
                .iter()
                .map(|group| group.iter().map(comparison).collect())
                .collect(),
        )
        .unwrap()
    }

    fn rows(repositories: &Repositories, filter: &Filter) -> Vec<Datum> {
        let Datum::List(rows) = Datum::decode(&repositories.retrieve(NAME, filter)).unwrap() else {
            panic!("rows are a list")
        };
        rows
    }

    fn id_in(row: &Datum) -> Datum {
        let Datum::Map(map) = row else {
            panic!("the row is a map")
        };
        map["id"].clone()
    }

    fn store(repositories: &Repositories, value: &Datum) -> (Datum, bool) {
        let stored = repositories.store(NAME, &value.encode()).unwrap();
        (Datum::decode(&stored.row).unwrap(), stored.created)
    }

    #[test]
    fn rows_with_an_id_are_replaced_in_place() {
        let all = repositories(10, 1 << 20);
        let first = row(&[("id", text("a")), ("n", Datum::Int(1))]);
        assert_eq!(store(&all, &first), (first.clone(), true));
        let second = row(&[("id", Datum::Int(7)), ("n", Datum::Int(2))]);
        assert!(store(&all, &second).1);
        let changed = row(&[("id", text("a")), ("n", Datum::Int(3))]);
        assert_eq!(store(&all, &changed), (changed.clone(), false));
        assert!(
            !store(&all, &second).1,
            "an integer id matches one of its kind"
        );
        assert!(store(&all, &row(&[("id", text("7"))])).1, "and no text");
        assert!(
            store(&all, &row(&[("id", Datum::Float(7.0))])).1,
            "a float is never an id"
        );
        assert_eq!(all.count(NAME), 4);
        assert_eq!(rows(&all, &filter(&[]))[..2], [changed, second]);
    }

    #[test]
    fn rows_without_an_id_are_found_by_name_then_key() {
        let all = repositories(10, 1 << 20);
        let (first, created) = store(&all, &row(&[("name", text("ann")), ("age", Datum::Int(1))]));
        assert!(created);
        let (second, created) = store(&all, &row(&[("name", text("ann")), ("age", Datum::Int(2))]));
        assert!(!created);
        assert_eq!(id_in(&first), id_in(&second));
        assert!(store(&all, &row(&[("key", text("ann"))])).1);
        assert!(!store(&all, &row(&[("key", text("ann"))])).1);
        assert!(store(&all, &row(&[("age", Datum::Int(2))])).1);
        assert!(
            store(&all, &row(&[("age", Datum::Int(2))])).1,
            "without either it is always new"
        );
    }

    #[test]
    fn plain_values_are_a_set_and_lists_are_stored_element_by_element() {
        let all = repositories(10, 1 << 20);
        let list = Datum::List(vec![text("x"), Datum::Int(1), text("x")]);
        assert_eq!(store(&all, &list), (text("x"), false));
        assert_eq!(rows(&all, &filter(&[])), [text("x"), Datum::Int(1)]);
        let removed = all.delete(NAME, &filter(&[&[("_value", Operator::Equal, text("x"))]]));
        assert_eq!(
            Datum::decode(&removed).unwrap(),
            Datum::List(vec![text("x")])
        );
        assert!(store(&all, &text("x")).1);
    }

    #[test]
    fn filters_select_with_and_inside_groups_and_or_between_them() {
        let all = repositories(10, 1 << 20);
        for (id, age) in [
            ("a", Datum::Int(30)),
            ("b", Datum::Float(40.5)),
            ("c", text("50")),
        ] {
            store(
                &all,
                &row(&[
                    ("id", text(id)),
                    ("age", age),
                    ("tags", Datum::List(vec![text(id)])),
                ]),
            );
        }
        let ids = |groups: &[&[(&str, Operator, Datum)]]| -> String {
            let ids = rows(&all, &filter(groups))
                .iter()
                .map(id_in)
                .collect::<Vec<_>>();
            ids.iter()
                .map(|id| {
                    if let Datum::Text(id) = id {
                        id.as_str()
                    } else {
                        "?"
                    }
                })
                .collect()
        };
        use Operator as Op;
        assert_eq!(ids(&[&[("id", Op::Equal, text("b"))]]), "b");
        assert_eq!(
            ids(&[&[
                ("id", Op::Equal, text("b")),
                ("age", Op::Less, Datum::Int(40))
            ]]),
            ""
        );
        assert_eq!(
            ids(&[
                &[("id", Op::Equal, text("a"))],
                &[("age", Op::Equal, text("50"))]
            ]),
            "ac"
        );
        assert_eq!(ids(&[&[("age", Op::Greater, Datum::Int(29))]]), "ab");
        assert_eq!(ids(&[&[("age", Op::NotEqual, Datum::Int(30))]]), "bc");
        assert_eq!(ids(&[&[("missing", Op::NotEqual, Datum::Int(30))]]), "");
        assert_eq!(ids(&[&[("tags", Op::Contains, text("c"))]]), "c");
        assert_eq!(
            ids(&[&[("id", Op::OneOf, Datum::List(vec![text("c"), text("a")]))]]),
            "ac"
        );
        assert_eq!(
            ids(&[&[("id", Op::NotOneOf, Datum::List(vec![text("c"), text("a")]))]]),
            "b"
        );
        assert_eq!(ids(&[&[("id", Op::Matches, text("^[ab]$"))]]), "ab");
        assert_eq!(ids(&[&[("age", Op::StartsWith, text("5"))]]), "c");
        assert!(Comparison::new("id".to_owned(), Op::Matches, &text("(").encode()).is_err());
    }

    #[test]
    fn limits_are_named_and_freed_rows_make_room() {
        let all = repositories(2, 1 << 20);
        store(&all, &text("a"));
        store(&all, &text("b"));
        let refused = all.store(NAME, &text("c").encode()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "repository \"user-repository\" is limited to 2 rows"
        );
        all.delete(NAME, &filter(&[]));
        assert!(store(&all, &text("c")).1);
        let small = repositories(100, 4096);
        let full = (0..100)
            .find_map(|n| small.store(NAME, &Datum::Int(n).encode()).err())
            .unwrap();
        assert_eq!(
            full.to_string(),
            "the state of a program is limited to 0 MiB"
        );
        small.delete(NAME, &filter(&[]));
        assert!(small.store(NAME, &Datum::Int(1).encode()).is_ok());
    }
}
