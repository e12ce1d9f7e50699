//! WebSockets as clients see them: handshake, messages, events, ends.

use aro_host::{Outcome, Settings};
use harness::{Server, Serving, WebSocket, directory, http, seeds, sources, within};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};

const START: &str = r#"
(Application-Start: Test) {
    Start the <http-server> with { port: 8080 }.
    Return an <OK: status> for the <startup>.
}
"#;

async fn serve(program: &str, change: impl FnOnce(&mut Settings)) -> (Server, SocketAddr) {
    let text = format!("{START}{program}");
    let server = Server::start_with(sources(&[("main.aro", &text)]), |settings| {
        settings.http_port_override = Some(0);
        change(settings);
    })
    .await;
    let address = server.http_address();
    (server, address)
}

async fn echo(change: impl FnOnce(&mut Settings)) -> (Server, SocketAddr) {
    let server = Server::start_with(directory("examples/websocket-echo"), |settings| {
        settings.http_port_override = Some(0);
        change(settings);
    })
    .await;
    let address = server.http_address();
    (server, address)
}

/// The head of what the server answers to these headers of a handshake.
async fn shake(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = within("an answer", stream.read_buf(&mut answer))
            .await
            .unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8_lossy(&answer).to_lowercase()
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_comes_back_as_it_was() {
    let (_server, address) = echo(|_| {}).await;
    let headers = [("sec-websocket-protocol", "soap, echo")];
    let mut peer = WebSocket::open_with(address, "/echo", &headers)
        .await
        .unwrap();
    assert_eq!(peer.protocol.as_deref(), Some("echo"));
    for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        peer.send(&"x".repeat(length)).await;
        assert_eq!(peer.text().await, "x".repeat(length));
        let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        peer.send_message(Message::binary(bytes.clone())).await;
        assert_eq!(peer.message().await, Message::binary(bytes));
    }
    for number in 0..1000 {
        peer.send(&number.to_string()).await;
    }
    for number in 0..1000 {
        assert_eq!(peer.text().await, number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_are_none_are_refused() {
    let (_server, address) = echo(|settings| {
        settings.websocket_origins = vec!["https://here.example".to_owned()];
    })
    .await;
    // RFC 6455 1.3 has this key and what it becomes.
    let answer = shake(address, "/echo", &format!("{UPGRADE}{KEY}{VERSION}")).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(
        answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{answer}"
    );
    let rows = [
        ("/echo", format!("{UPGRADE}{VERSION}"), "400"),
        (
            "/echo",
            format!("{UPGRADE}Sec-WebSocket-Key: short\r\n{VERSION}"),
            "400",
        ),
        (
            "/echo",
            format!("{UPGRADE}Sec-WebSocket-Key: not?base64!and!so!on==\r\n{VERSION}"),
            "400",
        ),
        (
            "/echo",
            format!("{UPGRADE}{KEY}Sec-WebSocket-Version: 8\r\n"),
            "426",
        ),
        (
            "/echo",
            format!("{UPGRADE}{KEY}{VERSION}Origin: https://there.example\r\n"),
            "403",
        ),
        (
            "/echo",
            format!("{UPGRADE}{KEY}{VERSION}Origin: https://here.example\r\n"),
            "101",
        ),
    ];
    for (path, headers, status) in rows {
        let answer = shake(address, path, &headers).await;
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{headers}{answer}"
        );
        assert_eq!(
            answer.contains("sec-websocket-version: 13"),
            status == "426",
            "{answer}"
        );
    }
    // Elsewhere, and without an upgrade, it is ordinary HTTP; this program has no contract.
    for (path, headers) in [
        ("/ws", format!("{UPGRADE}{KEY}{VERSION}")),
        ("/echo", String::new()),
    ] {
        let answer = shake(address, path, &headers).await;
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_no_more_websockets_than_allowed() {
    let (_server, address) = echo(|settings| settings.limits.websockets_max = 2).await;
    let first = WebSocket::open(address, "/echo").await;
    let _second = WebSocket::open(address, "/echo").await;
    let refused = WebSocket::open_with(address, "/echo", &[]).await;
    assert!(matches!(&refused, Err(Error::Http(answer)) if answer.status() == 503));
    first.close(1000, "").await;
    // Its end may still be handled.
    for _ in 0..100 {
        if WebSocket::open_with(address, "/echo", &[]).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no WebSocket took the place of one that is gone");
}

const TELL: &str = r#"
(Tell Connect: WebSocket Event Handler) {
    Extract the <id> from the <websocket-connection: id>.
    Extract the <path> from the <event: path>.
    Extract the <address> from the <event: remoteAddress>.
    Log "connected at ${<path>} from ${<address>}" to the <console>.
    Send { id: <id> } to the <websocket-connection>.
    Return an <OK: status> for the <connection>.
}

(Tell Message: WebSocket Event Handler) {
    Extract the <text> from the <websocket-message: text>.
    Extract the <connection> from the <event: connection>.
    Log "message ${<text>}" to the <console>.
    match <text> {
        case "close" { Close the <websocket-connection>. }
        case "kick" { Close the <connection> with { code: 4001, reason: "out" }. }
        case "wrong" { Close the <connection> with { code: 1006 }. }
        case "all" {
            Create the <news> with { news: true }.
            Broadcast the <news> to the <websocket>.
        }
        otherwise { Send <text> to the <connection>. }
    }
    Return an <OK: status> for the <message>.
}

(Tell Disconnect: WebSocket Event Handler) {
    Extract the <reason> from the <event: reason>.
    Extract the <id> from the <event: connectionId>.
    Log "left: ${<reason>}" to the <console>.
    Return an <OK: status> for the <disconnection>.
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_tell_who_came_what_was_said_and_why_it_ended() {
    let (server, address) = serve(TELL, |_| {}).await;
    let mut peer = WebSocket::open(address, "/ws").await;
    server
        .output("[Tell Connect] connected at /ws from 127.0.0.1\n")
        .await;
    assert!(peer.text().await.starts_with(r#"{"id":""#));
    // A message handler gets binary messages, too, as text.
    peer.send_message(Message::binary(vec![b'a', 0xFF])).await;
    assert_eq!(peer.text().await, "a\u{FFFD}");
    peer.close(1000, "bye").await;
    server.output("[Tell Disconnect] left: bye\n").await;

    let peer = WebSocket::open(address, "/ws").await;
    drop(peer.into_stream());
    server.output("left: connection closed\n").await;

    let mut peer = WebSocket::open(address, "/ws").await;
    peer.send("close").await;
    assert_eq!(peer.closed().await, (1000, String::new()));
    server.output("left: server closed\n").await;

    let mut peer = WebSocket::open(address, "/ws").await;
    peer.send("wrong").await;
    server
        .error("1006 is no code that closes a WebSocket")
        .await;
    peer.send("kick").await;
    assert_eq!(peer.closed().await, (4001, "out".to_owned()));

    let (mut one, mut two) = (
        WebSocket::open(address, "/ws").await,
        WebSocket::open(address, "/ws").await,
    );
    one.text().await;
    two.text().await;
    one.send("all").await;
    assert_eq!(one.text().await, r#"{"news":true}"#);
    assert_eq!(two.text().await, r#"{"news":true}"#);

    let mut stream = two.into_stream();
    stream.write_all(&[0x83, 0x80, 0, 0, 0, 0]).await.unwrap();
    let mut answer = Vec::new();
    within("the end", stream.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, [0x88, 2, 3, 0xEA]);
    server.output("left: error: ").await;

    let stopped = within("the end", server.stop());
    let (stopped, closed) = tokio::join!(stopped, one.closed());
    assert_eq!(closed, (1001, String::new()));
    assert_eq!(stopped.outcome, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_of_a_path_hear_that_path_only() {
    let program = r#"
(Chat Message: WebSocket Event Handler /chat) {
    Extract the <text> from the <event: message>.
    Create the <answer> with "chat ${<text>}".
    Broadcast the <answer> to the <websocket> where <path> is "/chat".
    Return an <OK: status> for the <message>.
}

(News Message: WebSocket Event Handler /news) {
    Extract the <text> from the <event: message>.
    Create the <answer> with "news ${<text>}".
    Broadcast the <answer> to the <websocket>.
    Return an <OK: status> for the <message>.
}
"#;
    let (_server, address) = serve(program, |_| {}).await;
    let mut chat = WebSocket::open(address, "/chat").await;
    let mut news = WebSocket::open(address, "/news?from=test").await;
    chat.send("1").await;
    assert_eq!(chat.text().await, "chat 1");
    news.send("2").await;
    assert_eq!(news.text().await, "news 2");
    assert_eq!(chat.text().await, "news 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_silent_is_asked_and_then_given_up() {
    let (server, address) = serve(TELL, |settings| {
        settings.limits.websocket_ping_interval = Duration::from_millis(50);
        settings.limits.websocket_pong_time_max = Duration::from_millis(50);
    })
    .await;
    // This one reads nothing, and so answers no ping.
    let mut silent = WebSocket::open(address, "/ws").await.into_stream();
    server.output("left: error: ping timeout\n").await;
    let mut rest = Vec::new();
    drop(within("the end", silent.read_to_end(&mut rest)).await);
    assert!(rest.ends_with(&[0x89, 0]), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_behind_the_handshake_are_heard() {
    let (_server, address) = echo(|_| {}).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request =
        format!("GET /echo HTTP/1.1\r\nHost: test\r\n{UPGRADE}{KEY}{VERSION}\r\n").into_bytes();
    request.extend([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x02hi") {
        assert_ne!(
            within("an echo", stream.read_buf(&mut answer))
                .await
                .unwrap(),
            0
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_message_ends_the_connection_and_nobody_else_notices() {
    let (_server, address) = echo(|settings| {
        settings.limits.websocket_message_bytes_max = 1000;
    })
    .await;
    let (mut long, mut short) = (
        WebSocket::open(address, "/echo").await,
        WebSocket::open(address, "/echo").await,
    );
    long.send(&"x".repeat(1001)).await;
    assert_eq!(long.closed().await.0, 1009);
    short.send("still here").await;
    assert_eq!(short.text().await, "still here");
}

/// The complete program of the proposal, its feature sets as they stand there; the contract and the page are ours, because it shows none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_board_of_the_proposal_runs() {
    let document = seeds::document("002");
    let complete = document.split_once("### 6.2 main.aro").unwrap().1;
    let complete = complete.split_once("### 6.5").unwrap().0;
    let sets = seeds::feature_sets(complete).into_iter();
    let text: String = sets.map(|set| set.text + "\n").collect();
    let folder = tempfile::tempdir().unwrap();
    let ours = harness::repository().join("examples/status-board");
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    for file in ["openapi.yaml", "templates/index.html"] {
        std::fs::copy(ours.join(file), folder.path().join(file)).unwrap();
    }
    std::fs::write(folder.path().join("main.aro"), text).unwrap();
    let mut server = Serving::start(folder.path().to_str().unwrap()).await;
    let address = server.address;
    assert_eq!(
        server.line().await,
        "[Application-Start] Server ready on http://localhost:8080"
    );
    let mut viewer = WebSocket::open(address, "/ws").await;
    assert_eq!(
        server.line().await,
        "[Handle WebSocket Connect] Client connected: "
    );
    assert!(
        server
            .line()
            .await
            .starts_with("[Handle WebSocket Connect] ")
    );
    let page = shake(address, "/", "").await;
    assert!(page.starts_with("http/1.1 200 ok"), "{page}");
    let json = "Content-Type: application/json\r\n";
    let text = r#"{"status":"at lunch"}"#;
    let answer = http::ask(address, "POST /statuses", json, text).await;
    let (status, _, body) = http::parts(&answer);
    assert_eq!(status, 201, "{answer}");
    let told = viewer.text().await;
    assert_eq!(told, body);
    assert!(told.ends_with(r#""text":"at lunch"}"#), "{told}");
    viewer.close(1000, "").await;
    assert_eq!(
        server.line().await,
        "[Handle WebSocket Disconnect] Client disconnected: "
    );
    server.signal("TERM");
    let (status, lines, error) = server.end().await;
    assert!(status.success());
    assert_eq!(error, "");
    assert!(
        lines.contains(&"[Application-End] Shutting down...".to_owned()),
        "{lines:?}"
    );
}

/// An echo whose answers begin with its version, at a path of its own.
fn version(number: usize) -> aro_to_wasm::Input {
    let text = format!(
        r#"{START}
(Answer Message: WebSocket Event Handler /v{number}) {{
    Return an <OK: status> for the <message>.
}}
(Answer Any Message: WebSocket Event Handler) {{
    Extract the <text> from the <event: message>.
    Create the <answer> with "{number} ${{<text>}}".
    Send the <answer> to the <websocket-connection>.
    Return an <OK: status> for the <message>.
}}"#
    );
    sources(&[("main.aro", &text)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_stay_open_and_in_order_while_versions_change() {
    const CLIENTS: usize = 30;
    const VERSIONS: usize = 8;
    let server =
        Server::start_with(version(1), |settings| settings.http_port_override = Some(0)).await;
    let address = server.http_address();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let mut peer = WebSocket::open(address, "/ws").await;
        clients.spawn(async move {
            let (mut number, mut last) = (0_usize, 1);
            while last < VERSIONS {
                peer.send(&number.to_string()).await;
                let answer = peer.text().await;
                let (version, echoed) = answer.split_once(' ').unwrap();
                let version: usize = version.parse().unwrap();
                assert!(version >= last && echoed == number.to_string(), "{answer}");
                (number, last) = (number + 1, version);
            }
            peer
        });
    }
    for number in 2..=VERSIONS {
        server.deploy(version(number)).await.unwrap();
        // The paths are those of the new version, and so is what is configured.
        WebSocket::open(address, &format!("/v{number}")).await;
        let old = WebSocket::open_with(address, &format!("/v{}", number - 1), &[]).await;
        assert!(matches!(old, Err(Error::Http(_))));
    }
    let mut open = Vec::new();
    while let Some(peer) = within("the last version", clients.join_next()).await {
        open.push(peer.unwrap());
    }
    let stopped = server.stop().await;
    assert_eq!(stopped.error, "");
}

#[test]
fn every_handler_of_the_proposal_compiles() {
    let sets = seeds::feature_sets(&seeds::document("002")).into_iter();
    let handlers: Vec<_> = sets
        .filter(|set| set.header.contains("WebSocket Event Handler"))
        .collect();
    assert!(handlers.len() >= 6, "{}", handlers.len());
    for handler in handlers {
        let text = format!("{START}{}", handler.text);
        let artifact = harness::compile(sources(&[("main.aro", &text)]));
        assert!(artifact.starts_with(b"\0asm"), "{}", handler.header);
    }
}

/// A WebSocket that has sent this much of a message of a megabyte.
async fn begun(address: SocketAddr, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /echo HTTP/1.1\r\nHost: test\r\n{UPGRADE}{KEY}{VERSION}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let read = within("an answer", stream.read_buf(&mut answer));
        assert_ne!(read.await.unwrap(), 0);
    }
    let mut frame = vec![0x82, 0xFF];
    frame.extend((1_u64 << 20).to_be_bytes());
    frame.extend([0; 4]);
    frame.resize(frame.len() + sent, 0);
    stream.write_all(&frame).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_never_end_fill_no_memory() {
    let (server, address) = echo(|settings| {
        settings.limits.received_bytes_max = 1 << 20;
    })
    .await;
    let mut halves = Vec::new();
    // Each holds a quarter of what there is.
    for _ in 0..4 {
        halves.push(begun(address, 200 << 10).await);
    }
    let mut refused = Vec::new();
    while refused.is_empty() {
        // The others may not have been read yet.
        let mut fifth = begun(address, 200 << 10).await;
        let end = tokio::time::timeout(Duration::from_secs(1), fifth.read_to_end(&mut refused));
        drop(end.await);
    }
    assert!(refused.starts_with(&[0x88, 2, 0x03, 0xF5]), "{refused:?}");
    assert!(server.limit_hits("received_bytes_max") > 0);
    // Small ones have their place, and who holds some goes on.
    let mut peer = WebSocket::open(address, "/echo").await;
    peer.send("small").await;
    assert_eq!(peer.text().await, "small");
    drop(halves);
    let room = async {
        loop {
            let mut whole = begun(address, 1 << 20).await;
            if whole.read_u8().await.unwrap() == 0x82 {
                return;
            }
        }
    };
    within("room", room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_message_that_a_handler_skips_nothing_is_made() {
    let program = r#"
(On Message: WebSocket Event Handler) when <kind> is "text" {
    Send <event: message> to the <websocket-connection>.
    Return an <OK: status> for the <message>.
}
(Say Message: WebSocket Event Handler<kind:text>) {
    Send <event: message> to the <websocket-connection>.
    Return an <OK: status> for the <message>.
}
"#;
    // As text, each of these bytes takes three.
    let bytes = vec![0xff; 1 << 20];
    let (server, address) = serve(program, |settings| {
        settings.limits.memory_bytes_max = 3 << 20;
    })
    .await;
    let mut socket = WebSocket::open(address, "/ws").await;
    socket.send_message(Message::binary(bytes)).await;
    socket.send("hello").await;
    assert_eq!(socket.text().await, "hello");
    assert_eq!(socket.text().await, "hello");
    assert_eq!(server.errors(), "");
}
