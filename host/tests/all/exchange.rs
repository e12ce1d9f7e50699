//! Bytes in, events, bytes out.

use crate::support::{
    CONNECTIONS, CONSOLE, ISOLATIONS, Part, Running, SEND, compiled_echo, exchange, settings,
    within,
};
use aro_host::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WRITE: &str = r#"(import "aro:log/console@0.1.0" "write" (func $write (param i32 i32 i32)))"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_answers_in_both_isolations() {
    for isolation in ISOLATIONS {
        let running = Running::start_with(&[Part::start(), Part::echo()], |settings| {
            settings.isolation = isolation
        })
        .await;
        let mut peer = running.connect().await;
        for round in 0..50_u32 {
            let message = format!("message {round}");
            assert_eq!(
                exchange(&mut peer, message.as_bytes()).await,
                message.as_bytes()
            );
        }
        assert!(
            running
                .console
                .text(Stream::Output)
                .starts_with("Socket Server started on port ")
        );
        assert_eq!(running.console.text(Stream::Error), "");
        let made = running.program.observe().instances_made;
        assert_eq!(made, if isolation == ISOLATIONS[0] { 51 } else { 6 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_come_back_in_order_and_complete() {
    let running = Running::start(&[Part::start(), Part::echo()]).await;
    let peer = running.connect().await;
    let sent: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut reader, mut writer) = peer.into_split();
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        // Half closed: what is queued still arrives.
        writer.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    within(reader.read_to_end(&mut received)).await.unwrap();
    within(writing).await.unwrap();
    assert_eq!(received.len(), expected.len());
    assert!(received == expected, "bytes are out of order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connected_and_disconnected_are_delivered_once_in_order() {
    let connected = "(i32.store (i32.const 1024) (i32.const 0x6e6e6f63)) (call $write (i32.const 0) (i32.const 1024) (i32.const 4))";
    let log = "(call $write (i32.const 0) (local.get $ptr) (local.get $len))";
    let parts = [
        Part::start(),
        Part::connected(&[CONSOLE], WRITE, connected),
        Part::data(&[CONSOLE], WRITE, log),
        Part::disconnected(&[CONSOLE], WRITE, log),
    ];
    let running = Running::start(&parts).await;
    for _ in 0..3 {
        let before = running.console.text(Stream::Output).len();
        let mut peer = running.connect().await;
        within(peer.write_all(b"hello")).await.unwrap();
        drop(peer);
        let text = within(
            running
                .console
                .wait(Stream::Output, |text| text[before..].contains("closed")),
        )
        .await;
        assert_eq!(
            &text[before..],
            "[On Connected] conn\n[On Data] hello\n[On Disconnected] connection closed\n"
        );
    }
    within(async {
        while running.program.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_to_a_closed_connection_is_reported_with_its_statement() {
    let send = "(call $send (local.get $hi) (local.get $lo) (i32.const 1024) (i32.const 2) (i32.const 1) (i32.const 64))";
    let running = Running::start(&[
        Part::start(),
        Part::disconnected(&[CONNECTIONS], SEND, send),
    ])
    .await;
    drop(running.connect().await);
    let text = running.until(Stream::Error, "nothing was sent").await;
    assert!(
        text.starts_with("[On Disconnected] nothing was sent, connection "),
        "{text}"
    );
    let place = " is closed: <Send> the <reply> to the <peer>. (main.aro:3:5)\n";
    assert!(text.ends_with(place), "{text}");
    assert_eq!(running.program.observe().sends_to_closed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_handler_of_an_event_runs_in_declaration_order() {
    let say = |letter: u8| {
        format!(
            "(i32.store8 (i32.const 1024) (i32.const {letter})) (call $send (local.get $hi) (local.get $lo) (i32.const 1024) (i32.const 1) (i32.const 1) (i32.const 64))"
        )
    };
    let part = |letter| Part::data(&[CONNECTIONS], SEND, &say(letter));
    let running = Running::start(&[Part::start(), part(b'a'), part(b'b'), part(b'c')]).await;
    let mut peer = running.connect().await;
    for _ in 0..20 {
        assert_eq!(exchange(&mut peer, b"xyz").await, b"abc");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_runs_with_the_value_runtime_of_its_file() {
    for isolation in ISOLATIONS {
        let (mut settings, console) = settings();
        settings.isolation = isolation;
        let running = Running::load(&compiled_echo(), settings, console).await;
        let mut peer = running.connect().await;
        for _ in 0..50 {
            assert_eq!(exchange(&mut peer, &[5; 3000]).await, [5; 3000]);
        }
        assert_eq!(running.console.text(Stream::Error), "");
    }
}
