//! What the socket guides show besides whole servers: clients, protocols, checks, single statements. Their text is unchanged, but for hosts and ports; a program around it gives them the names that they assume.

use aro_host::{Outbound, Outcome, Settings};
use aro_to_wasm::source::SourceFile;
use harness::{Peer, Server, Stopped, accept, listener, seeds, sources, within};
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const GUIDES: [&str; 2] = ["000", "001"];
const SOCKET_SERVER: (&str, &str) = ("Application-Start: Socket Server", "");

async fn serve(text: &str, ours: &str, change: impl FnOnce(&mut Settings)) -> Server {
    Server::start_with(sources(&[("main.aro", text), ("ours.aro", ours)]), change).await
}

fn all(settings: &mut Settings) {
    settings.grants.outbound = Outbound::All;
}

async fn ended_well(server: Server) -> Stopped {
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
    stopped
}

async fn expect(stream: &mut TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    let read = within("bytes from the program", stream.read_exact(&mut bytes)).await;
    read.unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
}

/// A program whose feature sets without a trigger are operations: `GET /name`, the name in small letters with hyphens.
async fn operations(text: &str, ours: &str, paths: &[(&str, &str)]) -> Server {
    let path = |(operation, path): &(&str, &str)| {
        let parameters: Vec<_> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let operation = json!({
            "operationId": operation,
            "parameters": parameters,
            "responses": { "200": { "description": "done" } },
        });
        ((*path).to_owned(), json!({ "get": operation }))
    };
    let paths: serde_json::Map<_, _> = paths.iter().map(path).collect();
    let contract = json!({
        "openapi": "3.0.3",
        "info": { "title": "Guide", "version": "1" },
        "paths": paths,
    });
    let mut input = sources(&[("main.aro", text), ("ours.aro", ours)]);
    input.contract = Some(SourceFile {
        path: "openapi.yaml".to_owned(),
        text: contract.to_string(),
    });
    Server::start_with(input, |settings| {
        all(settings);
        settings.http_port_override = Some(0);
    })
    .await
}

/// Asks for a path; answers the status.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut peer = Peer::connect(address).await;
    peer.send(format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    ))
    .await;
    let answer = String::from_utf8(peer.rest().await).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

