//! Responses that are not made in one piece: events on a response that stays open, files that are read while they are sent.

use aro_host::{Outcome, Settings};
use aro_to_wasm::Input;
use harness::{Server, repository, within};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONTRACT: &str = r"
openapi: 3.1.0
info: { title: T, version: '1' }
paths:
  /prices/{symbol}:
    get:
      operationId: streamPrices
      responses:
        '200': { description: prices, content: { text/event-stream: { schema: { type: string } } } }
        '404': { description: none }
    post: { operationId: setPrice, responses: { '202': { description: taken } } }
  /all:
    get:
      operationId: streamAll
      responses: { '200': { description: all, content: { text/event-stream: {} } } }
    post: { operationId: tellAll, responses: { '200': { description: told } } }
  /named:
    get:
      operationId: streamNamed
      responses: { '200': { description: all, content: { text/event-stream: {} } } }
    post: { operationId: tellNamed, responses: { '200': { description: told } } }
  /brief:
    get:
      operationId: streamBriefly
      responses: { '200': { description: one, content: { text/event-stream: {} } } }
  /file/{name}:
    get: { operationId: download, responses: { '200': { description: file } } }
  /large:
    get: { operationId: large, responses: { '200': { description: text } } }
  /page/{name}:
    get: { operationId: page, responses: { '200': { description: page } } }
";

const PROGRAM: &str = r#"
(Application-Start: Prices) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}
(streamPrices: Prices) {
    Extract the <symbol> from the <pathParameters: symbol>.
    Match <symbol> {
        case "NONE" { Return a <NotFound: status> with { error: "no such symbol" }. }
    }
    Subscribe the <event-stream> to the <symbol>.
    Send "hello" to the <event-stream>.
    Return an <OK: status> with { symbol: <symbol>, id: <event-stream: id> } with headers { "X-Symbol": <symbol> }.
}
(setPrice: Prices) {
    Extract the <symbol> from the <pathParameters: symbol>.
    Publish the <body> to the <symbol>.
    Return an <Accepted: status> with { listeners: <subscribers: symbol> }.
}
(streamAll: Prices) {
    Return an <OK: status> for the <stream>.
}
(streamNamed: Prices) {
    Create the <number> with 7.
    Subscribe the <event-stream> to the <named>.
    Send "hello" to the <event-stream> with event "greeting" with id <number>.
    Send "plain" to the <event-stream>.
    Return an <OK: status> for the <stream>.
}
(tellNamed: Prices) {
    Extract the <text> from the <request: body>.
    Match <text> {
        case "forged" { Publish the <text> to the <named> with event "a\ndata: b". }
    }
    Publish the <text> to the <named> with event <text>.
    Publish the <text> to the <named>.
    Broadcast the <news> to the <event-stream> with "all" with id "n-${<text>}".
    Return an <OK: status> with { told: true }.
}
(streamBriefly: Prices) {
    Send "all there is" to the <event-stream>.
    Close the <event-stream> for the <sending>.
    Return an <OK: status> for the <stream>.
}
(tellAll: Prices) {
    Extract the <text> from the <request: body>.
    Match <text> {
        case "lines" { Broadcast the <news> to the <event-stream> with "one\ntwo". }
        case "bye" { Broadcast the <news> to the <event-stream> with "bye" where path = "/all". }
        otherwise { Broadcast the <text> to the <event-stream>. }
    }
    Return an <OK: status> with { told: true }.
}
(download: Prices) {
    Extract the <name> from the <pathParameters: name>.
    Create the <path> with "tests/e2e/${<name>}".
    Return an <OK: status> with <file: path> with headers { "Cache-Control": "max-age=60" }.
}
(large: Prices) {
    Compute the <text> from "0123456789" * 20000.
    Return an <OK: status> with <text>.
}
(page: Prices) {
    Extract the <name> from the <pathParameters: name>.
    Transform the <html> from the <template: name>.
    Return an <OK: status> with <html>.
}
(Say Goodbye: EventStreamClosed Handler) {
    Log "${<event: path>} from ${<event: remoteAddress>} closed" to the <console>.
}
"#;

fn program(text: &str) -> Input {
    harness::service(text, CONTRACT)
}

async fn serve(change: impl FnOnce(&mut Settings)) -> (Server, SocketAddr) {
    let server = Server::start_with(program(PROGRAM), |settings| {
        settings.http_port_override = Some(0);
        settings.grants.directories = vec![repository().to_owned()];
        change(settings);
    })
    .await;
    let address = server.http_address();
    (server, address)
}

