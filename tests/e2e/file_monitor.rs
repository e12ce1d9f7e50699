//! Watched directories: what others do to files becomes events.

use harness::{Running, Server, aro_host, repository, sources, within};
use std::fs;
use std::path::Path;

fn program(place: &Path, text: &str) -> std::path::PathBuf {
    let file = place.join("program.aro");
    fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drop_folder_counts_and_moves_what_comes_in() {
    let place = tempfile::tempdir().unwrap();
    let example = repository().join("examples/drop-folder");
    let mut running = Running::start(&example, place.path());
    assert_eq!(
        running.line().await,
        "[Application-Start] Put texts into inbox/ and see."
    );
    fs::write(place.path().join("inbox/a.txt"), "three small words\n").unwrap();
    assert_eq!(running.line().await, "[Text Modified] inbox/a.txt: 3 words");
    assert_eq!(running.line().await, "[Text Deleted] inbox/a.txt is gone");
    let moved = fs::read_to_string(place.path().join("done/a.txt")).unwrap();
    assert_eq!(moved, "three small words\n");
    running.end().await;
}

const EVENTS: &str = r#"
(Application-Start: Watch) {
    Start the <file-monitor> with "in".
    Start the <again: file-monitor> with "in".
    Log "watching ${<file-monitor: path>}" to the <console>.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}
(File Created: File Event Handler) { Log "created ${<event: path>}" to the <console>. Return an <OK: status> for the <file>. }
(File Modified: File Event Handler) { Log "modified ${<event: path>}" to the <console>. Return an <OK: status> for the <file>. }
(File Deleted: File Event Handler) { Log "deleted ${<event: path>}" to the <console>. Return an <OK: status> for the <file>. }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_entries_are_told_of_and_hidden_files_only_when_they_come_and_go() {
    let place = tempfile::tempdir().unwrap();
    let inside = place.path().join("in");
    fs::create_dir_all(inside.join("deep")).unwrap();
    let file = program(place.path(), EVENTS);
    let mut running = Running::start(&file, place.path());
    assert_eq!(running.line().await, "[Application-Start] watching in");
    fs::write(place.path().join("outside.txt"), "x").unwrap();
    fs::write(inside.join("deep/b.txt"), "x").unwrap();
    fs::File::create(inside.join("empty")).unwrap();
    assert_eq!(running.line().await, "[File Created] created in/empty");
    fs::write(inside.join("empty"), "no longer").unwrap();
    assert_eq!(running.line().await, "[File Modified] modified in/empty");
    fs::write(inside.join(".hidden"), "x").unwrap();
    assert_eq!(running.line().await, "[File Created] created in/.hidden");
    fs::rename(inside.join("empty"), place.path().join("gone")).unwrap();
    assert_eq!(running.line().await, "[File Deleted] deleted in/empty");
    fs::rename(place.path().join("gone"), inside.join("back")).unwrap();
    assert_eq!(running.line().await, "[File Created] created in/back");
    fs::remove_file(inside.join("back")).unwrap();
    assert_eq!(running.line().await, "[File Deleted] deleted in/back");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_not_there_or_not_granted_fails_the_statement() {
    let place = tempfile::tempdir().unwrap();
    for (directory, sentence) in [
        ("missing", "Directory not found: missing"),
        ("/etc", "Permission denied: /etc"),
        ("../", "Permission denied: ../"),
    ] {
        let text = format!(
            "(Application-Start: W) {{\n    Start the <file-monitor> with \"{directory}\".\n    Return an <OK: status> for the <startup>.\n}}\n"
        );
        let file = program(place.path(), &text);
        let mut command = aro_host(&["run", file.to_str().unwrap()]);
        let output = within("the end", command.current_dir(place.path()).output())
            .await
            .unwrap();
        let error =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(sentence), "{sentence}: {error}");
    }
}

const ASKED: &str = r#"
(Application-Start: Watch) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Watch: DataReceived Handler) {
    Extract the <folder> from the <event: data>.
    Start the <file-monitor> with <folder>.
    Send "watching\n" to the <event: connection>.
    Return an <OK: status> for the <watching>.
}
(File Created: File Event Handler) { Log "created ${<event: path>}." to the <console>. Return an <OK: status> for the <file>. }
"#;

/// Serves a program that watches what peers say, in a directory of its own.
async fn asked(change: impl FnOnce(&mut aro_host::Limits)) -> (Server, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("in")).unwrap();
    let root = place.path().to_owned();
    let server = Server::start_with(sources(&[("main.aro", ASKED)]), |settings| {
        settings.grants.directories = vec![root];
        change(&mut settings.limits);
    })
    .await;
    (server, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_made_again_is_watched_again() {
    let (server, place) = asked(|limits| limits.watched_directories_max = 1).await;
    let inside = place.path().join("in");
    let mut peer = server.connect().await;
    for name in ["a", "b"] {
        peer.send("in\n").await;
        assert_eq!(peer.line().await, "watching");
        fs::write(inside.join(name), "x").unwrap();
        server.output(&format!("created in/{name}.")).await;
        fs::remove_dir_all(&inside).unwrap();
        fs::create_dir(&inside).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_the_same_at_once_gets_it_once() {
    let (server, place) = asked(|limits| limits.watched_directories_max = 1).await;
    let mut peers = Vec::new();
    for _ in 0..16 {
        peers.push(server.connect().await);
    }
    for peer in &mut peers {
        peer.send("in\n").await;
    }
    for peer in &mut peers {
        assert_eq!(peer.line().await, "watching");
    }
    let inside = place.path().join("in");
    for name in ["a", "b"] {
        fs::write(inside.join(name), "x").unwrap();
        server.output(&format!("created in/{name}.")).await;
    }
    let printed = server.output("created in/b.").await;
    assert_eq!(printed.matches("created in/a.").count(), 1, "{printed}");
    fs::create_dir(place.path().join("other")).unwrap();
    peers[0].send("other\n").await;
    server.error("1 directories are watched already").await;
    assert_eq!(server.limit_hits("watched_directories_max"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_are_lost_are_said_now_and_then_and_counted() {
    let (server, place) = asked(|limits| limits.watched_changes_max = 1).await;
    let mut peer = server.connect().await;
    peer.send("in\n").await;
    assert_eq!(peer.line().await, "watching");
    for number in 0..200 {
        fs::write(place.path().join(format!("in/{number}")), "x").unwrap();
    }
    let lost = "changes of files came faster than their handlers and are lost";
    server.error(lost).await;
    let counted = async {
        while server.limit_hits("watched_changes_max") < 10 {
            tokio::task::yield_now().await;
        }
    };
    within("losses are counted", counted).await;
    let said = server.errors().matches(lost).count();
    assert!((1..10).contains(&said), "{said}");
}
