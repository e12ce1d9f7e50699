//! What a peer is told when something goes wrong holds no path, no token, no value of the environment, no source and no trap: whatever the error is.

use aro_host::{ContractChecks, Environment, Outbound, Settings};
use harness::{Server, WebSocket, directory, http, within};
use std::net::SocketAddr;
use std::path::Path;
use tokio_tungstenite::tungstenite::Message;

/// A variable of the environment that is granted, and whose value no peer may see; every test has it.
const VARIABLE: &str = "CARGO_MANIFEST_DIR";

const CONTRACT: &str = r#"
openapi: 3.0.3
info: { title: Faults, version: 1.0.0 }
paths:
  /divide:
    post:
      operationId: divide
      requestBody:
        required: true
        content: { application/json: { schema: { type: object, required: [by], properties: { by: {} } } } }
      responses: { "200": { description: fine } }
  /read: { get: { operationId: readFile, responses: { "200": { description: fine } } } }
  /spin: { get: { operationId: spin, responses: { "200": { description: fine } } } }
  /deep: { get: { operationId: deep, responses: { "200": { description: fine } } } }
  /throw: { get: { operationId: throwIt, responses: { "200": { description: fine } } } }
  /ask: { get: { operationId: askOther, responses: { "200": { description: fine } } } }
"#;

const PROGRAM: &str = r#"(Application-Start: Faults) {
    Start the <http-server> with <contract>.
    Listen on port 9000 as <lines> with { framing: "line", frameBytes: 100 }.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}
(divide: Faults) {
    Extract the <by> from the <body: by>.
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Compute the <quotient> from <secret> / <by>.
    Return an <OK: status> with <quotient>.
}
(readFile: Faults) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Create the <name> with "${<secret>}/nothing/here.txt".
    Read the <text> from the <file: name>.
    Return an <OK: status> with <text>.
}
(spin: Faults) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    while <secret> is not "" {
        Create the <again> with true.
    }
    Return an <OK: status> for the <answer>.
}
(deep: Faults) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Emit a <Round: event> with { secret: <secret> }.
    Return an <OK: status> for the <answer>.
}
(Again: Round Handler) {
    Extract the <secret> from the <event: secret>.
    Emit a <Round: event> with { secret: <secret> } when <secret> is not "".
    Return an <OK: status> for the <answer>.
}
(throwIt: Faults) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Throw a <failure> for the <secret>.
}
(askOther: Faults) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Request the <answer> from "http://127.0.0.1:1/${<secret>}".
    Return an <OK: status> with <answer>.
}
(Handle WebSocket Message: WebSocket Event Handler) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Compute the <quotient> from <secret> / <event: message>.
    Return an <OK: status> for the <answer>.
}
(Handle Line: DataReceived Handler) {
    Create the <secret> with <env: CARGO_MANIFEST_DIR>.
    Compute the <quotient> from <secret> / <event: data>.
    Return an <OK: status> for the <answer>.
}
"#;

async fn serve(change: impl FnOnce(&mut Settings)) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.aro"), PROGRAM).unwrap();
    std::fs::write(folder.path().join("openapi.yaml"), CONTRACT).unwrap();
    Server::start_with(directory(folder.path()), |settings| {
        settings.http_port_override = Some(0);
        settings.terse_errors = true;
        settings.contract = ContractChecks::Strict;
        settings.grants.environment = Environment::Named([VARIABLE.to_owned()].into());
        settings.grants.outbound = Outbound::All;
        settings.grants.directories = vec![std::env::temp_dir()];
        settings.limits.http_body_bytes_max = 1000;
        settings.limits.cpu_time_max = std::time::Duration::from_millis(50);
        settings.limits.event_depth_max = 4;
        settings.limits.websocket_message_bytes_max = 1000;
        change(settings);
    })
    .await
}

/// Everything that comes back to some bytes. Who has said that it will close needs no end of ours, which would cancel a request that takes its time.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    match String::from_utf8_lossy(bytes).contains("Connection: close") {
        true => http::raw(address, bytes).await,
        false => http::raw_to_end(address, bytes).await,
    }
}

