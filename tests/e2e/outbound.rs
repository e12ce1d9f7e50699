//! Connections that programs open: both forms of Connect, their events, failures, grants.

use aro_host::{
    Captured, ConsoleSink, Host, Outbound, Outcome, Program, Settings, Stream, TenantId,
};
use harness::{Server, accept, compile, listener, sources, within};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A port that nobody listens on.
async fn dead_port() -> u16 {
    listener().await.1
}

async fn expect(stream: &mut TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    let read = within("bytes from the program", stream.read_exact(&mut bytes)).await;
    read.unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
}

fn all(settings: &mut Settings) {
    settings.grants.outbound = Outbound::All;
}

fn load(text: &str, change: impl FnOnce(&mut Settings)) -> Result<(Program, Captured), String> {
    let console = Captured::default();
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.console = ConsoleSink::Capture(console.clone());
    settings.limits.instances_max = 16;
    change(&mut settings);
    let host = Host::new(settings).unwrap();
    let program = host
        .load(
            TenantId::default(),
            &compile(sources(&[("main.aro", text)])),
        )
        .map_err(|error| error.to_string())?;
    Ok((program, console))
}

/// Runs a program that ends by itself; answers what it printed, errors last.
async fn run(text: &str, change: impl FnOnce(&mut Settings)) -> (Outcome, String) {
    let (program, console) = load(text, change).unwrap();
    let outcome = within("the program ends", program.run(std::future::pending())).await;
    let printed = console.text(Stream::Output) + &console.text(Stream::Error);
    (outcome, printed)
}

const LINK: &str = r#"
(Application-Start: Link) {
    Connect to <host: "127.0.0.1"> on port {port} as <uplink>.
    Send the <greeting> to the <uplink> with "hello".
    Log "open: ${<uplink: open>}, kind ${<uplink: kind>}" to the <console> when <uplink> is not empty.
    Return an <OK: status> for the <startup>.
}

(Opened: ClientConnected Handler<client:uplink>) {
    Extract the <client> from the <event: client>.
    Extract the <address> from the <event: remoteAddress>.
    Log "${client} is ${address}" to the <console>.
    Return an <OK: status> for the <opening>.
}

(Answer: DataReceived Handler<client:uplink>) {
    Extract the <data> from the <event: data>.
    match <data> {
        case "close" { Close the <uplink>. }
        otherwise { Send the <data> to the <event: connection>. }
    }
    Return an <OK: status> for the <answer>.
}

