//! Echo under load: every byte returns, in order, whatever the sizes.

use aro_host::{Isolation, Outcome};
use harness::{Random, Server, directory, within};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CLIENTS: u64 = 64;
const MESSAGES: usize = 5000;
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Messages are pieces of one block of random bytes, so that making and comparing them costs little beside sending them.
const BLOCK_BYTES: usize = 1 << 20;

/// What one client sends, as often as it is asked for.
struct Messages {
    random: Random,
    left: usize,
}

impl Messages {
    fn of(client: u64) -> Self {
        Self {
            random: Random::new(client),
            left: MESSAGES,
        }
    }

    fn next<'a>(&mut self, block: &'a [u8]) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let length = self.random.length(MESSAGE_BYTES_MAX);
        let start = self.random.below(block.len() - length);
        Some(&block[start..start + length])
    }
}

async fn write(mut stream: tokio::net::tcp::OwnedWriteHalf, client: u64, block: Arc<[u8]>) {
    let mut messages = Messages::of(client);
    while let Some(message) = messages.next(&block) {
        within("the host reads", stream.write_all(message))
            .await
            .unwrap();
    }
    // Half a close: what was sent still comes back.
    stream.shutdown().await.unwrap();
}

async fn read(mut stream: tokio::net::tcp::OwnedReadHalf, client: u64, block: Arc<[u8]>) -> usize {
    let mut messages = Messages::of(client);
    let mut buffer = vec![0; 2 * MESSAGE_BYTES_MAX];
    let mut total = 0;
    let mut expected: &[u8] = &[];
    loop {
        let count = within("an echo", stream.read(&mut buffer)).await.unwrap();
        let mut received = &buffer[..count];
        if received.is_empty() {
            assert!(
                expected.is_empty() && messages.next(&block).is_none(),
                "client {client}: closed after {total} bytes"
            );
            return total;
        }
        while !received.is_empty() {
            if expected.is_empty() {
                expected = messages.next(&block).expect("no more comes than was sent");
            }
            let count = received.len().min(expected.len());
            assert!(
                received[..count] == expected[..count],
                "client {client}: other bytes after {total}"
            );
            (received, expected) = (&received[count..], &expected[count..]);
            total += count;
        }
    }
}

async fn every_byte_returns_in_order(isolation: Isolation) {
    let server = Server::start_with(directory("examples/echo"), |settings| {
        settings.isolation = isolation
    })
    .await;
    let mut bytes = vec![0; BLOCK_BYTES + MESSAGE_BYTES_MAX];
    Random::new(0).fill(&mut bytes);
    let block: Arc<[u8]> = bytes.into();
    let mut readers = Vec::new();
    for client in 1..=CLIENTS {
        let (reader, writer) = server.connect().await.into_stream().into_split();
        tokio::spawn(write(writer, client, Arc::clone(&block)));
        readers.push(tokio::spawn(read(reader, client, Arc::clone(&block))));
    }
    let mut total = 0;
    for reader in readers {
        total += reader.await.unwrap();
    }
    assert!(
        total > CLIENTS as usize * MESSAGES * 1000,
        "{total} bytes are not what was meant to be sent"
    );
    server.connections(0).await;
    let observed = server.observe();
    assert_eq!(
        (observed.connections_opened, observed.events_failed),
        (CLIENTS, 0)
    );
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_returns_in_order_with_an_instance_for_each_event() {
    every_byte_returns_in_order(Isolation::Event).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_returns_in_order_with_reused_instances() {
    every_byte_returns_in_order(Isolation::Reuse { events_max: 1000 }).await;
}
