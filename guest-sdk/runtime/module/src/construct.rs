//! Exports that make values.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;

use aro_runtime::date::{self, Date, Precision};
use aro_runtime::shape::{self, Description};
use aro_runtime::value::{Entry, Value};
use aro_runtime::{number, text, uuid};

use crate::memory::{self, Builder};
use crate::state::{STATE, keep};

static NULL: Value = Value::Null;
static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

/// Null.
#[unsafe(no_mangle)]
pub extern "C" fn null() -> &'static Value {
    &NULL
}

/// A Bool: every number but 0 is true.
#[unsafe(no_mangle)]
pub extern "C" fn bool(truth: u32) -> &'static Value {
    if truth == 0 { &FALSE } else { &TRUE }
}

/// An Int.
#[unsafe(no_mangle)]
pub extern "C" fn int(number: i64) -> &'static Value {
    keep(Value::Int(number))
}

/// A Float.
#[unsafe(no_mangle)]
pub extern "C" fn float(number: f64) -> &'static Value {
    keep(Value::Float(number))
}

/// A text: UTF-8, borrowed.
#[unsafe(no_mangle)]
pub extern "C" fn text(address: usize, length: usize) -> &'static Value {
    keep(Value::Text(memory::text(address, length)))
}

/// Bytes, borrowed.
#[unsafe(no_mangle)]
pub extern "C" fn bytes(address: usize, length: usize) -> &'static Value {
    keep(Value::Bytes(memory::bytes(address, length)))
}

/// A text if the bytes are UTF-8, else bytes; borrowed.
#[unsafe(no_mangle)]
pub extern "C" fn data(address: usize, length: usize) -> &'static Value {
    keep(Value::data(memory::bytes(address, length)))
}

/// A text; where the bytes are no UTF-8, replacement characters stand.
#[unsafe(no_mangle)]
pub extern "C" fn lossy(address: usize, length: usize) -> &'static Value {
    let text = String::from_utf8_lossy(memory::bytes(address, length));
    keep(Value::Text(match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => text.leak(),
    }))
}

/// The handle of a connection or listener, from the halves of its identity.
#[unsafe(no_mangle)]
pub extern "C" fn socket(high: u64, low: u64) -> &'static Value {
    keep(Value::Socket(Box::leak(Box::new(uuid::from_halves(
        high, low,
    )))))
}

fn instant(seconds: i64, nanos: u32) -> Date {
    Date {
        millis: seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(nanos / 1_000_000)),
        offset_minutes: 0,
    }
}

/// A Date in UTC, from what `wasi:clocks/wall-clock` answers.
#[unsafe(no_mangle)]
pub extern "C" fn date(seconds: i64, nanos: u32) -> &'static Value {
    keep(instant(seconds, nanos).into())
}

/// The text of an instant: `2026-03-01T09:30:00Z`.
#[unsafe(no_mangle)]
pub extern "C" fn iso(seconds: i64) -> &'static Value {
    let mut out = String::new();
    date::write(&mut out, instant(seconds, 0), Precision::Seconds);
    keep(Value::text(out))
}

/// The text of a version 4 UUID made of random bits.
#[unsafe(no_mangle)]
pub extern "C" fn uuid(high: u64, low: u64) -> &'static Value {
    let mut out = String::new();
    uuid::write(&mut out, &uuid::version_4(high, low));
    keep(Value::text(out))
}

/// A regex literal: the map `{flags, pattern}`.
#[unsafe(no_mangle)]
pub extern "C" fn regex(
    pattern: usize,
    pattern_length: usize,
    flags: usize,
    flags_length: usize,
) -> &'static Value {
    keep(Value::regex(
        memory::text(pattern, pattern_length),
        memory::text(flags, flags_length),
    ))
}

/// An empty list to `push` to.
#[unsafe(no_mangle)]
pub extern "C" fn list(capacity: usize) -> usize {
    Builder::<Value>::begin(capacity)
}

