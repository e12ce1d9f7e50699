//! Exports that turn values into what goes out: texts, payloads, encodings, filters.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

use aro_runtime::canonical::{self, Comparison, Span};
use aro_runtime::{Value, cbor, human, json as writer, regex, shape, text};

use crate::memory;
use crate::state::{answer, refuse};

/// Number of `matches` in `aro:state/repositories.operator`.
const MATCHES: u32 = 9;

/// What Log prints.
#[unsafe(no_mangle)]
pub extern "C" fn human(value: &'static Value) -> u64 {
    canonical::pack(human::of(*value).as_bytes())
}

/// The text form.
#[unsafe(no_mangle)]
pub extern "C" fn string(value: &'static Value) -> u64 {
    canonical::pack(text::of(*value).as_bytes())
}

/// The bytes that Send puts on the wire.
#[unsafe(no_mangle)]
pub extern "C" fn payload(value: &'static Value) -> u64 {
    canonical::pack(shape::payload(*value))
}

/// The text forms of the elements of a list as `list<string>`; what is no list counts as one element.
#[unsafe(no_mangle)]
pub extern "C" fn texts(value: &'static Value) -> u64 {
    let items = value.as_list().unwrap_or(core::slice::from_ref(value));
    let texts = items.iter().map(|item| text::of(*item));
    let spans: Vec<Span> = texts.map(|text| canonical::span(text.as_bytes())).collect();
    canonical::pack(spans.leak())
}

/// Compact JSON; `null` for what is nested too deep.
#[unsafe(no_mangle)]
pub extern "C" fn json(value: &'static Value) -> u64 {
    canonical::pack(writer::text(*value).as_bytes())
}

/// The encoded value; 0 with a message if it is nested too deep.
#[unsafe(no_mangle)]
pub extern "C" fn encode(value: &'static Value) -> u64 {
    encoded(value).map_or(0, canonical::pack)
}

fn encoded(value: &Value) -> Option<&'static [u8]> {
    match cbor::encode(*value) {
        Ok(bytes) => Some(bytes.leak()),
        Err(error) => {
            refuse(error);
            None
        }
    }
}

/// The value that the bytes encode; texts in it are borrowed from them.
#[unsafe(no_mangle)]
pub extern "C" fn decode(address: usize, length: usize) -> Option<&'static Value> {
    answer(cbor::decode(memory::bytes(address, length)))
}

/// Groups of comparisons, for `aro:state/repositories`.
pub struct Filter {
    groups: RefCell<Vec<Vec<Comparison>>>,
}

/// A filter without groups: it selects every row.
#[unsafe(no_mangle)]
pub extern "C" fn filter() -> &'static Filter {
    Box::leak(Box::new(Filter {
        groups: RefCell::new(Vec::new()),
    }))
}

/// Begins a group; a row must satisfy all comparisons of any group.
#[unsafe(no_mangle)]
pub extern "C" fn group(filter: &'static Filter) {
    filter.groups.borrow_mut().push(Vec::new());
}

/// Adds a comparison to the last group; `operator` as in `aro:state/repositories`. A value nested too deep goes as nothing, which the host refuses.
#[unsafe(no_mangle)]
pub extern "C" fn compare(
    filter: &'static Filter,
    field: usize,
    field_length: usize,
    operator: u32,
    value: &'static Value,
) {
    // The host reads patterns as texts.
    let inlined;
    let value = if operator == MATCHES {
        inlined = regex::inline(*value);
        &inlined
    } else {
        value
    };
    let comparison = canonical::comparison(
        memory::text(field, field_length),
        operator,
        encoded(value).unwrap_or_default(),
    );
    if let Some(group) = filter.groups.borrow_mut().last_mut() {
        group.push(comparison);
    }
}

/// The filter as the canonical ABI lays out its list of groups.
#[unsafe(no_mangle)]
pub extern "C" fn filter_list(filter: &'static Filter) -> u64 {
    let groups: Vec<Span> = filter
        .groups
        .take()
        .into_iter()
        .map(|group| canonical::span(group.leak()))
        .collect();
    canonical::pack(groups.leak())
}
