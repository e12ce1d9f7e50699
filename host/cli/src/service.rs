//! What the manager of services is told, in the protocol of `sd_notify(3)`: a datagram of lines to the socket that it names. Without a manager nothing is said.

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Names the socket.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
/// Says how often the manager wants to hear that the event loop turns, in microseconds.
const WATCHDOG_VARIABLE: &str = "WATCHDOG_USEC";

/// A fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Everything that is to be served is served.
    Ready,
    /// The configuration is being read again; `Ready` follows.
    Reloading,
    /// The end has begun.
    Stopping,
    /// The event loop turns.
    Alive,
}

impl Notice {
    fn text(self) -> &'static str {
        match self {
            Self::Ready => "READY=1",
            Self::Reloading => "RELOADING=1",
            Self::Stopping => "STOPPING=1",
            Self::Alive => "WATCHDOG=1",
        }
    }
}

/// Tells the manager, if there is one. That it does not hear is no reason to stop.
pub(crate) fn notify(notice: Notice) {
    let Some(name) = std::env::var_os(SOCKET_VARIABLE) else {
        return;
    };
    if let Err(error) = send(name.as_bytes(), notice.text()) {
        tracing::warn!(%error, "the manager of services cannot be told");
    }
}

fn send(name: &[u8], text: &str) -> std::io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

/// Says for as long as the event loop turns that it does, where the manager wants to hear it.
pub(crate) async fn keep_alive() {
    let interval = std::env::var(WATCHDOG_VARIABLE).ok();
    let Some(interval) = interval.and_then(|text| text.parse().ok()) else {
        return;
    };
    let interval = Duration::from_micros(interval) / 2;
    loop {
        notify(Notice::Alive);
        tokio::time::sleep(interval).await;
    }
}
