//! Exports of dates, ranges and recurrences, and of what templates render.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::{Value, template, time};

use crate::memory;
use crate::state::{answer, keep};

/// A Date, or the one that a text denotes.
#[unsafe(no_mangle)]
pub extern "C" fn to_date(value: &'static Value) -> Option<&'static Value> {
    answer(time::date(*value).map(Value::from))
}

/// A date moved by an offset such as `+7d`.
#[unsafe(no_mangle)]
pub extern "C" fn shift(
    value: &'static Value,
    offset: usize,
    offset_length: usize,
) -> Option<&'static Value> {
    answer(time::shift(*value, memory::text(offset, offset_length)))
}

/// The text of a date by a pattern, a text or 0.
#[unsafe(no_mangle)]
pub extern "C" fn format_date(
    value: &'static Value,
    pattern: Option<&'static Value>,
) -> Option<&'static Value> {
    let pattern = pattern.and_then(|pattern| pattern.as_text());
    answer(time::format(*value, pattern.unwrap_or(time::PATTERN)))
}

/// The distance from one date to another.
#[unsafe(no_mangle)]
pub extern "C" fn distance(from: &'static Value, to: &'static Value) -> Option<&'static Value> {
    answer(time::distance(*from, *to))
}

/// The range between two dates.
#[unsafe(no_mangle)]
pub extern "C" fn date_range(from: &'static Value, to: &'static Value) -> Option<&'static Value> {
    answer(time::range(*from, *to))
}

/// A recurrence, seen from the date `now`.
#[unsafe(no_mangle)]
pub extern "C" fn recurrence(
    pattern: &'static Value,
    now: &'static Value,
) -> Option<&'static Value> {
    answer(time::recurrence(*pattern, *now))
}

/// The parts of a template, joined.
#[unsafe(no_mangle)]
pub extern "C" fn render(parts: &'static Value) -> &'static Value {
    keep(template::render(parts.as_list().unwrap_or_default()))
}

/// A value behind a filter of a template.
#[unsafe(no_mangle)]
pub extern "C" fn filter_text(
    value: &'static Value,
    filter: usize,
    filter_length: usize,
    argument: usize,
    argument_length: usize,
) -> &'static Value {
    let filter = memory::text(filter, filter_length);
    let argument = memory::text(argument, argument_length);
    keep(template::filter(*value, filter, argument))
}

/// The arithmetic of templates: `operator` is the byte of `*`, `+`, `-` or `/`.
#[unsafe(no_mangle)]
pub extern "C" fn calculate(
    left: &'static Value,
    right: &'static Value,
    operator: u32,
) -> Option<&'static Value> {
    answer(template::calculate(*left, *right, operator))
}

/// What a loop of a template goes over: the elements of a list, the values of a map by key, nothing else. 0 is nothing, too.
#[unsafe(no_mangle)]
pub extern "C" fn values(value: Option<&'static Value>) -> &'static Value {
    keep(template::values(value.copied().unwrap_or(Value::Null)))
}
