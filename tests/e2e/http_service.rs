//! What a contract declares and a program says beyond bodies: parameters, headers, statuses; pages of other origins; secured connections.

use aro_host::{Settings, TlsIdentity};
use harness::{Server, http, within};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CONTRACT: &str = r"
openapi: 3.1.0
info: { title: T, version: '1' }
paths:
  /search/{shelf}:
    parameters:
      - { name: X-Token, in: header, schema: { type: string } }
    get:
      operationId: search
      parameters:
        - { name: ids, in: query, schema: { type: array } }
        - { name: tags, in: query, explode: false, schema: { type: array } }
        - { name: words, in: query, style: spaceDelimited, schema: { type: array } }
        - { name: session, in: cookie, schema: { type: string } }
      responses: { '200': { description: found } }
  /one/{id}:
    get: { operationId: one, responses: { '200': { description: one } } }
  /said:
    get: { operationId: said, responses: { '200': { description: said } } }
    post: { operationId: moved, responses: { '302': { description: moved } } }
  /table:
    get: { operationId: table, responses: { '200': { description: table } } }
";

const PROGRAM: &str = r#"
(Application-Start: Shelves) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}
(search: Shelves) {
    Extract the <ids> from the <queryParameters: ids>.
    Extract the <tags> from the <queryParameters: tags>.
    Extract the <words> from the <queryParameters: words>.
    Extract the <session> from the <cookieParameters: session>.
    Return an <OK: status> with { ids: <ids>, tags: <tags>, words: <words>, session: <session>, token: <headerParameters: X-TOKEN>, agent: <request: headers: User-Agent>, declared: <headerParameters> }.
}
(one: Shelves) {
    Extract the <id> from the <request: parameters>.
    Return an <OK: status> with { id: <id> }.
}
(said: Shelves) {
    Return an <Unprocessable: status> with { error: "no" } with headers { "X-Count": 5, "Set-Cookie": ["a=1; Path=/", "b=2"], "Content-Length": 99, "bad name": "x" }.
}
(moved: Shelves) {
    Return a <Found: status> for the <move> with headers { location: "/said" }.
}
(table: Shelves) {
    Return an <OK: status> with "a;b" with headers { "Content-Type": "text/csv" }.
}
"#;

async fn service(change: impl FnOnce(&mut Settings)) -> (Server, SocketAddr) {
    let program = harness::service(PROGRAM, CONTRACT);
    let server = Server::start_with(program, |settings| {
        settings.http_port_override = Some(0);
        change(settings);
    })
    .await;
    let address = server.http_address();
    (server, address)
}

