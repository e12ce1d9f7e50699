//! How programs end.

use crate::support::{
    BROADCAST, CONNECTIONS, CONSOLE, Part, Running, artifact, exchange, settings, within,
};
use aro_host::{Host, Outcome, Stream, TenantId};
use aro_wit::manifest::Trigger;
use tokio::io::AsyncReadExt;

/// Broadcasts a farewell when the program ends well.
fn farewell() -> Part {
    let body = r#"
      (data (i32.const 1024) "bye")
      (func (export "aro:program/end@0.1.0#run") (param i32 i32 i32) (result i32)
        (drop (call $broadcast (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 1024) (i32.const 3)))
        (i32.const 16))"#;
    Part {
        name: "Application-End",
        triggers: vec![Trigger::EndSuccess],
        imports: &[CONNECTIONS],
        core_imports: BROADCAST,
        body: body.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_farewell_reaches_every_peer_before_its_connection_closes() {
    let running = Running::start(&[Part::start(), Part::echo(), farewell()]).await;
    let mut peers = [running.connect().await, running.connect().await];
    for peer in &mut peers {
        assert_eq!(exchange(peer, b"hello").await, b"hello");
    }
    let address = running.address();
    // The peers do not close until they have read the end, as real ones.
    let readers = peers.map(|mut peer| {
        tokio::spawn(async move {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).await.unwrap();
            received
        })
    });
    assert_eq!(within(running.program.stop()).await, Outcome::Success);
    for reader in readers {
        assert_eq!(within(reader).await.unwrap(), b"bye");
    }
    let output = running.console.text(Stream::Output);
    assert_eq!(
        output,
        format!(
            "Socket Server started on port {}\n[OK] startup\n",
            address.port()
        )
    );
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_listener_flushes_its_connections_and_ends_the_program() {
    let imports = r#"(import "aro:net/listeners@0.1.0" "close" (func $close (param i64 i64)))
        (import "aro:net/directory@0.1.0" "find" (func $find (param i32 i32 i32)))
        (import "aro:net/connections@0.1.0" "send" (func $send (param i64 i64 i32 i32 i32 i32)))"#;
    let code = r#"(call $send (local.get $hi) (local.get $lo) (local.get $ptr) (local.get $len) (i32.const 1) (i32.const 64))
        (call $find (i32.const 1024) (i32.const 6) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then (call $close (i64.load (i32.const 72)) (i64.load (i32.const 80)))))"#;
    let mut part = Part::data(
        &[
            "aro:net/listeners@0.1.0",
            "aro:net/directory@0.1.0",
            CONNECTIONS,
        ],
        imports,
        code,
    );
    part.body.push_str(r#"(data (i32.const 1024) "server")"#);
    let running = Running::start(&[Part::start(), part]).await;
    let mut peer = running.connect().await;
    assert_eq!(exchange(&mut peer, b"close").await, b"close");
    let mut rest = Vec::new();
    within(peer.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
    within(running.program.finished()).await;
    assert_eq!(within(running.program.stop()).await, Outcome::Success);
    let output = running.console.text(Stream::Output);
    assert!(
        output.ends_with("Socket Server stopped\n[OK] startup\n"),
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_runs_the_end_and_prints_its_error() {
    // failure { statement: some(0), kind: action, cause: "boom", trace: [] } behind the discriminant `err`.
    let body = r#"
      (data (i32.const 1024) "boom")
      (func (export "aro:program/start@0.1.0#run") (result i32)
        (i32.store8 (i32.const 128) (i32.const 1))
        (i32.store8 (i32.const 132) (i32.const 1)) (i32.store (i32.const 136) (i32.const 0))
        (i32.store8 (i32.const 140) (i32.const 0))
        (i32.store (i32.const 144) (i32.const 1024)) (i32.store (i32.const 148) (i32.const 4))
        (i32.const 128))"#;
    let start = Part {
        name: "Application-Start",
        triggers: vec![Trigger::Start],
        imports: &[],
        core_imports: "",
        body: body.to_owned(),
    };
    let body = r#"(func (export "aro:program/end@0.1.0#run") (param i32 i32 i32) (result i32)
        (call $write (i32.const 1) (local.get 1) (i32.const 13)) (i32.const 16))"#;
    let write = r#"(import "aro:log/console@0.1.0" "write" (func $write (param i32 i32 i32)))"#;
    let end = Part {
        name: "Application-End",
        triggers: vec![Trigger::EndError],
        imports: &[CONSOLE],
        core_imports: write,
        body: body.to_owned(),
    };
    let (settings, console) = settings();
    let host = Host::new(settings).unwrap();
    let program = host
        .load(TenantId::default(), &artifact(&[start, end]))
        .unwrap();
    assert_eq!(
        within(program.run(std::future::pending())).await,
        Outcome::Failure
    );
    assert_eq!(
        console.text(Stream::Error),
        "[Application-End] Runtime error\n"
    );
    insta::assert_snapshot!(console.text(Stream::Output), @r"
    Runtime error: Runtime Error: Cannot send the reply to the peer.
      Feature: Application-Start
      Business Activity: Test
      Statement: <Send> the <reply> to the <peer>.
      Cause: boom
      Source: main.aro:3:5
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_without_listeners_ends_by_itself() {
    let mut start = Part::start();
    start.body = start.body.replace(
        "(call $listen (i32.const 0) (i32.const 1024) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))",
        "",
    );
    let (settings, console) = settings();
    let host = Host::new(settings).unwrap();
    let program = host.load(TenantId::default(), &artifact(&[start])).unwrap();
    assert_eq!(
        within(program.run(std::future::pending())).await,
        Outcome::Success
    );
    assert_eq!(console.text(Stream::Output), "[OK] startup\n");
}
