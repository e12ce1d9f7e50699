//! Static rules: names and data flow, verbs, events, and the shape of the program. The only pass that knows what ARO means; it reports everything it finds in one run.

mod calls;
mod events;
mod flow;
mod header;
mod names;
mod quirk;
mod shape;
pub(crate) mod spelling;

pub(crate) use quirk::check as quirks;
pub(crate) use spelling::{SUGGESTIONS_MAX, nearest};

use crate::diagnostic::Diagnostic;
use crate::program::Program;

/// What the feature sets at hand are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of a program: whatever is missing is a mistake.
    Whole,
    /// Some files of a program: the rest may provide what is missing.
    Part,
    /// All of a program, but parts could not be read: what seems missing may stand there.
    Broken,
}

/// Checks a program that was read.
pub fn check(program: &Program, scope: Scope) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    shape::check(program, scope, &mut found);
    calls::check(program, scope, &mut found);
    events::check(program, scope, &mut found);
    header::check(program, scope, &mut found);
    for set in &program.feature_sets {
        flow::check(program, set, scope, &mut found);
    }
    found
}
