//! Connections: what the host knows of each, apart from the socket itself, which only the connection's task holds.

pub(crate) mod channel;
pub(crate) mod id;
pub(crate) mod outbound;
pub(crate) mod table;

use crate::net::frame::{Framing, HEAD_BYTES};
use crate::net::listener::Listener;
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
}

impl Origin {
    pub(crate) fn outbound(name: &str, target: &str, port: u16, framing: Framing) -> Self {
        Self::Outbound(Box::new(Link {
            name: name.to_owned(),
            target: target.to_owned(),
            port,
            framing,
        }))
    }
}

/// A TCP connection as the rest of the host sees it.
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
            Origin::Outbound(_) => None,
        }
    }

    /// Address of the peer; of an outbound connection host and port as they were given.
    pub(crate) fn remote(&self) -> String {
        match &self.origin {
            Origin::Inbound { remote, .. } => remote.to_string(),
            Origin::Outbound(link) => link.target.clone(),
        }
    }

    /// Name of the listener, or of the outbound connection itself.
    pub(crate) fn name(&self) -> &str {
        match &self.origin {
            Origin::Inbound { listener, .. } => &listener.name,
            Origin::Outbound(link) => &link.name,
        }
    }

    /// Local port of an inbound connection, remote port of an outbound one.
    pub(crate) fn port(&self) -> u16 {
        match &self.origin {
            Origin::Inbound { listener, .. } => listener.address.port(),
            Origin::Outbound(link) => link.port,
        }
    }

    /// How what is received becomes events, and what is sent becomes bytes.
    pub(crate) fn framing(&self) -> Framing {
        match &self.origin {
            Origin::Inbound { listener, .. } => listener.framing,
            Origin::Outbound(link) => link.framing,
        }
    }

    /// Queues a copy of `data` without waiting.
    pub(crate) fn send(&self, data: &[u8], wake: Wake) -> Result<(), Refusal> {
        self.outbound.push(self.head(data).as_slice(), data, wake)
    }

    /// Queues shared bytes without waiting.
    pub(crate) fn send_shared(&self, data: &Bytes, wake: Wake) -> Result<(), Refusal> {
        self.outbound
            .push_shared(self.head(data).as_slice(), data, wake)
    }

    /// Queues a copy of `data`, and waits for room as long as the caller lets it.
    pub(crate) async fn send_wait(&self, data: &[u8]) -> Result<(), Refusal> {
        self.outbound
            .push_wait(self.head(data).as_slice(), data)
            .await
    }

    /// What precedes a message on this connection.
    fn head(&self, data: &[u8]) -> Head {
        match self.framing() {
            Framing::Raw | Framing::Line { .. } => Head(None),
            // A message is far shorter than that.
            Framing::Length { .. } => Head(u32::try_from(data.len()).ok().map(u32::to_be_bytes)),
        }
    }
}

struct Head(Option<[u8; HEAD_BYTES]>);

impl Head {
    fn as_slice(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |head| head)
    }
}
