//! Listeners of the host that several tenants are reached through: by host name and path for HTTP, by the name in the TLS handshake for other protocols.
//!
//! They belong to no tenant: one that ends, or is replaced, closes nothing for the others. A tenant whose HTTP server, or whose first listener, is reached like that binds nothing itself; what it starts is attached to its tenant, where connections and requests find it.

mod certificates;
mod lines;
mod rules;
mod table;

use super::{http, listener};
use crate::config::{Limits, TlsIdentity};
use crate::observe::Counter;
use crate::observe::log::Repeated;
use crate::tenant::{Tenant, TenantId};
use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
pub(in crate::net) use rules::{Rules, Shown};
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
pub(in crate::net) use table::without_port;
pub use table::{HostPattern, PathPrefix, PatternError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a shared listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedProtocol {
    /// HTTP and WebSockets, routed request by request.
    Http,
    /// Whatever the program speaks, within TLS, routed by the name in the handshake.
    Tcp,
}

/// A listener that several tenants are reached through.
#[derive(Debug, Clone)]
pub struct SharedSettings {
    /// Its name, for messages.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: SharedProtocol,
    /// What it shows, by the names in them; the first one also to those who ask for a name that no route has. None for connections that are not secured.
    pub certificates: Vec<TlsIdentity>,
    /// Open connections, of all tenants together.
    pub connections_max: usize,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRoute {
    /// Whose program answers.
    pub tenant: TenantId,
    /// For these hosts.
    pub host: HostPattern,
    /// And these paths; all of them where the protocol is not HTTP.
    pub path: PathPrefix,
    /// Whether the program sees paths without the prefix.
    pub strip_prefix: bool,
}

/// Why a shared listener does not open, or does not take its routes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The address is taken, or not ours.
    #[error("listener {name} cannot listen on {address}")]
    Bind {
        /// Name of the listener.
        name: String,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("listener {name} cannot be secured: {reason}")]
    Secure {
        /// Name of the listener.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The name in the handshake is what leads to a tenant.
    #[error(
        "listener {name} speaks tcp and has no certificates: without TLS nothing says whom a connection is for"
    )]
    Unsecured {
        /// Name of the listener.
        name: String,
    },
    /// Two rules say the same.
    #[error("{host}{path} of listener {name} leads to a tenant already")]
    Twice {
        /// Name of the listener.
        name: String,
        /// The host of both.
        host: HostPattern,
        /// The path of both.
        path: PathPrefix,
        /// Position of the second rule.
        index: usize,
    },
    /// A browser would turn away.
    #[error("no certificate of listener {name} is valid for {host}")]
    NoCertificate {
        /// Name of the listener.
        name: String,
        /// The host.
        host: HostPattern,
        /// Position of the rule.
        index: usize,
    },
}

/// Where a tenant is, while it is there: routes lead here, so that a tenant may end and begin again.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: TenantId,
    pub(crate) tenant: ArcSwapOption<Tenant>,
}

impl Place {
    pub(crate) fn new(id: TenantId) -> Self {
        Self {
            id,
            tenant: ArcSwapOption::empty(),
        }
    }
}

/// The places of a host, and what else its shared listeners have in common.
#[derive(Debug, Default)]
pub(crate) struct Places {
    all: Mutex<BTreeMap<TenantId, Arc<Place>>>,
    /// A tenant has ended.
    left: Notify,
    /// Connections that were closed at once because a listener had too many.
    pub(crate) refused: Counter,
}

impl Places {
    /// The place of a tenant, which may not have come yet.
    pub(crate) fn of(&self, id: &TenantId) -> Arc<Place> {
        let mut places = self.all.lock();
        let place = places.entry(id.clone());
        Arc::clone(place.or_insert_with(|| Arc::new(Place::new(id.clone()))))
    }

    /// The tenant is gone; a place that no route names is forgotten.
    pub(crate) fn leave(&self, id: &TenantId) {
        let mut places = self.all.lock();
        if let Some(place) = places.get(id) {
            place.tenant.store(None);
            if Arc::strong_count(place) == 1 {
                places.remove(id);
            }
        }
        drop(places);
        self.left.notify_waiters();
    }
}

/// An open shared listener. Dropping it closes it without ceremony.
pub struct SharedListener {
    door: Arc<Door>,
    tasks: TaskTracker,
}

/// What its connections share.
pub(in crate::net) struct Door {
    protocol: SharedProtocol,
    pub(in crate::net) limits: Limits,
    pub(in crate::net) address: SocketAddr,
    places: Arc<Places>,
    pub(in crate::net) rules: ArcSwap<Rules>,
    connections: AtomicUsize,
    pub(in crate::net) closed: CancellationToken,
    /// Its address is free.
    released: CancellationToken,
}

impl SharedListener {
    /// Checks what can be checked without opening anything.
    ///
    /// # Errors
    /// [`ShareError`] names the listener and what is wrong.
    pub fn check(settings: &SharedSettings, routes: &[SharedRoute]) -> Result<(), ShareError> {
        Rules::read(settings.clone(), &Places::default(), routes).map(drop)
    }

