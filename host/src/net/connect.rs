//! Outbound connections: resolving, connecting within a time, and entering what was opened.

use super::frame::Framing;
use super::listener::succession;
use super::report::{self, SocketError};
use super::resolve::resolve;
use super::tcp;
use super::transport::Transport;
use crate::conn::id::SocketId;
use crate::conn::outbound::Closing;
use crate::conn::table::EnterError;
use crate::conn::{Connection, Origin};
use crate::grants::address;
use crate::life::Life;
use crate::tenant::{Phase, Slot, Tenant};
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// What a program asks for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// A name or an address, IPv6 in brackets or not.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Name in the directory; empty for none.
    pub(crate) name: String,
    pub(crate) framing: Framing,
    /// Whether the connection outlives the end of what the peer sends.
    pub(crate) half_close: bool,
    /// None for the operator's, which is also the most.
    pub(crate) time: Option<Duration>,
}

/// Why no connection was opened; shown to the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("Connection refused")]
    Refused,
    #[error("Host not found: {host}")]
    NotFound { host: String },
    #[error("Connect timeout")]
    TimedOut,
    #[error("Permission denied: {host}:{port}")]
    Denied { host: String, port: u16 },
    #[error(
        "Permission denied: {host}:{} ({} is not a public address; --connect {address} grants it)",
        address.port(),
        address.ip()
    )]
    NotPublic { host: String, address: SocketAddr },
    #[error("at most {max} outbound connections may be open")]
    TooManyOutbound { max: usize },
    #[error("at most {max} connections may be open")]
    TooMany { max: usize },
    #[error("the program is shutting down")]
    Draining,
    #[error(transparent)]
    Enter(#[from] EnterError),
    #[error("{0}")]
    System(io::Error),
}

impl ConnectError {
    /// As `connect-error-code` spells it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NotFound { .. } => "not-found",
            Self::TimedOut => "timed-out",
            Self::Denied { .. } | Self::NotPublic { .. } => "denied",
            Self::TooManyOutbound { .. }
            | Self::TooMany { .. }
            | Self::Draining
            | Self::Enter(_) => "exhausted",
            Self::System(_) => "failed",
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::Refused
        } else if error.kind() == io::ErrorKind::TimedOut {
            Self::TimedOut
        } else {
            Self::System(error)
        }
    }
}

/// Opens a connection and starts its task. A failure is also an event.
pub(crate) async fn connect(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    request: Request,
) -> Result<SocketId, ConnectError> {
    if let Some(open) = succession::connection_of(tenant, life, &request) {
        return Ok(open.id);
    }
    let opened = open(tenant, life, &request).await;
    if let Err(error) = &opened {
        failed(tenant, &request, error.code(), error);
    }
    opened
}

/// Counts and reports an attempt that failed.
pub(super) fn failed(
    tenant: &Arc<Tenant>,
    request: &Request,
    code: &'static str,
    error: &impl Display,
) {
    let attempt = match request.name.as_str() {
        "" => None,
        name => Some(tenant.sockets.failed(name)),
    };
    tracing::debug!(tenant = %tenant.id, target = target(request), %error, "cannot connect");
    let error = error.to_string();
    report::connect_failed(tenant, request, attempt, &SocketError { code, error });
}

/// Enters a connection that has been opened, under its name, and lets `serve` live it once the version that opened it is admitted: without that it never was.
pub(super) fn enter<F: Future<Output = ()> + Send + 'static>(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    (name, origin): (&str, Origin),
    serve: impl FnOnce(Arc<Connection>) -> F + Send + 'static,
) -> Result<SocketId, EnterError> {
    let connection = tenant.sockets.enter_connection(origin, tenant.queue())?;
    let id = connection.id;
    life.note_name(tenant, name);
    if !name.is_empty()
        && let Err(error) = tenant.sockets.name(name, id)
    {
        tenant.sockets.leave(id);
        return Err(error);
    }
    if tenant.is_in(Phase::Closing) {
        connection.outbound.close(Closing::Flush);
    }
    let (owner, life) = (Arc::clone(tenant), Arc::clone(life));
    tenant.tasks.spawn(async move {
        if !life.is_admitted().await {
            connection.mark_closed();
            owner.sockets.leave(connection.id);
            return;
        }
        drop((life, owner));
        serve(connection).await;
    });
    Ok(id)
}

async fn open(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    request: &Request,
) -> Result<SocketId, ConnectError> {
    if tenant.is_in(Phase::Draining) {
        return Err(ConnectError::Draining);
    }
    let slot = Slot::outbound(tenant)?;
    let max = tenant.settings.limits.connect_time_max;
    let time = request.time.map_or(max, |time| time.min(max));
    let dialled = dial(tenant, &request.host, request.port, time);
    let stream = match timeout(time, dialled).await {
        Ok(dialled) => dialled?,
        Err(_) => return Err(ConnectError::TimedOut),
    };
    let of = (request.name.as_str(), Origin::outbound(request));
    let owner = Arc::clone(tenant);
    let serve = |connection| {
        slot.opened();
        tcp::serve(owner, connection, Transport::Plain(stream), slot)
    };
    Ok(enter(tenant, life, of, serve)?)
}

/// Tries each address for its share of what is left of the time.
pub(super) async fn dial(
    tenant: &Arc<Tenant>,
    host: &str,
    port: u16,
    time: Duration,
) -> Result<TcpStream, ConnectError> {
    let deadline = Instant::now() + time;
    let addresses = resolve(tenant, host, port).await?;
    let mut failure = ConnectError::TimedOut;
    for (place, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let shares = u32::try_from(addresses.len() - place).unwrap_or(u32::MAX);
        failure = match timeout_at(Instant::now() + left / shares, connect_to(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error.into(),
            Err(_) => ConnectError::TimedOut,
        };
    }
    Err(failure)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A port of its own range that nobody listens on may be given to the connection itself, which then talks to itself (RFC 9293 3.5).
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Host and port as they were given, an IPv6 address in brackets.
pub(crate) fn target(request: &Request) -> String {
    let Request { host, port, .. } = request;
    match address(host) {
        Some(address) => SocketAddr::new(address, *port).to_string(),
        None => format!("{host}:{port}"),
    }
}
