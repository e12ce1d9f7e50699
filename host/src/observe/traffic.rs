//! Connections and their bytes, by protocol.

use super::Counter;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// TCP, accepted.
    Tcp,
    /// TCP, opened by the program.
    Outbound,
    /// HTTP, before it becomes anything else.
    Http,
    /// What was HTTP.
    WebSocket,
}

impl Protocol {
    pub(crate) const ALL: [Self; 4] = [Self::Tcp, Self::Outbound, Self::Http, Self::WebSocket];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Outbound => "outbound",
            Self::Http => "http",
            Self::WebSocket => "websocket",
        }
    }
}

/// What is counted of one protocol.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) open: AtomicUsize,
    pub(crate) opened: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

/// All protocols.
#[derive(Debug, Default)]
pub(crate) struct Traffic([Lane; Protocol::ALL.len()]);

/// Connections of one protocol at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtocolStatus {
    /// `tcp`, `outbound`, `http` or `websocket`.
    pub name: &'static str,
    /// Open connections.
    pub open: usize,
    /// Connections that were opened, or became one of these.
    pub opened: u64,
    /// Bytes received, as applications see them: without those of TLS and below.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

impl Traffic {
    pub(crate) fn of(&self, protocol: Protocol) -> &Lane {
        self.0
            .get(protocol as usize)
            .expect("there is a lane for each protocol")
    }

    pub(crate) fn opened(&self) -> u64 {
        // What becomes a WebSocket was counted when it was opened.
        let all = [Protocol::Tcp, Protocol::Outbound, Protocol::Http];
        all.iter().map(|one| self.of(*one).opened.value()).sum()
    }

    pub(crate) fn read(&self) -> Vec<ProtocolStatus> {
        let all = Protocol::ALL.iter();
        all.map(|protocol| {
            let lane = self.of(*protocol);
            ProtocolStatus {
                name: protocol.name(),
                open: lane.open.load(Ordering::Relaxed),
                opened: lane.opened.value(),
                received: lane.received.value(),
                sent: lane.sent.value(),
            }
        })
        .collect()
    }
}