(Gone: ClientDisconnected Handler<client:uplink>) {
    Extract the <reason> from the <event: reason>.
    Log "gone: ${reason}" to the <console>.
    Return an <OK: status> for the <end>.
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_form_sends_receives_and_closes() {
    let (listener, port) = listener().await;
    let text = LINK.replace("{port}", &port.to_string());
    let (program, console) = load(&text, all).unwrap();
    let running = tokio::spawn(program.run(std::future::pending()));
    let mut stream = accept(&listener).await;
    expect(&mut stream, "hello").await;
    stream.write_all(b"ping").await.unwrap();
    expect(&mut stream, "ping").await;
    stream.write_all(b"close").await.unwrap();
    assert_eq!(
        within("the end", stream.read(&mut [0; 8])).await.unwrap(),
        0
    );
    // Nothing is left that could cause an event: the program ends by itself.
    let outcome = within("the program ends", running).await.unwrap();
    let output = console.text(Stream::Output);
    for line in [
        "[Application-Start] open: true, kind outbound\n".to_owned(),
        format!("[Opened] uplink is 127.0.0.1:{port}\n"),
        "[Gone] gone: disconnect requested\n".to_owned(),
    ] {
        assert!(output.contains(&line), "{output}");
    }
    assert_eq!(
        (outcome, console.text(Stream::Error).as_str()),
        (Outcome::Success, "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_form_binds_the_identity_and_fails_the_statement() {
    let (listener, port) = listener().await;
    let text = r#"(Application-Start: Link) {
        Create the <target> with "localhost".
        Connect the <link> to the <target> with { port: {port} }.
        Send the <greeting> to the <link> with "hello".
        Return an <OK: status> for the <startup>.
    }"#;
    let (program, console) = load(&text.replace("{port}", &port.to_string()), all).unwrap();
    let running = tokio::spawn(program.run(std::future::pending()));
    let mut stream = accept(&listener).await;
    expect(&mut stream, "hello").await;
    drop(stream);
    let outcome = within("the program ends", running).await.unwrap();
    assert_eq!(
        outcome,
        Outcome::Success,
        "{}",
        console.text(Stream::Output)
    );

    let dead = dead_port().await.to_string();
    let (outcome, printed) = run(&text.replace("{port}", &dead), all).await;
    assert_eq!(outcome, Outcome::Failure);
    assert!(
        printed.contains("Cannot connect the link to the target")
            && printed.contains("Cause: Connection refused"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_connect_is_empty_everywhere_and_an_event() {
    let dead = dead_port().await;
    let text = format!(
        r#"(Application-Start: Resilient) {{
        Connect to <host: "localhost"> on port {dead} as <backend>.
        Log "Failed to connect to server" to the <console> when <backend> is empty.
        Return an <OK: status> for the <startup>.
    }}
    (Retry: SocketError Handler<client:backend>) when <event: attempt> < 3 {{
        Log "attempt ${{<event: attempt>}}/3: ${{<event: error>}}, ${{<event: code>}} at ${{<event: remoteAddress>}}" to the <console>.
        Wait for 0.05 seconds.
        Log "still empty" to the <console> when <backend> is empty.
        Connect to <host: "localhost"> on port {dead} as <backend>.
        Return an <OK: status> for the <retry>.
    }}
    (Give Up: SocketError Handler<client:backend>) when <event: attempt> >= 3 {{
        Send the <last> to the <backend> with "nobody hears this".
        Log "Max reconnection attempts reached" to the <console>.
        Return an <OK: status> for the <retry>.
    }}"#
    );
    let (outcome, printed) = run(&text, all).await;
    // The first retry need not wait for the start.
    let start = "[Application-Start] Failed to connect to server\n";
    assert!(printed.contains(start), "{printed}");
    let printed = printed.replace(start, "");
    let expected = format!(
        "[Retry] attempt 1/3: Connection refused, refused at localhost:{dead}
[Retry] still empty
[Retry] attempt 2/3: Connection refused, refused at localhost:{dead}
[Retry] still empty
[Give Up] Max reconnection attempts reached
[OK] startup
"
    );
    assert_eq!((outcome, printed), (Outcome::Success, expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_opened_again() {
    // The pattern of the guides, with a shorter wait.
    let (listener, port) = listener().await;
    let text = format!(
        r#"(Application-Start: Resilient Client) {{
        Connect to <host: "127.0.0.1"> on port {port} as <server>.
        Return an <OK: status> for the <startup>.
    }}
    (Handle Disconnect: ClientDisconnected Handler) {{
        Extract the <reason> from the <event: reason>.
        Log "Disconnected: ${{reason}}. Reconnecting..." to the <console>.
        Wait for 0.05 seconds.
        Connect to <host: "127.0.0.1"> on port {port} as <server>.
        Return an <OK: status> for the <reconnect>.
    }}
    (Greet: ClientConnected Handler) {{
        Send the <hello> to the <server> with "here I am".
        Return an <OK: status> for the <greeting>.
    }}"#
    );
    let (program, console) = load(&text, all).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(program.run(async move {
        drop(stopped.await);
    }));
    for _ in 0..3 {
        let mut stream = accept(&listener).await;
        expect(&mut stream, "here I am").await;
    }
    let mut last = accept(&listener).await;
    expect(&mut last, "here I am").await;
    stop.send(()).unwrap();
    let outcome = within("the program ends", running).await.unwrap();
    assert_eq!(outcome, Outcome::Success);
    let output = console.text(Stream::Output);
    let lost = "[Handle Disconnect] Disconnected: connection closed. Reconnecting...\n";
    assert_eq!(output.matches(lost).count(), 3, "{output}");
    assert_eq!(console.text(Stream::Error), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_do_not_resolve_and_time_that_runs_out_are_told_apart() {
    let text = r#"(Application-Start: Far) {
        Connect to <host: "no-such-host.invalid"> on port 9000 as <far> with { timeout: 20 }.
        Log "empty" to the <console> when <far> is empty.
        Return an <OK: status> for the <startup>.
    }
    (Why: SocketError Handler) {
        Log "${<event: error>} (${<event: code>})" to the <console>.
        Log "no time" to the <console> when <event: timestamp> is empty.
        Return an <OK: status> for the <reason>.
    }"#;
    let (outcome, printed) = run(text, all).await;
    assert_eq!(outcome, Outcome::Success);
    assert!(printed.contains("[Application-Start] empty\n"), "{printed}");
    assert!(!printed.contains("no time"), "{printed}");
    // A resolver that cannot be reached may take longer than it is given.
    assert!(
        printed.contains("Host not found: no-such-host.invalid (not-found)")
            || printed.contains("Connect timeout (timed-out)"),
        "{printed}"
    );
    // A listener whose backlog is full does not answer at all.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut queued = Vec::new();
    let short = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(short, TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
    }
    let text = text
        .replace("no-such-host.invalid", "127.0.0.1")
        .replace("9000", &address.port().to_string())
        .replace("timeout: 20", "timeout: 0.2");
    let (_, printed) = run(&text, all).await;
    assert!(printed.contains("Connect timeout (timed-out)"), "{printed}");
}

fn connect(target: &str) -> String {
    format!(
        "(Application-Start: Link) {{\n    Create the <name> with \"localhost\".\n    Connect to {target} as <link>.\n    Log \"empty\" to the <console> when <link> is empty.\n    Return an <OK: status> for the <startup>.\n}}"
    )
}

fn grant(pattern: &str) -> impl FnOnce(&mut Settings) {
    let targets = pattern.parse().unwrap();
    move |settings| settings.grants.outbound = Outbound::Some(vec![targets])
}

#[tokio::test(flavor = "multi_thread")]
async fn outbound_connections_must_be_granted() {
    let fixed = connect("<host: \"example.org\"> on port 443");
    let refused = |change| load(&fixed, change).map(|_| ()).unwrap_err();
    assert_eq!(
        load(&fixed, |_| {}).map(|_| ()).unwrap_err(),
        "feature set \"Application-Start\" connects to example.org:443 (`<Connect> to the <host: example.org> on port 443 as <link>.` at main.aro:3:5), which is not granted: --connect example.org:443"
    );
    assert!(refused(grant("example.org:80")).contains("connects to example.org:443"));
    assert!(load(&fixed, grant("*.org:443")).is_ok());
    // Where the statement does not say the target, something must be granted, and the rest is decided when it runs.
    let open = connect("<name> on port 443");
    let refused = load(&open, |_| {}).map(|_| ()).unwrap_err();
    assert!(
        refused.contains("connects to others (`<Connect>"),
        "{refused}"
    );
    assert!(refused.ends_with("--connect HOST:PORT"), "{refused}");
    let denied = format!(
        "{open}\n(Why: SocketError Handler) {{\n    Log <event: error> to the <console>.\n    Return an <OK: status> for the <why>.\n}}"
    );
    let (_, printed) = run(&denied, grant("*:80")).await;
    assert!(printed.contains("[Application-Start] empty\n"), "{printed}");
    assert!(!printed.contains("no time"), "{printed}");
    assert!(
        printed.contains("[Why] Permission denied: localhost:443\n"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_talks_to_itself() {
    // Server and client in one program, told apart by their names; the client ends, then the server, then the program.
    let text = r#"(Application-Start: Self Test) {
        Listen on port 0 as <echo> with { host: "localhost" }.
        Return an <OK: status> for the <startup>.
    }
    (Ready: ServerStarted Handler<server:echo>) {
        Extract the <port> from the <event: port>.
        Log "listening on ${<event: host>}" to the <console>.
        Connect to <host: "localhost"> on port <port> as <client>.
        Send the <message> to the <client> with "Hello, test!".
        Return an <OK: status> for the <start>.
    }
    (Echo: DataReceived Handler<server:echo>) {
        Extract the <data> from the <event: data>.
        Send the <reply> to the <event: connection> with "Echo: ${data}".
        Return an <OK: status> for the <echo>.
    }
    (Received: DataReceived Handler<client:client>) {
        Extract the <data> from the <event: data>.
        Log "received ${data}" to the <console>.
        Close the <client>.
        Return an <OK: status> for the <answer>.
    }
    (Done: ClientDisconnected Handler<client:client>) {
        Log "closing" to the <console>.
        Close the <echo>.
        Return an <OK: status> for the <end>.
    }
    (Over: ServerStopped Handler<server:echo>) {
        Log "stopped" to the <console>.
        Return an <OK: status> for the <end>.
    }"#;
    let (outcome, printed) = run(text, all).await;
    assert_eq!(outcome, Outcome::Success);
    let mut lines: Vec<&str> = printed.lines().skip(1).collect();
    // The line of the host and that of the handler come from two tasks.
    lines.retain(|line| *line != "Socket Server stopped");
    assert_eq!(
        lines,
        [
            "[Ready] listening on 127.0.0.1",
            "[Received] received Echo: Hello, test!",
            "[Done] closing",
            "[Over] stopped",
            "[OK] startup",
        ],
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outbound_connections_have_a_limit() {
    let (listener, port) = listener().await;
    let text = format!(
        r#"(Application-Start: Many) {{
        Connect to <host: "127.0.0.1"> on port {port} as <one>.
        Connect to <host: "127.0.0.1"> on port {port} as <two>.
        Connect to <host: "127.0.0.1"> on port {port} as <three>.
        Log "three is empty" to the <console> when <three> is empty.
        Close the <one>.
        Return an <OK: status> for the <startup>.
    }}
    (Why: SocketError Handler) {{
        Log "${{<event: code>}}: ${{<event: error>}}" to the <console>.
        Return an <OK: status> for the <why>.
    }}"#
    );
    let server = Server::start_with(sources(&[("main.aro", &text)]), |settings| {
        all(settings);
        settings.limits.outbound_max = 2;
    })
    .await;
    let first = accept(&listener).await;
    let second = accept(&listener).await;
    server
        .output("[Why] exhausted: at most 2 outbound connections may be open\n")
        .await;
    server.output("[Application-Start] three is empty\n").await;
    drop(first);
    server.connections(1).await;
    drop(second);
    server.connections(0).await;
    assert_eq!(server.stop().await.error, "");
}

/// An address that the tests of IPv6 listen on.
pub(crate) async fn has_ipv6() -> bool {
    let address: SocketAddr = "[::1]:0".parse().unwrap();
    TcpListener::bind(address).await.is_ok()
}

/// What a program prints whose start fails.
pub(crate) async fn failure(text: &str) -> String {
    let (outcome, printed) = run(text, |_| {}).await;
    assert_eq!(outcome, Outcome::Failure, "{printed}");
    printed
}
