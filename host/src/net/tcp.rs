//! One task for each connection: reads a chunk, lets its handlers run to the end, writes what is queued, reads on.
//!
//! Not reading while handlers run is the back-pressure on the peer. While a handler waits, the queue is still written, so that it may wait for its own connection.

use super::buffer::Chunk;
use super::frame::Frames;
use super::intake::{Full, Part};
use super::report::{self, SocketError};
use super::transport::Transport;
use super::websocket::{CloseReason, Received, Session, Side, Silence};
use crate::conn::outbound::{Closing, Segment};
use crate::conn::{Connection, Origin};
use crate::console::Stream;
use crate::observe::limit::Limit;
use crate::observe::traffic::Lane;
use crate::route::{self, Event};
use crate::tenant::{Phase, Slot, Tenant, WebSocketSlot};
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::Interval;
use tokio_util::io::poll_read_buf;

/// Room for segments that an idle connection keeps.
const SEGMENTS_KEPT_MAX: usize = 16;
/// Segments handed to one vectored write.
const WRITE_SEGMENTS_MAX: usize = 64;
/// How long we read and discard after our end of stream, so that a reset does not destroy what the peer has yet to read.
const LINGER_TIME_MAX: Duration = Duration::from_millis(500);

/// How often a connection whose peer only reads is looked at: a reset says nothing to whoever neither reads nor writes.
const HALF_OPEN_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The life of one connection: connected, data …, finished, disconnected.
pub(crate) async fn serve(
    tenant: Arc<Tenant>,
    connection: Arc<Connection>,
    stream: Transport,
    slot: Slot,
) {
    let codec = match Frames::new(connection.framing()) {
        Some(frames) => Codec::Frames(frames),
        None => Codec::Raw,
    };
    let slots = (slot, None);
    live(tenant, connection, stream, codec, slots, Bytes::new()).await;
}

/// The life of one WebSocket: connected, message …, disconnected. `received` is what came behind its handshake.
pub(crate) async fn serve_websocket(
    tenant: Arc<Tenant>,
    connection: Arc<Connection>,
    stream: Transport,
    slots: (Slot, WebSocketSlot),
    received: Bytes,
) {
    let side = match &connection.origin {
        Origin::Outbound(_) => Side::Client,
        Origin::Inbound { .. } | Origin::WebSocket(_) | Origin::EventStream(_) => Side::Server,
    };
    let session = Box::new(Session::new(side, &tenant.settings.limits));
    let slots = (slots.0, Some(slots.1));
    let codec = Codec::WebSocket(session);
    live(tenant, connection, stream, codec, slots, received).await;
}

async fn live(
    tenant: Arc<Tenant>,
    connection: Arc<Connection>,
    stream: Transport,
    codec: Codec,
    slots: (Slot, Option<WebSocketSlot>),
    received: Bytes,
) {
    stream.send_at_once();
    let mut task = Task {
        codec,
        part: Part::new(&tenant.intake),
        tenant,
        connection,
        stream,
        slots,
        half_open: None,
        has_finished: false,
        failure: None,
        reason: None,
        batch: VecDeque::new(),
        front_written: 0,
        done: Vec::new(),
    };
    task.deliver(Event::Connected).await;
    let early = task.deliver_messages(&received).await;
    // Even empty it may keep the buffer alive that it was read into.
    drop(received);
    let end = match early {
        Some(end) => end,
        None => task.exchange().await,
    };
    task.finish(end).await;
}

/// How what is received becomes events.
enum Codec {
    /// An event for each chunk.
    Raw,
    /// By lines or lengths.
    Frames(Box<Frames>),
    /// By the rules of WebSockets.
    WebSocket(Box<Session>),
}

/// Why the exchange is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The peer has sent its last byte; it may still read.
    Peer,
    /// The program closes the connection after flushing it.
    Program,
    /// Nothing more can or shall be written.
    Broken,
}

enum Next {
    Readable,
    End(End),
}

struct Task {
    tenant: Arc<Tenant>,
    connection: Arc<Connection>,
    stream: Transport,
    /// Its share of what the tenant may have.
    slots: (Slot, Option<WebSocketSlot>),
    codec: Codec,
    /// What has been received of a frame or a message that is not whole.
    part: Part,
    /// There once the peer has finished sending: when to see whether it still reads.
    half_open: Option<Box<Interval>>,
    /// Whether we have finished sending.
    has_finished: bool,
    /// What broke the connection.
    failure: Option<Box<SocketError>>,
    /// Why it ends, where that is not the usual.
    reason: Option<Arc<str>>,
    /// Segments taken from the queue and not yet written as a whole.
    batch: VecDeque<Segment>,
    /// Bytes of the first of them that have been written.
    front_written: usize,
    /// Scratch for segments that have left.
    done: Vec<Segment>,
}

