//! Tenants of one host do not see each other.

use crate::support::{BROADCAST, CONNECTIONS, Part, artifact, exchange, settings, within};
use aro_host::{Host, Outcome, TenantId};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_stays_within_its_tenant() {
    // Broadcasts to all listeners, which are all of the tenant's.
    let code = "(drop (call $broadcast (i32.const 0) (i64.const 0) (i64.const 0) (local.get $ptr) (local.get $len)))";
    let file = artifact(&[Part::start(), Part::data(&[CONNECTIONS], BROADCAST, code)]);
    let host = Host::new(settings().0).unwrap();
    let mut programs = Vec::new();
    let mut peers = Vec::new();
    for name in ["one", "two"] {
        let mut program = host.load(TenantId::new(name).unwrap(), &file).unwrap();
        assert_eq!(program.start().await, Outcome::Success);
        peers.push(TcpStream::connect(program.listeners()[0]).await.unwrap());
        programs.push(program);
    }
    assert_eq!(
        exchange(&mut peers[1], b"two is connected").await,
        b"two is connected"
    );
    assert_eq!(
        exchange(&mut peers[0], b"for one only").await,
        b"for one only"
    );
    assert_eq!(
        exchange(&mut peers[1], b"for two only").await,
        b"for two only"
    );
    let silence =
        tokio::time::timeout(Duration::from_millis(100), peers[0].read(&mut [0; 1])).await;
    assert!(silence.is_err(), "tenant one received what tenant two said");
    let stopped = programs.remove(0);
    assert_eq!(within(stopped.stop()).await, Outcome::Success);
    assert_eq!(
        exchange(&mut peers[1], b"two goes on").await,
        b"two goes on"
    );
}

#[test]
fn a_tenant_has_one_program_at_a_time() {
    let file = artifact(&[Part::start()]);
    let host = Host::new(settings().0).unwrap();
    let first = host.load(TenantId::default(), &file).unwrap();
    let refused = host.load(TenantId::default(), &file).err().unwrap();
    assert_eq!(refused.to_string(), "tenant default already has a program");
    drop(first);
    assert!(host.load(TenantId::default(), &file).is_ok());
}

#[test]
fn names_of_tenants_are_short_and_plain() {
    assert!(TenantId::new("shop-1_a").is_ok());
    for name in ["", "a b", "é", "../x", &"x".repeat(65)] {
        assert!(TenantId::new(name).is_err(), "{name}");
    }
}
