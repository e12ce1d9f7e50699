//! Listening sockets: opening them, accepting until they are closed, surviving what the system refuses.

pub(crate) mod succession;

use super::frame::Framing;
use super::transport::Transport;
use super::{report, tcp};
use crate::conn::Origin;
use crate::conn::id::SocketId;
use crate::conn::outbound::Closing;
use crate::conn::table::{EnterError, Socket, Which};
use crate::console::Stream;
use crate::grants;
use crate::life::{Claim, Life};
use crate::observe::limit::Limit;
use crate::observe::log::Repeated;
use crate::observe::traffic::Protocol;
use crate::tenant::{Phase, Slot, Tenant};
use socket2::{Domain, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
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
    /// Of its connections.
    pub(crate) framing: Framing,
    /// Whether its connections outlive the end of what their peers send.
    pub(crate) half_close: bool,
    /// What the program asked for; the system may have chosen the port.
    asked: SocketAddr,
    /// Whether the start of a program has opened it.
    at_start: bool,
    /// Its task holds it, and with the task it is gone; connections know their listener for longer.
    socket: Weak<TcpListener>,
    closed: CancellationToken,
    /// Connections that found no room in the table.
    refusing: Repeated,
}

/// What a program asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) port: u16,
    /// Name in the directory.
    pub(crate) name: &'a str,
    /// An address, `localhost`, or empty for the operator's default.
    pub(crate) host: &'a str,
    pub(crate) framing: Framing,
    /// Whether others may listen on the same port.
    pub(crate) reuse_port: bool,
    /// Whether connections outlive the end of what their peers send.
    pub(crate) half_close: bool,
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
    #[error("{host:?} is no address to listen on: write one, or \"localhost\"")]
    NoAddress { host: String },
    #[error("the address {address} is not granted: listeners bind {bind} (--bind)")]
    NotGranted { address: IpAddr, bind: IpAddr },
    #[error("port {port} is not granted")]
    Port { port: u16 },
    #[error("at most {max} listeners may be open")]
    TooMany { max: usize },
    #[error("the program is shutting down")]
    Draining,
    #[error(transparent)]
    Enter(#[from] EnterError),
}

/// Opens a listener, enters it into the directory and starts accepting.
///
/// The start of a version that is to replace another takes over what is open on the same address: under the same name with the same options the listener itself, else its socket.
pub(crate) fn listen(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    request: Request<'_>,
) -> Result<SocketId, ListenError> {
    if tenant.is_in(Phase::Draining) {
        return Err(ListenError::Draining);
    }
    let first = !life.port_override_used.load(Ordering::Acquire);
    let through = tenant.settings.tcp_through.filter(|_| first);
    let asked = match through {
        Some(address) => address,
        None => asked(tenant, &request, first)?,
    };
    let open = succession::open_on(tenant, life, asked);
    if let Some(open) = &open {
        let same = (open.name.as_str(), open.framing, open.half_close)
            == (request.name, request.framing, request.half_close);
        life.port_override_used.store(true, Ordering::Release);
        let claim = if same { Claim::TakenOver } else { Claim::Spent };
        life.claims.lock().listeners.insert(open.id, claim);
        if same {
            life.note_name(tenant, request.name);
            tenant.sockets.name(request.name, open.id)?;
            return Ok(open.id);
        }
    }
    let max = tenant.settings.limits.listeners_max;
    if tenant.listeners.load(Ordering::Acquire) >= max {
        return Err(ListenError::TooMany { max });
    }
    let socket = match open.and_then(|open| open.socket.upgrade()) {
        Some(socket) => Some(socket),
        None if through.is_some() => None,
        None => Some(Arc::new(bind(asked, request.reuse_port).map_err(
            |source| ListenError::Bind {
                address: asked,
                source,
            },
        )?)),
    };
    let listener = enter(tenant, life, &request, asked, socket.as_ref())?;
    life.port_override_used.store(true, Ordering::Release);
    let id = listener.id;
    let text = format!("Socket Server started on port {}", listener.address.port());
    tenant.console.write(Stream::Output, &text);
    let (own, life) = (Arc::clone(tenant), Arc::clone(life));
    match socket {
        Some(socket) => drop(tenant.tasks.spawn(run(own, life, listener, socket))),
        None => drop(tenant.tasks.spawn(run_attached(own, life, listener))),
    }
    Ok(id)
}

