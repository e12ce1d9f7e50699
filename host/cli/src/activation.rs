//! Sockets that listen already when the process begins, as `sd_listen_fds(3)` passes them.
#![expect(
    unsafe_code,
    reason = "a descriptor that a parent process passes is a number, and taking it over is a claim that only this module makes"
)]

use std::net::TcpListener;
use std::os::fd::{FromRawFd, RawFd};

/// The first descriptor that is passed.
const FIRST: RawFd = 3;
/// As many are taken over.
const SOCKETS_MAX: RawFd = 256;

/// A socket with the name that it was given.
#[derive(Debug)]
pub(crate) struct Passed {
    /// `unknown` where none was given.
    pub(crate) name: String,
    pub(crate) socket: TcpListener,
}

/// Takes the passed sockets over. It is to be called once, before anything else opens descriptors: another call finds them taken.
pub(crate) fn take() -> Vec<Passed> {
    static TAKEN: std::sync::Once = std::sync::Once::new();
    let mut passed = Vec::new();
    TAKEN.call_once(|| passed = take_all());
    passed
}

fn take_all() -> Vec<Passed> {
    let variable = |name| std::env::var(name).ok();
    let is_ours = variable("LISTEN_PID").is_some_and(|id| id == std::process::id().to_string());
    let count = variable("LISTEN_FDS").and_then(|count| count.parse::<RawFd>().ok());
    let count = count.filter(|count| is_ours && (0..=SOCKETS_MAX).contains(count));
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = Vec::new();
    for descriptor in FIRST..FIRST + count.unwrap_or(0) {
        let name = names.next().filter(|name| !name.is_empty());
        let name = name.unwrap_or("unknown").to_owned();
        // SAFETY: `fcntl` with `F_SETFD` takes no pointer; for a number that is no open descriptor it fails.
        let is_open = unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
        if !is_open {
            tracing::warn!(name, descriptor, "no socket was passed");
            continue;
        }
        // SAFETY: the descriptor is open, the environment says that it was passed to this very process, and it is taken over here only and once, before anything else could have opened one with this number.
        let socket = unsafe { TcpListener::from_raw_fd(descriptor) };
        passed.push(Passed { name, socket });
    }
    passed
}
