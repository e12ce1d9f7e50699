//! Exports for events: payloads and guards.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::{Value, event};

use crate::memory;
use crate::state::keep;

/// The payload of an event that is raised with an expression.
#[unsafe(no_mangle)]
pub extern "C" fn event_payload(value: &'static Value) -> &'static Value {
    keep(event::payload(*value))
}

/// Whether a field of the payload has one of the values of a guard: path and values as texts.
#[unsafe(no_mangle)]
pub extern "C" fn event_guard(
    value: &'static Value,
    path: usize,
    path_length: usize,
    values: usize,
    values_length: usize,
) -> u32 {
    let (path, values) = (
        memory::text(path, path_length),
        memory::text(values, values_length),
    );
    u32::from(event::guard(*value, path, values))
}

/// The row that a change of a repository is about, or null.
#[unsafe(no_mangle)]
pub extern "C" fn event_row(event: &'static Value) -> &'static Value {
    keep(event::row(*event))
}

/// Milliseconds of an interval, given those of its unit; −1 if it is no number or negative.
#[unsafe(no_mangle)]
pub extern "C" fn interval(value: &'static Value, unit: i64) -> i64 {
    event::interval(*value, unit).unwrap_or(-1)
}

/// The payload of a notification: target, its name, message.
#[unsafe(no_mangle)]
pub extern "C" fn event_notification(
    target: &'static Value,
    name: usize,
    name_length: usize,
    message: &'static Value,
) -> &'static Value {
    keep(event::notification(
        *target,
        memory::text(name, name_length),
        *message,
    ))
}