impl Task {
    async fn exchange(&mut self) -> End {
        let tenant = Arc::clone(&self.tenant);
        loop {
            match poll_fn(|cx| self.poll_next(cx)).await {
                Next::End(end) => return end,
                Next::Readable => {}
            }
            let mut buffer = self.drive(pin!(tenant.buffers.take())).await;
            let Some(bytes) = buffer.bytes_mut() else {
                continue;
            };
            match poll_fn(|cx| Poll::Ready(poll_read_buf(Pin::new(&mut self.stream), cx, bytes)))
                .await
            {
                Poll::Pending => {}
                Poll::Ready(Ok(0)) => {
                    if !self.stays_half_open() {
                        return End::Peer;
                    }
                    let interval = tokio::time::interval(HALF_OPEN_CHECK_INTERVAL);
                    self.half_open = Some(Box::new(interval));
                    self.deliver(Event::Finished).await;
                }
                Poll::Ready(Ok(count)) => {
                    self.lane().received.add(count as u64);
                    if let Some(end) = self.deliver_chunk(buffer.chunk()).await {
                        return end;
                    }
                }
                Poll::Ready(Err(error)) => return self.broken(&error),
            }
        }
    }

    /// Whether the end of what the peer sends is not that of the connection: the program wants that, and will be told.
    fn stays_half_open(&self) -> bool {
        let told = || {
            let routes = self.tenant.routes.load();
            routes
                .as_ref()
                .is_some_and(|routes| routes.handles_finished())
        };
        self.connection.keeps_half() && told()
    }

    async fn deliver_chunk(&mut self, chunk: Chunk) -> Option<End> {
        match &self.codec {
            Codec::Raw => {
                self.deliver(Event::Data(chunk)).await;
                None
            }
            Codec::Frames(_) => Box::pin(self.deliver_frames(chunk)).await,
            Codec::WebSocket(_) => self.deliver_messages(&chunk).await,
        }
    }

    /// Where its bytes are counted.
    fn lane(&self) -> &Lane {
        self.tenant.counters.traffic.of(self.slots.0.protocol())
    }

    /// Whether what has been received may still be handled.
    fn takes_more(&self) -> bool {
        !self.connection.outbound.is_closing() && !self.tenant.is_in(Phase::Draining)
    }

    /// Delivers the messages that a chunk completes, one at a time; an end where the peer closes or makes a mistake.
    async fn deliver_messages(&mut self, mut input: &[u8]) -> Option<End> {
        let mut answers = Vec::new();
        if let Codec::WebSocket(session) = &mut self.codec {
            session.heard();
        }
        while self.takes_more()
            && let Codec::WebSocket(session) = &mut self.codec
        {
            let received = session.next(&mut input, &mut answers);

            if !answers.is_empty() {
                self.connection.outbound.push_answer(&answers);
                answers.clear();
            }
            match received {
                None => match self.part.reach(session.partial()) {
                    Ok(()) => break,
                    Err(full) => {
                        let frame = session.closing(&CloseReason::TRY_LATER);
                        self.connection.outbound.push_answer(&frame);
                        return Some(self.crowded(&full));
                    }
                },
                Some(Received::Message { kind, data }) => {
                    self.part.clear();
                    self.deliver(Event::Message { kind, data }).await;
                }
                Some(Received::End { reason }) => {
                    if session.is_too_long {
                        self.tenant.counters.hit(Limit::WebSocketMessageBytes);
                    }
                    self.reason = Some(reason);
                    self.connection.outbound.close(Closing::Flush);
                    return Some(End::Program);
                }
            }
        }
        None
    }

    /// Delivers the frames that a chunk completes, one at a time; an end where one is too long.
    async fn deliver_frames(&mut self, chunk: Chunk) -> Option<End> {
        let mut input = chunk.as_slice();
        while self.takes_more()
            && let Codec::Frames(frames) = &mut self.codec
        {
            match frames.next(&mut input) {
                Ok(None) => match self.part.reach(frames.partial()) {
                    Ok(()) => break,
                    Err(full) => return Some(self.crowded(&full)),
                },
                Ok(Some(frame)) => {
                    self.part.clear();
                    self.deliver(Event::Data(Arc::new(frame))).await;
                }
                Err(error) => {
                    let (connection, error) = (&self.connection, error.to_string());
                    let text = format!(
                        "connection {} from {} is closed: {error}",
                        connection.id,
                        connection.remote()
                    );
                    self.tenant.console.write(Stream::Error, &text);
                    self.tenant.counters.hit(Limit::FrameBytes);
                    self.failure = Some(Box::new(SocketError {
                        code: "frame-too-long",
                        error,
                    }));
                    self.connection.outbound.close(Closing::Flush);
                    return Some(End::Program);
                }
            }
        }
        None
    }

