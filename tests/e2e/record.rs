//! Events that are recorded and run again.

use aro_host::{Line, RecordedEvent, Replayed, TenantId};
use harness::{Peer, Server, aro_host, compile, directory, sources};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The files of recorded events, in order.
fn events(directory: &Path) -> Vec<PathBuf> {
    let within = directory.join(TenantId::default().to_string());
    let entries = fs::read_dir(within).unwrap();
    let mut events: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "event"))
        .collect();
    events.sort();
    events
}

/// Runs an event again, with the artifact beside it.
async fn replay(path: &Path) -> Replayed {
    static TRACED: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let event = RecordedEvent::read(&fs::read(path).unwrap()).unwrap();
    let app = fs::read(event.app_beside(path)).unwrap();
    let traced = {
        let mut all = TRACED.lock().unwrap();
        let traced = || aro_to_wasm::sources::traced(&app).unwrap();
        all.entry(app.clone()).or_insert_with(traced).clone()
    };
    aro_host::replay(&event, &app, Some(&traced)).await.unwrap()
}

async fn recorded(text: &str, directory: &Path) -> Server {
    let program = sources(&[("main.aro", text)]);
    Server::start_with(program, |settings| {
        settings.record = Some(directory.to_owned());
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_a_chat_is_run_again_as_it_was() {
    let kept = tempfile::tempdir().unwrap();
    let server = Server::start_with(directory("examples/chat"), |settings| {
        settings.record = Some(kept.path().to_owned());
    })
    .await;
    let mut ann = server.connect().await;
    assert_eq!(ann.line().await, "* somebody came in");
    let mut bob = server.connect().await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.line().await, "* somebody came in");
    }
    ann.send("hello everybody\n").await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.json().await["message"], "hello everybody\n");
    }
    bob.send("/bye\n").await;
    bob.expect("* bye\n").await;
    bob.closed().await;
    assert_eq!(ann.line().await, "* somebody left");
    drop(ann);
    server.connections(0).await;
    server.stop().await;

    let files = events(kept.path());
    // The start, two that came, what each said, two that left, the end.
    assert_eq!(files.len(), 8, "{files:?}");
    let mut seen = String::new();
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (first, second) = (replay(file).await, replay(file).await);
        assert_eq!(first.to_string(), second.to_string());
        assert_eq!(first.divergence, None, "{first}");
        assert_eq!(first.outcome, first.recorded_outcome);
        seen.push_str(&first.to_string());
    }
    for part in [
        "Application-Start: ",
        "aro:net/listeners.listen(",
        "hello everybody",
        "aro:net/connections.broadcast",
        "main.aro:",
        " = \"hello everybody\\n\"",
    ] {
        assert!(seen.contains(part), "no {part:?} in\n{seen}");
    }
}

/// Answers with what is stored under a name, and stores what follows.
const SHELF: &str = r#"(Application-Start: Shelf) {
    Listen on port 0 as <shelf> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Ask: DataReceived Handler<server:shelf>) {
    Extract the <line> from the <event: data>.
    Split the <words> from the <line> by /\s+/.
    Compute the <name: first> from the <words>.
    Retrieve the <known> from the <things> where id = <name>.
    Send the <answer> to the <event: connection> with "${<known: text>}\n" when <known> is not empty.
    Send the <nothing> to the <event: connection> with "nothing\n" when <known> is empty.
    Create the <now-then> with <now>.
    Create the <key> with <generated-id>.
    Create the <thing> with { text: <line>, key: <key> }.
    Store the <thing> into the <things> with id <name>.
    Return an <OK: status> for the <answer>.
}"#;

/// Records the shelf while it is asked for tea; answers the file of that event.
async fn question(kept: &Path) -> PathBuf {
    let server = recorded(SHELF, kept).await;
    let mut peer = server.connect().await;
    peer.send("cup of tea\n").await;
    assert_eq!(peer.line().await, "nothing");
    server.stop().await;
    file_of("ask", kept)
}

