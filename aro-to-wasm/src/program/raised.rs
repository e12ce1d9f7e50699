//! The events that statements raise: the one place that says which statements do.

use super::Program;
use crate::actions::{ActionKind, lookup};
use crate::syntax::ast::{Action, Noun, Preposition};
use crate::syntax::walk;
use indexmap::IndexSet;

/// How a statement raises an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raise {
    /// Emit: with what the statement says.
    Emit,
    /// Schedule, and Stream or Subscribe from a source: with what the host says.
    Source,
}

/// The event that a statement raises, and how.
#[expect(clippy::wildcard_enum_match_arm, reason = "few actions raise events")]
pub(crate) fn raised(action: &Action) -> Option<(&Noun, Raise)> {
    let event = action.result.noun()?;
    match lookup(&action.verb.text)?.kind {
        ActionKind::Emit => Some((event, Raise::Emit)),
        ActionKind::Schedule | ActionKind::Stream => Some((event, Raise::Source)),
        // With `to` it is a connection that subscribes to a channel.
        ActionKind::Subscribe => {
            let object = action.object.as_ref()?;
            (object.preposition == Preposition::From).then_some((event, Raise::Source))
        }
        _ => None,
    }
}

/// The types of the events that some statement emits.
pub(crate) fn emitted(program: &Program) -> IndexSet<String> {
    let mut emitted = IndexSet::new();
    for set in &program.feature_sets {
        walk::actions(&set.syntax.body, &mut |action, _| {
            if let Some((noun, Raise::Emit)) = raised(action) {
                emitted.insert(noun.base.clone());
            }
        });
    }
    emitted
}
