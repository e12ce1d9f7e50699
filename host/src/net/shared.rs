//! Listeners of the host that several tenants are reached through: by host name and path for HTTP, by the name in the TLS handshake for other protocols.
//!
//! They belong to no tenant: one that ends, or is replaced, closes nothing for the others. A tenant whose HTTP server, or whose first listener, is reached like that binds nothing itself; what it starts is attached to its tenant, where connections and requests find it.

mod certificates;
mod lines;
mod table;

use super::http;
use super::tls::{self, TlsError};
use crate::config::{Limits, TlsIdentity};
use crate::tenant::{Tenant, TenantId};
use arc_swap::{ArcSwap, ArcSwapOption};
use certificates::Certificates;
pub(in crate::net) use certificates::shown_for;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
pub(in crate::net) use table::without_port;
use table::{Entry, Table};
pub use table::{HostPattern, PathPrefix, PatternError};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after the system refused to accept, for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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

/// The places of a host.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<TenantId, Arc<Place>>>);

impl Places {
    /// The place of a tenant, which may not have come yet.
    pub(crate) fn of(&self, id: &TenantId) -> Arc<Place> {
        let mut places = self.0.lock();
        let place = places.entry(id.clone());
        Arc::clone(place.or_insert_with(|| Arc::new(Place::new(id.clone()))))
    }

    /// The tenant is gone; a place that no route names is forgotten.
    pub(crate) fn leave(&self, id: &TenantId) {
        let mut places = self.0.lock();
        if let Some(place) = places.get(id) {
            place.tenant.store(None);
            if Arc::strong_count(place) == 1 {
                places.remove(id);
            }
        }
    }
}

/// An open shared listener. Dropping it closes it without ceremony.
pub struct SharedListener {
    door: Arc<Door>,
    tasks: TaskTracker,
}

/// What its connections share.
pub(in crate::net) struct Door {
    pub(in crate::net) settings: SharedSettings,
    pub(in crate::net) limits: Limits,
    pub(in crate::net) address: SocketAddr,
    places: Arc<Places>,
    pub(in crate::net) table: Arc<ArcSwap<Table>>,
    secure: ArcSwapOption<Secure>,
    connections: AtomicUsize,
    pub(in crate::net) closed: CancellationToken,
}

/// How connections are secured.
struct Secure {
    certificates: Arc<Certificates>,
    config: Arc<ServerConfig>,
}

impl SharedListener {
    /// Checks what can be checked without opening anything.
    ///
    /// # Errors
    /// [`ShareError`] names the listener and what is wrong.
    pub fn check(settings: &SharedSettings, routes: &[SharedRoute]) -> Result<(), ShareError> {
        let secure = secure(settings, &Arc::default())?;
        let certificates = secure.as_ref().map(|secure| &*secure.certificates);
        build(settings, certificates, &Places::default(), routes).map(drop)
    }

