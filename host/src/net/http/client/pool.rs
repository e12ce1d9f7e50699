//! Connections of requests: opened, used again for a while, limited in number. They belong to one tenant and are no source of events: a program may end while some wait.

use super::super::HEADERS_MAX;
use super::RequestError;
use super::target::Target;
use crate::net::connect::{ConnectError, dial};
use crate::net::tls;
use crate::net::transport::Transport;
use crate::tenant::Tenant;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;

/// How long a connection waits for the next request: less than servers usually do.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// Connections to one server that wait.
const IDLE_PER_SERVER_MAX: usize = 16;

type Sender = http1::SendRequest<Full<Bytes>>;
/// Whether it is secure, host, port.
type Origin = (bool, String, u16);

/// The connections of a tenant's requests.
#[derive(Debug)]
pub(crate) struct Client {
    idle: Arc<Idle>,
    /// One permit for each connection.
    permits: Arc<Semaphore>,
    secure: OnceCell<Arc<ClientConfig>>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Mutex<BTreeMap<Origin, Vec<Waiting>>>,
    /// Whether a task looks after those that wait.
    is_swept: AtomicBool,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    since: Instant,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: Sender,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) async fn send(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> hyper::Result<hyper::Response<Incoming>> {
        self.sender.send_request(request).await
    }
}

impl Client {
    /// At most `connections_max` connections are open.
    pub(crate) fn new(connections_max: usize) -> Self {
        Self {
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(connections_max)),
            secure: OnceCell::new(),
        }
    }

    /// A connection to a server, and whether it has been used before.
    pub(super) async fn connect(
        &self,
        tenant: &Arc<Tenant>,
        target: &Target,
    ) -> Result<(Connection, bool), RequestError> {
        if let Some(connection) = self.idle.take(target) {
            return Ok((connection, true));
        }
        let permit = self.permit(tenant)?;
        let transport = self.transport(tenant, target).await?;
        let connection = Connection {
            sender: open(tenant, target, transport).await?,
            _permit: permit,
        };
        Ok((connection, false))
    }

    /// Opens what bytes to a server and back travel on, secured where the target wants that.
    pub(super) async fn transport(
        &self,
        tenant: &Arc<Tenant>,
        target: &Target,
    ) -> Result<Transport, RequestError> {
        let time = tenant.settings.limits.connect_time_max;
        let host = target.bare_host();
        let stream = match tokio::time::timeout(time, dial(tenant, host, target.port, time)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(ConnectError::TimedOut),
        };
        let stream = stream.map_err(|error| RequestError::connect(target, error))?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(tenant = %tenant.id, %error, "no delay cannot be switched off");
        }
        if !target.is_secure {
            return Ok(Transport::Plain(stream));
        }
        let refused = |error: &dyn std::fmt::Display| RequestError::secure(target, error);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| refused(&error))?;
        let connector = TlsConnector::from(self.config(tenant, target).await?);
        let secure = connector.connect(name, stream).await;
        let secure = secure.map_err(|error| refused(&error))?;
        Ok(Transport::Tls(Box::new(secure.into())))
    }

    /// A permit for a new connection; one that waits is closed for it.
    fn permit(&self, tenant: &Tenant) -> Result<OwnedSemaphorePermit, RequestError> {
        let acquire = || Arc::clone(&self.permits).try_acquire_owned();
        acquire()
            .or_else(|_| {
                self.idle.connections.lock().clear();
                acquire()
            })
            .map_err(|_| RequestError::TooMany {
                max: tenant.settings.limits.request_connections_max,
            })
    }

    async fn config(
        &self,
        tenant: &Tenant,
        target: &Target,
    ) -> Result<Arc<ClientConfig>, RequestError> {
        let make = async || {
            let files = tenant.settings.authorities.clone();
            let made = tokio::task::spawn_blocking(move || tls::client(&files)).await;
            match made {
                Ok(made) => made
                    .map(Arc::new)
                    .map_err(|error| RequestError::tls(target, &error)),
                Err(error) => Err(RequestError::secure(target, &error)),
            }
        };
        self.secure.get_or_try_init(make).await.cloned()
    }

    /// Keeps a connection whose response has been read for the next request, if the server does.
    pub(super) async fn give_back(&self, target: &Target, mut connection: Connection) {
        // Ready at once if the server keeps it, an error if not.
        if connection.sender.ready().await.is_ok() {
            self.idle.put(target, connection);
        }
    }
}

impl Idle {
    fn take(&self, target: &Target) -> Option<Connection> {
        let mut connections = self.connections.lock();
        let waiting = connections.get_mut(&origin(target))?;
        while let Some(Waiting { connection, since }) = waiting.pop() {
            if connection.sender.is_ready() && since.elapsed() < IDLE_TIME {
                return Some(connection);
            }
        }
        None
    }

    fn put(self: &Arc<Self>, target: &Target, connection: Connection) {
        let since = Instant::now();
        let mut connections = self.connections.lock();
        let waiting = connections.entry(origin(target)).or_default();
        if waiting.len() >= IDLE_PER_SERVER_MAX {
            return;
        }
        waiting.push(Waiting { connection, since });
        drop(connections);
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Closes what has waited too long, until nothing waits.
async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(IDLE_TIME).await;
        let Some(idle) = idle.upgrade() else {
            return;
        };
        let mut connections = idle.connections.lock();
        connections.retain(|_, waiting| {
            waiting
                .retain(|one| one.connection.sender.is_ready() && one.since.elapsed() < IDLE_TIME);
            !waiting.is_empty()
        });
        if connections.is_empty() {
            // Still locked: whoever puts the next one sees this.
            idle.is_swept.store(false, Ordering::Release);
            return;
        }
    }
}

fn origin(target: &Target) -> Origin {
    (target.is_secure, target.host.clone(), target.port)
}

/// Begins HTTP/1.1; the connection lives as long as its sender.
async fn open(tenant: &Tenant, target: &Target, stream: Transport) -> Result<Sender, RequestError> {
    let limits = &tenant.settings.limits;
    let handshake = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.http_header_bytes_max)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = handshake.map_err(|error| RequestError::broken(target, error))?;
    let id = tenant.id.clone();
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(tenant = %id, %error, "connection of a request ended early");
        }
    });
    Ok(sender)
}
