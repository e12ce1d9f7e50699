//! Bodies of responses: whole, or given away piece by piece as the peer takes them.

use super::file::FileBody;
use crate::net::event_stream::{CutOff, EventStream};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// The body of a response.
#[derive(Default)]
pub(crate) struct Payload {
    content: Content,
    /// It is one of the requests under way until the peer has taken it.
    permit: Option<OwnedSemaphorePermit>,
    /// Since when the peer has to take more of it, where somebody looks at that.
    turn: Option<Arc<Turn>>,
}

enum Content {
    /// All of it is there.
    Whole(Full<Bytes>),
    /// It stays open.
    Events(Box<EventStream>),
    /// It is read while it is sent.
    File(Box<FileBody>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl Payload {
    /// A body that stays open.
    pub(super) fn events(stream: EventStream) -> Self {
        Self {
            content: Content::Events(Box::new(stream)),
            ..Self::default()
        }
    }

    /// A body that is read while it is sent.
    pub(super) fn file(file: FileBody) -> Self {
        Self {
            content: Content::File(Box::new(file)),
            ..Self::default()
        }
    }

    /// Keeps the permit of its request as long as something of it is to be sent. One that stays open is counted elsewhere.
    pub(super) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        let is_kept = match &self.content {
            Content::Whole(_) | Content::File(_) => !self.is_end_stream(),
            Content::Events(_) => false,
        };
        self.permit = is_kept.then_some(permit);
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole(Full::new(bytes)),
            ..Self::default()
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let own = self.get_mut();
        let frame = match &mut own.content {
            Content::Whole(whole) => {
                let frame = Pin::new(whole).poll_frame(cx);
                frame.map_err(|never| match never {})
            }
            Content::Events(stream) => Pin::new(&mut **stream).poll_frame(cx),
            Content::File(file) => Pin::new(&mut **file).poll_frame(cx),
        };
        if let Some(turn) = &own.turn {
            turn.passes(frame.is_ready());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(whole) => whole.is_end_stream(),
            Content::Events(stream) => stream.is_end_stream(),
            Content::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(whole) => whole.size_hint(),
            Content::Events(stream) => stream.size_hint(),
            Content::File(file) => file.size_hint(),
        }
    }
}

/// Whose turn it is with a body: the peer's, to make room for more, or ours.
struct Turn {
    begun: Instant,
    /// Milliseconds from then on at which it became the peer's.
    peers_since: AtomicU64,
}

/// It is our turn.
const OURS: u64 = u64::MAX;

impl Turn {
    fn passes(&self, to_peer: bool) {
        let since = match to_peer {
            true => u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(OURS),
            false => OURS,
        };
        self.peers_since.store(since, Ordering::Relaxed);
    }

    fn has_stalled(&self, limit: Duration) -> bool {
        let since = self.peers_since.load(Ordering::Relaxed);
        let waited = self.begun.elapsed();
        since != OURS && waited.saturating_sub(Duration::from_millis(since)) >= limit
    }
}

/// The bodies that are being sent on one connection beside each other. Each has its own window (RFC 9113 5.2), so that a connection which lives well may hold bodies of which nothing is taken.
#[derive(Default)]
pub(super) struct Unsent(Mutex<Vec<Weak<Turn>>>);

impl Unsent {
    /// Looks at a body until it is dropped.
    pub(super) fn watch(&self, payload: &mut Payload) {
        if payload.is_end_stream() {
            return;
        }
        let turn = Arc::new(Turn {
            begun: Instant::now(),
            peers_since: AtomicU64::new(0),
        });
        let mut turns = self.0.lock();
        turns.retain(|turn| turn.strong_count() > 0);
        turns.push(Arc::downgrade(&turn));
        payload.turn = Some(turn);
    }

    /// Whether the peer has taken nothing of one of them for as long.
    pub(super) fn has_stalled(&self, limit: Duration) -> bool {
        let turns = self.0.lock();
        let mut turns = turns.iter().filter_map(Weak::upgrade);
        turns.any(|turn| turn.has_stalled(limit))
    }
}
