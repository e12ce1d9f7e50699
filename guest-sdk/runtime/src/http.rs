//! Requests as values, and responses from what Return says (runtime.md 4.4 to 4.6).

pub mod parameters;

use alloc::string::String;
use alloc::vec::Vec;

use crate::json;
use crate::value::{Entry, Value};

/// Names and texts, as they stand in a header or a query.
pub type Pairs<'a> = &'a [(&'static str, &'static str)];

/// Parts of a form, keys of a query: more are left out, so that one request cannot keep a handler busy for long.
const PAIRS_MAX: usize = 10_000;

/// A map of pairs; of equal names the last wins.
pub fn map(pairs: Pairs<'_>) -> Value {
    let entries = pairs.iter().map(|(name, text)| (*name, Value::Text(text)));
    Value::map(entries.collect())
}

/// The pairs of a query, decoded; of equal names the last wins. A name without `=` counts only where `all` are wanted, with an empty text.
pub fn query(text: &'static str, all: bool) -> Value {
    let pairs = split_pairs(text).filter(|(_, value)| all || value.is_some());
    Value::map(
        pairs
            .map(|(name, value)| (decode(name), Value::Text(decode(value.unwrap_or("")))))
            .collect(),
    )
}

fn split_pairs(text: &'static str) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .take(PAIRS_MAX)
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        })
}