const START_HTTP: &str = "(Application-Start: Guide) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_says_hello_sends_messages_and_hears_answers() {
    for guide in GUIDES {
        let (listener, port) = listener().await;
        let chosen = [
            ("Connect to Server: External Service", ""),
            ("Handle Server Response: DataReceived Handler", ""),
        ];
        let text = seeds::program(guide, &chosen)
            .replace("192.168.1.100", "127.0.0.1")
            .replace("port 8080", &format!("port {port}"));
        // The guide's message has a content from elsewhere.
        let message = seeds::program(guide, &[("Send Message: Messaging", "")]).replacen(
            "{\n",
            "{\nCreate the <content> with \"how are you?\".\n",
            1,
        );
        let paths = [("Connect to Server", "/connect"), ("Send Message", "/send")];
        let server = operations(&format!("{text}\n{message}"), START_HTTP, &paths).await;
        let http = server.http_address();
        let connecting = tokio::spawn(async move { get(http, "/connect").await });
        let mut stream = accept(&listener).await;
        expect(&mut stream, r#"{"client":"my-app","type":"hello"}"#).await;
        assert_eq!(connecting.await.unwrap(), "200");
        assert_eq!(get(http, "/send").await, "200");
        let sent = r#"{"content":"how are you?","timestamp":""#;
        expect(&mut stream, sent).await;
        let mut rest = vec![0; r#"2026-01-01T00:00:00Z","type":"chat"}"#.len()];
        within("the rest", stream.read_exact(&mut rest))
            .await
            .unwrap();
        assert!(
            String::from_utf8(rest)
                .unwrap()
                .ends_with(r#"Z","type":"chat"}"#)
        );
        for (answer, line) in [
            (r#"{"type":"ack"}"#, "Message acknowledged\n"),
            (
                r#"{"type":"error","error":"no such room"}"#,
                "no such room\n",
            ),
        ] {
            stream.write_all(answer.as_bytes()).await.unwrap();
            server
                .output(&format!("[Handle Server Response] {line}"))
                .await;
        }
        drop(stream);
        ended_well(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_a_503() {
    for guide in GUIDES {
        let (gone, port) = listener().await;
        drop(gone);
        let chosen = [("Connect to Server: Client Setup", "")];
        let text = seeds::program(guide, &chosen)
            .replace("server.example.com", "127.0.0.1")
            .replace("port 9000", &format!("port {port}"));
        let paths = [("Connect to Server", "/connect")];
        let server = operations(&text, START_HTTP, &paths).await;
        assert_eq!(get(server.http_address(), "/connect").await, "503");
        server
            .output("[Connect to Server] Failed to connect to server\n")
            .await;
        ended_well(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_connects_again() {
    for guide in GUIDES {
        let (listener, port) = listener().await;
        let chosen = [
            ("Application-Start: Resilient Client", ""),
            ("Handle Disconnect: ClientDisconnected Handler", "Wait"),
        ];
        let text = seeds::program(guide, &chosen)
            .replace("server.example.com", "127.0.0.1")
            .replace("port 9000", &format!("port {port}"))
            .replace("for 5 seconds", "for 0.05 seconds");
        let server = serve(&text, "", all).await;
        for _ in 0..3 {
            drop(accept(&listener).await);
        }
        let _open = accept(&listener).await;
        let line = "[Handle Disconnect] Disconnected: connection closed. Reconnecting...\n";
        let output = server.output(line).await;
        assert!(output.contains(line));
        ended_well(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protocol_of_messages() {
    for guide in GUIDES {
        let protocol = ("Handle Protocol: DataReceived Handler", "");
        let text = seeds::program(guide, &[SOCKET_SERVER, protocol]);
        let server = serve(&text, "", |_| {}).await;
        let mut peer = server.connect().await;
        let mut other = server.connect().await;
        for (message, answer) in [
            (
                json!({ "type": "ping", "payload": {} }),
                json!({ "type": "pong" }),
            ),
            (
                json!({ "type": "subscribe", "payload": { "channel": "news" } }),
                json!({ "type": "subscribed", "channel": "news" }),
            ),
            (
                json!({ "type": "auth", "payload": { "user": "ann" } }),
                json!({ "type": "auth_ok" }),
            ),
        ] {
            peer.send(message.to_string()).await;
            assert_eq!(peer.json().await, answer);
        }
        let news = json!({ "type": "publish", "payload": { "channel": "news", "data": "rain" } });
        other.send(news.to_string()).await;
        peer.expect("rain").await;
        drop((peer, other));
        server.connections(0).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_logged_and_what_is_one_is_processed() {
    for guide in GUIDES {
        let checked = ("Handle Data: DataReceived Handler", "raw-data");
        let text = seeds::program(guide, &[SOCKET_SERVER, checked]);
        let server = serve(&text, "", |_| {}).await;
        let mut peer = server.connect().await;
        peer.send("{nonsense").await;
        server
            .output("[Handle Data] Invalid message format\n")
            .await;
        peer.send(r#"{"a":1}"#).await;
        peer.finish().await;
        peer.closed().await;
        let stopped = ended_well(server).await;
        let warned = stopped.output.matches("Invalid message format").count();
        assert_eq!(warned, 1, "{}", stopped.output);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_kicks_a_client() {
    for guide in GUIDES {
        let chosen = [
            ("Track Connection: ClientConnected Handler", ""),
            ("Kick Client: Admin Action", ""),
        ];
        let ours = format!(
            "{}\n{}",
            START_HTTP.replace(
                "    Return",
                "    Listen on port 0 as <socket-server>.\n    Return"
            ),
            "(Who: DataReceived Handler) {
                Send the <id> to the <event: connection> with \"${<event: connectionId>}\\n\".
                Return an <OK: status> for the <answer>.
            }"
        );
        let text = seeds::program(guide, &chosen);
        let server = operations(&text, &ours, &[("Kick Client", "/kick/{client-id}")]).await;
        let http = server.http_address();
        let mut peers = [server.connect().await, server.connect().await];
        let mut ids = Vec::new();
        for peer in &mut peers {
            peer.send("?").await;
            ids.push(peer.line().await);
        }
        assert_eq!(get(http, &format!("/kick/{}", ids[1])).await, "200");
        let [mut stays, mut goes] = peers;
        goes.expect("You have been disconnected").await;
        goes.closed().await;
        // There is nobody of that name any more.
        assert_eq!(get(http, &format!("/kick/{}", ids[1])).await, "200");
        stays.send("?").await;
        assert_eq!(stays.line().await, ids[0]);
        ended_well(server).await;
    }
}

/// The single statements of a guide, each a line or several, as they stand there.
fn statements(guide: &str, beginnings: &[&str]) -> String {
    let document = seeds::document(guide);
    let sets = seeds::feature_sets(&document);
    let outside = sets
        .iter()
        .fold(document.clone(), |rest, set| rest.replace(&set.text, "\n"));
    let mut found = String::new();
    for beginning in beginnings {
        let angle = format!("<{}>", beginning.split(' ').next().unwrap());
        let angle = beginning.replacen(beginning.split(' ').next().unwrap(), &angle, 1);
        let mut lines = outside
            .lines()
            .skip_while(|line| !line.starts_with(beginning) && !line.starts_with(&angle));
        loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("document {guide} has no {beginning:?}"));
            found.push_str(line);
            found.push('\n');
            if line.ends_with('.') {
                break;
            }
        }
    }
    found
}

/// The single statements, each in a handler of a word.
fn fragments(guide: &str) -> String {
    let text = statements(guide, &["Send the <text> to the <connection>"]);
    let value = statements(
        guide,
        &[
            "Create the <message> with {",
            "Send the <message: JSON> to the <connection>",
        ],
    );
    let binary = statements(
        guide,
        &[
            "Read the <binary: bytes>",
            "Send the <binary> to the <connection>",
        ],
    );
    let to_all = statements(guide, &["Broadcast the <message> to the <socket-server>"]);
    let to_one = statements(
        guide,
        &[
            "Retrieve the <client> from the <connected-clients>",
            "Send the <message> to the <client: connection>",
        ],
    );
    format!(
        "(Application-Start: Fragments) {{
            Listen on port 0 as <socket-server>.
            Return an <OK: status> for the <startup>.
        }}
        (Register: ClientConnected Handler) {{
            Extract the <connection-id> from the <event: connectionId>.
            Extract the <connection> from the <event: connection>.
            Store the <connection> into the <connected-clients> with id <connection-id>.
            Return an <OK: status> for the <registration>.
        }}
        (Texts: DataReceived Handler) when <event: data> = \"text\" {{
            Extract the <connection> from the <event: connection>.
            {text}
            Return an <OK: status> for the <data>.
        }}
        (Values: DataReceived Handler) when <event: data> = \"value\" {{
            Extract the <connection> from the <event: connection>.
            {value}
            Return an <OK: status> for the <data>.
        }}
        (Bytes: DataReceived Handler) when <event: data> = \"bytes\" {{
            Extract the <connection> from the <event: connection>.
            {binary}
            Return an <OK: status> for the <data>.
        }}
        (All: DataReceived Handler) when <event: data> = \"all\" {{
            Create the <message> with \"everybody\".
            {to_all}
            Return an <OK: status> for the <data>.
        }}
        (One: DataReceived Handler) when <event: data> = \"one\" {{
            Extract the <client-id> from the <event: connectionId>.
            Create the <message> with \"you\".
            {to_one}
            Return an <OK: status> for the <data>.
        }}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_values_and_bytes_are_sent_as_the_guide_says() {
    for guide in GUIDES {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..=u8::MAX).rev().collect();
        std::fs::write(folder.path().join("data.bin"), &bytes).unwrap();
        let program = fragments(guide);
        let place = folder.path().to_owned();
        let server = serve(&program, "", |settings| {
            settings.grants.directories = vec![place];
        })
        .await;
        let mut peer = server.connect().await;
        let mut other = server.connect().await;
        server.connections(2).await;
        peer.send("text").await;
        peer.expect("Hello, World!").await;
        peer.send("value").await;
        assert_eq!(
            peer.json().await,
            json!({ "type": "update", "data": { "value": 42 } })
        );
        peer.send("bytes").await;
        peer.expect(&bytes).await;
        peer.send("one").await;
        peer.expect("you").await;
        peer.send("all").await;
        for each in [&mut peer, &mut other] {
            each.expect("everybody").await;
        }
        drop((peer, other));
        server.connections(0).await;
        ended_well(server).await;
    }
}
