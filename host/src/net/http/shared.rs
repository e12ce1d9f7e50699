//! HTTP on a listener that several tenants are reached through: each request finds its tenant, whatever the connection carried before.

use super::{Answer, Peer, Server, answer, begin, builder, refusal};
use crate::console::Stream;
use crate::life::{Claim, Life};
use crate::net::counted::Counted;
use crate::net::listener::succession;
use crate::net::shared::{Guest, Shown, without_port};
use crate::net::transport::Transport;
use crate::net::websocket::{self, Upgrade};
use crate::observe::limit::Limit;
use crate::observe::traffic::Protocol;
use crate::tenant::{Phase, Slot, Tenant};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// Tenants that requests of one connection go to; each counts it as one of its connections.
const TENANTS_MAX: usize = 16;
/// Tells a program what was taken off the path.
const PREFIX_HEADER: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The HTTP server of a tenant that is reached through shared listeners: requests are taken from when the life is admitted until it is closed. Answers its port.
pub(super) fn attach(tenant: &Arc<Tenant>, life: &Arc<Life>, address: SocketAddr) -> u16 {
    let is_attached = || {
        let servers = tenant.http.lock();
        servers.iter().any(|server| server.is_open())
    };
    if succession::server_on(tenant, life, address).is_some()
        || (!life.is_succeeding() && is_attached())
    {
        return address.port();
    }
    let server = Arc::new(Server {
        address,
        asked: address,
        at_start: life.is_starting(),
        closed: tenant.draining.child_token(),
        secure: None,
    });
    tenant.http.lock().push(Arc::clone(&server));
    tenant.listeners.fetch_add(1, Ordering::AcqRel);
    if life.is_succeeding() {
        life.claims.lock().servers.insert(address, Claim::Opened);
    }
    let text = format!("HTTP Server started on port {}", address.port());
    tenant.console.write(Stream::Output, &text);
    let (attached, life) = (Arc::clone(tenant), Arc::clone(life));
    tenant.tasks.spawn(async move {
        if life.is_admitted().await {
            drop(life);
            attached.http_attached.fetch_add(1, Ordering::AcqRel);
            server.closed.cancelled().await;
            attached.http_attached.fetch_sub(1, Ordering::AcqRel);
        }
        attached.listeners.fetch_sub(1, Ordering::AcqRel);
        attached.sources_changed.notify_waiters();
    });
    address.port()
}

/// A connection, and whom it is for.
struct Visit {
    guest: Guest,
    /// What it was secured with.
    shown: Option<Shown>,
    /// The share of each tenant that was asked on it.
    slots: Mutex<Vec<Slot>>,
    /// What its requests have in common.
    peer: Arc<Peer>,
    agreed: Mutex<Option<(Arc<Tenant>, Upgrade)>>,
}

/// HTTP until the peer or the listener ends it, or the connection becomes the WebSocket of one tenant.
pub(in crate::net) async fn serve(guest: Guest, stream: TcpStream, remote: SocketAddr) {
    let door = Arc::clone(&guest.door);
    // Secured and shown by the same rules, whatever others come meanwhile.
    let rules = door.rules.load_full();
    let begun = tokio::select! {
        () = door.closed.cancelled() => return,
        begun = begin(&door.limits, rules.config(), stream) => begun,
    };
    let (stream, is_http2) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            tracing::debug!(listener = %rules.settings.name, %remote, %error, "no HTTP began");
            return;
        }
    };
    // Small responses must not wait for the acknowledgement of earlier ones.
    stream.send_at_once();
    let shown = match &stream {
        Transport::Plain(_) => None,
        Transport::Tls(stream) => {
            let name = match &**stream {
                TlsStream::Server(stream) => stream.get_ref().1.server_name(),
                TlsStream::Client(_) => None,
            };
            rules.shown(name)
        }
    };
    drop(rules);
    let visit = Arc::new(Visit {
        guest,
        shown,
        slots: Mutex::default(),
        peer: Arc::new(Peer::new(remote, door.address.port(), !is_http2)),
        agreed: Mutex::default(),
    });
    converse(&visit, stream, is_http2, remote).await;
    let agreed = visit.agreed.lock().take();
    let Some((tenant, upgrade)) = agreed else {
        return;
    };
    let slot = visit.slot_of(&tenant);
    // What is left of the visit goes back: from here on the connection is the tenant's alone.
    drop(visit);
    if let Some(slot) = slot {
        websocket::open(&tenant, upgrade, slot, remote, door.address.port()).await;
    }
}

