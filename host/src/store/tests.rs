//! The store's rules one by one, against a model, on disk, and from many tasks at once.

use super::datum::Datum;
use super::filter::{Comparison, Filter, Operator};
use super::repository::{Repositories, Retention, now};
use super::table::{Bounds, Effect, Put, Selection, Table};
use super::{Budget, State, StoreError};
use crate::config::Settings;
use aro_wit::manifest::{self, Manifest};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn row(fields: &[(&str, Datum)]) -> Datum {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Datum::Map(fields.collect())
}

fn filter(groups: &[&[(&str, Operator, Datum)]]) -> Filter {
    let comparison = |(field, operator, value): &(&str, Operator, Datum)| {
        Comparison::new((*field).to_owned(), *operator, &value.encode()).unwrap()
    };
    let groups = groups
        .iter()
        .map(|group| group.iter().map(comparison).collect());
    Filter::new(groups.collect()).unwrap()
}

/// A table that may take what it is told to.
struct Bounded {
    table: Table,
    budget: Budget,
    rows_max: usize,
    now: u64,
}

impl Bounded {
    fn new(rows_max: usize, bytes_max: usize) -> Self {
        Self {
            table: Table::new("user-repository".into(), &["age".into(), "tags".into()]),
            budget: Budget::new(bytes_max),
            rows_max,
            now: 1000,
        }
    }

    fn put(&mut self, value: &Datum) -> Result<Put, StoreError> {
        let bounds = Bounds {
            rows_max: self.rows_max,
            budget: &self.budget,
        };
        self.table.put(value.clone(), self.now, &bounds)
    }

    fn store(&mut self, value: &Datum) -> (Datum, bool) {
        let put = self.put(value).unwrap();
        (
            Datum::decode(&put.row).unwrap(),
            put.effect == Effect::Created,
        )
    }

    fn select(&self, filter: &Filter, selection: Selection) -> Vec<Datum> {
        let mut scan = self.table.scan(filter, selection, self.now);
        // One row at a time, as if every search were long.
        while !self.table.advance(&mut scan, filter, 1) {}
        let found = self.table.found(scan, usize::MAX).unwrap();
        found
            .iter()
            .map(|(_, row)| Datum::decode(row).unwrap())
            .collect()
    }

    fn rows(&self, groups: &[&[(&str, Operator, Datum)]]) -> Vec<Datum> {
        self.select(&filter(groups), Selection::All)
    }

    fn delete(&mut self, groups: &[&[(&str, Operator, Datum)]]) -> usize {
        let filter = filter(groups);
        let mut scan = self.table.scan(&filter, Selection::All, self.now);
        while !self.table.advance(&mut scan, &filter, 7) {}
        let found = self.table.found(scan, usize::MAX).unwrap();
        for (position, _) in &found {
            self.table.remove(*position, &self.budget).unwrap();
        }
        found.len()
    }
}

fn id_in(row: &Datum) -> Datum {
    let Datum::Map(map) = row else {
        panic!("the row is a map")
    };
    map["id"].clone()
}

use Operator as Op;

#[test]
fn rows_with_an_id_are_replaced_in_place() {
    let mut all = Bounded::new(10, 1 << 20);
    let first = row(&[("id", text("a")), ("n", Datum::Int(1))]);
    assert_eq!(all.store(&first), (first.clone(), true));
    let second = row(&[("id", Datum::Int(7)), ("n", Datum::Int(2))]);
    assert!(all.store(&second).1);
    let changed = row(&[("id", text("a")), ("n", Datum::Int(3))]);
    let put = all.put(&changed).unwrap();
    let old = Arc::from(first.encode());
    assert_eq!(put.effect, Effect::Replaced { old });
    assert_eq!(all.put(&changed).unwrap().effect, Effect::Unchanged);
    assert!(
        !all.store(&second).1,
        "an integer id matches one of its kind"
    );
    assert!(all.store(&row(&[("id", text("7"))])).1, "and no text");
    assert!(
        all.store(&row(&[("id", Datum::Float(7.0))])).1,
        "a float is never an id"
    );
    assert_eq!(all.table.len(), 4);
    assert_eq!(all.rows(&[])[..2], [changed, second]);
}

