//! One port for several tenants: by host name, path and the name in the TLS handshake. What one tenant does, and that it ends, is not felt by the others.

use aro_host::{
    Captured, Consent, ConsoleSink, Host, Outcome, Program, Settings, SharedListener,
    SharedProtocol, SharedRoute, SharedSettings, TenantId, TlsIdentity,
};
use harness::{WebSocket, compile, http, within};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONTRACT: &str = r"
openapi: 3.1.0
info: { title: T, version: '1' }
paths:
  /who:
    get: { operationId: who, responses: { '200': { description: who } } }
  /prefixed:
    get: { operationId: prefixed, responses: { '200': { description: who } } }
  /api/who:
    get: { operationId: whoBelow, responses: { '200': { description: who } } }
";

/// Answers with its name, counts nothing, and echoes on WebSockets and lines.
pub(crate) fn program(name: &str) -> Vec<u8> {
    let text = format!(
        r#"(Application-Start: Who) {{
    Start the <http-server> with <contract>.
    Listen on port 9000 as <hub> with {{ framing: "line" }}.
    Return an <OK: status> for the <startup>.
}}
(who: Who) {{
    Return an <OK: status> with {{ name: "{name}" }}.
}}
(prefixed: Who) {{
    Return an <OK: status> with {{ name: "{name}", prefix: <request: headers.x-forwarded-prefix> }}.
}}
(whoBelow: Who) {{
    Return an <OK: status> with {{ name: "{name} below" }}.
}}
(Echo Message: WebSocket Event Handler) {{
    Send "{name} ${{<event: message>}}" to the <websocket-connection>.
    Return an <OK: status> for the <echo>.
}}
(Answer: DataReceived Handler) {{
    Send "{name} ${{<event: data>}}\n" to the <event: connection>.
    Return an <OK: status> for the <answer>.
}}"#
    );
    let program = harness::service(&text, CONTRACT);
    compile(program)
}

pub(crate) fn host() -> Host {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.limits.instances_max = 128;
    Host::new(settings).unwrap()
}

pub(crate) fn shared(
    host: &Host,
    protocol: SharedProtocol,
    files: &[&TlsIdentity],
) -> SharedListener {
    let settings = SharedSettings {
        name: "web".to_owned(),
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        protocol,
        certificates: files.iter().map(|one| (*one).clone()).collect(),
        connections_max: 1000,
    };
    host.share(settings, None).unwrap()
}

pub(crate) fn route(tenant: &str, host: &str, path: &str, strip_prefix: bool) -> SharedRoute {
    SharedRoute {
        tenant: TenantId::new(tenant).unwrap(),
        host: host.parse().unwrap(),
        path: path.parse().unwrap(),
        strip_prefix,
    }
}

async fn start(
    host: &Host,
    name: &str,
    listener: &SharedListener,
    change: impl FnOnce(&mut Settings),
) -> Program {
    start_program(host, (name, &program(name)), listener, change).await
}

/// Starts a program as the tenant of a name, reached through a shared listener.
pub(crate) async fn start_program(
    host: &Host,
    (name, artifact): (&str, &[u8]),
    listener: &SharedListener,
    change: impl FnOnce(&mut Settings),
) -> Program {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.socket_port_override = Some(0);
    settings.limits.instances_max = 16;
    settings.console = ConsoleSink::Capture(Captured::default());
    settings.http_through = Some(listener.address());
    change(&mut settings);
    let id = TenantId::new(name).unwrap();
    let mut program = host.load_as(id, settings, artifact).unwrap();
    let started = within("the program starts", program.start()).await;
    assert_eq!(started, Outcome::Success);
    program
}

/// Status and body of an answer on a connection of its own.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> (u16, String) {
    let host = format!("Host: {host}\r\n");
    let answer = http::ask(address, &format!("GET {path}"), &host, "").await;
    let (status, _, body) = http::parts(&answer);
    (status, body.to_owned())
}

