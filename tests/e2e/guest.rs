//! A hand-written component beside feature sets of ARO source, in one program.

use crate::artifact::nested;
use aro_host::Outcome;
use harness::{Server, compile, directory, repository};
use std::process::Command;

const EXAMPLE: &str = "examples/rust-echo";
const COMPONENT: &str = "components/rust-echo.wasm";

/// Builds the component if that has not been done.
fn build() {
    if repository().join(EXAMPLE).join(COMPONENT).is_file() {
        return;
    }
    let output = Command::new(env!("CARGO"))
        .args(["xtask", "guest", EXAMPLE])
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
    build();
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
