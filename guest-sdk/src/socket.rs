//! Connections and listeners: identities, valid as long as the host keeps the socket.

use alloc::string::String;
use core::fmt;

use crate::bindings::imports::aro::net::{connections, directory, listeners};

pub use crate::bindings::imports::aro::net::directory::{Description, Kind};

/// A connection. The value may be stored; sending to one that is gone is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection(
    /// The halves of its UUID, big-endian.
    pub (u64, u64),
);

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Listener(
    /// The halves of its UUID, big-endian.
    pub (u64, u64),
);

/// Why data was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The connection is closed.
    Closed,
    /// The peer reads too slowly.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "connection is closed",
            Self::Full => "the peer reads too slowly: its queue is full",
        })
    }
}

impl core::error::Error for SendError {}

impl Connection {
    /// Queues `data` after everything queued before it; waits while the peer's queue is full.
    ///
    /// # Errors
    /// [`SendError`] if nothing was sent.
    pub fn send(self, data: &[u8]) -> Result<(), SendError> {
        connections::send(self.0, data).map_err(|error| match error {
            connections::SendError::Closed => SendError::Closed,
            connections::SendError::Full => SendError::Full,
        })
    }

    /// Closes the connection after its queue is flushed.
    pub fn close(self) {
        connections::close(self.0);
    }

    /// What the host knows about the connection; none when it is gone.
    pub fn describe(self) -> Option<Description> {
        directory::describe(self.0)
    }
}

impl Listener {
    /// Listens on `port` (0 lets the system choose) under `name`.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(port: u16, name: &str) -> Result<Self, String> {
        listeners::listen(port, name).map(Self)
    }

    /// The socket that was opened under `name`.
    pub fn find(name: &str) -> Option<Self> {
        directory::find(name).map(Self)
    }

    /// Queues `data` on every connection of the listener; answers how many took it.
    pub fn broadcast(self, data: &[u8]) -> u32 {
        connections::broadcast(Some(self.0), data)
    }

    /// Stops listening and closes the listener's connections.
    pub fn close(self) {
        listeners::close(self.0);
    }
}