    pub(crate) fn open(
        settings: SharedSettings,
        limits: Limits,
        places: Arc<Places>,
        socket: Option<std::net::TcpListener>,
    ) -> Result<Self, ShareError> {
        let table = Arc::default();
        let secure = secure(&settings, &table)?;
        let refused = |source| ShareError::Bind {
            name: settings.name.clone(),
            address: settings.address,
            source,
        };
        let socket = match socket {
            Some(given) => given
                .set_nonblocking(true)
                .and_then(|()| TcpListener::from_std(given)),
            None => super::listener::bind(settings.address, false),
        };
        let socket = socket.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let door = Arc::new(Door {
            settings,
            limits,
            address,
            places,
            table,
            secure: ArcSwapOption::from(secure.map(Arc::new)),
            connections: AtomicUsize::new(0),
            closed: CancellationToken::new(),
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
        let secure = door.secure.load();
        let certificates = secure.as_ref().map(|secure| &*secure.certificates);
        let table = build(&door.settings, certificates, &door.places, routes)?;
        door.table.store(Arc::new(table));
        Ok(())
    }

    /// Reads its certificates again, and replaces its routes; connections that are open stay as they are.
    ///
    /// # Errors
    /// [`ShareError`] says what cannot be; nothing has changed then.
    pub fn renew(
        &self,
        settings: &SharedSettings,
        routes: &[SharedRoute],
    ) -> Result<(), ShareError> {
        let door = &self.door;
        let secure = secure(settings, &door.table)?;
        let certificates = secure.as_ref().map(|secure| &*secure.certificates);
        let table = build(settings, certificates, &door.places, routes)?;
        door.secure.store(secure.map(Arc::new));
        door.table.store(Arc::new(table));
        Ok(())
    }

    /// Stops accepting; connections of HTTP end after the requests under way.
    pub fn stop_accepting(&self) {
        self.door.closed.cancel();
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
            tracing::warn!(listener = %self.door.settings.name, "connections still open at the end");
        }
    }
}

impl Drop for SharedListener {
    fn drop(&mut self) {
        self.stop_accepting();
    }
}

/// How a listener is secured, if it is.
fn secure(
    settings: &SharedSettings,
    table: &Arc<ArcSwap<Table>>,
) -> Result<Option<Secure>, ShareError> {
    let refused = |error: TlsError| ShareError::Secure {
        name: settings.name.clone(),
        reason: error.to_string(),
    };
    let is_http = settings.protocol == SharedProtocol::Http;
    if settings.certificates.is_empty() {
        return match is_http {
            true => Ok(None),
            false => Err(ShareError::Unsecured {
                name: settings.name.clone(),
            }),
        };
    }
    let certificates = Certificates::read(&settings.certificates, Arc::clone(table), is_http);
    let certificates = Arc::new(certificates.map_err(refused)?);
    let resolver = Arc::clone(&certificates);
    let config = tls::server_with(resolver, is_http).map_err(refused)?;
    Ok(Some(Secure {
        certificates,
        config: Arc::new(config),
    }))
}

/// The table of `routes`.
fn build(
    settings: &SharedSettings,
    certificates: Option<&Certificates>,
    places: &Places,
    routes: &[SharedRoute],
) -> Result<Table, ShareError> {
    let mut table = Table::default();
    for (index, route) in routes.iter().enumerate() {
        let certificate =
            match certificates {
                None => 0,
                Some(certificates) => certificates.valid_for(&route.host).ok_or_else(|| {
                    ShareError::NoCertificate {
                        name: settings.name.clone(),
                        host: route.host.clone(),
                        index,
                    }
                })?,
            };
        let entry = Entry {
            place: places.of(&route.tenant),
            strip: match route.strip_prefix {
                true if !route.path.is_all() => route.path.to_string().len(),
                true | false => 0,
            },
        };
        if !table.enter(&route.host, certificate, &route.path, entry) {
            return Err(ShareError::Twice {
                name: settings.name.clone(),
                host: route.host.clone(),
                path: route.path.clone(),
                index,
            });
        }
    }
    Ok(table)
}

/// Accepts until it is closed, whatever the system refuses meanwhile.
async fn accept(door: Arc<Door>, socket: TcpListener, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = door.closed.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                let Some(guest) = Guest::admit(&door) else {
                    tracing::warn!(listener = %door.settings.name, "too many connections");
                    continue;
                };
                let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                match door.settings.protocol {
                    SharedProtocol::Http => {
                        drop(tasks.spawn(http::shared::serve(guest, stream, remote)))
                    }
                    SharedProtocol::Tcp => drop(tasks.spawn(lines::serve(guest, stream, remote))),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(listener = %door.settings.name, %error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
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
        (before < door.settings.connections_max).then_some(guest)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.door.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Door {
    /// How its connections are secured.
    pub(in crate::net) fn config(&self) -> Option<Arc<ServerConfig>> {
        let secure = self.secure.load();
        secure.as_ref().map(|secure| Arc::clone(&secure.config))
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