/// Answers requests for as long as the connection is one of HTTP.
async fn converse(visit: &Arc<Visit>, stream: Transport, is_http2: bool, remote: SocketAddr) {
    let door = &visit.guest.door;
    let service = service_fn(|request| {
        let visit = Arc::clone(visit);
        async move { Ok::<Answer, Infallible>(visit.answer(request).await) }
    });
    let builder = builder(&door.limits, is_http2);
    // What becomes a WebSocket is the same stream as that of a tenant's own server.
    let stream = TokioIo::new(Counted::shared(stream, &door.limits, &visit.peer.stream));
    let connection = builder.serve_connection_with_upgrades(stream, service);
    let mut connection = std::pin::pin!(connection);
    let mut left = std::pin::pin!(door.tenant_left());
    let mut is_ending = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = left.as_mut() => {
                left.set(door.tenant_left());
                visit.leave();
            }
            () = door.closed.cancelled(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = poll_fn(|_| visit.peer.poll_cut_off()) => return,
            () = visit.peer.stalled(door.limits.http_write_time_max) => return visit.stalled(),
        }
    };
    if let Err(error) = ended {
        if is_timed_out(&*error) {
            visit.stalled();
        }
        let name = door.rules.load().settings.name.clone();
        tracing::debug!(listener = %name, %remote, %error, "HTTP connection ended early");
    }
}

/// Whether the stream itself gave up: nobody took what was written.
fn is_timed_out(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::TimedOut
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Where a request leads.
struct Found {
    tenant: Arc<Tenant>,
    /// Bytes to take off the path.
    strip: usize,
}

impl Visit {
    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let found = self.find(&request).and_then(|found| {
            self.enter(&found.tenant)?;
            Ok(found)
        });
        let Found { tenant, strip } = match found {
            Ok(found) => found,
            Err((status, error)) => return refusal(status, error),
        };
        if strip > 0 {
            take_prefix(&mut request, strip);
        }
        // A tenant that ends waits for what it has been asked.
        let _work = tenant.tasks.token();
        let answer = answer(&tenant, request, &self.peer).await;
        if let Some(upgrade) = self.peer.agreed.lock().take() {
            *self.agreed.lock() = Some((tenant, upgrade));
        }
        answer
    }

    fn find(&self, request: &Request<Incoming>) -> Result<Found, Refused> {
        let host = host(request)?;
        let rules = self.guest.door.rules.load();
        let paths = rules.host(host).ok_or(UNKNOWN_HOST)?;
        if let Some(shown) = &self.shown
            && !rules.proves(shown, host, paths)
        {
            return Err(OTHER_HOST);
        }
        let entry = paths.find(request.uri().path()).ok_or(UNKNOWN_PATH)?;
        let is_open = |tenant: &Arc<Tenant>| {
            tenant.http_attached.load(Ordering::Acquire) > 0 && !tenant.is_in(Phase::Draining)
        };
        let Some(tenant) = entry.place.tenant.load_full().filter(is_open) else {
            tracing::debug!(tenant = %entry.place.id, "asked for a tenant that serves no HTTP now");
            return Err(UNAVAILABLE);
        };
        let strip = entry.strip;
        Ok(Found { tenant, strip })
    }

    /// Counts the connection for the tenant, once.
    fn enter(&self, tenant: &Arc<Tenant>) -> Result<(), Refused> {
        let mut slots = self.slots.lock();
        if slots.iter().any(|slot| slot.is_of(tenant)) {
            return Ok(());
        }
        if slots.len() >= TENANTS_MAX {
            return Err(CROWDED);
        }
        let slot = Slot::inbound(tenant, Protocol::Http);
        // One that ends from here on has this slot taken back.
        let Some(slot) = slot.filter(|slot| !slot.is_over()) else {
            return Err(UNAVAILABLE);
        };
        slot.opened();
        slots.push(slot);
        Ok(())
    }

    /// Counts a peer that takes nothing for those whose answers it may have asked for.
    fn stalled(&self) {
        let slots = self.slots.lock();
        slots.iter().for_each(|slot| slot.hit(Limit::HttpWriteTime));
    }

    /// Lets go of tenants that have ended: an idle connection must not keep what they had.
    fn leave(&self) {
        self.slots.lock().retain(|slot| !slot.is_over());
    }

    fn slot_of(&self, tenant: &Arc<Tenant>) -> Option<Slot> {
        let mut slots = self.slots.lock();
        let position = slots.iter().position(|slot| slot.is_of(tenant))?;
        Some(slots.swap_remove(position))
    }
}

