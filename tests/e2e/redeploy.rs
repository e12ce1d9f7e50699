//! One version takes the place of another while peers talk: no connection is closed, no message lost, repeated or reordered, the state stays.

use aro_host::{DeployError, Isolation};
use aro_to_wasm::Input;
use aro_to_wasm::source::SourceFile;
use harness::{Peer, Server, sources, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CLIENTS: usize = 100;
const DEPLOYMENTS: usize = 20;
/// Messages that a client has under way at once.
const WINDOW: usize = 8;

/// A program whose answers begin with its version.
fn echo(version: usize) -> Input {
    program(&format!(
        r#"(Application-Start: Echo) {{
    Listen on port 9000 as <hub> with {{ framing: "line" }}.
    Return an <OK: status> for the <startup>.
}}
(Answer: DataReceived Handler) {{
    Send the <answer> to the <event: connection> with "{version} ${{<event: data>}}\n".
    Return an <OK: status> for the <answer>.
}}"#
    ))
}

fn program(text: &str) -> Input {
    sources(&[("main.aro", text)])
}

/// Version and number of an answer.
fn answer(line: &str) -> (usize, usize) {
    let (version, number) = line.split_once(' ').unwrap();
    (version.parse().unwrap(), number.parse().unwrap())
}

/// Sends numbers until `done` says enough; answers how many there were and the versions that answered.
async fn talk(mut peer: Peer, done: Arc<AtomicUsize>) -> (usize, Vec<usize>) {
    let (mut sent, mut received, mut versions) = (0, 0, Vec::new());
    while received < sent || done.load(Ordering::Acquire) == 0 {
        while sent < received + WINDOW && done.load(Ordering::Acquire) == 0 {
            peer.send(format!("{sent}\n")).await;
            sent += 1;
        }
        if received < sent {
            let (version, number) = answer(&peer.line().await);
            assert_eq!(number, received, "lost, repeated or reordered");
            received += 1;
            if versions.last() != Some(&version) {
                versions.push(version);
            }
        }
    }
    (sent, versions)
}

