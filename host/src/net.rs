//! TCP: listeners, and the one task that owns each connection's socket.

pub(crate) mod buffer;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod tcp;
