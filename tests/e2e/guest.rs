//! A hand-written component beside feature sets of ARO source, in one program.

use crate::artifact::nested;
use aro_host::{Outbound, Outcome};
use harness::{Server, compile, directory, http, repository, within};
use std::net::Ipv4Addr;
use std::process::Command;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const EXAMPLE: &str = "examples/rust-echo";
const COMPONENT: &str = "components/rust-echo.wasm";
const FEED: &str = "examples/rust-feed";
const FEED_COMPONENT: &str = "components/rust-feed.wasm";
/// Where the feed's source is.
const SOURCE_PORT: u16 = 9100;

/// Builds a component if that has not been done.
fn build(example: &str, component: &str) {
    if repository().join(example).join(component).is_file() {
        return;
    }
    let output = Command::new(env!("CARGO"))
        .args(["xtask", "guest", example])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aro_greets_and_rust_echoes() {
    build(EXAMPLE, COMPONENT);
    // Each states in its own type what it may do, the Rust one as well.
    let nested = nested(&compile(directory(EXAMPLE)));
    let names: Vec<&str> = nested.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["application-start", "greet", "rust-echo"]);
    let imports: Vec<&String> = nested[2].1.iter().collect();
    assert_eq!(imports, ["aro:net/connections@0.1.0"]);

    let server = Server::start(directory(EXAMPLE)).await;
    let mut peer = server.connect().await;
    peer.expect("Say something.\n").await;
    for message in [b"hello".as_slice(), &[0xff, 0, 0x80], &[7; 20_000]] {
        peer.send(message).await;
        peer.expect(message).await;
    }
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_opens_a_connection_and_publishes_what_comes_to_a_channel() {
    build(FEED, FEED_COMPONENT);
    let nested = nested(&compile(directory(FEED)));
    let imports: Vec<&String> = nested[1].1.iter().collect();
    let expected = ["channels", "connections", "directory", "outbound"];
    assert_eq!(
        imports,
        expected
            .map(|name| format!("aro:net/{name}@0.1.0"))
            .each_ref()
    );

    let server = Server::start_with(directory(FEED), |settings| {
        settings.grants.outbound = Outbound::All;
    })
    .await;
    let mut ann = server.connect().await;
    ann.send("who\nread\njoin\n").await;
    ann.expect("0 here\njoin, leave or who\nno source: Connection refused\n")
        .await;
    ann.closed().await;

    let source = TcpListener::bind((Ipv4Addr::LOCALHOST, SOURCE_PORT))
        .await
        .unwrap();
    let mut ann = server.connect().await;
    ann.send("join\n").await;
    ann.expect("you have joined\n").await;
    let (mut feed, _) = within("the source is connected to", source.accept())
        .await
        .unwrap();
    let mut bob = server.connect().await;
    // Who has nothing more to say listens.
    bob.finish().await;
    bob.expect("you have joined\n").await;
    ann.send("join\nwho\n").await;
    ann.expect("you have joined\n2 here\n").await;
    feed.write_all(b"one\ntw").await.unwrap();
    for reader in [&mut ann, &mut bob] {
        reader.expect("one\n").await;
    }
    ann.send("leave\nwho\n").await;
    ann.expect("you have left\n1 here\n").await;
    feed.write_all(b"o\n").await.unwrap();
    bob.expect("two\n").await;
    drop(feed);
    bob.expect("the source has ended\n").await;
    // A new reader has it opened again.
    ann.send("join\n").await;
    ann.expect("you have joined\n").await;
    let (mut feed, _) = within("the source is connected to", source.accept())
        .await
        .unwrap();
    feed.write_all(b"three\n").await.unwrap();
    for reader in [&mut ann, &mut bob] {
        reader.expect("three\n").await;
    }
    drop((ann, feed));
    bob.expect("the source has ended\n").await;
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
    bob.closed().await;
}

const CHECKSUM: &str = "examples/checksum";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_and_aro_answer_the_operations_of_one_contract() {
    build(CHECKSUM, "components/checksum.wasm");
    let server = Server::start_with(directory(CHECKSUM), |settings| {
        settings.http_port_override = Some(0);
    })
    .await;
    let address = server.http_address();
    let ask = async |line: &str, body: &str| http::ask(address, line, "", body).await;
    let usage = ask("GET /", "").await;
    assert!(
        usage.ends_with("{\"usage\":\"POST bytes to \\/checksum\"}"),
        "{usage}"
    );
    let sum = ask("POST /checksum", "123456789").await;
    assert!(sum.starts_with("HTTP/1.1 200 "), "{sum}");
    assert!(sum.contains("x-computed-by: rust\r\n"), "{sum}");
    assert!(
        sum.ends_with("{\"bytes\":9,\"crc32\":\"cbf43926\"}"),
        "{sum}"
    );
    let none = ask("POST /checksum", "").await;
    assert!(none.starts_with("HTTP/1.1 400 "), "{none}");
    // Its type says that it may do nothing but answer.
    let nested = nested(&compile(directory(CHECKSUM)));
    let component = nested.iter().find(|(name, ..)| name == "checksum").unwrap();
    assert!(component.1.is_empty());
    // Without the operation it has nothing to answer.
    let mut other = directory(CHECKSUM);
    other.contract = None;
    let refused = aro_to_wasm::compile(other).err().unwrap();
    let refused = std::error::Error::source(&refused).unwrap().to_string();
    assert!(
        refused.contains("the contract has no operation of its name"),
        "{refused}"
    );
}
