//! The programs of the two socket guides, in both statement styles, put together from their feature sets as they stand.

use aro_host::Outcome;
use harness::{Peer, Server, Stopped, seeds, sources, within};
use serde_json::Value;

/// The guide with angle-bracketed verbs, and the guide without.
const GUIDES: [&str; 2] = ["000", "001"];

const SOCKET_SERVER: (&str, &str) = ("Application-Start: Socket Server", "");
const CONNECTION: (&str, &str) = ("Handle Connection: ClientConnected Handler", "");
const DATA: (&str, &str) = ("Handle Data: DataReceived Handler", "connection-id");
const DISCONNECT: (&str, &str) = (
    "Handle Disconnect: ClientDisconnected Handler",
    "client-registry",
);

async fn serve(guide: &str, chosen: &[(&str, &str)], ours: &str) -> Server {
    let text = seeds::program(guide, chosen);
    Server::start(sources(&[("main.aro", &text), ("ours.aro", ours)])).await
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hexadecimal = |group: &&str| {
        group
            .chars()
            .all(|digit| matches!(digit, '0'..='9' | 'A'..='F'))
    };
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(hexadecimal)
}

/// `2026-03-01T09:30:00Z`
fn is_timestamp(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    shape == "0000-00-00T00:00:00Z"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socket_server_welcomes_answers_and_says_who_left() {
    for guide in GUIDES {
        let server = serve(guide, &[SOCKET_SERVER, CONNECTION, DATA, DISCONNECT], "").await;
        let mut peer = server.connect().await;
        peer.expect("Welcome to the server!").await;
        server
            .output(&format!(
                "[Handle Connection] Client connected: {}\n",
                peer.address()
            ))
            .await;
        peer.send("hello").await;
        peer.expect("hello").await;
        peer.send([0xff, 0xfe, 0x00]).await;
        peer.expect([0xff, 0xfe, 0x00]).await;
        drop(peer);
        let output = server.output("disconnected: ").await;
        assert!(
            output.contains("[Application-Start] Socket server listening on port 9000\n"),
            "{output}"
        );
        let id = output
            .split("Received from ")
            .nth(1)
            .unwrap()
            .split(':')
            .next()
            .unwrap()
            .to_owned();
        assert!(is_uuid(&id), "{id}");
        assert!(
            output.contains(&format!("[Handle Data] Received from {id}: hello\n")),
            "{output}"
        );
        assert!(
            output.ends_with(&format!(
                "[Handle Disconnect] Client {id} disconnected: connection closed\n"
            )),
            "{output}"
        );
        let stopped = server.stop().await;
        assert_eq!(
            (stopped.outcome, stopped.error.as_str()),
            (Outcome::Success, "")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_server_sends_every_byte_back() {
    for guide in GUIDES {
        let chosen = [
            ("Application-Start: Echo Server", ""),
            ("Echo Data: DataReceived Handler", ""),
        ];
        let server = serve(guide, &chosen, "").await;
        let port = server.address().port();
        let mut peer = server.connect().await;
        let every_byte: Vec<u8> = (0..=u8::MAX).collect();
        for message in [
            b"hello".as_slice(),
            "grüße 日本\n".as_bytes(),
            &every_byte,
            &[0; 10_000],
        ] {
            peer.send(message).await;
            peer.expect(message).await;
        }
        peer.finish().await;
        peer.closed().await;
        let stopped = server.stop().await;
        let expected = format!(
            "Socket Server started on port {port}\n[Application-Start] Echo server listening on port 9000\n[OK] startup\n"
        );
        assert_eq!((stopped.output, stopped.error), (expected, String::new()));
    }
}

fn is_post(post: &Value, message: &str) -> String {
    let keys: Vec<&String> = post.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["from", "message", "timestamp"], "{post}");
    let [from, timestamp] =
        ["from", "timestamp"].map(|name| post[name].as_str().unwrap().to_owned());
    assert!(is_uuid(&from) && is_timestamp(&timestamp), "{post}");
    assert_eq!(post["message"], message);
    from
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_server_tells_everybody() {
    for guide in GUIDES {
        let chosen = [
            ("Application-Start: Chat Server", ""),
            ("Register Client: ClientConnected Handler", ""),
            ("Broadcast Message: DataReceived Handler", ""),
            ("Remove Client: ClientDisconnected Handler", ""),
        ];
        let server = serve(guide, &chosen, "").await;
        let mut peers: Vec<Peer> = Vec::new();
        for _ in 0..3 {
            peers.push(server.connect().await);
            for peer in &mut peers {
                peer.expect("User joined").await;
            }
        }
        let mut senders = Vec::new();
        for (index, message) in ["hello", "a \"quoted\" line\n", "日本"]
            .into_iter()
            .enumerate()
        {
            peers[index].send(message).await;
            let mut froms = Vec::new();
            for peer in &mut peers {
                froms.push(is_post(&peer.json().await, message));
            }
            assert!(froms.iter().all(|from| *from == froms[0]), "{froms:?}");
            senders.extend(froms.pop());
        }
        senders.sort();
        senders.dedup();
        assert_eq!(senders.len(), 3, "{senders:?}");
        drop(peers.pop());
        for peer in &mut peers {
            peer.expect("User left").await;
        }
        let stopped = server.stop().await;
        assert_eq!(
            (stopped.outcome, stopped.error.as_str()),
            (Outcome::Success, "")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tracked_connections_can_be_looked_up() {
    // The guide shows how connections are stored; this reads them back and talks to one of them.
    let ours = "(Who Am I: DataReceived Handler) {
        Extract the <id> from the <event: connectionId>.
        Retrieve the <client> from the <client-registry> where id = <id>.
        Extract the <address> from the <client: address>.
        Extract the <since> from the <client: connectedAt>.
        Send the <answer> to the <client: connection> with \"${address} ${since}\\n\".
        Return an <OK: status> for the <answer>.
    }";
    for guide in GUIDES {
        let track = ("Track Connection: ClientConnected Handler", "");
        let server = serve(guide, &[SOCKET_SERVER, track, DISCONNECT], ours).await;
        let mut peers = [server.connect().await, server.connect().await];
        for peer in &mut peers {
            peer.send("?").await;
            let line = peer.line().await;
            let (address, since) = line.split_once(' ').unwrap();
            assert_eq!(address, peer.address().to_string());
            assert!(is_timestamp(since), "{since}");
        }
        let stopped = server.stop().await;
        assert_eq!(
            (stopped.outcome, stopped.error.as_str()),
            (Outcome::Success, "")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_reaches_every_client_before_its_connection_closes() {
    for guide in GUIDES {
        let end = ("Application-End: Success", "");
        let server = serve(guide, &[SOCKET_SERVER, CONNECTION, end], "").await;
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut peer = server.connect().await;
            peer.expect("Welcome to the server!").await;
            peers.push(peer);
        }
        let readers: Vec<_> = peers
            .into_iter()
            .map(|mut peer| tokio::spawn(async move { peer.rest().await }))
            .collect();
        let Stopped {
            outcome,
            output,
            error,
        } = server.stop().await;
        for reader in readers {
            let rest = within("the farewell", reader).await.unwrap();
            assert_eq!(String::from_utf8(rest).unwrap(), "Server shutting down");
        }
        assert_eq!((outcome, error.as_str()), (Outcome::Success, ""));
        assert!(
            output.ends_with("[Application-End] Closing all connections...\nSocket Server stopped\n[OK] startup\n"),
            "{output}"
        );
    }
}
