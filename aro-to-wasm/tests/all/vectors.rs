//! The parse vectors of the language specification (appendix E), by number.

use crate::tree::tree;
use aro_to_wasm::syntax::parse;

fn statement(source: &str) -> String {
    format!("(T: X) {{ {source} }}")
}

fn errors(source: &str) -> Vec<String> {
    parse(0, source)
        .diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| diagnostic.message)
        .collect()
}

fn read(source: &str) -> String {
    let parsed = parse(0, source);
    assert!(
        !parsed
            .diagnostics
            .iter()
            .any(|diagnostic| diagnostic.is_error()),
        "{source}\n{:#?}",
        parsed.diagnostics
    );
    tree(&parsed.program)
}

/// Statements that read, strictly or by a leniency.
const ACCEPTED: &[(u32, &str)] = &[
    (1, r#"Log "hi" to the <console>."#),
    (2, r#"Log "hi" to console."#),
    (2, r#"Log "hi" to the console."#),
    (2, r#"Log "hi" to <console>..."#),
    (3, r#"Log the <m> for the <console> with "x"."#),
    (4, r#"<Log> the <m> for the <console> with "x"."#),
    (5, r#"LOG "x" to the <console>."#),
    (8, "Log true to the <console>."),
    (9, "Log -5 to the <console>."),
    (10, "Log (1 + 2) to the <console>."),
    (11, "Compute the <d> from <p> - 1."),
    (12, "Compute the <d> from <p> -1."),
    (12, "Compute the <d> from <p>-1."),
    (12, "Compute the <d> from 5-3."),
    (13, "Compute the <d> from <p>/<q>."),
    (14, "Compute the <d> from <p>/<q>/<r>."),
    (14, "Compute the <d> from 100/4/2."),
    (15, "Create the <c> with <user: age> + 1."),
    (16, "Create the <c> with <user-info: age> + 1."),
    (16, "Create the <c> with (<user: age> + 1)."),
    (17, r#"Create the <c> with { type: "a" }."#),
    (
        18,
        r#"Create the <c> with { "type": "a", error: 1, when: 2, x-y: [1,2,], }."#,
    ),
    (19, "Create the <c> as Integer with 5."),
    (20, "Create the <l: Map<String, List<Integer>>> with {}."),
    (21, "Create the <item-1> with 5."),
    (22, "Create the <by-role> with 5."),
    (22, "Create the <is-ok> with 5."),
    (22, "Create the <type> with 5."),
    (23, "Create the <error> with 5."),
    (23, "Create the <the-end> with 5."),
    (23, "Create the <if-then> with 5."),
    (24, "Create the <span: date-range> from <a1> to <b1>."),
    (25, "Compute the <t: +7d> from <now>."),
    (25, "Compute the <t: -1h> from <now>."),
    (26, "Extract the <x: 0-2> from the <l>."),
    (26, "Extract the <x: 0,2,4> from the <l>."),
    (26, "Extract the <x: 3> from the <l>."),
    (27, "Extract the <x> from the <request: body.name>."),
    (28, "Extract the <x> from the <request: body name>."),
    (29, "Extract the <x> from the <d: users.0.name>."),
    (30, r#"Read the <d> from the <file: "./data.bin">."#),
    (30, "Read the <d> from the <file: mail/x.tpl>."),
    (31, "Read the <d> from the <file: ./data.bin>."),
    (32, "Start the <s> on <port: 8080>."),
    (32, "Start the <s> on port."),
    (33, "Start the <s> on port 8080."),
    (34, "Sleep the <p> for 500 ms."),
    (34, "Sleep the <p> for 5s."),
    (36, "Return an <OK: status> for the <r> with <d>."),
    (37, "Return an <OK: status> with <d> for the <r>."),
    (38, "Return an <OK: status>."),
    (38, "Return an <OK: status> when <ok>."),
    (39, "Store the <a1> in the <r>."),
    (40, r#"Filter the <o> from the <i> where <s> is not "x"."#),
    (40, "Filter the <o> from the <i> where <s> not in <l>."),
    (41, r#"Filter the <o> from the <i> where s = "x"."#),
    (42, "Split the <o> from the <i> by /,/."),
    (42, r#"Split the <o> from the <i> by ","."#),
    (42, "Split the <o> from the <i> by <sep>."),
    (43, "Split the <o> from the <i> by <my-sep>."),
    (
        44,
        "Reduce the <o> from the <i> with sum(<v>) where <k> = 1.",
    ),
    (
        46,
        "Retrieve the <o> from the <x-repository> where <id> = <k> default {} when <go>.",
    ),
    (
        47,
        r#"Log "x" to the <console> when <x> exists and <y> == 1."#,
    ),
    (
        48,
        r#"Log "x" to the <console> when <y> == 1 and <x> exists."#,
    ),
    (49, r#"Log "x" to the <console> when <x> is "s"."#),
    (49, r#"Log "x" to the <console> when <x> is empty."#),
    (49, r#"Log "x" to the <console> when <x> is 5."#),
    (50, r#"Log "x" to the <console> when <x> is not null."#),
    (50, r#"Log "x" to the <console> when <x> is a Number."#),
    (51, r#"Log "x" to the <console> when n <= limit."#),
    (52, r#"Log "x" to the <console> when n < limit."#),
    (53, "Publish as <pub> <v>."),
    (54, "Require <HOME> from <environment>."),
    (55, "For each <x> at <i> in <y: z> where <x> > 1 { }"),
    (56, "parallel for each <x> in <y> with <concurrency: 4> { }"),
    (57, "for <i> from 0 to <n> - 1 { }"),
    (58, "while not <done> { break. }"),
    (
        59,
        "match <x> { case -1 { } case /a/i { } case _ { } otherwise { } }",
    ),
    (61, "match <x> > 3 { case true { } }"),
    (62, "if <v> is success then { } else { }"),
    (63, "when <v> { }"),
    (64, "When the <r> from the <sut>."),
    (65, "Exists the <e> for the <file: p>."),
    (66, "Application.Scale the <r> from 5."),
    (
        67,
        r#"Extract the <t> from "ab" |> Compute the <n: length> from the <t> |> Log <n> to the <console>."#,
    ),
    (
        68,
        r#"Log "${n1 + 1} ${<m>.k} ${unit-price}" to the <console>."#,
    ),
];

/// Statements that are mistakes in both grammars.
const REJECTED: &[(u32, &str)] = &[
    (6, r#"log "x" to the <console>."#),
    (7, r#"Log the "x" to the <console>."#),
    (35, "Wait the <p> for 5 days."),
    (
        45,
        "Reduce the <o> from the <i> where <k> = 1 with count().",
    ),
    (60, "match <x> { otherwise { } case 1 { } }"),
    (69, r#"Log "${a}" to the <console>."#),
];

/// Headers.
const HEADERS: &[(u32, &str, &str)] = &[
    (
        70,
        "(X: Y Handler<status:paid,shipped;tier:gold>) { }",
        "(X | Y Handler<status:paid,shipped;tier:gold>)\n",
    ),
    (
        71,
        "(X: Y Handler) when <event: n> > 3 { }",
        "(X | Y Handler) when (Greater <event: n [\"n\"]> 3)\n",
    ),
    (
        72,
        "(X: Action takes <n: Integer>) { }",
        "(X | Action) takes n: Integer\n",
    ),
    (73, "(Add to Cart: Shop) { }", "(Add to Cart | Shop)\n"),
    (73, "(Empty Cart: Shop) { }", "(Empty Cart | Shop)\n"),
    (73, "(Plan A: Shop) { }", "(Plan A | Shop)\n"),
    (73, "(Phase 2: Shop) { }", "(Phase 2 | Shop)\n"),
    (74, "(GET /x/{id}: API) { }", "(GET /x/{id} | API)\n"),
    (74, "(Application-Start) { }", "(Application-Start | )\n"),
    (
        75,
        "(Match If Else: Case Error Otherwise) { }",
        "(Match If Else | Case Error Otherwise)\n",
    ),
];

/// A lenient spelling and the strict one that means the same.
const SAME: &[(u32, &str, &str)] = &[
    (
        2,
        r#"Log "hi" to console."#,
        r#"Log "hi" to the <console>."#,
    ),
    (
        2,
        r#"Log "hi" to <console>..."#,
        r#"Log "hi" to the <console>."#,
    ),
    (
        4,
        r#"<Log> the <m> for the <console> with "x"."#,
        r#"Log the <m> for the <console> with "x"."#,
    ),
    (
        12,
        "Compute the <d> from <p> -1.",
        "Compute the <d> from <p> - 1.",
    ),
    (
        12,
        "Compute the <d> from <p>-1.",
        "Compute the <d> from <p> - 1.",
    ),
    (
        12,
        "Compute the <d> from 5-3.",
        "Compute the <d> from 5 - 3.",
    ),
    (
        14,
        "Compute the <d> from <p>/<q>/<r>.",
        "Compute the <d> from <p> / <q> / <r>.",
    ),
    (
        14,
        "Compute the <d> from 100/4/2.",
        "Compute the <d> from 100 / 4 / 2.",
    ),
    (
        15,
        "Create the <c> with <user: age> + 1.",
        "Create the <c> with (<user: age> + 1).",
    ),
    (
        17,
        r#"Create the <c> with { type: "a" }."#,
        r#"Create the <c> with { "type": "a" }."#,
    ),
    (
        28,
        "Extract the <x> from the <request: body name>.",
        "Extract the <x> from the <request: body.name>.",
    ),
    (
        28,
        "Extract the <x> from the <request: body: name>.",
        "Extract the <x> from the <request: body.name>.",
    ),
    (
        28,
        "Extract the <x> from the <request.body: name>.",
        "Extract the <x> from the <request: body.name>.",
    ),
    (
        37,
        "Return an <OK: status> with <d> for the <r>.",
        "Return an <OK: status> for the <r> with <d>.",
    ),
    (
        39,
        "Store the <a1> in the <r>.",
        "Store the <a1> into the <r>.",
    ),
    (
        41,
        r#"Filter the <o> from the <i> where s = "x"."#,
        r#"Filter the <o> from the <i> where <s> = "x"."#,
    ),
    (
        47,
        "Log 1 to the <console> when <x> exists and <y> == 1.",
        "Log 1 to the <console> when (<x> exists) and <y> == 1.",
    ),
    (
        49,
        r#"Log 1 to the <console> when <x> is "s"."#,
        r#"Log 1 to the <console> when <x> == "s"."#,
    ),
    (
        52,
        "Log 1 to the <console> when n < limit.",
        "Log 1 to the <console> when (n) < (limit).",
    ),
    (63, "when <v> { }", "if <v> { }"),
    (
        10,
        r#"Log 1 to the <console> when <c> == "x" or "y" or "z"."#,
        r#"Log 1 to the <console> when <c> == "x" or <c> == "y" or <c> == "z"."#,
    ),
];

#[test]
fn accepted_statements_read() {
    for (number, source) in ACCEPTED {
        let found = errors(&statement(source));
        assert!(found.is_empty(), "vector {number}: {source}: {found:?}");
        let printed = read(&statement(source));
        assert_eq!(
            printed
                .lines()
                .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
                .count()
                .min(1),
            1,
            "vector {number}: {printed}"
        );
    }
}

#[test]
fn rejected_statements_are_reported() {
    for (number, source) in REJECTED {
        assert_eq!(
            errors(&statement(source)).len(),
            1,
            "vector {number}: {source}: {:?}",
            errors(&statement(source))
        );
    }
}

#[test]
fn headers_read() {
    for (number, source, expected) in HEADERS {
        assert_eq!(read(source), *expected, "vector {number}");
    }
}

#[test]
fn lenient_spelling_is_the_same_tree() {
    for (number, lenient, strict) in SAME {
        assert_eq!(
            read(&statement(lenient)),
            read(&statement(strict)),
            "vector {number}"
        );
    }
}

#[test]
fn every_vector_is_covered() {
    let numbers: std::collections::BTreeSet<u32> = ACCEPTED
        .iter()
        .chain(REJECTED)
        .map(|(number, _)| *number)
        .chain(HEADERS.iter().map(|(number, ..)| *number))
        .collect();
    assert_eq!(numbers, (1..=75).collect());
}
