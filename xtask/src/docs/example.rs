//! A program for each diagnostic code, and what the compiler says about it.

use std::fmt::Write;

use aro_to_wasm::diagnostic::{Code, render};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Input, compile, lint};

/// The section of a code: its program and the drawing; empty if no program shows it.
pub(crate) fn shown(code: Code) -> String {
    let mut text = String::new();
    if code == Code::FileTooLarge {
        let limit = aro_to_wasm::syntax::parser::SOURCE_BYTES_MAX >> 20;
        write!(text, "\nFiles of more than {limit} MiB are not read.\n")
            .expect("a string takes everything");
        return text;
    }
    let program = if code == Code::TooDeep {
        deep()
    } else {
        let row = PROGRAMS.iter().find(|(known, _)| *known == code);
        row.map_or_else(String::new, |(_, program)| (*program).to_owned())
    };
    let drawn = drawn(code, &program);
    if drawn.is_empty() {
        return drawn;
    }
    // Files end their lines without white space.
    let drawn: Vec<&str> = drawn.lines().map(str::trim_end).collect();
    write!(
        text,
        "\n```aro\n{}\n```\n\n```text\n{}\n```\n",
        program.trim_end(),
        drawn.join("\n").trim_end()
    )
    .expect("a string takes everything");
    text
}

/// The line between a program and its contract.
const CONTRACT: &str = "(* openapi.yaml: *)";
/// The line between a program and its store file.
const STORE: &str = "(* item.store: *)";
/// The line between a program and its template.
const TEMPLATE: &str = "(* templates/page.html: *)";

/// What is said with `code`, by a check or else by a build.
fn drawn(code: Code, program: &str) -> String {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    // A template or a contract stands behind its program, under its path.
    let split = |mark| match program.split_once(mark) {
        Some((text, rest)) => (text, Some(rest)),
        None => (program, None),
    };
    let (text, template) = split(TEMPLATE);
    let (text, store) = match split(STORE) {
        (_, None) => (text, None),
        found => found,
    };
    let (text, contract) = match split(CONTRACT) {
        (text, Some(contract)) => (text, Some(contract)),
        (_, None) => (text, None),
    };
    let checked = lint(vec![file("main.aro", text)], true);
    let (mut found, mut files) = (checked.diagnostics, vec![file("main.aro", text)]);
    found.retain(|one| one.code == code);
    if found.is_empty() {
        let input = Input {
            name: "main".to_owned(),
            files: files.clone(),
            templates: template
                .map(|text| file("templates/page.html", text.trim_start()))
                .into_iter()
                .collect(),
            stores: store
                .map(|text| file("item.store", text.trim_start()))
                .into_iter()
                .collect(),
            contract: contract.map(|text| file("openapi.yaml", text.trim_start())),
            ..Input::default()
        };
        if let Ok(compiled) = compile(input) {
            (found, files) = (compiled.diagnostics, compiled.files);
            found.retain(|one| one.code == code);
        }
    }
    found.truncate(1);
    render(&found, &files, false)
}

fn deep() -> String {
    let (open, close) = ("(".repeat(205), ")".repeat(205));
    format!("(Application-Start: Shop) {{\n    Compute the <x> from\n{open}1{close}.\n}}\n")
}

