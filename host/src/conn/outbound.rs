//! The outbound queue of one connection: bytes waiting to be written, bounded in bytes and messages.
//!
//! Plain state, no socket: small messages are appended to one buffer so that a burst leaves in one write, large broadcast payloads are shared and never copied. Senders push; the connection's task takes a batch, writes it and says how far it came. Bytes being written still count as queued.

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use tokio::sync::Notify;

/// Broadcast payloads from this size on are shared between queues, smaller ones copied.
pub(crate) const SHARE_BYTES_MIN: usize = 512;
/// An owned segment takes further messages up to this size.
const SEGMENT_BYTES_MAX: usize = 64 << 10;
/// Buffer kept by an idle connection; larger ones are given back to the allocator.
const KEEP_BYTES_MAX: usize = 2 << 10;

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    pub(crate) bytes_max: usize,
    pub(crate) messages_max: usize,
}

/// Why a message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The connection is closing or closed.
    Closed,
    /// There is no room.
    Full,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    /// It is open.
    No,
    /// Our direction only, after everything queued has been written.
    Finish,
    /// After everything queued has been written.
    Flush,
    /// At once.
    Abort,
}

#[derive(Debug)]
enum Payload {
    Owned(Vec<u8>),
    Shared(Bytes),
}

/// Contiguous bytes and the messages they hold.
#[derive(Debug)]
pub(crate) struct Segment {
    payload: Payload,
    messages: usize,
}

impl Segment {
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.payload {
            Payload::Owned(bytes) => bytes,
            Payload::Shared(bytes) => bytes,
        }
    }

    /// The same bytes for somebody who keeps them beyond this.
    pub(crate) fn share(&mut self) -> Bytes {
        let bytes = match &mut self.payload {
            Payload::Owned(bytes) => Bytes::from(std::mem::take(bytes)),
            Payload::Shared(bytes) => return bytes.clone(),
        };
        self.payload = Payload::Shared(bytes.clone());
        bytes
    }
}

#[derive(Debug)]
struct State {
    segments: VecDeque<Segment>,
    bytes: usize,
    messages: usize,
    spare: Vec<u8>,
    closing: Closing,
    waker: Option<Waker>,
    /// Whether the task looks at the queue without being woken again.
    woken: bool,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Outbound {
    state: Mutex<State>,
    limits: QueueLimits,
    waiting: AtomicUsize,
    room: Notify,
}

impl Outbound {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let state = State {
            segments: VecDeque::new(),
            bytes: 0,
            messages: 0,
            spare: Vec::new(),
            closing: Closing::No,
            waker: None,
            woken: false,
        };
        Self {
            state: Mutex::new(state),
            limits,
            waiting: AtomicUsize::new(0),
            room: Notify::new(),
        }
    }

