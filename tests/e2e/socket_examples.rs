//! The examples that speak over sockets, driven as their READMEs say.

use aro_host::{Outbound, Outcome};
use aro_to_wasm::Input;
use harness::{Peer, Random, Server, directory, listener, within};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An example with parts of its text exchanged, as ports and times that suit a test.
fn changed(example: &str, changes: &[(&str, String)]) -> Input {
    let mut input = directory(format!("examples/{example}"));
    for file in &mut input.files {
        for (from, to) in changes {
            assert!(file.text.contains(from), "{example} has no {from:?}");
            file.text = file.text.replace(from, to);
        }
    }
    input
}

async fn serve(input: Input) -> Server {
    Server::start_with(input, |settings| {
        settings.grants.outbound = Outbound::All;
    })
    .await
}

/// Answers every connection with `name`, then echoes.
async fn backend(name: &'static str) -> (tokio::task::JoinHandle<()>, u16) {
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.write_all(name.as_bytes()).await.unwrap();
                let (mut reader, mut writer) = stream.split();
                drop(tokio::io::copy(&mut reader, &mut writer).await);
            });
        }
    });
    (serving, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocol() {
    let server = serve(directory("examples/protocol")).await;
    let mut ada = server.connect().await;
    let mut bob = server.connect().await;
    for (line, answer) in [
        (r#"{"type":"ping"}"#, "pong"),
        ("nonsense", "error: a line is one JSON object"),
        (r#"{"type":"dance"}"#, "error: what is dance?"),
        (
            r#"{"type":"publish","channel":"news","text":"too early"}"#,
            "error: auth first",
        ),
        (
            r#"{"type":"auth","user":"ada","token":"x"}"#,
            "error: wrong token",
        ),
        (
            r#"{"type":"auth","user":"ada","token":"sesame"}"#,
            "welcome ada",
        ),
        (
            r#"{"type":"subscribe","channel":"news"}"#,
            "subscribed to news, 1 here",
        ),
    ] {
        ada.send(format!("{line}\n")).await;
        assert_eq!(ada.line().await, answer);
    }
    bob.send("{\"type\":\"subscribe\",\"channel\":\"news\"}\r\n")
        .await;
    assert_eq!(bob.line().await, "subscribed to news, 2 here");
    ada.send("{\"type\":\"publish\",\"channel\":\"news\",\"text\":\"hello\"}\n")
        .await;
    for peer in [&mut ada, &mut bob] {
        assert_eq!(peer.line().await, "news ada: hello");
    }
    drop(ada);
    server.connections(1).await;
    bob.send("{\"type\":\"subscribe\",\"channel\":\"news\"}\n")
        .await;
    assert_eq!(bob.line().await, "subscribed to news, 1 here");
    assert_eq!(server.stop().await.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resilient_client() {
    let (listening, port) = listener().await;
    let input = changed(
        "resilient-client",
        &[
            ("port 9000", format!("port {port}")),
            ("1 second", "0.02 seconds".to_owned()),
        ],
    );
    let server = serve(input).await;
    for _ in 0..2 {
        let (mut stream, _) = within("the client comes", listening.accept())
            .await
            .unwrap();
        let mut greeting = [0; 28];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"hello from a patient client\n");
        stream.write_all(b"welcome").await.unwrap();
        server.output("the server says welcome\n").await;
    }
    drop(listening);
    let output = server.output("[Give Up] giving up\n").await;
    for line in [
        "[Come Back] lost: connection closed\n",
        "[Try Again] attempt 1 of 5: Connection refused\n",
        "[Try Again] attempt 4 of 5: Connection refused\n",
    ] {
        assert!(output.contains(line), "{output}");
    }
    assert!(!output.contains("attempt 5 of 5"), "{output}");
    let stopped = server.stop().await;
    assert_eq!(
        (stopped.outcome, stopped.error.as_str()),
        (Outcome::Success, "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kick() {
    let server = serve(changed("kick", &[("port 9001", "port 0".to_owned())])).await;
    let [lobby, admin] = server.addresses()[..] else {
        panic!("two listeners");
    };
    let mut guests = Vec::new();
    for _ in 0..3 {
        let mut guest = Peer::connect(lobby).await;
        let line = guest.line().await;
        let id = line.strip_prefix("you are ").unwrap().to_owned();
        guests.push((guest, id));
    }
    let mut administrator = Peer::connect(admin).await;
    administrator.send("list\n").await;
    let mut listed = Vec::new();
    loop {
        let line = administrator.line().await;
        if line == "end" {
            break;
        }
        listed.push(line);
    }
    let expected: Vec<String> = guests
        .iter()
        .map(|(guest, id)| format!("{id} {}", guest.address()))
        .collect();
    assert_eq!(listed, expected);
    let (mut kicked, id) = guests.remove(1);
    administrator.send(format!("kick {id}\n")).await;
    assert_eq!(administrator.line().await, "kicked");
    assert_eq!(kicked.line().await, "You have been disconnected");
    kicked.closed().await;
    drop(kicked);
    server.connections(3).await;
    administrator.send(format!("kick {id}\n")).await;
    assert_eq!(administrator.line().await, "nobody has that id");
    guests[0].0.send("still here\n").await;
    assert_eq!(guests[1].0.line().await, "still here");
    assert_eq!(server.stop().await.error, "");
}

/// Bytes that go through the proxy on each connection.
const PROXIED_BYTES: usize = 1 << 20;

async fn through(proxy: SocketAddr, seed: u64) {
    let stream = TcpStream::connect(proxy).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut greeting = [0; 1];
    within("the backend's greeting", reader.read_exact(&mut greeting))
        .await
        .unwrap();
    let mut sent = vec![0; PROXIED_BYTES];
    Random::new(seed).fill(&mut sent);
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer
    });
    let mut received = vec![0; PROXIED_BYTES];
    within("everything comes back", reader.read_exact(&mut received))
        .await
        .unwrap();
    assert!(received == expected, "bytes of connection {seed}");
    drop(writing.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_proxy() {
    let (_backend, port) = backend("!").await;
    let server = serve(changed("tcp-proxy", &[("9100", port.to_string())])).await;
    let address = server.address();
    let before = server.entries();
    let clients: Vec<_> = (1..=20)
        .map(|seed| tokio::spawn(through(address, seed)))
        .collect();
    for client in clients {
        within("a client is done", client).await.unwrap();
    }
    server.connections(0).await;
    let gone = async {
        while server.entries() != before {
            tokio::task::yield_now().await;
        }
    };
    within("both sides of every pair are gone", gone).await;
    // Without a backend.
    let (closed, dead) = listener().await;
    drop(closed);
    let alone = serve(changed("tcp-proxy", &[("9100", dead.to_string())])).await;
    alone.connect().await.closed().await;
    alone.stop().await;
    assert_eq!(server.stop().await.outcome, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_balancer() {
    let mut backends = Vec::new();
    for name in ["a", "b", "c"] {
        backends.push(backend(name).await);
    }
    let ports: Vec<_> = backends.iter().map(|(_, port)| *port).collect();
    let input = changed(
        "load-balancer",
        &[
            ("9101", ports[0].to_string()),
            ("9102", ports[1].to_string()),
            ("9103", ports[2].to_string()),
        ],
    );
    let server = serve(input).await;
    let visit = async || {
        let stream = server.connect().await.into_stream();
        let (mut reader, mut writer) = stream.into_split();
        // Whoever has nothing to say still hears.
        writer.shutdown().await.unwrap();
        let mut name = [0; 1];
        within("a backend's name", reader.read_exact(&mut name))
            .await
            .unwrap();
        char::from(name[0])
    };
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..30 {
        *counts.entry(visit().await).or_insert(0) += 1;
    }
    let even = [('a', 10), ('b', 10), ('c', 10)];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), even);
    // Those that come at once have a turn each, too: none is lost, none is given twice.
    let at_once = futures_util::future::join_all((0..60).map(|_| visit())).await;
    for name in ['a', 'b', 'c'] {
        let count = at_once.iter().filter(|one| **one == name).count();
        assert_eq!(count, 20, "{at_once:?}");
    }
    backends.remove(1).0.abort();
    for _ in 0..12 {
        let name = visit().await;
        assert_ne!(name, 'b', "the backend is down");
    }
    for (serving, _) in backends {
        serving.abort();
    }
    let mut unlucky = server.connect().await;
    assert_eq!(unlucky.line().await, "no backend");
    unlucky.closed().await;
    server.stop().await;
}
