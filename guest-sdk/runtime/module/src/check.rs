//! Exports of the actions that check values.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::Value;
use aro_runtime::check::{self, Transition};
use aro_runtime::schema;

use crate::memory;
use crate::state::{answer, keep};

/// The record of Validate.
#[unsafe(no_mangle)]
pub extern "C" fn validate(
    value: &'static Value,
    rule: usize,
    rule_length: usize,
) -> &'static Value {
    keep(check::validate(*value, memory::text(rule, rule_length)))
}

/// The record of Compare.
#[unsafe(no_mangle)]
pub extern "C" fn relation(left: &'static Value, right: &'static Value) -> &'static Value {
    keep(check::relation(*left, *right))
}

/// The value as a schema of the bundle makes it.
#[unsafe(no_mangle)]
pub extern "C" fn typed(
    value: &'static Value,
    bundle: usize,
    bundle_length: usize,
    name: usize,
    name_length: usize,
) -> Option<&'static Value> {
    let (bundle, name) = (
        memory::text(bundle, bundle_length),
        memory::text(name, name_length),
    );
    answer(schema::typed(*value, bundle, name))
}

/// The record of Validate against a schema of the bundle.
#[unsafe(no_mangle)]
pub extern "C" fn judged(
    value: &'static Value,
    bundle: usize,
    bundle_length: usize,
    name: usize,
    name_length: usize,
) -> &'static Value {
    let (bundle, name) = (
        memory::text(bundle, bundle_length),
        memory::text(name, name_length),
    );
    keep(schema::judged(*value, bundle, name))
}

/// The object in its new state.
#[unsafe(no_mangle)]
#[expect(clippy::too_many_arguments, reason = "the flat form of a record")]
pub extern "C" fn accept(
    value: &'static Value,
    object: usize,
    object_length: usize,
    field: usize,
    field_length: usize,
    from: usize,
    from_length: usize,
    to: usize,
    to_length: usize,
) -> Option<&'static Value> {
    let transition = Transition {
        object: memory::text(object, object_length),
        field: memory::text(field, field_length),
        from: memory::text(from, from_length),
        to: memory::text(to, to_length),
    };
    answer(check::accept(*value, transition))
}