    pub(crate) fn open(
        settings: SharedSettings,
        limits: Limits,
        places: Arc<Places>,
        socket: Option<std::net::TcpListener>,
    ) -> Result<Self, ShareError> {
        let rules = Rules::read(settings.clone(), &places, &[])?;
        let refused = |source| ShareError::Bind {
            name: settings.name.clone(),
            address: settings.address,
            source,
        };
        let socket = match socket {
            Some(given) => given
                .set_nonblocking(true)
                .and_then(|()| TcpListener::from_std(given)),
            None => listener::bind(settings.address, false),
        };
        let socket = socket.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let door = Arc::new(Door {
            protocol: settings.protocol,
            limits,
            address,
            places,
            rules: ArcSwap::from_pointee(rules),
            connections: AtomicUsize::new(0),
            closed: CancellationToken::new(),
            released: CancellationToken::new(),
        });
        let tasks = TaskTracker::new();
        tasks.spawn(accept(Arc::clone(&door), socket, tasks.clone()));
        Ok(Self { door, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.door.address
    }

    /// Replaces all its routes at once; requests under way go on where they are.
    ///
    /// # Errors
    /// [`ShareError`] says which rule cannot be; the old ones hold on.
    pub fn route(&self, routes: &[SharedRoute]) -> Result<(), ShareError> {
        let door = &self.door;
        let rules = door.rules.load().routed(&door.places, routes)?;
        door.rules.store(Arc::new(rules));
        Ok(())
    }

    /// Reads its certificates again, and replaces all else it goes by but its address and protocol, which stay; so do connections that are open.
    ///
    /// # Errors
    /// [`ShareError`] says what cannot be; nothing has changed then.
    pub fn renew(
        &self,
        settings: &SharedSettings,
        routes: &[SharedRoute],
    ) -> Result<(), ShareError> {
        let door = &self.door;
        let settings = SharedSettings {
            protocol: door.protocol,
            ..settings.clone()
        };
        let rules = Rules::read(settings, &door.places, routes)?;
        door.rules.store(Arc::new(rules));
        Ok(())
    }

    /// Stops accepting; connections of HTTP end after the requests under way.
    pub fn stop_accepting(&self) {
        self.door.closed.cancel();
    }

    /// Stops accepting, and waits until its address is free.
    pub async fn released(&self) {
        self.stop_accepting();
        self.door.released.cancelled().await;
    }

    /// Waits until its connections have ended, at most for as long as queues may take to be flushed.
    pub async fn closed(self) {
        self.stop_accepting();
        self.tasks.close();
        let limit = self.door.limits.flush_time_max;
        if tokio::time::timeout(limit, self.tasks.wait())
            .await
            .is_err()
        {
            let name = self.door.rules.load().settings.name.clone();
            tracing::warn!(listener = %name, "connections still open at the end");
        }
    }
}

impl Drop for SharedListener {
    fn drop(&mut self) {
        self.stop_accepting();
    }
}

/// Accepts until it is closed; then its address is free.
async fn accept(door: Arc<Door>, socket: TcpListener, tasks: TaskTracker) {
    let (crowded, failing) = (Repeated::default(), Repeated::default());
    let name = || door.rules.load().settings.name.clone();
    let admit = |stream, remote: SocketAddr| {
        let Some(guest) = Guest::admit(&door) else {
            door.places.refused.add(1);
            if let Some(times) = crowded.note() {
                tracing::warn!(listener = %name(), times, "too many connections");
            }
            return;
        };
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        match door.protocol {
            SharedProtocol::Http => drop(tasks.spawn(http::shared::serve(guest, stream, remote))),
            SharedProtocol::Tcp => drop(tasks.spawn(lines::serve(guest, stream, remote))),
        }
    };
    let failed = |error: &std::io::Error, _: bool| {
        if let Some(times) = failing.note() {
            tracing::warn!(listener = %name(), times, %error, "accept failed");
        }
    };
    listener::accept_all(&door.closed, &socket, admit, failed).await;
    drop(socket);
    door.released.cancel();
}

/// A connection's share of what a listener may have; given back when dropped.
pub(in crate::net) struct Guest {
    pub(in crate::net) door: Arc<Door>,
}

impl Guest {
    fn admit(door: &Arc<Door>) -> Option<Self> {
        let guest = Self {
            door: Arc::clone(door),
        };
        // Counted before it is looked at, and given back by the drop where it is one too many.
        let before = door.connections.fetch_add(1, Ordering::AcqRel);
        (before < door.rules.load().settings.connections_max).then_some(guest)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.door.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Door {
    /// Completes when a tenant ends after this has been called.
    pub(in crate::net) fn tenant_left(&self) -> Notified<'_> {
        self.places.left.notified()
    }

    /// Shakes hands within the time for it.
    async fn secured(
        &self,
        config: &Arc<ServerConfig>,
        stream: TcpStream,
    ) -> std::io::Result<Box<TlsStream<TcpStream>>> {
        let shaken = TlsAcceptor::from(Arc::clone(config)).accept(stream);
        let limit = self.limits.tls_handshake_time_max;
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        let stream = tokio::time::timeout(limit, shaken).await.map_err(late)??;
        Ok(Box::new(stream))
    }
}
