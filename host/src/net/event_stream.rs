//! Streams of events (WHATWG HTML 9.2) as responses of HTTP that stay open: what is sent to such a connection, and the body that carries it.
//!
//! The connection stands in the tenant's table from before its handler runs, so that the handler can subscribe it and send to it; it leaves with the body.

use super::report;
use super::websocket::{CloseReason, Place};
use crate::conn::outbound::{Closing, Segment};
use crate::conn::table::EnterError;
use crate::conn::{Connection, Origin};
use crate::tenant::{Phase, Tenant, WebSocketSlot};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A comment, which readers pass over: it keeps proxies from giving the connection up.
const KEEP_ALIVE: &[u8] = b":\n\n";

/// Longest name or identity of an event.
const LABEL_BYTES_MAX: usize = 1 << 10;
/// Shown of one that is refused.
const LABEL_SHOWN_CHARS_MAX: usize = 64;

/// What an event is called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    /// Lines of the event, ends of lines included.
    fields: String,
}

/// What cannot be a name or an identity; shown to the program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} of an event is one line of at most {LABEL_BYTES_MAX} bytes, not {text:?}")]
pub(crate) struct LabelError {
    what: &'static str,
    /// As much of it as can be shown.
    text: String,
}

impl Label {
    /// Of a name and an identity; an empty one is left out.
    pub(crate) fn new(event: &str, id: &str) -> Result<Self, LabelError> {
        let mut fields = String::new();
        for (field, what, text) in [("event", "name", event), ("id", "id", id)] {
            // Readers ignore an identity with a NUL (WHATWG HTML 9.2.6).
            if text.len() > LABEL_BYTES_MAX || text.contains(['\r', '\n', '\0']) {
                let text = text.chars().take(LABEL_SHOWN_CHARS_MAX).collect();
                return Err(LabelError { what, text });
            }
            if !text.is_empty() {
                fields.extend([field, ": ", text, "\n"]);
            }
        }
        Ok(Self { fields })
    }
}

/// An event that carries `data`, each of its lines behind a field name of its own, so that no text can pass for another field.
pub(crate) fn event(label: Option<&Label>, data: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(data);
    let fields = label.map_or("", |label| &label.fields);
    let mut event = Vec::with_capacity(fields.len() + text.len() + 16);
    event.extend(fields.as_bytes());
    let mut rest = Some(&*text);
    while let Some(text) = rest {
        let (line, behind) = match text.split_once(['\r', '\n']) {
            Some((line, behind)) => {
                // CR LF ends one line.
                let is_pair = text.as_bytes().get(line.len()) == Some(&b'\r');
                let one = behind.strip_prefix('\n').filter(|_| is_pair);
                (line, Some(one.unwrap_or(behind)))
            }
            None => (text, None),
        };
        event.extend(b"data: ");
        event.extend(line.as_bytes());
        event.push(b'\n');
        rest = behind;
    }
    event.push(b'\n');
    event
}

/// Why a body ends in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the stream of events has been cut off")]
pub(crate) struct CutOff;

/// A response that stays open. It leaves the tenant's table when it is dropped.
pub(crate) struct EventStream {
    tenant: Arc<Tenant>,
    connection: Arc<Connection>,
    /// Its share of what the tenant may have.
    _slot: WebSocketSlot,
    /// Whether a peer was told that it is open.
    is_begun: bool,
    /// Segments taken from the queue and not yet given away.
    batch: VecDeque<Segment>,
    /// What was given away last, until it has been taken on.
    given: Vec<Segment>,
    silence: Pin<Box<Sleep>>,
    interval: Duration,
}

/// Why a request cannot have one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("there are too many of them")]
    TooMany,
    #[error(transparent)]
    Enter(#[from] EnterError),
}

impl EventStream {
    /// Enters the response of a request from `place` into the tenant's table.
    pub(crate) fn open(tenant: &Arc<Tenant>, place: Place) -> Result<Self, OpenError> {
        let slot = WebSocketSlot::take(tenant).ok_or(OpenError::TooMany)?;
        let origin = Origin::EventStream(Box::new(place));
        let sockets = &tenant.sockets;
        let connection = sockets.enter_connection(origin, tenant.queue())?;
        // The program may have begun to end since the request came, and have missed it.
        if tenant.is_in(Phase::Closing) {
            connection.close(CloseReason::GOING_AWAY);
        }
        let interval = tenant.settings.limits.websocket_ping_interval;
        Ok(Self {
            tenant: Arc::clone(tenant),
            connection,
            _slot: slot,
            is_begun: false,
            batch: VecDeque::new(),
            given: Vec::new(),
            silence: Box::pin(tokio::time::sleep(interval)),
            interval,
        })
    }

    /// What handlers know of it.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// From here on its end is an event.
    pub(crate) fn begin(&mut self) {
        self.is_begun = true;
    }

    /// What was given away has been taken on, or nothing more would be asked for.
    fn account(&mut self) {
        let bytes = self.given.iter().map(|segment| segment.bytes().len()).sum();
        if bytes > 0 {
            self.connection.outbound.written(bytes, &mut self.given);
        }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let this = self.get_mut();
        this.account();
        let taken = this.connection.outbound.take(&mut this.batch, cx.waker());
        if taken.closing == Closing::Abort {
            return Poll::Ready(Some(Err(CutOff)));
        }
        if let Some(mut segment) = this.batch.pop_front() {
            let bytes = segment.share();
            this.given.push(segment);
            this.silence.as_mut().reset(Instant::now() + this.interval);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if taken.closing == Closing::Flush {
            return Poll::Ready(None);
        }
        ready!(this.silence.as_mut().poll(cx));
        this.silence.as_mut().reset(Instant::now() + this.interval);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(KEEP_ALIVE)))))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let (tenant, connection) = (&self.tenant, &self.connection);
        connection.mark_closed();
        tenant.channels.leave(connection);
        tenant.sockets.leave(connection.id);
        if self.is_begun && !tenant.is_in(Phase::Closing) {
            report::event_stream_closed(tenant, connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Label, event};

    #[test]
    fn names_and_identities_are_lines_of_their_own() {
        let written = |name, id| {
            let label = Label::new(name, id).unwrap();
            String::from_utf8(event(Some(&label), b"x")).unwrap()
        };
        assert_eq!(written("price", "7"), "event: price\nid: 7\ndata: x\n\n");
        assert_eq!(written("", "7"), "id: 7\ndata: x\n\n");
        assert_eq!(written("", ""), "data: x\n\n");
        let refused = |name, id: &str| Label::new(name, id).unwrap_err().to_string();
        assert_eq!(
            refused("a\ndata: forged", ""),
            "the name of an event is one line of at most 1024 bytes, not \"a\\ndata: forged\""
        );
        for id in ["a\r", "\0", &"x".repeat(1025)] {
            assert!(refused("", id).starts_with("the id of an event"), "{id}");
        }
    }

    #[test]
    fn every_line_is_data() {
        for (data, expected) in [
            ("", "data: \n\n"),
            ("hello", "data: hello\n\n"),
            (
                "a\nb\r\nc\rd\n",
                "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n",
            ),
            ("\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n"),
            (
                "x\n\nevent: forged\ndata: y",
                "data: x\ndata: \ndata: event: forged\ndata: data: y\n\n",
            ),
        ] {
            let event = event(None, data.as_bytes());
            assert_eq!(String::from_utf8(event).unwrap(), expected, "{data:?}");
        }
    }
}
