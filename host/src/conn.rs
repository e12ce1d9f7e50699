//! Connections: what the host knows of each, apart from the socket itself, which only the connection's task holds.

pub(crate) mod channel;
pub(crate) mod id;
pub(crate) mod outbound;
pub(crate) mod table;

use crate::net::connect::{Request, target};
use crate::net::frame::{Framing, HEAD_BYTES};
use crate::net::listener::Listener;
use crate::net::websocket::{self, CloseReason, Kind, Place};
use bytes::Bytes;
use channel::Memberships;
use id::SocketId;
use outbound::{Closing, Outbound, Refusal, Wake};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a connection comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A listener accepted it.
    Inbound {
        listener: Arc<Listener>,
        remote: SocketAddr,
    },
    /// The program opened it.
    Outbound(Box<Link>),
    /// A request to the HTTP server became it.
    WebSocket(Box<Place>),
    /// The response of a request to the HTTP server, which stays open.
    EventStream(Box<Place>),
}

/// What an outbound connection was opened with.
#[derive(Debug)]
pub(crate) struct Link {
    /// Name in the directory; empty for none.
    pub(crate) name: String,
    /// Host and port as they were given.
    target: String,
    port: u16,
    framing: Framing,
    /// Path of the URL, where it is a WebSocket.
    websocket: Option<String>,
    half_close: bool,
}

impl Origin {
    pub(crate) fn outbound(request: &Request) -> Self {
        Self::Outbound(Box::new(Link {
            name: request.name.clone(),
            target: target(request),
            port: request.port,
            framing: request.framing,
            half_close: request.half_close,
            websocket: None,
        }))
    }

    pub(crate) fn outbound_websocket(name: &str, target: String, port: u16, path: String) -> Self {
        Self::Outbound(Box::new(Link {
            name: name.to_owned(),
            target,
            port,
            framing: Framing::Raw,
            half_close: false,
            websocket: Some(path),
        }))
    }
}

/// A connection as the rest of the host sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: SocketId,
    pub(crate) origin: Origin,
    pub(crate) outbound: Outbound,
    pub(crate) memberships: Mutex<Memberships>,
    open: AtomicBool,
}

impl Connection {
    pub(crate) fn new(id: SocketId, origin: Origin, outbound: Outbound) -> Self {
        Self {
            id,
            origin,
            outbound,
            memberships: Mutex::default(),
            open: AtomicBool::new(true),
        }
    }

    /// False from the moment the socket is gone, while the disconnected event is still to be handled.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The socket is gone: nothing is queued any more.
    pub(crate) fn mark_closed(&self) {
        self.open.store(false, Ordering::Release);
        self.outbound.close(Closing::Abort);
    }

    /// The listener that accepted it.
    pub(crate) fn listener(&self) -> Option<&Listener> {
        match &self.origin {
            Origin::Inbound { listener, .. } => Some(listener),
            Origin::Outbound(_) | Origin::WebSocket(_) | Origin::EventStream(_) => None,
        }
    }

    /// Whether messages to it are framed as those of WebSockets.
    pub(crate) fn is_websocket(&self) -> bool {
        self.websocket_path().is_some()
    }

    /// Whether this end of a WebSocket is the one that has opened it, and masks what it sends.
    fn is_websocket_client(&self) -> bool {
        matches!(&self.origin, Origin::Outbound(link) if link.websocket.is_some())
    }

    /// Whether messages to it are events of a response that stays open.
    pub(crate) fn is_event_stream(&self) -> bool {
        matches!(self.origin, Origin::EventStream(_))
    }

    /// Path of the request that became a WebSocket.
    pub(crate) fn websocket_path(&self) -> Option<&str> {
        match &self.origin {
            Origin::WebSocket(place) => Some(&place.path),
            Origin::Outbound(link) => link.websocket.as_deref(),
            Origin::Inbound { .. } | Origin::EventStream(_) => None,
        }
    }