#[test]
fn rows_without_an_id_are_found_by_name_then_key() {
    let mut all = Bounded::new(10, 1 << 20);
    let (first, created) = all.store(&row(&[("name", text("ann")), ("age", Datum::Int(1))]));
    assert!(created);
    let second = row(&[("name", text("ann")), ("age", Datum::Int(2))]);
    let (stored, created) = all.store(&second);
    assert!(!created);
    assert_eq!(id_in(&first), id_in(&stored));
    assert!(
        matches!(all.put(&second).unwrap().effect, Effect::Replaced { .. }),
        "by name it is replaced even where nothing changes"
    );
    assert!(all.store(&row(&[("key", text("ann"))])).1);
    assert!(!all.store(&row(&[("key", text("ann"))])).1);
    assert!(all.store(&row(&[("age", Datum::Int(2))])).1);
    assert!(
        all.store(&row(&[("age", Datum::Int(2))])).1,
        "without either it is always new"
    );
}

#[test]
fn plain_values_are_a_set() {
    let mut all = Bounded::new(10, 1 << 20);
    assert!(all.store(&text("x")).1);
    assert!(all.store(&Datum::Int(1)).1);
    assert!(all.store(&text("1")).1, "kinds differ");
    assert_eq!(all.put(&text("x")).unwrap().effect, Effect::Unchanged);
    assert_eq!(all.rows(&[]), [text("x"), Datum::Int(1), text("1")]);
    assert_eq!(
        all.rows(&[&[("_value", Op::Equal, text("x"))]]),
        [text("x")]
    );
    assert_eq!(all.delete(&[&[("_value", Op::Equal, text("x"))]]), 1);
    assert!(all.store(&text("x")).1);
}

#[test]
fn filters_select_with_and_inside_groups_and_or_between_them() {
    let mut all = Bounded::new(10, 1 << 20);
    for (id, age) in [
        ("a", Datum::Int(30)),
        ("b", Datum::Float(40.5)),
        ("c", text("50")),
    ] {
        let tags = Datum::List(vec![text(id)]);
        all.store(&row(&[("id", text(id)), ("age", age), ("tags", tags)]));
    }
    let ids = |groups: &[&[(&str, Operator, Datum)]]| -> String {
        let rows = all.rows(groups);
        let ids = rows.iter().map(|row| {
            let Datum::Text(id) = id_in(row) else {
                panic!("the id is a text")
            };
            id
        });
        ids.collect()
    };
    let both = |id: &str| text(id);
    assert_eq!(ids(&[&[("id", Op::Equal, both("b"))]]), "b");
    assert_eq!(
        ids(&[&[
            ("id", Op::Equal, both("b")),
            ("age", Op::Less, Datum::Int(40))
        ]]),
        ""
    );
    assert_eq!(
        ids(&[
            &[("id", Op::Equal, both("a"))],
            &[("age", Op::Equal, text("50"))]
        ]),
        "ac"
    );
    assert_eq!(
        ids(&[
            &[("id", Op::Equal, both("c"))],
            &[("age", Op::Less, Datum::Int(31))]
        ]),
        "ac"
    );
    assert_eq!(ids(&[&[("age", Op::Greater, Datum::Int(29))]]), "ab");
    assert_eq!(ids(&[&[("age", Op::Equal, Datum::Float(30.0))]]), "a");
    assert_eq!(ids(&[&[("age", Op::NotEqual, Datum::Int(30))]]), "bc");
    assert_eq!(ids(&[&[("missing", Op::NotEqual, Datum::Int(30))]]), "");
    assert_eq!(ids(&[&[("tags", Op::Contains, text("c"))]]), "c");
    let list = Datum::List(vec![text("c"), text("a")]);
    assert_eq!(ids(&[&[("id", Op::OneOf, list.clone())]]), "ac");
    assert_eq!(ids(&[&[("id", Op::NotOneOf, list)]]), "b");
    assert_eq!(ids(&[&[("id", Op::Matches, text("^[ab]$"))]]), "ab");
    assert_eq!(ids(&[&[("age", Op::StartsWith, text("5"))]]), "c");
    assert!(Comparison::new("id".to_owned(), Op::Matches, &text("(").encode()).is_err());
}

