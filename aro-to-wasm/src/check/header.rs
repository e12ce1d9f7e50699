//! Conditions of headers: names in them are fields of the event (EXT-9), where it is known which fields it has.

use super::{SUGGESTIONS_MAX, Scope, names, nearest};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{FeatureSet, Program, Raise, Trigger, raised};
use crate::syntax::ast::{Action, Expression, ExpressionKind, Operand, Preposition};
use crate::syntax::walk::{self, Use};
use indexmap::{IndexMap, IndexSet};

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
    let raised = raised_events(program);
    let mut suggested = 0;
    for set in &program.feature_sets {
        let Some(condition) = &set.syntax.condition else {
            continue;
        };
        let Some(fields) = fields(&raised, set) else {
            continue;
        };
        walk::uses(condition, &mut |one| {
            let known =
                one.asked || fields.contains(one.name) || names::provided(program, set, one.name);
            if !known {
                suggested += 1;
                found.push(unknown(&one, &fields, suggested <= SUGGESTIONS_MAX));
            }
        });
    }
}

fn unknown(one: &Use<'_>, fields: &IndexSet<&str>, suggest: bool) -> Diagnostic {
    let message = format!("the event has no field `{}`", one.name);
    let diagnostic = Diagnostic::new(Code::UndefinedName, one.span, message)
        .label(one.span, "the condition never holds");
    let near = nearest(one.name, fields.iter().copied().filter(|_| suggest));
    match near {
        Some(near) => diagnostic.help(format!("did you mean `<{near}>`?")),
        None if fields.is_empty() => diagnostic.help("it is emitted without fields"),
        None => {
            let fields: Vec<&str> = fields.iter().copied().collect();
            diagnostic.help(format!("it has {}", fields.join(", ")))
        }
    }
}

/// The fields that the event of a feature set can have; none if that cannot be known.
fn fields<'a>(raised: &Raised<'a>, set: &FeatureSet) -> Option<IndexSet<&'a str>> {
    let known = match &set.trigger {
        Trigger::RepositoryObserver(_) => CHANGE,
        Trigger::Evicted(_) => EVICTION,
        Trigger::State { .. } => TRANSITION,
        Trigger::File(_) => &["path"],
        Trigger::Tcp(_) => {
            // It handles what the program emits under that name, too (runtime.md 3.3, row 13).
            let event = set.syntax.activity.split_once(" Handler");
            let event = event.and_then(|(event, _)| raised.get(event.trim()));
            let mut all: IndexSet<&str> = CONNECTION.iter().copied().collect();
            if let Some(emitted) = event {
                all.extend(emitted.as_ref()?);
            }
            return Some(all);
        }
        Trigger::Socket(_) => CONNECTION,
        Trigger::Domain(event) => return raised.get(event.as_str())?.clone(),
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
    Some(known.iter().copied().collect())
}

/// The fields that statements give the events they raise; none if that cannot be known.
type Raised<'a> = IndexMap<&'a str, Option<IndexSet<&'a str>>>;

fn raised_events(program: &Program) -> Raised<'_> {
    let mut events = Raised::new();
    for set in &program.feature_sets {
        walk::actions(&set.syntax.body, &mut |action, _| {
            let Some((noun, raise)) = raised(action) else {
                return;
            };
            // What a source sends is not in the program.
            let fields = Some(action).filter(|_| raise == Raise::Emit);
            let fields = fields.and_then(payload);
            let all = events
                .entry(&noun.base)
                .or_insert_with(|| Some(IndexSet::new()));
            match (all.as_mut(), fields) {
                (Some(all), Some(fields)) => all.extend(fields),
                _ => *all = None,
            }
        });
    }
    events
}

/// The keys of what a statement emits, if they can be read from it.
fn payload(action: &Action) -> Option<Vec<&str>> {
    if let Some(with) = action.plain_with() {
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
