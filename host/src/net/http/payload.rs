//! Bodies of responses: whole, or given away piece by piece as the peer takes them.

use super::file::FileBody;
use crate::net::event_stream::{CutOff, EventStream};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a response.
pub(crate) enum Payload {
    /// All of it is there.
    Whole(Full<Bytes>),
    /// It stays open.
    Events(Box<EventStream>),
    /// It is read while it is sent.
    File(Box<FileBody>),
}

impl Default for Payload {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match self.get_mut() {
            Self::Whole(whole) => {
                let frame = Pin::new(whole).poll_frame(cx);
                frame.map_err(|never| match never {})
            }
            Self::Events(stream) => Pin::new(&mut **stream).poll_frame(cx),
            Self::File(file) => Pin::new(&mut **file).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Events(stream) => stream.is_end_stream(),
            Self::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Events(stream) => stream.size_hint(),
            Self::File(file) => file.size_hint(),
        }
    }
}