async fn nothing_is_lost(isolation: Isolation) {
    let server = Server::start_with(echo(1), |settings| settings.isolation = isolation).await;
    let address = server.address();
    let done = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(talk(server.connect().await, Arc::clone(&done)));
    }
    for version in 2..=DEPLOYMENTS + 1 {
        let number = server.deploy(echo(version)).await.unwrap();
        assert_eq!(number, version as u64);
        // Whoever comes after the swap meets the new version.
        let mut late = Peer::connect(address).await;
        late.send("0\n").await;
        assert_eq!(answer(&late.line().await), (version, 0));
    }
    done.store(1, Ordering::Release);
    let mut total = 0;
    while let Some(client) = within("the clients are done", clients.join_next()).await {
        let (messages, versions) = client.unwrap();
        assert!(versions.is_sorted(), "went back: {versions:?}");
        total += messages;
    }
    let observed = server.observe();
    assert_eq!(
        (observed.connections_opened, observed.events_failed),
        ((CLIENTS + DEPLOYMENTS) as u64, 0)
    );
    assert_eq!(
        observed.events,
        (total + DEPLOYMENTS) as u64 + DEPLOYMENTS as u64 + 1
    );
    assert_eq!(server.addresses(), [address]);
    let stopped = server.stop().await;
    assert_eq!(stopped.error, "");
    assert_eq!(stopped.output.matches("Socket Server st").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_with_an_instance_for_each_event() {
    nothing_is_lost(Isolation::Event).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_with_reused_instances() {
    nothing_is_lost(Isolation::Reuse { events_max: 1000 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollback_returns_to_the_version_before() {
    let server = Server::start(echo(1)).await;
    let mut peer = server.connect().await;
    let error = server.rollback(None).await.unwrap_err();
    assert!(matches!(error, DeployError::NothingBefore), "{error}");
    for version in 2..=7 {
        server.deploy(echo(version)).await.unwrap();
    }
    for (asked, version) in [(None, 6), (None, 7), (Some(5), 5), (None, 7)] {
        assert_eq!(server.rollback(asked).await.unwrap(), version);
        peer.send("0\n").await;
        assert_eq!(answer(&peer.line().await), (version as usize, 0));
    }
    let error = server.rollback(Some(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "version 1 is not kept; deploy it again");
    let releases = server.releases();
    let listed: Vec<_> = releases
        .iter()
        .map(|release| (release.number, release.is_current, release.is_kept))
        .collect();
    let expected = (1..=7).map(|number| (number, number == 7, number >= 4));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    assert!(releases.iter().all(|release| release.digest.len() == 64));
    assert_eq!(server.stop().await.error, "");
}

/// A program that counts what it is told, listens where it is told to, and waits for its end.
fn counter(version: usize, listeners: &str, rest: &str) -> Input {
    program(&format!(
        r#"(Application-Start: Counter) {{
    {listeners}
    Log "version {version}" to the <console>.
    Keepalive the <application> for the <events>.
    Log "version {version} is over" to the <console>.
    Return an <OK: status> for the <startup>.
}}
(Count: DataReceived Handler) {{
    Create the <row> with {{ word: <event: data> }}.
    Store the <row> into the <word-repository>.
    Retrieve the <rows> from the <word-repository>.
    Compute the <count: length> from the <rows>.
    Send the <answer> to the <event: connection> with "{version}: ${{<count>}}\n".
    Return an <OK: status> for the <count>.
}}
{rest}"#
    ))
}

const HUB: &str = r#"Listen on port 9000 as <hub> with { framing: "line" }."#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_that_fails_leaves_everything_as_it_was() {
    let server = Server::start(counter(1, HUB, "")).await;
    let address = server.address();
    let mut peer = server.connect().await;
    peer.send("a\n").await;
    assert_eq!(peer.line().await, "1: 1");
    let broken = r#"Listen on port 9000 as <other> with { framing: "line" }.
    Listen on port 0 as <further>.
    Schedule the <Tick> with 1 millisecond.
    Retrieve the <row> from the <no-repository> where id is "x".
    Extract the <field> from the <row: id>."#;
    let tick = r#"(Tick: Tick Handler) {
    Log "tick of a version that never ran" to the <console>.
    Return an <OK: status> for the <tick>.
}"#;
    let broken = counter(2, broken, tick);
    let error = server.deploy(broken).await.unwrap_err();
    assert!(matches!(error, DeployError::Start { .. }), "{error}");
    let damaged = server.deploy_bytes(b"\0asm damaged".to_vec()).await;
    assert!(matches!(damaged.unwrap_err(), DeployError::Load(_)));
    peer.send("b\n").await;
    assert_eq!(peer.line().await, "1: 2");
    let mut late = Peer::connect(address).await;
    late.send("c\n").await;
    assert_eq!(late.line().await, "1: 3");
    let fine = counter(3, HUB, "");
    assert_eq!(server.deploy(fine).await.unwrap(), 3);
    late.send("d\n").await;
    assert_eq!(late.line().await, "3: 4");
    assert_eq!(server.addresses(), [address]);
    let numbers: Vec<_> = server.releases().iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1, 3]);
    let stopped = server.stop().await;
    assert!(!stopped.output.contains("tick"), "{}", stopped.output);
    // What follows the Keepalive of a version that was replaced is not run: the program has not ended.
    assert!(!stopped.output.contains("version 1 is over"));
    assert!(stopped.output.contains("version 3 is over"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_follow_the_program_and_connections_stay() {
    let listener =
        |name: &str| format!("Listen on port 0 as <{name}> with {{ framing: \"line\" }}.");
    let two = format!("{HUB}\n{}", listener("second"));
    let server = Server::start(counter(1, &two, "")).await;
    let [first, second] = server.addresses()[..] else {
        panic!("two listeners")
    };
    let mut on_first = Peer::connect(first).await;
    let mut on_second = Peer::connect(second).await;
    on_first.send("a\n").await;
    assert_eq!(on_first.line().await, "1: 1");
    // The second listener is gone, its connection is not; the first has another framing for those who come from now on.
    let raw = "Listen on port 9000 as <renamed>.";
    server.deploy(counter(2, raw, "")).await.unwrap();
    assert_eq!(server.addresses(), [first]);
    let refused = async { while TcpStream::connect(second).await.is_ok() {} };
    within("nobody listens there", refused).await;
    for (peer, message, line) in [
        (&mut on_second, "b\n", "2: 2"),
        (&mut on_first, "c\n", "2: 3"),
    ] {
        peer.send(message).await;
        assert_eq!(peer.line().await, line);
    }
    let mut raw = Peer::connect(first).await;
    raw.send("without an end of line").await;
    assert_eq!(raw.line().await, "2: 4");
    let stopped = server.stop().await;
    assert_eq!(stopped.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_in_flight_and_those_they_raise_end_on_their_version() {
    let slow = |version: usize| {
        program(&format!(
            r#"(Application-Start: Slow) {{
    {HUB}
    Return an <OK: status> for the <startup>.
}}
(Slow: DataReceived Handler) {{
    Extract the <connection> from the <event: connection>.
    Send the <first> to the <connection> with "{version} begins\n".
    Sleep the <nap> for 1 second.
    Emit a <Slept: event> with {{ connection: <connection> }}.
    Return an <OK: status> for the <answer>.
}}
(Slept: Slept Handler) {{
    Extract the <connection> from the <event: connection>.
    Send the <answer> to the <connection> with "{version} ends\n".
    Return an <OK: status> for the <answer>.
}}"#
        ))
    };
    let server = Server::start(slow(1)).await;
    let mut peer = server.connect().await;
    peer.send("go\ngo\n").await;
    assert_eq!(peer.line().await, "1 begins");
    server.deploy(slow(2)).await.unwrap();
    for line in ["1 ends", "2 begins", "2 ends"] {
        assert_eq!(peer.line().await, line);
    }
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_of_a_start_end_with_their_version() {
    let ticking = |version: usize| {
        let timer = format!("{HUB}\n    Schedule the <Tick> with 5 milliseconds.");
        let tick = format!(
            r#"(On Tick: Tick Handler) {{
    Log "tick {version}" to the <console>.
    Return an <OK: status> for the <tick>.
}}"#
        );
        counter(version, &timer, &tick)
    };
    let server = Server::start(ticking(1)).await;
    server.output("tick 1").await;
    server.deploy(ticking(2)).await.unwrap();
    server.output("tick 2").await;
    server.deploy(counter(3, HUB, "")).await.unwrap();
    let output = server.stop().await.output;
    let (before, after) = output.split_once("version 3").unwrap();
    assert!(before.contains("tick 2"));
    assert!(!after.contains("tick"), "{after}");
}

/// All above the body, and the body, of the next answer on a connection that stays open.
async fn ask(stream: &mut TcpStream) -> (String, String) {
    let request = b"GET /version HTTP/1.1\r\nHost: version\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let (_, length) = length.split_once("content-length: ").unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return (head.to_owned(), body.to_owned());
            }
        }
        let read = within("an answer", stream.read_buf(&mut received)).await;
        assert!(read.unwrap() > 0, "the connection was closed");
    }
}

