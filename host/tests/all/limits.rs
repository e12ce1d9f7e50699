//! What one program may not do to the others.

use crate::support::{
    BROADCAST, CONNECTIONS, CONSOLE, ISOLATIONS, Part, Running, SEND, exchange, within,
};
use aro_host::{SlowPeer, Stream};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Echoes; a chunk that starts with `!` runs `code` instead.
fn echo_or(code: &str) -> Part {
    let code = format!(
        r#"(if (i32.eq (i32.load8_u (local.get $ptr)) (i32.const 33)) (then {code}))
           (call $send (local.get $hi) (local.get $lo) (local.get $ptr) (local.get $len) (i32.const 1) (i32.const 64))"#
    );
    Part::data(&[CONNECTIONS], SEND, &code)
}

const STATEMENT: &str = "Handler error: Runtime Error: Cannot send the reply to the peer.
  Feature: On Data
  Business Activity: Test
  Statement: <Send> the <reply> to the <peer>.
  Cause: ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_ends_with_its_statement_and_others_are_served_meanwhile() {
    for isolation in ISOLATIONS {
        let parts = [Part::start(), echo_or("(loop $again (br $again))")];
        let running = Running::start_with(&parts, |settings| {
            settings.isolation = isolation;
            settings.limits.cpu_time_max = Duration::from_millis(150);
        })
        .await;
        let mut spinning = running.connect().await;
        let mut spinning_too = running.connect().await;
        let mut other = running.connect().await;
        within(spinning.write_all(b"!")).await.unwrap();
        within(spinning_too.write_all(b"!")).await.unwrap();
        for _ in 0..20 {
            assert_eq!(exchange(&mut other, b"ping").await, b"ping");
        }
        let text = within(
            running
                .console
                .wait(Stream::Error, |text| text.matches("CPU time").count() == 2),
        )
        .await;
        assert!(
            text.starts_with(&format!(
                "{STATEMENT}ran longer than 150 ms of CPU time\n  Source: main.aro:3:5\n"
            )),
            "{text}"
        );
        // The connection outlives the trap, and a new instance serves it.
        assert_eq!(exchange(&mut spinning, b"again").await, b"again");
        assert_eq!(running.program.observe().events_failed, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_hog_is_told_its_limit() {
    let hog = "(loop $again (drop (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65536))) (br $again))";
    let running = Running::start_with(&[Part::start(), echo_or(hog)], |settings| {
        settings.limits.memory_bytes_max = 2 << 20
    })
    .await;
    let mut peer = running.connect().await;
    within(peer.write_all(b"!")).await.unwrap();
    let text = running.until(Stream::Error, "memory").await;
    assert!(
        text.starts_with(&format!("{STATEMENT}needs more than 2 MiB of memory\n")),
        "{text}"
    );
    assert_eq!(exchange(&mut peer, b"again").await, b"again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_recursion_is_a_failure_of_the_statement() {
    let mut part = echo_or("(call $deeper (i32.const 1))");
    part.body.push_str("(func $deeper (param i32) (call $deeper (i32.add (local.get 0) (i32.const 1))) (call $reset (local.get 0)))");
    let running = Running::start(&[Part::start(), part]).await;
    let mut peer = running.connect().await;
    within(peer.write_all(b"!")).await.unwrap();
    let text = running.until(Stream::Error, "recursed").await;
    assert!(text.contains("Cause: recursed too deeply\n"), "{text}");
    assert_eq!(exchange(&mut peer, b"again").await, b"again");
}

/// Bytes that a peer which never reads can send before it is stopped.
async fn flood(peer: &mut TcpStream) -> usize {
    const STALLED: Duration = Duration::from_millis(400);
    let chunk = vec![7; 64 << 10];
    let mut sent = 0;
    loop {
        match tokio::time::timeout(STALLED, peer.write(&chunk)).await {
            Ok(written) => sent += written.unwrap(),
            Err(_) => return sent,
        }
        assert!(sent < 256 << 20, "nothing stops this peer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_reads_is_read_no_more_and_loses_nothing() {
    let running = Running::start_with(&[Part::start(), Part::echo()], |settings| {
        settings.limits.queue_bytes_max = 256 << 10;
        settings.limits.queue_low_bytes = 64 << 10;
    })
    .await;
    let mut peer = running.connect().await;
    let sent = flood(&mut peer).await;
    let mut received = vec![0; sent];
    within(peer.read_exact(&mut received)).await.unwrap();
    assert!(received.iter().all(|byte| *byte == 7));
    assert_eq!(running.console.text(Stream::Error), "");
}

/// Answers `full` and `closed` on the console.
fn send_twice_and_tell(bytes: u32) -> Part {
    let write = r#"(import "aro:net/connections@0.1.0" "send" (func $send (param i64 i64 i32 i32 i32 i32)))
                   (import "aro:log/console@0.1.0" "write" (func $write (param i32 i32 i32)))"#;
    let code = format!(
        r#"(loop $again
             (call $send (local.get $hi) (local.get $lo) (i32.const 65536) (i32.const {bytes}) (i32.const 1) (i32.const 64))
             (br_if $again (i32.eqz (i32.load8_u (i32.const 64)))))
           (if (i32.eq (i32.load8_u (i32.const 65)) (i32.const 1))
             (then (call $write (i32.const 0) (i32.const 1024) (i32.const 4))))"#
    );
    let mut part = Part::data(&[CONNECTIONS, CONSOLE], write, &code);
    part.body.push_str(r#"(data (i32.const 1024) "full")"#);
    part
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_waits_for_room_and_then_says_full() {
    let running = Running::start_with(&[Part::start(), send_twice_and_tell(65536)], |settings| {
        settings.limits.queue_bytes_max = 128 << 10;
        settings.limits.send_wait_max = Duration::from_millis(100);
    })
    .await;
    let mut peer = running.connect().await;
    within(peer.write_all(b"go")).await.unwrap();
    assert!(
        running
            .until(Stream::Output, "full")
            .await
            .contains("[On Data] full\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_in_the_host_counts_as_time() {
    let running = Running::start_with(&[Part::start(), send_twice_and_tell(65536)], |settings| {
        settings.limits.queue_bytes_max = 128 << 10;
        settings.limits.wall_time_max = Duration::from_millis(200);
    })
    .await;
    let mut peer = running.connect().await;
    within(peer.write_all(b"go")).await.unwrap();
    let text = running.until(Stream::Error, "took longer").await;
    assert!(
        text.starts_with(&format!("{STATEMENT}took longer than 200 ms\n")),
        "{text}"
    );
}

/// Broadcasts each chunk.
fn broadcast() -> Part {
    let code = "(drop (call $broadcast (i32.const 0) (i64.const 0) (i64.const 0) (local.get $ptr) (local.get $len)))";
    Part::data(&[CONNECTIONS], BROADCAST, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_never_waits_for_a_slow_peer() {
    for policy in [SlowPeer::Disconnect, SlowPeer::DropNewest] {
        let running = Running::start_with(&[Part::start(), broadcast()], |settings| {
            settings.slow_peer = policy;
            settings.limits.queue_bytes_max = 256 << 10;
        })
        .await;
        let silent = running.connect().await;
        let mut talker = running.connect().await;
        assert_eq!(
            exchange(&mut talker, b"both are connected now").await,
            b"both are connected now"
        );
        let message = vec![1; 60_000];
        let mut rounds = 0;
        while running.program.observe().slow_peers < 5 && running.program.connections() == 2 {
            assert_eq!(exchange(&mut talker, &message).await, message);
            rounds += 1;
            assert!(rounds < 2000, "nothing bounds the queue of the silent peer");
        }
        assert_eq!(exchange(&mut talker, b"still here").await, b"still here");
        if policy == SlowPeer::Disconnect {
            within(async {
                while running.program.connections() > 1 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        } else {
            assert_eq!(running.program.connections(), 2);
        }
        drop(silent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    let running = Running::start_with(&[Part::start(), Part::echo()], |settings| {
        settings.limits.connections_max = 2
    })
    .await;
    let mut first = running.connect().await;
    let mut second = running.connect().await;
    assert_eq!(exchange(&mut first, b"one").await, b"one");
    assert_eq!(exchange(&mut second, b"two").await, b"two");
    let mut third = running.connect().await;
    let refused = within(third.read(&mut [0; 1])).await;
    assert!(matches!(refused, Ok(0) | Err(_)));
    assert_eq!(running.program.observe().connections_refused, 1);
    drop(first);
    within(async {
        while running.program.connections() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(exchange(&mut running.connect().await, b"new").await, b"new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_runs_at_instantiation_is_limited_as_well() {
    let mut part = Part::echo();
    part.body
        .push_str("(func $spin (loop $again (br $again))) (start $spin)");
    let running = Running::start_with(&[Part::start(), part], |settings| {
        settings.limits.cpu_time_max = Duration::from_millis(50)
    })
    .await;
    let mut peer = running.connect().await;
    within(peer.write_all(b"go")).await.unwrap();
    let text = running.until(Stream::Error, "no instance").await;
    assert!(text.contains("ran longer than 50 ms of CPU time"), "{text}");
}
