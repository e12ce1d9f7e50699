//! Exports that end a handler: failures with their cause and trace, responses with their fields.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;
use alloc::format;

use aro_runtime::canonical::{self, FailureKind};
use aro_runtime::{Value, text};

use crate::memory;
use crate::state::{STATE, keep};

/// Sets the message.
#[unsafe(no_mangle)]
pub extern "C" fn raise(address: usize, length: usize) {
    STATE.message.set((memory::text(address, length), false));
}

/// Sets the message `Undefined variable: name`.
#[unsafe(no_mangle)]
pub extern "C" fn undefined(address: usize, length: usize) {
    let name = memory::text(address, length);
    STATE
        .message
        .set((format!("Undefined variable: {name}").leak(), false));
}

/// Sets the message `Undefined variable: 'name'`, as loops, matches, publications and actions word it.
#[unsafe(no_mangle)]
pub extern "C" fn undefined_quoted(address: usize, length: usize) {
    let name = memory::text(address, length);
    STATE
        .message
        .set((format!("Undefined variable: '{name}'").leak(), false));
}

/// The message as a text, which is then no longer set; empty if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn take_message() -> &'static Value {
    keep(Value::Text(STATE.message.replace(("", false)).0))
}

/// Adds a bound name of the failing statement to the trace; of equal names the first stays.
#[unsafe(no_mangle)]
pub extern "C" fn trace(address: usize, length: usize, value: &'static Value) {
    let name = memory::text(address, length);
    let mut trace = STATE.trace.borrow_mut();
    if let Err(index) = trace.binary_search_by(|(known, _)| (*known).cmp(name)) {
        trace.insert(index, (name, text::debug(*value)));
    }
}

/// `Err` of any `result<_, failure>` from message and trace. `statement` −1 is none; `kind` as in `failure-kind`. A failing expression whose operator failed at run time (division by zero, overflow) is of kind `runtime`, and its cause begins with `Runtime error: `.
#[unsafe(no_mangle)]
pub extern "C" fn fail(statement: i32, kind: u32) -> &'static [u32; 8] {
    let (message, runtime) = STATE.message.replace(("", false));
    let (kind, cause): (_, &'static str) = match kind {
        1 if runtime => (
            FailureKind::Runtime,
            format!("Runtime error: {message}").leak(),
        ),
        1 => (FailureKind::Expression, message),
        2 => (FailureKind::Runtime, message),
        3 => (FailureKind::Assertion, message),
        _ => (FailureKind::Action, message),
    };
    let trace = canonical::pairs(&STATE.trace.take());
    Box::leak(Box::new(canonical::failure(
        u32::try_from(statement).ok(),
        kind,
        cause,
        trace,
    )))
}

/// `Ok` of `result<_, failure>`.
#[unsafe(no_mangle)]
pub extern "C" fn done() -> &'static u32 {
    &0
}

/// Begins the response of Return; before it, the response is `[OK] success` without fields.
#[unsafe(no_mangle)]
pub extern "C" fn response(
    status: usize,
    status_length: usize,
    reason: usize,
    reason_length: usize,
) {
    STATE.response.set((
        memory::text(status, status_length),
        memory::text(reason, reason_length),
    ));
}

/// Adds data to the response: the value of a `with` clause if the key is empty, else `value` under the key, maps flattened.
#[unsafe(no_mangle)]
pub extern "C" fn field(key: usize, key_length: usize, value: &'static Value) {
    let mut fields = STATE.fields.borrow_mut();
    match memory::text(key, key_length) {
        "" => fields.add_with(*value),
        key => fields.add(key, *value),
    }
}

/// Adds the first of `greeting`, `message`, … that is bound, where the response has no data: `value` in its debug text.
#[unsafe(no_mangle)]
pub extern "C" fn fallback(value: &'static Value) {
    STATE.fields.borrow_mut().add_fallback(*value);
}

/// Whether the response has data: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn has_fields() -> u32 {
    (!STATE.fields.borrow().is_empty()).into()
}

/// `Ok` of `result<response, failure>`.
#[unsafe(no_mangle)]
pub extern "C" fn responded() -> &'static [u32; 8] {
    let (status, reason) = STATE.response.get();
    let fields = canonical::pairs(&STATE.fields.borrow().render());
    Box::leak(Box::new(canonical::response(status, reason, fields)))
}
