//! Store files that repositories are written back to (runtime.md 7.7): a while after the last change, and at the end.

use super::datum::Datum;
use super::repository::Repository;
use super::table::RowBytes;
use crate::config::StoreFile;
use crate::tenant::Tenant;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a repository has to rest before it is written.
const REST: Duration = Duration::from_secs(1);
/// Deepest nesting that is written; what is deeper is left out.
const DEPTH_MAX: usize = 32;

/// Writes each repository back whenever it has changed and rests, until the program closes.
pub(crate) fn start(tenant: &Arc<Tenant>) {
    for file in &tenant.settings.store_files {
        let Ok(repository) = tenant.state.repositories.open(&file.repository) else {
            tracing::warn!(repository = %file.repository, "a repository cannot be opened: it is not written back");
            continue;
        };
        let (tenant, file) = (Arc::clone(tenant), file.clone());
        tokio::spawn(async move {
            let closing = tenant.closing.clone();
            closing
                .run_until_cancelled(async {
                    loop {
                        repository.touched.notified().await;
                        while tokio::time::timeout(REST, repository.touched.notified())
                            .await
                            .is_ok()
                        {}
                        write(&file, &repository).await;
                    }
                })
                .await;
        });
    }
}

/// Writes what has changed and is not written yet.
pub(crate) async fn flush(tenant: &Tenant) {
    for file in &tenant.settings.store_files {
        if let Some(repository) = tenant.state.repositories.find(&file.repository) {
            write(file, &repository).await;
        }
    }
}

async fn write(file: &StoreFile, repository: &Repository) {
    if !repository.take_dirty() {
        return;
    }
    let rows: Vec<RowBytes> = {
        let table = repository.table.read().await;
        table.rows().map(Arc::clone).collect()
    };
    let path = file.path.clone();
    let written = tokio::task::spawn_blocking(move || replace(&path, &yaml(&rows))).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(path = %file.path.display(), %error, "a store file cannot be written");
    }
}

/// Replaces the contents of a file at once; its mode stays.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = Path::new(&name);
    std::fs::write(temporary, text)?;
    std::fs::set_permissions(temporary, std::fs::metadata(path)?.permissions())?;
    std::fs::rename(temporary, path)
}

/// runtime.md A.3. Texts that would be read as something else are quoted, and blocks say that no newline follows them: the reference loses both.
fn yaml(rows: &[RowBytes]) -> String {
    let mut out = String::new();
    let rows: Vec<Datum> = rows
        .iter()
        .filter_map(|row| Datum::decode(row).ok())
        .collect();
    if rows.is_empty() {
        return "[]".to_owned();
    }
    list(&mut out, &rows, 0);
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn list(out: &mut String, items: &[Datum], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push('-');
        let Datum::Map(fields) = item else {
            value(out, item, depth);
            continue;
        };
        if fields.is_empty() {
            value(out, item, depth);
        }
        for (index, (name, field)) in fields.iter().enumerate() {
            if index == 0 {
                out.push(' ');
            } else {
                indent(out, depth + 1);
            }
            scalar(out, name, depth + 1);
            out.push(':');
            value(out, field, depth + 1);
        }
    }
}

/// What follows a colon or a dash, to the end of its last line.
fn value(out: &mut String, datum: &Datum, depth: usize) {
    match datum {
        Datum::List(items) if !items.is_empty() && depth < DEPTH_MAX => {
            out.push('\n');
            list(out, items, depth + 1);
            return;
        }
        Datum::Map(fields) if !fields.is_empty() && depth < DEPTH_MAX => {
            out.push('\n');
            for (name, field) in fields {
                indent(out, depth + 1);
                scalar(out, name, depth + 1);
                out.push(':');
                value(out, field, depth + 1);
            }
            return;
        }
        Datum::List(_) => out.push_str(" []"),
        Datum::Map(_) => out.push_str(" {}"),
        Datum::Null => out.push_str(" null"),
        Datum::Bool(value) => {
            out.push(' ');
            out.push_str(if *value { "true" } else { "false" });
        }
        Datum::Int(number) => {
            write!(out, " {number}").expect("writing to a text cannot fail");
        }
        Datum::Float(number) => {
            write!(out, " {number:?}").expect("writing to a text cannot fail");
        }
        Datum::Text(text) | Datum::Date(text) => {
            out.push(' ');
            scalar(out, text, depth);
        }
        Datum::Bytes(bytes) => {
            out.push(' ');
            scalar(out, &String::from_utf8_lossy(bytes), depth);
        }
        Datum::Handle(id) => {
            out.push(' ');
            out.push_str(&super::datum::uuid_text(*id));
        }
    }
    out.push('\n');
}

fn scalar(out: &mut String, text: &str, depth: usize) {
    let is_block = text.contains(['\n', ':', '#'])
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.contains('\r');
    if is_block {
        out.push_str("|-");
        for line in text.split('\n') {
            out.push('\n');
            if !line.is_empty() {
                indent(out, depth + 1);
                out.push_str(line);
            }
        }
    } else if is_misread(text) {
        write!(out, "{text:?}").expect("writing to a text cannot fail");
    } else {
        out.push_str(text);
    }
}

/// Whether a text without quotes would be another value, or none.
fn is_misread(text: &str) -> bool {
    const INDICATORS: [char; 19] = [
        '-', '?', '[', ']', '{', '}', ',', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '~',
        '+',
    ];
    let small = text.to_ascii_lowercase();
    text.is_empty()
        || text.trim() != text
        || text.starts_with(INDICATORS)
        || text.contains(|letter: char| letter.is_control())
        || text.parse::<f64>().is_ok()
        || matches!(
            small.as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        )
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[(&str, Datum)]) -> RowBytes {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Datum::Map(fields.collect()).encode().into()
    }

    #[test]
    fn rows_are_a_list_of_maps_with_sorted_keys() {
        let text = |text: &str| Datum::Text(text.to_owned());
        let address = Datum::Map([("city".to_owned(), text("Oslo"))].into());
        let rows = [
            row(&[
                ("price", Datum::Float(10.0)),
                ("id", text("a")),
                ("tags", Datum::List(vec![text("x"), Datum::Int(2)])),
                ("none", Datum::List(Vec::new())),
                ("address", address),
            ]),
            row(&[("id", text("007")), ("url", text("http://x"))]),
        ];
        let expected = "- address:\n    city: Oslo\n  id: a\n  none: []\n  price: 10.0\n  tags:\n    - x\n    - 2\n- id: \"007\"\n  url: |-\n    http://x";
        assert_eq!(yaml(&rows), expected);
        assert_eq!(yaml(&[]), "[]");
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.store");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o646)).unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o646);
        assert!(!directory.path().join("a.store.tmp").exists());
    }
}
