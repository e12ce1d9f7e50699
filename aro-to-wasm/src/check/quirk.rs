//! What the language does otherwise than a reader may think. Nothing is wrong with such a program, so only a check says it, not a build.

use crate::actions::{ActionKind, lookup};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::{Action, Expression, ExpressionKind, Noun, Target};
use crate::syntax::walk;

/// What the qualifier of Compute's result may say (actions 7.2), and the words that are accepted beside it.
const OPERATIONS: &[&str] = &[
    "hash",
    "length",
    "count",
    "size",
    "uppercase",
    "lowercase",
    "trim",
    "identity",
    "clip",
    "take",
    "date",
    "format",
    "distance",
    "intersect",
    "difference",
    "union",
    "markdown",
    "sum",
    "avg",
    "average",
    "min",
    "max",
    "first",
    "last",
    "reverse",
    "sort",
    "unique",
    "round",
    "floor",
    "ceil",
    "abs",
    "sqrt",
    "random",
    "uuid",
    "concat",
    "replace",
    "contains",
    "startswith",
    "capitalize",
    "encode",
    "decode",
    "base64",
    "json",
    "keys",
    "values",
    "timestamp",
];

pub(crate) fn check(program: &Program, found: &mut Vec<Diagnostic>) {
    for set in &program.feature_sets {
        walk::actions(&set.syntax.body, &mut |action, _| {
            let kind = lookup(&action.verb.text).map(|known| known.kind);
            if let Target::Noun(result) = &action.result {
                match kind {
                    Some(ActionKind::Compute) => operation(result, found),
                    Some(ActionKind::Extract) => element(action, result, found),
                    Some(_) | None => {}
                }
            }
            walk::expressions(action, &mut |one| index(one, found));
        });
    }
}

/// A misspelt operation returns its input unchanged.
fn operation(result: &Noun, found: &mut Vec<Diagnostic>) {
    let Some([word]) = result
        .qualifier
        .as_ref()
        .map(|one| one.specifiers.as_slice())
    else {
        return;
    };
    let small = word.to_lowercase();
    if OPERATIONS.contains(&small.as_str()) || !small.chars().all(char::is_alphabetic) {
        return;
    }
    if let Some(near) = super::nearest(&small, OPERATIONS.iter().copied()) {
        let message =
            format!("`{word}` is no operation of Compute: the input is taken over as it is");
        let warning = Diagnostic::new(Code::UnknownOperation, result.span, message);
        found.push(warning.help(format!("did you mean `<{}: {near}>`?", result.base)));
    }
}

/// `Extract the <x: 0> from the <list>.`
fn element(action: &Action, result: &Noun, found: &mut Vec<Diagnostic>) {
    let Some(qualifier) = &result.qualifier else {
        return;
    };
    let numbers = qualifier
        .text
        .chars()
        .all(|one| one.is_ascii_digit() || matches!(one, '-' | ','));
    if qualifier.quoted || !numbers || !qualifier.text.starts_with(|one: char| one.is_ascii_digit())
    {
        return;
    }
    let message = format!(
        "`{}` counts from the end of the list: 0 is its last element",
        qualifier.text
    );
    found.push(
        Diagnostic::new(Code::CountsFromEnd, result.span, message).help(format!(
            "`{} the <{}: first>` takes the first element",
            action.verb.text, result.base
        )),
    );
}

/// `<list>[0]`
fn index(expression: &Expression, found: &mut Vec<Diagnostic>) {
    let mut say = |span: Span, number: i64| {
        let message =
            format!("`[{number}]` counts from the end of the list: `[0]` is its last element");
        found.push(
            Diagnostic::new(Code::CountsFromEnd, span, message)
                .help("`Extract the <x: first> from the <list>.` takes the first element"),
        );
    };
    walk::parts(expression, &mut |one| {
        if let ExpressionKind::Index(_, index) = &one.kind
            && let ExpressionKind::Int(number) = index.kind
        {
            say(one.span, number);
        }
    });
}
