//! What a program says of its repositories before it runs: which fields its statements select rows by, and the rows of its store files.

use aro_runtime::Value;
use aro_runtime::format::{Options, deserialize};
use aro_wit::manifest::Repository;
use indexmap::{IndexMap, IndexSet};
use serde_json::Value as Json;

use crate::actions::{ActionKind, doubling, lookup};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::Program;
use crate::source::{SourceFile, Span};
use crate::syntax::ast::{Action, Comparison, Condition};
use crate::syntax::walk;

/// Fields that identify rows: hosts have an index of them in any case.
const IDENTIFYING: [&str; 3] = ["id", "name", "key"];
/// Further fields of one repository that get an index, in the order in which the program first selects by them; each costs memory for every row.
const INDEXES_MAX: usize = 16;

/// All repositories of which there is something to say, by name.
pub(crate) fn declare(program: &Program, stores: &[SourceFile]) -> Vec<Repository> {
    let mut indexes: IndexMap<&str, IndexSet<&str>> = IndexMap::new();
    for set in &program.feature_sets {
        walk::actions(&set.syntax.body, &mut |action, _| {
            if let (Some(name), Some(filter)) = (selects_from(action), &action.clauses.filter) {
                fields(filter, indexes.entry(name).or_default());
            }
        });
    }
    let mut rows: IndexMap<String, Vec<Json>> = stores.iter().filter_map(seeded).collect();
    let mut names: Vec<String> = indexes.keys().map(|name| (*name).to_owned()).collect();
    names.extend(
        rows.keys()
            .filter(|name| !indexes.contains_key(name.as_str()))
            .cloned(),
    );
    names.sort();
    let declared = names.into_iter().map(|name| Repository {
        indexes: indexes
            .get(name.as_str())
            .into_iter()
            .flatten()
            .filter(|field| !IDENTIFYING.contains(field))
            .take(INDEXES_MAX)
            .map(|field| (*field).to_owned())
            .collect(),
        rows: rows.swap_remove(&name).unwrap_or_default(),
        name,
    });
    declared
        .filter(|repository| !repository.indexes.is_empty() || !repository.rows.is_empty())
        .collect()
}

/// The name that a Retrieve or Delete reads; where it is that of a variable, an index of that name does nothing.
fn selects_from(action: &Action) -> Option<&str> {
    let known = lookup(&action.verb.text)?;
    if !matches!(
        known.kind,
        ActionKind::Retrieve | ActionKind::Delete | ActionKind::Clear
    ) {
        return None;
    }
    let noun = match doubling(action) {
        Some(_) => action.result.noun(),
        None => action.object.as_ref()?.noun(),
    };
    noun.map(|noun| noun.base.as_str())
}

/// Fields that are compared for equality.
fn fields<'a>(condition: &'a Condition, found: &mut IndexSet<&'a str>) {
    match condition {
        Condition::Compare {
            field, operator, ..
        } => {
            if matches!(operator, Comparison::Equal | Comparison::In) {
                found.insert(&field.text);
            }
        }
        Condition::And(left, right) | Condition::Or(left, right) => {
            fields(left, found);
            fields(right, found);
        }
    }
}

/// The repository of a store file and its rows: those elements that are maps (runtime.md 7.7).
fn seeded(file: &SourceFile) -> Option<(String, Vec<Json>)> {
    let stem = file.path.strip_suffix(".store")?;
    // The value refers to the text for as long as the compiler runs, as all values of this crate do.
    let text: &'static str = file.text.clone().leak();
    let value = deserialize(text, "yaml", Options::default()).ok()?;
    let rows = match value.as_list() {
        Some(rows) => rows.to_vec(),
        None => vec![value],
    };
    let rows = rows.into_iter().filter(|row| row.as_map().is_some());
    Some((format!("{stem}-repository"), rows.map(json).collect()))
}

/// Says which store files cannot be read; `first` is the index of the first of them among the files of the program.
pub(crate) fn check(stores: &[SourceFile], first: u32) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (index, file) in stores.iter().enumerate() {
        let text: &'static str = file.text.clone().leak();
        let Err(error) = deserialize(text, "yaml", Options::default()) else {
            continue;
        };
        let line = if let aro_runtime::error::Error::Format { line, .. } = error {
            line
        } else {
            1
        };
        let span = line_span(&file.text, first + index as u32, line);
        let message = format!("`{}` seeds nothing: {error}", file.path);
        found.push(
            Diagnostic::new(Code::StoreFile, span, message)
                .help("a store file is a YAML list of maps, one for each row, or one map"),
        );
    }
    found
}

/// A line, counted from 1, without its end.
fn line_span(text: &str, file: u32, line: usize) -> Span {
    let mut start = 0;
    let mut length = 0;
    for (index, one) in text.split_inclusive('\n').enumerate() {
        length = one.trim_end().len();
        if index + 1 >= line {
            break;
        }
        start += one.len();
    }
    Span {
        file,
        start: start as u32,
        end: (start + length) as u32,
    }
}

/// As the manifest holds it.
fn json(value: Value) -> Json {
    match value {
        Value::Null | Value::Socket(_) => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Int(number) => Json::from(number),
        Value::Float(number) => Json::from(number),
        Value::Text(text) => Json::from(text),
        Value::Bytes(bytes) => Json::from(String::from_utf8_lossy(bytes)),
        Value::List(items) => items.iter().copied().map(json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json(*value)))
            .collect(),
        Value::Date { .. } => Json::from(aro_runtime::text::of(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    #[test]
    fn fields_that_rows_are_selected_by_get_an_index_and_store_files_rows() {
        let text = r#"
(Application-Start: Shop) {
    Retrieve the <a> from the <user-repository> where email is "x" and age > 3.
    Delete the <b> from the <user-repository> where id is 1 or address.city in ["y"].
    Retrieve the <c> from the <log-repository>.
    Retrieve the <order-repository> where code is 1.
    Delete the <order-repository> where place is 1.
    Retrieve the <d> from <order-repository> where weight is 1.
    Return an <OK: status>.
}"#;
        let program = Program::new(vec![parse(0, text).program]);
        let store = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let stores = [
            store(
                "item.store",
                "- id: a\n  price: 9.0\n- 3\n- tags: [x]\n  n: 2\n",
            ),
            store("one.store", "key: k\nok: true\n"),
            store("none.store", ""),
        ];
        let declared = declare(&program, &stores);
        let names: Vec<&str> = declared.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "item-repository",
                "one-repository",
                "order-repository",
                "user-repository"
            ]
        );
        assert_eq!(
            declared[0].rows,
            [
                serde_json::json!({"id": "a", "price": 9.0}),
                serde_json::json!({"tags": ["x"], "n": 2})
            ]
        );
        assert_eq!(
            declared[1].rows,
            [serde_json::json!({"key": "k", "ok": true})]
        );
        assert_eq!(declared[2].indexes, ["code", "place", "weight"]);
        assert_eq!(declared[3].indexes, ["email", "address.city"]);
    }
}
