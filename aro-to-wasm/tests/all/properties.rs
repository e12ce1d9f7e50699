//! Whatever the input: no panic, no hang, and every place lies inside the text between two characters.

use crate::generate;
use aro_to_wasm::format::{FormatError, Verbs, format};
use aro_to_wasm::source::{SourceFile, Span};
use aro_to_wasm::syntax::parse;
use aro_to_wasm::{Input, compile, diagnostic, lint};
use proptest::prelude::*;

const PROGRAM: &str = r#"import ../shared
(Application-Start: Relay) {
    Listen on port 9000 as <relay>.
    <Create> the <l: Map<String, List<User>>> with { type: "a", x-y: [1, -2.5e3, 0xFF], 'raw': """
        block
        """ }.
    Log "a ${<m>.k + 1} é ${unit-price}" to the <console> when <c> == "x" or "y".
    Return an <OK: status> for the <startup> with <d>.
}
(Talk: DataReceived Handler<server:relay>) when <event: n> >= 3 {
    Parse the <m: JSON> from the <event: data> |> Log <m> to <console>.
    match <m: kind> { case "a" { break. } case /b+/i where <m> is not empty { } otherwise { } }
    if <m> is success then { Wait for 5 seconds. } else if not <m> exists { Store the <m> in the <r> with id <i>. } else { }
    parallel for each <x> at <i> in <m: list> with <concurrency: 4> where <x> > 1 { Compute the <d> from <p>/<q>/<r>. }
    for <i> from 0 to 10 { Read the <f> from the <file: ./a/b.txt>. }
    while not <done> { Retrieve the <o> from the <x-repository> where id = 5 and <k> != "v" by /,/ default {} when <go>. }
    Publish as <a> <b>. Require the <x> from the <environment>. (* é *)
}
"#;

fn whole(files: &[SourceFile], span: Span) -> bool {
    let text = &files[span.file as usize].text;
    text.get(span.start as usize..span.end as usize).is_some()
}

fn survives(source: &str) {
    let files = vec![SourceFile {
        path: "main.aro".to_owned(),
        text: source.to_owned(),
    }];
    let checked = lint(files, true);
    for found in &checked.diagnostics {
        for span in found
            .primary
            .iter()
            .chain(found.labels.iter().map(|(span, _)| span))
        {
            assert!(whole(&checked.files, *span), "{found:?} in {source:?}");
        }
    }
    let few = checked.diagnostics.get(..3).unwrap_or(&checked.diagnostics);
    drop(diagnostic::render(few, &checked.files, false));
    for set in &parse(0, source).program.feature_sets {
        assert!(whole(&checked.files, set.span) && whole(&checked.files, set.header));
    }
}

/// Compiles, and validates what comes out.
fn compiles_or_says_why(source: &str) -> bool {
    let file = SourceFile {
        path: "main.aro".to_owned(),
        text: source.to_owned(),
    };
    let input = Input {
        name: "fuzzed".to_owned(),
        files: vec![file],
        ..Input::default()
    };
    let compiled = compile(input).unwrap();
    let Some(artifact) = compiled.artifact else {
        assert!(compiled.diagnostics.iter().any(|one| one.is_error()));
        return false;
    };
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&artifact.bytes)
        .unwrap_or_else(|error| panic!("{error}:\n{source}"));
    true
}

/// Cuts and inserts at any place between two characters.
fn damaged(program: &str, at: usize, cut: usize, insert: &str) -> String {
    let at = at % program.len();
    let start = (0..=at)
        .rev()
        .find(|at| program.is_char_boundary(*at))
        .unwrap_or(0);
    let end = (start + cut..program.len())
        .find(|at| program.is_char_boundary(*at))
        .unwrap_or(program.len());
    format!("{}{insert}{}", &program[..start], &program[end..])
}

/// Programs that compile.
const COMPILED: [&str; 4] = [
    include_str!("../fixtures/emit/ok/echo.aro"),
    include_str!("../fixtures/emit/ok/state.aro"),
    include_str!("../fixtures/emit/ok/control.aro"),
    include_str!("../fixtures/emit/ok/action.aro"),
];

#[test]
fn the_undamaged_programs_compile() {
    assert!(COMPILED.iter().all(|program| compiles_or_says_why(program)));
}

#[test]
fn the_program_is_correct() {
    let parsed = parse(0, PROGRAM);
    assert!(parsed.diagnostics.is_empty(), "{:#?}", parsed.diagnostics);
}

