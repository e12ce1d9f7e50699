//! Whatever the input: no panic, no hang, and every place lies inside the text between two characters.

use aro_to_wasm::source::{SourceFile, Span};
use aro_to_wasm::syntax::parse;
use aro_to_wasm::{diagnostic, front};
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
    let checked = front(files, true);
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
    fn a_damaged_program_survives(at in 0..PROGRAM.len(), cut in 0..40_usize, insert in "[<>(){}\\[\\].:\"'/a-zA-Z0-9 \r\n$é]{0,6}") {
        let start = (0..=at).rev().find(|at| PROGRAM.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + cut..PROGRAM.len()).find(|at| PROGRAM.is_char_boundary(*at)).unwrap_or(PROGRAM.len());
        survives(&format!("{}{insert}{}", &PROGRAM[..start], &PROGRAM[end..]));
        survives(&PROGRAM.replace('\n', "\r\n")[..].replacen("\r\n", &insert, 1 + cut % 5));
    }
}
