//! Verbs: known ones with their prepositions, calls of user-defined actions, and what may not stand inside these.

use super::Scope;
use crate::actions::{self, ActionKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{FeatureSet, Program, Trigger, store_target};
use crate::syntax::ast::{Action, Operand, Preposition};
use crate::syntax::walk;

/// Names that only the trigger of a feature set provides, in small letters: an action sees its `<input>` instead.
const FRAMEWORK_NAMES: &[&str] = &[
    "request",
    "response",
    "event",
    "pathparameters",
    "queryparameters",
];

pub(super) fn check(program: &Program, scope: Scope, found: &mut Vec<Diagnostic>) {
    for set in &program.feature_sets {
        walk::actions(&set.syntax.body, &mut |action, _| {
            verb(program, scope, action, found);
            repository(program, action, found);
            if set.trigger == Trigger::Action {
                framework(set, action, found);
            }
        });
    }
}

fn verb(program: &Program, scope: Scope, action: &Action, found: &mut Vec<Diagnostic>) {
    let text = action.verb.text.as_str();
    match actions::lookup(text) {
        Some(known) if known.kind == ActionKind::Process && !defines(program, text) => found.push(
            Diagnostic::new(Code::UnknownVerb, action.verb.span, format!("`{text}` is no built-in action: it copies its object"))
                .help("define what it does: `(Process: Action takes <value>) { … }`, called as `Application.Process`"),
        ),
        Some(known) if known.kind != ActionKind::Process => preposition(known, action, found),
        None if !text.starts_with("Application.") && !defines(program, text) => {
            let mut unknown = Diagnostic::new(Code::UnknownVerb, action.verb.span, format!("unknown action verb `{text}`"))
                .label(action.verb.span, "no built-in action, and no action of this program");
            if let Some(near) = actions::suggest(text) {
                unknown = unknown.help(format!("did you mean `{near}`?"));
            }
            found.push(unknown);
        }
        Some(_) | None => user_action(program, scope, action, found),
    }
}

/// Whether the program has an action of the name of a verb.
fn defines(program: &Program, verb: &str) -> bool {
    program.user_action(verb).is_some()
}

fn preposition(known: &actions::Action, action: &Action, found: &mut Vec<Diagnostic>) {
    let Some(object) = &action.object else { return };
    // `Read the <file: "p"> with { … }.`: what follows is a clause, and the result doubles as the object (EXT-14).
    if known.takes.contains(&object.preposition)
        || known.takes.is_empty()
        || actions::doubling(action).is_some()
    {
        return;
    }
    let words: Vec<String> = known
        .takes
        .iter()
        .map(|one| format!("`{}`", one.as_str()))
        .collect();
    let message = format!(
        "`{}` does not take `{}`",
        action.verb.text,
        object.preposition.as_str()
    );
    found.push(
        Diagnostic::new(Code::WrongPreposition, object.span, message)
            .label(object.span, format!("expected {}", words.join(" or ")))
            .help(format!("it takes {}", words.join(", "))),
    );
}

/// U2 and U3.
fn user_action(program: &Program, scope: Scope, action: &Action, found: &mut Vec<Diagnostic>) {
    let text = action.verb.text.as_str();
    let Some(called) = program.user_action(text) else {
        if scope == Scope::Whole {
            let known: Vec<String> = program
                .user_actions
                .values()
                .filter_map(|index| program.feature_sets.get(*index))
                .map(|set| format!("`Application.{}`", set.syntax.name.replace([' ', '-'], "")))
                .collect();
            let unknown = Diagnostic::new(
                Code::UnknownUserAction,
                action.verb.span,
                format!("unknown user-defined action `{text}`"),
            )
            .label(action.verb.span, "no feature set defines it");
            let near = super::nearest(text, known.iter().map(|name| name.trim_matches('`')));
            found.push(match near {
                Some(near) => unknown.help(format!("did you mean `{near}`?")),
                None if known.is_empty() => unknown.help(format!(
                    "define it: `({}: Action) {{ … }}`",
                    text.trim_start_matches("Application.")
                )),
                None => unknown.help(format!("known are {}", known.join(", "))),
            });
        }
        return;
    };
    let from = action
        .object
        .as_ref()
        .filter(|object| object.preposition == Preposition::From);
    if let Some(object) = from
        && called.syntax.takes.is_none()
    {
        let name = &called.syntax.name;
        found.push(
            Diagnostic::new(
                Code::CallWithoutTakes,
                object.span,
                format!("cannot call `{text}` with `from`: it takes no value"),
            )
            .label(called.syntax.header, "defined here")
            .help(format!(
                "write `({name}: Action takes <value>)`, or call it `with {{ … }}`"
            )),
        );
    }
}

/// U4.
fn framework(set: &FeatureSet, action: &Action, found: &mut Vec<Diagnostic>) {
    for object in action.object.iter().chain(&action.extra) {
        let Operand::Noun(noun) = &object.operand else {
            continue;
        };
        if FRAMEWORK_NAMES.contains(&noun.base.to_lowercase().as_str()) {
            let message = format!(
                "framework variable `<{}>` is not available inside a user-defined action",
                noun.base
            );
            found.push(
                Diagnostic::new(Code::FrameworkName, noun.span, message)
                    .label(set.syntax.header, "in this action")
                    .help("pass what it needs with the call and read it from `<input>`"),
            );
        }
    }
}

/// Storing into a variable has no effect (actions Q-47).
fn repository(program: &Program, action: &Action, found: &mut Vec<Diagnostic>) {
    let Some(target) = store_target(action).filter(|target| !program.is_repository(&target.base))
    else {
        return;
    };
    let message = format!(
        "`{}` is a variable here, no repository: nothing is stored",
        target.base
    );
    found.push(
        Diagnostic::new(Code::NotARepository, target.span, message).help(format!(
            "a repository has a name of its own, for example `<{}-repository>`",
            target.base
        )),
    );
}