#[test]
fn one_row_is_found_from_either_end() {
    let mut all = Bounded::new(10, 1 << 20);
    for n in 0..5 {
        all.store(&Datum::Int(n));
    }
    let everything = filter(&[]);
    let small = filter(&[&[("_value", Op::Less, Datum::Int(3))]]);
    let indexed = filter(&[&[(
        "_value",
        Op::OneOf,
        Datum::List(vec![Datum::Int(3), Datum::Int(1)]),
    )]]);
    let both = |filter| [Selection::First, Selection::Last].map(|end| all.select(filter, end));
    assert_eq!(both(&everything), [[Datum::Int(0)], [Datum::Int(4)]]);
    assert_eq!(both(&small), [[Datum::Int(0)], [Datum::Int(2)]]);
    assert_eq!(both(&indexed), [[Datum::Int(1)], [Datum::Int(3)]]);
    let random = all.select(&small, Selection::Random);
    assert!(matches!(random[..], [Datum::Int(0..3)]), "{random:?}");
    let none = filter(&[&[("_value", Op::Greater, Datum::Int(9))]]);
    assert!(all.select(&none, Selection::Random).is_empty());
}

#[test]
fn limits_are_named_and_freed_rows_make_room() {
    let mut all = Bounded::new(2, 1 << 20);
    all.store(&text("a"));
    all.store(&text("b"));
    let refused = all.put(&text("c")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "repository \"user-repository\" is limited to 2 rows"
    );
    all.delete(&[]);
    assert!(all.store(&text("c")).1);
    let mut small = Bounded::new(100, 4096);
    let full = (0..100)
        .find_map(|n| small.put(&Datum::Int(n)).err())
        .unwrap();
    assert_eq!(
        full.to_string(),
        "the state of a program is limited to 0 MiB"
    );
    drop(small.table.clear(&small.budget));
    assert!(small.put(&Datum::Int(1)).is_ok());
    drop(small.table.clear(&small.budget));
    assert!(small.budget.reserve(4096).is_ok(), "all was given back");
}

#[test]
fn the_oldest_row_goes_when_a_new_one_exceeds_the_size() {
    let mut all = Bounded::new(3, 1 << 20);
    all.table.set_size_max(3);
    let gone = |put: Put| -> Vec<Datum> {
        put.gone
            .iter()
            .map(|gone| {
                assert!(gone.is_eviction);
                Datum::decode(&gone.row).unwrap()
            })
            .collect()
    };
    for n in 0..3 {
        assert!(gone(all.put(&Datum::Int(n)).unwrap()).is_empty());
    }
    assert_eq!(gone(all.put(&Datum::Int(3)).unwrap()), [Datum::Int(0)]);
    assert!(gone(all.put(&Datum::Int(3)).unwrap()).is_empty());
    assert_eq!(all.rows(&[]), [1, 2, 3].map(Datum::Int));
    all.table.set_size_max(0);
    let mut none = Bounded::new(3, 1 << 20);
    none.table.set_size_max(0);
    assert_eq!(gone(none.put(&Datum::Int(1)).unwrap()), [Datum::Int(1)]);
    assert_eq!(none.table.len(), 0);
}

#[test]
fn expired_rows_are_not_seen_but_counted_until_room_is_short() {
    let mut all = Bounded::new(3, 1 << 20);
    all.table.set_time_to_live(1000);
    let first = row(&[("id", text("a")), ("n", Datum::Int(1))]);
    all.store(&first);
    all.now += 1000;
    assert_eq!(all.rows(&[]).len(), 1, "at its last moment");
    all.now += 1;
    assert!(all.rows(&[]).is_empty());
    assert!(all.rows(&[&[("id", Op::Equal, text("a"))]]).is_empty());
    assert_eq!(all.table.len(), 1);
    let again = row(&[("id", text("a")), ("n", Datum::Int(2))]);
    assert!(!all.store(&again).1, "it is still replaced");
    assert!(all.rows(&[]).is_empty(), "and stays as old as it was");
    for n in 0..3 {
        all.store(&Datum::Int(n));
    }
    assert_eq!(all.table.len(), 3, "it made room");
    assert!(all.put(&Datum::Int(9)).is_err());
}

