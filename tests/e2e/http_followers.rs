//! Programs as clients of streams: events of servers become events of the program, WebSockets connections of it; both across breaks, versions, refusals, and secured.

use aro_host::{Host, Limits, Outbound, Outcome, Settings, TenantId, TlsIdentity};
use harness::{Server, compile, listener, sources, within};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves as a program of this start and these handlers that may connect to everybody.
async fn client(start: &str, handlers: &str) -> Server {
    client_within(start, handlers, |_| {}).await
}

/// The same with other limits.
async fn client_within(start: &str, handlers: &str, change: impl FnOnce(&mut Limits)) -> Server {
    Server::start_with(sources(&[("main.aro", &program(start, handlers))]), |all| {
        all.grants.outbound = Outbound::All;
        change(&mut all.limits);
    })
    .await
}

fn program(start: &str, handlers: &str) -> String {
    format!(
        "(Application-Start: Test) {{\n{start}\nReturn an <OK: status> for the <startup>.\n}}\n{handlers}"
    )
}

/// Takes the next connection and the head of its request, in small letters.
async fn asked(listener: &TcpListener) -> (TcpStream, String) {
    let accepted = within("a connection", listener.accept()).await;
    let mut stream = accepted.unwrap().0;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = within("a request", stream.read_buf(&mut head)).await;
        assert_ne!(read.unwrap(), 0, "{}", String::from_utf8_lossy(&head));
    }
    (stream, String::from_utf8(head).unwrap().to_lowercase())
}

const OPEN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\n\r\n";

