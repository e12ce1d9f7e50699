//! Values of fixed shape: rows, descriptions of sockets, targets of Send, payloads.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::json;
use crate::text;
use crate::uuid;
use crate::value::{Entry, NESTING_MAX, Value};

/// The row that `Store the <name> … with id` keeps: a map with that id, or `{id, name: value}` (runtime.md 7.2).
pub fn row(value: Value, id: Value, name: &'static str) -> Value {
    let id = ("id", Value::Text(text::of(id)));
    match value.as_map() {
        Some(entries) => Value::map(entries.iter().copied().chain([id]).collect()),
        None => Value::map(vec![id, (name, value)]),
    }
}

/// What Retrieve binds: the row itself where a filter left exactly one (runtime.md 7.3).
pub fn pick(rows: Value, filtered: bool) -> Value {
    match rows.as_list() {
        Some([row]) if filtered => *row,
        Some(_) | None => rows,
    }
}

/// Kind of a socket that is gone: its handle still has an identity, and is not open (runtime.md 6.2).
pub const CLOSED: u32 = 5;

/// What the host says about a socket.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// `aro:net/directory.kind`: 0 listener, 1 inbound, 2 outbound, 3 WebSocket, 4 stream of events; [`CLOSED`] if the host does not know it any more.
    pub kind: u32,
    /// `ip:port`.
    pub remote: &'static str,
    /// Name of the listener or of the socket itself.
    pub name: &'static str,
    /// Listening port, or the remote one of an outbound connection.
    pub port: u32,
    /// Whether it is open.
    pub open: bool,
}

/// The facts about a socket as a map.
pub fn description(socket: Value, facts: Description) -> Value {
    let id = Value::Text(text::of(socket));
    let remote = Value::Text(facts.remote);
    let kind = match facts.kind {
        0 => "server",
        1 => "inbound",
        2 => "outbound",
        3 => "websocket",
        4 => "event-stream",
        _ => "closed",
    };
    // The side that the name belongs to; an outbound connection may have none.
    let side = match facts.kind {
        2 => "client",
        3 | 4 => "path",
        _ => "server",
    };
    let entries: [Entry; 10] = [
        ("address", remote),
        ("connection", socket),
        ("connectionId", id),
        ("id", id),
        ("kind", Value::Text(kind)),
        ("name", Value::Text(facts.name)),
        ("open", Value::Bool(facts.open)),
        ("port", Value::Int(i64::from(facts.port))),
        ("remote", remote),
        ("remoteAddress", remote),
    ];
    let mut entries = Vec::from(entries);
    if !facts.name.is_empty() {
        entries.push((side, Value::Text(facts.name)));
    }
    Value::map(entries)
}

/// The socket that a Send or Close means: a handle, its id as text, or a map that has one; `None` is nobody (runtime.md 6.6.3).
pub fn target(value: Value) -> Option<Value> {
    let mut value = value;
    for _ in 0..NESTING_MAX {
        match value {
            Value::Socket(_) => return Some(value),
            Value::Text(text) => {
                return uuid::parse(text).map(|id| Value::Socket(Box::leak(Box::new(id))));
            }
            Value::Map(_) => {
                value = ["connection", "connectionId", "id"]
                    .iter()
                    .find_map(|key| value.entry(key))?
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Date { .. } => return None,
        }
    }
    None
}

/// The bytes that Send puts on the wire (runtime.md 6.6.2).
pub fn payload(value: Value) -> &'static [u8] {
    match value {
        Value::Bytes(bytes) => bytes,
        Value::List(_) | Value::Map(_) => json::text(value).as_bytes(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Date { .. }
        | Value::Socket(_) => text::of(value).as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000000";

    #[test]
    fn rows_carry_their_id_as_text() {
        assert_eq!(
            row(Value::Int(5), Value::Int(7), "score"),
            Value::map(vec![("id", Value::Text("7")), ("score", Value::Int(5))])
        );
        let map = Value::map(vec![("id", Value::Int(1)), ("n", Value::Int(2))]);
        assert_eq!(
            row(map, Value::Socket(&[0; 16]), "x"),
            Value::map(vec![("id", Value::Text(ID)), ("n", Value::Int(2))])
        );
    }

    #[test]
    fn one_filtered_row_is_picked() {
        let one = Value::list(vec![Value::Int(1)]);
        assert_eq!(pick(one, true), Value::Int(1));
        assert_eq!(pick(one, false), one);
        assert_eq!(pick(Value::list(vec![]), true), Value::list(vec![]));
    }

    #[test]
    fn targets_are_found_in_maps() {
        let socket = Value::Socket(&[0; 16]);
        let facts = Description {
            kind: 1,
            remote: "127.0.0.1:5",
            name: "chat",
            port: 9000,
            open: true,
        };
        let map = description(socket, facts);
        assert_eq!(map.entry("remoteAddress"), Some(Value::Text("127.0.0.1:5")));
        assert_eq!(map.entry("kind"), Some(Value::Text("inbound")));
        assert_eq!(map.entry("server"), Some(Value::Text("chat")));
        assert_eq!(map.entry("client"), None);
        let outbound = Description { kind: 2, ..facts };
        let client = description(socket, outbound).entry("client");
        assert_eq!(client, Some(Value::Text("chat")));
        for value in [
            socket,
            Value::Text(ID),
            map,
            Value::map(vec![("id", Value::Text(ID))]),
            Value::map(vec![("connection", map)]),
        ] {
            assert_eq!(target(value), Some(socket));
        }
        for value in [
            Value::Null,
            Value::Text("someone@example.org"),
            Value::map(vec![]),
        ] {
            assert_eq!(target(value), None);
        }
    }

    #[test]
    fn payloads_follow_the_kind() {
        for (value, bytes) in [
            (Value::Text("é"), &b"\xC3\xA9"[..]),
            (Value::Bytes(&[0xFF]), &[0xFF]),
            (
                Value::list(vec![Value::Int(1), Value::Text("a")]),
                b"[1,\"a\"]",
            ),
            (Value::Float(8.0), b"8.0"),
            (Value::Null, b""),
            (Value::Socket(&[0; 16]), ID.as_bytes()),
        ] {
            assert_eq!(payload(value), bytes);
        }
    }
}