/// What a store is, in the simplest words: rows in a list.
#[derive(Debug, Default)]
struct Model {
    rows: Vec<Datum>,
}

fn field(row: &Datum, name: &str) -> Option<Datum> {
    let Datum::Map(map) = row else { return None };
    map.get(name).cloned()
}

impl Model {
    /// Whether the row is new.
    fn store(&mut self, value: &Datum) -> bool {
        let same = |name: &str, value: &Datum| {
            self.rows
                .iter()
                .position(|row| field(row, name).as_ref() == Some(value))
        };
        let Datum::Map(map) = value else {
            let known = self.rows.contains(value);
            if !known {
                self.rows.push(value.clone());
            }
            return !known;
        };
        let place = match (map.get("id"), map.get("name"), map.get("key")) {
            (Some(id @ (Datum::Text(_) | Datum::Int(_))), ..) => same("id", id),
            (Some(_), ..) => None,
            (None, Some(name), _) => same("name", name),
            (None, None, Some(key)) => same("key", key),
            (None, None, None) => None,
        };
        let Some(place) = place else {
            self.rows.push(value.clone());
            return true;
        };
        let mut row = map.clone();
        if let Some(id) = self.rows.get(place).and_then(|row| field(row, "id")) {
            row.insert("id".to_owned(), id);
        }
        self.rows[place] = Datum::Map(row);
        false
    }

