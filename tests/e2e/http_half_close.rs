//! Peers that end their direction behind a request are answered, on listeners of one program and of several; of a response that stays open they are gone.

use crate::routing;
use aro_host::{Captured, ConsoleSink, SharedProtocol, Stream};
use aro_to_wasm::Input;
use harness::{Server, compile, within};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONTRACT: &str = r"
openapi: 3.1.0
info: { title: T, version: '1' }
paths:
  /slow:
    get: { operationId: slow, responses: { '200': { description: slow } } }
  /events:
    get:
      operationId: events
      responses: { '200': { description: all, content: { text/event-stream: {} } } }
";

const PROGRAM: &str = r#"
(Application-Start: Slow) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}
(slow: Slow) {
    Log "asked" to the <console>.
    Wait for 0.2 seconds.
    Log "woken" to the <console>.
    Return an <OK: status> with { slept: true }.
}
(events: Slow) {
    Return an <OK: status> with { open: true }.
}
(Note: EventStreamClosed Handler) {
    Log "closed" to the <console>.
}
"#;

fn program() -> Input {
    harness::service(PROGRAM, CONTRACT)
}

/// Requests, and the end of this direction behind them.
async fn finished(address: SocketAddr, paths: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let requests = paths
        .iter()
        .map(|path| format!("GET {path} HTTP/1.1\r\nHost: t.example\r\n\r\n"));
    let requests: String = requests.collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = within("the end", stream.read_to_string(&mut text)).await;
    read.unwrap();
    text
}

async fn answers_those_who_have_finished(address: SocketAddr) {
    let answer = rest(finished(address, &["/slow"]).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("{\"slept\":true}"), "{answer}");
    let both = rest(finished(address, &["/slow", "/slow"]).await).await;
    assert_eq!(both.matches("{\"slept\":true}").count(), 2, "{both}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_finished_is_answered_and_whoever_has_gone_holds_nothing() {
    let server = Server::start_with(program(), |settings| {
        settings.http_port_override = Some(0);
    })
    .await;
    let address = server.http_address();
    answers_those_who_have_finished(address).await;
    // The handler of somebody who has gone goes on, and the connection ends with the answer.
    drop(finished(address, &["/slow"]).await);
    server.output_times("woken", 4).await;
    server.connections(0).await;
    // Nobody waits for the end of a response that has none.
    let follower = finished(address, &["/events"]).await;
    server.output("closed").await;
    server.connections(0).await;
    drop(follower);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_where_several_tenants_share_a_listener() {
    let host = routing::host();
    let web = routing::shared(&host, SharedProtocol::Http, &[]);
    web.route(&[routing::route("slow", "t.example", "/", false)])
        .unwrap();
    let console = Captured::default();
    let artifact = compile(program());
    let _program = routing::start_program(&host, ("slow", &artifact), &web, |settings| {
        settings.console = ConsoleSink::Capture(console.clone());
    })
    .await;
    answers_those_who_have_finished(web.address()).await;
    let _follower = finished(web.address(), &["/events"]).await;
    let closed = console.wait(Stream::Output, |text| text.contains("closed"));
    within("the follower is gone", closed).await;
}
