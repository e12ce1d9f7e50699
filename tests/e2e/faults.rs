//! One program misbehaves in every way it can; it is told so with its own statement, and nobody else notices.

use aro_host::{Isolation, Outcome};
use aro_to_wasm::Input;
use harness::{Peer, Server, directory, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const ISOLATIONS: [Isolation; 2] = [Isolation::Event, Isolation::Reuse { events_max: 1000 }];

/// What is sent, what the statement that fails begins with, and lines that standard error must have for it, in this order.
const FAULTS: [(&str, &str, &[&str]); 6] = [
    (
        "loop",
        "true {",
        &[
            "Handler error: Runtime Error: Cannot evaluate while <condition>.",
            "  Feature: Fail",
            "  Statement: while <condition>",
            "  Cause: ran longer than 100 ms of CPU time",
        ],
    ),
    (
        "double",
        "Compute the <word>",
        &[
            "Handler error: Runtime Error: Cannot compute the word from the _expression_.",
            "  Feature: Fail",
            "  Statement: <Compute> the <word> from the <_expression_>.",
            "  Cause: needs more than 8 MiB of memory",
        ],
    ),
    (
        "collect",
        "Create the <list> with [<list>",
        &[
            "Handler error: Runtime Error: Cannot create the list with the _expression_.",
            "  Feature: Fail",
            "  Statement: <Create> the <list> with the <_expression_>.",
            "  Cause: needs more than 8 MiB of memory",
        ],
    ),
    (
        "recurse",
        "Application.Deeper the <depth> from 0",
        &[
            "  Feature: Fail",
            "  Cause: Actions call each other more than 200 levels deep",
        ],
    ),
    (
        "divide",
        "Compute the <share>",
        &[
            "Handler error: Runtime error: Division by zero",
            "  Feature: Fail",
            "  Statement: <Compute> the <share> from the <_expression_>.",
        ],
    ),
    (
        "undefined",
        "Send the <nothing-of-this-name>",
        &[
            "Handler error: Runtime Error: Cannot send the nothing-of-this-name to the connection.",
            "  Feature: Fail",
            "  Statement: <Send> the <nothing-of-this-name> to the <connection>.",
        ],
    ),
];

/// Where the program has `text`: `main.aro:12:5`.
fn place(program: &Input, text: &str) -> String {
    let file = &program.files[0];
    let (line, found) = file
        .text
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(text))
        .unwrap();
    format!(
        "{}:{}:{}",
        file.path,
        line + 1,
        found.find(text).unwrap() + 1
    )
}

/// A peer that exchanges numbered messages until it is told to stop; answers how many.
fn chatter(mut peer: Peer, stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        let mut count = 0;
        while !stop.load(Ordering::Acquire) {
            let message = format!("message {count}\n");
            peer.send(&message).await;
            peer.expect(&message).await;
            count += 1;
        }
        count
    })
}

fn contains_in_order(text: &str, lines: &[&str]) -> bool {
    let mut rest = text.lines();
    lines.iter().all(|line| rest.any(|found| found == *line))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_told_and_nobody_else_notices() {
    let program = directory("tests/programs/faults");
    for isolation in ISOLATIONS {
        let server = Server::start_with(program.clone(), |settings| {
            settings.isolation = isolation;
            settings.limits.cpu_time_max = Duration::from_millis(100);
            settings.limits.memory_bytes_max = 8 << 20;
        })
        .await;
        let stop = Arc::new(AtomicBool::new(false));
        let other = chatter(server.connect().await, &stop);
        let mut peer = server.connect().await;
        let mut told = 0;
        for (index, (fault, statement, lines)) in FAULTS.into_iter().enumerate() {
            peer.send(fault).await;
            server.error_times("Handler error: ", index + 1).await;
            // The same connection is served on.
            peer.send("still here").await;
            peer.expect("still here").await;
            let errors = server.errors();
            let error = &errors[told..];
            assert!(contains_in_order(error, lines), "{fault}: {error}");
            assert_eq!(error.matches("Handler error: ").count(), 1, "{error}");
            let source = error
                .lines()
                .find_map(|line| line.strip_prefix("  Source: "))
                .unwrap();
            let place = place(&program, statement);
            assert_eq!(source, place, "{error}");
            told = errors.len();
        }
        stop.store(true, Ordering::Release);
        let exchanged = within("the other peer ends", other).await.unwrap();
        assert!(
            exchanged > FAULTS.len(),
            "the other peer was not served meanwhile: {exchanged}"
        );
        assert_eq!(server.observe().events_failed, FAULTS.len() as u64);
        assert_eq!(server.stop().await.outcome, Outcome::Success);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_to_a_closed_connection_goes_on_and_is_told() {
    let program = directory("tests/programs/faults");
    let source = place(&program, "Send the <greeting>");
    let server = Server::start(program).await;
    let mut friend = server.connect().await;
    friend.send("remember").await;
    friend.expect("remember").await;
    drop(friend);
    server.connections(0).await;
    let mut peer = server.connect().await;
    peer.send("send to closed").await;
    peer.expect("nobody").await;
    let errors = server.error(&source).await;
    assert!(
        errors.starts_with("[Fail] nothing was sent, connection "),
        "{errors}"
    );
    assert!(
        errors.ends_with(&format!(
            " is closed: <Send> the <greeting> to the <friend>. ({source})\n"
        )),
        "{errors}"
    );
    assert_eq!(
        (
            server.observe().events_failed,
            server.observe().sends_to_closed
        ),
        (0, 1)
    );
    assert_eq!(server.stop().await.outcome, Outcome::Success);
}
