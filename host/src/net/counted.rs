//! A connection of HTTP whose bytes are counted; others count theirs where they read and write.

use super::transport::Transport;
use crate::config::Limits;
use crate::observe::limit::Limit;
use crate::observe::traffic::{Lane, Protocol};
use crate::tenant::Tenant;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The stream, and whose it is: nobody's alone on a listener that several tenants are reached through. Fails when the peer takes nothing of what is written for too long.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: Transport,
    tenant: Option<Arc<Tenant>>,
    write_time_max: Duration,
    /// There while the peer is waited for.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Counted {
    pub(crate) fn new(stream: Transport, tenant: &Arc<Tenant>, limits: &Limits) -> Self {
        let tenant = Some(Arc::clone(tenant));
        Self {
            tenant,
            ..Self::shared(stream, limits)
        }
    }

    /// A connection that is no tenant's yet.
    pub(crate) fn shared(stream: Transport, limits: &Limits) -> Self {
        Self {
            stream,
            tenant: None,
            write_time_max: limits.http_write_time_max,
            stalled: None,
        }
    }

    /// The stream, which somebody else counts from now on.
    pub(crate) fn into_inner(self) -> Transport {
        self.stream
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
        let before = buffer.filled().len();
        let read = Pin::new(&mut own.stream).poll_read(cx, buffer);
        let received = buffer.filled().len() - before;
        if let Some(lane) = own.lane().filter(|_| received > 0) {
            lane.received.add(received as u64);
        }
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
        let flushed = Pin::new(&mut own.stream).poll_flush(cx);
        own.limited(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