const SHOW: &str = r#"
(Show: price Handler) {
    Log "price ${<event>}" to the <console>.
    Return an <OK: status> for the <price>.
}
(Complain: SocketError Handler) {
    Log "broken ${<event: client>} ${<event: code>} ${<event: attempt>}" to the <console>.
    Return an <OK: status> for the <complaint>.
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_server_are_events_of_the_program() {
    let (listener, port) = listener().await;
    let start = format!(
        "Stream the <price> from \"http://127.0.0.1:{port}/prices?x=1\" with {{ retry: 0.05, headers: {{ \"X-Key\": \"k\" }} }}.\nLog <price> to the <console>."
    );
    let program = client(&start, SHOW).await;
    let (mut stream, head) = asked(&listener).await;
    assert!(head.starts_with("get /prices?x=1 "), "{head}");
    for part in [
        "accept: text/event-stream",
        "x-key: k",
        "cache-control: no-cache",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert!(!head.contains("last-event-id"), "{head}");
    let events = ": hi\n\nid: 7\ndata: {\"eur\":1}\n\nevent: cut\ndata: a\ndata: b\n\n";
    stream.write_all(OPEN.as_bytes()).await.unwrap();
    stream.write_all(events.as_bytes()).await.unwrap();
    let printed = program
        .output("[\"data\": \"a\\nb\", \"kind\": \"cut\"]")
        .await;
    assert!(
        printed.contains(&format!("http://127.0.0.1:{port}/prices?x=1\n")),
        "{printed}"
    );
    assert!(printed.contains("price [\"eur\": 1]\n"), "{printed}");
    // What breaks off is asked for again, from where it was.
    drop(stream);
    let (mut stream, head) = asked(&listener).await;
    assert!(head.contains("last-event-id: 7"), "{head}");
    program.output("broken price reset 1").await;
    stream
        .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let (mut stream, _) = asked(&listener).await;
    stream
        .write_all(format!("{OPEN}data: 2\n\n").as_bytes())
        .await
        .unwrap();
    program.output("price [\"data\": \"2\"]").await;
    drop(stream);
    // A server that has nothing more is left alone.
    let (mut stream, _) = asked(&listener).await;
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    program.output("broken price closed").await;
    let stopped = program.stop().await;
    assert_eq!(stopped.outcome, Outcome::Success, "{}", stopped.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_of_a_stream_is_the_first_of_its_own() {
    let (listener, port) = listener().await;
    let start = format!("Stream the <price> from \"http://127.0.0.1:{port}/\".");
    let handlers = r#"
        (Raise: price Handler) {
            Emit a <Risen: event> with { eur: <event: data> }.
            Emit a <Risen: event> with { eur: "again" }.
            Return an <OK: status> for the <price>.
        }
        (Show: Risen Handler) {
            Log "risen ${<event: eur>}" to the <console>.
            Return an <OK: status> for the <event>.
        }"#;
    let limit = |limits: &mut Limits| limits.caused_events_max = 2;
    let program = client_within(&start, handlers, limit).await;
    let (mut stream, _) = asked(&listener).await;
    let events = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
    let answer = format!("{OPEN}{events}");
    stream.write_all(answer.as_bytes()).await.unwrap();
    program.output("risen 3\n[Show] risen again\n").await;
    assert_eq!(program.limit_hits("caused_events_max"), 0);
}

/// Answers the next request with a stream of these bytes that breaks off; answers the head of the request.
async fn broken_off(listener: &TcpListener, events: &str) -> String {
    let (mut stream, head) = asked(listener).await;
    let answer = format!("{OPEN}{events}");
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_behind_the_last_event_that_was_whole() {
    let (listener, port) = listener().await;
    let start =
        format!("Stream the <price> from \"http://127.0.0.1:{port}/\" with {{ retry: 0.01 }}.");
    let limit = |limits: &mut Limits| limits.message_bytes_max = 1000;
    let program = client_within(&start, SHOW, limit).await;
    let cut = "id: 7\ndata: 1\n\nid: 8\ndata: 2\n";
    let head = broken_off(&listener, cut).await;
    assert!(!head.contains("last-event-id"), "{head}");
    program.output("price [\"data\": \"1\"]").await;
    // Neither a stream without an event nor one that is refused forgets it.
    let long = format!("data: {}\n\n", "x".repeat(2000));
    for events in ["", &long, "data: 3\n\n", "id\n\n"] {
        let head = broken_off(&listener, events).await;
        assert!(head.contains("last-event-id: 7"), "{head}");
    }
    let head = broken_off(&listener, "").await;
    assert!(!head.contains("last-event-id"), "{head}");
    let printed = program.output("price [\"data\": \"3\"]").await;
    assert!(!printed.contains("\"data\": \"2\""), "{printed}");
    assert!(printed.contains("broken price frame-too-long"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_has_ended_is_followed_by_the_next_version() {
    let (listener, port) = listener().await;
    let start = format!("Stream the <price> from \"http://127.0.0.1:{port}/\".");
    let server = client(&start, SHOW).await;
    let (mut stream, _) = asked(&listener).await;
    let done = b"HTTP/1.1 204 No Content\r\n\r\n";
    stream.write_all(done).await.unwrap();
    server.output("broken price closed 1").await;
    server.connections(0).await;
    let text = program(&start, SHOW);
    server
        .deploy(sources(&[("main.aro", &text)]))
        .await
        .unwrap();
    let (mut stream, _) = asked(&listener).await;
    stream
        .write_all(format!("{OPEN}data: again\n\n").as_bytes())
        .await
        .unwrap();
    server.output("price [\"data\": \"again\"]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_asked_again() {
    let (listener, port) = listener().await;
    let start =
        format!("Stream the <price> from \"http://127.0.0.1:{port}/\" with {{ retry: 0.01 }}.");
    let limit = |limits: &mut Limits| limits.stream_idle_time_max = Duration::from_millis(300);
    let program = client_within(&start, SHOW, limit).await;
    let (mut stream, _) = asked(&listener).await;
    stream.write_all(OPEN.as_bytes()).await.unwrap();
    // A comment is a sign of life.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(b":\n\n").await.unwrap();
    }
    stream.write_all(b"data: 1\n\n").await.unwrap();
    program.output("price [\"data\": \"1\"]").await;
    let (_again, _) = asked(&listener).await;
    let printed = program.output("broken price timed-out 1").await;
    assert_eq!(printed.matches("broken").count(), 1, "{printed}");
    assert!(program.limit_hits("stream_idle_time_max") >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_takes_no_answers_is_given_up() {
    let (listener, port) = listener().await;
    let start =
        format!("Stream the <price> from \"ws://127.0.0.1:{port}/\" with {{ retry: 0.01 }}.");
    let limit = |limits: &mut Limits| limits.stream_idle_time_max = Duration::from_millis(300);
    let program = client_within(&start, SHOW, limit).await;
    let accepted = within("a connection", listener.accept()).await.unwrap().0;
    let shaken = tokio_tungstenite::accept_async(accepted).await.unwrap();
    let mut stream = shaken.into_inner();
    // Pings without end, whose pongs nobody reads.
    let ping = [[0x89, 125].as_slice(), &[b'x'; 125]].concat().repeat(100);
    let sent = async { while stream.write_all(&ping).await.is_ok() {} };
    within("the client gives up", sent).await;
    program.output("broken price timed-out 1").await;
    within("it asks again", listener.accept()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_belongs_to_what_follows_it_and_not_to_a_version() {
    let (listener, port) = listener().await;
    let start = format!("Stream the <price> from \"http://127.0.0.1:{port}/\".");
    let server = client(&start, SHOW).await;
    let (mut stream, _) = asked(&listener).await;
    stream
        .write_all(format!("{OPEN}data: 1\n\n").as_bytes())
        .await
        .unwrap();
    server.output("price [\"data\": \"1\"]").await;
    let next = SHOW.replace("price $", "newer price $");
    let text = program(&start, &next);
    server
        .deploy(sources(&[("main.aro", &text)]))
        .await
        .unwrap();
    stream.write_all(b"data: 2\n\n").await.unwrap();
    server.output("newer price [\"data\": \"2\"]").await;
    let other = program(&start.replace("/\"", "/other\""), &next);
    server
        .deploy(sources(&[("main.aro", &other)]))
        .await
        .unwrap();
    let (mut other, head) = asked(&listener).await;
    assert!(head.starts_with("get /other "), "{head}");
    let end = within("the end of the first", stream.read_u8()).await;
    assert!(end.is_err());
    other
        .write_all(format!("{OPEN}data: 3\n\n").as_bytes())
        .await
        .unwrap();
    server.output("newer price [\"data\": \"3\"]").await;
    let without = program("", SHOW);
    server
        .deploy(sources(&[("main.aro", &without)]))
        .await
        .unwrap();
    let end = within("the end of the second", other.read_u8()).await;
    assert!(end.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_followed_must_be_granted() {
    let settings = Settings::new(std::net::Ipv4Addr::LOCALHOST.into());
    let host = Host::new(settings).unwrap();
    for statement in [
        "Stream the <x> from \"https://example.org/events\".",
        "Connect to \"wss://example.org/feed\" as <feed>.",
    ] {
        let bytes = compile(sources(&[("main.aro", &program(statement, ""))]));
        let refused = host.load(TenantId::default(), &bytes).err().unwrap();
        let text = refused.to_string();
        assert!(text.contains("connects to example.org:443"), "{text}");
    }
    // A target that is known only when the statement runs is refused then.
    let mut settings = Settings::new(std::net::Ipv4Addr::LOCALHOST.into());
    let console = aro_host::Captured::default();
    settings.console = aro_host::ConsoleSink::Capture(console.clone());
    settings.grants.outbound = Outbound::Some(vec!["example.org:443".parse().unwrap()]);
    let host = Host::new(settings).unwrap();
    let start = "Create the <port> with 80.\nStream the <x> from <url: address>.";
    let start = format!("Create the <address> with \"http://localhost:${{<port>}}/\".\n{start}");
    let start = start.replacen("Create the <port> with 80.\n", "", 1);
    let start = format!("Create the <port> with 80.\n{start}");
    let bytes = compile(sources(&[("main.aro", &program(&start, ""))]));
    let mut loaded = host.load(TenantId::default(), &bytes).unwrap();
    let outcome = within("the start fails", loaded.start()).await;
    assert_eq!(outcome, Outcome::Failure);
    let text = console.text(aro_host::Stream::Error) + &console.text(aro_host::Stream::Output);
    assert!(text.contains("localhost:80 is not granted"), "{text}");
}

const ECHO: &str = r#"
(Greet Connect: WebSocket Event Handler) {
    Send "welcome" to the <event: connection>.
    Return an <OK: status> for the <greeting>.
}
(Echo Message: WebSocket Event Handler) {
    Match <event: message> {
        case "leave" { Close the <event: connection> with { code: 4001, reason: "as you wish" }. }
        otherwise { Send "echo ${<event: message>}" to the <event: connection>. }
    }
    Return an <OK: status> for the <echo>.
}
(Note Disconnect: WebSocket Event Handler) {
    Log "server: ${<event: reason>}" to the <console>.
    Return an <OK: status> for the <note>.
}
"#;

const CHAT: &str = r#"
(Say Connect: WebSocket Event Handler) {
    Log "open ${<event: path>}" to the <console>.
    Return an <OK: status> for the <note>.
}
(Hear Message: WebSocket Event Handler) {
    Log "heard ${<event: message>}" to the <console>.
    Match <event: message> {
        case "welcome" { Send "question" to the <feed>. }
        case "echo question" { Send "leave" to the <feed>. }
    }
    Return an <OK: status> for the <note>.
}
(Note Disconnect: WebSocket Event Handler) {
    Log "closed: ${<event: reason>}" to the <console>.
    Return an <OK: status> for the <note>.
}
"#;

async fn echo(change: impl FnOnce(&mut Settings)) -> (Server, u16) {
    let start = "Start the <http-server> with { port: 8080, websocket: \"/talk\" }.";
    let text = program(start, ECHO);
    let server = Server::start_with(sources(&[("main.aro", &text)]), |settings| {
        settings.http_port_override = Some(0);
        change(settings);
    })
    .await;
    let port = server.http_address().port();
    (server, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_a_connection_whichever_end_opens_it() {
    let (server, port) = echo(|_| {}).await;
    let start = format!("Connect to \"ws://127.0.0.1:{port}/talk?x=1\" as <feed>.");
    let program = client(&start, CHAT).await;
    let printed = program.output("closed: as you wish").await;
    assert_eq!(
        printed,
        "open /talk\nheard welcome\nheard echo question\nclosed: as you wish\n"
            .lines()
            .zip([
                "Say Connect",
                "Hear Message",
                "Hear Message",
                "Note Disconnect"
            ])
            .map(|(line, set)| format!("[{set}] {line}\n"))
            .collect::<String>()
    );
    let said = server.output("server: ").await;
    assert!(
        said.contains("server closed") || said.contains("as you wish"),
        "{said}"
    );
    program.connections(0).await;
    let missing = format!(
        "Connect to \"ws://127.0.0.1:{port}/nowhere\" as <feed>.\nLog \"feed: ${{<feed>}}.\" to the <console>."
    );
    let program = client(&missing, SHOW).await;
    program.output("broken feed failed 1").await;
    program.output("feed: .").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_are_secured_at_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = TlsIdentity {
        certificates: folder.path().join("certificate.pem"),
        key: folder.path().join("key.pem"),
    };
    std::fs::write(&identity.certificates, cert.pem()).unwrap();
    std::fs::write(&identity.key, signing_key.serialize_pem()).unwrap();
    let authorities = vec![identity.certificates.clone()];
    let (_server, port) = echo(|settings| settings.tls = Some(identity)).await;
    let start = format!("Connect to \"wss://localhost:{port}/talk\" as <feed>.");
    let text = program(&start, CHAT);
    let program = Server::start_with(sources(&[("main.aro", &text)]), |settings| {
        settings.grants.outbound = Outbound::All;
        settings.authorities = authorities;
    })
    .await;
    let printed = program.output("closed: as you wish").await;
    assert!(printed.contains("heard echo question"), "{printed}");
    // Whose certificate nobody vouches for is no peer.
    let untrusting = client(&start, SHOW).await;
    untrusting.output("broken feed insecure 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_websocket_are_events_where_they_are_streamed() {
    let talk = r#"
(Greet Connect: WebSocket Event Handler) {
    Send the <first> to the <event: connection> with { event: "rise", payload: "{\"eur\": 2}" }.
    Send the <second> to the <event: connection> with "nothing".
    Send the <third> to the <event: connection> with { event: "fall", payload: { eur: 1 } }.
    Return an <OK: status> for the <greeting>.
}
"#;
    let start = "Start the <http-server> with { port: 8080, websocket: \"/talk\" }.";
    let text = program(start, talk);
    let server = Server::start_with(sources(&[("main.aro", &text)]), |settings| {
        settings.http_port_override = Some(0);
    })
    .await;
    let port = server.http_address().port();
    let start = format!("Subscribe the <price> from \"ws://127.0.0.1:{port}/talk\".");
    let program = client(&start, SHOW).await;
    let printed = program.output("[\"eur\": 1, \"kind\": \"fall\"]").await;
    assert!(
        printed.contains("price [\"eur\": 2, \"kind\": \"rise\"]\n"),
        "{printed}"
    );
    assert!(!printed.contains("nothing"), "{printed}");
}
