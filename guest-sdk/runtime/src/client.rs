//! Requests to servers elsewhere, and their answers as values (runtime.md 8.1; actions.md 16).
//!
//! An answer is the map of `body`, `headers`, `latency` and `status`, told by its keys, as ranges of time are: what it has no property for is looked up in its body, and its text is that of its body.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::access;
use crate::canonical::{self, Span};
use crate::http::Pairs;
use crate::json;
use crate::text;
use crate::value::{Entry, Value};

/// Methods that a program can ask with; others are GET.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
/// Keys by which a map is told to be a configuration and no body.
const SETTINGS: [&str; 4] = ["method", "headers", "body", "timeout"];
/// Name under which programs ask.
const AGENT: &str = "ARO-HTTP-Client/1.0";
/// Keys of an answer.
const ANSWER: [&str; 4] = ["body", "headers", "latency", "status"];
/// How long Probe waits, in milliseconds.
const PROBE_TIMEOUT: u32 = 2000;
const JSON: &str = "application/json";

/// What the statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Request: `with` is a configuration or the body.
    Request,
    /// Read and Write: `with` holds options, the body is given apart.
    Options,
    /// Probe: as these, and the answer is waited for two seconds.
    Probe,
    /// Call: `with` holds the arguments, the method is fixed.
    Call,
    /// Stream and Connect: as Read, and the URL may be that of a WebSocket.
    Open,
}

/// What is asked. The layout is read by generated code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Ask {
    /// In capital letters.
    pub method: &'static str,
    /// Begins with `http://` or `https://`.
    pub url: &'static str,
    /// `list<pair>`
    pub headers: Span,
    /// Empty for none.
    pub body: &'static [u8],
    /// Milliseconds; 0 for the usual.
    pub timeout: u32,
    /// Milliseconds until a stream that has broken off is asked for again; 0 for the usual.
    pub retry: u32,
}

/// A request before its headers are laid out.
struct Draft {
    method: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static [u8],
    media_type: &'static str,
    timeout: u32,
    retry: u32,
}

impl Ask {
    /// The request of a statement: `with` is its clause, `data` what it gives away, `method` the one that its preposition means.
    ///
    /// # Errors
    /// [`Error::Message`] for a URL that is none, and a time that is none.
    pub fn new(
        url: Value,
        with: Option<Value>,
        data: Option<Value>,
        method: &'static str,
        form: Form,
    ) -> Result<Ask, Error> {
        let url = self::url(url, form)?;
        let mut draft = Draft {
            method,
            headers: Vec::new(),
            body: &[],
            media_type: JSON,
            timeout: 0,
            retry: 0,
        };
        if form == Form::Probe {
            draft.timeout = PROBE_TIMEOUT;
        }
        if let Some(data) = data {
            draft.give(data);
        }
        match with {
            Some(Value::Map(entries)) if form != Form::Request || is_configuration(entries) => {
                for (name, value) in entries {
                    draft.set(name, *value, form)?;
                }
            }
            Some(body) if form == Form::Request => draft.set("body", body, form)?,
            Some(_) | None => {}
        }
        if matches!(draft.method, "GET" | "DELETE") {
            draft.body = &[];
        }
        Ok(draft.finish(url))
    }
}

fn url(value: Value, form: Form) -> Result<&'static str, Error> {
    let url = text::of(value);
    let begins = |scheme: &str| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if begins("http://") || begins("https://") {
        return Ok(url);
    }
    if form == Form::Open && (begins("ws://") || begins("wss://")) {
        return Ok(url);
    }
    let schemes = match form {
        Form::Open => "http://, https://, ws:// or wss://",
        Form::Request | Form::Options | Form::Probe | Form::Call => "http:// or https://",
    };
    Err(said(format!(
        "Invalid URL '{url}': must start with {schemes}"
    )))
}

fn said(message: String) -> Error {
    Error::Message(message.leak())
}

/// One without any of its keys is a body (actions.md Q-44).
fn is_configuration(entries: &[Entry]) -> bool {
    entries.is_empty() || entries.iter().any(|(key, _)| SETTINGS.contains(key))
}

