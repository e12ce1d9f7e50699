//! Bodies of responses: whole, or given away piece by piece as the peer takes them.

use super::file::FileBody;
use crate::net::event_stream::{CutOff, EventStream};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Most that is given away of a whole body at once: a frame of HTTP/2 (RFC 9113 4.2). Whatever is given away is held until the peer takes it, and nobody says when that is but the last of these pieces, when it is dropped.
const PIECE_BYTES: usize = 16 << 10;

/// The body of a response.
#[derive(Default)]
pub(crate) struct Payload {
    content: Content,
    held: Held,
}

/// What goes with a body until the peer has taken it.
#[derive(Default)]
struct Held {
    /// It is one of the requests under way.
    permit: Option<OwnedSemaphorePermit>,
    /// Since when the peer has to take more of it, where somebody looks at that.
    turn: Option<Arc<Turn>>,
}

impl Held {
    /// The last piece, with what was held.
    fn with(&mut self, bytes: Bytes) -> Bytes {
        if let Some(turn) = &self.turn {
            turn.passes(true);
        }
        match std::mem::take(self) {
            Held {
                permit: None,
                turn: None,
            } => bytes,
            _held => Bytes::from_owner(Last { bytes, _held }),
        }
    }
}

/// The last piece of a body.
struct Last {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Last {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

enum Content {
    /// What is left of a body that is all there.
    Whole(Bytes),
    /// It stays open.
    Events(Box<EventStream>),
    /// It is read while it is sent.
    File(Box<FileBody>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Bytes::new())
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

    /// Keeps the permit of its request until the peer has taken it, beside what fits into one piece. One that stays open is counted elsewhere.
    pub(super) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        let is_kept = match &self.content {
            Content::Whole(bytes) => bytes.len() > PIECE_BYTES,
            Content::File(file) => !file.is_end_stream(),
            Content::Events(_) => false,
        };
        self.held.permit = is_kept.then_some(permit);
    }

    /// The next piece of a whole body. The last one takes with it what is held.
    fn piece(left: &mut Bytes, held: &mut Held) -> Option<Bytes> {
        if left.is_empty() {
            return None;
        }
        if left.len() > PIECE_BYTES {
            return Some(left.split_to(PIECE_BYTES));
        }
        Some(held.with(std::mem::take(left)))
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole(bytes),
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
            Content::Whole(left) => {
                let piece = Self::piece(left, &mut own.held);
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Content::Events(stream) => Pin::new(&mut **stream).poll_frame(cx),
            Content::File(file) => {
                let frame = Pin::new(&mut **file).poll_frame(cx);
                let held = file.is_end_stream().then_some(&mut own.held);
                frame.map_ok(|frame| match held {
                    Some(held) => frame.map_data(|bytes| held.with(bytes)),
                    None => frame,
                })
            }
        };
        if let Some(turn) = &own.held.turn {
            turn.passes(frame.is_ready());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(left) => left.is_empty(),
            Content::Events(stream) => stream.is_end_stream(),
            Content::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(left) => SizeHint::with_exact(left.len() as u64),
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
        payload.held.turn = Some(turn);
    }

    /// Whether the peer has taken nothing of one of them for as long.
    pub(super) fn has_stalled(&self, limit: Duration) -> bool {
        let turns = self.0.lock();
        let mut turns = turns.iter().filter_map(Weak::upgrade);
        turns.any(|turn| turn.has_stalled(limit))
    }
}
