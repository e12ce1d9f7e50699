//! Connections of other protocols than HTTP, within TLS: the name in the handshake says whose they are, and from then on they are that tenant's alone.

use super::Guest;
use crate::net::listener;
use crate::net::transport::Transport;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Shakes hands and hands the connection over.
pub(super) async fn serve(guest: Guest, stream: TcpStream, remote: SocketAddr) {
    let door = &guest.door;
    let rules = door.rules.load_full();
    let Some(config) = rules.config() else {
        return;
    };
    let secured = tokio::select! {
        () = door.closed.cancelled() => return,
        secured = door.secured(&config, stream) => secured,
    };
    let stream = match secured {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(listener = %rules.settings.name, %remote, %error, "no connection began");
            return;
        }
    };
    let tenant = {
        let rules = door.rules.load();
        let paths = rules.host(stream.get_ref().1.server_name());
        let entry = paths.and_then(|paths| paths.find("/"));
        entry.and_then(|entry| entry.place.tenant.load_full())
    };
    let attached = tenant.and_then(|tenant| {
        let listener = tenant.tcp_attached.load_full()?;
        Some((tenant, listener))
    });
    match attached {
        Some((tenant, listener)) => {
            listener::admit(
                &tenant,
                &listener,
                Transport::Tls(Box::new((*stream).into())),
                remote,
            );
        }
        None => {
            tracing::debug!(listener = %rules.settings.name, %remote, "nobody listens for this connection");
        }
    }
}
