//! Exports of operators, comparisons and tests.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use core::cmp::Ordering;

use aro_runtime::{Value, compare, operate};

use crate::construct;
use crate::memory;
use crate::state::{self, answer, refuse};

/// `left + right`.
#[unsafe(no_mangle)]
pub extern "C" fn add(left: &'static Value, right: &'static Value) -> Option<&'static Value> {
    answer(operate::add(*left, *right))
}

/// `left - right`.
#[unsafe(no_mangle)]
pub extern "C" fn sub(left: &'static Value, right: &'static Value) -> Option<&'static Value> {
    answer(operate::sub(*left, *right))
}

/// `left * right`.
#[unsafe(no_mangle)]
pub extern "C" fn mul(left: &'static Value, right: &'static Value) -> Option<&'static Value> {
    answer(operate::mul(*left, *right))
}

/// `left / right`.
#[unsafe(no_mangle)]
pub extern "C" fn div(left: &'static Value, right: &'static Value) -> Option<&'static Value> {
    answer(operate::div(*left, *right))
}

/// `left % right`.
#[unsafe(no_mangle)]
pub extern "C" fn rem(left: &'static Value, right: &'static Value) -> Option<&'static Value> {
    answer(operate::rem(*left, *right))
}

/// `left ++ right`; never fails.
#[unsafe(no_mangle)]
pub extern "C" fn concat(left: &'static Value, right: &'static Value) -> &'static Value {
    construct::join(left, right)
}

/// `- value`.
#[unsafe(no_mangle)]
pub extern "C" fn negate(value: &'static Value) -> Option<&'static Value> {
    answer(operate::negate(*value))
}

/// `not value`.
#[unsafe(no_mangle)]
pub extern "C" fn not(value: &'static Value) -> &'static Value {
    construct::bool((!operate::truthy(*value)).into())
}

/// `left and right`.
#[unsafe(no_mangle)]
pub extern "C" fn and(left: &'static Value, right: &'static Value) -> &'static Value {
    construct::bool((operate::truthy(*left) && operate::truthy(*right)).into())
}

/// `left or right`.
#[unsafe(no_mangle)]
pub extern "C" fn or(left: &'static Value, right: &'static Value) -> &'static Value {
    construct::bool((operate::truthy(*left) || operate::truthy(*right)).into())
}

/// `left == right`: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn equal(left: &'static Value, right: &'static Value) -> u32 {
    compare::equal(*left, *right).into()
}

#[inline]
fn ordered(left: &Value, right: &Value, accept: fn(Ordering) -> bool) -> i32 {
    match compare::order(*left, *right) {
        Ok(order) => order.is_some_and(accept).into(),
        Err(error) => {
            refuse(error);
            -1
        }
    }
}

/// `left < right`: 0 or 1, −1 with a message.
#[unsafe(no_mangle)]
pub extern "C" fn less(left: &'static Value, right: &'static Value) -> i32 {
    ordered(left, right, Ordering::is_lt)
}

/// `left <= right`: 0 or 1, −1 with a message.
#[unsafe(no_mangle)]
pub extern "C" fn less_equal(left: &'static Value, right: &'static Value) -> i32 {
    ordered(left, right, Ordering::is_le)
}

/// `left > right`: 0 or 1, −1 with a message.
#[unsafe(no_mangle)]
pub extern "C" fn greater(left: &'static Value, right: &'static Value) -> i32 {
    ordered(left, right, Ordering::is_gt)
}

/// `left >= right`: 0 or 1, −1 with a message.
#[unsafe(no_mangle)]
pub extern "C" fn greater_equal(left: &'static Value, right: &'static Value) -> i32 {
    ordered(left, right, Ordering::is_ge)
}

/// `left contains right`: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn contains(left: &'static Value, right: &'static Value) -> u32 {
    compare::contains(*left, *right).into()
}

/// `subject matches pattern`: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn matches(subject: &'static Value, pattern: &'static Value) -> u32 {
    state::matches(*subject, *pattern).into()
}

/// Whether the case `<pattern>` of a match matches: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn same(subject: &'static Value, pattern: &'static Value) -> u32 {
    compare::same(*subject, *pattern).into()
}

/// Whether a case that is a literal matches: same kind, same value.
#[unsafe(no_mangle)]
pub extern "C" fn identical(subject: &'static Value, literal: &'static Value) -> u32 {
    compare::identical(*subject, *literal).into()
}

/// Truth in `when`, `while`, `and`, `or`, `not`.
#[unsafe(no_mangle)]
pub extern "C" fn truthy(value: &'static Value) -> u32 {
    operate::truthy(*value).into()
}

/// Truth in `where` of loops and cases: the Bool true.
#[unsafe(no_mangle)]
pub extern "C" fn is_true(value: &'static Value) -> u32 {
    matches!(value, Value::Bool(true)).into()
}

/// `value is empty`; an address of 0 is an unbound variable, which is empty.
#[unsafe(no_mangle)]
pub extern "C" fn is_empty(value: Option<&'static Value>) -> u32 {
    value.is_none_or(|value| operate::is_empty(*value)).into()
}

/// `value is T` for a type name, in any letter case; false for other names.
#[unsafe(no_mangle)]
pub extern "C" fn is_type(value: &'static Value, name: usize, name_length: usize) -> u32 {
    operate::type_test(*value, memory::text(name, name_length))
        .unwrap_or(false)
        .into()
}

/// `value is WORD`: type names, outcome words, else the same text in any letter case.
#[unsafe(no_mangle)]
pub extern "C" fn is_word(value: &'static Value, word: usize, word_length: usize) -> u32 {
    operate::is_word(*value, memory::text(word, word_length)).into()
}