    fn select(&self, name: &str, value: &Datum) -> Vec<Datum> {
        let has = |row: &&Datum| field(row, name).is_some_and(|found| found.equals(value));
        self.rows.iter().filter(has).cloned().collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Store(Datum),
    Select(&'static str, Datum),
    Delete(&'static str, Datum),
    Clear,
}

const FIELDS: [&str; 5] = ["id", "name", "key", "age", "other"];

fn scalar() -> impl Strategy<Value = Datum> {
    prop_oneof![
        (0..4_i64).prop_map(Datum::Int),
        (0..4_i32).prop_map(|n| Datum::Float(f64::from(n))),
        "[ab]{1,2}".prop_map(Datum::Text),
        Just(Datum::Null),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let field = proptest::sample::select(FIELDS.to_vec());
    let map =
        proptest::collection::btree_map(field.clone().prop_map(str::to_owned), scalar(), 0..4);
    prop_oneof![
        6 => map.prop_map(|map| Step::Store(Datum::Map(map))),
        1 => scalar().prop_map(Step::Store),
        3 => (field.clone(), scalar()).prop_map(|(name, value)| Step::Select(name, value)),
        2 => (field, scalar()).prop_map(|(name, value)| Step::Delete(name, value)),
        1 => Just(Step::Clear),
    ]
}

/// Rows with identities that were made up, which the model does not do, lose them.
fn without_made_up(rows: Vec<Datum>) -> Vec<Datum> {
    const UUID_TEXT_BYTES: usize = 36;
    let plain = rows.into_iter().map(|row| {
        let Datum::Map(mut map) = row else { return row };
        if matches!(map.get("id"), Some(Datum::Text(id)) if id.len() == UUID_TEXT_BYTES) {
            map.remove("id");
        }
        Datum::Map(map)
    });
    plain.collect()
}

proptest! {
    #[test]
    fn a_table_does_what_the_model_does(steps in proptest::collection::vec(step(), 0..60)) {
        let mut table = Bounded::new(1000, 1 << 20);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Store(value) => {
                    let created = table.store(&value).1;
                    prop_assert_eq!(created, model.store(&value), "{:?}", value);
                }
                Step::Select(name, value) => {
                    let rows = table.rows(&[&[(name, Op::Equal, value.clone())]]);
                    prop_assert_eq!(without_made_up(rows), model.select(name, &value));
                }
                Step::Delete(name, value) => {
                    let removed = model.select(name, &value);
                    let count = table.delete(&[&[(name, Op::Equal, value.clone())]]);
                    prop_assert_eq!(count, removed.len());
                    model.rows.retain(|row| !field(row, name).is_some_and(|found| found.equals(&value)));
                }
                Step::Clear => {
                    drop(table.table.clear(&table.budget));
                    model.rows.clear();
                }
            }
            prop_assert_eq!(without_made_up(table.rows(&[])), model.rows.clone());
        }
        drop(table.table.clear(&table.budget));
        prop_assert!(table.budget.reserve(1 << 20).is_ok(), "all bytes are given back");
    }
}

fn settings(data: Option<&Path>) -> Settings {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.data = data.map(Path::to_owned);
    settings
}

fn manifest(repositories: Vec<manifest::Repository>) -> Manifest {
    Manifest {
        format: manifest::FORMAT,
        program: "test".into(),
        compiler: String::new(),
        files: Vec::new(),
        feature_sets: Vec::new(),
        http: None,
        websockets: false,
        repositories,
    }
}

fn open(data: Option<&Path>) -> Repositories {
    let seeded = manifest::Repository {
        name: "seeded-repository".into(),
        indexes: Vec::new(),
        rows: vec![serde_json::json!({"id": "s", "n": 1})],
    };
    let state = State::open("test", &settings(data), &manifest(vec![seeded])).unwrap();
    state.repositories
}

/// As the host function does it.
async fn store(repositories: &Repositories, name: &str, value: Datum) -> Put {
    let repository = repositories.open(name).unwrap();
    let changes = repositories.changes().await.unwrap();
    let mut records = Vec::new();
    let (put, submitted) = {
        let mut table = repository.table.write().await;
        let put = table.put(value, now(), &repositories.bounds()).unwrap();
        repository.records(&put, &mut records);
        (
            put,
            changes.map(|changes| changes.submit(&repository, records)),
        )
    };
    if let Some(submitted) = submitted {
        submitted.committed().await.unwrap();
    }
    put
}

async fn all_in(repositories: &Repositories, name: &str) -> Vec<Datum> {
    let Some(repository) = repositories.find(name) else {
        return Vec::new();
    };
    let table = repository.table.read().await;
    table
        .rows()
        .map(|row| Datum::decode(row).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_store_one_name_at_once_leave_one_row() {
    const TASKS: i64 = 64;
    let repositories = Arc::new(open(None));
    let tasks = (0..TASKS).map(|n| {
        let repositories = Arc::clone(&repositories);
        tokio::spawn(async move {
            let value = row(&[("name", text("counter")), ("n", Datum::Int(n))]);
            let created =
                store(&repositories, "c-repository", value).await.effect == Effect::Created;
            let own = row(&[("id", Datum::Int(n))]);
            store(&repositories, "d-repository", own).await;
            created
        })
    });
    let mut created = 0;
    for task in tasks.collect::<Vec<_>>() {
        created += usize::from(task.await.unwrap());
    }
    assert_eq!(created, 1);
    assert_eq!(all_in(&repositories, "c-repository").await.len(), 1);
    assert_eq!(
        all_in(&repositories, "d-repository").await.len(),
        TASKS as usize
    );
}

#[tokio::test]
async fn a_data_file_keeps_rows_their_order_and_their_repositories() {
    let directory = tempfile::tempdir().unwrap();
    let data = Some(directory.path());
    let before = {
        let repositories = open(data);
        repositories.open("unused-repository").unwrap();
        for n in 0..3 {
            store(&repositories, "b-repository", row(&[("id", Datum::Int(n))])).await;
            store(&repositories, "a-repository", text(&n.to_string())).await;
        }
        store(
            &repositories,
            "b-repository",
            row(&[("id", Datum::Int(1)), ("n", Datum::Null)]),
        )
        .await;
        let seeded = repositories.find("seeded-repository").unwrap();
        let changes = repositories.changes().await.unwrap().unwrap();
        let removal = seeded.removal(0);
        changes
            .submit(&seeded, vec![removal])
            .committed()
            .await
            .unwrap();
        all_in(&repositories, "b-repository").await
    };
    let repositories = open(data);
    assert_eq!(all_in(&repositories, "b-repository").await, before);
    assert_eq!(
        all_in(&repositories, "a-repository").await,
        ["0", "1", "2"].map(text)
    );
    let seeded = all_in(&repositories, "seeded-repository").await;
    assert!(
        seeded.is_empty(),
        "a file that knows a repository is not seeded: {seeded:?}"
    );
    store(&repositories, "a-repository", text("3")).await;
    assert_eq!(repositories.count("a-repository").await, 4);
}

#[tokio::test]
async fn settings_are_kept_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let data = Some(directory.path());
    let size = Retention::Rows(2);
    let time = Retention::Time(Duration::from_secs(60));
    {
        let repositories = open(data);
        repositories.configure("a-repository", size).await.unwrap();
        repositories.configure("a-repository", time).await.unwrap();
        repositories.configure("b-repository", size).await.unwrap();
        repositories.configure("b-repository", size).await.unwrap();
    }
    let repositories = open(data);
    let kept = async |name| {
        let repository = repositories.find(name).unwrap();
        let table = repository.table.read().await;
        table.retention()
    };
    assert_eq!(kept("a-repository").await, (Some(2), Some(60_000)));
    assert_eq!(kept("b-repository").await, (Some(2), None));
    for value in ["x", "y", "z"] {
        store(&repositories, "a-repository", text(value)).await;
    }
    let rows = all_in(&repositories, "a-repository").await;
    assert_eq!(rows, [text("y"), text("z")]);
}

#[tokio::test]
async fn a_cleared_repository_is_empty_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let data = Some(directory.path());
    {
        let repositories = open(data);
        store(&repositories, "a-repository", text("x")).await;
        store(&repositories, "b-repository", text("y")).await;
        let repository = repositories.find("a-repository").unwrap();
        let changes = repositories.changes().await.unwrap().unwrap();
        let emptied = vec![repository.emptied()];
        changes
            .submit(&repository, emptied)
            .committed()
            .await
            .unwrap();
    }
    let repositories = open(data);
    assert!(all_in(&repositories, "a-repository").await.is_empty());
    assert_eq!(all_in(&repositories, "b-repository").await, [text("y")]);
}

fn refusal(path: &Path) -> String {
    let settings = settings(path.parent());
    let error = State::open("test", &settings, &manifest(Vec::new())).unwrap_err();
    error.to_string()
}

#[test]
fn a_file_that_is_no_data_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.redb");
    std::fs::write(&path, "these are no rows".repeat(1000)).unwrap();
    let text = refusal(&path);
    assert!(
        text.starts_with(&format!("data file {}: it is damaged", path.display())),
        "{text}"
    );
}

#[test]
fn a_data_file_that_is_open_elsewhere_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.redb");
    let _first = open(Some(directory.path()));
    let text = refusal(&path);
    assert!(text.ends_with("another host uses it"), "{text}");
}

#[test]
fn a_data_file_of_another_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.redb");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("aro");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", 7)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let text = refusal(&path);
    assert!(
        text.ends_with("it was written in format 7; this host reads format 1"),
        "{text}"
    );
}

#[test]
fn a_row_that_is_no_value_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.redb");
    drop(open(Some(directory.path())));
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let rows = redb::TableDefinition::<(u32, u64), &[u8]>::new("rows");
    transaction
        .open_table(rows)
        .unwrap()
        .insert((0, 5), [0xFF_u8; 12].as_slice())
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let text = refusal(&path);
    assert!(
        text.ends_with("it is damaged: row 5 of repository \"seeded-repository\""),
        "{text}"
    );
}

#[test]
fn more_than_a_statement_may_get_is_refused() {
    let mut all = Bounded::new(100, 1 << 20);
    for n in 0..3 {
        all.store(&text(&n.to_string().repeat(100)));
    }
    let everything = filter(&[]);
    let mut scan = all.table.scan(&everything, Selection::All, all.now);
    assert!(all.table.advance(&mut scan, &everything, 100));
    let refused = all.table.found(scan, 250).unwrap_err().to_string();
    assert!(refused.contains("select fewer with `where`"), "{refused}");
}