    /// Queues a copy of `data` behind `head`, together one message. Refused while others wait for room, so that they keep their turn.
    pub(crate) fn push(&self, head: &[u8], data: &[u8], wake: Wake) -> Result<(), Refusal> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let closed = self.state.lock().closing != Closing::No;
            return Err(if closed {
                Refusal::Closed
            } else {
                Refusal::Full
            });
        }
        self.push_waited(head, data, wake)
    }

    fn push_waited(&self, head: &[u8], data: &[u8], wake: Wake) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        if state.admit(head.len() + data.len(), self.limits)? {
            state.append(head, data, 1);
            state.notify(wake);
        }
        Ok(())
    }

    /// Queues shared bytes behind `head`.
    pub(crate) fn push_shared(&self, head: &[u8], data: &Bytes, wake: Wake) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        if self.waiting.load(Ordering::Relaxed) > 0 && state.closing == Closing::No {
            return Err(Refusal::Full);
        }
        if !state.admit(head.len() + data.len(), self.limits)? {
            return Ok(());
        }
        if data.len() < SHARE_BYTES_MIN {
            state.append(head, data, 1);
        } else {
            if !head.is_empty() {
                state.append(head, &[], 0);
            }
            state.segments.push_back(Segment {
                payload: Payload::Shared(data.clone()),
                messages: 1,
            });
        }
        state.notify(wake);
        Ok(())
    }

    /// Waits for room, then queues a copy of `data` behind `head`. The caller bounds the wait.
    pub(crate) async fn push_wait(&self, head: &[u8], data: &[u8]) -> Result<(), Refusal> {
        let _turn = Waiting::enter(&self.waiting);
        loop {
            let room = self.room.notified();
            match self.push_waited(head, data, Wake::Task) {
                Err(Refusal::Full) => room.await,
                done => return done,
            }
        }
    }

    /// Asks the connection's task to end the connection; a stronger request replaces a weaker one.
    pub(crate) fn close(&self, closing: Closing) {
        let mut state = self.state.lock();
        if closing <= state.closing {
            return;
        }
        state.closing = closing;
        // Its end concerns a task, too, that only waits for room in the socket.
        state.woken = false;
        state.notify(Wake::Task);
        drop(state);
        self.room.notify_waiters();
    }

    /// Queues last words, whatever room there is, and asks for the end after them. Nothing happens to a connection that ends already.
    pub(crate) fn close_with(&self, farewell: &[u8]) {
        let mut state = self.state.lock();
        if state.closing == Closing::No {
            state.bytes += farewell.len();
            state.append(farewell, &[], 0);
        }
        drop(state);
        self.close(Closing::Flush);
    }

    /// Queues an answer that the protocol wants, whatever room there is. The caller stops reading while much is queued, so that a peer cannot make it grow.
    pub(crate) fn push_answer(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        if state.closing == Closing::No {
            state.bytes += bytes.len();
            state.append(bytes, &[], 0);
        }
    }

    /// Takes everything queued, leaving the bytes accounted for, and remembers whom to wake when more comes.
    pub(crate) fn take(&self, batch: &mut VecDeque<Segment>, waker: &Waker) -> Taken {
        let mut state = self.state.lock();
        state.woken = false;
        if !state
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            state.waker = Some(waker.clone());
        }
        if batch.is_empty() {
            std::mem::swap(&mut state.segments, batch);
        } else {
            batch.append(&mut state.segments);
        }
        Taken {
            closing: state.closing,
            bytes: state.bytes,
        }
    }

    /// The socket takes no more, and wakes the task when it does: more in the queue is no reason to, or broadcasts to peers that do not read would wake their tasks for nothing.
    pub(crate) fn blocked(&self) {
        self.state.lock().woken = true;
    }

    /// Accounts for `segments` whole segments that have left, and `bytes` in all; answers what is still queued.
    pub(crate) fn written(&self, bytes: usize, done: &mut Vec<Segment>) -> usize {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        for segment in done.drain(..) {
            state.messages = state.messages.saturating_sub(segment.messages);
            if let Payload::Owned(mut buffer) = segment.payload
                && buffer.capacity() <= KEEP_BYTES_MAX
                && buffer.capacity() > state.spare.capacity()
            {
                buffer.clear();
                state.spare = buffer;
            }
        }
        let left = state.bytes;
        drop(state);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.room.notify_waiters();
        }
        left
    }

    /// Whether the connection is to end, in both directions.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing > Closing::Finish
    }

    /// Bytes and messages that are queued or being written.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.bytes, state.messages)
    }

    /// Whether the connection is to end at once.
    pub(crate) fn is_aborted(&self) -> bool {
        self.state.lock().closing == Closing::Abort
    }

    /// Bytes queued or being written.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }
}

/// Whether a push must wake the connection's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The sender is another task.
    Task,
    /// The sender runs inside the connection's own task, which looks at the queue anyway.
    Own,
}

/// What the task learns when it looks at the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) closing: Closing,
    pub(crate) bytes: usize,
}

impl State {
    /// Accounts for a message; false when there is nothing to queue.
    fn admit(&mut self, bytes: usize, limits: QueueLimits) -> Result<bool, Refusal> {
        if self.closing != Closing::No {
            return Err(Refusal::Closed);
        }
        if bytes == 0 {
            return Ok(false);
        }
        let fits = self.bytes + bytes <= limits.bytes_max && self.messages < limits.messages_max;
        if !fits && self.bytes > 0 {
            return Err(Refusal::Full);
        }
        self.bytes += bytes;
        self.messages += 1;
        Ok(true)
    }

    fn append(&mut self, head: &[u8], data: &[u8], count: usize) {
        if let Some(Segment {
            payload: Payload::Owned(buffer),
            messages,
        }) = self.segments.back_mut()
            && buffer.len() + head.len() + data.len() <= SEGMENT_BYTES_MAX
        {
            buffer.extend_from_slice(head);
            buffer.extend_from_slice(data);
            *messages += count;
            return;
        }
        let mut buffer = std::mem::take(&mut self.spare);
        buffer.extend_from_slice(head);
        buffer.extend_from_slice(data);
        self.segments.push_back(Segment {
            payload: Payload::Owned(buffer),
            messages: count,
        });
    }

    fn notify(&mut self, wake: Wake) {
        if wake == Wake::Own || self.woken {
            return;
        }
        if let Some(waker) = &self.waker {
            self.woken = true;
            waker.wake_by_ref();
        }
    }
}