/// Why no tenant is asked.
type Refused = (StatusCode, &'static str);

const NO_HOST: Refused = (
    StatusCode::BAD_REQUEST,
    "one Host header is needed, and it must agree with the request",
);
const UNKNOWN_HOST: Refused = (
    StatusCode::MISDIRECTED_REQUEST,
    "no program is reached under this host name here",
);
const OTHER_HOST: Refused = (
    StatusCode::MISDIRECTED_REQUEST,
    "this connection was secured for another host name: open one for this name",
);
const CROWDED: Refused = (
    StatusCode::MISDIRECTED_REQUEST,
    "this connection has reached too many programs: open another one",
);
const UNKNOWN_PATH: Refused = (
    StatusCode::NOT_FOUND,
    "no program is reached under this path",
);
const UNAVAILABLE: Refused = (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");

/// The host that a request names (RFC 9112 3.2, RFC 9113 8.3.1); none only before HTTP/1.1.
pub(super) fn host<B>(request: &Request<B>) -> Result<Option<&str>, Refused> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let header = headers.next().map(HeaderValue::to_str);
    let header = header.transpose().map_err(|_| NO_HOST)?;
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let is_late = request.version() >= Version::HTTP_2;
    let named = match (authority, header) {
        (Some(authority), Some(header)) if is_late && authority != header => return Err(NO_HOST),
        (Some(authority), _) => Some(authority),
        (None, header) => header,
    };
    let is_early = request.version() < Version::HTTP_11;
    if headers.next().is_some() || (named.is_none() && !is_early) {
        return Err(NO_HOST);
    }
    // Names of users have no place in requests (RFC 9110 4.2.4).
    Ok(named.map(|named| without_port(named.rsplit_once('@').map_or(named, |(_, host)| host))))
}

/// Takes the first `strip` bytes off the path, and says so in a header.
fn take_prefix<B>(request: &mut Request<B>, strip: usize) {
    let uri = request.uri();
    let Some((prefix, rest)) = uri.path().split_at_checked(strip) else {
        return;
    };
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let query = uri.query().map(|query| format!("?{query}"));
    let target = format!("{slash}{rest}{}", query.unwrap_or_default());
    let prefix = HeaderValue::from_str(prefix);
    let mut parts = uri.clone().into_parts();
    let (Ok(target), Ok(prefix)) = (target.parse(), prefix) else {
        return;
    };
    parts.path_and_query = Some(target);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.headers_mut().insert(PREFIX_HEADER, prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, version: Version, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn the_host_is_that_of_the_target_or_of_the_one_header() {
        let of = |uri, version, hosts| {
            let request = request(uri, version, hosts);
            host(&request).map(|host| host.map(str::to_owned))
        };
        let named = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(
            of("/x", Version::HTTP_11, &["a.example:80"]),
            named("a.example")
        );
        assert_eq!(
            of("http://b.example/x", Version::HTTP_11, &["a.example"]),
            named("b.example")
        );
        assert_eq!(
            of("http://b.example/x", Version::HTTP_2, &[]),
            named("b.example")
        );
        assert_eq!(of("/x", Version::HTTP_10, &[]), Ok(None));
        assert_eq!(of("/x", Version::HTTP_11, &[]), Err(NO_HOST));
        assert_eq!(of("/x", Version::HTTP_11, &["a", "b"]), Err(NO_HOST));
        assert_eq!(
            of("http://b.example/x", Version::HTTP_2, &["a.example"]),
            Err(NO_HOST)
        );
    }

    #[test]
    fn a_prefix_is_taken_off_and_told() {
        for (uri, strip, left) in [
            ("/api/v1?x=/api", 4, "/v1?x=/api"),
            ("/api", 4, "/"),
            ("/api/", 4, "/"),
            ("/api?q", 4, "/?q"),
            ("http://a.example/api/x", 4, "http://a.example/x"),
        ] {
            let mut request = request(uri, Version::HTTP_11, &[]);
            take_prefix(&mut request, strip);
            assert_eq!(request.uri().to_string(), left);
            assert_eq!(request.headers()[PREFIX_HEADER], "/api");
        }
    }
}
