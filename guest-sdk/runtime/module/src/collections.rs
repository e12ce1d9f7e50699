//! Exports of the actions on collections and texts.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;
use core::cell::RefCell;

use aro_runtime::condition::{Condition, Test};
use aro_runtime::sort::{self as order, Direction};
use aro_runtime::{Value, field, reduce as aggregate, split as pieces};

use crate::memory;
use crate::state::{self, answer, keep};

/// The condition of a `where` clause on values in memory.
pub struct Where(RefCell<Condition>);

/// A condition without alternatives: everything meets it.
#[unsafe(no_mangle)]
pub extern "C" fn condition() -> &'static Where {
    Box::leak(Box::new(Where(RefCell::new(Condition::new()))))
}

/// Begins an alternative; an element must pass all tests of any alternative.
#[unsafe(no_mangle)]
pub extern "C" fn alternative(condition: &'static Where) {
    condition.0.borrow_mut().alternative();
}

/// Adds a test to the last alternative; `operator` as in `aro:state/repositories`.
#[unsafe(no_mangle)]
pub extern "C" fn test(
    condition: &'static Where,
    field: usize,
    field_length: usize,
    operator: u32,
    expected: &'static Value,
) {
    let field = memory::text(field, field_length);
    let test = Test::new(field, operator, *expected, state::compiled);
    condition.0.borrow_mut().add(test);
}

/// The elements of a list that meet the condition; what is no list stays as it is.
#[unsafe(no_mangle)]
pub extern "C" fn select_where(value: &'static Value, condition: &'static Where) -> &'static Value {
    keep(condition.0.borrow().select(*value))
}

/// One step of the path of a source: as `step`, but of a list the field of every element that has it.
#[unsafe(no_mangle)]
pub extern "C" fn project(
    value: &'static Value,
    property: usize,
    property_length: usize,
) -> Option<&'static Value> {
    answer(field::project(
        *value,
        memory::text(property, property_length),
    ))
}

/// Map: a field of every element that has it, or of a map.
#[unsafe(no_mangle)]
pub extern "C" fn pluck(
    value: &'static Value,
    path: usize,
    path_length: usize,
) -> Option<&'static Value> {
    answer(field::pluck(*value, memory::text(path, path_length)))
}

/// Reduce. Field, and last step of the path of the source, may be empty.
#[unsafe(no_mangle)]
pub extern "C" fn reduce(
    value: &'static Value,
    function: usize,
    function_length: usize,
    field: usize,
    field_length: usize,
    path: usize,
    path_length: usize,
) -> Option<&'static Value> {
    answer(aggregate::reduce(
        *value,
        memory::text(function, function_length),
        memory::text(field, field_length),
        memory::text(path, path_length),
    ))
}

/// Field that `by <name>` means for `value`; an address of 0 is an unbound variable.
fn named(value: &Value, name: &'static str, variable: Option<&'static Value>) -> &'static str {
    let items = value.as_list().unwrap_or(core::slice::from_ref(value));
    field::named(items, name, variable.copied())
}

/// Group. `variable` is the value of a variable that is called like the field, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn group_by(
    value: &'static Value,
    name: usize,
    name_length: usize,
    variable: Option<&'static Value>,
) -> &'static Value {
    let name = named(value, memory::text(name, name_length), variable);
    keep(order::group(*value, name))
}

fn direction(descending: u32) -> Direction {
    if descending == 0 {
        Direction::Ascending
    } else {
        Direction::Descending
    }
}

/// Sort without a field.
#[unsafe(no_mangle)]
pub extern "C" fn sort(value: &'static Value, descending: u32) -> &'static Value {
    keep(order::sort(*value, direction(descending)))
}

/// Sort by a field. `variable` is the value of a variable that is called like the field, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn sort_by(
    value: &'static Value,
    name: usize,
    name_length: usize,
    variable: Option<&'static Value>,
    descending: u32,
) -> &'static Value {
    let name = named(value, memory::text(name, name_length), variable);
    keep(order::sort_by(*value, name, direction(descending)))
}

/// The pieces of a text between the matches of a pattern.
#[unsafe(no_mangle)]
pub extern "C" fn split(
    value: &'static Value,
    separator: &'static Value,
) -> Option<&'static Value> {
    answer(pieces::split(*value, *separator, state::compiled))
}

/// The lines of a text, without their ends.
#[unsafe(no_mangle)]
pub extern "C" fn lines(value: &'static Value) -> &'static Value {
    keep(pieces::lines(*value))
}

/// The text forms of the elements, joined.
#[unsafe(no_mangle)]
pub extern "C" fn join(value: &'static Value, separator: &'static Value) -> &'static Value {
    keep(pieces::join(*value, *separator))
}
