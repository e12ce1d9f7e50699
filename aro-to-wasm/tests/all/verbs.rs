//! No verb is left out: every verb of the table, in every form that statements may have, compiles.

use aro_to_wasm::actions::{ACTIONS, Action, doubles, lookup};
use aro_to_wasm::diagnostic::{Code, Diagnostic};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Compiled, DIAGNOSTICS_MAX, Input, compile, front};
use std::collections::BTreeSet;

/// What stands in the result position: the verb decides what it means.
const RESULTS: &[&str] = &[
    "the <fresh>",
    "the <fresh: name>",
    "the <fresh: User>",
    "the <fresh: first>",
    "the <fresh: 0>",
    "the <fresh: a.b>",
    "the <fresh: List<User>>",
    "the <fresh: \"quoted\">",
    "the <fresh: json>",
    "the <fresh: json|length>",
    "the <fresh: date>",
    "the <fresh: +7d>",
    "the <fresh: date-range>",
    "the <fresh: recurrence>",
    "the <fresh: format>",
    "the <fresh: distance>",
    "the <fresh: markdown>",
    "the <fresh: a_to_b>",
    "the <fresh> as Integer",
    "the <map>",
    "the <map: name>",
    "the <length>",
    "a <Fresh: event>",
    "\"text\"",
    "<map>",
    "5 + 1",
    "",
];

/// What follows the preposition.
const OBJECTS: &[&str] = &[
    "the <map>",
    "<map>",
    "the <map: name>",
    "<map: name>",
    "the <unbound>",
    "the <users-repository>",
    "<users-repository>",
    "the <users-repository: first>",
    "the <event>",
    "the <event: user.name>",
    "the <env: HOME>",
    "the <parameter: port>",
    "the <stdin>",
    "the <file: \"./a.txt\">",
    "the <template: mail.txt>",
    "the <host: \"localhost\">",
    "\"a text\"",
    "\"./a.txt\"",
    "\"with ${<map: name>}\"",
    "5",
    "5 seconds",
    "port 9000",
    "true",
    "null",
    "[1, 2]",
    "{ name: \"Ida\", age: 41 }",
    "<list> ++ \"x\"",
    "<now>",
    "map",
];

/// What follows the object.
const CLAUSES: &[&str] = &[
    "",
    " with \"x\"",
    " with <list>",
    " with { name: \"Ida\" }",
    " with sum(<age>)",
    " with regex \"a+\"",
    " to <now>",
    " where <id> is \"1\"",
    " where id = <map> and name contains \"x\" or age > 3",
    " by \"name\"",
    " by <name>",
    " by /a+/i",
    " default 5",
    " as <other>",
    " when <map: name> is \"Ida\"",
];

/// A verb with every result and every object, and with every clause.
fn statements(action: &Action) -> Vec<String> {
    let verb = format!("{}{}", action.verb[..1].to_uppercase(), &action.verb[1..]);
    let mut statements = Vec::new();
    for result in RESULTS {
        statements.push(format!("{verb} {result}."));
        for preposition in action.takes {
            let preposition = preposition.as_str();
            let objects = OBJECTS.iter();
            statements
                .extend(objects.map(|object| format!("{verb} {result} {preposition} {object}.")));
        }
        let preposition = action.takes.first().map_or("with", |first| first.as_str());
        for clause in CLAUSES {
            let objects = [
                "the <map>",
                "<list>",
                "the <users-repository>",
                "\"a text\"",
            ];
            statements.extend(
                objects.map(|object| format!("{verb} {result} {preposition} {object}{clause}.")),
            );
        }
    }
    statements
}

/// Each statement in a handler of its own, and where each handler begins.
fn program(statements: &[String]) -> (Vec<SourceFile>, Vec<u32>) {
    let mut text = String::from("(Application-Start: T) { Return an <OK: status> for the <x>. }\n");
    let mut starts = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        starts.push(text.len() as u32);
        text.push_str(&format!(
            "(F{index}: E{index} Handler) {{ Create the <map> with {{ name: \"Ida\" }}. Create the <list> with [1]. {statement} }}\n"
        ));
    }
    let path = "main.aro".to_owned();
    (vec![SourceFile { path, text }], starts)
}

