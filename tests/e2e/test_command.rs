//! `aro-to-wasm test` as users run it.

use harness::binary;
use std::process::Command;

const PROGRAM: &str = r#"
(add-numbers: Calculator) {
    Extract the <left> from the <numbers: left>.
    Extract the <right> from the <numbers: right>.
    Compute the <sum> from <left> + <right>.
    Return an <OK: status> with { sum: <sum> }.
}

(adds: Calculator Test) {
    Given the <numbers> with { left: 3, right: 4 }.
    When the <sum> from the <add-numbers>.
    Then the <sum> with 7.
}
"#;

const FAILING: &str = r#"
(adds-wrongly: Calculator Tests) {
    Given the <numbers> with { left: 3, right: 4 }.
    When the <sum> from the <Add-Numbers>.
    Then the <sum> with 8.
}

(has-no-input: Calculator Test) {
    When the <sum> from the <add-numbers>.
}

(asserts: Calculator Test) {
    Create the <n> with 4.
    Log <n> to the <console>.
    Assert the <n> for 4.00001.
    Assert the <m> for 1.
}
"#;

/// Exit code and standard output, times and colours left out of the latter.
fn test(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("calculator.aro"), program).unwrap();
    let output = Command::new(binary("aro-to-wasm"))
        .arg("test")
        .arg(folder.path())
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| match line.contains("PASS") {
            true => line.rsplit_once(" (").map_or(line, |(line, _)| line),
            false => line,
        })
        .collect();
    (output.status.code(), lines.join("\n"))
}

#[test]
fn tests_that_pass_exit_with_0() {
    let (code, text) = test(PROGRAM, &["--no-color"]);
    assert_eq!(
        text,
        "\n=== ARO Test Results ===\n\n  PASS  adds\n\n------------------------\nTotal:  1\nPassed: 1\nFailed: 0\n\nAll tests passed!\n"
    );
    assert_eq!(code, Some(0));
    let (_, text) = test(PROGRAM, &[]);
    assert!(text.contains("\u{1b}[32mPASS\u{1b}[0m  adds"), "{text}");
}

#[test]
fn failures_and_errors_are_told_apart_and_exit_with_1() {
    let (code, text) = test(&format!("{PROGRAM}{FAILING}"), &["--no-color"]);
    assert_eq!(code, Some(1));
    for part in [
        "  PASS  adds",
        "  FAIL  adds-wrongly\n        Expected sum to be 8, but was 7",
        "  ERROR has-no-input\n        Runtime Error: Cannot when the sum from the add-numbers.",
        "  FAIL  asserts\n        Variable 'm' is undefined",
        "LOG[console] asserts: Int(4)",
        "Total:  4\nPassed: 1\nFailed: 2\nErrors: 1\n\nSome tests failed.",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
}

#[test]
fn a_filter_selects_by_name() {
    let program = format!("{PROGRAM}{FAILING}");
    let (code, text) = test(&program, &["--no-color", "--filter", "ADDS"]);
    assert!(text.contains("Total:  2"), "{text}");
    assert_eq!(code, Some(1));
    let (code, text) = test(&program, &["--no-color", "--filter", "nothing"]);
    assert!(text.contains("No tests found."), "{text}");
    assert_eq!(code, Some(1));
    assert_eq!(
        test("(x: y) { Return an <OK: status> for the <z>. }", &[]).0,
        Some(1)
    );
}

#[test]
fn a_normal_build_has_no_tests() {
    let start = "(Application-Start: Calculator) { Log \"up\" to the <console>. Return an <OK: status> for the <application>. }";
    let input = harness::sources(&[("main.aro", &format!("{start}{PROGRAM}"))]);
    let compiled = aro_to_wasm::compile(input).unwrap();
    let names: Vec<_> = compiled
        .artifact
        .unwrap()
        .manifest
        .feature_sets
        .into_iter()
        .map(|set| set.name)
        .collect();
    assert_eq!(names, ["Application-Start"]);
}
