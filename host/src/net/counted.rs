//! A connection of HTTP whose bytes are counted; others count theirs where they read and write.

use super::transport::Transport;
use crate::config::Limits;
use crate::conn::Connection;
use crate::observe::limit::Limit;
use crate::observe::traffic::{Lane, Protocol};
use crate::tenant::Tenant;
use bytes::BytesMut;
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What is read beyond a request while its response stays open.
const BEYOND_BYTES_MAX: usize = 1 << 10;

/// The response of a connection that stays open, where its requests wait for one another.
pub(crate) type Standing = Arc<Mutex<Option<Arc<Connection>>>>;

/// The stream, and whose it is: nobody's alone on a listener that several tenants are reached through. Fails when the peer takes nothing of what is written for too long.
///
/// A peer may end its direction and wait for the answer, so hyper does not look for that end while a request is answered. Of a response that stays open nobody waits for the end: whoever follows it and ends its direction has gone, which this finds out.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: Transport,
    tenant: Option<Arc<Tenant>>,
    write_time_max: Duration,
    /// There while the peer is waited for.
    stalled: Option<Pin<Box<Sleep>>>,
    standing: Standing,
    /// Read to find out whether the peer has gone, and not given away yet.
    beyond: BytesMut,
}

impl Counted {
    pub(crate) fn new(
        stream: Transport,
        tenant: &Arc<Tenant>,
        limits: &Limits,
        standing: &Standing,
    ) -> Self {
        let tenant = Some(Arc::clone(tenant));
        Self {
            tenant,
            ..Self::shared(stream, limits, standing)
        }
    }

    /// A connection that is no tenant's yet.
    pub(crate) fn shared(stream: Transport, limits: &Limits, standing: &Standing) -> Self {
        Self {
            stream,
            tenant: None,
            write_time_max: limits.http_write_time_max,
            stalled: None,
            standing: Arc::clone(standing),
            beyond: BytesMut::new(),
        }
    }

    /// The stream, which somebody else counts from now on.
    pub(crate) fn into_inner(self) -> Transport {
        self.stream
    }

    /// Ready when the peer of a response that stays open has gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_open = |standing: &Arc<Connection>| standing.is_open();
        if !self.standing.lock().as_ref().is_some_and(is_open) {
            return Poll::Pending;
        }
        while self.beyond.len() < BEYOND_BYTES_MAX {
            let mut bytes = [0; BEYOND_BYTES_MAX];
            let room = bytes.len() - self.beyond.len();
            let mut buffer = ReadBuf::new(&mut bytes);
            let mut buffer = buffer.take(room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.received(buffer.filled().len());
                    self.beyond.extend_from_slice(buffer.filled());
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn received(&self, bytes: usize) {
        if let Some(lane) = self.lane().filter(|_| bytes > 0) {
            lane.received.add(bytes as u64);
        }
    }

    fn lane(&self) -> Option<&Lane> {
        let tenant = self.tenant.as_ref()?;
        Some(tenant.counters.traffic.of(Protocol::Http))
    }

    fn sent(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Ok(bytes)), Some(lane)) = (&written, self.lane()) {
            lane.sent.add(*bytes as u64);
        }
        self.limited(cx, written)
    }

    /// Fails what has been pending for too long.
    fn limited<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if self.stalled.is_some() {
                self.stalled = None;
            }
            return polled;
        }
        let limit = self.write_time_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        if let Some(tenant) = &self.tenant {
            tenant.counters.hit(Limit::HttpWriteTime);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        if !own.beyond.is_empty() {
            let length = own.beyond.len().min(buffer.remaining());
            buffer.put_slice(&own.beyond.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut own.stream).poll_read(cx, buffer);
        own.received(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write(cx, bytes);
        own.sent(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write_vectored(cx, slices);
        own.sent(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        // hyper flushes whenever it looks at a connection.
        if own.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let flushed = Pin::new(&mut own.stream).poll_flush(cx);
        own.limited(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let shut = Pin::new(&mut own.stream).poll_shutdown(cx);
        own.limited(cx, shut)
    }
}
