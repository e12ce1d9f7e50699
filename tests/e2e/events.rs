//! Events without end, and handlers that do not end.

use harness::{aro_host, within};
use std::path::Path;
use std::process::Output;

/// Runs a program to its end.
async fn run(folder: &Path, text: &str, limits: &[&str]) -> (Output, String) {
    let path = folder.join("main.aro");
    std::fs::write(&path, text).unwrap();
    let mut arguments = vec!["run", path.to_str().unwrap()];
    for limit in limits {
        arguments.extend(["--limit", limit]);
    }
    let ended = within("the end", aro_host(&arguments).output()).await;
    let ended = ended.unwrap();
    let told = String::from_utf8(ended.stdout.clone()).unwrap();
    (ended, told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_do_not_get_on_are_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"(Application-Start: Stalled) {
        Create the <rows> with [{ id: "a" }].
        Store the <rows> into the <row-repository>.
        Delete the <gone> from the <row-repository> where id is "a".
        Return an <OK: status> for the <startup>.
    }
    (Slow: row-repository Observer) when <event: changeType> is "deleted" {
        Log "begun" to the <console>.
        Sleep the <pause> for 1 hour.
        Return an <OK: status> for the <event>.
    }"#;
    let (ended, told) = run(folder.path(), text, &["stall_ms=300", "wall_ms=7200000"]).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let warning = "[WARNING] 1 event handler(s) stalled — no progress within 0.3s\n";
    assert_eq!(told.matches("[WARNING]").count(), 1, "{told}");
    assert!(told.contains(warning), "{told}");
    assert!(told.contains("[Slow] begun\n"), "{told}");
    assert!(told.ends_with("[OK] startup\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_cause_each_other_end_with_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody waits for those who are told of deletions: no chain grows.
    let text = r#"(Application-Start: Around) {
        Create the <row> with { id: "a" }.
        Store the <row> into the <row-repository>.
        Delete the <gone> from the <row-repository> where id is "a".
        Return an <OK: status> for the <startup>.
    }
    (Again: row-repository Observer) when <event: changeType> is "deleted" {
        Create the <row> with { id: "a" }.
        Store the <row> into the <row-repository>.
        Delete the <gone> from the <row-repository> where id is "a".
        Return an <OK: status> for the <event>.
    }"#;
    let (ended, _) = run(folder.path(), text, &["caused_events=50"]).await;
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{error}");
    let told = "one event has caused more than 50: row-repository changed → ";
    assert!(error.contains(told), "{error}");
    // Each of two causes two more, waited for.
    let text = r#"(Application-Start: Twice) {
        Emit a <Split: event> with { depth: 0 }.
        Return an <OK: status> for the <startup>.
    }
    (Split: Split Handler) {
        Compute the <depth> from <event: depth> + 1.
        Emit a <Split: event> with { depth: <depth> } when <depth> < 30.
        Emit a <Split: event> with { depth: <depth> } when <depth> < 30.
        Return an <OK: status> for the <event>.
    }"#;
    let (ended, _) = run(folder.path(), text, &["caused_events=200"]).await;
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{error}");
    let told = "one event has caused more than 200: Split → Split";
    assert!(error.contains(told), "{error}");
}