/// The address that a program asks for, with the port that the operator has set for its first listener.
fn asked(tenant: &Tenant, request: &Request<'_>, first: bool) -> Result<SocketAddr, ListenError> {
    let settings = &tenant.settings;
    let port = match settings.socket_port_override.filter(|_| first) {
        Some(port) => port,
        None if settings.grants.ports.grants(request.port) => request.port,
        None => return Err(ListenError::Port { port: request.port }),
    };
    Ok(SocketAddr::new(address(settings.bind, request.host)?, port))
}

/// Enters a listener into table and directory.
fn enter(
    tenant: &Tenant,
    life: &Life,
    request: &Request<'_>,
    asked: SocketAddr,
    socket: Option<&Arc<TcpListener>>,
) -> Result<Arc<Listener>, ListenError> {
    let address = match socket {
        Some(socket) => socket.local_addr().map_err(|source| ListenError::Bind {
            address: asked,
            source,
        })?,
        None => asked,
    };
    let build = |id| {
        Arc::new(Listener {
            id,
            name: request.name.to_owned(),
            address,
            framing: request.framing,
            half_close: request.half_close,
            asked,
            at_start: life.is_starting(),
            socket: socket.map(Arc::downgrade).unwrap_or_default(),
            closed: CancellationToken::new(),
            refusing: Repeated::default(),
        })
    };
    let listener = tenant.sockets.enter_listener(build)?;
    life.note_name(tenant, request.name);
    if let Err(error) = tenant.sockets.name(request.name, listener.id) {
        tenant.sockets.leave(listener.id);
        return Err(error.into());
    }
    tenant.listeners.fetch_add(1, Ordering::AcqRel);
    if life.is_succeeding() {
        let mut claims = life.claims.lock();
        claims.listeners.insert(listener.id, Claim::Opened);
    }
    Ok(listener)
}

/// Accepts, once the life that has opened the listener is admitted.
async fn run(
    tenant: Arc<Tenant>,
    life: Arc<Life>,
    listener: Arc<Listener>,
    socket: Arc<TcpListener>,
) {
    if life.is_admitted().await {
        report::server_started(&tenant, &listener).await;
    } else {
        listener.stop_accepting();
    }
    drop(life);
    let admit = |stream, remote| admit(&tenant, &listener, Transport::Plain(stream), remote);
    let failed = |error: &io::Error| report::accept_failed(&tenant, &listener, error);
    accept(&tenant, &listener.closed, &socket, admit, failed).await;
}

/// Takes what a shared listener accepts for the tenant, once the life that has opened the listener is admitted.
async fn run_attached(tenant: Arc<Tenant>, life: Arc<Life>, listener: Arc<Listener>) {
    if life.is_admitted().await {
        drop(life);
        report::server_started(&tenant, &listener).await;
        tenant.tcp_attached.store(Some(Arc::clone(&listener)));
        listener.closed.cancelled().await;
        tenant.tcp_attached.rcu(|attached| {
            // A later version may have put its own in this place.
            let is_own = |attached: &&Arc<Listener>| attached.id == listener.id;
            match attached.as_ref().filter(is_own) {
                Some(_) => None,
                None => attached.clone(),
            }
        });
    } else {
        listener.stop_accepting();
    }
    no_longer_listening(&tenant);
}

fn no_longer_listening(tenant: &Tenant) {
    tenant.listeners.fetch_sub(1, Ordering::AcqRel);
    tenant.sources_changed.notify_waiters();
}

