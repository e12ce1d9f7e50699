//! HTTP as clients speak it, over raw sockets: routing, bodies, responses, limits.

use aro_host::Settings;
use harness::{Server, directory, http, within};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Service {
    // Dropped last: the program serves as long as it lives.
    server: Server,
    address: SocketAddr,
}

async fn notes(change: impl FnOnce(&mut Settings)) -> Service {
    let server = Server::start_with(directory("examples/notes-api"), |settings| {
        settings.http_port_override = Some(0);
        change(settings);
    })
    .await;
    let address = server.http_address();
    Service { server, address }
}

impl Service {
    /// What comes back until the host closes the connection.
    async fn raw(&self, request: &[u8]) -> String {
        http::raw(self.address, request).await
    }

    /// Status line and body of one request.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: notes\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = self.raw(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.lines().next().unwrap();
        (
            status.trim_start_matches("HTTP/1.1 ").to_owned(),
            body.to_owned(),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_served() {
    let service = notes(|_| {}).await;
    let (status, added) = service.ask("POST", "/notes", r#"{"text":"milk"}"#).await;
    assert_eq!(status, "201 Created");
    // No schema says what this response holds, so maps are flat.
    assert!(
        added.starts_with(r#"{"about.by":"web","about.words":1,"id":""#),
        "{added}"
    );
    let id = added.split('"').nth(9).unwrap().to_owned();
    service.server.output("[Tell] a note: milk").await;
    let one = format!(r#"{{"about":{{"by":"web","words":1}},"id":"{id}","text":"milk"}}"#);
    let path = format!("/notes/{id}");
    // The schema of this one declares the map.
    assert_eq!(
        service.ask("GET", &path, "").await,
        ("200 OK".to_owned(), one.clone())
    );
    assert_eq!(
        service.ask("GET", "/notes/?x=1", "").await.1,
        format!(r#"{{"notes":[{one}]}}"#)
    );
    assert!(
        service
            .ask("GET", "/page", "")
            .await
            .1
            .contains("<li>milk</li>")
    );
    assert_eq!(
        service.ask("DELETE", &path, "").await,
        ("204 No Content".to_owned(), String::new())
    );
    assert_eq!(
        service.ask("GET", &path, "").await,
        (
            "404 Not Found".to_owned(),
            format!(r#"{{"error":"there is no note {id}"}}"#)
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_operation_answers_the_host_answers() {
    let service = notes(|_| {}).await;
    let (status, body) = service.ask("GET", "/nothing", "").await;
    assert_eq!(
        (status.as_str(), body.as_str()),
        (
            "404 Not Found",
            r#"{"error":"Not Found","path":"/nothing"}"#
        )
    );
    for (method, status) in [
        ("PUT", "405 Method Not Allowed"),
        ("OPTIONS", "204 No Content"),
    ] {
        let request = format!("{method} /notes HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
        let answer = service.raw(request.as_bytes()).await;
        assert!(answer.contains(status), "{answer}");
        assert!(
            answer.contains("allow: GET, HEAD, OPTIONS, POST\r\n"),
            "{answer}"
        );
    }
    let answer = service
        .raw(b"OPTIONS * HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(answer.contains("allow: GET, "), "{answer}");
    let answer = service
        .raw(b"HEAD /notes HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.contains("content-length: 12\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    // A handler that fails is told of without values, and the next request is answered.
    let (status, body) = service.ask("POST", "/notes", "{}").await;
    assert_eq!(
        (status.as_str(), body.as_str()),
        (
            "500 Internal Server Error",
            r#"{"error":"Cannot extract the text from the request: body.text."}"#
        )
    );
    service.server.error("Handler error: ").await;
    assert_eq!(service.ask("GET", "/notes", "").await.0, "200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_may_be_pipelined_and_chunked() {
    let service = notes(|_| {}).await;
    let chunked = "POST /notes HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"text\":\r\n5\r\n\"tea\"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n";
    let list = "GET /notes HTTP/1.1\r\nHost: n\r\n\r\n";
    let last = "GET /nothing HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
    let answer = service
        .raw(format!("{chunked}{list}{last}").as_bytes())
        .await;
    let statuses: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.split_once("HTTP/1.1 ").map(|(_, status)| status))
        .collect();
    assert_eq!(statuses, ["201 Created", "200 OK", "404 Not Found"]);
    assert!(answer.contains(r#""text":"tea""#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_are_taken_are_refused_at_once() {
    let service = notes(|settings| settings.limits.http_requests_max = 1).await;
    let mut slow = TcpStream::connect(service.address).await.unwrap();
    slow.write_all(b"POST /notes HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"text\":")
        .await
        .unwrap();
    // The host takes the slow request at some moment; from then on others are refused.
    let refused =
        async { while service.ask("GET", "/notes", "").await.0 != "503 Service Unavailable" {} };
    within("a refusal", refused).await;
    slow.write_all(b"\"tea\"}").await.unwrap();
    let mut answer = String::new();
    within("an answer", slow.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    assert_eq!(service.ask("GET", "/notes", "").await.0, "200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_fill_no_memory() {
    let service = notes(|settings| settings.limits.received_bytes_max = 256 << 10).await;
    let mut slow = TcpStream::connect(service.address).await.unwrap();
    let text = "x".repeat(200_000);
    let body = format!("{{\"text\":\"{text}\"}}");
    let (begun, rest) = body.split_at(100_000);
    let head = format!(
        "POST /notes HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{begun}",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let refused = async {
        while service.ask("POST", "/notes", &body).await.0 != "503 Service Unavailable" {}
    };
    within("a refusal", refused).await;
    assert!(service.server.limit_hits("received_bytes_max") > 0);
    let (status, _) = service.ask("POST", "/notes", "{\"text\":\"tea\"}").await;
    assert_eq!(status, "201 Created");
    slow.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("an answer", slow.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    assert_eq!(service.ask("POST", "/notes", &body).await.0, "201 Created");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_too_slow_or_no_http_is_refused() {
    let service = notes(|settings| {
        settings.limits.http_body_bytes_max = 1000;
        settings.limits.http_body_time_max = Duration::from_millis(100);
        settings.limits.http_idle_time_max = Duration::from_millis(300);
        settings.limits.http_header_bytes_max = 8192;
    })
    .await;
    let stated =
        "POST /notes HTTP/1.1\r\nHost: n\r\nContent-Length: 1001\r\nConnection: close\r\n\r\n";
    let cases = [
        (stated.to_owned(), "413 Payload Too Large"),
        (
            format!(
                "POST /notes HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
                "x".repeat(2000)
            ),
            "413 Payload Too Large",
        ),
        (
            "POST /notes HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\nConnection: close\r\n\r\nslow"
                .to_owned(),
            "408 Request Timeout",
        ),
        (
            format!(
                "GET /notes HTTP/1.1\r\nHost: n\r\nX: {}\r\n\r\n",
                "1\r\nY: ".repeat(200)
            ),
            "431 Request Header Fields Too Large",
        ),
        // Conflicting lengths, and a length beside chunks, are how requests are smuggled (RFC 9112 6.3).
        (
            "POST /notes HTTP/1.1\r\nHost: n\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
                .to_owned(),
            "400 Bad Request",
        ),
        ("nonsense\r\n\r\n".to_owned(), "400 Bad Request"),
    ];
    for (request, expected) in cases {
        let answer = service.raw(request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}")),
            "{expected}: {answer}"
        );
    }
    // Headers that never end, and a connection that says nothing, are closed without an answer that matters.
    for request in ["GET /notes HTTP/1.1\r\nHost", ""] {
        let answer = service.raw(request.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(service.ask("GET", "/notes", "").await.0, "200 OK");
}
