//! HTTP as RFC 9110 and 9112 have it, over raw sockets: framing, smuggling, slow peers, many peers.

use aro_host::Settings;
use harness::{Server, directory, http::raw, within};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn notes(change: impl FnOnce(&mut Settings)) -> (Server, SocketAddr) {
    let server = Server::start_with(directory("examples/notes-api"), |settings| {
        settings.http_port_override = Some(0);
        change(settings);
    })
    .await;
    let address = server.http_address();
    (server, address)
}

fn statuses(answer: &str) -> Vec<&str> {
    answer
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|rest| &rest[..3])
        .collect()
}

const LIST: &str = "GET /notes HTTP/1.1\r\nHost: n\r\n\r\n";
const LAST: &str = "GET /notes HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
const NOTE: &str = "Host: n\r\nContent-Type: application/json\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let (_server, address) = notes(|_| {}).await;
    let mut sent = String::new();
    for number in 0..50 {
        sent += &format!("GET /notes/{number} HTTP/1.1\r\nHost: n\r\n\r\n");
    }
    sent += LAST;
    let answer = raw(address, sent.as_bytes()).await;
    let mut wanted = vec!["404"; 50];
    wanted.push("200");
    assert_eq!(statuses(&answer), wanted);
    let places: Vec<_> = (0..50)
        .map(|number| answer.find(&format!("no note {number}\"")).unwrap())
        .collect();
    assert!(places.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_have_extensions_and_trailers() {
    let (_server, address) = notes(|_| {}).await;
    let post = format!(
        "POST /notes HTTP/1.1\r\n{NOTE}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    );
    let body = "8;name=\"x;y\"\r\n{\"text\":\r\n05\r\n\"tea\"\r\n1\r\n}\r\n0\r\nX-Sum: 5\r\n\r\n";
    // In pieces of one byte each it is the same.
    let mut stream = TcpStream::connect(address).await.unwrap();
    for byte in format!("{post}{body}{LAST}").bytes() {
        stream.write_all(&[byte]).await.unwrap();
    }
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    assert_eq!(statuses(&answer), ["201", "200"], "{answer}");
    for broken in [
        "zz\r\nab\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "fffffffffffffffff\r\n",
        "5\r\nabcdefgh\r\n0\r\n\r\n",
        "1\n\na\r\n0\r\n\r\n",
    ] {
        let answer = raw(address, format!("{post}{broken}{LIST}").as_bytes()).await;
        assert!(
            !answer.contains("200 OK") && !answer.contains("201 Created"),
            "{broken:?}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_invited_before_it_is_sent() {
    let (_server, address) = notes(|settings| settings.limits.http_body_bytes_max = 100).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /notes HTTP/1.1\r\n{NOTE}Content-Length: 14\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut invited = [0; 25];
    within("an invitation", stream.read_exact(&mut invited))
        .await
        .unwrap();
    assert_eq!(&invited, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"text\":\"tea\"}").await.unwrap();
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    assert_eq!(statuses(&answer), ["201"], "{answer}");
    // One that is too large is not invited.
    let head = head.replace("Content-Length: 14", "Content-Length: 101");
    let answer = raw(address, head.as_bytes()).await;
    assert_eq!(statuses(&answer), ["413"], "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let (_server, address) = notes(|_| {}).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: n\r\n\r\n";
    let vectors = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "Content-Length: 1, 2\r\n\r\nxx",
        "Content-Length: +1\r\n\r\nx",
        "Content-Length: -1\r\n\r\nx",
        "Content-Length: 0x1\r\n\r\nx",
        "Content-Length: 1 1\r\n\r\nx",
        "Content-Length : 1\r\n\r\nx",
        "Content-Length: 99999999999999999999\r\n\r\nx",
        "Transfer-Encoding: gzip\r\n\r\nx",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding\r\n: chunked\r\n\r\n0\r\n\r\n",
        "X: 1\r\n folded: 2\r\nContent-Length: 0\r\n\r\n",
        "X: a\0b\r\nContent-Length: 0\r\n\r\n",
        "X: a\rb\r\nContent-Length: 0\r\n\r\n",
        ": empty\r\nContent-Length: 0\r\n\r\n",
    ];
    for vector in vectors {
        let request = format!("POST /notes HTTP/1.1\r\nHost: n\r\n{vector}{smuggled}");
        let answer = raw(address, request.as_bytes()).await;
        // Of two framings the chunks may count (RFC 9112 6.3), if nothing behind them does.
        let chunked = vector.contains("Content-Length: 4\r\n");
        assert!(
            !answer.contains("/smuggled")
                && !answer.contains("201")
                && (chunked || !answer.contains("500 "))
                && statuses(&answer).len() <= 1,
            "{vector:?}: {answer}"
        );
    }
    for line in [
        "GET /notes HTTP/9.9",
        "GET  /notes HTTP/1.1",
        "GET /notes",
        "GET /no\ttes HTTP/1.1",
        " GET /notes HTTP/1.1",
        "G@T /notes HTTP/1.1",
    ] {
        let request = format!("{line}\r\nHost: n\r\nConnection: close\r\n\r\n");
        let answer = raw(address, request.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{line:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_bounded_in_number_and_size() {
    let (_server, address) =
        notes(|settings| settings.limits.http_header_bytes_max = 16 << 10).await;
    let many = "X: 1\r\n".repeat(300);
    let large = format!("X: {}\r\n", "x".repeat(20 << 10));
    for headers in [many, large] {
        let request = format!("GET /notes HTTP/1.1\r\nHost: n\r\n{headers}\r\n");
        let answer = raw(address, request.as_bytes()).await;
        assert_eq!(statuses(&answer), ["431"], "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: n\r\n\r\n", "x".repeat(20 << 10));
    let answer = raw(address, long.as_bytes()).await;
    assert!(
        matches!(statuses(&answer)[..], ["431"] | ["414"]),
        "{answer}"
    );
    let fits = format!(
        "GET /notes HTTP/1.1\r\nHost: n\r\nX: {}\r\nConnection: close\r\n\r\n",
        "x".repeat(8 << 10)
    );
    assert_eq!(statuses(&raw(address, fits.as_bytes()).await), ["200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_peers_are_cut_off() {
    let (_server, address) = notes(|settings| {
        settings.limits.http_idle_time_max = Duration::from_millis(400);
        settings.limits.http_body_time_max = Duration::from_millis(400);
    })
    .await;
    let begins = [
        "".to_owned(),
        "P".to_owned(),
        "GET /notes HTTP/1.1\r\n".to_owned(),
        "GET /notes HTTP/1.1\r\nHost: n\r\nX: ".to_owned(),
        LIST.to_owned(),
        format!("POST /notes HTTP/1.1\r\n{NOTE}Content-Length: 14\r\n\r\n{{"),
        format!("POST /notes HTTP/1.1\r\n{NOTE}Transfer-Encoding: chunked\r\n\r\n5\r\n{{"),
    ];
    for begin in begins {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        // A byte now and then does not keep it open.
        let drip = tokio::spawn(async move {
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut answer = Vec::new();
        within("the end", reader.read_to_end(&mut answer))
            .await
            .ok();
        drip.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_are_kept() {
    let (_server, address) = notes(|settings| settings.limits.connections_max = 2000).await;
    let mut open = Vec::new();
    for _ in 0..1000 {
        open.push(
            within("a connection", TcpStream::connect(address))
                .await
                .unwrap(),
        );
    }
    for _ in 0..3 {
        for stream in &mut open {
            stream.write_all(LIST.as_bytes()).await.unwrap();
        }
        for stream in &mut open {
            let mut answer = [0; 15];
            within("an answer", stream.read_exact(&mut answer))
                .await
                .unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
            let mut rest = Vec::new();
            while !rest.ends_with(b"{\"notes\":[]}") {
                within("the rest", stream.read_buf(&mut rest))
                    .await
                    .unwrap();
            }
        }
    }
}
