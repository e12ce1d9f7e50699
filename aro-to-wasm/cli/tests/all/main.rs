//! The command as users run it: what it prints where, and how it exits.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use assert_cmd::Command;
use std::path::Path;
use tempfile::TempDir;

struct Answer {
    code: i32,
    output: String,
    error: String,
}

fn run(arguments: &[&str], directory: &Path) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aro-to-wasm"));
    let output = command
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    Answer {
        code: output.status.code().unwrap(),
        output: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory with one program.
fn program(text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.aro"), text).unwrap();
    directory
}

const GREETING: &str = "(Application-Start: Greeting) {
    Log \"hello\" to the <console>.
    Return an <OK: status> for the <startup>.
}
";

const MISTAKES: &str = "(Application-Start: Mistakes) {
    Create the <total> with 1.
    Create the <total> with 2.
    Application.Missing the <answer> with { total: <total> }.
    break.
    Return an <OK: status> with <answer>.
}
";

/// Each mistake: its first line, the source line with the caret below it, and the hint.
const DRAWN: [[&str; 3]; 3] = [
    [
        "error[E0021]: cannot rebind variable `total`: variables are immutable\n --> main.aro:3:16\n",
        "3 |     Create the <total> with 2.\n  |                ^^^^^^^ bound again here\n",
        "  = help: use a new name, for example `<total-updated>`\n",
    ],
    [
        "error[E0025]: unknown user-defined action `Application.Missing`\n --> main.aro:4:5\n",
        "4 |     Application.Missing the <answer> with { total: <total> }.\n  |     ^^^^^^^^^^^^^^^^^^^ no feature set defines it\n",
        "  = help: ",
    ],
    [
        "error[E0028]: `break` outside a `while` loop\n --> main.aro:5:5\n",
        "5 |     break.\n  |     ^^^^^^\n",
        "  = help: `break` leaves the nearest `while`",
    ],
];

#[test]
fn build_prints_every_mistake_and_writes_nothing() {
    let directory = program(MISTAKES);
    for arguments in [["build", ".", "-o", "app.wasm"].as_slice(), &["check", "."]] {
        let answer = run(arguments, directory.path());
        assert_eq!(
            (answer.code, answer.output.as_str()),
            (1, ""),
            "{}",
            answer.error
        );
        let mut rest = answer.error.as_str();
        for part in DRAWN.as_flattened() {
            rest = rest
                .split_once(part)
                .unwrap_or_else(|| panic!("no {part:?} in\n{rest}"))
                .1;
        }
        assert_eq!(
            answer.error.matches("error[").count(),
            DRAWN.len(),
            "{}",
            answer.error
        );
    }
    assert!(!directory.path().join("app.wasm").exists());
}

#[test]
fn check_answers_tools_in_json() {
    let answer = run(
        &["check", "--format", "json", "."],
        program(MISTAKES).path(),
    );
    assert_eq!(answer.code, 1, "{}", answer.error);
    let diagnostics: serde_json::Value = serde_json::from_str(&answer.output).unwrap();
    let codes: Vec<&str> = diagnostics
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["E0021", "E0025", "E0028"]);
    assert_eq!(diagnostics[1]["at"]["line"], 4);
}

#[test]
fn check_counts_what_only_compiling_finds() {
    let directory =
        program("(Application-Start: Shop) {\n    Return an <OK: status> for the <startup>.\n}\n");
    std::fs::write(directory.path().join("orders.store"), "- id: [1\n").unwrap();
    let answer = run(&["check", "."], directory.path());
    assert_eq!(answer.code, 0, "{}", answer.error);
    assert!(answer.error.contains("warning[W0024]"), "{}", answer.error);
    let summary = "1 files checked: 0 errors, 1 warnings\n";
    assert!(answer.error.ends_with(summary), "{}", answer.error);
    let wrong = program(
        "(Application-Start: Shop) {\n    Listen on port 70000 as <shop>.\n    Return an <OK: status> for the <startup>.\n}\n",
    );
    let answer = run(&["check", "."], wrong.path());
    assert_eq!(answer.code, 1, "{}", answer.error);
    assert!(answer.error.contains("error[E0041]"), "{}", answer.error);
}