    /// The tenant holds too much that is not whole: this connection ends.
    fn crowded(&mut self, full: &Full) -> End {
        self.tenant.counters.hit(Limit::ReceivedBytes);
        let error = full.to_string();
        let reason = format!("error: {error}");
        self.reason = Some(reason.into());
        self.failure = Some(Box::new(SocketError {
            code: "crowded",
            error,
        }));
        self.connection.outbound.close(Closing::Flush);
        End::Program
    }

    /// Writes what is queued; ready when there is something to read or the connection is to end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let queue = match self.poll_flush(cx) {
            Ok(queue) => queue,
            Err(error) => return Poll::Ready(Next::End(self.broken(&error))),
        };
        match queue.closing {
            Closing::No | Closing::Finish => {}
            Closing::Flush => return Poll::Ready(Next::End(End::Program)),
            Closing::Abort => return Poll::Ready(Next::End(End::Broken)),
        }
        if self.half_open.is_some() {
            return self.poll_half_open(cx).map(Next::End);
        }
        if queue.bytes > self.tenant.settings.limits.queue_low_bytes
            || self.tenant.is_in(Phase::Draining)
        {
            // Nothing can be heard from whoever is not listened to.
            if let Codec::WebSocket(session) = &mut self.codec {
                session.heard();
            }
            return Poll::Pending;
        }
        match self.stream.poll_read_ready(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Next::Readable),
            Poll::Ready(Err(error)) => Poll::Ready(Next::End(self.broken(&error))),
            Poll::Pending => self.poll_silence(cx),
        }
    }

    /// Ready when we have finished, too, or the peer is gone.
    fn poll_half_open(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.has_finished {
            return Poll::Ready(End::Peer);
        }
        while let Some(interval) = &mut self.half_open {
            ready!(interval.poll_tick(cx));
            if let Err(error) = self.stream.check() {
                return Poll::Ready(self.broken(&error));
            }
        }
        Poll::Pending
    }

    /// Ready when a WebSocket has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        while let Codec::WebSocket(session) = &mut self.codec {
            match ready!(session.poll_silence(cx)) {
                Silence::Ask(ping) => {
                    self.connection.outbound.push_answer(ping);
                    if let Err(error) = self.poll_flush(cx) {
                        return Poll::Ready(Next::End(self.broken(&error)));
                    }
                }
                Silence::GiveUp => {
                    self.reason = Some("error: ping timeout".into());
                    return Poll::Ready(Next::End(End::Broken));
                }
            }
        }
        Poll::Pending
    }

    /// Writes as much as the socket takes now, and has the task woken for more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> io::Result<Queue> {
        let taken = self.connection.outbound.take(&mut self.batch, cx.waker());
        let (mut written, mut blocked) = (0, false);
        while !self.batch.is_empty() {
            let Poll::Ready(bytes) = self.poll_write(cx)? else {
                blocked = true;
                break;
            };
            if bytes == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            written += bytes;
            self.advance(bytes);
        }
        if self.batch.is_empty() {
            // What is encrypted may still wait for room in the socket.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_flush(cx) {
                return Err(error);
            }
            if self.batch.capacity() > SEGMENTS_KEPT_MAX {
                self.batch = VecDeque::new();
            }
        }
        let bytes = match written {
            0 => taken.bytes,
            _ => {
                self.lane().sent.add(written as u64);
                self.connection.outbound.written(written, &mut self.done)
            }
        };
        self.done.shrink_to(SEGMENTS_KEPT_MAX);
        if blocked {
            self.connection.outbound.blocked();
        }
        if taken.closing == Closing::Finish
            && bytes == 0
            && !self.has_finished
            && let Poll::Ready(finished) = Pin::new(&mut self.stream).poll_shutdown(cx)
        {
            finished?;
            self.has_finished = true;
        }
        Ok(Queue {
            closing: taken.closing,
            bytes,
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        let stream = Pin::new(&mut self.stream);
        let mut unwritten = self.batch.iter().enumerate().map(|(position, segment)| {
            let skip = if position == 0 { self.front_written } else { 0 };
            segment.bytes().get(skip..).unwrap_or_default()
        });
        let result = if self.batch.len() == 1 {
            stream.poll_write(cx, unwritten.next().unwrap_or_default())
        } else {
            let mut slices = [IoSlice::new(&[]); WRITE_SEGMENTS_MAX];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(unwritten) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            stream.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
        };
        match result {
            Poll::Ready(Ok(bytes)) => Ok(Poll::Ready(bytes)),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(front) = self.batch.front() {
            let left = front.bytes().len() - self.front_written;
            if bytes < left {
                self.front_written += bytes;
                return;
            }
            bytes -= left;
            self.front_written = 0;
            self.done.extend(self.batch.pop_front());
        }
    }

    /// Runs the handlers of one event to their end.
    async fn deliver(&mut self, event: Event) {
        let tenant = Arc::clone(&self.tenant);
        let connection = Arc::clone(&self.connection);
        if tenant.rate.take().is_err() {
            tenant.counters.hit(Limit::EventsPerSecond);
            self.drive(pin!(tenant.rate.wait())).await;
        }
        self.drive(pin!(route::deliver(&tenant, &connection, event)))
            .await;
    }

    /// Waits for `work` and writes what is queued meanwhile. Takes it pinned, so that a large future is not moved with every event.
    async fn drive<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        let mut is_broken = false;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if !is_broken && let Err(error) = self.poll_flush(cx) {
                // Senders that wait for room are told; the loop of this task sees it when the handlers are done. To try again would be to fail at once, and to be woken again by that.
                is_broken = true;
                self.broken(&error);
                self.connection.outbound.close(Closing::Abort);
            }
            Poll::Pending
        })
        .await
    }

    fn broken(&mut self, error: &io::Error) -> End {
        tracing::debug!(tenant = %self.tenant.id, connection = %self.connection.id, %error, "connection broken");
        let reset = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        );
        let failure = || {
            let (code, error) = match reset {
                true => ("reset", "Connection reset".to_owned()),
                false => ("failed", error.to_string()),
            };
            Box::new(SocketError { code, error })
        };
        self.failure.get_or_insert_with(failure);
        End::Broken
    }

    /// Flushes, ends the stream, delivers the disconnected event and forgets the connection.
    async fn finish(mut self, end: End) {
        if end == End::Peer {
            self.connection.outbound.close(Closing::Flush);
        }
        if end != End::Broken {
            let limit = self.tenant.settings.limits.flush_time_max;
            let flushed = tokio::time::timeout(limit, poll_fn(|cx| self.poll_flushed(cx))).await;
            if matches!(flushed, Ok(Ok(()))) && end == End::Program {
                drop(tokio::time::timeout(LINGER_TIME_MAX, self.linger()).await);
            }
        }
        self.connection.mark_closed();
        self.batch.clear();
        let Self {
            tenant,
            connection,
            stream,
            slots,
            failure,
            reason,
            ..
        } = self;
        drop(stream);
        tenant.channels.leave(&connection);
        if !tenant.is_in(Phase::Closing) {
            if let Some(failure) = &failure
                && !connection.is_websocket()
            {
                report::broken(&tenant, &connection, failure).await;
            }
            let reason =
                reason.unwrap_or_else(|| usual_reason(&connection, end, failure.as_deref()));
            route::deliver(&tenant, &connection, Event::Disconnected(reason)).await;
        }
        tenant.sockets.leave(connection.id);
        drop(slots);
    }

    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let queue = self.poll_flush(cx)?;
        if queue.closing == Closing::Abort {
            Poll::Ready(Ok(()))
        } else if queue.bytes == 0 {
            Pin::new(&mut self.stream).poll_flush(cx)
        } else {
            Poll::Pending
        }
    }

    /// Says that nothing more comes and discards what the peer still sends, until it ends too.
    async fn linger(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await?;
        let mut buffer = self.tenant.buffers.take().await;
        while let Some(bytes) = buffer.bytes_mut() {
            bytes.clear();
            if poll_fn(|cx| poll_read_buf(Pin::new(&mut self.stream), cx, bytes)).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Reason of a disconnected event (runtime.md 5.3.4, 6.5).
fn usual_reason(connection: &Connection, end: End, failure: Option<&SocketError>) -> Arc<str> {
    let requested = end == End::Program && failure.is_none();
    match (&connection.origin, failure) {
        (Origin::WebSocket(_), Some(failure)) => format!("error: {}", failure.error).into(),
        (Origin::WebSocket(_), None) if end != End::Peer => "server closed".into(),
        // The program closed a connection that it had opened.
        (Origin::Outbound(_), _) if requested => "disconnect requested".into(),
        _ => "connection closed".into(),
    }
}

/// The queue after a flush.
struct Queue {
    closing: Closing,
    bytes: usize,
}