/// The statements that have none of these errors, and the messages of the errors.
fn without(
    statements: &[String],
    starts: &[u32],
    found: &[Diagnostic],
) -> (Vec<String>, Vec<(Code, String)>) {
    let mut wrong = BTreeSet::new();
    let mut messages = Vec::new();
    for one in found.iter().filter(|one| one.is_error()) {
        let at = one.primary.unwrap().start;
        let index = starts.partition_point(|start| *start <= at) - 1;
        wrong.insert(index);
        messages.push((one.code, format!("{}: {}", statements[index], one.message)));
    }
    let kept = statements.iter().enumerate();
    let kept = kept.filter(|(index, _)| !wrong.contains(index));
    (
        kept.map(|(_, statement)| statement.clone()).collect(),
        messages,
    )
}

/// Whether a statement is one whose result doubles as its object (EXT-14), so that no form of it is refused.
fn is_doubled(statement: &str) -> bool {
    let Some((verb, rest)) = statement.split_once(' ') else {
        return false;
    };
    let is_alone = rest.starts_with("the <") && rest.ends_with(">.") && !rest.contains("> ");
    is_alone && lookup(verb).is_some_and(|known| doubles(known.kind).is_some())
}

/// The form that a diagnostic shows as an example.
fn example(one: &Diagnostic) -> Option<String> {
    let shown = one
        .help
        .iter()
        .find_map(|help| help.strip_prefix("it is used as in `"));
    Some(shown?.trim_end_matches('`').to_owned())
}

fn compiled(statements: &[String]) -> (Compiled, Vec<u32>) {
    let (files, starts) = program(statements);
    let input = Input {
        name: "verbs".to_owned(),
        files,
        ..Input::default()
    };
    (compile(input).unwrap(), starts)
}

/// Statements that read; what is refused while they are lowered is refused as a form that ARO does not have, and the others compile. Answers the forms that were shown for those refused.
fn compiles(statements: &[String]) -> BTreeSet<String> {
    let (files, starts) = program(statements);
    let checked = front(files, true);
    assert!(
        checked.diagnostics.len() < DIAGNOSTICS_MAX,
        "smaller programs are needed"
    );
    let (read, _) = without(statements, &starts, &checked.diagnostics);
    let (lowered, starts) = compiled(&read);
    let (sound, messages) = without(&read, &starts, &lowered.diagnostics);
    let left_out: Vec<_> = messages
        .iter()
        .filter(|(code, message)| {
            let statement = message
                .split_once(".: ")
                .map_or("", |(statement, _)| statement);
            let is_no_form = *code == Code::UnsupportedForm || *code == Code::InvalidPort;
            !is_no_form || is_doubled(&format!("{statement}."))
        })
        .collect();
    assert!(left_out.is_empty(), "{left_out:#?}");
    let (whole, _) = compiled(&sound);
    assert!(whole.artifact.is_some(), "{:#?}", whole.diagnostics);
    lowered.diagnostics.iter().filter_map(example).collect()
}

#[test]
fn every_form_of_every_verb_compiles_or_is_no_form() {
    let mut seen = BTreeSet::new();
    let mut examples = BTreeSet::new();
    for action in ACTIONS {
        // Of every fifth form all results, objects and clauses are seen; what a verb has in common with another of its kind is seen there.
        let step = if seen.insert(action.kind) { 5 } else { 43 };
        let doubled = statements(action).into_iter().filter(|one| is_doubled(one));
        let sampled = statements(action).into_iter().step_by(step);
        let all: BTreeSet<String> = doubled.chain(sampled).collect();
        for part in all.into_iter().collect::<Vec<_>>().chunks(100) {
            examples.extend(compiles(part));
        }
    }
    // What a diagnostic shows is a form that there is.
    let examples: Vec<String> = examples.into_iter().collect();
    let (shown, _) = compiled(&examples);
    assert!(shown.artifact.is_some(), "{:#?}", shown.diagnostics);
}

#[test]
fn no_rule_is_asked_for_where_a_schema_judges() {
    let text = "(Application-Start: T) {
    Create the <order> with { id: 1 }.
    Validate the <order: strictly> for the <Order>.
    Validate the <order: strictly> for the <Elsewhere>.
    Return an <OK: status> for the <startup>.
}";
    let contract = "openapi: 3.1.0
info: { title: T, version: '1' }
paths: {}
components: { schemas: { Order: { type: object } } }
";
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let compiled = compile(Input {
        name: "rules".to_owned(),
        files: vec![file("main.aro", text)],
        contract: Some(file("openapi.yaml", contract)),
        ..Input::default()
    });
    let found = compiled.unwrap().diagnostics;
    let rules = found.iter().filter(|one| one.code == Code::UnknownRule);
    let places: Vec<u32> = rules.map(|one| one.primary.unwrap().start).collect();
    let elsewhere = text.rfind("<order: strictly>").unwrap() as u32;
    assert_eq!(places, [elsewhere], "{found:#?}");
}
