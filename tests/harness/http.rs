//! Requests as text on the wire, each over a connection of its own.

use crate::within;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes as they are and answers what comes back until the host closes the connection. A host that refuses may close before it has read everything: a reset behind its answer is no failure.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    answer(stream).await
}

/// As [`raw`], and nothing more will come: a host that would wait for the next request does not.
pub async fn raw_to_end(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.ok();
    answer(stream).await
}

async fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    if let Err(error) = within("an answer", stream.read_to_end(&mut answer)).await {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a request and answers the whole response. `line` is method and target; `headers` are whole lines, besides those for the host, the end of the connection and the length of the body.
pub async fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> String {
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}");
    if !headers.contains("Host: ") {
        request.push_str("Host: t\r\n");
    }
    if !line.starts_with("GET ") {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    raw(address, format!("{request}\r\n{body}").as_bytes()).await
}

/// Status, head and body of a response.
pub fn parts(response: &str) -> (u16, &str, &str) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), head, body)
}