impl Draft {
    fn set(&mut self, name: &str, value: Value, form: Form) -> Result<(), Error> {
        match (name, form) {
            ("method", Form::Request) => {
                let wanted = text::of(value);
                let known = METHODS
                    .iter()
                    .find(|method| method.eq_ignore_ascii_case(wanted));
                self.method = known.copied().unwrap_or("GET");
            }
            ("headers", _) => {
                let entries = value.as_map().unwrap_or(&[]).iter();
                self.headers
                    .extend(entries.map(|(name, value)| (*name, text::of(*value))));
            }
            ("body", Form::Request | Form::Call) => {
                self.body = match value {
                    Value::Text(text) => text.as_bytes(),
                    Value::Bytes(bytes) => bytes,
                    Value::List(_) | Value::Map(_) => json::text(value).as_bytes(),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Int(_)
                    | Value::Float(_)
                    | Value::Date { .. }
                    | Value::Socket(_) => &[],
                };
            }
            ("timeout", _) => self.timeout = milliseconds("timeout of a request", value)?,
            ("retry", Form::Open) => self.retry = milliseconds("retry of a stream", value)?,
            ("protocols", Form::Open) => {
                let one = [value];
                let names = value.as_list().unwrap_or(&one);
                let names: Vec<&str> = names.iter().map(|name| text::of(*name)).collect();
                let names = names.join(", ").leak();
                self.headers.push(("sec-websocket-protocol", names));
            }
            ("content-type" | "contentType", Form::Options) => self.media_type = text::of(value),
            _ => {}
        }
        Ok(())
    }

    /// What Write sends (actions.md 16.3).
    fn give(&mut self, data: Value) {
        (self.body, self.media_type) = match data {
            Value::Bytes(bytes) => (bytes, "application/octet-stream"),
            Value::List(_) | Value::Map(_) => (json::text(data).as_bytes(), JSON),
            Value::Text(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Date { .. }
            | Value::Socket(_) => (text::of(data).as_bytes(), "text/plain"),
        };
    }

    fn finish(mut self, url: &'static str) -> Ask {
        let defaults = [("user-agent", AGENT), ("content-type", self.media_type)];
        for (name, text) in defaults {
            let is_set = self
                .headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name));
            if !is_set && (name != "content-type" || !self.body.is_empty()) {
                self.headers.push((name, text));
            }
        }
        Ask {
            method: self.method,
            url,
            headers: canonical::pairs(&self.headers),
            body: self.body,
            timeout: self.timeout,
            retry: self.retry,
        }
    }
}

/// Of seconds.
fn milliseconds(what: &str, value: Value) -> Result<u32, Error> {
    let millis = value.to_float().map(|seconds| seconds * 1000.0);
    match millis {
        Some(millis) if (1.0..=f64::from(u32::MAX)).contains(&millis) => Ok(millis as u32),
        _ => Err(said(format!(
            "the {what} is a number of seconds, not {}",
            text::of(value)
        ))),
    }
}

/// How a server has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// 200 to 599.
    pub status: u32,
    /// Microseconds until it was there.
    pub micros: u32,
}

impl Status {
    fn entries(self) -> [Entry; 2] {
        [
            ("status", Value::Int(i64::from(self.status))),
            ("latency", Value::Float(f64::from(self.micros) / 1000.0)),
        ]
    }
}

/// The answer of a server. A body that is a JSON object or list is that, whatever its media type, unless it is wanted `raw`.
pub fn answer(status: Status, headers: Pairs<'_>, body: &'static [u8], raw: bool) -> Value {
    let mut names: Vec<Entry> = Vec::with_capacity(headers.len());
    for (name, text) in headers {
        match names.iter_mut().find(|(known, _)| known == name) {
            // RFC 9110 5.3: values of one name may be joined.
            Some((_, value)) => {
                *value = Value::text(format!("{}, {text}", text::of(*value)));
            }
            None => names.push((name, Value::Text(text))),
        }
    }
    let body = match Value::data(body) {
        body if raw => body,
        body => access::unpack(body),
    };
    let mut entries = alloc::vec![("body", body), ("headers", Value::map(names))];
    entries.extend(status.entries());
    Value::map(entries)
}

/// The body of an answer; `None` for other maps.
pub fn answer_body(entries: &[Entry]) -> Option<Value> {
    match entries {
        [
            (first, body),
            (second, Value::Map(_)),
            (third, Value::Float(_)),
            (fourth, Value::Int(_)),
        ] if [*first, *second, *third, *fourth] == ANSWER => Some(*body),
        _ => None,
    }
}

/// Appends the text of an answer: that of its body; answers whether the map is one.
pub(crate) fn write_text(out: &mut String, entries: &[Entry], depth: usize) -> bool {
    let Some(body) = answer_body(entries) else {
        return false;
    };
    match depth {
        0 => text::write(out, body),
        depth => text::write_nested(out, body, depth),
    }
    true
}

/// What an answer has no property for, from its body; `None` for other maps.
pub fn property(entries: &[Entry], name: &str) -> Option<Value> {
    answer_body(entries)?.entry(name)
}

