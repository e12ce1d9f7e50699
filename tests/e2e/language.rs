//! What the language promises of events of connections, WebSockets and files.

use aro_host::Outbound;
use harness::{Running, Server, WebSocket};
use std::fs;
use std::path::Path;

async fn serve(text: &str) -> Server {
    harness::serve(text, |settings| {
        settings.http_port_override = Some(0);
        settings.grants.outbound = Outbound::All;
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_a_packet_are_those_of_its_data() {
    let server = serve(
        r#"(Application-Start: Packets) {
        Listen on port 0 as <desk>.
        Return an <OK: status> for the <startup>.
    }
    (Data Received: Socket Event Handler) when <server> is "desk" {
        Extract the <name> from the <packet: name>.
        Extract the <city> from the <packet: address.city>.
        Extract the <size> from the <packet: size>.
        Send "${<name>} of ${<city>}: ${<size>}\n" to the <connection>.
        Return an <OK: status> for the <packet>.
    }
    (Elsewhere: DataReceived Handler) when <server> is "attic" {
        Send "attic\n" to the <connection>.
        Return an <OK: status> for the <packet>.
    }"#,
    )
    .await;
    let mut peer = server.connect().await;
    peer.send(r#"{"name": "Ida", "address": {"city": "Oslo"}}"#)
        .await;
    assert_eq!(peer.line().await, "Ida of Oslo: 44");
    // The handlers of one message have all answered before those of the next one run.
    peer.send(r#"{"name": "Eva", "address": {"city": "Rome"}}"#)
        .await;
    assert_eq!(peer.line().await, "Eva of Rome: 44");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_ended_is_not_open() {
    let server = serve(
        r#"(Application-Start: Ends) {
        Listen on port 0 as <desk>.
        Return an <OK: status> for the <startup>.
    }
    (Enter: ClientConnected Handler) {
        Extract the <connection> from the <event: connection>.
        Create the <row> with { id: "1", connection: <connection> }.
        Store the <row> into the <peers-repository>.
        Log "kept ${<row: connection: open>}" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Left: ClientDisconnected Handler) {
        Schedule the <look: once> with 200 milliseconds.
        Return an <OK: status> for the <event>.
    }
    (Look: look Handler) {
        Retrieve the <row> from the <peers-repository> where <id> is "1".
        Extract the <kept> from the <row: connection>.
        Log "row ${<row: connection: open>}, kept ${<kept: open>}" to the <console>.
        Log "empty" to the <console> when <kept> is empty.
        Log "looked" to the <console>.
        Return an <OK: status> for the <event>.
    }"#,
    )
    .await;
    let mut peer = server.connect().await;
    server.output("kept true\n").await;
    peer.finish().await;
    peer.closed().await;
    let output = server.output("looked\n").await;
    assert!(output.contains("row false, kept false\n"), "{output}");
    assert!(!output.contains("empty"), "{output}");
    assert_eq!(server.errors(), "");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_closes_is_closed_and_there() {
    let server = serve(
        r#"(Application-Start: Closes) {
        Listen on port 0 as <desk>.
        Connect to <host: "127.0.0.1"> on port <desk: port> as <link>.
        Log "before ${<link: open>}" to the <console>.
        Close the <link>.
        Schedule the <look: once> with 200 milliseconds.
        Return an <OK: status> for the <startup>.
    }
    (Look: look Handler) {
        Log "after ${<link: open>}" to the <console>.
        Return an <OK: status> for the <event>.
    }"#,
    )
    .await;
    let output = server.output("after false\n").await;
    assert!(output.contains("before true\n"), "{output}");
    assert_eq!(server.errors(), "");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_system_reach_handlers_of_their_names() {
    let server = serve(
        r#"(Application-Start: Sockets) {
        Start the <http-server> with { port: 8080 }.
        Return an <OK: status> for the <startup>.
    }
    (Come: websocket.connected Handler) {
        Log "connected" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Say: websocket.message Handler) {
        Extract the <message> from the <event: message>.
        Log "message ${<message>}" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Go: websocket.disconnected Handler) {
        Log "disconnected" to the <console>.
        Return an <OK: status> for the <event>.
    }"#,
    )
    .await;
    let mut socket = WebSocket::open(server.http_address(), "/ws").await;
    server.output("connected\n").await;
    socket.send("hello").await;
    server.output("message hello\n").await;
    socket.close(1000, "").await;
    server.output("disconnected\n").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_watched_directory_reach_handlers_of_their_events() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("inbox")).unwrap();
    let text = r#"(Application-Start: Files) {
        Start the <file-monitor> with "inbox".
        Log "watching" to the <console>.
        Keepalive the <application> for the <events>.
        Return an <OK: status> for the <startup>.
    }
    (New: file.created Handler) {
        Extract the <path> from the <event: path>.
        Log "created ${<path>}" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Gone: file.deleted Handler) when <path> contains "a.txt" {
        Log "deleted" to the <console>.
        Return an <OK: status> for the <event>.
    }"#;
    fs::write(place.path().join("main.aro"), text).unwrap();
    let mut running = Running::start(Path::new("main.aro"), place.path());
    assert_eq!(running.line().await, "[Application-Start] watching");
    fs::write(place.path().join("inbox/a.txt"), "x").unwrap();
    let created = running.line().await;
    assert!(created.starts_with("[New] created "), "{created}");
    fs::remove_file(place.path().join("inbox/a.txt")).unwrap();
    assert_eq!(running.line().await, "[Gone] deleted");
    running.end().await;
}