/// Stops listening and ends the listener's connections after their queues are flushed. Without effect on a listener that is gone.
pub(crate) fn close(tenant: &Arc<Tenant>, id: SocketId) {
    let Some(Socket::Listener(listener)) = tenant.sockets.find(id) else {
        return;
    };
    listener.stop_accepting();
    // Whether it still accepts says nothing: a program that ends closes listeners that accept no more.
    if !tenant.sockets.leave(id) {
        return;
    }
    say_stopped(tenant);
    tenant.sockets.each_connection(Which::Of(id), |connection| {
        connection.outbound.close(Closing::Flush)
    });
    if !tenant.is_in(Phase::Draining) {
        report::server_stopped(tenant, &listener);
    }
}

fn say_stopped(tenant: &Tenant) {
    tenant
        .console
        .write(Stream::Output, "Socket Server stopped");
}

/// The address that a program means. It may narrow what the operator binds, and loopback is granted always.
fn address(bind: IpAddr, host: &str) -> Result<IpAddr, ListenError> {
    let address = match host {
        "" => return Ok(bind),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => grants::address(host).ok_or_else(|| ListenError::NoAddress {
            host: host.to_owned(),
        })?,
    };
    if bind.is_unspecified() || address == bind || address.is_loopback() {
        Ok(address)
    } else {
        Err(ListenError::NotGranted { address, bind })
    }
}

pub(super) fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts for a tenant until it is `closed`; tells `failed` of the first refusal of a row.
pub(super) async fn accept(
    tenant: &Tenant,
    closed: &CancellationToken,
    socket: &TcpListener,
    admit: impl Fn(TcpStream, SocketAddr),
    failed: impl Fn(&io::Error),
) {
    let failing = Repeated::default();
    let count = |error: &io::Error, is_first: bool| {
        tenant.counters.accept_errors.add(1);
        if let Some(times) = failing.note() {
            tracing::warn!(tenant = %tenant.id, times, %error, "accept failed");
        }
        if is_first {
            failed(error);
        }
    };
    accept_all(closed, socket, admit, count).await;
    no_longer_listening(tenant);
}

/// Accepts until it is `closed`, whatever the system refuses meanwhile; gives each connection to `admit`, and tells `failed` of each refusal, and whether it is the first of a row.
pub(super) async fn accept_all(
    closed: &CancellationToken,
    socket: &TcpListener,
    admit: impl Fn(TcpStream, SocketAddr),
    failed: impl Fn(&io::Error, bool),
) {
    let mut pause = ACCEPT_PAUSE_MIN;
    loop {
        let accepted = tokio::select! {
            biased;
            () = closed.cancelled() => return,
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
                failed(&error, pause == ACCEPT_PAUSE_MIN);
                tokio::select! {
                    () = closed.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

/// Starts the task of a new connection, or closes it at once when the tenant has too many.
pub(super) fn admit(
    tenant: &Arc<Tenant>,
    listener: &Arc<Listener>,
    stream: Transport,
    remote: SocketAddr,
) {
    let Some(slot) = Slot::inbound(tenant, Protocol::Tcp) else {
        return;
    };
    let origin = Origin::Inbound {
        listener: Arc::clone(listener),
        // A listener for both families shows peers of IPv4 as such.
        remote: SocketAddr::new(remote.ip().to_canonical(), remote.port()),
    };
    match tenant.sockets.enter_connection(origin, tenant.queue()) {
        Ok(connection) => {
            slot.opened();
            // The listener or the program may have been closed since the peer was accepted, and have missed it.
            if !listener.is_open() {
                connection.outbound.close(Closing::Flush);
            }
            tenant
                .tasks
                .spawn(tcp::serve(Arc::clone(tenant), connection, stream, slot));
        }
        Err(error) => {
            tenant.counters.hit(Limit::Connections);
            if let Some(times) = listener.refusing.note() {
                tracing::warn!(tenant = %tenant.id, times, %error, "connection refused");
            }
        }
    }
}