/// What comes back for a request without a body, until the host closes the connection.
async fn ask(address: SocketAddr, line: &str, headers: &str) -> String {
    http::ask(address, line, headers, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_parameters_are_bound() {
    let (_server, address) = service(|_| {}).await;
    let answer = ask(
        address,
        "GET /search/a?ids=1&ids=2&tags=x,y%2Cz&words=p%20q",
        "X-Token: t5\r\nX-Other: no\r\nUser-Agent: me\r\nCookie: session=s%201; other=2\r\n",
    )
    .await;
    assert!(
        answer.ends_with(
            "\r\n\r\n{\"agent\":\"me\",\"declared.x-token\":\"t5\",\"ids\":[\"1\",\"2\"],\"session\":\"s 1\",\"tags\":[\"x\",\"y,z\"],\"token\":\"t5\",\"words\":[\"p\",\"q\"]}"
        ),
        "{answer}"
    );
    assert!(
        ask(address, "GET /one/7", "")
            .await
            .ends_with("{\"id\":\"7\"}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_give_headers_and_redirects() {
    let (_server, address) = service(|_| {}).await;
    let answer = ask(address, "GET /said", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 422 Unprocessable Entity\r\n"),
        "{answer}"
    );
    for line in [
        "x-count: 5\r\n",
        "set-cookie: a=1; Path=/\r\n",
        "set-cookie: b=2\r\n",
        "content-type: application/json\r\n",
        "content-length: 14\r\n",
    ] {
        assert!(answer.contains(line), "{line} {answer}");
    }
    assert!(!answer.contains("bad name"), "{answer}");
    assert!(
        !answer.to_lowercase().contains("access-control"),
        "{answer}"
    );
    let answer = ask(address, "POST /said", "").await;
    assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
    assert!(answer.contains("location: /said\r\n"), "{answer}");
    let answer = ask(address, "GET /table", "").await;
    assert!(answer.contains("content-type: text/csv\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\na;b"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_ask() {
    let (_server, address) = service(|settings| {
        settings.cors = vec![
            "https://a.example".to_owned(),
            "http://b.example:81".to_owned(),
        ];
    })
    .await;
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-token\r\n";
    let answer = ask(address, "OPTIONS /said", preflight).await;
    assert!(
        answer.starts_with("HTTP/1.1 204 No Content\r\n"),
        "{answer}"
    );
    for line in [
        "access-control-allow-origin: https://a.example\r\n",
        "access-control-allow-credentials: true\r\n",
        "access-control-allow-methods: GET, HEAD, OPTIONS, POST\r\n",
        "access-control-allow-headers: content-type,x-token\r\n",
        "access-control-max-age: 600\r\n",
        "vary: Origin\r\n",
    ] {
        assert!(answer.contains(line), "{line} {answer}");
    }
    let answer = ask(address, "GET /table", "Origin: http://b.example:81\r\n").await;
    assert!(
        answer.contains("access-control-allow-origin: http://b.example:81\r\n"),
        "{answer}"
    );
    for origin in ["https://evil.example", "https://a.example.evil", "null"] {
        let answer = ask(address, "GET /table", &format!("Origin: {origin}\r\n")).await;
        assert!(!answer.contains("access-control-allow"), "{answer}");
        assert!(answer.contains("vary: Origin\r\n"), "{answer}");
    }
    // For everybody, but then without what proves who asks.
    let (_server, address) = service(|settings| settings.cors = vec!["*".to_owned()]).await;
    let answer = ask(address, "GET /none", "Origin: https://c.example\r\n").await;
    assert!(
        answer.contains("access-control-allow-origin: *\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("credentials"), "{answer}");
}

fn identity(folder: &Path) -> (TlsIdentity, TlsConnector, TlsConnector) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = TlsIdentity {
        certificates: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    };
    std::fs::write(&identity.certificates, cert.pem()).unwrap();
    std::fs::write(&identity.key, signing_key.serialize_pem()).unwrap();
    let connector = |protocol: &[u8]| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(config))
    };
    let (http1, http2) = (connector(b"http/1.1"), connector(b"h2"));
    (identity, http1, http2)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_secured_and_speak_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let (files, http1, http2) = identity(folder.path());
    let (_server, address) = service(|settings| {
        settings.tls = Some(files.clone());
        settings.limits.tls_handshake_time_max = Duration::from_millis(300);
    })
    .await;
    // Whoever does not shake hands holds up nobody, and not for long.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let name = || rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = http1.connect(name(), stream).await.unwrap();
    stream
        .write_all(b"GET /table HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("a;b"),
        "{answer}"
    );
    within("the silent one is closed", silent.read(&mut [0; 8]))
        .await
        .ok();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /table HTTP/1.1\r\nHost: t\r\n\r\n")
        .await
        .unwrap();
    let mut refused = Vec::new();
    within("no plain answer", plain.read_to_end(&mut refused))
        .await
        .ok();
    assert!(!refused.starts_with(b"HTTP"), "{refused:?}");

    let stream = TcpStream::connect(address).await.unwrap();
    let stream = http2.connect(name(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driving = tokio::spawn(connection);
    // A hundred requests at once on one connection.
    let asked = (0..100).map(|number| {
        let mut sender = sender.clone();
        async move {
            let request = hyper::Request::get(format!("https://localhost/one/{number}"))
                .body(Full::<Bytes>::default())
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("{{\"id\":\"{number}\"}}"));
        }
    });
    within("all streams", futures_util::future::join_all(asked)).await;
    drop(sender);
    within("the end", driving).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_honoured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, ..) = identity(folder.path());
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::new([127, 0, 0, 1].into());
        settings.limits.instances_max = 16;
        change(&mut settings);
        let error = aro_host::Host::new(settings).err().unwrap();
        std::error::Error::source(&error).unwrap().to_string()
    };
    let missing = files.key.clone();
    std::fs::remove_file(&missing).unwrap();
    assert_eq!(
        refused(&|settings| settings.tls = Some(files.clone())),
        format!(
            "connections cannot be secured: {} holds no private key that can be read",
            missing.display()
        )
    );
    files.certificates = folder.path().join("none.pem");
    assert!(refused(&|settings| settings.tls = Some(files.clone())).contains("cannot be secured"));
    for origin in ["example.org", "https://a.example/", "https://A.example"] {
        assert_eq!(
            refused(&|settings| settings.cors = vec![origin.to_owned()]),
            format!("{origin:?} is no origin of pages: write https://example.org, or *")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_operations_by_their_names() {
    let text = r#"
(Application-Start: Shop) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}
(paymentReceived: Shop) {
    Extract the <amount> from the <body: amount>.
    Log "paid ${<amount>}" to the <console>.
    Return an <Accepted: status> with { taken: <amount> }.
}
(parcelLost: Shop) {
    Return a <NoContent: status> for the <parcel>.
}
"#;
    let contract = r"
openapi: 3.1.0
info: { title: T, version: '1' }
paths: {}
webhooks:
  paymentReceived:
    post:
      requestBody: { content: { application/json: { schema: { type: object } } } }
      responses: { '202': { description: taken } }
  parcel:
    post: { operationId: parcelLost, responses: { '204': { description: noted } } }
";
    let program = harness::service(text, contract);
    let server =
        Server::start_with(program, |settings| settings.http_port_override = Some(0)).await;
    let address = server.http_address();
    let body = "{\"amount\":12}";
    let headers = "Content-Type: application/json\r\n";
    let answer = http::ask(address, "POST /paymentReceived", headers, body).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert!(answer.ends_with("{\"taken\":12}"), "{answer}");
    server.output("paid 12").await;
    let answer = ask(address, "POST /parcel", "").await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let answer = ask(address, "GET /paymentReceived", "").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: OPTIONS, POST\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_for_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (files, old, _) = identity(folder.path());
    let key = files.key.clone();
    let (server, address) = service(|settings| settings.tls = Some(files)).await;
    let connect = async |connector: &TlsConnector| {
        let stream = TcpStream::connect(address).await.unwrap();
        connector
            .connect("localhost".try_into().unwrap(), stream)
            .await
    };
    let mut kept = connect(&old).await.unwrap();
    let (_, new, _) = identity(folder.path());
    assert!(connect(&new).await.is_err());
    within("the new certificate is shown", async {
        while connect(&new).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let request = b"GET /one/5 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    kept.write_all(request).await.unwrap();
    let mut answer = String::new();
    drop(within("an answer", kept.read_to_string(&mut answer)).await);
    assert!(answer.ends_with("{\"id\":\"5\"}"), "{answer}");
    // What cannot be used changes nothing.
    std::fs::write(key, "none").unwrap();
    server.error("the new certificate is not used: ").await;
    connect(&new).await.unwrap();
}
