//! A tenant that knows, or guesses, what belongs to another one: every function that takes an identity or a name is tried with those of the neighbour.

use crate::support::{CONNECTIONS, Part, artifact, settings, within};
use aro_host::{Host, Outcome, Program, TenantId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LISTENERS: &str = "aro:net/listeners@0.1.0";
const CHANNELS: &str = "aro:net/channels@0.1.0";
const DIRECTORY: &str = "aro:net/directory@0.1.0";
const WEBSOCKETS: &str = "aro:net/websockets@0.1.0";

const IMPORTS: &str = r#"
  (import "aro:net/connections@0.1.0" "send" (func $send (param i64 i64 i32 i32 i32 i32)))
  (import "aro:net/connections@0.1.0" "broadcast" (func $broadcast (param i32 i64 i64 i32 i32) (result i32)))
  (import "aro:net/connections@0.1.0" "broadcast-where" (func $broadcast-where (param i32 i64 i64 i32 i32 i32 i32 i32)))
  (import "aro:net/connections@0.1.0" "close" (func $close (param i64 i64)))
  (import "aro:net/listeners@0.1.0" "close" (func $close-listener (param i64 i64)))
  (import "aro:net/channels@0.1.0" "subscribe" (func $subscribe (param i64 i64 i32 i32 i32)))
  (import "aro:net/channels@0.1.0" "unsubscribe" (func $unsubscribe (param i64 i64 i32 i32)))
  (import "aro:net/channels@0.1.0" "publish" (func $publish (param i32 i32 i32 i32) (result i32)))
  (import "aro:net/channels@0.1.0" "count" (func $count (param i32 i32) (result i32)))
  (import "aro:net/directory@0.1.0" "describe" (func $describe (param i64 i64 i32)))
  (import "aro:net/directory@0.1.0" "find" (func $find (param i32 i32 i32)))
  (import "aro:net/websockets@0.1.0" "close" (func $close-websocket (param i64 i64 i32 i32 i32 i32)))
"#;

const INTERFACES: &[&str] = &[CONNECTIONS, LISTENERS, CHANNELS, DIRECTORY, WEBSOCKETS];

/// Identities that a peer of the victim is told: of its listener, of its own connection.
struct Identities {
    listener: [u8; 16],
    connection: [u8; 16],
}

/// Subscribes its peers to `news`, and tells each who it is and who listens.
fn victim() -> Part {
    let mut part = Part::data(
        &[CONNECTIONS, CHANNELS, DIRECTORY],
        r#"
  (import "aro:net/connections@0.1.0" "send" (func $send (param i64 i64 i32 i32 i32 i32)))
  (import "aro:net/channels@0.1.0" "subscribe" (func $subscribe (param i64 i64 i32 i32 i32)))
  (import "aro:net/directory@0.1.0" "find" (func $find (param i32 i32 i32)))
"#,
        "(call $subscribe (local.get $hi) (local.get $lo) (i32.const 1030) (i32.const 4) (i32.const 64))
         (call $find (i32.const 1024) (i32.const 6) (i32.const 96))
         (i64.store (i32.const 120) (local.get $hi)) (i64.store (i32.const 128) (local.get $lo))
         (call $send (local.get $hi) (local.get $lo) (i32.const 104) (i32.const 32) (i32.const 0) (i32.const 64))",
    );
    part.body
        .push_str(r#"(data (i32.const 1024) "servernews")"#);
    part
}

/// Tries the identity that it is sent on everything, and `server` and `news` as names; answers what came of each.
fn intruder() -> Part {
    let mut part = Part::data(
        INTERFACES,
        IMPORTS,
        "(local $a i64) (local $b i64)
         (local.set $a (i64.load (local.get $ptr)))
         (local.set $b (i64.load offset=8 (local.get $ptr)))
         (call $send (local.get $a) (local.get $b) (i32.const 1024) (i32.const 6) (i32.const 0) (i32.const 64))
         (i32.store8 (i32.const 200) (i32.load8_u (i32.const 64)))
         (call $describe (local.get $a) (local.get $b) (i32.const 256))
         (i32.store8 (i32.const 201) (i32.load8_u (i32.const 256)))
         (i32.store8 (i32.const 202) (call $broadcast (i32.const 1) (local.get $a) (local.get $b) (i32.const 1024) (i32.const 6)))
         (call $subscribe (local.get $a) (local.get $b) (i32.const 1034) (i32.const 4) (i32.const 64))
         (i32.store8 (i32.const 203) (call $count (i32.const 1034) (i32.const 4)))
         (call $unsubscribe (local.get $a) (local.get $b) (i32.const 1030) (i32.const 4))
         (call $find (i32.const 1024) (i32.const 6) (i32.const 96))
         (i32.store8 (i32.const 204) (i32.load8_u (i32.const 96)))
         (i32.store8 (i32.const 205) (call $count (i32.const 1030) (i32.const 4)))
         (i32.store8 (i32.const 206) (call $publish (i32.const 1030) (i32.const 4) (i32.const 1024) (i32.const 6)))
         (call $broadcast-where (i32.const 1) (local.get $a) (local.get $b) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 6) (i32.const 64))
         (i32.store8 (i32.const 207) (i32.load8_u (i32.const 64)))
         (i32.store8 (i32.const 208) (i32.load8_u (i32.const 68)))
         (call $send (local.get $hi) (local.get $lo) (i32.const 200) (i32.const 9) (i32.const 0) (i32.const 64))
         (call $close-websocket (local.get $a) (local.get $b) (i32.const 1000) (i32.const 1024) (i32.const 6) (i32.const 64))
         (call $close-listener (local.get $a) (local.get $b))
         (call $close (local.get $a) (local.get $b))",
    );
    part.body
        .push_str(r#"(data (i32.const 1024) "servernewsmine")"#);
    part
}

/// Nothing of what was tried has found anything: to send failed, nobody was described, subscribed, found, counted or reached, by a selection of all neither.
const NOTHING: [u8; 9] = [1, 0, 0, 0, 0, 0, 0, 0, 0];

async fn start(host: &Host, name: &str, parts: &[Part]) -> Program {
    let id = TenantId::new(name).unwrap();
    let mut own = settings().0;
    own.limits.instances_max = 8;
    let mut program = host.load_as(id, own, &artifact(parts)).unwrap();
    assert_eq!(within(program.start()).await, Outcome::Success);
    program
}

async fn identities(peer: &mut TcpStream) -> Identities {
    let mut told = [0; 32];
    within(peer.write_all(b"who")).await.unwrap();
    within(peer.read_exact(&mut told)).await.unwrap();
    Identities {
        listener: told[..16].try_into().unwrap(),
        connection: told[16..].try_into().unwrap(),
    }
}

/// What comes of an identity.
async fn tried(peer: &mut TcpStream, identity: [u8; 16]) -> [u8; 9] {
    let mut answer = [0; 9];
    within(peer.write_all(&identity)).await.unwrap();
    within(peer.read_exact(&mut answer)).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_identity_and_no_name_reaches_what_another_tenant_has() {
    let host = Host::new(settings().0).unwrap();
    let victim = start(&host, "victim", &[Part::start(), victim()]).await;
    // Its listener has another name, so that finding `server` would mean finding the victim's.
    let mut named = Part::start();
    named.body = named.body.replace("\"serverOK", "\"hiddenOK");
    let intruder = start(&host, "intruder", &[named, intruder()]).await;
    let mut of_victim = TcpStream::connect(victim.listeners()[0]).await.unwrap();
    let known = identities(&mut of_victim).await;
    let mut peer = TcpStream::connect(intruder.listeners()[0]).await.unwrap();
    for identity in [known.connection, known.listener, [0; 16], [0xFF; 16]] {
        assert_eq!(tried(&mut peer, identity).await, NOTHING);
    }
    // Those that differ by one bit, and those of the next slots and generations among them.
    for bit in 0..128 {
        let mut guessed = known.connection;
        guessed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(tried(&mut peer, guessed).await, NOTHING, "bit {bit}");
    }
    // Nothing was sent to the victim's peer, its connection and its listener are open, and it is still subscribed.
    let again = identities(&mut of_victim).await;
    assert_eq!(
        (again.connection, again.listener),
        (known.connection, known.listener)
    );
    let mut late = TcpStream::connect(victim.listeners()[0]).await.unwrap();
    assert_eq!(identities(&mut late).await.listener, known.listener);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_attempts_reach_what_is_ones_own() {
    // Without this the test above would pass if nothing worked at all.
    let host = Host::new(settings().0).unwrap();
    let file = artifact(&[Part::start(), victim(), intruder()]);
    let mut program = host.load(TenantId::default(), &file).unwrap();
    assert_eq!(within(program.start()).await, Outcome::Success);
    let mut first = TcpStream::connect(program.listeners()[0]).await.unwrap();
    // Both handlers answer: 32 bytes of who is who, what is published to `news`, and 9 of what came of 16 bytes of nobody's.
    let told = exchange_of(&mut first, &[0; 16], 47).await;
    let connection: [u8; 16] = told[16..32].try_into().unwrap();
    let mut second = TcpStream::connect(program.listeners()[0]).await.unwrap();
    let told = exchange_of(&mut second, &connection, 47).await;
    assert_eq!(&told[32..38], b"server");
    // Sent, described, subscribed, found by name, counted, published; a connection is no listener to broadcast to.
    assert_eq!(told[38..], [0, 1, 0, 1, 1, 1, 1, 0, 0]);
    // The first peer has got what was sent to it, and then its connection was closed.
    let mut rest = Vec::new();
    within(first.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"server");
}

/// Sends, and reads `length` bytes.
async fn exchange_of(peer: &mut TcpStream, bytes: &[u8], length: usize) -> Vec<u8> {
    let mut answer = vec![0; length];
    within(peer.write_all(bytes)).await.unwrap();
    within(peer.read_exact(&mut answer)).await.unwrap();
    answer
}
