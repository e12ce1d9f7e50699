//! Sockets: listeners, HTTP, WebSockets, and the one task that owns each connection's socket.

pub(crate) mod buffer;
pub(crate) mod connect;
pub(crate) mod counted;
pub(crate) mod event_stream;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod intake;
pub(crate) mod listener;
mod report;
mod resolve;
pub(crate) mod shared;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod websocket;