/// A request over HTTP/1.1, and what has come back of it.
struct Response {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Response {
    async fn of(address: SocketAddr, line: &str, rest: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: t\r\n{rest}");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Waits until `part` has come; answers all that has.
    async fn until(&mut self, part: &str) -> String {
        let found = async {
            loop {
                let text = String::from_utf8_lossy(&self.received).into_owned();
                if text.contains(part) {
                    return text;
                }
                let read = self.stream.read_buf(&mut self.received).await.unwrap();
                assert_ne!(read, 0, "the end before {part:?}: {text}");
            }
        };
        within(part, found).await
    }

    /// All there is to its end.
    async fn end(mut self) -> String {
        let rest = self.stream.read_to_end(&mut self.received);
        drop(within("the end", rest).await);
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

async fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let length = body.len();
    let rest = format!("Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = Response::of(address, &format!("POST {path}"), &rest).await;
    answer.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_stays_open_for_what_is_published() {
    let (server, address) = serve(|_| {}).await;
    let mut euro = Response::of(address, "GET /prices/EUR", "\r\n").await;
    let head = euro.until("\"symbol\":\"EUR\"}\n\n").await;
    for part in [
        "HTTP/1.1 200 OK\r\n",
        "content-type: text/event-stream\r\n",
        "cache-control: no-cache\r\n",
        "x-symbol: EUR\r\n",
        "transfer-encoding: chunked\r\n",
        "data: hello\n\ndata: {\"id\":\"",
    ] {
        assert!(head.contains(part), "{part:?} in {head}");
    }
    let mut yen = Response::of(address, "GET /prices/JPY", "\r\n").await;
    yen.until("JPY").await;
    let answer = post(address, "/prices/EUR", "{\"price\":5}").await;
    assert!(answer.ends_with("{\"listeners\":1}"), "{answer}");
    euro.until("data: {\"price\":5}\n\n").await;
    let mut all = Response::of(address, "GET /all", "\r\n").await;
    all.until("\r\n\r\n").await;
    post(address, "/all", "lines").await;
    for stream in [&mut euro, &mut yen, &mut all] {
        stream.until("data: one\ndata: two\n\n").await;
    }
    post(address, "/all", "bye").await;
    let seen = all.until("data: bye\n\n").await;
    assert!(!seen.contains("EUR"), "{seen}");
    // A status that is no success is an answer like others, and nothing stays open.
    let rest = "Connection: close\r\n\r\n";
    let none = Response::of(address, "GET /prices/NONE", rest)
        .await
        .end()
        .await;
    assert!(none.starts_with("HTTP/1.1 404 "), "{none}");
    assert!(none.ends_with("{\"error\":\"no such symbol\"}"), "{none}");
    let head = Response::of(address, "HEAD /prices/EUR", rest)
        .await
        .end()
        .await;
    assert!(
        head.contains("content-type: text/event-stream\r\n"),
        "{head}"
    );

    drop(yen);
    server.output("/prices/JPY from 127.0.0.1 closed").await;
    let answer = post(address, "/prices/JPY", "1").await;
    assert!(answer.ends_with("{\"listeners\":0}"), "{answer}");
    // The end of the program ends the response in order.
    let stopped = server.stop().await;
    assert_eq!(stopped.outcome, Outcome::Success, "{}", stopped.error);
    assert!(euro.end().await.ends_with("\r\n0\r\n\r\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_have_names_and_identities() {
    let (server, address) = serve(|_| {}).await;
    let mut named = Response::of(address, "GET /named", "\r\n").await;
    named
        .until("event: greeting\nid: 7\ndata: hello\n\ndata: plain\n\n")
        .await;
    post(address, "/named", "rise").await;
    let seen = named.until("id: n-rise\ndata: all\n\n").await;
    let events: Vec<_> = seen
        .lines()
        .filter(|line| {
            ["event: ", "data: ", "id: "]
                .iter()
                .any(|field| line.starts_with(field))
        })
        .skip(4)
        .collect();
    assert_eq!(
        events,
        [
            "event: rise",
            "data: rise",
            "data: rise",
            "id: n-rise",
            "data: all"
        ]
    );
    // A name is one line, or what it carries could pass for other fields.
    let refused = post(address, "/named", "forged").await;
    assert!(refused.starts_with("HTTP/1.1 500 "), "{refused}");
    server
        .error("the name of an event is one line of at most 1024 bytes, not \"a\\ndata: b\"")
        .await;
    post(address, "/named", "fall").await;
    let seen = named.until("id: n-fall\n").await;
    assert!(!seen.contains("forged"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_finished_ends_behind_what_was_sent() {
    let (server, address) = serve(|settings| settings.limits.websockets_max = 1).await;
    for _ in 0..3 {
        let brief = Response::of(address, "GET /brief", "\r\n").await;
        let text = within("the end of the response", async {
            let mut brief = brief;
            brief.until("0\r\n\r\n").await
        });
        let text = text.await;
        assert!(text.contains("data: all there is\n\n"), "{text}");
    }
    server.output("/brief from 127.0.0.1 closed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_outlive_versions_and_silence() {
    let (server, address) = serve(|settings| {
        settings.limits.websocket_ping_interval = Duration::from_millis(50);
    })
    .await;
    let mut stream = Response::of(address, "GET /prices/EUR", "\r\n").await;
    stream.until("data: hello").await;
    stream.until("3\r\n:\n\n\r\n").await;
    let next = PROGRAM.replace("{ listeners:", "{ version: 2, listeners:");
    server.deploy(program(&next)).await.unwrap();
    let answer = post(address, "/prices/EUR", "second").await;
    assert!(
        answer.ends_with("{\"listeners\":1,\"version\":2}"),
        "{answer}"
    );
    stream.until("data: second\n\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_is_cut_off_and_there_are_not_too_many() {
    let (server, address) = serve(|settings| {
        settings.limits.websockets_max = 2;
        settings.limits.queue_bytes_max = 64 << 10;
    })
    .await;
    let mut reads = Response::of(address, "GET /all", "\r\n").await;
    reads.until("\r\n\r\n").await;
    let mut lazy = Response::of(address, "GET /all", "\r\n").await;
    lazy.until("\r\n\r\n").await;
    let third = Response::of(address, "GET /all", "Connection: close\r\n\r\n").await;
    let third = third.end().await;
    assert!(third.starts_with("HTTP/1.1 503 "), "{third}");
    let large = "x".repeat(60 << 10);
    let mut told = 0;
    while server.observe().slow_peers == 0 {
        post(address, "/all", &large).await;
        reads.until(&large).await;
        reads.received.clear();
        told += 1;
        assert!(told < 1000, "a peer that does not read is told everything");
    }
    server.output("/all from 127.0.0.1 closed").await;
    let rest = lazy.end().await;
    assert!(!rest.ends_with("0\r\n\r\n"), "it ends in the middle");
    post(address, "/all", "after").await;
    reads.until("data: after\n\n").await;
}

async fn http2(address: SocketAddr) -> http2::SendRequest<Empty<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let shaken = http2::handshake(TokioExecutor::new(), stream).await;
    let (sender, connection) = shaken.unwrap();
    tokio::spawn(connection);
    sender
}

async fn frame(body: &mut Incoming) -> String {
    let frame = within("a frame", body.frame()).await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_of_http2_carries_many_streams() {
    let (server, address) = serve(|_| {}).await;
    let mut sender = http2(address).await;
    let mut bodies = Vec::new();
    for symbol in ["EUR", "JPY", "EUR"] {
        let request = hyper::Request::get(format!("http://t/prices/{symbol}"));
        let answer = sender.send_request(request.body(Empty::new()).unwrap());
        let answer = within("an answer", answer).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut body = answer.into_body();
        let first = frame(&mut body).await;
        assert!(first.starts_with("data: hello\n\n"), "{first}");
        bodies.push(body);
    }
    post(address, "/prices/EUR", "7").await;
    for body in [0, 2] {
        assert_eq!(frame(&mut bodies[body]).await, "data: 7\n\n");
    }
    // One stream ends, the others go on.
    drop(bodies.pop());
    server.output("/prices/EUR from 127.0.0.1 closed").await;
    post(address, "/prices/EUR", "8").await;
    assert_eq!(frame(&mut bodies[0]).await, "data: 8\n\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_which_a_byte_is_taken_hold_their_requests_until_they_are_given_up() {
    let (server, address) = serve(|settings| {
        settings.limits.http_requests_max = 2;
        settings.limits.http_write_time_max = Duration::from_secs(2);
    })
    .await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut client = http2::Builder::new(TokioExecutor::new());
    let shaken = client.initial_stream_window_size(1).handshake(stream).await;
    let (mut sender, connection) = shaken.unwrap();
    tokio::spawn(connection);
    let mut held = Vec::new();
    for expected in [200, 200, 503] {
        let request = hyper::Request::get("http://t/large");
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap());
        let answer = within("an answer", answer).await.unwrap();
        assert_eq!(answer.status(), expected);
        held.push(answer);
    }
    let given_up = async {
        while server.limit_hits("http_write_time_max") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(held);
        loop {
            let answer = Response::of(address, "GET /large", "Connection: close\r\n\r\n").await;
            let answer = answer.end().await;
            if answer.starts_with("HTTP/1.1 200 ") {
                return answer.len();
            }
        }
    };
    assert!(within("the end of the connection", given_up).await > 200_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one file, asked for in every way")]
async fn files_are_sent_in_pieces_and_in_part() {
    let large: Vec<u8> = (0..5_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.bin"), &large).unwrap();
    let link = PROGRAM.replace("tests/e2e/${<name>}", "${<name>}");
    let root = folder.path().to_owned();
    let server = Server::start_with(program(&link), |settings| {
        settings.http_port_override = Some(0);
        settings.grants.directories = vec![root];
        // Far less than the file has: it never lies in memory as a whole.
        settings.limits.file_bytes_max = 1000;
    })
    .await;
    let address = server.http_address();
    let get = async |headers: &str| -> (String, Vec<u8>) {
        let rest = format!("Connection: close\r\n{headers}\r\n");
        let mut response = Response::of(address, "GET /file/large.bin", &rest).await;
        response.until("\r\n\r\n").await;
        let rest = response.stream.read_to_end(&mut response.received);
        within("the file", rest).await.unwrap();
        let bytes = response.received;
        let split = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        (head, bytes[split + 4..].to_vec())
    };
    let (head, body) = get("").await;
    for part in [
        "HTTP/1.1 200 OK",
        "content-length: 5000000",
        "content-type: application/octet-stream",
        "accept-ranges: bytes",
        "cache-control: max-age=60",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert!(body == large);
    let (head, body) = get("Range: bytes=4999990-\r\n").await;
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert!(
        head.contains("content-range: bytes 4999990-4999999/5000000"),
        "{head}"
    );
    assert!(body == large[4_999_990..]);
    let (head, body) = get("Range: bytes=5000000-\r\n").await;
    assert!(head.starts_with("HTTP/1.1 416 "), "{head}");
    assert!(
        head.contains("content-range: bytes */5000000") && body.is_empty(),
        "{head}"
    );
    let tag = head
        .split_once("etag: ")
        .unwrap()
        .1
        .split("\r\n")
        .next()
        .unwrap();
    let (head, body) = get(&format!("If-None-Match: {tag}\r\n")).await;
    assert!(
        head.starts_with("HTTP/1.1 304 ") && body.is_empty(),
        "{head}"
    );
    let (head, _) = get("If-Range: \"other\"\r\nRange: bytes=0-1\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let rest = "Connection: close\r\n\r\n";
    let head = Response::of(address, "HEAD /file/large.bin", rest)
        .await
        .end()
        .await;
    assert!(
        head.contains("content-length: 5000000") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for name in ["none.bin", "..%2fother", "."] {
        let line = format!("GET /file/{name}");
        let missing = Response::of(address, &line, rest).await.end().await;
        assert!(missing.starts_with("HTTP/1.1 500 "), "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_missing_is_not_found() {
    let (_server, address) = serve(|_| {}).await;
    let rest = "Connection: close\r\n\r\n";
    let missing = Response::of(address, "GET /page/x.html", rest)
        .await
        .end()
        .await;
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    let body = "{\"error\":\"Not Found\",\"message\":\"Template not found: ./templates/x.html\"}";
    assert!(missing.ends_with(body), "{missing}");
}

#[test]
fn files_to_answer_with_must_be_granted() {
    let compiled = harness::compile(program(PROGRAM));
    let settings = Settings::new(std::net::Ipv4Addr::LOCALHOST.into());
    let host = aro_host::Host::new(settings).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let refused = host.load(aro_host::TenantId::default(), &compiled);
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("\"download\" reads files"), "{text}");
}
