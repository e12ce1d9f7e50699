//! What the end-to-end tests share: a server of one program, peers that talk to it, and the programs of the user documents.
//!
//! Everything waits for a condition until a deadline, nothing sleeps. A condition that does not come true in time fails the test with its name.
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics: that is what this crate is for"
)]

mod binary;
mod browser;
pub mod http;
mod peer;
mod process;
mod random;
pub mod seeds;
mod server;
mod websocket;

pub use binary::{binary, caches, repository};
pub use browser::{Browser, Page};
pub use peer::{Peer, accept, listener};
pub use process::{Running, Serving, aro_host};
pub use random::Random;
pub use server::{Server, Stopped, compile, diagnose, directory, serve, service, sources};
pub use websocket::WebSocket;

use std::future::Future;
use std::time::Duration;

/// How long a test waits for one condition: far longer than it takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for `work`, which `what` names, at most until [`DEADLINE`].
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}
