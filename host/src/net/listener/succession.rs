//! What becomes of listeners when one version of a program replaces another: those that the new start asks for stay open, the others are closed, and no connection is.

use super::{Listener, say_stopped};
use crate::conn::Connection;
use crate::conn::table::Which;
use crate::life::{Claim, Life};
use crate::net::connect;
use crate::net::http::Server;
use crate::net::report;
use crate::tenant::Tenant;
use std::net::SocketAddr;
use std::sync::Arc;

/// The open listener on an address that the start of a successor asks for, and has not taken over already.
pub(super) fn open_on(tenant: &Tenant, life: &Life, asked: SocketAddr) -> Option<Arc<Listener>> {
    if !life.is_succeeding() {
        return None;
    }
    let claims = life.claims.lock();
    let mut open = tenant.sockets.listeners().into_iter();
    open.find(|open| {
        open.asked == asked && open.is_open() && !claims.listeners.contains_key(&open.id)
    })
}

/// The open HTTP server on an address that the start of a successor asks for; it is taken over.
pub(crate) fn server_on(tenant: &Tenant, life: &Life, asked: SocketAddr) -> Option<Arc<Server>> {
    if !life.is_succeeding() {
        return None;
    }
    let servers = tenant.http.lock();
    let mut open = servers.iter();
    let found = open.find(|server| server.asked() == asked && server.is_open())?;
    // Asked for twice by one start it is opened twice, which the system refuses.
    let earlier = life.claims.lock().servers.insert(asked, Claim::TakenOver);
    earlier.is_none().then(|| Arc::clone(found))
}

/// The open connection that the start of a successor would open again under the same name; it is taken over.
pub(crate) fn connection_of(
    tenant: &Tenant,
    life: &Life,
    request: &connect::Request,
) -> Option<Arc<Connection>> {
    if !life.is_succeeding() || request.name.is_empty() {
        return None;
    }
    let id = tenant.sockets.named(&request.name)?;
    let connection = tenant.sockets.connection(id)?;
    let same = connection.listener().is_none()
        && connection.remote() == connect::target(request)
        && connection.framing() == request.framing
        && connection.keeps_half() == request.half_close
        && connection.is_open();
    same.then_some(connection)
}

/// The open WebSocket that the start of a successor would open again under the same name; it is taken over.
pub(crate) fn websocket_of(
    tenant: &Tenant,
    life: &Life,
    request: &connect::Request,
    path: &str,
) -> Option<Arc<Connection>> {
    let open = connection_of(tenant, life, request)?;
    (open.websocket_path() == Some(path)).then_some(open)
}

/// Closes what an earlier start has opened and this one has not asked for. To be called when its life has been admitted.
pub(crate) fn close_others(tenant: &Arc<Tenant>, life: &Life) {
    let claims = std::mem::take(&mut *life.claims.lock());
    tenant.client_streams.keep(&claims.streams);
    for listener in tenant.sockets.listeners() {
        let claim = claims.listeners.get(&listener.id);
        let stays = matches!(claim, Some(Claim::Opened | Claim::TakenOver));
        if listener.at_start && !stays {
            stop(tenant, &listener);
        }
    }
    let mut closed = Vec::new();
    tenant.http.lock().retain(|server| {
        let stays = !server.is_of_start() || claims.servers.contains_key(&server.asked());
        if !stays {
            closed.push(Arc::clone(server));
        }
        stays
    });
    closed.iter().for_each(|server| server.stop_accepting());
}

/// Forgets what a refused start has opened; its listeners have accepted nothing.
pub(crate) fn close_own(tenant: &Arc<Tenant>, life: &Life) {
    let claims = std::mem::take(&mut *life.claims.lock());
    for listener in tenant.sockets.listeners() {
        if claims.listeners.get(&listener.id) == Some(&Claim::Opened) {
            listener.stop_accepting();
            tenant.sockets.leave(listener.id);
        }
    }
    tenant.http.lock().retain(|server| {
        let is_own = claims.servers.get(&server.asked()) == Some(&Claim::Opened);
        if is_own {
            server.stop_accepting();
        }
        !is_own
    });
}

/// Stops accepting; connections stay.
fn stop(tenant: &Arc<Tenant>, listener: &Arc<Listener>) {
    listener.stop_accepting();
    if !tenant.sockets.leave(listener.id) {
        return;
    }
    let mut left = 0;
    tenant
        .sockets
        .each_connection(Which::Of(listener.id), |_| left += 1);
    tracing::info!(tenant = %tenant.id, address = %listener.address, connections = left, "the new version does not listen here");
    say_stopped(tenant);
    report::server_stopped(tenant, listener);
}