#[test]
fn deep_nesting_is_a_diagnostic() {
    let deep = 100_000;
    let statement = |inside: String| format!("(A: B) {{ Compute the <x> from {inside}. }}");
    let sources = [
        statement("(".repeat(deep)),
        statement("[".repeat(deep)),
        statement("{a:".repeat(deep)),
        statement("not ".repeat(deep)),
        statement("- ".repeat(deep)),
        statement(format!("1{}", " + 1".repeat(deep))),
        statement(format!("<a>{}", ".b".repeat(deep))),
        statement(format!("<a>{}", "[0]".repeat(deep))),
        statement(format!("<a>{}", " is 1".repeat(deep))),
        statement(format!("<a> where b = 1{}", " and b = 1".repeat(deep))),
        statement(format!("<a> where b = 1{}", " or b = 1".repeat(deep))),
        format!("(A: B) {{ {} }}", "if a { ".repeat(deep)),
        format!("(A: B) {{ if a {{ }} {} }}", "else if a { } ".repeat(deep)),
        format!("(A: B) {{ {} }}", "match <a> { case 1 { ".repeat(deep)),
        format!("(A: B) {{ {} }}", "when a ".repeat(deep)),
        format!("(A: B) {{ Create the <x: {}> with 1. }}", "A<".repeat(deep)),
        "(A: B) {".repeat(deep),
        "!".repeat(deep),
        "(".repeat(deep),
    ];
    for source in sources {
        assert!(
            parse(0, &source)
                .diagnostics
                .iter()
                .any(|found| found.is_error()),
            "{}",
            &source[..60]
        );
        survives(&source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_survives(source in "\\PC*") {
        survives(&source);
    }

    #[test]
    fn any_tokens_survive(words in prop::collection::vec(prop::sample::select(vec![
        "(", ")", "{", "}", "<", ">", "[", "]", ":", ".", "-", ",", "|>", "|", "+", "++", "=", "==", "!=", ">=", "<=", "/", "*", "%",
        "the", "an", "from", "to", "with", "for", "in", "where", "when", "is", "not", "and", "or", "exists", "empty", "match", "case",
        "otherwise", "if", "else", "then", "each", "while", "break", "Publish", "Require", "as", "Log", "Return", "Extract", "a-b", "x",
        "5", "-1", "2.5", "\"t\"", "\"${x}\"", "'r'", "/re/", "\n", "\r\n", "console", "(A: B) {", "<x>", "<x: y>", "seconds", "é", "\"",
    ]), 0..60)) {
        survives(&words.join(" "));
        survives(&format!("(A: B) {{ {} }}", words.join(" ")));
    }

    #[test]
    fn a_damaged_program_survives(at in 0..PROGRAM.len(), cut in 0..40_usize, insert in "[<>(){}\\[\\].:\"'/a-zA-Z0-9 \r\n$é*]{0,6}") {
        survives(&damaged(PROGRAM, at, cut, &insert));
        survives(&PROGRAM.replace('\n', "\r\n")[..].replacen("\r\n", &insert, 1 + cut % 5));
    }

    #[test]
    fn any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_damaged_program_compiles_to_something_valid_or_not_at_all(which in 0..4_usize, at in any::<u16>(), cut in 0..30_usize, insert in "[<>(){}.:\"'a-z0-9 \n$-]{0,5}") {
        compiles_or_says_why(&damaged(COMPILED[which], at.into(), cut, &insert));
    }

    #[test]
    fn a_damaged_program_is_formatted_or_refused(source in generate::program(), at in any::<u16>(), cut in 0..30_usize, insert in "[<>(){}\\[\\].:\"'/a-zA-Z0-9 \r\n$é*]{0,6}") {
        let source = damaged(&source, at.into(), cut, &insert);
        for verbs in [Verbs::AsWritten, Verbs::Bare] {
            match format(&source, verbs) {
                Ok(text) => prop_assert_eq!(&format(&text, verbs).unwrap(), &text, "from\n{}", source),
                Err(FormatError::Broken(found)) => prop_assert!(!found.is_empty()),
                Err(error) => panic!("{error}:\n{source}"),
            }
        }
    }

    #[test]
    fn any_program_is_checked_and_compiled_without_panic(source in generate::program()) {
        survives(&source);
        compiles_or_says_why(&source);
    }
}