/// Each shows its code, whatever else it shows.
#[rustfmt::skip] // Programs keep their lines.
const PROGRAMS: &[(Code, &str)] = &[
    (Code::UnknownSchema, r#"(Application-Start: Shop) {
    Create the <data> with { name: "Ida" }.
    Extract the <user: Usr> from the <data>.
    Log <user> to the <console>.
    Return an <OK: status> for the <startup>.
}
(* openapi.yaml: *)
openapi: 3.1.0
info: { title: Shop, version: '1' }
paths: {}
components:
  schemas:
    User: { type: object }
"#),
    (Code::StoreFile, r#"(Application-Start: Shop) {
    Retrieve the <items> from the <item-repository>.
    Return an <OK: status> with <items>.
}
(* item.store: *)
- id: a
  price: [9
"#),
    (Code::UnexpectedCharacter, r#"(Application-Start: Shop) {
    Log "a" to the <console> when <x> # 1.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnterminatedText, r#"(Application-Start: Shop) {
    Log "hello to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::InvalidEscape, r#"(Application-Start: Shop) {
    Log "C:\path" to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::InvalidUnicodeEscape, r#"(Application-Start: Shop) {
    Log "\u{110000}" to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::InvalidNumber, r#"(Application-Start: Shop) {
    Compute the <big> from 99999999999999999999.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::InvalidBlockText, r#"(Application-Start: Shop) {
    Create the <text> with """first line
        second line
        """.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnexpectedToken, r#"(Application-Start: Shop) {
    Log "hi" <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::MissingName, r#"(: Shop) {
    Return an <OK: status>.
}
"#),
    (Code::MissingActivity, r#"(Price Quote: ) {
    Return an <OK: status>.
}
"#),
    (Code::Unclosed, r#"(Application-Start: Shop) {
    Return an <OK: status>.
"#),
    (Code::ClauseOrder, r#"(Application-Start: Shop) {
    Retrieve the <users> from the <user-repository> when <ready> where id = 1.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::LowerCaseVerb, r#"(Application-Start: Shop) {
    log "hi" to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnsupportedForm, r#"(Application-Start: Shop) {
    match <kind> {
        case "a": Log "a" to the <console>.
    }
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::DuplicateFeatureSet, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Mail: OrderPaid Handler) {
    Return an <OK: status>.
}

(Mail: OrderSent Handler) {
    Return an <OK: status>.
}
"#),
    (Code::Rebinding, r#"(Application-Start: Shop) {
    Create the <total> with 1.
    Create the <total> with 2.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::PublishUndefined, r#"(Application-Start: Shop) {
    Create the <settings> with {}.
    Publish as <config> <setings>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::EventCycle, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(One: Ping Handler) {
    Emit a <Pong: event> with {}.
    Return an <OK: status>.
}

(Two: Pong Handler) {
    Emit a <Ping: event> with {}.
    Return an <OK: status>.
}
"#),
    (Code::DuplicateUserAction, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Scale: Action takes <n>) {
    Return an <OK: status> with <input>.
}

(Scale: Action takes <n>) {
    Return an <OK: status> with <input>.
}
"#),
    (Code::UnknownUserAction, r#"(Application-Start: Shop) {
    Application.Scale the <large> from 5.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::CallWithoutTakes, r#"(Application-Start: Shop) {
    Application.Scale the <large> from 5.
    Log <large> to the <console>.
    Return an <OK: status> for the <startup>.
}

(Scale: Action) {
    Return an <OK: status> with <input>.
}
"#),
    (Code::FrameworkName, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Scale: Action takes <n>) {
    Extract the <body> from the <request: body>.
    Return an <OK: status> with <body>.
}
"#),
    (Code::BreakOutsideWhile, r#"(Application-Start: Shop) {
    break.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::NoStart, r#"(Mail: OrderPaid Handler) {
    Return an <OK: status>.
}
"#),
    (Code::SeveralStarts, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Application-Start: Other) {
    Return an <OK: status>.
}
"#),
    (Code::UnknownRule, r#"(Application-Start: Shop) {
    Create the <address> with "ida@example.org".
    Validate the <ok: postal> for the <address>.
    Log <ok> to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnknownEvent, r#"(Application-Start: Shop) {
    Listen on port 9000 as <shop>.
    Return an <OK: status> for the <startup>.
}

(Answer: DataRecieved Handler) {
    Return an <OK: status>.
}
"#),
    (Code::Contract, r#"(Application-Start: Shop) {
    Start the <http-server> with {}.
    Return an <OK: status> for the <startup>.
}

(* openapi.yaml: *)
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /orders:
    get:
      responses: { "200": { description: all orders } }
"#),
    (Code::MissingOperation, r#"(Application-Start: Shop) {
    Start the <http-server> with {}.
    Return an <OK: status> for the <startup>.
}

(* openapi.yaml: *)
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /orders:
    get:
      operationId: listOrders
      responses: { "200": { description: all orders } }
"#),
    (Code::Template, r#"(Application-Start: Shop) {
    Transform the <page> from the <template: page.html>.
    Return an <OK: status> for the <startup>.
}

(* templates/page.html: *)
<ul>
{{ for each <item> in <items> { }}
<li>{{ <item> }}</li>
</ul>
"#),
    (Code::InvalidPort, r#"(Application-Start: Shop) {
    Listen on port 70000 as <server>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::ReversedRange, r#"(Application-Start: Shop) {
    Create the <list> with [1, 2, 3].
    Extract the <some: 2-0> from the <list>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::Concurrency, r#"(Application-Start: Shop) {
    Create the <list> with [1, 2, 3].
    parallel for each <one> in <list> with <concurrency: 0> {
        Log <one> to the <console>.
    }
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UndefinedName, r#"(Application-Start: Shop) {
    Create the <customer> with "Ada".
    Log "hello ${costumer}" to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UndefinedSubject, r#"(Application-Start: Shop) {
    match <kind> {
        case "a" {
            Log "a" to the <console>.
        }
    }
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UndefinedCollection, r#"(Application-Start: Shop) {
    for each <item> in <items> {
        Log <item> to the <console>.
    }
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::NotPublished, r#"(Application-Start: Shop) {
    Require the <config> from the <settings>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnusedName, r#"(Application-Start: Shop) {
    Create the <total> with 1.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::NoStatements, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Mail: OrderPaid Handler) {}
"#),
    (Code::Unreachable, r#"(Application-Start: Shop) {
    Return an <OK: status>.
    Log "never" to the <console>.
}
"#),
    (Code::NoReturn, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Mail: OrderPaid Handler) {
    Log "paid" to the <console>.
}
"#),
    (Code::GuardedCycle, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Again: Tick Handler) {
    Emit a <Tick: event> with {} when <event: n> < 3.
    Return an <OK: status>.
}
"#),
    (Code::NoHandler, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Mail: OrderPaid Handler) {
    Emit an <OrderPayed: event> with {}.
    Return an <OK: status>.
}
"#),
    (Code::UnknownVerb, r#"(Application-Start: Shop) {
    Extarct the <name> from the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::WrongPreposition, r#"(Application-Start: Shop) {
    Create the <list> with [1].
    Filter the <some> against the <list>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::NotARepository, r#"(Application-Start: Shop) {
    Create the <user> with {}.
    Create the <users> with [].
    Store the <user> into the <users>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::CopiedComparison, r#"(Application-Start: Shop) {
    Create the <age> with 20.
    Create the <member> with true.
    Log "welcome" to the <console> when <age> > 17 and <member>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::NeverTriggered, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Whatever: WebSocket Event Handler) {
    Return an <OK: status>.
}
"#),
    (Code::IgnoredInterpolation, r#"(Application-Start: Shop) {
    Log "costs ${}" to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnterminatedComment, r#"(Application-Start: Shop) {
    Return an <OK: status>.
}
(* to be continued
"#),
    (Code::LoopRebinding, r#"(Application-Start: Shop) {
    Create the <total> with 0.
    for <i> from 0 to 3 {
        Compute the <total> from <i> * 2.
        Log <total> to the <console>.
    }
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::UnknownOperation, r#"(Application-Start: Shop) {
    Compute the <n: lenght> from "hello".
    Log <n> to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::CountsFromEnd, r#"(Application-Start: Shop) {
    Create the <list> with ["a", "b", "c"].
    Log <list>[0] to the <console>.
    Return an <OK: status> for the <startup>.
}
"#),
    (Code::NeverRun, r#"(Application-Start: Shop) {
    Return an <OK: status> for the <startup>.
}

(Orphan: Nothing) {
    Return an <OK: status>.
}
"#),
];
