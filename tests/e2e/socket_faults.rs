//! What networks do to a server: resets, half-open connections, one byte at a time, storms, descriptors used up.

use harness::{Peer, Server, directory, sources, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

const REPORTING: &str = r#"
(Application-Start: Reporting) {
    Listen on port 0 as <server>.
    Return an <OK: status> for the <startup>.
}
(Echo: DataReceived Handler) {
    Extract the <data> from the <event: data>.
    Subscribe the <connection> to the <everybody>.
    Send the <data> to the <event: connection>.
    Return an <OK: status> for the <echo>.
}
(Why: SocketError Handler) {
    Log "error ${<event: connectionId>}: ${<event: error>} (${<event: code>})" to the <console>.
    Return an <OK: status> for the <why>.
}
(Gone: ClientDisconnected Handler) {
    Log "gone ${<event: connectionId>}: ${<event: reason>}" to the <console>.
    Return an <OK: status> for the <end>.
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_is_an_error_and_then_an_end() {
    let server = Server::start(sources(&[("main.aro", REPORTING)])).await;
    let mut peer = server.connect().await;
    peer.send("x").await;
    peer.expect("x").await;
    let stream = peer.into_stream();
    stream.set_zero_linger().unwrap();
    drop(stream);
    let output = server.output("connection closed\n").await;
    let mut lines = output.lines().skip(1);
    let error = lines.next().unwrap();
    let id = error
        .strip_prefix("[Why] error ")
        .and_then(|rest| rest.strip_suffix(": Connection reset (reset)"))
        .unwrap_or_else(|| panic!("{output}"));
    assert_eq!(
        lines.next().unwrap(),
        format!("[Gone] gone {id}: connection closed")
    );
    server.connections(0).await;
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_sends_no_more_still_gets_everything() {
    let server = Server::start(sources(&[("main.aro", REPORTING)])).await;
    let mut peer = server.connect().await;
    for byte in b"one byte at a time" {
        peer.send([*byte]).await;
    }
    peer.finish().await;
    assert_eq!(peer.rest().await, b"one byte at a time");
    server.connections(0).await;
    let stopped = server.stop().await;
    assert_eq!(stopped.output.matches("[Gone]").count(), 1);
    assert_eq!(
        (stopped.output.matches("[Why]").count(), stopped.error),
        (0, String::new())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_peer_that_says_nothing_costs_an_entry_and_goes_with_the_server() {
    let server = Server::start(sources(&[("main.aro", REPORTING)])).await;
    let silent = server.connect().await;
    let mut other = server.connect().await;
    other.send("still served").await;
    other.expect("still served").await;
    assert_eq!(server.entries().sockets, 3);
    let reader = tokio::spawn(async move {
        let mut silent = silent;
        silent.closed().await;
    });
    server.stop().await;
    within("the silent peer is closed", reader).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_mebibytes_come_back() {
    let server = Server::start(directory("examples/echo")).await;
    let stream = server.connect().await.into_stream();
    let (mut reader, mut writer) = stream.into_split();
    let sent: Vec<u8> = (0..16_u32 << 20).map(|at| ((at * 31) >> 3) as u8).collect();
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer
    });
    let mut received = vec![0; expected.len()];
    within("everything comes back", reader.read_exact(&mut received))
        .await
        .unwrap();
    assert!(received == expected);
    drop(writing.await.unwrap());
    assert_eq!(server.stop().await.error, "");
}

/// Peers that come and go at once.
const STORM_PEERS: usize = 64;
/// How often each comes.
const STORM_ROUNDS: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_clients_leaves_nothing_behind() {
    let server = Server::start(sources(&[("main.aro", REPORTING)])).await;
    let before = server.entries();
    let address = server.address();
    let storm = |seed: usize| async move {
        for round in 0..STORM_ROUNDS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            match (seed + round) % 4 {
                // Gone before it is greeted, reset, half closed, in the middle of an answer.
                0 => {}
                1 => stream.set_zero_linger().unwrap(),
                2 => {
                    stream.write_all(b"bye").await.unwrap();
                    stream.shutdown().await.unwrap();
                    let mut rest = Vec::new();
                    stream.read_to_end(&mut rest).await.unwrap();
                    assert_eq!(rest, b"bye");
                }
                _ => {
                    stream.write_all(&[7; 10_000]).await.unwrap();
                    drop(stream.read(&mut [0; 100]).await);
                }
            }
        }
    };
    let peers: Vec<_> = (0..STORM_PEERS)
        .map(|seed| tokio::spawn(storm(seed)))
        .collect();
    for peer in peers {
        within("the storm is over", peer).await.unwrap();
    }
    // A peer that was reset in the backlog may never have been seen.
    let settled = async {
        while server.entries() != before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("all entries and tasks are gone", settled).await;
    let opened = server.observe().connections_opened;
    let mut last = server.connect().await;
    last.send("still here").await;
    last.expect("still here").await;
    drop(last);
    server.connections(0).await;
    let stopped = server.stop().await;
    let gone = stopped.output.matches("[Gone]").count();
    assert_eq!(gone as u64, opened + 1, "one end for each connection");
    assert_eq!(stopped.error, "");
}

/// Descriptors that the starved host may have, few more than it needs for itself.
const DESCRIPTORS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_goes_on_after_descriptors_were_used_up() {
    let host = harness::binary("aro-host");
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$@\"")])
        .arg("sh")
        .arg(host)
        .args(["serve", "--bind", "127.0.0.1", "examples/echo"])
        .current_dir(harness::repository())
        .env("ARO_SOCKET_PORT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = within("the first line", output.next_line()).await.unwrap();
    let first = first.expect("the host starts");
    let port = first
        .strip_prefix("Socket Server started on port ")
        .unwrap_or_else(|| panic!("{first}"));
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into();
    // More than there are descriptors: the last ones wait in the backlog.
    let mut peers = Vec::new();
    for _ in 0..DESCRIPTORS + 20 {
        peers.push(Peer::connect(address).await);
    }
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let refused = async {
        loop {
            let line = errors.next_line().await.unwrap();
            if line.expect("the host runs").contains("Too many open files") {
                return;
            }
        }
    };
    within("the host says that it cannot accept", refused).await;
    // Whoever was accepted is still served, and when some have gone the others are.
    let mut last = peers.pop().unwrap();
    let mut first = peers.remove(0);
    first.send("served").await;
    first.expect("served").await;
    drop(peers);
    last.send("served in the end").await;
    last.expect("served in the end").await;
    child.kill().await.unwrap();
}