pub(crate) fn named(name: &str) -> (u16, String) {
    (200, format!(r#"{{"name":"{name}"}}"#))
}

fn refused(status: u16, error: &str) -> (u16, String) {
    (status, format!(r#"{{"error":"{error}"}}"#))
}

const NO_HOST: &str = "no program is reached under this host name here";
const NO_PATH: &str = "no program is reached under this path";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_and_paths_lead_to_tenants() {
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[]);
    web.route(&[
        route("one", "one.example", "/", false),
        route("two", "two.example", "/", false),
        route("three", "two.example", "/api", false),
        route("two", "mixed.example", "/api", true),
        route("three", "*.wild.example", "/", false),
    ])
    .unwrap();
    let address = web.address();
    assert_eq!(
        get(address, "one.example", "/who").await,
        refused(503, "Service Unavailable")
    );
    let one = start(&host, "one", &web, |_| ()).await;
    let _two = start(&host, "two", &web, |_| ()).await;
    let _three = start(&host, "three", &web, |_| ()).await;
    assert_eq!(one.http_servers(), [address]);
    for (host, path, answer) in [
        ("one.example", "/who", named("one")),
        ("ONE.example:80", "/who", named("one")),
        ("two.example", "/who", named("two")),
        (
            "two.example",
            "/api/who",
            (200, r#"{"name":"three below"}"#.to_owned()),
        ),
        ("a.wild.example", "/who", named("three")),
        (
            "mixed.example",
            "/api/prefixed",
            (200, r#"{"name":"two","prefix":"\/api"}"#.to_owned()),
        ),
        ("mixed.example", "/api/who", named("two")),
        ("mixed.example", "/who", refused(404, NO_PATH)),
        ("mixed.example", "/apiwho", refused(404, NO_PATH)),
        ("four.example", "/who", refused(421, NO_HOST)),
        ("wild.example", "/who", refused(421, NO_HOST)),
    ] {
        assert_eq!(get(address, host, path).await, answer, "{host}{path}");
    }
    assert_eq!(get(address, "a\r\nHost: b", "/who").await.0, 400);
    // Another table, and nobody notices but those who ask from now on.
    web.route(&[route("one", "*", "/", false)]).unwrap();
    assert_eq!(get(address, "four.example", "/who").await, named("one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_ends_or_is_replaced_closes_nothing_for_others() {
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[]);
    let routes = ["one", "two"].map(|name| route(name, &format!("{name}.example"), "/", false));
    web.route(&routes).unwrap();
    let address = web.address();
    let one = start(&host, "one", &web, |_| ()).await;
    let two = start(&host, "two", &web, |_| ()).await;
    let open = |name: &'static str| async move {
        let host = format!("{name}.example");
        WebSocket::open_with(address, "/ws", &[("host", &host)])
            .await
            .unwrap()
    };
    let (mut of_one, mut of_two) = (open("one").await, open("two").await);
    let mut kept = TcpStream::connect(address).await.unwrap();
    for round in 0..3 {
        for socket in [("one", &mut of_one), ("two", &mut of_two)] {
            socket.1.send("hello").await;
            assert_eq!(socket.1.text().await, format!("{} hello", socket.0));
        }
        // The same connection asks both.
        for name in ["one", "two"] {
            assert_eq!(ask(&mut kept, name).await, named(name));
        }
        let id = TenantId::new("one").unwrap();
        let deployed = host.deploy(&id, program("one"), Consent::Given);
        assert_eq!(within("a deployment", deployed).await.unwrap(), round + 2);
    }
    assert_eq!((one.connections(), two.connections()), (2, 2));
    assert_eq!(within("the end", one.stop()).await, Outcome::Success);
    assert_eq!(of_one.closed().await.0, 1001);
    assert_eq!(ask(&mut kept, "one").await.0, 503);
    assert_eq!(ask(&mut kept, "two").await, named("two"));
    of_two.send("still here").await;
    assert_eq!(of_two.text().await, "two still here");
    // It comes back at the same place.
    let one = start(&host, "one", &web, |_| ()).await;
    assert_eq!(ask(&mut kept, "one").await, named("one"));
    for program in [one, two] {
        assert_eq!(within("the end", program.stop()).await, Outcome::Success);
    }
    within("the listener closes", web.closed()).await;
    assert!(TcpStream::connect(address).await.is_err());
}

/// Asks on a connection that stays open.
async fn ask(stream: &mut TcpStream, name: &str) -> (u16, String) {
    let request = format!("GET /who HTTP/1.1\r\nHost: {name}.example\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = within("an answer", stream.read_buf(&mut answer)).await;
        assert_ne!(read.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_those_of_the_tenant_that_is_asked() {
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[]);
    let routes = ["one", "two"].map(|name| route(name, &format!("{name}.example"), "/", false));
    web.route(&routes).unwrap();
    let address = web.address();
    let one = start(&host, "one", &web, |settings| {
        settings.limits.connections_max = 2;
    })
    .await;
    let _two = start(&host, "two", &web, |settings| {
        settings.limits.events_per_second_max = std::num::NonZeroU32::new(1);
    })
    .await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut stream, "one").await, named("one"));
        kept.push(stream);
    }
    assert_eq!(get(address, "one.example", "/who").await.0, 503);
    assert_eq!(one.observe().connections_refused, 1);
    assert_eq!(ask(&mut kept[0], "two").await.0, 200);
    assert_eq!(ask(&mut kept[0], "two").await.0, 429);
    assert_eq!(ask(&mut kept[0], "one").await.0, 200);
}

pub(crate) fn identity(folder: &Path, names: &[&str]) -> TlsIdentity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let file = names[0].replace('*', "any");
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let identity = TlsIdentity {
        certificates: folder.join(format!("{file}.pem")),
        key: folder.join(format!("{file}.key")),
    };
    std::fs::write(&identity.certificates, cert.pem()).unwrap();
    std::fs::write(&identity.key, signing_key.serialize_pem()).unwrap();
    identity
}

/// A secured connection to `name` that trusts only what the right certificate shows.
async fn secured(
    address: SocketAddr,
    name: &str,
    trusted: &TlsIdentity,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&trusted.certificates).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.to_vec()];
    }
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within(
        "a handshake",
        TlsConnector::from(Arc::new(config)).connect(name, stream),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_proved_by_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let first = identity(folder.path(), &["one.example", "two.example"]);
    let second = identity(folder.path(), &["*.wild.example"]);
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[&first, &second]);
    let unproved = web.route(&[route("one", "other.example", "/", false)]);
    assert_eq!(
        unproved.unwrap_err().to_string(),
        "no certificate of listener web is valid for other.example"
    );
    web.route(&[
        route("one", "one.example", "/", false),
        route("two", "two.example", "/", false),
        route("three", "*.wild.example", "/", false),
    ])
    .unwrap();
    let mut programs = Vec::new();
    for name in ["one", "two", "three"] {
        programs.push(start(&host, name, &web, |_| ()).await);
    }
    let address = web.address();
    let stream = secured(address, "one.example", &first, b"h2")
        .await
        .unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driving = tokio::spawn(connection);
    // A browser may use the connection for every name that its certificate proves, and for no other.
    for (name, status, told) in [
        ("one.example", 200, "\"one\""),
        ("two.example", 200, "\"two\""),
        ("x.wild.example", 421, "secured for another host name"),
        ("unknown.example", 421, NO_HOST),
    ] {
        let request = hyper::Request::get(format!("https://{name}/who"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let answer = within("an answer", sender.send_request(request))
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{name}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(told), "{name}: {body}");
    }
    drop(sender);
    within("the end", driving).await.unwrap().unwrap();
    let mut stream = secured(address, "x.wild.example", &second, b"http/1.1")
        .await
        .unwrap();
    let request = b"GET /who HTTP/1.1\r\nHost: x.wild.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.contains("\"three\""), "{answer}");
    assert!(
        secured(address, "x.wild.example", &first, b"")
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_within_tls_reach_the_tenant_of_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let files = identity(
        folder.path(),
        &["one.example", "two.example", "none.example"],
    );
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[]);
    let lines = shared(&host, SharedProtocol::Tcp, &[&files]);
    let routes = ["one", "two"].map(|name| route(name, &format!("{name}.example"), "/", false));
    lines.route(&routes).unwrap();
    let address = lines.address();
    let through = |settings: &mut Settings| settings.tcp_through = Some(address);
    let one = start(&host, "one", &web, through).await;
    let _two = start(&host, "two", &web, through).await;
    assert_eq!(one.listeners(), [address]);
    let talk = async |name: &'static str| {
        let stream = secured(address, &format!("{name}.example"), &files, b"").await;
        stream.unwrap()
    };
    let mut streams = [talk("one").await, talk("two").await];
    for round in 0..3 {
        for (stream, name) in streams.iter_mut().zip(["one", "two"]) {
            stream.write_all(b"hello\n").await.unwrap();
            let mut answer = vec![0; name.len() + 7];
            within("an answer", stream.read_exact(&mut answer))
                .await
                .unwrap();
            assert_eq!(
                String::from_utf8(answer).unwrap(),
                format!("{name} hello\n")
            );
        }
        let id = TenantId::new("one").unwrap();
        let deployed = host.deploy(&id, program("one"), Consent::Given);
        assert_eq!(within("a deployment", deployed).await.unwrap(), round + 2);
    }
    // A name that nobody has is refused in the handshake.
    assert!(secured(address, "none.example", &files, b"").await.is_err());
    assert_eq!(within("the end", one.stop()).await, Outcome::Success);
    let [mut of_one, mut of_two] = streams;
    assert_eq!(
        within("the end", of_one.read(&mut [0; 8])).await.unwrap(),
        0
    );
    of_two.write_all(b"hello\n").await.unwrap();
    let mut answer = [0; 10];
    within("an answer", of_two.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(&answer, b"two hello\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_keeps_nothing_of_a_tenant_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[]);
    web.route(&[route("one", "one.example", "/", false)])
        .unwrap();
    let kept_data = |settings: &mut Settings| settings.data = Some(folder.path().to_owned());
    let mut kept = TcpStream::connect(web.address()).await.unwrap();
    for _ in 0..3 {
        // Its data file is free, although the connection stays open.
        let one = start(&host, "one", &web, kept_data).await;
        assert_eq!(ask(&mut kept, "one").await, named("one"));
        assert_eq!(one.connections(), 1);
        assert_eq!(within("the end", one.stop()).await, Outcome::Success);
    }
}

/// What is answered to `name` on a secured connection that stays open.
async fn ask_secured(stream: &mut TlsStream<TcpStream>, name: &str) -> u16 {
    let request = format!("GET /who HTTP/1.1\r\nHost: {name}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = within("an answer", stream.read_buf(&mut answer)).await;
        assert_ne!(read.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_renewed_keeps_what_is_open_and_refuses_what_is_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let first = identity(folder.path(), &["one.example", "two.example"]);
    let second = identity(folder.path(), &["*.wild.example"]);
    let host = host();
    let web = shared(&host, SharedProtocol::Http, &[&first]);
    let routes = [
        route("one", "one.example", "/", false),
        route("one", "two.example", "/", false),
        route("one", "*.wild.example", "/", false),
    ];
    web.route(&routes[..2]).unwrap();
    let _one = start(&host, "one", &web, |_| ()).await;
    let address = web.address();
    let mut kept = secured(address, "one.example", &first, b"http/1.1")
        .await
        .unwrap();
    assert_eq!(ask_secured(&mut kept, "one.example").await, 200);
    // Another certificate comes before the one that the connection was shown, and there is no room any more.
    let renewed = SharedSettings {
        name: "web".to_owned(),
        address,
        protocol: SharedProtocol::Http,
        certificates: vec![second.clone(), first.clone()],
        connections_max: 1,
    };
    web.renew(&renewed, &routes).unwrap();
    for (name, status) in [
        ("one.example", 200),
        ("two.example", 200),
        ("x.wild.example", 421),
    ] {
        assert_eq!(ask_secured(&mut kept, name).await, status, "{name}");
    }
    for _ in 0..3 {
        let refused = secured(address, "one.example", &first, b"http/1.1").await;
        assert!(refused.is_err());
    }
    let counted = "aro_host_shared_connections_refused_total 3\n";
    assert!(host.metrics().contains(counted), "{}", host.metrics());
    // The certificate of the name is another one now: who asks under the name that he connected to is still answered.
    let other = tempfile::tempdir().unwrap();
    let third = identity(other.path(), &["one.example", "two.example"]);
    let renewed = SharedSettings {
        certificates: vec![second, third],
        connections_max: 2,
        ..renewed
    };
    web.renew(&renewed, &routes).unwrap();
    assert_eq!(ask_secured(&mut kept, "one.example").await, 200);
    assert_eq!(ask_secured(&mut kept, "two.example").await, 421);
    let mut new = secured(
        address,
        "two.example",
        &renewed.certificates[1],
        b"http/1.1",
    )
    .await
    .unwrap();
    assert_eq!(ask_secured(&mut new, "two.example").await, 200);
}