/// Percent-decoded, `+` as a blank (WHATWG URL, application/x-www-form-urlencoded). What is no escape stays.
fn decode(text: &'static str) -> &'static str {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high * 16 + low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (byte, _) => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned().leak()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The last header of a name.
fn header(headers: Pairs<'_>, name: &str) -> Option<&'static str> {
    let mut found = headers.iter().rev().filter(|(known, _)| *known == name);
    found.next().map(|(_, text)| *text)
}

/// The body by its media type (runtime.md 4.5): a form as a map, JSON as its value, else text, or bytes that are none.
pub fn body(headers: Pairs<'_>, body: &'static [u8]) -> Value {
    let full = header(headers, "content-type").unwrap_or("");
    let kind = full
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    if kind == "multipart/form-data"
        && let Some(boundary) = parameter(full, "boundary")
    {
        return multipart(body, boundary);
    }
    let Ok(text) = core::str::from_utf8(body) else {
        return Value::Bytes(body);
    };
    if kind == "application/x-www-form-urlencoded" {
        return form(text);
    }
    let is_json = kind == "application/json" || kind.ends_with("+json");
    match json::read(text) {
        Ok(value) if is_json || value.as_map().is_some() => value,
        _ => Value::Text(text),
    }
}

/// A parameter of a header, its quotes removed.
fn parameter(header: &'static str, name: &str) -> Option<&'static str> {
    header.split(';').skip(1).find_map(|part| {
        let (known, text) = part.split_once('=')?;
        known
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| text.trim().trim_matches('"'))
    })
}

/// Repeated names give a list, a name without `=` an empty text.
fn form(text: &'static str) -> Value {
    let pairs = split_pairs(text)
        .map(|(name, value)| (decode(name), Value::Text(decode(value.unwrap_or("")))));
    gathered(pairs.collect())
}

/// Entries of equal names become one with a list, in order.
fn gathered(mut entries: Vec<Entry>) -> Value {
    // Stable: the values of a name keep their order.
    entries.sort_by_key(|(name, _)| *name);
    let groups = entries.chunk_by(|(left, _), (right, _)| left == right);
    let map = groups.filter_map(|group| match group {
        [] => None,
        [(name, value)] => Some((*name, *value)),
        [(name, _), ..] => {
            let values = group.iter().map(|(_, value)| *value).collect();
            Some((*name, Value::list(values)))
        }
    });
    Value::map(map.collect())
}

/// RFC 7578: parts by name, texts as texts, others as bytes; names of files are left out.
fn multipart(body: &'static [u8], boundary: &str) -> Value {
    let mut delimiter = Vec::from(b"--".as_slice());
    delimiter.extend_from_slice(boundary.as_bytes());
    let mut entries = Vec::new();
    let mut rest = behind(body, &delimiter).unwrap_or_default();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = position(part, &delimiter).unwrap_or(part.len());
        let (content, after) = part.split_at(end);
        entries.extend(part_entry(content.strip_suffix(b"\r\n").unwrap_or(content)));
        rest = after.get(delimiter.len()..).unwrap_or_default();
        if entries.len() >= PAIRS_MAX {
            break;
        }
    }
    gathered(entries)
}

fn part_entry(part: &'static [u8]) -> Option<Entry> {
    let split = position(part, b"\r\n\r\n")?;
    let (head, content) = part.split_at(split);
    let content = content.get(4..)?;
    let head = core::str::from_utf8(head).ok()?;
    let field = |name: &str| {
        head.split("\r\n").find_map(|line| {
            let (known, text) = line.split_once(':')?;
            known.trim().eq_ignore_ascii_case(name).then(|| text.trim())
        })
    };
    let name = parameter(field("content-disposition")?, "name")?;
    let is_text = field("content-type").is_none_or(|kind| kind.starts_with("text/"));
    let value = match core::str::from_utf8(content) {
        Ok(text) if is_text => Value::Text(text),
        _ => Value::Bytes(content),
    };
    Some((name, value))
}

fn behind<'a>(bytes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    bytes.get(position(bytes, wanted)? + wanted.len()..)
}

/// The first place of `wanted`: its first byte is looked for, then compared.
fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        let start = from + at;
        if bytes.get(start..)?.starts_with(wanted) {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

/// Media type and bytes of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    /// None where there is no body.
    pub media_type: Option<&'static str>,
    /// What is sent.
    pub bytes: &'static [u8],
}

/// Status codes by name, in lower case without hyphens (runtime.md 4.6.1, and those that the seeds use).
const STATUS: &[(&str, u16)] = &[
    ("ok", 200),
    ("success", 200),
    ("created", 201),
    ("accepted", 202),
    ("nocontent", 204),
    ("resetcontent", 205),
    ("partialcontent", 206),
    ("badrequest", 400),
    ("invalid", 400),
    ("unauthorized", 401),
    ("paymentrequired", 402),
    ("forbidden", 403),
    ("notfound", 404),
    ("methodnotallowed", 405),
    ("notacceptable", 406),
    ("requesttimeout", 408),
    ("conflict", 409),
    ("gone", 410),
    ("lengthrequired", 411),
    ("preconditionfailed", 412),
    ("payloadtoolarge", 413),
    ("unsupportedmediatype", 415),
    ("notmodified", 304),
    ("imateapot", 418),
    ("unprocessable", 422),
    ("unprocessableentity", 422),
    ("locked", 423),
    ("tooearly", 425),
    ("upgraderequired", 426),
    ("preconditionrequired", 428),
    ("toomanyrequests", 429),
    ("error", 500),
    ("servererror", 500),
    ("internalerror", 500),
    ("internalservererror", 500),
    ("notimplemented", 501),
    ("badgateway", 502),
    ("serviceunavailable", 503),
    ("gatewaytimeout", 504),
];

/// Names that lead elsewhere; they are statuses only where a response says where.
const REDIRECTS: &[(&str, u16)] = &[
    ("movedpermanently", 301),
    ("found", 302),
    ("seeother", 303),
    ("temporaryredirect", 307),
    ("permanentredirect", 308),
];

/// The code of a status name, 200 for an unknown one; `headers` are those that the program gives.
pub fn status_code(name: &str, headers: Pairs<'_>) -> u16 {
    let plain = name.replace('-', "").to_ascii_lowercase();
    let find = |table: &[(&str, u16)]| {
        let row = table.iter().find(|(known, _)| *known == plain);
        row.map(|(_, code)| *code)
    };
    let redirect = find(REDIRECTS).filter(|_| named(headers, "location").is_some());
    redirect.or_else(|| find(STATUS)).unwrap_or(200)
}

/// A header that a program gives, in any letter case.
fn named(headers: Pairs<'_>, name: &str) -> Option<&'static str> {
    let mut found = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    found.next().map(|(_, text)| *text)
}

/// Media types by extension of the request's path (runtime.md 4.6.3).
const EXTENSIONS: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("xml", "application/xml; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("eot", "application/vnd.ms-fontobject"),
];

const JSON: &str = "application/json";

/// What Return says besides its data.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Name of the status.
    pub status: &'a str,
    /// Noun of the object.
    pub reason: &'a str,
    /// Of the request.
    pub path: &'a str,
    /// Headers that the program gives.
    pub headers: Pairs<'a>,
}

/// The body of a response with these fields, in any order.
pub fn respond(answer: Answer<'_>, fields: &[(String, Value)]) -> Body {
    let Answer {
        status,
        reason,
        path,
        headers,
    } = answer;
    if matches!(status_code(status, headers), 204 | 304) {
        return Body {
            media_type: None,
            bytes: &[],
        };
    }
    // A media type of the program's own is that of one text as it is.
    let own = named(headers, "content-type").filter(|kind| !kind.contains("json"));
    if let [(key, Value::Text(list))] = fields
        && key.is_empty()
    {
        return Body {
            media_type: Some(JSON),
            bytes: list.as_bytes(),
        };
    }
    let by_extension = path
        .rsplit_once('/')
        .and_then(|(_, name)| name.rsplit_once('.'))
        .and_then(|(_, extension)| {
            let row = EXTENSIONS.iter().find(|(known, _)| *known == extension);
            row.map(|(_, media_type)| *media_type)
        });
    if let [(key, value)] = fields {
        let sniffed = match value {
            Value::Text(text) => own
                .or(by_extension)
                .or_else(|| sniff(text, key == "value"))
                .map(|media_type| (media_type, text.as_bytes())),
            Value::Bytes(bytes) => {
                Some((by_extension.unwrap_or("application/octet-stream"), *bytes))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Date { .. }
            | Value::Socket(_) => None,
        };
        if let Some((media_type, bytes)) = sniffed {
            return Body {
                media_type: Some(media_type),
                bytes,
            };
        }
    }
    let mut entries: Vec<Entry> = fields
        .iter()
        .map(|(key, value)| (&*key.clone().leak(), embedded(*value)))
        .collect();
    if entries.is_empty() {
        entries.push(("status", Value::Text(String::from(status).leak())));
        if !reason.is_empty() {
            entries.push(("reason", Value::Text(String::from(reason).leak())));
        }
    }
    Body {
        media_type: Some(JSON),
        bytes: json::text(Value::map(entries)).as_bytes(),
    }
}

/// A text that holds a JSON container, as what it holds.
fn embedded(value: Value) -> Value {
    if let Value::Text(text) = value
        && text.starts_with(['{', '['])
    {
        return json::read(text).unwrap_or(value);
    }
    value
}

/// The media type that a text shows by its beginning; style sheets and scripts only where a bare text is returned.
fn sniff(text: &str, bare: bool) -> Option<&'static str> {
    let start = text.trim_start();
    let begins = |words: &[&str]| words.iter().any(|word| start.starts_with(word));
    if begins(&["<!DOCTYPE", "<!doctype", "<html", "<HTML"]) {
        return Some("text/html; charset=utf-8");
    }
    if begins(&["# HELP ", "# TYPE "]) {
        return Some("text/plain; version=0.0.4; charset=utf-8");
    }
    if !bare {
        return None;
    }
    let code = match start.strip_prefix("/*") {
        Some(comment) => comment
            .split_once("*/")
            .map_or("", |(_, code)| code)
            .trim_start(),
        None => start,
    };
    if is_style(code) {
        return Some("text/css; charset=utf-8");
    }
    let words = ["var ", "let ", "const ", "function ", "//"];
    let others = [
        "'use strict'",
        "\"use strict\"",
        "(function",
        "import ",
        "export ",
    ];
    let is_script = words.iter().any(|word| code.starts_with(word)) || begins(&others);
    is_script.then_some("text/javascript; charset=utf-8")
}

/// Whether a text reads like rules of a style sheet: a selector, then a brace. Words of scripts are none.
fn is_style(code: &str) -> bool {
    let Some((selector, _)) = code.split_once('{') else {
        return false;
    };
    let plain = selector.trim_start_matches(['.', '#']);
    let is_word = plain.starts_with(|char: char| char.is_ascii_alphabetic());
    let is_script = ["function", "var ", "let ", "const ", "import ", "export "]
        .iter()
        .any(|word| selector.starts_with(word));
    !is_script && (is_word || selector.starts_with([':', '@', '*']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Value) -> &'static str {
        json::text(value)
    }

    #[test]
    fn queries_and_forms_are_decoded() {
        assert_eq!(
            shown(query("a=1&b=x+y%21&a=2&flag", false)),
            r#"{"a":"2","b":"x y!"}"#
        );
        assert_eq!(
            shown(query("flag&=e&%zz=%", true)),
            r#"{"":"e","%zz":"%","flag":""}"#
        );
        let headers = [(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )];
        assert_eq!(
            shown(body(&headers, b"t=1&t=2&u&v=%C3%A9")),
            r#"{"t":["1","2"],"u":"","v":"é"}"#
        );
    }

    #[test]
    fn bodies_are_read_by_their_type() {
        let json = [("content-type", "application/json")];
        assert_eq!(shown(body(&json, b"[1,null]")), "[1,null]");
        assert_eq!(body(&[], b"[1]"), Value::Text("[1]"));
        assert_eq!(shown(body(&[], b"{\"a\":true}")), r#"{"a":true}"#);
        assert_eq!(body(&json, b""), Value::Text(""));
        assert_eq!(body(&[], &[0xFF]), Value::Bytes(&[0xFF]));
    }

    #[test]
    fn parts_of_forms_are_entries() {
        let headers = [("content-type", "multipart/form-data; boundary=\"x y\"")];
        let sent = b"preamble\r\n--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--x y\r\nContent-Disposition: form-data; name=\"f\"; filename=\"p\"\r\nContent-Type: image/png\r\n\r\n\x01\x02\r\n--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ntwo\r\n--x y--\r\n";
        let value = body(&headers, sent);
        assert_eq!(value.entry("a").map(shown).unwrap(), r#"["one","two"]"#);
        assert_eq!(value.entry("f"), Some(Value::Bytes(&[1, 2])));
        for cut in 0..sent.len() {
            body(&headers, &sent[..cut]);
        }
    }

    fn answer(path: &str, fields: &[(&str, Value)]) -> (Option<&'static str>, String) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| (String::from(*key), *value))
            .collect();
        let answer = Answer {
            status: "OK",
            reason: "done",
            path,
            headers: &[],
        };
        let body = respond(answer, &fields);
        (
            body.media_type,
            String::from_utf8_lossy(body.bytes).into_owned(),
        )
    }

    #[test]
    fn responses_have_the_type_of_what_they_hold() {
        let html = Value::Text(" <!DOCTYPE html><p>");
        assert_eq!(
            answer("/", &[("html", html)]).0,
            Some("text/html; charset=utf-8")
        );
        let rows = [
            (
                "/",
                "# HELP x\n",
                "text/plain; version=0.0.4; charset=utf-8",
            ),
            ("/", "/* c */ .a { b: c }", "text/css; charset=utf-8"),
            ("/", "const a = 1;", "text/javascript; charset=utf-8"),
            ("/", "function a() { }", "text/javascript; charset=utf-8"),
            ("/x.svg", "<svg/>", "image/svg+xml"),
            ("/x.txt", "hi", "text/plain; charset=utf-8"),
        ];
        for (path, text, expected) in rows {
            let (media_type, sent) = answer(path, &[("value", Value::Text(text))]);
            assert_eq!((media_type, sent.as_str()), (Some(expected), text));
        }
        assert_eq!(
            answer("/", &[("message", Value::Text("hi {x}"))]).1,
            r#"{"message":"hi {x}"}"#
        );
        assert_eq!(
            answer(
                "/",
                &[("b", Value::Text("[1,{\"k\":2}]")), ("a", Value::Int(1))]
            )
            .1,
            r#"{"a":1,"b":[1,{"k":2}]}"#
        );
        assert_eq!(answer("/", &[]).1, r#"{"reason":"done","status":"OK"}"#);
        let answer = Answer {
            status: "NoContent",
            reason: "",
            path: "/",
            headers: &[],
        };
        let empty = respond(answer, &[(String::from("a"), Value::Int(1))]);
        assert_eq!((empty.media_type, empty.bytes.len()), (None, 0));
    }

    #[test]
    fn status_names_have_codes() {
        for (name, code) in [
            ("OK", 200),
            ("Not-Found", 404),
            ("serviceUnavailable", 503),
            ("Odd", 200),
        ] {
            assert_eq!(status_code(name, &[]), code, "{name}");
        }
    }
}