#[test]
fn check_tells_of_sources_and_of_a_component_that_does_not_fit() {
    let with_component = |text| {
        let directory = program(text);
        let components = directory.path().join("components");
        std::fs::create_dir(&components).unwrap();
        std::fs::write(components.join("bad.wasm"), "no component").unwrap();
        directory
    };
    let directory = with_component(MISTAKES);
    let answer = run(&["check", "."], directory.path());
    assert_eq!(answer.code, 1, "{}", answer.error);
    for drawn in DRAWN {
        assert!(answer.error.contains(drawn[0]), "{}", answer.error);
    }
    assert!(
        answer.error.contains("error: component bad: "),
        "{}",
        answer.error
    );
    let answer = run(&["check", "--format", "json", "."], directory.path());
    assert_eq!(answer.code, 1, "{}", answer.error);
    let diagnostics: serde_json::Value = serde_json::from_str(&answer.output).unwrap();
    assert_eq!(diagnostics.as_array().unwrap().len(), DRAWN.len());
    assert!(
        answer.error.contains("error: component bad: "),
        "{}",
        answer.error
    );
    // A refusal alone is a mistake of the program, too.
    let directory = with_component(GREETING);
    let answer = run(&["check", "."], directory.path());
    assert_eq!(answer.code, 1, "{}", answer.error);
}

#[test]
fn a_file_that_is_not_there_is_no_mistake_of_the_program() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        ["build", "missing.aro"],
        ["check", "missing.aro"],
        ["inspect", "missing.wasm"],
    ] {
        let answer = run(&arguments, directory.path());
        assert_eq!(
            (answer.code, answer.output.as_str()),
            (2, ""),
            "{}",
            answer.error
        );
        assert!(
            answer
                .error
                .starts_with(&format!("error: cannot read {}: ", arguments[1])),
            "{}",
            answer.error
        );
    }
    let answer = run(&["build", "."], directory.path());
    assert_eq!(
        (answer.code, answer.error.as_str()),
        (2, "error: . holds no .aro file\n")
    );
}

#[test]
fn wrong_usage_is_told_apart_from_wrong_programs() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [["frobnicate"].as_slice(), &["build", "--frobnicate"], &[]] {
        assert_eq!(run(arguments, directory.path()).code, 2, "{arguments:?}");
    }
    assert_eq!(run(&["--help"], directory.path()).code, 0);
}

#[test]
fn inspect_tells_what_an_artifact_may_do() {
    let directory = program(GREETING);
    let answer = run(&["build", "."], directory.path());
    assert_eq!(
        (answer.code, answer.output.as_str()),
        (0, ""),
        "{}",
        answer.error
    );
    let bytes = std::fs::read(directory.path().join("app.wasm")).unwrap();
    assert_eq!(
        answer.error,
        format!("app.wasm: 1 feature sets, {} bytes\n", bytes.len())
    );

    let answer = run(&["inspect", "--json", "app.wasm"], directory.path());
    assert_eq!((answer.code, answer.error.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&answer.output).unwrap();
    assert_eq!(report["bytes"], bytes.len());
    assert_eq!(
        report["imports"],
        serde_json::json!(["aro:log/console@0.1.0"])
    );
    let sets = report["feature_sets"].as_array().unwrap();
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0]["component"], "application-start");
    assert_eq!(sets[0]["triggers"], serde_json::json!(["start"]));

    let answer = run(&["inspect", "app.wasm"], directory.path());
    assert_eq!(answer.code, 0);
    assert!(
        answer
            .output
            .contains("uses aro:log/console@0.1.0\n      main.aro:2:5: <Log> "),
        "{}",
        answer.output
    );
}

#[test]
fn inspect_refuses_what_is_no_artifact() {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("empty.wasm", b"".as_slice()),
        ("text.wasm", b"hello"),
        ("core.wasm", b"\0asm\x01\0\0\0"),
    ] {
        std::fs::write(directory.path().join(name), bytes).unwrap();
        let answer = run(&["inspect", name], directory.path());
        assert_eq!(
            (answer.code, answer.output.as_str()),
            (2, ""),
            "{}",
            answer.error
        );
        assert!(
            answer
                .error
                .starts_with(&format!("error: {name} cannot be inspected: ")),
            "{}",
            answer.error
        );
    }
}

