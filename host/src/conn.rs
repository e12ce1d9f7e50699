//! Connections: what the host knows of each, apart from the socket itself, which only the connection's task holds.

pub(crate) mod id;
pub(crate) mod outbound;
pub(crate) mod table;

use crate::net::listener::Listener;
use bytes::Bytes;
use id::SocketId;
use outbound::{Closing, Outbound, Refusal, Wake};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A TCP connection as the rest of the host sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: SocketId,
    pub(crate) remote: SocketAddr,
    /// The listener that accepted it.
    pub(crate) listener: Arc<Listener>,
    pub(crate) outbound: Outbound,
    open: AtomicBool,
}

impl Connection {
    pub(crate) fn new(
        id: SocketId,
        remote: SocketAddr,
        listener: Arc<Listener>,
        outbound: Outbound,
    ) -> Self {
        Self {
            id,
            remote,
            listener,
            outbound,
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

    /// Queues a copy of `data` without waiting.
    pub(crate) fn send(&self, data: &[u8], wake: Wake) -> Result<(), Refusal> {
        self.outbound.push(data, wake)
    }

    /// Queues shared bytes without waiting.
    pub(crate) fn send_shared(&self, data: &Bytes, wake: Wake) -> Result<(), Refusal> {
        self.outbound.push_shared(data, wake)
    }
}