/// Adds an element to a list from `list` that nobody has read yet.
#[unsafe(no_mangle)]
pub extern "C" fn push(list: usize, item: &'static Value) {
    Builder::<Value>::change(list, |items| items.push(*item));
}

/// An empty map to `put` into.
#[unsafe(no_mangle)]
pub extern "C" fn map(capacity: usize) -> usize {
    Builder::<Entry>::begin(capacity)
}

/// Sets an entry of a map from `map` that nobody has read yet; the last of equal keys wins.
#[unsafe(no_mangle)]
pub extern "C" fn put(map: usize, key: usize, key_length: usize, value: &'static Value) {
    set(map, memory::text(key, key_length), *value);
}

fn set(map: usize, key: &'static str, value: Value) {
    Builder::<Entry>::change(map, |entries| {
        match entries.binary_search_by(|(known, _)| (*known).cmp(key)) {
            Ok(index) => {
                if let Some((_, known)) = entries.get_mut(index) {
                    *known = value;
                }
            }
            Err(index) => entries.insert(index, (key, value)),
        }
    });
}

/// Adds the entries of a map to a map from `map` that nobody has read yet; any other value goes under `value`. The result of a user-defined action (language 13.7).
#[unsafe(no_mangle)]
pub extern "C" fn merge(map: usize, value: &'static Value) {
    let plain = [("value", *value)];
    let entries = match value {
        Value::Map(entries) => *entries,
        _ => &plain,
    };
    for (key, value) in entries {
        set(map, key, *value);
    }
}

/// A new list with one more element; what is no list counts as one element.
#[unsafe(no_mangle)]
pub extern "C" fn append(list: &'static Value, item: &'static Value) -> &'static Value {
    let items = list.as_list().unwrap_or(core::slice::from_ref(list));
    keep(Value::List(
        STATE.list.join(items, core::slice::from_ref(item)),
    ))
}

/// The facts about a socket as a map; `kind` as in `aro:net/directory`.
#[unsafe(no_mangle)]
#[expect(clippy::too_many_arguments, reason = "the flat form of a record")]
pub extern "C" fn description(
    socket: &'static Value,
    kind: u32,
    remote: usize,
    remote_length: usize,
    name: usize,
    name_length: usize,
    port: u32,
    open: u32,
) -> &'static Value {
    let facts = Description {
        kind,
        remote: memory::text(remote, remote_length),
        name: memory::text(name, name_length),
        port,
        open: open != 0,
    };
    keep(shape::description(*socket, facts))
}

/// The row that `Store … with id` keeps.
#[unsafe(no_mangle)]
pub extern "C" fn row(
    value: &'static Value,
    id: &'static Value,
    name: usize,
    name_length: usize,
) -> &'static Value {
    keep(shape::row(*value, *id, memory::text(name, name_length)))
}

/// What Retrieve binds: the only row that a filter left, or the list of rows.
#[unsafe(no_mangle)]
pub extern "C" fn pick(rows: &'static Value, filtered: u32) -> &'static Value {
    keep(shape::pick(*rows, filtered != 0))
}

/// The text forms of the elements of a list, joined.
#[unsafe(no_mangle)]
pub extern "C" fn interpolate(parts: &'static Value) -> &'static Value {
    match parts.as_list() {
        Some([first, second]) => join(first, second),
        Some([first @ Value::Text(_), rest @ ..]) => {
            let rest = aro_runtime::operate::interpolate(rest);
            join(first, &rest)
        }
        Some(items) => keep(aro_runtime::operate::interpolate(items)),
        None => keep(Value::Text(text::of(*parts))),
    }
}

/// The text forms of two values, joined.
pub(crate) fn join(left: &Value, right: &Value) -> &'static Value {
    let mut digits = [0; number::INT_BYTES_MAX];
    let right = match right {
        Value::Int(number) => number::digits(*number, &mut digits),
        _ => text::of(*right),
    };
    let joined = STATE
        .text
        .join(text::of(*left).as_bytes(), right.as_bytes());
    keep(Value::Text(memory::joined_text(joined)))
}
