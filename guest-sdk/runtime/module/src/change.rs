//! Exports behind the actions on values: Compute, Transform, Update, Merge, Delete, Create.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::{Value, compute, convert, update};

use crate::construct::{join, null};
use crate::memory;
use crate::state::{STATE, answer, keep};

/// An operation on a value; `with` is the value of the `with` clause, if there is one.
#[unsafe(no_mangle)]
pub extern "C" fn compute(
    operation: usize,
    operation_length: usize,
    value: &'static Value,
    with: Option<&'static Value>,
) -> Option<&'static Value> {
    let operation = memory::text(operation, operation_length);
    answer(compute::apply(operation, *value, with.copied()))
}

/// A value as another kind.
#[unsafe(no_mangle)]
pub extern "C" fn convert(
    kind: usize,
    kind_length: usize,
    value: &'static Value,
) -> Option<&'static Value> {
    answer(convert::apply(memory::text(kind, kind_length), *value))
}

/// Two maps in one, where the second wins; any other second value as it is.
#[unsafe(no_mangle)]
pub extern "C" fn overlay(entity: &'static Value, value: &'static Value) -> &'static Value {
    match (entity, value) {
        (Value::Map(_), Value::Map(_)) => keep(update::overlay(*entity, *value)),
        _ => value,
    }
}

/// Merge: maps in one, lists or texts joined, any other value added to a list; else the base as it is.
#[unsafe(no_mangle)]
pub extern "C" fn combine(base: &'static Value, source: &'static Value) -> &'static Value {
    match (base, source) {
        (Value::Map(_), Value::Map(_)) => keep(update::overlay(*base, *source)),
        (Value::List(base), Value::List(source)) => {
            keep(Value::List(STATE.list.join(base, source)))
        }
        (Value::List(base), source) => keep(Value::List(
            STATE.list.join(base, core::slice::from_ref(source)),
        )),
        (Value::Text(_), Value::Text(_)) => join(base, source),
        _ => base,
    }
}

/// A copy of a map with an entry set; what is no map becomes one.
#[unsafe(no_mangle)]
pub extern "C" fn with_entry(
    entity: &'static Value,
    key: usize,
    key_length: usize,
    value: &'static Value,
) -> &'static Value {
    keep(update::with_entry(
        *entity,
        memory::text(key, key_length),
        *value,
    ))
}

/// The entry of a map, Null where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn entry(value: &'static Value, key: usize, key_length: usize) -> &'static Value {
    match value.entry(memory::text(key, key_length)) {
        Some(entry) => keep(entry),
        None => null(),
    }
}

/// A copy of a map or list without an entry or position.
#[unsafe(no_mangle)]
pub extern "C" fn without(value: &'static Value, key: usize, key_length: usize) -> &'static Value {
    keep(update::without(*value, memory::text(key, key_length)))
}

/// Whether a value is a map without `id`: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn lacks_id(value: &'static Value) -> u32 {
    update::lacks_id(*value).into()
}

/// A map with an identity from the time and a random UUID.
#[unsafe(no_mangle)]
pub extern "C" fn with_id(
    value: &'static Value,
    now: &'static Value,
    uuid: &'static Value,
) -> &'static Value {
    keep(update::with_id(*value, *now, *uuid))
}
