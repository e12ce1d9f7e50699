//! Random programs that read without error, in both statement styles, with odd white space and comments.

use proptest::prelude::*;

/// A program of one to three feature sets.
pub(crate) fn program() -> impl Strategy<Value = String> {
    prop::collection::vec((header(), block(2)), 1..4).prop_map(|sets| {
        let sets: Vec<String> = sets
            .into_iter()
            .map(|(header, block)| format!("{header} {block}"))
            .collect();
        format!("// top\nimport ../shared\n{}\n(* end *)", sets.join("\n"))
    })
}

fn one(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn header() -> impl Strategy<Value = String> {
    one(&[
        "(Application-Start: Shop)",
        "( Mail  Buyer :OrderPaid Handler <region:eu;tier:gold>)",
        "(GET /items/{id}: Item API)",
        "(Alert: Tick Handler) when <event: load> > 0.9 and <event: n> is not empty",
        "(Scale: Action takes <factor: Integer>)",
        "(Phase 2)",
        "(Watch (* c *) It: item-repository Observer)",
    ])
}

fn noun() -> impl Strategy<Value = String> {
    one(&[
        "<x>",
        "<user: name>",
        "<user - id>",
        "<item-1>",
        "<request: body status>",
        "<a.b: c>",
        "<d: users.0.name>",
        "<file: ./a/b c.txt>",
        "<file: \"./data.json\">",
        "<l: Map<String,List<User>>>",
        "<x: 0 - 2>",
        "<x: 0,2, 4>",
        "<t: +7d>",
        "<t: -1h>",
        "<by-role>",
        "<x: (* c *) first>",
        "<x-repository>",
        "<s: collections.pick | stats.sort>",
    ])
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        noun(),
        one(&[
            "5",
            "-1",
            "2.5e3",
            "0xFF",
            "1_000",
            "true",
            "null",
            "\"t\"",
            "'r\\n'",
            "\"a ${<m>.k + 1} ${unit-price} é\"",
            "\"\"\"\n  block\n    text\n  \"\"\"",
            "total",
            "unit-price",
            "[]",
            "{}",
        ]),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let operator = one(&[
            "+", "-", "++", "*", " / ", "%", "==", "=", "!=", "<=", ">=", " < ", " > ", "and",
            "or", "contains", "matches", "is", "is not", "in", "not in",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(l, o, r)| format!("({l}) {o} {r}")),
            (noun(), one(&[" -1", "-2.5", " - 3", "/<p>/<q>"]))
                .prop_map(|(l, r)| format!("{l}{r}")),
            (
                one(&["-", "- ", "not ", "not  not ", "- - "]),
                inner.clone()
            )
                .prop_map(|(o, e)| format!("{o}({e})")),
            (
                noun(),
                one(&[
                    ".k",
                    ". k.j",
                    "[0]",
                    "[ <i> ]",
                    " exists",
                    " is empty",
                    " equals 5",
                    " matches /a+b/i",
                    " is not a Number",
                    " is defined"
                ])
            )
                .prop_map(|(e, p)| format!("{e}{p}")),
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[ {}]", items.join(" ,"))),
            prop::collection::vec(
                (
                    one(&["type", "x-y", "\"quoted key\"", "error", "a"]),
                    inner.clone(),
                    one(&["", " (* c *)", " // c\n"])
                ),
                0..5
            )
            .prop_map(|entries| {
                let entries: Vec<String> = entries
                    .into_iter()
                    .map(|(key, value, comment)| format!("{key} :{value}{comment}"))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

fn clauses() -> impl Strategy<Value = String> {
    (
        prop::option::of(prop_oneof![
            expression().prop_map(|e| format!(" with ({e})")),
            one(&[
                " with sum( <v> )",
                " with count()",
                " with headers { a: 1 }",
                " with timeout 5 seconds",
                " with id <k>"
            ]),
        ]),
        prop::option::of(one(&[
            " where <id> = <k>",
            " where status is not \"x\" and n > 5",
            " where <a> = 1 or <b> in <l>",
            " where a.b contains \"x\"",
        ])),
        prop::option::of(one(&[" by /,\\s*/", " by \",\"", " by <my-sep>"])),
        prop::option::of(expression().prop_map(|e| format!(" default ({e})"))),
        prop::option::of(expression().prop_map(|e| format!(" when ({e})"))),
    )
        .prop_map(|(with, filter, by, default, when)| {
            [with, filter, by, default, when]
                .into_iter()
                .flatten()
                .collect()
        })
}

fn verb() -> impl Strategy<Value = String> {
    one(&[
        "Extract",
        "<Extract>",
        "<compute>",
        "< Filter >",
        "Application.Scale",
        "<Application.Scale>",
        "RETRIEVE",
        "<List>",
        "<Then>",
    ])
}

fn simple() -> impl Strategy<Value = String> {
    let stop = one(&[
        ".",
        " .",
        "...",
        " (* c *).",
        " // c\n.",
        ". // c\n",
        ". (* c\n  d *)",
        ".\n\n\n",
    ]);
    let action = (
        verb(),
        one(&["", " the", " an", " (* c *)"]),
        noun(),
        one(&["for", "with"]),
        one(&[
            "the <l>",
            "<l: a b>",
            "user-repository",
            "5 seconds",
            "5s",
            "the <l>\n// c\n",
        ]),
        clauses(),
    )
        .prop_map(|(verb, article, result, preposition, object, clauses)| {
            format!("{verb}{article} {result} {preposition} {object}{clauses}")
        });
    let sink = (one(&["Log", "<Log>", "<print>"]), expression())
        .prop_map(|(verb, value)| format!("{verb} ({value}) to the <console>"));
    let create = expression().prop_map(|value| {
        format!("Create the <x: Map<String, Integer>> as List<User> with ({value})")
    });
    let other = one(&[
        "Publish as <a> <b-c>",
        "<Require> the <x> from the environment",
        "Return an <OK: status>",
        "<Return> an <OK: status> with <d> for the <r>",
        "Listen on port 9000 as <relay>",
        "Request the <r> via PUT the <url: path>",
        "Extract the <t> from \"ab\" |> <Compute> the <n: length> from the <t> |> Log <n> to the <console>",
        "Throw the <Oops> for the <reason> when not <ok> exists",
        "break",
    ]);
    (
        prop_oneof![4 => action, 2 => sink, 2 => create, 2 => other],
        stop,
    )
        .prop_map(|(text, stop)| format!("{text}{stop}"))
}

fn block(depth: u32) -> BoxedStrategy<String> {
    let statement = if depth == 0 {
        simple().boxed()
    } else {
        let inner = || block(depth - 1);
        prop_oneof![
            6 => simple(),
            1 => (expression(), inner(), inner()).prop_map(|(c, a, b)| format!("if ({c}) then {a} else if true {b} (* c *) else {{ }}")),
            1 => (expression(), inner(), inner()).prop_map(|(c, a, b)| format!("when ({c}) {a}otherwise{b}")),
            1 => (noun(), inner(), inner()).prop_map(|(n, a, b)| format!("match {n} {{ case \"a\" {a} // c\n case /b+/i where ({n} is not empty) {b} (* c *) otherwise {{ }} }}")),
            1 => (noun(), inner()).prop_map(|(n, a)| format!("parallel for each <x> at <i> in {n} with < concurrency:4 > where <x> > 1 {a}")),
            1 => (expression(), inner()).prop_map(|(e, a)| format!("for <i> from 0 to ({e}) {a}")),
            1 => (expression(), inner()).prop_map(|(e, a)| format!("while not ({e}) {a}")),
        ]
        .boxed()
    };
    prop::collection::vec(
        (
            statement,
            one(&[
                "",
                "\n",
                "\n\n",
                "\n// own line\n",
                "\n\n    (* own\n   lines *)\n\n\n",
            ]),
        ),
        0..4,
    )
    .prop_map(|statements| {
        let text: String = statements
            .into_iter()
            .map(|(statement, space)| format!("{statement} {space}"))
            .collect();
        format!("{{{text}}}")
    })
    .boxed()
}
