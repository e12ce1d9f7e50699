//! Facts about files and directories as programs see them (actions.md 17.4).

use crate::store::datum::Datum;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_SECONDS: i64 = 86_400;

/// Name, path, size, kind and times.
pub(super) fn facts(name: &str, path: &str, metadata: &Metadata) -> BTreeMap<String, Datum> {
    let size = i64::try_from(metadata.len()).unwrap_or(i64::MAX);
    BTreeMap::from([
        ("name".to_owned(), Datum::Text(name.to_owned())),
        ("path".to_owned(), Datum::Text(path.to_owned())),
        ("size".to_owned(), Datum::Int(size)),
        ("isFile".to_owned(), Datum::Bool(metadata.is_file())),
        ("isDirectory".to_owned(), Datum::Bool(metadata.is_dir())),
        // Not every file system knows when a file was made.
        (
            "created".to_owned(),
            time(metadata.created().or(metadata.modified())),
        ),
        ("modified".to_owned(), time(metadata.modified())),
    ])
}

/// What only `Stat` tells.
pub(super) fn more_facts(metadata: &Metadata) -> BTreeMap<String, Datum> {
    let mut facts = BTreeMap::from([("accessed".to_owned(), time(metadata.accessed()))]);
    facts.extend(rights(metadata).map(|(key, text)| (key.to_owned(), Datum::Text(text))));
    facts
}

/// Permissions as letters, owner and group by number: names of the machine's users are none of a program's business.
#[cfg(unix)]
fn rights(metadata: &Metadata) -> [(&'static str, String); 3] {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode();
    let letters = (0..9)
        .map(|bit| match mode >> (8 - bit) & 1 {
            1 => ["r", "w", "x"].get(bit % 3).copied().unwrap_or_default(),
            _ => "-",
        })
        .collect();
    [
        ("permissions", letters),
        ("owner", metadata.uid().to_string()),
        ("group", metadata.gid().to_string()),
    ]
}

#[cfg(not(unix))]
fn rights(metadata: &Metadata) -> [(&'static str, String); 3] {
    let letters = match metadata.permissions().readonly() {
        true => "r--r--r--",
        false => "rw-rw-rw-",
    };
    [
        ("permissions", letters.to_owned()),
        ("owner", String::new()),
        ("group", String::new()),
    ]
}

fn time(time: io::Result<SystemTime>) -> Datum {
    let seconds = match time.map(|time| time.duration_since(UNIX_EPOCH)) {
        Ok(Ok(since)) => i64::try_from(since.as_secs()).unwrap_or_default(),
        // A time before 1970, or none at all.
        Ok(Err(_)) | Err(_) => 0,
    };
    Datum::Text(iso(seconds))
}

/// `2026-03-01T09:30:00Z`
fn iso(seconds: i64) -> String {
    let (days, rest) = (
        seconds.div_euclid(DAY_SECONDS),
        seconds.rem_euclid(DAY_SECONDS),
    );
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year + era * 400, month + 3),
        _ => (year + era * 400 + 1, month - 9),
    };
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn times_are_iso_texts() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_772_357_400, "2026-03-01T09:30:00Z"),
        ] {
            assert_eq!(iso(seconds), text);
        }
    }
}
