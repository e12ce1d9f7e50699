//! One task for each TCP connection: reads a chunk, lets its handlers run to the end, writes what is queued, reads on.
//!
//! Not reading while handlers run is the back-pressure on the peer. While a handler waits, the queue is still written, so that it may wait for its own connection.

use super::buffer::Chunk;
use super::frame::Frames;
use super::report::{self, SocketError};
use crate::conn::Connection;
use crate::conn::outbound::{Closing, Segment};
use crate::console::Stream;
use crate::route::{self, Event};
use crate::tenant::{Phase, Slot, Tenant};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

/// Room for segments that an idle connection keeps.
const SEGMENTS_KEPT_MAX: usize = 16;
/// Segments handed to one vectored write.
const WRITE_SEGMENTS_MAX: usize = 64;
/// How long we read and discard after our end of stream, so that a reset does not destroy what the peer has yet to read.
const LINGER_TIME_MAX: Duration = Duration::from_millis(500);

/// Reason of a disconnected event (runtime.md 6.5).
const REASON_CLOSED: &str = "connection closed";
/// Reason where the program closed a connection that it had opened.
const REASON_REQUESTED: &str = "disconnect requested";

/// The life of one connection: connected, data …, disconnected.
pub(crate) async fn serve(
    tenant: Arc<Tenant>,
    connection: Arc<Connection>,
    stream: TcpStream,
    slot: Slot,
) {
    // Handlers decide what forms a message; the kernel is not to hold it back for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let mut task = Task {
        frames: Frames::new(connection.framing()),
        tenant,
        connection,
        stream,
        slot,
        failure: None,
        batch: VecDeque::new(),
        front_written: 0,
        done: Vec::new(),
    };
    task.deliver(Event::Connected).await;
    let end = task.exchange().await;
    task.finish(end).await;
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
    stream: TcpStream,
    slot: Slot,
    /// What has been received of the next frame, where frames are cut.
    frames: Option<Box<Frames>>,
    /// What broke the connection.
    failure: Option<Box<SocketError>>,
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
                Poll::Ready(Ok(0)) => return End::Peer,
                Poll::Ready(Ok(_)) if self.frames.is_none() => {
                    self.deliver(Event::Data(buffer.chunk())).await;
                }
                Poll::Ready(Ok(_)) => {
                    if let Some(end) = self.deliver_frames(buffer.chunk()).await {
                        return end;
                    }
                }
                Poll::Ready(Err(error)) => return self.broken(&error),
            }
        }
    }

    /// Delivers the frames that a chunk completes, one at a time; an end where one is too long.
    async fn deliver_frames(&mut self, chunk: Chunk) -> Option<End> {
        let mut input = chunk.as_slice();
        while let Some(frames) = &mut self.frames
            && !self.connection.outbound.is_closing()
            && !self.tenant.is_in(Phase::Draining)
        {
            match frames.next(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => Box::pin(self.deliver(Event::Data(Arc::new(frame)))).await,
                Err(error) => {
                    let (connection, error) = (&self.connection, error.to_string());
                    let text = format!(
                        "connection {} from {} is closed: {error}",
                        connection.id,
                        connection.remote()
                    );
                    self.tenant.console.write(Stream::Error, &text);
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

    /// Writes what is queued; ready when there is something to read or the connection is to end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let queue = match self.poll_flush(cx) {
            Ok(queue) => queue,
            Err(error) => return Poll::Ready(Next::End(self.broken(&error))),
        };
        match queue.closing {
            Closing::No => {}
            Closing::Flush => return Poll::Ready(Next::End(End::Program)),
            Closing::Abort => return Poll::Ready(Next::End(End::Broken)),
        }
        if queue.bytes > self.tenant.settings.limits.queue_low_bytes
            || self.tenant.is_in(Phase::Draining)
        {
            return Poll::Pending;
        }
        match ready!(self.stream.poll_read_ready(cx)) {
            Ok(()) => Poll::Ready(Next::Readable),
            Err(error) => Poll::Ready(Next::End(self.broken(&error))),
        }
    }

    /// Writes as much as the socket takes now, and has the task woken for more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> io::Result<Queue> {
        let taken = self.connection.outbound.take(&mut self.batch, cx.waker());
        let mut written = 0;
        while !self.batch.is_empty() {
            let Poll::Ready(bytes) = self.poll_write(cx)? else {
                break;
            };
            if bytes == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            written += bytes;
            self.advance(bytes);
        }
        if self.batch.is_empty() && self.batch.capacity() > SEGMENTS_KEPT_MAX {
            self.batch = VecDeque::new();
        }
        let bytes = match written {
            0 => taken.bytes,
            _ => self.connection.outbound.written(written, &mut self.done),
        };
        self.done.shrink_to(SEGMENTS_KEPT_MAX);
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
        if matches!(event, Event::Data(_)) && tenant.rate.take().is_err() {
            tenant.counters.rate_limited.add(1);
            self.drive(pin!(tenant.rate.wait())).await;
        }
        self.drive(pin!(route::deliver(&tenant, &connection, event)))
            .await;
    }

    /// Waits for `work` and writes what is queued meanwhile. Takes it pinned, so that a large future is not moved with every event.
    async fn drive<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if let Err(error) = self.poll_flush(cx) {
                // Senders that wait for room are told; the loop of this task sees it when the handlers are done.
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
            slot,
            failure,
            ..
        } = self;
        drop(stream);
        tenant.channels.leave(&connection);
        if !tenant.is_in(Phase::Closing) {
            if let Some(failure) = &failure {
                report::broken(&tenant, &connection, failure).await;
            }
            let requested = end == End::Program && failure.is_none();
            let reason = match connection.listener() {
                None if requested => REASON_REQUESTED,
                Some(_) | None => REASON_CLOSED,
            };
            route::deliver(&tenant, &connection, Event::Disconnected(reason)).await;
        }
        tenant.sockets.leave(connection.id);
        drop(slot);
    }

    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let queue = self.poll_flush(cx)?;
        if queue.closing == Closing::Abort || queue.bytes == 0 {
            Poll::Ready(Ok(()))
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

/// The queue after a flush.
struct Queue {
    closing: Closing,
    bytes: usize,
}