fn service(version: usize) -> Input {
    let mut input = program(&format!(
        r#"(Application-Start: Service) {{
    Start the <http-server> with <contract>.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}}
(version: Versions) {{
    Return an <OK: status> with {{ version: {version} }}.
}}"#
    ));
    let contract = "openapi: 3.0.3\ninfo: { title: v, version: \"1\" }\npaths:\n  /version:\n    get:\n      operationId: version\n      responses: { \"200\": { description: ok } }\n";
    input.contract = Some(SourceFile {
        path: "openapi.yaml".to_owned(),
        text: contract.to_owned(),
    });
    input
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_http_stay_and_too_many_requests_are_told_to_wait() {
    let server = Server::start_with(service(1), |settings| {
        settings.http_port_override = Some(0);
        settings.limits.events_per_second_max = std::num::NonZeroU32::new(4);
    })
    .await;
    let address = server.http_address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    for version in 1..=3 {
        if version > 1 {
            server.deploy(service(version)).await.unwrap();
        }
        let (head, body) = ask(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(body.contains(&format!("\"version\":{version}")), "{body}");
    }
    assert_eq!(server.http_address(), address);
    let refused = async {
        loop {
            let (head, body) = ask(&mut stream).await;
            if !head.starts_with("HTTP/1.1 200 ") {
                return (head, body);
            }
        }
    };
    let (head, body) = within("a request too many", refused).await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(head.contains("\r\nretry-after: 1\r\n"), "{head}");
    assert_eq!(body, r#"{"error":"Too Many Requests"}"#);
    assert!(server.observe().rate_limited > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_goes_on_where_nobody_waits_for_it() {
    let server = Server::start(echo(1)).await;
    let slow = program(
        r#"(Application-Start: Echo) {
    Log "setting up" to the <console>.
    Sleep the <nap> for 300 ms.
    Listen on port 9000 as <hub> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Answer: DataReceived Handler) {
    Send the <answer> to the <event: connection> with "2 ${<event: data>}\n".
    Return an <OK: status> for the <answer>.
}"#,
    );
    // Whoever has ordered it leaves while the new start runs.
    tokio::select! {
        done = server.deploy(slow) => panic!("{done:?}"),
        _ = server.output("setting up") => {}
    }
    let mut peer = server.connect().await;
    let replaced = async {
        loop {
            peer.send("0\n").await;
            if answer(&peer.line().await) == (2, 0) {
                return;
            }
        }
    };
    within("the new version answers", replaced).await;
    let current = server.releases().into_iter().find(|one| one.is_current);
    assert_eq!(current.map(|one| one.number), Some(2));
    // Nothing of the exchange is left: the next one follows.
    assert_eq!(server.deploy(echo(3)).await.unwrap(), 3);
    assert_eq!(server.stop().await.error, "");
}
