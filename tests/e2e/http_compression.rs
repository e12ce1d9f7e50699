//! Responses to requests of programs that are compressed on the way.

use aro_host::{Outbound, Outcome};
use async_compression::tokio::bufread::GzipEncoder;
use harness::{Server, listener, sources, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = GzipEncoder::new(bytes);
    encoder.read_to_end(&mut packed).await.unwrap();
    packed
}

/// Answers the next request with a body that is said to be compressed; answers the head of the request.
async fn answer(listener: &TcpListener, body: &[u8]) -> String {
    let accepted = within("a connection", listener.accept()).await;
    let mut stream = accepted.unwrap().0;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = within("a request", stream.read_buf(&mut head)).await;
        assert_ne!(read.unwrap(), 0);
    }
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    String::from_utf8(head).unwrap().to_lowercase()
}

const PROGRAM: &str = r#"
(Application-Start: Asking) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Ask: DataReceived Handler) {
    Match <event: data> {
        case "own" {
            Request the <own> from "URL" with { headers: { "Accept-Encoding": "gzip;q=1" } }.
            Log "got ${<own: body>} ${<own: headers>}" to the <console>.
        }
        otherwise {
            Request the <answer> from "URL".
            Log "got ${<answer: body>} ${<answer: headers>}" to the <console>.
        }
    }
    Return an <OK: status> for the <asking>.
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_taken_apart_within_their_limit() {
    let (listener, port) = listener().await;
    let text = PROGRAM.replace("URL", &format!("http://127.0.0.1:{port}/"));
    let server = Server::start_with(sources(&[("main.aro", &text)]), |settings| {
        settings.grants.outbound = Outbound::All;
        settings.limits.request_answer_bytes_max = 100_000;
    })
    .await;
    let mut peer = server.connect().await;
    peer.send("any\n").await;
    let head = answer(&listener, &gzip(b"hello, hello, hello").await).await;
    assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
    let printed = server.output("got hello, hello, hello ").await;
    assert!(printed.contains("text/plain"), "{printed}");
    assert!(!printed.contains("content-encoding"), "{printed}");
    // A thousand times as long as what is sent.
    let bomb = gzip(&vec![b'x'; 1_000_000]).await;
    assert!(bomb.len() < 2000);
    peer.send("any\n").await;
    answer(&listener, &bomb).await;
    server.error("is larger than 100000 bytes").await;
    peer.send("any\n").await;
    answer(&listener, b"no gzip").await;
    server.error("answers with a body that is not gzip").await;
    // What the program asks for is its own.
    peer.send("own\n").await;
    let head = answer(&listener, b"as it comes").await;
    assert!(head.contains("accept-encoding: gzip;q=1\r\n"), "{head}");
    let printed = server.output("got as it comes ").await;
    assert!(printed.contains("content-encoding"), "{printed}");
    let stopped = server.stop().await;
    assert_eq!(stopped.outcome, Outcome::Success, "{}", stopped.error);
}