    /// Path of the request that it comes from.
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.origin {
            Origin::EventStream(place) => Some(&place.path),
            Origin::WebSocket(_) | Origin::Outbound(_) | Origin::Inbound { .. } => {
                self.websocket_path()
            }
        }
    }

    /// Address of the peer; of an outbound connection host and port as they were given, of a WebSocket or a stream of events without the port.
    pub(crate) fn remote(&self) -> String {
        match &self.origin {
            Origin::WebSocket(place) | Origin::EventStream(place) => {
                place.remote.ip().to_canonical().to_string()
            }
            Origin::Inbound { remote, .. } => remote.to_string(),
            Origin::Outbound(link) => link.target.clone(),
        }
    }

    /// Name of the listener, or of the outbound connection itself; of a WebSocket or a stream of events its path.
    pub(crate) fn name(&self) -> &str {
        match &self.origin {
            Origin::WebSocket(place) | Origin::EventStream(place) => &place.path,
            Origin::Inbound { listener, .. } => &listener.name,
            Origin::Outbound(link) => &link.name,
        }
    }

    /// Local port of an inbound connection, remote port of an outbound one.
    pub(crate) fn port(&self) -> u16 {
        match &self.origin {
            Origin::WebSocket(place) | Origin::EventStream(place) => place.port,
            Origin::Inbound { listener, .. } => listener.address.port(),
            Origin::Outbound(link) => link.port,
        }
    }

    /// How what is received becomes events, and what is sent becomes bytes.
    pub(crate) fn framing(&self) -> Framing {
        match &self.origin {
            Origin::Inbound { listener, .. } => listener.framing,
            Origin::Outbound(link) => link.framing,
            // Its session cuts messages; nothing is received on a stream of events.
            Origin::WebSocket(_) | Origin::EventStream(_) => Framing::Raw,
        }
    }

    /// Whether it outlives the end of what its peer sends.
    pub(crate) fn keeps_half(&self) -> bool {
        match &self.origin {
            Origin::Inbound { listener, .. } => listener.half_close,
            Origin::Outbound(link) => link.half_close,
            Origin::WebSocket(_) | Origin::EventStream(_) => false,
        }
    }

    /// Queues a copy of `data` without waiting; on a stream of events it is a whole one.
    pub(crate) fn send(&self, data: &[u8], kind: Kind, wake: Wake) -> Result<(), Refusal> {
        if let Some(message) = self.rewritten(data, kind) {
            return self.outbound.push(&[], &message, wake);
        }
        let head = self.head(data, kind);
        self.outbound.push(head.as_slice(), data, wake)
    }

    /// Queues shared bytes without waiting; on a stream of events they are a whole one.
    pub(crate) fn send_shared(&self, data: &Bytes, kind: Kind, wake: Wake) -> Result<(), Refusal> {
        if self.is_websocket_client() {
            return self.send(data, kind, wake);
        }
        let head = self.head(data, kind);
        self.outbound.push_shared(head.as_slice(), data, wake)
    }

    /// Queues a copy of `data`, and waits for room as long as the caller lets it; on a stream of events it is a whole one.
    pub(crate) async fn send_wait(&self, data: &[u8], kind: Kind) -> Result<(), Refusal> {
        if let Some(message) = self.rewritten(data, kind) {
            return self.outbound.push_wait(&[], &message).await;
        }
        let head = self.head(data, kind);
        self.outbound.push_wait(head.as_slice(), data).await
    }

    /// What a message is to be marked as on this connection, where it claims to be `kind`.
    pub(crate) fn kind_of(&self, data: &[u8], kind: Kind) -> Kind {
        match kind {
            Kind::Text if self.is_websocket() && std::str::from_utf8(data).is_err() => Kind::Binary,
            Kind::Text | Kind::Binary => kind,
        }
    }

    /// Ends it after everything queued has been written; a WebSocket says why.
    pub(crate) fn close(&self, reason: CloseReason<'_>) {
        if self.is_websocket_client() {
            self.outbound.close_with(&reason.masked_frame());
        } else if self.is_websocket() {
            self.outbound.close_with(&reason.frame());
        } else {
            self.outbound.close(Closing::Flush);
        }
    }

    /// Ends our direction after everything queued has been written. A WebSocket closes both at once (RFC 6455 5.5.1), a stream of events has no other.
    pub(crate) fn finish(&self) {
        if self.is_websocket() || self.is_event_stream() {
            self.close(CloseReason::NORMAL);
        } else {
            self.outbound.close(Closing::Finish);
        }
    }

    /// A message where its bytes are not those that are sent: a masked frame.
    fn rewritten(&self, data: &[u8], kind: Kind) -> Option<Vec<u8>> {
        self.is_websocket_client()
            .then(|| websocket::masked(kind, data))
    }

    /// What precedes a message on this connection.
    fn head(&self, data: &[u8], kind: Kind) -> Head {
        match (&self.origin, self.framing()) {
            (Origin::WebSocket(_), _) => Head::WebSocket(websocket::head(kind, data.len())),
            // A message is far shorter than that.
            (_, Framing::Length { .. }) => match u32::try_from(data.len()) {
                Ok(length) => Head::Length(length.to_be_bytes()),
                Err(_) => Head::None,
            },
            (_, Framing::Raw | Framing::Line { .. }) => Head::None,
        }
    }
}

enum Head {
    None,
    Length([u8; HEAD_BYTES]),
    WebSocket(websocket::Head),
}

impl Head {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Length(length) => length,
            Self::WebSocket(head) => head.as_slice(),
        }
    }
}
