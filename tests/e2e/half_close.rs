//! Connections of which one side has finished sending: what programs are told, what they may do, how such connections end.

use aro_host::{Outbound, Outcome};
use harness::{Peer, Random, Server, directory, listener, serve, within};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Adds up what comes, and answers once nothing more does.
const SUMMARY: &str = r#"(Application-Start: Summary) {
    Listen on port 0 as <sums> with { framing: "line", halfClose: true }.
    Return an <OK: status> for the <startup>.
}
(Line: DataReceived Handler<server:sums>) {
    Extract the <line> from the <event: data>.
    Extract the <id> from the <event: connectionId>.
    Retrieve the <known> from the <texts> where id = <id>.
    if <known> is empty then {
        Create the <text> with "${<line>};".
    } else {
        Create the <text> with "${<known: text>}${<line>};".
    }
    Store the <text> into the <texts> with id <id>.
    Return an <OK: status> for the <line>.
}
(Answer: ClientFinished Handler<server:sums>) {
    Extract the <id> from the <event: connectionId>.
    Log "finished: ${<event: server>} ${<event: connection: open>}" to the <console>.
    Retrieve the <known> from the <texts> where id = <id>.
    Wait for 0.05 seconds.
    Send the <answer> to the <event: connection> with "all: ${<known: text>}\n".
    Close the <event: connection> for the <sending>.
    Send the <more> to the <event: connection> with "too late".
    Return an <OK: status> for the <answer>.
}
(Peer Finished: Socket Event Handler) {
    Log "other style: ${<connection: kind>}" to the <console>.
    Return an <OK: status> for the <end>.
}
(Gone: ClientDisconnected Handler) {
    Log "gone: ${<event: reason>}" to the <console>.
    Return an <OK: status> for the <end>.
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_has_finished_gets_its_answer_later() {
    let server = serve(SUMMARY, |_| {}).await;
    let before = server.entries();
    for _ in 0..3 {
        let mut peer = server.connect().await;
        peer.send("a\nb\n").await;
        peer.finish().await;
        assert_eq!(peer.rest().await, b"all: a;b;\n");
    }
    server.connections(0).await;
    assert_eq!(server.entries(), before);
    let stopped = server.stop().await;
    for line in [
        "[Answer] finished: sums true\n",
        "[Peer Finished] other style: inbound\n",
        "[Gone] gone: connection closed\n",
    ] {
        assert_eq!(
            stopped.output.matches(line).count(),
            3,
            "{}",
            stopped.output
        );
    }
    // What is sent behind the end is told as what is sent to a closed connection.
    let told = stopped.error.matches("nothing was sent").count();
    assert_eq!((stopped.outcome, told), (Outcome::Success, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_has_finished_still_hears_the_peer() {
    let server = serve(
        r#"(Application-Start: Farewell) {
        Listen on port 0 as <door>.
        Return an <OK: status> for the <startup>.
    }
    (Greet: ClientConnected Handler) {
        Send the <hello> to the <connection> with "hello".
        Close the <connection> for the <sending>.
        Return an <OK: status> for the <greeting>.
    }
    (Heard: DataReceived Handler) {
        Extract the <data> from the <event: data>.
        Log "heard ${data}" to the <console>.
        Close the <connection> when <data> is "enough".
        Return an <OK: status> for the <data>.
    }
    (Gone: ClientDisconnected Handler) {
        Log "gone" to the <console>.
        Return an <OK: status> for the <end>.
    }"#,
        |_| {},
    )
    .await;
    let mut peer = server.connect().await;
    assert_eq!(peer.rest().await, b"hello");
    peer.send("one").await;
    server.output("heard one\n").await;
    peer.send("two").await;
    server.output("heard two\n").await;
    peer.finish().await;
    server.output("gone\n").await;
    let mut peer = server.connect().await;
    assert_eq!(peer.rest().await, b"hello");
    peer.send("enough").await;
    server.connections(0).await;
    assert_eq!(server.stop().await.error, "");
}

/// Far more than the system takes when there are forty of them.
const DROP_BYTES: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_queued_before_the_end_arrives() {
    let drop = "x".repeat(DROP_BYTES);
    let text = r#"(Application-Start: Flood) {
        Listen on port 0 as <flood> with { half-close: true }.
        Return an <OK: status> for the <startup>.
    }
    (Pour: ClientFinished Handler) {
        for <round> from 0 to 40 {
            Send the <drop> to the <event: connection> with "{drop}".
        }
        Close the <event: connection> for the <sending>.
        Return an <OK: status> for the <flood>.
    }"#;
    let server = serve(&text.replace("{drop}", &drop), |_| {}).await;
    let mut peer = server.connect().await;
    peer.finish().await;
    // It reads nothing until far more is queued than the system's buffers take.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(peer.rest().await.len(), 40 * DROP_BYTES);
    server.connections(0).await;
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_handler_the_connection_ends_with_its_peers_last_byte() {
    let server = serve(
        r#"(Application-Start: Unaware) {
        Listen on port 0 as <door> with { halfClose: true }.
        Return an <OK: status> for the <startup>.
    }
    (Echo: DataReceived Handler) {
        Extract the <data> from the <event: data>.
        Send the <data> to the <event: connection>.
        Return an <OK: status> for the <data>.
    }"#,
        |_| {},
    )
    .await;
    let mut peer = server.connect().await;
    peer.send("x").await;
    peer.finish().await;
    assert_eq!(peer.rest().await, b"x");
    server.connections(0).await;
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_whose_peer_is_reset_goes() {
    let server = serve(
        r#"(Application-Start: Patient) {
        Listen on port 0 as <door> with { halfClose: true }.
        Return an <OK: status> for the <startup>.
    }
    (Never Answers: ClientFinished Handler) {
        Log "finished" to the <console>.
        Return an <OK: status> for the <end>.
    }
    (Why: SocketError Handler) {
        Log "error: ${<event: error>}" to the <console>.
        Return an <OK: status> for the <why>.
    }"#,
        |_| {},
    )
    .await;
    let mut peer = server.connect().await;
    peer.finish().await;
    server.output("finished\n").await;
    let stream = peer.into_stream();
    stream.set_zero_linger().unwrap();
    drop(stream);
    server.output("error: Connection reset\n").await;
    server.connections(0).await;
    server.stop().await;
}

/// The proxy of the examples, before a backend on `port`.
async fn proxy(port: u16) -> Server {
    let mut input = directory("examples/tcp-proxy");
    for file in &mut input.files {
        file.text = file.text.replace("9100", &port.to_string());
    }
    Server::start_with(input, |settings| {
        settings.grants.outbound = Outbound::All;
    })
    .await
}

/// Bytes that go through the proxy each way.
const PROXIED_BYTES: usize = 1 << 20;

fn noise(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; PROXIED_BYTES];
    Random::new(seed).fill(&mut bytes);
    bytes
}

/// Sends a request, finishes, and wants the answer that depends on all of it.
async fn ask(proxy: SocketAddr, seed: u64) {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let request = noise(seed);
    stream.write_all(&request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let read = within("an answer behind the end", stream.read_to_end(&mut answer)).await;
    read.unwrap();
    let expected: Vec<u8> = request.iter().rev().copied().collect();
    assert!(answer == expected, "{} bytes of {seed}", answer.len());
}

/// Answers with everything backwards, which it cannot begin before the end.
async fn backwards(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            bytes.reverse();
            stream.write_all(&bytes).await.unwrap();
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_keeps_what_a_client_leaves_half_open() {
    let (listener, port) = listener().await;
    let backend = tokio::spawn(backwards(listener));
    let server = proxy(port).await;
    let before = server.entries();
    let address = server.address();
    let clients: Vec<_> = (1..=10)
        .map(|seed| tokio::spawn(ask(address, seed)))
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    gone(&server, before).await;
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
    backend.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_keeps_what_a_backend_leaves_half_open() {
    let (listener, port) = listener().await;
    let server = proxy(port).await;
    let before = server.entries();
    let mut client = server.connect().await;
    let (mut backend, _) = within("the proxy connects", listener.accept())
        .await
        .unwrap();
    let offer = noise(1);
    backend.write_all(&offer).await.unwrap();
    backend.shutdown().await.unwrap();
    assert!(client.rest().await == offer);
    // The client sends only now.
    let reply = noise(2);
    let sending = tokio::spawn(async move {
        client.send(noise(2)).await;
        client.finish().await;
        client
    });
    let mut received = Vec::new();
    let read = within("the reply", backend.read_to_end(&mut received)).await;
    read.unwrap();
    assert!(received == reply);
    drop(sending.await.unwrap());
    gone(&server, before).await;
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
}

/// Waits until the host holds no more than it did.
async fn gone(server: &Server, before: aro_host::Entries) {
    let gone = async {
        while server.entries() != before {
            tokio::task::yield_now().await;
        }
    };
    within("both sides of every pair are gone", gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_connections_that_are_half_open() {
    let stays = SUMMARY.replace("Close the <event: connection> for the <sending>.", "");
    let server = serve(&stays, |_| {}).await;
    let mut peer = Peer::connect(server.address()).await;
    peer.send("a\n").await;
    peer.finish().await;
    peer.expect("all: a;\ntoo late").await;
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
    peer.closed().await;
}
