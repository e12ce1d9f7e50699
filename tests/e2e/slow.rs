//! A peer that never reads costs a bounded amount of memory, and nobody else anything.

use aro_host::{Outcome, Settings, SlowPeer};
use harness::{Peer, Server, directory, within};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a peer must be kept from sending before it counts as stopped.
const STALLED: Duration = Duration::from_millis(500);
/// What the queue of a connection holds in these tests.
const QUEUE_BYTES: usize = 256 << 10;
/// More than kernels hold for a pair of loopback sockets in both directions, however far their buffers have grown.
const KERNEL_BYTES_MAX: usize = 32 << 20;
/// Small enough to arrive in one piece, so that it is relayed as one message.
const MESSAGE_BYTES: usize = 1024;

fn small_queue(settings: &mut Settings) {
    settings.limits.queue_bytes_max = QUEUE_BYTES;
    settings.limits.queue_low_bytes = QUEUE_BYTES / 4;
}

/// Bytes that a peer which never reads can send before the host stops reading from it.
async fn flood(stream: &mut TcpStream) -> usize {
    let chunk = vec![7; 64 << 10];
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(STALLED, stream.write(&chunk)).await {
        sent += written.unwrap();
        assert!(
            sent < QUEUE_BYTES + KERNEL_BYTES_MAX,
            "nothing stops this peer"
        );
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_reads_no_more_from_a_peer_that_does_not_read_and_loses_nothing() {
    let server = Server::start_with(directory("examples/echo"), small_queue).await;
    let mut silent = server.connect().await.into_stream();
    let mut other = server.connect().await;
    let sent = flood(&mut silent).await;
    for _ in 0..100 {
        other.send("still served").await;
        other.expect("still served").await;
    }
    let mut received = vec![0; sent];
    within("everything comes back", silent.read_exact(&mut received))
        .await
        .unwrap();
    assert!(received.iter().all(|byte| *byte == 7));
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
}

/// A message that says which it is in every part.
fn message(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(MESSAGE_BYTES / 4)
}

/// Relays messages from `next` on until the queue of a silent peer is full; answers the number of the next one.
async fn relay_until_full(server: &Server, talker: &mut Peer) -> u32 {
    let mut number = 0;
    while server.observe().slow_peers == 0 {
        talker.send(message(number)).await;
        talker.expect(message(number)).await;
        number += 1;
        assert!(
            (number as usize) * MESSAGE_BYTES < QUEUE_BYTES + KERNEL_BYTES_MAX,
            "nothing bounds the queue of the silent peer"
        );
    }
    number
}

async fn relay(policy: SlowPeer) -> (Server, TcpStream, Peer) {
    let server = Server::start_with(directory("tests/programs/relay"), |settings| {
        small_queue(settings);
        settings.slow_peer = policy;
    })
    .await;
    let silent = server.connect().await.into_stream();
    let talker = server.connect().await;
    server.connections(2).await;
    (server, silent, talker)
}

/// The number of a whole message.
fn number_of(bytes: &[u8]) -> u32 {
    let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    assert!(bytes == message(number), "a message in pieces");
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcast_disconnects_a_peer_that_does_not_read() {
    let (server, mut silent, mut talker) = relay(SlowPeer::Disconnect).await;
    let number = relay_until_full(&server, &mut talker).await;
    server.connections(1).await;
    // What had left for it is an unbroken beginning; then the connection is gone.
    let mut received = Vec::new();
    drop(within("the end", silent.read_to_end(&mut received)).await);
    for (expected, bytes) in (0..).zip(received.chunks_exact(MESSAGE_BYTES)) {
        assert_eq!(number_of(bytes), expected);
    }
    talker.send(message(number)).await;
    talker.expect(message(number)).await;
    assert_eq!(server.stop().await.outcome, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcast_leaves_messages_out_for_a_peer_that_does_not_read() {
    let (server, mut silent, mut talker) = relay(SlowPeer::DropNewest).await;
    let first_missed = relay_until_full(&server, &mut talker).await - 1;
    // Once it reads it gets what was queued, misses a whole number of messages, and is served again.
    let reader = tokio::spawn(async move {
        let mut bytes = [0; MESSAGE_BYTES];
        let mut expected = 0;
        loop {
            within("a message", silent.read_exact(&mut bytes))
                .await
                .unwrap();
            let number = number_of(&bytes);
            if expected < first_missed {
                assert_eq!(number, expected);
            }
            expected = number + 1;
            if number > first_missed {
                return silent;
            }
        }
    });
    let mut number = first_missed + 1;
    while !reader.is_finished() {
        talker.send(message(number)).await;
        talker.expect(message(number)).await;
        number += 1;
    }
    let silent = reader.await.unwrap();
    server.connections(2).await;
    drop(silent);
    assert_eq!(server.stop().await.outcome, Outcome::Success);
}
