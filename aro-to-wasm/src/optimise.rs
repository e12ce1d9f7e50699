//! IR to better IR: numbers and truth values of known kind leave their boxes, and loops free what their rounds leave behind.
//!
//! Nothing here changes what a program does: an operation on numbers that fails calls the value runtime with the boxed operands, so that there is one wording of errors.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "steps and expressions without a number in them have one treatment"
)]

mod collect;
mod kinds;
mod unbox;

use crate::ir::Function;

/// Improves a function.
pub(crate) fn optimise(function: &mut Function) {
    unbox::unbox(function);
    collect::place(function);
}
