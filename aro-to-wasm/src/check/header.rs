//! Conditions of headers: names in them are fields of the event (EXT-9), where it is known which fields it has.

use super::{SUGGESTIONS_MAX, Scope, names, nearest};
use crate::actions::{ActionKind, lookup};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{FeatureSet, Program, Trigger};
use crate::syntax::ast::{
    Action, Expression, ExpressionKind, Operand, Preposition, Target, WithValue,
};
use crate::syntax::walk::{self, Use};

/// Fields of the events of the system (runtime.md 3.4, 6.4).
const CHANGE: &[&str] = &[
    "repositoryName",
    "changeType",
    "timestamp",
    "entityId",
    "newValue",
    "oldValue",
];
const EVICTION: &[&str] = &["evictedItem", "repositoryName", "reason", "timestamp"];
const TRANSITION: &[&str] = &[
    "fieldName",
    "objectName",
    "fromState",
    "toState",
    "entityId",
    "entity",
];
const CONNECTION: &[&str] = &[
    "connectionId",
    "connection",
    "remoteAddress",
    "data",
    "reason",
    "server",
    "client",
    "port",
    "timestamp",
];

/// Names in the condition of a header that are no field of its event, and nothing else.
pub(super) fn check(program: &Program, scope: Scope, found: &mut Vec<Diagnostic>) {
    if scope != Scope::Whole {
        return;
    }
    let mut suggested = 0;
    for set in &program.feature_sets {
        let Some(condition) = &set.syntax.condition else {
            continue;
        };
        let Some(fields) = fields(program, set) else {
            continue;
        };
        walk::uses(condition, &mut |one| {
            let known =
                one.asked || fields.contains(&one.name) || names::provided(program, set, one.name);
            if !known {
                suggested += 1;
                found.push(unknown(&one, &fields, suggested <= SUGGESTIONS_MAX));
            }
        });
    }
}

fn unknown(one: &Use<'_>, fields: &[&str], suggest: bool) -> Diagnostic {
    let message = format!("the event has no field `{}`", one.name);
    let diagnostic = Diagnostic::new(Code::UndefinedName, one.span, message)
        .label(one.span, "the condition never holds");
    let near = nearest(one.name, fields.iter().copied().filter(|_| suggest));
    match near {
        Some(near) => diagnostic.help(format!("did you mean `<{near}>`?")),
        None if fields.is_empty() => diagnostic.help("it is emitted without fields"),
        None => diagnostic.help(format!("it has {}", fields.join(", "))),
    }
}

/// The fields that the event of a feature set can have; none if that cannot be known.
fn fields<'a>(program: &'a Program, set: &'a FeatureSet) -> Option<Vec<&'a str>> {
    let known = match &set.trigger {
        Trigger::RepositoryObserver(_) => CHANGE,
        Trigger::Evicted(_) => EVICTION,
        Trigger::State { .. } => TRANSITION,
        Trigger::File(_) => &["path"],
        Trigger::Tcp(_) | Trigger::Socket(_) => CONNECTION,
        Trigger::Domain(event) => return emitted(program, event),
        Trigger::Start
        | Trigger::EndSuccess
        | Trigger::EndError
        | Trigger::Action
        | Trigger::Test
        | Trigger::WebSocket { .. }
        | Trigger::KeyPress
        | Trigger::Notification
        | Trigger::None => return None,
    };
    Some(known.to_vec())
}

/// All fields that the statements which emit an event give it.
fn emitted<'a>(program: &'a Program, event: &str) -> Option<Vec<&'a str>> {
    let mut all = Some(Vec::new());
    let mut is_emitted = false;
    for set in &program.feature_sets {
        walk::actions(&set.syntax.body, &mut |action, _| {
            if !emits(action, event) {
                return;
            }
            is_emitted = true;
            all = match (all.take(), payload(action)) {
                (Some(mut all), Some(fields)) => {
                    all.extend(fields);
                    Some(all)
                }
                _ => None,
            };
        });
    }
    all.filter(|_| is_emitted)
}

fn emits(action: &Action, event: &str) -> bool {
    let is_emit = lookup(&action.verb.text).is_some_and(|known| known.kind == ActionKind::Emit);
    is_emit && matches!(&action.result, Target::Noun(noun) if noun.base == event)
}

/// The keys of what a statement emits, if they can be read from it.
fn payload(action: &Action) -> Option<Vec<&str>> {
    let with = action
        .clauses
        .with
        .iter()
        .find_map(|with| match (&with.label, &with.value) {
            (None, WithValue::Expression(value)) => Some(value),
            _ => None,
        });
    if let Some(with) = with {
        return keys(with);
    }
    let Some(object) = &action.object else {
        return Some(Vec::new());
    };
    match (&object.operand, object.preposition) {
        (Operand::Noun(noun), _) => Some(vec![&noun.base]),
        (Operand::Expression(value), Preposition::With | Preposition::To) => keys(value),
        _ => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other values show their keys when the program runs"
)]
fn keys(value: &Expression) -> Option<Vec<&str>> {
    match &value.kind {
        ExpressionKind::Map(entries) => {
            Some(entries.iter().map(|(key, _)| key.text.as_str()).collect())
        }
        ExpressionKind::Reference(noun) => Some(vec![&noun.base]),
        ExpressionKind::Name(name) => Some(vec![name]),
        _ => None,
    }
}
