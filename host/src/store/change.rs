//! What the handlers of a repository's changes are told (runtime.md 3.4, 3.6.2).

use super::datum::{Datum, at_path, encode_map};
use super::repository::Repository;
use super::table::{Millis, RowBytes};
use std::sync::Arc;

/// A change of one row, or of all.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Created {
        new: RowBytes,
    },
    Updated {
        old: RowBytes,
        new: RowBytes,
    },
    Deleted {
        old: RowBytes,
    },
    /// All rows were removed at once.
    Cleared,
}

/// The payload of the event of a change.
pub(crate) fn changed(repository: &Repository, change: &Change, now: Millis) -> Arc<[u8]> {
    let (kind, old, new) = match change {
        Change::Created { new } => ("created", None, Some(new)),
        Change::Updated { old, new } => ("updated", Some(old), Some(new)),
        Change::Deleted { old } => ("deleted", Some(old), None),
        Change::Cleared => ("deleted", None, None),
    };
    // Only a text is an identity for handlers (runtime.md 3.6.2).
    let id = new
        .or(old)
        .and_then(|row| at_path(row, &["id"]))
        .filter(|id| matches!(id, Datum::Text(_)))
        .map(|id| id.encode());
    let (kind, name) = (text(kind), text(&repository.name));
    let time = Datum::Date(date_text(now)).encode();
    let entries = [
        ("changeType", Some(kind.as_slice())),
        ("entityId", id.as_deref()),
        ("newValue", new.map(AsRef::as_ref)),
        ("oldValue", old.map(AsRef::as_ref)),
        ("repositoryName", Some(&name)),
        ("timestamp", Some(&time)),
    ];
    let entries: Vec<(&str, &[u8])> = entries
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    encode_map(&entries).into()
}

/// The payload of the event of an eviction.
pub(crate) fn evicted(repository: &Repository, row: &RowBytes, now: Millis) -> Arc<[u8]> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 are far below 2^53"
    )]
    let seconds = Datum::Float(now as f64 / 1000.0).encode();
    let entries: [(&str, &[u8]); 4] = [
        ("evictedItem", row),
        ("reason", &text("maxSize")),
        ("repositoryName", &text(&repository.name)),
        ("timestamp", &seconds),
    ];
    encode_map(&entries).into()
}

fn text(text: &str) -> Vec<u8> {
    Datum::Text(text.to_owned()).encode()
}

/// RFC 3339 in UTC, with milliseconds where they are not zero (`wit/state/README.md`).
pub(crate) fn date_text(time: Millis) -> String {
    let (seconds, milliseconds) = (time / 1000, time % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match milliseconds {
        0 => String::new(),
        milliseconds => format!(".{milliseconds:03}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of a day since 1970, by eras of 400 years that begin in March, so that the leap day is the last day of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_contract_says() {
        assert_eq!(date_text(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_text(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(date_text(1_772_357_400_250), "2026-03-01T09:30:00.250Z");
        assert_eq!(date_text(4_107_542_400_000), "2100-03-01T00:00:00Z");
    }
}
