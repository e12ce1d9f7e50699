//! Exports for files, tests and waiting.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::{Value, canonical, file, text, verify, wait};

use crate::memory;
use crate::state::keep;

/// The extension of a path.
#[unsafe(no_mangle)]
pub extern "C" fn extension(path: &'static Value) -> u64 {
    canonical::pack(file::extension(text::of(*path)).as_bytes())
}

/// The value as it is: bytes, else its text.
#[unsafe(no_mangle)]
pub extern "C" fn content(value: &'static Value) -> u64 {
    canonical::pack(file::content(*value))
}

/// Bytes as a readable dump, other values as they are.
#[unsafe(no_mangle)]
pub extern "C" fn dump(value: &'static Value) -> &'static Value {
    keep(file::dump(*value))
}

/// Whether a value is what a test expects: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn meets(actual: &'static Value, expected: &'static Value) -> u32 {
    verify::meets(*actual, *expected).into()
}

/// What Log prints in a test.
#[unsafe(no_mangle)]
pub extern "C" fn developer(value: &'static Value) -> u64 {
    canonical::pack(verify::developer(*value).as_bytes())
}

/// What a feature set under test answers: the entry of a map, else its first one, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn outcome(
    fields: &'static Value,
    key: usize,
    length: usize,
) -> Option<&'static Value> {
    let first = || fields.as_map()?.first().map(|(_, value)| *value);
    fields.entry(memory::text(key, length)).or_else(first).map(keep)
}

/// How long Sleep sleeps.
#[unsafe(no_mangle)]
pub extern "C" fn milliseconds(amount: &'static Value, unit: i64) -> i64 {
    wait::milliseconds(*amount, unit)
}
