//! The same expression folded by the compiler, computed without boxes, and computed from values that the compiler cannot see: results and errors are equal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use harness::{binary, caches};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fmt::Write as _;
use std::process::Command;

/// Operands, by number.
const LITERALS: &[&str] = &[
    "0",
    "1",
    "2",
    "7",
    "9223372036854775807",
    "4611686018427387904",
    "3037000500",
    "0.0",
    "1.5",
    "2.0",
    "1e300",
    "\"\"",
    "\"a\"",
    "\"5\"",
    "\"2025-01-01\"",
    "\"2025-01-01T00:00:00Z\"",
    "true",
    "false",
    "null",
    "[1, \"a\"]",
    "{ k: 1 }",
];
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "++", "==", "!=", "<", "<=", ">", ">=", "and", "or", "contains",
    "matches",
];
/// Expressions in one program.
const BATCH: usize = 120;
/// Programs.
const BATCHES: usize = 4;
/// Failing expressions of a program whose messages are compared.
const FAILURES: usize = 4;

/// How the operand of an index is written.
type Leaf<'a> = &'a dyn Fn(usize) -> String;

#[derive(Debug, Clone)]
enum Tree {
    Leaf(usize),
    Unary(&'static str, Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
    Type(Box<Tree>, &'static str),
    Element(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn write(&self, leaf: Leaf<'_>) -> String {
        match self {
            Tree::Leaf(index) => leaf(*index),
            Tree::Unary(operator, operand) => format!("({operator} {})", operand.write(leaf)),
            Tree::Binary(operator, left, right) => {
                format!("({} {operator} {})", left.write(leaf), right.write(leaf))
            }
            Tree::Type(operand, name) => format!("({} is {name})", operand.write(leaf)),
            Tree::Element(list, index) => format!("({}[{}])", list.write(leaf), index.write(leaf)),
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = (0..LITERALS.len()).prop_map(Tree::Leaf);
    leaf.prop_recursive(3, 8, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            1 => (prop::sample::select(vec!["-", "not"]), inner.clone())
                .prop_map(|(operator, operand)| Tree::Unary(operator, operand.into())),
            6 => (prop::sample::select(OPERATORS.to_vec()), pair.clone())
                .prop_map(|(operator, (left, right))| Tree::Binary(operator, left.into(), right.into())),
            1 => (inner, prop::sample::select(vec!["Integer", "String", "Float", "List"]))
                .prop_map(|(operand, name)| Tree::Type(operand.into(), name)),
            1 => pair.prop_map(|(list, index)| Tree::Element(list.into(), index.into())),
        ]
    })
    .prop_filter("a leaf is nothing to compute", |tree| {
        !matches!(tree, Tree::Leaf(_))
    })
}

/// Statements that show each expression: its value, its truth, or that it fails.
fn shown(trees: &[Tree], leaf: Leaf<'_>) -> String {
    let mut out = String::new();
    for (index, tree) in trees.iter().enumerate() {
        let text = tree.write(leaf);
        write!(
            out,
            "    if ({text} exists) {{\n        Log \"{index} \" ++ [{text}] to the <console>.\n        Log \"{index} holds\" to the <console> when {text}.\n    }} else {{\n        Log \"{index} fails\" to the <console>.\n    }}\n"
        )
        .unwrap();
    }
    out
}

/// The program with literals, with locals, and with the fields of an action's input as operands of `body`.
fn programs(body: impl Fn(Leaf<'_>) -> String) -> [String; 3] {
    let end = "    Return an <OK: status> for the <application>.\n}\n";
    let locals: String = (0..LITERALS.len())
        .map(|index| format!("    Create the <v{index}> with {}.\n", LITERALS[index]))
        .collect();
    let fields: Vec<String> = (0..LITERALS.len())
        .map(|index| format!("v{index}: {}", LITERALS[index]))
        .collect();
    let start = "(Application-Start: Folding) {\n";
    [
        format!("{start}{}{end}", body(&|index| LITERALS[index].to_owned())),
        format!(
            "{start}{locals}{}{end}",
            body(&|index| format!("<v{index}>"))
        ),
        format!(
            "(Application-Start: Folding) {{\n    Application.Hidden the <done> with {{ {} }}.\n{end}(Hidden: Action) {{\n{}{end}",
            fields.join(", "),
            body(&|index| format!("<input: v{index}>"))
        ),
    ]
}

/// What the program prints, with the cause of its failure without its place.
fn output(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.aro");
    std::fs::write(&path, program).unwrap();
    let output = Command::new(binary("aro-host"))
        .env("XDG_CACHE_HOME", caches())
        .arg("run")
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        !text.is_empty(),
        "{program}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// The reason of a failure: of the statement, or as the cause in the calling statement.
fn reason(text: &str) -> Option<&str> {
    let cause = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("Cause: "));
    let first = text.lines().next()?;
    Some(cause.unwrap_or_else(|| {
        first
            .trim_start_matches("Runtime error: ")
            .trim_start_matches("Error: ")
    }))
}

#[test]
fn folded_expressions_mean_what_running_ones_mean() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    for _ in 0..BATCHES {
        let batch: Vec<Tree> = (0..BATCH)
            .map(|_| trees().new_tree(&mut runner).unwrap().current())
            .collect();
        let [folded, local, hidden] =
            programs(|leaf| shown(&batch, leaf)).map(|program| output(&program));
        same_lines(&batch, &folded, &local);
        same_lines(&batch, &folded, &hidden);
        let failing = folded.lines().filter_map(|line| {
            line.strip_suffix(" fails")?
                .rsplit(' ')
                .next()?
                .parse::<usize>()
                .ok()
        });
        for index in failing.take(FAILURES) {
            let tree: &Tree = &batch[index];
            let [folded, local, hidden] =
                programs(|leaf| format!("    Log [{}] to the <console>.\n", tree.write(leaf)))
                    .map(|program| output(&program));
            assert_eq!(reason(&folded), reason(&local), "{tree:?}");
            assert_eq!(reason(&folded), reason(&hidden), "{tree:?}");
        }
    }
}

fn same_lines(batch: &[Tree], left: &str, right: &str) {
    for (left, right) in left.lines().zip(right.lines()) {
        let index = left
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse::<usize>().ok());
        assert_eq!(
            left,
            right,
            "{:?}",
            index.and_then(|index| batch.get(index))
        );
    }
    assert_eq!(left.lines().count(), right.lines().count());
}
