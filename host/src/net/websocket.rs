//! WebSockets (RFC 6455; runtime.md 5): the handshake on the HTTP server, frames, and what a peer's silence means.
//!
//! Once open, a WebSocket is a connection like others: the same table, the same task, the same queue.

use super::counted::Counted;
use super::tcp;
use crate::conn::Origin;
use crate::observe::limit::Limit;
use crate::observe::traffic::Protocol;
use crate::tenant::{Phase, Slot, Tenant};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use std::net::SocketAddr;
use std::sync::Arc;

mod frame;
mod handshake;
mod session;

pub(crate) use frame::{CloseReason, Head, Kind, head, masked};
pub(crate) use handshake::{Configuration, Place, Upgrade, hint, requested};
pub(crate) use session::{Received, Session, Side, Silence};

/// Carries an upgrade out: from here on the bytes of the connection are those of a WebSocket. The response must have left, or never will.
pub(crate) async fn open(
    tenant: &Arc<Tenant>,
    upgrade: Upgrade,
    mut slot: Slot,
    remote: SocketAddr,
    port: u16,
) {
    let stream = match upgrade
        .on
        .await
        .map(auto::upgrade::downcast::<TokioIo<Counted>>)
    {
        Ok(Ok(parts)) => parts,
        Ok(Err(_)) | Err(_) => {
            tracing::debug!(tenant = %tenant.id, %remote, "the peer left during the handshake");
            return;
        }
    };
    let origin = Origin::WebSocket(Box::new(Place {
        path: upgrade.path,
        remote,
        port,
    }));
    match tenant.sockets.enter_connection(origin, tenant.queue()) {
        Ok(connection) => {
            // The program may have begun to end since the request came, and have missed it.
            if tenant.is_in(Phase::Closing) {
                connection.close(CloseReason::GOING_AWAY);
            }
            slot.becomes(Protocol::WebSocket);
            let slots = (slot, upgrade.slot);
            let (tenant, stream, received) = (Arc::clone(tenant), stream.io, stream.read_buf);
            let tasks = tenant.tasks.clone();
            tasks.spawn(tcp::serve_websocket(
                tenant,
                connection,
                stream.into_inner().into_inner(),
                slots,
                received,
            ));
        }
        Err(error) => {
            tenant.counters.hit(Limit::Connections);
            tracing::warn!(tenant = %tenant.id, %error, "WebSocket refused");
        }
    }
}
