//! Exports that read values: kinds, elements, properties.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::{Value, access, shape, uuid};

use crate::memory;
use crate::state::{answer, keep};

/// Number of the kind: 0 Null, 1 Bool, 2 Int, 3 Float, 4 Text, 5 Bytes, 6 List, 7 Map, 8 Date, 9 Socket.
#[unsafe(no_mangle)]
pub extern "C" fn kind(value: &'static Value) -> u32 {
    value.kind()
}

fn identity(value: &Value) -> (u64, u64) {
    if let Value::Socket(id) = value {
        uuid::halves(id)
    } else {
        (0, 0)
    }
}

/// High half of the identity of a handle; 0 for other kinds.
#[unsafe(no_mangle)]
pub extern "C" fn socket_high(value: &'static Value) -> u64 {
    identity(value).0
}

/// Low half of the identity of a handle; 0 for other kinds.
#[unsafe(no_mangle)]
pub extern "C" fn socket_low(value: &'static Value) -> u64 {
    identity(value).1
}

/// An Int, or a Float cut off, or such a number in a text; else the fallback.
#[unsafe(no_mangle)]
pub extern "C" fn as_int(value: &'static Value, fallback: i64) -> i64 {
    value.to_int().unwrap_or(fallback)
}

/// An Int or Float, or such a number in a text; else the fallback.
#[unsafe(no_mangle)]
pub extern "C" fn as_float(value: &'static Value, fallback: f64) -> f64 {
    value.to_float().unwrap_or(fallback)
}

/// Number of turns a `for each` takes: the length of a list, 1 for other kinds.
#[unsafe(no_mangle)]
pub extern "C" fn len(value: &'static Value) -> usize {
    value.as_list().map_or(1, <[Value]>::len)
}

/// Element of a list in order, Null past its end; other kinds are their only element.
#[unsafe(no_mangle)]
pub extern "C" fn at(value: &'static Value, index: usize) -> &'static Value {
    match value.as_list() {
        Some(items) => items.get(index).unwrap_or(crate::construct::null()),
        None => value,
    }
}

/// `<value: property>` in an expression. The host knows the other properties of handles: ask it first, see `description`.
#[unsafe(no_mangle)]
pub extern "C" fn get(
    value: &'static Value,
    property: usize,
    property_length: usize,
) -> Option<&'static Value> {
    answer(access::get(*value, memory::text(property, property_length)))
}

/// `value.member`.
#[unsafe(no_mangle)]
pub extern "C" fn member(
    value: &'static Value,
    member: usize,
    member_length: usize,
) -> Option<&'static Value> {
    answer(access::member(*value, memory::text(member, member_length)))
}

/// `value[index]`.
#[unsafe(no_mangle)]
pub extern "C" fn index(value: &'static Value, index: &'static Value) -> Option<&'static Value> {
    answer(access::index(*value, *index))
}

/// One step of the path of Extract.
#[unsafe(no_mangle)]
pub extern "C" fn step(
    value: &'static Value,
    property: usize,
    property_length: usize,
) -> Option<&'static Value> {
    answer(access::step(
        *value,
        memory::text(property, property_length),
    ))
}

/// The result selector of Extract: its steps 6 to 10.
#[unsafe(no_mangle)]
pub extern "C" fn select(
    value: &'static Value,
    selector: usize,
    selector_length: usize,
) -> Option<&'static Value> {
    answer(access::select(
        *value,
        memory::text(selector, selector_length),
    ))
}

/// Step 4 of Extract, for an object without path: a text that is a JSON object or array as that, other values as they are.
#[unsafe(no_mangle)]
pub extern "C" fn unpack(value: &'static Value) -> &'static Value {
    keep(access::unpack(*value))
}

/// The JSON document in a text or bytes.
#[unsafe(no_mangle)]
pub extern "C" fn parse_json(value: &'static Value) -> Option<&'static Value> {
    answer(access::parse_json(*value))
}

/// The handle of the socket that a Send or Close means; 0, and no message, if it means none.
#[unsafe(no_mangle)]
pub extern "C" fn target(value: &'static Value) -> Option<&'static Value> {
    shape::target(*value).map(keep)
}
