//! Servers: both styles of handlers, several listeners, framing, broadcasts to some, channels.

use aro_host::Outcome;
use harness::{Peer, Server, serve, sources};
use std::net::Ipv4Addr;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_styles_of_handlers_run_with_all_their_names() {
    let server = serve(
        r#"(Application-Start: Styles) {
        Start the <socket-server> with { port: 9000 }.
        Listen on port 0 as <second>.
        Log "${<socket-server: serverType>} ${<socket-server: success>}" to the <console>.
        Return an <OK: status> for the <startup>.
    }
    (Client Connected: Socket Event Handler) {
        Log "hello ${<connection: remoteAddress>} on ${<connection: port>}" to the <console>.
        Return an <OK: status> for the <greeting>.
    }
    (Data Received: Socket Event Handler) {
        Extract the <text> from the <packet: message>.
        Extract the <size> from the <packet: size>.
        Extract the <buffer> from the <packet: buffer>.
        Extract the <client> from the <packet: connection>.
        Log "packet ${size}: ${text}" to the <console>.
        Log <packet: buffer> to the <console>.
        Send the <buffer> to the <client>.
        Return an <OK: status> for the <packet>.
    }
    (Client Disconnected: Socket Event Handler) {
        Log "bye: ${<event: reason>}" to the <console>.
        Return an <OK: status> for the <farewell>.
    }
    (Whatever: DataReceived Handler) {
        Extract the <id> from the <event: connectionId>.
        Extract the <connection> from the <event: connection>.
        Log "same" to the <console> when <id> = <connection>.
        Log "${<event: server>} ${<event: port>} ${<event: connection: kind>}" to the <console>.
        Return an <OK: status> for the <data>.
    }"#,
        |_| {},
    )
    .await;
    let port = server.address().port();
    let mut peer = server.connect().await;
    let address = peer.address();
    peer.send("über").await;
    peer.expect("über").await;
    let output = server.output("inbound\n").await;
    for line in [
        "[Application-Start] socket-server true\n".to_owned(),
        format!("[Client Connected] hello {address} on {port}\n"),
        "[Data Received] packet 5: über\n[Data Received] 5 bytes\n".to_owned(),
        format!("[Whatever] same\n[Whatever] socket-server {port} inbound\n"),
    ] {
        assert!(output.contains(&line), "{line}{output}");
    }
    peer.send([0xFF, 0x00]).await;
    peer.expect([0xFF, 0x00]).await;
    server.output("packet 2: \n").await;
    drop(peer);
    server
        .output("[Client Disconnected] bye: connection closed\n")
        .await;
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcasts_reach_whom_the_statement_says() {
    let text = r#"(Application-Start: Groups) {
        Listen on port 0 as <left>.
        Listen on port 0 as <right>.
        Return an <OK: status> for the <startup>.
    }
    (Relay: DataReceived Handler) {
        Extract the <data> from the <event: data>.
        Extract the <id> from the <event: connectionId>.
        Extract the <me> from the <event: connection>.
        Extract the <address> from the <event: remoteAddress>.
        match <data> {
            case "all" { Broadcast the <data> to the <socket-server>. }
            case "left" { Broadcast the <data> to the <left>. }
            case "right" { Send the <data> to the <right>. }
            case "others" { Broadcast the <data> to the <left> where id != <id>. }
            case "else" { Broadcast the <data> to the <socket> where connection != <me>. }
            case "mine" { Broadcast the <data> to the <left> where remoteAddress = <address>. }
            case "either" { Broadcast the <data> to the <socket> where server = "right" or id = <id>. }
        }
        Send the <end> to the <me> with ".".
        Return an <OK: status> for the <relay>.
    }"#;
    let server = serve(text, |_| {}).await;
    let [left, right] = server.addresses()[..] else {
        panic!("two listeners");
    };
    let mut one = Peer::connect(left).await;
    let mut two = Peer::connect(left).await;
    let mut three = Peer::connect(right).await;
    server.connections(3).await;
    for (message, heard) in [
        ("all", [true, true, true]),
        ("left", [true, true, false]),
        ("right", [false, false, true]),
        ("others", [false, true, false]),
        ("else", [false, true, true]),
        ("mine", [true, false, false]),
        ("either", [true, false, true]),
    ] {
        one.send(message).await;
        for (peer, hears) in [
            (&mut one, heard[0]),
            (&mut two, heard[1]),
            (&mut three, heard[2]),
        ] {
            if hears {
                peer.expect(message).await;
            }
        }
        one.expect(".").await;
    }
    // What nobody was to hear would be here before this.
    for peer in [&mut two, &mut three] {
        peer.send("x").await;
        peer.expect(".").await;
    }
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_events_wherever_the_bytes_are_cut() {
    let server = serve(
        r#"(Application-Start: Lines) {
        Listen on port 0 as <lines> with { framing: "line", frameBytes: 16 }.
        Return an <OK: status> for the <startup>.
    }
    (Line: DataReceived Handler) {
        Extract the <line> from the <event: data>.
        Send the <answer> to the <event: connection> with "<${line}>".
        Return an <OK: status> for the <line>.
    }
    (Why: SocketError Handler<server:lines>) {
        Log "${<event: code>}: ${<event: error>}" to the <console>.
        Return an <OK: status> for the <why>.
    }
    (Gone: ClientDisconnected Handler) {
        Log "gone" to the <console>.
        Return an <OK: status> for the <end>.
    }"#,
        |_| {},
    )
    .await;
    let mut peer = server.connect().await;
    for part in ["one\ntw", "o\r\nthree\n\nfo", "ur\n"] {
        peer.send(part).await;
    }
    peer.expect("<one><two><three><><four>").await;
    for byte in "byte by byte\n".bytes() {
        peer.send([byte]).await;
    }
    peer.expect("<byte by byte>").await;
    peer.send("exactly sixteen!\nand never, ever its end").await;
    peer.expect("<exactly sixteen!>").await;
    peer.closed().await;
    let output = server.output("[Gone] gone\n").await;
    let said = "[Why] frame-too-long: a line is longer than 16 bytes\n";
    assert!(output.contains(said), "{output}");
    let error = server.stop().await.error;
    assert!(
        error.contains("is closed: a line is longer than 16 bytes\n"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_with_lengths_go_both_ways() {
    let server = serve(
        r#"(Application-Start: Frames) {
        Listen on port 0 as <frames> with { framing: "length32", frameBytes: 16777216 }.
        Return an <OK: status> for the <startup>.
    }
    (Frame: DataReceived Handler) {
        Extract the <data> from the <event: data>.
        Send the <data> to the <event: connection>.
        Return an <OK: status> for the <frame>.
    }"#,
        |_| {},
    )
    .await;
    let mut peer = server.connect().await;
    let framed = |data: &[u8]| {
        let mut bytes = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(data);
        bytes
    };
    let binary: Vec<u8> = (0..=255).collect();
    for byte in framed(&binary) {
        peer.send([byte]).await;
    }
    peer.expect(framed(&binary)).await;
    peer.send([framed(b""), framed(b"a"), framed(b"bc")].concat())
        .await;
    peer.expect([framed(b""), framed(b"a"), framed(b"bc")].concat())
        .await;
    // The longest message there is.
    let large = framed(&vec![0xA5; 16 << 20]);
    peer.send(&large).await;
    peer.expect(&large).await;
    peer.send([0xFF; 4]).await;
    peer.closed().await;
    server
        .error("is closed: a frame of 4294967295 bytes is longer than 16777216\n")
        .await;
    assert_eq!(server.stop().await.outcome, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_families_and_shared_ports() {
    if !crate::outbound::has_ipv6().await {
        return;
    }
    let text = r#"(Application-Start: Families) {
        Listen on port 0 as <six> with { host: "[::1]", reusePort: true }.
        Return an <OK: status> for the <startup>.
    }
    (Who: ClientConnected Handler) {
        Send the <address> to the <event: connection> with "${<event: remoteAddress>}\n".
        Return an <OK: status> for the <who>.
    }"#;
    let server = serve(text, |_| {}).await;
    let address = server.address();
    assert!(address.is_ipv6());
    let mut peer = server.connect().await;
    assert_eq!(peer.line().await, peer.address().to_string());
    assert!(peer.address().to_string().starts_with("[::1]:"));
    // A second host shares the port, because both say so.
    let shared = text.replace("port 0", &format!("port {}", address.port()));
    let second = serve(&shared, |settings| settings.socket_port_override = None).await;
    assert_eq!(second.address(), address);
    second.stop().await;
    server.stop().await;
}

/// Starts a program whose Listen must fail; answers the cause.
async fn refusal(statement: &str) -> String {
    let text = format!(
        "(Application-Start: Refused) {{\n    {statement}\n    Return an <OK: status> for the <startup>.\n}}"
    );
    crate::outbound::failure(&text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_listened_on_is_said() {
    let taken = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = taken.local_addr().unwrap().port();
    for (statement, cause) in [
        (
            format!("Listen on port {port} as <taken>."),
            format!("Cause: cannot listen on 127.0.0.1:{port}: Address already in use"),
        ),
        (
            "Listen on port 0 as <all> with { host: \"0.0.0.0\" }.".to_owned(),
            "Cause: the address 0.0.0.0 is not granted: listeners bind 127.0.0.1 (--bind)"
                .to_owned(),
        ),
        (
            "Listen on port 0 as <named> with { host: \"example.org\" }.".to_owned(),
            "Cause: \"example.org\" is no address to listen on: write one, or \"localhost\""
                .to_owned(),
        ),
        (
            "Listen on port 0 as <odd> with { framing: \"lines\" }.".to_owned(),
            "Cause: there is no framing \"lines\": it is raw, line or length32".to_owned(),
        ),
        (
            "Listen on port 0 as <odd> with { frames: 1 }.".to_owned(),
            "Cause: there is no option \"frames\": the options are".to_owned(),
        ),
        (
            "Listen on port 0 as <long> with { framing: \"line\", frameBytes: 100000000 }."
                .to_owned(),
            "Cause: frames of 100000000 bytes are too long; at most 16777216 are received"
                .to_owned(),
        ),
    ] {
        let printed = refusal(&statement).await;
        assert!(printed.contains(&cause), "{cause}\n{printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_reach_subscribers_and_count_them() {
    let server = serve(
        r#"(Application-Start: Channels) {
        Listen on port 0 as <hub> with { framing: "line" }.
        Return an <OK: status> for the <startup>.
    }
    (Command: DataReceived Handler) {
        Extract the <line> from the <event: data>.
        Extract the <me> from the <event: connection>.
        Split the <words> from the <line> by /\s+/.
        Extract the <channel: last> from the <words>.
        match <line> {
            case /^join/ { Subscribe the <me> to the <channel>. }
            case /^leave/ { Unsubscribe the <me> from the <channel>. }
            case /^say/ { Publish the <line> to the <channel>. }
            case /^json/ { Publish the <post: JSON> to the <channel> with { text: "hi" }. }
            case /^lobby/ { Publish the <line> to the <lobby>. }
        }
        Compute the <present> from <subscribers: channel> + 0.
        Send the <answer> to the <me> with "${present}\n".
        Return an <OK: status> for the <command>.
    }"#,
        |_| {},
    )
    .await;
    let mut one = server.connect().await;
    let mut two = server.connect().await;
    for (peer, line, answer) in [
        (0, "join news\n", "1\n"),
        (0, "join news\n", "1\n"),
        (1, "join news\n", "2\n"),
        (1, "join other\n", "1\n"),
    ] {
        let peer = if peer == 0 { &mut one } else { &mut two };
        peer.send(line).await;
        peer.expect(answer).await;
    }
    one.send("say news\n").await;
    two.expect("say news").await;
    one.expect("say news2\n").await;
    one.send("json other\n").await;
    two.expect("{\"text\":\"hi\"}").await;
    one.expect("1\n").await;
    one.send("leave news\n").await;
    one.expect("1\n").await;
    two.send("say news\n").await;
    two.expect("say news1\n").await;
    // A name that nothing binds is the channel of that name; nobody subscribes to it.
    one.send("lobby lobby\n").await;
    one.expect("0\n").await;
    assert_eq!(server.entries().channels, 2);
    drop(two);
    server.connections(1).await;
    assert_eq!(server.entries().channels, 0);
    one.send("say news\n").await;
    one.expect("0\n").await;
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_have_a_limit() {
    let server = serve(
        r#"(Application-Start: Channels) {
        Listen on port 0 as <hub> with { framing: "line" }.
        Return an <OK: status> for the <startup>.
    }
    (Join: DataReceived Handler) {
        Extract the <channel> from the <event: data>.
        Subscribe the <connection> to the <channel>.
        Send the <answer> to the <connection> with "ok\n".
        Return an <OK: status> for the <joining>.
    }"#,
        |settings| settings.limits.subscriptions_max = 2,
    )
    .await;
    let mut peer = server.connect().await;
    peer.send("a\nb\na\nc\n").await;
    peer.expect("ok\nok\nok\n").await;
    let error = server.error("Cause: ").await;
    assert!(
        error.contains("Cannot subscribe the connection to the channel")
            && error.contains("Cause: a connection subscribes to at most 2 channels"),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_system_and_emitted_ones_reach_handlers_of_connections() {
    let program = r#"(Application-Start: Relay) {
        Listen on port 0 as <relay>.
        Emit a <DataReceived: event> with { data: "from nobody", connectionId: "none" }.
        Return an <OK: status> for the <startup>.
    }
    (Came: socket.connected Handler) {
        Log "came ${<event: remoteAddress>}" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Said: socket.data Handler<server:relay>) {
        Log "said ${<event: data>} ${<packet: text>}" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Handled: DataReceived Handler) {
        Extract the <data> from the <event: data>.
        Log "handled ${<data>}" to the <console>.
        Return an <OK: status> for the <event>.
    }
    (Left: socket.disconnected Handler) {
        Log "left ${<event: reason>}" to the <console>.
        Return an <OK: status> for the <event>.
    }"#;
    let server = Server::start(sources(&[("main.aro", program)])).await;
    let output = server.output("[Handled] handled from nobody\n").await;
    assert!(!output.contains("[Said]"), "{output}");
    let mut peer = server.connect().await;
    server
        .output(&format!("[Came] came {}\n", peer.address()))
        .await;
    peer.send("hello").await;
    server.output("[Said] said hello hello\n").await;
    server.output("[Handled] handled hello\n").await;
    drop(peer);
    server.output("[Left] left connection closed\n").await;
    let stopped = server.stop().await;
    assert_eq!(stopped.error, "");
}
