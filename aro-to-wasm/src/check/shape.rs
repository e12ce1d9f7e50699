//! The shape of the program: duplicates, entry point, empty and unfinished feature sets, unreachable statements, stray breaks.

use super::Scope;
use crate::actions::{ActionKind, lookup};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{FeatureSet, Program, Trigger, plain_name};
use crate::source::Span;
use crate::syntax::ast::{Action, Block, Statement};
use crate::syntax::walk;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::hash_map::Entry;

pub(super) fn check(program: &Program, scope: Scope, found: &mut Vec<Diagnostic>) {
    starts(program, scope, found);
    duplicates(program, scope, found);
    for set in &program.feature_sets {
        never_triggered(set, found);
        ends(set, scope, found);
        unreachable(&set.syntax.body, false, found);
        breaks(&set.syntax.body, false, found);
    }
}

/// Exactly one `Application-Start`.
fn starts(program: &Program, scope: Scope, found: &mut Vec<Diagnostic>) {
    let mut starts = program
        .feature_sets
        .iter()
        .filter(|set| set.trigger == Trigger::Start);
    match (starts.next(), starts.next()) {
        (None, _) if scope == Scope::Whole => found.push(
            Diagnostic::without_place(Code::NoStart, "entry point not found: `Application-Start`")
                .help("add `(Application-Start: My Application) { Return an <OK: status> for the <startup>. }`"),
        ),
        (Some(first), Some(second)) if scope != Scope::Part => found.push(
            Diagnostic::new(Code::SeveralStarts, second.syntax.header, "a second `Application-Start`: these are separate applications")
                .label(first.syntax.header, "the first one")
                .help("keep one, and compile other applications from directories of their own"),
        ),
        _ => {}
    }
}

/// D1 for one file, U1 for user-defined actions of the whole program.
fn duplicates(program: &Program, scope: Scope, found: &mut Vec<Diagnostic>) {
    let mut seen: FxHashMap<(Option<u32>, Cow<'_, str>, &str), Span> = FxHashMap::default();
    for set in &program.feature_sets {
        let name = set.syntax.name.as_str();
        let action = set.trigger == Trigger::Action;
        // Calls do not distinguish `Add Two` and `AddTwo`.
        let key = match action {
            true => Cow::Owned(plain_name(name)),
            false => Cow::Borrowed(name),
        };
        if set.trigger == Trigger::Start && scope != Scope::Part {
            continue;
        }
        let file = if action { None } else { Some(set.file) };
        let activity = if name == "Application-End" {
            set.syntax.activity.as_str()
        } else {
            ""
        };
        let first = match seen.entry((file, key, activity)) {
            Entry::Occupied(first) => *first.get(),
            Entry::Vacant(place) => {
                place.insert(set.syntax.header);
                continue;
            }
        };
        let diagnostic = if action {
            Diagnostic::new(
                Code::DuplicateUserAction,
                set.syntax.header,
                format!("duplicate user-defined action `Application.{name}`"),
            )
        } else {
            Diagnostic::new(
                Code::DuplicateFeatureSet,
                set.syntax.header,
                format!("duplicate feature set name `{name}`"),
            )
        };
        found.push(
            diagnostic
                .label(first, "the first one")
                .help("give one of them another name"),
        );
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only these go by name")]
fn never_triggered(set: &FeatureSet, found: &mut Vec<Diagnostic>) {
    let words = match &set.trigger {
        Trigger::WebSocket { event: None, .. } => "`Connect`, `Message`, `Binary` or `Disconnect`",
        Trigger::Socket(None) => "`Connect`, `Data`, `Message`, `Received` or `Disconnect`",
        Trigger::File(None) => "`Created`, `Modified` or `Deleted`",
        _ => return,
    };
    let message = format!(
        "nothing triggers `{}`: its name selects no event",
        set.syntax.name
    );
    found.push(
        Diagnostic::new(Code::NeverTriggered, set.syntax.header, message)
            .help(format!("the name must contain {words}")),
    );
}

/// Q1 and Q3.
fn ends(set: &FeatureSet, scope: Scope, found: &mut Vec<Diagnostic>) {
    let name = &set.syntax.name;
    if scope == Scope::Broken || name == "Application-End" {
        return;
    }
    if set.syntax.body.statements.is_empty() {
        let message = format!("feature set `{name}` has no statements");
        found.push(
            Diagnostic::new(Code::NoStatements, set.syntax.header, message)
                .help("add a statement, or leave the feature set out"),
        );
        return;
    }
    let mut returns = false;
    walk::actions(&set.syntax.body, &mut |action, _| returns |= is_end(action));
    // A test answers nothing: what it expects is how it ends.
    if !returns && set.trigger != Trigger::Test {
        let message = format!("feature set `{name}` has no Return or Throw statement");
        found.push(
            Diagnostic::new(Code::NoReturn, set.syntax.header, message)
                .help("end it with what came of it: `Return an <OK: status> for the <result>.`"),
        );
    }
}

fn is_end(action: &Action) -> bool {
    lookup(&action.verb.text)
        .is_some_and(|known| matches!(known.kind, ActionKind::Return | ActionKind::Throw))
}

/// Whether nothing runs behind the statement in its block.
pub(super) fn always_ends(statement: &Statement) -> bool {
    if let Statement::Action(action) = statement {
        return is_end(action) && action.when.is_none();
    }
    matches!(statement, Statement::Break(_))
}

/// Q2, once for each block.
fn unreachable(block: &Block, in_while: bool, found: &mut Vec<Diagnostic>) {
    let ends = |statement: &Statement| {
        always_ends(statement) && (in_while || !matches!(statement, Statement::Break(_)))
    };
    if let Some(at) = block.statements.iter().position(ends)
        && let (Some(end), Some(next)) = (block.statements.get(at), block.statements.get(at + 1))
    {
        found.push(
            Diagnostic::new(
                Code::Unreachable,
                span_of(next),
                "this statement never runs",
            )
            .label(span_of(end), "nothing behind this runs"),
        );
    }
    for statement in &block.statements {
        let in_while = in_while || matches!(statement, Statement::While(_));
        walk::blocks(statement, &mut |inner| unreachable(inner, in_while, found));
    }
}

/// A `break` needs a `while` around it, through any other block.
fn breaks(block: &Block, in_while: bool, found: &mut Vec<Diagnostic>) {
    for statement in &block.statements {
        if let Statement::Break(span) = statement
            && !in_while
        {
            found.push(
                Diagnostic::new(Code::BreakOutsideWhile, *span, "`break` outside a `while` loop")
                    .help("`break` leaves the nearest `while`; to leave the feature set write `Return an <OK: status>.`"),
            );
        }
        let in_while = in_while || matches!(statement, Statement::While(_));
        walk::blocks(statement, &mut |inner| breaks(inner, in_while, found));
    }
}

fn span_of(statement: &Statement) -> Span {
    match statement {
        Statement::Action(action) => action.span,
        Statement::Pipeline(stages) => {
            let ends = stages.first().zip(stages.last());
            ends.map_or_else(Span::default, |(first, last)| first.span.to(last.span))
        }
        Statement::Publish(publish) => publish.span,
        Statement::Require(require) => require.span,
        Statement::Match(one) => one.span,
        Statement::If(one) => one.span,
        Statement::ForEach(one) => one.span,
        Statement::Range(one) => one.span,
        Statement::While(one) => one.span,
        Statement::Break(span) => *span,
    }
}
