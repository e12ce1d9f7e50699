//! Connections and listeners: identities, valid as long as the host keeps the socket.

use alloc::string::String;
use core::fmt;

use crate::bindings::imports::aro::net::{
    channels, connections, directory, listeners, outbound, websockets,
};

/// Queues a text message on every open WebSocket; answers how many took it.
pub fn broadcast_text(text: &str) -> u32 {
    broadcast_as(websockets::MessageKind::Text, text.as_bytes())
}

/// Queues a binary message on every open WebSocket; answers how many took it.
pub fn broadcast_binary(data: &[u8]) -> u32 {
    broadcast_as(websockets::MessageKind::Binary, data)
}

fn broadcast_as(kind: websockets::MessageKind, data: &[u8]) -> u32 {
    // Without a filter there is nothing that could fail.
    websockets::broadcast(&[], data, kind).unwrap_or_default()
}

pub use crate::bindings::imports::aro::net::listeners::Framing;
pub use crate::bindings::imports::aro::net::outbound::{ConnectError, ConnectErrorCode};
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

/// How a listener is opened.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions<'a> {
    /// Address, `localhost`, or empty for the operator's default.
    pub host: &'a str,
    /// How bytes become events.
    pub framing: Framing,
    /// Longest line or frame; 0 for the default.
    pub frame_bytes_max: u32,
    /// Whether other processes may share the port.
    pub reuse_port: bool,
    /// Whether peers that finish sending go on receiving, and [`TcpHandler::finished`](crate::TcpHandler::finished) tells of them.
    pub half_close: bool,
}

impl Default for ListenOptions<'_> {
    fn default() -> Self {
        Self {
            host: "",
            framing: Framing::Raw,
            frame_bytes_max: 0,
            reuse_port: false,
            half_close: false,
        }
    }
}

/// How a connection is opened.
#[derive(Debug, Clone, Copy)]
pub struct ConnectOptions {
    /// How bytes become events.
    pub framing: Framing,
    /// Longest line or frame; 0 for the default.
    pub frame_bytes_max: u32,
    /// How long it may take; 0 for the operator's default.
    pub timeout_milliseconds: u32,
    /// Whether a peer that finishes sending goes on receiving, and [`TcpHandler::finished`](crate::TcpHandler::finished) tells of it.
    pub half_close: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            framing: Framing::Raw,
            frame_bytes_max: 0,
            timeout_milliseconds: 0,
            half_close: false,
        }
    }
}

/// A group of connections, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel<'a>(pub &'a str);

impl Channel<'_> {
    /// Queues `data` on every connection of the channel; answers how many took it.
    pub fn publish(self, data: &[u8]) -> u32 {
        channels::publish(self.0, data)
    }

    /// How many connections subscribe to the channel.
    pub fn count(self) -> u32 {
        channels::count(self.0)
    }
}

impl Connection {
    /// Queues `data` after everything queued before it; waits while the peer's queue is full.
    ///
    /// # Errors
    /// [`SendError`] if nothing was sent.
    pub fn send(self, data: &[u8]) -> Result<(), SendError> {
        self.send_as(connections::MessageKind::Binary, data)
    }

    /// The same, marked as text on a WebSocket; other connections get its UTF-8.
    ///
    /// # Errors
    /// [`SendError`] if nothing was sent.
    pub fn send_text(self, text: &str) -> Result<(), SendError> {
        self.send_as(connections::MessageKind::Text, text.as_bytes())
    }

    fn send_as(self, kind: connections::MessageKind, data: &[u8]) -> Result<(), SendError> {
        connections::send(self.0, data, kind).map_err(|error| match error {
            connections::SendError::Closed => SendError::Closed,
            connections::SendError::Full => SendError::Full,
        })
    }

    /// Closes it after its queue is flushed; a WebSocket with a code (1000, or 3000 to 4999) and a reason of at most 123 bytes.
    ///
    /// # Errors
    /// A sentence where the code or the reason cannot be sent.
    pub fn close_with(self, code: u16, reason: &str) -> Result<(), String> {
        websockets::close(self.0, code, reason)
    }

    /// Connects to a name or an address; `name` is entered into the directory if it is not empty.
    ///
    /// # Errors
    /// [`ConnectError`] says why there is no connection.
    pub fn open(
        host: &str,
        port: u16,
        name: &str,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let framing = match options.framing {
            Framing::Raw => outbound::Framing::Raw,
            Framing::Line => outbound::Framing::Line,
            Framing::Length32 => outbound::Framing::Length32,
        };
        let options = outbound::ConnectOptions {
            framing,
            frame_bytes_max: options.frame_bytes_max,
            timeout: options.timeout_milliseconds,
            half_close: options.half_close,
        };
        outbound::connect(host, port, name, options).map(Self)
    }

    /// Adds the connection to a channel.
    ///
    /// # Errors
    /// A sentence about the limit that is reached.
    pub fn subscribe(self, channel: Channel<'_>) -> Result<(), String> {
        channels::subscribe(self.0, channel.0)
    }

    /// Removes the connection from a channel.
    pub fn unsubscribe(self, channel: Channel<'_>) {
        channels::unsubscribe(self.0, channel.0);
    }

    /// Ends our direction after its queue is flushed: the peer reads to an end of stream and may send on. A WebSocket is closed.
    pub fn finish(self) {
        connections::finish(self.0);
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
    pub fn open(port: u16, name: &str, options: ListenOptions<'_>) -> Result<Self, String> {
        let options = listeners::ListenOptions {
            host: options.host.into(),
            framing: options.framing,
            frame_bytes_max: options.frame_bytes_max,
            reuse_port: options.reuse_port,
            half_close: options.half_close,
        };
        listeners::listen(port, name, &options).map(Self)
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
