//! One program misbehaves in every way it can; it is told so with its own statement, and nobody else notices.

use aro_host::{Isolation, Outcome};
use harness::{Peer, Server, directory, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const ISOLATIONS: [Isolation; 2] = [Isolation::Event, Isolation::Reuse { events_max: 1000 }];

/// What is sent, and lines that standard error must have for it, in this order.
const FAULTS: [(&str, &[&str]); 6] = [
    (
        "loop",
        &[
            "Handler error: ran longer than 100 ms of CPU time",
            "  Feature: Fail",
            "  Statement: while <condition>",
            "  Source: main.aro:19:13",
        ],
    ),
    (
        "double",
        &[
            "Handler error: Runtime Error: Cannot compute the word from the _expression_.",
            "  Feature: Fail",
            "  Cause: needs more than 8 MiB of memory",
            "  Source: main.aro:26:17",
        ],
    ),
    (
        "collect",
        &[
            "Handler error: Runtime Error: Cannot create the list with the _expression_.",
            "  Feature: Fail",
            "  Cause: needs more than 8 MiB of memory",
            "  Source: main.aro:32:17",
        ],
    ),
    (
        "recurse",
        &["  Feature: Fail", "  Cause: recursed too deeply", "  Source: main.aro:62:5"],
    ),
    (
        "divide",
        &["Handler error: Runtime error: Division by zero", "  Feature: Fail", "  Source: main.aro:46:13"],
    ),
    (
        "undefined",
        &[
            "Handler error: Runtime Error: Cannot send the nothing-of-this-name to the connection.",
            "  Feature: Fail",
            "  Source: main.aro:50:13",
        ],
    ),
];

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
    for isolation in ISOLATIONS {
        let server = Server::start_with(directory("tests/programs/faults"), |settings| {
            settings.isolation = isolation;
            settings.limits.cpu_time_max = Duration::from_millis(100);
            settings.limits.memory_bytes_max = 8 << 20;
        })
        .await;
        let stop = Arc::new(AtomicBool::new(false));
        let other = chatter(server.connect().await, &stop);
        let mut peer = server.connect().await;
        let mut told = 0;
        for (fault, lines) in FAULTS {
            peer.send(fault).await;
            let last = lines.last().unwrap();
            server.error(last).await;
            // The same connection is served on.
            peer.send("still here").await;
            peer.expect("still here").await;
            let errors = server.errors();
            assert!(contains_in_order(&errors[told..], lines), "{fault}: {}", &errors[told..]);
            assert_eq!(errors[told..].matches("Handler error: ").count(), 1, "{}", &errors[told..]);
            told = errors.len();
        }
        stop.store(true, Ordering::Release);
        let exchanged = within("the other peer ends", other).await.unwrap();
        assert!(exchanged > FAULTS.len(), "the other peer was not served meanwhile: {exchanged}");
        assert_eq!(server.observe().events_failed, FAULTS.len() as u64);
        assert_eq!(server.stop().await.outcome, Outcome::Success);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_to_a_closed_connection_goes_on_and_is_told() {
    let server = Server::start(directory("tests/programs/faults")).await;
    let mut friend = server.connect().await;
    friend.send("remember").await;
    friend.expect("remember").await;
    drop(friend);
    server.connections(0).await;
    let mut peer = server.connect().await;
    peer.send("send to closed").await;
    peer.expect("nobody").await;
    let errors = server.error("main.aro:40:13").await;
    assert!(errors.starts_with("[Fail] nothing was sent, connection "), "{errors}");
    assert!(errors.ends_with(" is closed: <Send> the <greeting> to the <friend>. (main.aro:40:13)\n"), "{errors}");
    assert_eq!((server.observe().events_failed, server.observe().sends_to_closed), (0, 1));
    assert_eq!(server.stop().await.outcome, Outcome::Success);
}