const UGLY: &str = "(A: B) { <Log> \"x\"   to the <console>. // keep\n}";

#[test]
fn fmt_writes_the_canonical_layout_and_check_only_names_files() {
    let directory = program(UGLY);
    let main = directory.path().join("main.aro");
    let answer = run(&["fmt", "--check", "."], directory.path());
    assert_eq!((answer.code, answer.output.as_str()), (1, "./main.aro\n"));
    assert_eq!(std::fs::read_to_string(&main).unwrap(), UGLY);

    assert_eq!(run(&["fmt", "main.aro"], directory.path()).code, 0);
    let canonical = "(A: B) {\n    <Log> \"x\" to the <console>. // keep\n}\n";
    assert_eq!(std::fs::read_to_string(&main).unwrap(), canonical);
    let answer = run(&["fmt", "--check", "."], directory.path());
    assert_eq!((answer.code, answer.output.as_str()), (0, ""));

    assert_eq!(run(&["fmt", "--modern", "."], directory.path()).code, 0);
    let modern = "(A: B) {\n    Log \"x\" to the <console>. // keep\n}\n";
    assert_eq!(std::fs::read_to_string(&main).unwrap(), modern);
}

#[test]
fn fmt_leaves_a_broken_file_alone() {
    let directory = program("(A: B) { Log");
    let answer = run(&["fmt", "."], directory.path());
    assert_eq!((answer.code, answer.output.as_str()), (1, ""));
    assert!(answer.error.contains("error[E00"), "{}", answer.error);
    let text = std::fs::read_to_string(directory.path().join("main.aro")).unwrap();
    assert_eq!(text, "(A: B) { Log");
}

#[test]
fn build_answers_tools_in_json() {
    let answer = run(
        &["build", "--format", "json", "."],
        program(MISTAKES).path(),
    );
    assert_eq!(answer.code, 1, "{}", answer.error);
    let diagnostics: serde_json::Value = serde_json::from_str(&answer.output).unwrap();
    assert_eq!(diagnostics[0]["code"], "E0021");
    assert_eq!(
        diagnostics[0]["help"][0],
        "use a new name, for example `<total-updated>`"
    );
}

#[test]
fn a_new_program_of_every_template_is_formatted_checked_and_built() {
    for template in ["echo", "chat", "console"] {
        let directory = tempfile::tempdir().unwrap();
        let new = ["new", "my-shop", "--template", template];
        assert_eq!(run(&new, directory.path()).code, 0);
        assert_eq!(run(&new, directory.path()).code, 2);
        let answer = run(&["check", "my-shop"], directory.path());
        assert_eq!(answer.error, "1 files checked: 0 errors, 0 warnings\n");
        assert_eq!(
            run(&["fmt", "--check", "my-shop"], directory.path()).code,
            0
        );
        let answer = run(&["build", "my-shop"], directory.path());
        assert_eq!(answer.code, 0, "{}", answer.error);
    }
}

#[test]
fn only_the_own_application_is_started() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("app", "import ../shared\n"), ("shared", "")] {
        std::fs::create_dir(directory.path().join(name)).unwrap();
        let text = format!("{text}{GREETING}");
        std::fs::write(directory.path().join(name).join("main.aro"), text).unwrap();
    }
    let answer = run(&["build", "app"], directory.path());
    assert_eq!(answer.code, 0, "{}", answer.error);
    assert!(answer.error.contains("1 feature sets"), "{}", answer.error);
}

#[test]
fn a_single_file_is_a_program_if_it_has_an_entry_point() {
    let start = "(Application-Start: A) {\n    Log <missing> to the <console>.\n    Return an <OK: status>.\n}\n";
    let part = start.replace("Application-Start", "Other");
    for (text, warnings) in [(start, 1), (part.as_str(), 0)] {
        let answer = run(&["check", "main.aro"], program(text).path());
        assert_eq!(answer.code, 0);
        let summary = format!("0 errors, {warnings} warnings");
        assert!(answer.error.contains(&summary), "{}", answer.error);
    }
}