/// The value of a header in any letter case; `None` where this is no map, or there is an entry of exactly this name.
pub fn header(headers: Value, name: &str) -> Option<Value> {
    if headers.entry(name).is_some() {
        return None;
    }
    let mut entries = headers.as_map()?.iter();
    entries
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// The format of the body of an answer by its media type (actions.md 16.3).
pub fn format(answer: Value) -> &'static str {
    let headers = answer.entry("headers");
    let kind = headers.and_then(|headers| headers.entry("content-type"));
    let kind = kind.map_or("", text::of);
    let kind = kind.split(';').next().unwrap_or("").trim();
    let is = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
    if is(&[JSON]) || kind.ends_with("+json") {
        "json"
    } else if is(&["application/x-ndjson", "application/jsonl"]) {
        "jsonl"
    } else if is(&["application/xml", "text/xml"]) {
        "xml"
    } else if is(&["text/csv", "application/csv"]) {
        "csv"
    } else if is(&["text/tab-separated-values"]) {
        "tsv"
    } else if is(&["text/yaml", "application/x-yaml", "application/yaml"]) {
        "yaml"
    } else if is(&["application/toml", "text/toml"]) {
        "toml"
    } else if is(&["text/html", "text/markdown"]) {
        "binary"
    } else {
        "txt"
    }
}

/// What Probe finds out (actions.md 16.2): of an answer its status and how long it took, else why there is none.
pub fn probe(target: &'static str, found: Result<Status, &'static str>) -> Value {
    let mut entries = alloc::vec![
        ("target", Value::Text(target)),
        ("reachable", Value::Bool(found.is_ok())),
    ];
    match found {
        Ok(status) => entries.extend(status.entries()),
        Err(reason) => entries.push(("reason", Value::Text(reason))),
    }
    Value::map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    const URL: Value = Value::Text("https://example.org/");

    fn draft(with: Option<Value>, method: &'static str, form: Form) -> (&'static str, String) {
        let ask = Ask::new(URL, with, None, method, form).unwrap();
        (ask.method, String::from_utf8_lossy(ask.body).into_owned())
    }

    #[test]
    fn configurations_are_told_from_bodies() {
        let config = Value::map(vec![
            ("method", Value::Text("put")),
            ("body", Value::list(vec![Value::Int(1)])),
        ]);
        assert_eq!(
            draft(Some(config), "GET", Form::Request),
            ("PUT", "[1]".to_string())
        );
        let plain = Value::map(vec![("name", Value::Text("Ida"))]);
        assert_eq!(
            draft(Some(plain), "POST", Form::Request),
            ("POST", r#"{"name":"Ida"}"#.to_string())
        );
        assert_eq!(
            draft(Some(Value::Text("x")), "GET", Form::Request),
            ("GET", String::new())
        );
        let odd = Value::map(vec![("method", Value::Text("BREW"))]);
        assert_eq!(draft(Some(odd), "POST", Form::Request).0, "GET");
        assert_eq!(
            draft(Some(Value::Int(5)), "POST", Form::Request).1,
            String::new()
        );
    }

    #[test]
    fn mistakes_are_sentences() {
        let said = |url, with| {
            Ask::new(url, with, None, "GET", Form::Request)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            said(Value::Text("example.org"), None),
            "Invalid URL 'example.org': must start with http:// or https://"
        );
        let soon = Value::map(vec![("timeout", Value::Text("soon"))]);
        assert_eq!(
            said(URL, Some(soon)),
            "the timeout of a request is a number of seconds, not soon"
        );
    }

    #[test]
    fn answers_are_looked_into() {
        let headers = [("a", "1"), ("content-type", "text/csv; x"), ("a", "2")];
        let ok = Status {
            status: 200,
            micros: 1500,
        };
        let found = answer(ok, &headers, b" {\"users\":[1]}", false);
        let entries = found.as_map().unwrap();
        assert_eq!(
            property(entries, "users"),
            Some(Value::list(vec![Value::Int(1)]))
        );
        assert_eq!(property(entries, "none"), None);
        let names = found.entry("headers").unwrap();
        assert_eq!(names.entry("a"), Some(Value::Text("1, 2")));
        assert_eq!(
            header(names, "Content-Type"),
            Some(Value::Text("text/csv; x"))
        );
        assert_eq!(header(names, "a"), None);
        assert_eq!(format(found), "csv");
        let scalar = answer(ok, &[], b"5", false);
        assert_eq!(scalar.entry("body"), Some(Value::Text("5")));
        assert_eq!(format(scalar), "txt");
        assert_eq!(
            (text::of(scalar), text::of(found)),
            ("5", "[\"users\": [1]]")
        );
        assert_eq!(
            answer_body(answer(ok, &[], b"[1]", true).as_map().unwrap()),
            Some(Value::Text("[1]"))
        );
    }
}