/// Fails if an answer holds what no peer may see.
fn check(what: &str, answer: &str) {
    let here = std::env::var(VARIABLE).unwrap();
    let home = std::env::var("HOME").unwrap_or_else(|_| here.clone());
    let temporary = std::env::temp_dir();
    let tested = std::env::current_exe().unwrap();
    let folder = tested.parent().unwrap_or(Path::new("/"));
    for hidden in [
        here.as_str(),
        home.as_str(),
        temporary.to_str().unwrap(),
        folder.to_str().unwrap(),
        ".aro",
        ".rs",
        ".wasm",
        "wasm",
        "trap",
        "backtrace",
        "Source:",
        "Trace:",
        "Statement:",
        "os error",
        "panicked",
    ] {
        let is_root = hidden.len() < 2;
        assert!(
            is_root || !answer.contains(hidden),
            "{what} tells {hidden:?}:\n{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_http_tells_more_than_it_should() {
    let server = serve(|_| {}).await;
    let address = server.http_address();
    let post = |media: &str, body: &str| {
        format!(
            "POST /divide HTTP/1.1\r\nHost: a\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let ask = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    };
    let long = "x".repeat(2000);
    let header = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    let rows = [
        (500, post("application/json", r#"{"by":"zero"}"#)),
        (400, post("application/json", "{")),
        (400, post("application/json", "{}")),
        (415, post("text/plain", "by")),
        (413, post("application/json", &long)),
        (500, ask("GET", "/read")),
        (500, ask("GET", "/spin")),
        (200, ask("GET", "/deep")),
        (500, ask("GET", "/throw")),
        (500, ask("GET", "/ask")),
        (404, ask("GET", "/../../etc/passwd")),
        (405, ask("DELETE", "/read")),
        (431, header),
        (400, "GARBAGE\r\n\r\n".to_owned()),
    ];
    for (status, request) in rows {
        let answer = raw(address, request.as_bytes()).await;
        let first: String = request.chars().take(60).collect();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{first}\n{answer}"
        );
        check(&first, &answer);
    }
    // What is kept from peers is told to those who run the program.
    let here = std::env::var(VARIABLE).unwrap();
    assert!(server.errors().contains(&here), "{}", server.errors());
    assert!(server.errors().contains("main.aro:"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_close_of_a_websocket_or_a_connection_tells_more_than_it_should() {
    let server = serve(|_| {}).await;
    let http = server.http_address();
    let long = "x".repeat(2000);
    let mut peer = WebSocket::open(http, "/ws").await;
    peer.send("zero").await;
    server.error("Handle WebSocket Message").await;
    peer.send_message(Message::text(long.as_str())).await;
    let (code, reason) = peer.closed().await;
    assert_eq!(code, 1009);
    check("a long message", &reason);
    let said = raw(server.address(), b"zero\n").await;
    assert_eq!(said, "");
    let said = raw(server.address(), format!("{long}\n").as_bytes()).await;
    check("a long line", &said);
    let ending = WebSocket::open(http, "/ws").await;
    let stopped = tokio::spawn(async move { server.stop().await });
    let mut ending = ending;
    let (code, reason) = ending.closed().await;
    assert_eq!(code, 1001);
    check("the end of the program", &reason);
    within("the end", stopped).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_of_a_request_tells_more_than_it_should() {
    let server = serve(|settings| {
        settings.limits.http_requests_max = 1;
        settings.limits.http_body_time_max = std::time::Duration::from_secs(1);
        settings.websocket_origins = vec!["https://friend.example".to_owned()];
    })
    .await;
    let address = server.http_address();
    let starts = |answer: &str, status: u16| {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        check(&status.to_string(), answer);
    };
    let upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nOrigin: https://stranger.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    starts(&raw(address, upgrade.as_bytes()).await, 403);
    // A body that does not come holds the one request that there may be, and ends by its time.
    let slow = "POST /divide HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{";
    let request = b"GET /read HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    loop {
        let held = tokio::spawn(async move { raw(address, slow.as_bytes()).await });
        let mut answer = String::new();
        while !answer.starts_with("HTTP/1.1 503") && !held.is_finished() {
            answer = raw(address, request).await;
        }
        let late = within("the time of a body", held).await.unwrap();
        // It may have come second itself.
        if answer.starts_with("HTTP/1.1 503") && !late.starts_with("HTTP/1.1 503") {
            starts(&answer, 503);
            starts(&late, 408);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_too_often_learns_nothing_either() {
    let server = serve(|settings| {
        settings.limits.events_per_second_max = std::num::NonZeroU32::new(1);
        settings.limits.http_requests_max = 1;
    })
    .await;
    let request = b"GET /read HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut answers = String::new();
    while !answers.contains("HTTP/1.1 429") {
        answers.push_str(&raw(server.http_address(), request).await);
    }
    check("429", &answers);
}