/// Counts a sender that waits for room, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QueueLimits = QueueLimits {
        bytes_max: 100,
        messages_max: 3,
    };

    fn drain(queue: &Outbound) -> (usize, Vec<u8>) {
        let mut batch = VecDeque::new();
        queue.take(&mut batch, Waker::noop());
        let text: Vec<u8> = batch
            .iter()
            .flat_map(|segment| segment.bytes().to_vec())
            .collect();
        let segments = batch.len();
        queue.written(text.len(), &mut batch.drain(..).collect());
        (segments, text)
    }

    #[test]
    fn small_messages_share_a_segment_in_order() {
        let queue = Outbound::new(LIMITS);
        queue.push(&[], b"ab", Wake::Own).unwrap();
        queue.push(&[], b"cd", Wake::Task).unwrap();
        assert_eq!(drain(&queue), (1, b"abcd".to_vec()));
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn bytes_being_written_count_as_queued() {
        let queue = Outbound::new(LIMITS);
        queue.push(&[], &[0; 90], Wake::Own).unwrap();
        let mut batch = VecDeque::new();
        queue.take(&mut batch, Waker::noop());
        assert_eq!(queue.push(&[], &[0; 20], Wake::Own), Err(Refusal::Full));
        queue.written(90, &mut batch.drain(..).collect());
        assert_eq!(queue.push(&[], &[0; 20], Wake::Own), Ok(()));
    }

    #[test]
    fn messages_are_bounded_as_well_as_bytes() {
        let queue = Outbound::new(LIMITS);
        for _ in 0..3 {
            queue.push(&[], b"x", Wake::Own).unwrap();
        }
        assert_eq!(queue.push(&[], b"x", Wake::Own), Err(Refusal::Full));
    }

    #[test]
    fn an_empty_queue_takes_one_large_message() {
        let queue = Outbound::new(LIMITS);
        queue.push(&[], &[0; 500], Wake::Own).unwrap();
        assert_eq!(queue.push(&[], b"x", Wake::Own), Err(Refusal::Full));
        assert_eq!(drain(&queue).1.len(), 500);
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_whose_socket_is_full_is_woken_by_its_end_only() {
        let queue = Outbound::new(LIMITS);
        let woken = std::sync::Arc::new(Woken::default());
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let count = || woken.0.load(Ordering::Relaxed);
        queue.take(&mut VecDeque::new(), &waker);
        queue.push(&[], b"a", Wake::Task).unwrap();
        assert_eq!(count(), 1);
        queue.take(&mut VecDeque::new(), &waker);
        queue.blocked();
        queue.push(&[], b"b", Wake::Task).unwrap();
        assert_eq!(count(), 1);
        queue.close(Closing::Abort);
        assert_eq!(count(), 2);
        // Who has been told takes a look, and is not told once more.
        queue.take(&mut VecDeque::new(), &waker);
        queue.close(Closing::Flush);
        queue.close(Closing::Abort);
        assert_eq!(count(), 2);
    }

    #[test]
    fn a_closing_queue_refuses() {
        let queue = Outbound::new(LIMITS);
        queue.close(Closing::Abort);
        queue.close(Closing::Flush);
        assert_eq!(queue.push(&[], b"x", Wake::Own), Err(Refusal::Closed));
        let taken = queue.take(&mut VecDeque::new(), Waker::noop());
        assert_eq!(taken.closing, Closing::Abort);
    }

    #[test]
    fn large_shared_payloads_are_segments_of_their_own() {
        let queue = Outbound::new(QueueLimits {
            bytes_max: 10_000,
            messages_max: 10,
        });
        queue.push(&[], b"ab", Wake::Own).unwrap();
        queue
            .push_shared(&[], &Bytes::from(vec![7; SHARE_BYTES_MIN]), Wake::Own)
            .unwrap();
        queue
            .push_shared(&[], &Bytes::from_static(b"cd"), Wake::Own)
            .unwrap();
        let (segments, bytes) = drain(&queue);
        assert_eq!((segments, bytes.len()), (3, SHARE_BYTES_MIN + 4));
    }

    #[test]
    fn heads_stay_before_their_data() {
        let queue = Outbound::new(QueueLimits {
            bytes_max: 10_000,
            messages_max: 10,
        });
        let large = Bytes::from(vec![7; SHARE_BYTES_MIN]);
        queue.push(b"1", b"a", Wake::Own).unwrap();
        queue.push_shared(b"2", &large, Wake::Own).unwrap();
        queue.push(b"3", b"", Wake::Own).unwrap();
        let (segments, bytes) = drain(&queue);
        assert_eq!((segments, bytes.len()), (3, SHARE_BYTES_MIN + 4));
        assert_eq!((&bytes[..3], bytes.last()), (&b"1a2"[..], Some(&b'3')));
    }
}
