//! Lines for programs that read logs: one JSON object a line, the same names everywhere.

use crate::failure::{Failure, place};
use crate::store::change::date_text;
use aro_wit::manifest::{FeatureSet, Manifest};
use parking_lot::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two lines about what happens over and over.
const REPEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How lines of the console are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// As people read them.
    #[default]
    Text,
    /// One JSON object a line, with the time, the tenant, and what else is known.
    Json,
}

/// Now, as in RFC 3339, in milliseconds.
#[must_use]
pub fn timestamp() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let milliseconds = since.map_or(0, |since| since.as_millis());
    date_text(u64::try_from(milliseconds).unwrap_or_default())
}

/// Something that anybody can cause as often as they like, and that is told at most once a second.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    told: Option<Instant>,
    /// How often it has happened since.
    since: u64,
}

impl Repeated {
    /// It has happened; answers how often since it was told last, if it is to be told now.
    pub(crate) fn note(&self) -> Option<u64> {
        self.note_at(Instant::now())
    }

    fn note_at(&self, now: Instant) -> Option<u64> {
        let mut times = self.0.lock();
        times.since += 1;
        if times.told.is_some_and(|told| now < told + REPEAT_INTERVAL) {
            return None;
        }
        times.told = Some(now);
        Some(std::mem::take(&mut times.since))
    }
}

/// A line under construction.
#[derive(Debug)]
pub(crate) struct Record(String);

impl Record {
    /// A line about a tenant. `level` is `info` or `error`, `source` says whose words the message is.
    pub(crate) fn new(level: &str, source: &str, tenant: &str) -> Self {
        Self(format!("{{\"time\":\"{}\"", timestamp()))
            .text("level", level)
            .text("source", source)
            .text("tenant", tenant)
    }

    /// Adds a text.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        let value = serde_json::Value::from(value);
        self.raw(name, &value.to_string())
    }

    /// Adds a text if there is one.
    pub(crate) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds a number; names are ours and need no escape.
    pub(crate) fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &value.to_string())
    }

    fn raw(mut self, name: &str, value: &str) -> Self {
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(value);
        self
    }

    /// Adds whose execution it is about.
    pub(crate) fn feature_set(self, entry: &FeatureSet) -> Self {
        self.text("feature_set", &entry.name)
            .text("activity", &entry.activity)
    }

    /// Adds what is known of a failure.
    pub(crate) fn failure(
        self,
        (manifest, entry): (&Manifest, &FeatureSet),
        failure: &Failure,
    ) -> Self {
        let statement = failure.statement_in(entry);
        let place = statement.and_then(|statement| place(manifest, statement));
        let record = self
            .feature_set(entry)
            .text("outcome", failure.ending.name())
            .optional("statement", statement.map(|one| one.text.as_str()))
            .optional("place", place.as_deref())
            .text("cause", &failure.cause);
        let Some(circumstances) = &failure.circumstances else {
            return record;
        };
        let took = circumstances.took.as_micros();
        record
            .optional("connection", circumstances.connection.as_deref())
            .number("event", circumstances.event)
            .number("duration_us", u64::try_from(took).unwrap_or(u64::MAX))
    }

    /// The line, without its end.
    pub(crate) fn end(mut self, message: &str) -> String {
        self = self.text("message", message);
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_over_and_over_is_told_once_a_second_and_counted() {
        let (repeated, begin) = (Repeated::default(), Instant::now());
        let at = |milliseconds| repeated.note_at(begin + Duration::from_millis(milliseconds));
        assert_eq!(at(0), Some(1));
        for milliseconds in 1..1000 {
            assert_eq!(at(milliseconds), None);
        }
        assert_eq!(at(1000), Some(1000));
        assert_eq!(at(5000), Some(1));
    }

    #[test]
    fn whatever_is_logged_a_line_is_one_object() {
        let hostile = "\"}\n{\"level\":\"info\u{1b}[2J\\";
        let line = Record::new("info", "program", "shop")
            .optional("connection", None)
            .number("event", 7)
            .end(hostile);
        assert_eq!(line.lines().count(), 1);
        assert!(line.bytes().all(|byte| byte >= b' '), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["message"], hostile);
        assert_eq!(read["tenant"], "shop");
        assert_eq!(read["event"], 7);
        assert!(line.starts_with("{\"time\":\"20"), "{line}");
    }
}
