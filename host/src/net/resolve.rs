//! From a host and a port to addresses: the one place where it is decided whether a program may connect there, and where names are resolved.

use super::connect::ConnectError;
use crate::grants::address;
use crate::tenant::Tenant;
use std::net::SocketAddr;
use std::sync::Arc;

/// Longest name (RFC 1035 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// The addresses to try in turn, at least one, IPv4 first. The caller bounds the wait.
///
/// # Errors
/// [`ConnectError`] if the operator does not grant the target, or it has no address.
pub(super) async fn resolve(
    tenant: &Arc<Tenant>,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let granted = &tenant.settings.grants.outbound;
    if !granted.grants(host, port) {
        return Err(ConnectError::Denied {
            host: host.to_owned(),
            port,
        });
    }
    if let Some(address) = address(host) {
        return reachable(tenant, host, vec![SocketAddr::new(address, port)]);
    }
    let not_found = || ConnectError::NotFound {
        host: host.chars().take(NAME_BYTES_MAX).collect(),
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() || !byte.is_ascii();
    if host.is_empty() || host.len() > NAME_BYTES_MAX || !host.bytes().all(is_plain) {
        return Err(not_found());
    }
    // The system resolves on a thread, and does not stop because nobody waits any more: the permit stays with the thread.
    let permit = Arc::clone(&tenant.resolutions)
        .acquire_owned()
        .await
        .expect("this semaphore is never closed");
    let name = host.to_owned();
    let lookup = tokio::spawn(async move {
        let found = tokio::net::lookup_host((name, port)).await;
        drop(permit);
        found.map(Iterator::collect::<Vec<_>>)
    });
    let Ok(Ok(mut addresses)) = lookup.await else {
        return Err(not_found());
    };
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.dedup();
    if addresses.is_empty() {
        return Err(not_found());
    }
    let mut addresses = reachable(tenant, host, addresses)?;
    addresses.truncate(ADDRESSES_MAX);
    Ok(addresses)
}

/// Those of the addresses that may be connected to. What is answered here is what is connected to: no name is looked up again.
fn reachable(
    tenant: &Tenant,
    host: &str,
    mut addresses: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let refused = addresses.first().copied();
    let granted = &tenant.settings.grants.outbound;
    addresses.retain(|address| granted.reaches(host, *address));
    match refused {
        Some(address) if addresses.is_empty() => Err(ConnectError::NotPublic {
            host: host.to_owned(),
            address,
        }),
        _ => Ok(addresses),
    }
}
