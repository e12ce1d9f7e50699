//! Listening sockets: opening them, accepting until they are closed, surviving what the system refuses.

use super::tcp;
use crate::conn::Connection;
use crate::conn::id::SocketId;
use crate::conn::outbound::{Closing, Outbound, QueueLimits};
use crate::conn::table::{EnterError, Socket};
use crate::console::Stream;
use crate::tenant::{Phase, Tenant};
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Connections that the system completes before they are accepted (runtime.md 6.1).
const BACKLOG: i32 = 256;
/// First and longest pause after the system refused to accept, for want of descriptors or memory.
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(5);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A listening socket as the rest of the host sees it; its task holds the socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) id: SocketId,
    /// Name in the directory.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    closed: CancellationToken,
}

impl Listener {
    pub(crate) fn is_open(&self) -> bool {
        !self.closed.is_cancelled()
    }

    /// Stops accepting. Connections stay as they are.
    pub(crate) fn stop_accepting(&self) {
        self.closed.cancel();
    }
}

/// Why a program cannot listen; shown to it as the cause of the failed statement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("at most {max} listeners may be open")]
    TooMany { max: usize },
    #[error("the program is shutting down")]
    Draining,
    #[error(transparent)]
    Enter(#[from] EnterError),
}

/// Opens a listener, enters it into the directory as `name` and starts accepting.
pub(crate) fn listen(tenant: &Arc<Tenant>, port: u16, name: &str) -> Result<SocketId, ListenError> {
    let max = tenant.settings.limits.listeners_max;
    if tenant.is_in(Phase::Draining) {
        return Err(ListenError::Draining);
    }
    if tenant.listeners.load(Ordering::Acquire) >= max {
        return Err(ListenError::TooMany { max });
    }
    let first = !tenant.port_override_used.load(Ordering::Acquire);
    let port = tenant
        .settings
        .socket_port_override
        .filter(|_| first)
        .unwrap_or(port);
    let address = SocketAddr::new(tenant.settings.bind, port);
    let refused = |source| ListenError::Bind { address, source };
    let socket = bind(address).map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    tenant.port_override_used.store(true, Ordering::Release);
    let build = |id| {
        Socket::Listener(Arc::new(Listener {
            id,
            name: name.to_owned(),
            address,
            closed: CancellationToken::new(),
        }))
    };
    let Socket::Listener(listener) = tenant.sockets.enter(build)? else {
        return Err(ListenError::Draining);
    };
    tenant.sockets.name(name, listener.id);
    tenant.listeners.fetch_add(1, Ordering::AcqRel);
    tenant.console.write(
        Stream::Output,
        &format!("Socket Server started on port {}", address.port()),
    );
    let id = listener.id;
    let accepting = Arc::clone(tenant);
    tenant.tasks.spawn(async move {
        let admit = |stream, remote| admit(&accepting, &listener, stream, remote);
        accept(&accepting, &listener.closed, &socket, admit).await;
    });
    Ok(id)
}

/// Stops listening and ends the listener's connections after their queues are flushed. Without effect on a listener that is gone.
pub(crate) fn close(tenant: &Tenant, id: SocketId) {
    let Some(Socket::Listener(listener)) = tenant.sockets.find(id) else {
        return;
    };
    listener.stop_accepting();
    // Whether it still accepts says nothing: a program that ends closes listeners that accept no more.
    if !tenant.sockets.leave(id) {
        return;
    }
    tenant.sockets.unname(&listener.name, id);
    tenant
        .console
        .write(Stream::Output, "Socket Server stopped");
    tenant.sockets.each_connection(Some(id), |connection| {
        connection.outbound.close(Closing::Flush)
    });
}

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until it is `closed`, whatever the system refuses meanwhile; gives each connection to `admit`.
pub(super) async fn accept(
    tenant: &Tenant,
    closed: &CancellationToken,
    socket: &TcpListener,
    admit: impl Fn(TcpStream, SocketAddr),
) {
    let mut pause = ACCEPT_PAUSE_MIN;
    loop {
        let accepted = tokio::select! {
            biased;
            () = closed.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                pause = ACCEPT_PAUSE_MIN;
                admit(stream, remote);
            }
            // The peer gave up before we took it: nothing is wrong here.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tenant.counters.accept_errors.add(1);
                tracing::warn!(tenant = %tenant.id, %error, "accept failed");
                tokio::select! {
                    () = closed.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
    tenant.listeners.fetch_sub(1, Ordering::AcqRel);
    tenant.listeners_changed.notify_waiters();
}

/// Starts the task of a new connection, or closes it at once when the tenant has too many.
fn admit(tenant: &Arc<Tenant>, listener: &Arc<Listener>, stream: TcpStream, remote: SocketAddr) {
    let limits = &tenant.settings.limits;
    if tenant.connections.fetch_add(1, Ordering::AcqRel) >= limits.connections_max {
        tenant.connections.fetch_sub(1, Ordering::AcqRel);
        tenant.counters.connections_refused.add(1);
        return;
    }
    let queue = Outbound::new(QueueLimits {
        bytes_max: limits.queue_bytes_max,
        messages_max: limits.queue_messages_max,
    });
    let build = |id| {
        Socket::Connection(Arc::new(Connection::new(
            id,
            remote,
            Arc::clone(listener),
            queue,
        )))
    };
    match tenant.sockets.enter(build) {
        Ok(Socket::Connection(connection)) => {
            tenant.counters.connections_opened.add(1);
            // The listener or the program may have been closed since the peer was accepted, and have missed it.
            if !listener.is_open() {
                connection.outbound.close(Closing::Flush);
            }
            tenant
                .tasks
                .spawn(tcp::serve(Arc::clone(tenant), connection, stream));
        }
        Ok(Socket::Listener(_)) => {}
        Err(error) => {
            tenant.connections.fetch_sub(1, Ordering::AcqRel);
            tenant.counters.connections_refused.add(1);
            tracing::warn!(tenant = %tenant.id, %error, "connection refused");
        }
    }
}