/// The recording of a feature set whose name begins so.
fn file_of(name: &str, kept: &Path) -> PathBuf {
    let mut files = events(kept).into_iter();
    files
        .find(|file| file.to_string_lossy().contains(name))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_repository_answered_is_what_it_answers_again() {
    let kept = tempfile::tempdir().unwrap();
    let server = recorded(SHELF, kept.path()).await;
    let mut peer = server.connect().await;
    for (line, answer) in [
        ("cup of tea", "nothing"),
        ("cup of milk", "cup of tea"),
        ("cup", "cup of milk"),
    ] {
        peer.send(format!("{line}\n")).await;
        assert_eq!(peer.line().await, answer);
    }
    drop(peer);
    server.connections(0).await;
    server.stop().await;
    let mut answers = Vec::new();
    for file in events(kept.path()) {
        let replayed = replay(&file).await;
        assert_eq!(replayed.divergence, None, "{replayed}");
        let sent = replayed.lines.iter().filter_map(|line| match line {
            Line::Call {
                name, arguments, ..
            } if name.ends_with("connections.send") => Some(arguments.clone()),
            Line::Call { .. } | Line::Statement { .. } | Line::Bound { .. } => None,
        });
        answers.extend(sent);
        // Times and identities are those of then.
        if replayed.heading.starts_with("Ask") {
            let names: Vec<_> = replayed
                .lines
                .iter()
                .filter_map(|line| match line {
                    Line::Bound { name, .. } => Some(name.as_str()),
                    Line::Call { .. } | Line::Statement { .. } => None,
                })
                .collect();
            assert_eq!(
                names,
                ["line", "words", "name", "known", "now-then", "key", "thing"],
                "{replayed}"
            );
        }
    }
    let said: Vec<_> = answers
        .iter()
        .map(|arguments| arguments.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(said, ["nothing\\n", "cup of tea\\n", "cup of milk\\n"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_is_refused_and_other_steps_are_named() {
    let kept = tempfile::tempdir().unwrap();
    let file = question(kept.path()).await;
    let bytes = fs::read(&file).unwrap();
    let event = RecordedEvent::read(&bytes).unwrap();
    let other = compile(sources(&[("main.aro", &SHELF.replace("nothing", "none"))]));
    let refused = aro_host::replay(&event, &other, None).await.unwrap_err();
    assert!(refused.to_string().contains("another program"), "{refused}");
    // The same digest over other steps: what a compiler with a fault would bring.
    let app = fs::read(event.app_beside(&file)).unwrap();
    let diverged = aro_host::replay(&event, &app, Some(&other)).await.unwrap();
    let divergence = diverged.divergence.unwrap();
    assert!(
        divergence.starts_with("main.aro:11:5: ") && divergence.contains("none\\n"),
        "{divergence}"
    );
    assert!(RecordedEvent::read(&bytes[..bytes.len() / 2]).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_and_endless_loops_are_told_again() {
    let kept = tempfile::tempdir().unwrap();
    let text = r#"(Application-Start: Trouble) {
        Listen on port 0 as <door> with { framing: "line" }.
        Return an <OK: status> for the <startup>.
    }
    (Fail: DataReceived Handler) {
        Extract the <line> from the <event: data>.
        Create the <number> with 7.
        if <line> is "fail" then {
            Compute the <result> from <number> / 0.
        }
        while <number> > 0 {
            Compute the <number> from <number> + 1.
        }
        Return an <OK: status> for the <end>.
    }"#;
    let server = recorded(text, kept.path()).await;
    let mut peer = server.connect().await;
    peer.send("fail\n").await;
    server.error("zero").await;
    peer.send("spin\n").await;
    server.error("ran longer than").await;
    server.stop().await;
    let mut outcomes = Vec::new();
    for file in events(kept.path()) {
        let (first, second) = (replay(&file).await, replay(&file).await);
        assert_eq!(first.to_string(), second.to_string());
        outcomes.push((first.recorded_outcome.clone(), first.outcome.clone()));
    }
    let failed = outcomes
        .iter()
        .find(|(then, _)| then.contains("zero"))
        .unwrap();
    assert_eq!(failed.0, failed.1);
    let spun = outcomes
        .iter()
        .find(|(then, _)| then.contains("ran longer"))
        .unwrap();
    assert!(spun.1.contains("the replay ends after"), "{}", spun.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_keep_their_bound_and_say_where_they_end() {
    let kept = tempfile::tempdir().unwrap();
    let program = directory("examples/echo");
    let server = Server::start_with(program, |settings| {
        settings.record = Some(kept.path().to_owned());
        settings.limits.record_bytes_max = 20_000;
    })
    .await;
    let mut peer = server.connect().await;
    for _ in 0..200 {
        peer.send([7; 500]).await;
        peer.expect([7; 500]).await;
    }
    server.stop().await;
    let files = events(kept.path());
    let bytes: u64 = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(
        bytes <= 20_000 && files.len() > 5,
        "{bytes} in {}",
        files.len()
    );
    assert_eq!(replay(&files[0]).await.divergence, None);

    let kept = tempfile::tempdir().unwrap();
    let text = r#"(Application-Start: Long) {
        Listen on port 0 as <door>.
        Return an <OK: status> for the <startup>.
    }
    (Much: DataReceived Handler) {
        for <round> from 0 to 100 {
            Send the <round> to the <event: connection> with "${<round>}\n".
        }
        Return an <OK: status> for the <end>.
    }"#;
    let server = Server::start_with(sources(&[("main.aro", text)]), |settings| {
        settings.record = Some(kept.path().to_owned());
        settings.limits.record_event_bytes_max = 2000;
    })
    .await;
    let mut peer = Peer::connect(server.address()).await;
    peer.send("go").await;
    while peer.line().await != "99" {}
    server.stop().await;
    let replayed = replay(&file_of("much", kept.path())).await;
    assert_eq!(
        (replayed.divergence.clone(), replayed.is_whole),
        (None, false)
    );
    let sends = replayed.to_string().matches("connections.send").count();
    assert!((5..100).contains(&sends), "{replayed}");
    assert!(replayed.to_string().contains("the recording ends here"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_an_event_as_often_as_it_is_asked() {
    let kept = tempfile::tempdir().unwrap();
    let file = question(kept.path()).await;
    let shown = async |arguments: &[&str]| {
        let output = aro_host(arguments).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let path = file.to_str().unwrap();
    let (code, first, errors) = shown(&["replay", path]).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(shown(&["replay", path]).await.1, first);
    for part in [
        "Ask: DataReceived Handler<server:shelf>",
        "    name = \"cup\"\n",
        "ended: done\n",
    ] {
        assert!(first.contains(part), "{first}");
    }
    let (code, _, errors) = shown(&["replay", path, "--app", "examples/echo"]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("another program"), "{errors}");
}
