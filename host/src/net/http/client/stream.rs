//! Streams that a program follows: events of a server (`text/event-stream`) or messages of a WebSocket become events of the program, in order, each after the handlers of the one before; what breaks off is asked for again (runtime.md 8.1.4).

use super::event_source::{EventSource, TooLong};
use super::followed::Followed;
use super::target::Target;
use super::{Request, RequestError, TIME_DEFAULT, opened, websocket};
use crate::console::Stream;
use crate::event::{self, Chain};
use crate::kept::Kept;
use crate::life::Life;
use crate::net::intake::{Full, Part};
use crate::net::transport::Transport;
use crate::net::websocket::{Received, Session, Side, Silence};
use crate::net::{connect, frame, report};
use crate::observe::limit::Limit;
use crate::store::datum::Datum;
use crate::store::seed;
use crate::tenant::{Phase, Slot, Tenant};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header;
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// First pause before a stream that has broken off is asked for again, where neither the program nor the server says.
const RETRY_DEFAULT: Duration = Duration::from_secs(3);
/// Longest pause, and shortest.
const RETRY_MAX: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_millis(10);
/// Media type of a stream of events.
const EVENT_STREAM: &str = "text/event-stream";
/// Room for what is received of a WebSocket at once.
const READ_BYTES: usize = 16 << 10;

/// Follows a stream until the program ends or follows another one for the same event.
///
/// # Errors
/// [`RequestError`] if it never can be; that it cannot be reached now is none.
pub(crate) fn follow(
    tenant: &Arc<Tenant>,
    life: &Arc<Life>,
    event: &str,
    request: Request,
    retry: Option<Duration>,
) -> Result<(), RequestError> {
    if tenant.is_in(Phase::Draining) {
        return Err(RequestError::Draining);
    }
    let target = Target::parse_opening(&request.url)?;
    let (host, port) = (target.bare_host().to_owned(), target.port);
    if !tenant.settings.grants.outbound.grants(&host, port) {
        return Err(RequestError::Denied { host, port });
    }
    super::headers(&request.headers)?;
    let event: Arc<str> = event.into();
    let waits = life.is_succeeding();
    if waits && tenant.client_streams.has(&event, &request) {
        life.claims.lock().claim_stream(&event);
        return Ok(());
    }
    let slot = Slot::outbound(tenant).map_err(|error| RequestError::connect(&target, error))?;
    if waits {
        life.claims.lock().claim_stream(&event);
    }
    let followed = Arc::new(Followed {
        url: request.url.clone(),
        headers: request.headers.clone(),
        at_start: life.is_starting(),
        stopped: tenant.draining.child_token(),
    });
    let mut following = Following {
        tenant: Arc::clone(tenant),
        event: Arc::clone(&event),
        asked: connect::Request {
            host,
            port,
            name: event.to_string(),
            framing: frame::Framing::Raw,
            half_close: false,
            time: None,
        },
        target,
        request,
        pause: retry.unwrap_or(RETRY_DEFAULT).clamp(RETRY_MIN, RETRY_MAX),
        last_id: None,
        has_received: false,
    };
    let (owner, life) = (Arc::clone(tenant), Arc::clone(life));
    if !waits {
        owner.client_streams.enter(&event, &followed);
    }
    tenant.tasks.spawn(async move {
        if waits {
            if !life.is_admitted().await {
                return drop(slot);
            }
            owner.client_streams.enter(&event, &followed);
        }
        drop(life);
        let stopped = &followed.stopped;
        stopped.run_until_cancelled(following.run()).await;
        owner.client_streams.leave(&event, &followed);
        // Only now: the slots bound what stands in the table.
        drop(slot);
    });
    Ok(())
}

/// A stream that is followed.
struct Following {
    tenant: Arc<Tenant>,
    event: Arc<str>,
    /// For events about it.
    asked: connect::Request,
    target: Target,
    request: Request,
    /// First pause after something has been received.
    pause: Duration,
    /// Identity of the last event that a server has given one.
    last_id: Option<String>,
    /// Whether something has been received since it was asked for.
    has_received: bool,
}

/// Why a stream has ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Failed(#[from] RequestError),
    #[error("{url} answers {status}")]
    Status { url: String, status: u16 },
    #[error("{url} is no stream of events but {found}")]
    MediaType { url: String, found: String },
    #[error("{url} sends a message of more than {max} bytes")]
    TooLong { url: String, max: usize },
    #[error(transparent)]
    Crowded(#[from] Full),
    #[error("the connection to {url} has ended")]
    Broken { url: String },
    #[error("{url} has been silent for {} seconds", time.as_secs_f64())]
    Silent { url: String, time: Duration },
    /// The server says that there is nothing more (WHATWG HTML 9.2.3).
    #[error("{url} has nothing more")]
    Done { url: String },
}

impl Ended {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed(error) => error.code(),
            Self::Broken { .. } => "reset",
            Self::Silent { .. } => "timed-out",
            Self::Status { .. } | Self::MediaType { .. } => "failed",
            Self::TooLong { .. } => "frame-too-long",
            Self::Crowded(_) => "crowded",
            Self::Done { .. } => "closed",
        }
    }
}

impl Following {
    /// Follows it for ever, or until the server has nothing more.
    async fn run(&mut self) {
        let mut pause = self.pause;
        let mut attempt = 0;
        loop {
            self.has_received = false;
            let ended = match self.target.is_websocket {
                true => self.messages().await,
                false => self.events().await,
            };
            if self.has_received {
                (attempt, pause) = (0, self.pause);
            }
            attempt += 1;
            self.tell(&ended, attempt, pause);
            if matches!(ended, Ended::Done { .. }) {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Says it once for people, and each time for handlers.
    fn tell(&self, ended: &Ended, attempt: u32, pause: Duration) {
        let tenant = &self.tenant;
        tracing::debug!(tenant = %tenant.id, error = %ended, attempt, "a stream has ended");
        if attempt == 1 && !self.has_received {
            let seconds = pause.as_secs_f64();
            let text = format!(
                "stream of {}: {ended}; it is asked for again, first in {seconds} s",
                self.asked.name
            );
            tenant.console.write(Stream::Error, &text);
        }
        let error = report::SocketError {
            code: ended.code(),
            error: ended.to_string(),
        };
        report::connect_failed(tenant, &self.asked, Some(attempt), &error);
    }

    fn url(&self) -> String {
        self.request.url.clone()
    }

    /// Events of a server until they end.
    async fn events(&mut self) -> Ended {
        match self.follow_events().await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn follow_events(&mut self) -> Result<std::convert::Infallible, Ended> {
        let mut request = self.request.clone();
        let add = |headers: &mut Vec<(String, String)>, name: &str, text: &str| {
            if !headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                headers.push((name.to_owned(), text.to_owned()));
            }
        };
        add(&mut request.headers, "accept", EVENT_STREAM);
        add(&mut request.headers, "cache-control", "no-cache");
        if let Some(id) = &self.last_id {
            add(&mut request.headers, "last-event-id", id);
        }
        let max = self.tenant.settings.limits.request_time_max;
        let time = request.time.unwrap_or(TIME_DEFAULT).min(max);
        let begun = tokio::time::timeout(time, opened(&self.tenant, request)).await;
        let url = self.url();
        let (connection, response, _) =
            begun.map_err(|_| RequestError::TimedOut { url, time })??;
        let url = self.url();
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return Err(Ended::Done { url });
        }
        if status != StatusCode::OK {
            let status = status.as_u16();
            return Err(Ended::Status { url, status });
        }
        let media_type = response.headers().get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !media_type.to_ascii_lowercase().starts_with(EVENT_STREAM) {
            let found = media_type.to_owned();
            return Err(Ended::MediaType { url, found });
        }
        let max = self.tenant.settings.limits.message_bytes_max;
        let mut source = EventSource::new(max, self.last_id.clone());
        let ended = self.read_events(&mut source, response.into_body()).await;
        // Whatever has ended it: what was received before counts.
        self.last_id = source.last_id;
        if let Some(retry) = source.retry {
            self.pause = retry.clamp(RETRY_MIN, RETRY_MAX);
        }
        drop(connection);
        Err(ended)
    }

    async fn read_events(&mut self, source: &mut EventSource, mut body: Incoming) -> Ended {
        let limits = &self.tenant.settings.limits;
        let (max, time) = (limits.message_bytes_max, limits.stream_idle_time_max);
        loop {
            let piece = match tokio::time::timeout(time, body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(_)) | None) => return self.broken(),
                Err(_) => return self.silent(),
            };
            let mut input = &*piece;
            loop {
                match source.next(&mut input) {
                    Ok(Some(event)) => {
                        self.has_received = true;
                        let payload = event_payload(&event.name, &event.data);
                        self.deliver(payload).await;
                    }
                    Ok(None) => break,
                    Err(TooLong) => {
                        let url = self.url();
                        return Ended::TooLong { url, max };
                    }
                }
            }
        }
    }

    fn broken(&self) -> Ended {
        Ended::Broken { url: self.url() }
    }

    /// The peer has neither sent nor taken anything for too long.
    fn silent(&self) -> Ended {
        let tenant = &self.tenant;
        tenant.counters.hit(Limit::StreamIdleTime);
        let time = tenant.settings.limits.stream_idle_time_max;
        Ended::Silent {
            url: self.url(),
            time,
        }
    }

    /// Messages of a WebSocket until it ends.
    async fn messages(&mut self) -> Ended {
        let (mut stream, received) =
            match websocket::shake(&self.tenant, &self.target, &self.request).await {
                Ok(shaken) => shaken,
                Err(error) => return error.into(),
            };
        match self.follow_messages(&mut stream, received).await {
            Ok(()) => self.broken(),
            Err(ended) => ended,
        }
    }

    async fn follow_messages(
        &mut self,
        stream: &mut Transport,
        received: Bytes,
    ) -> Result<(), Ended> {
        let mut session = Session::new(Side::Client, &self.tenant.settings.limits);
        let mut part = Part::new(&self.tenant.intake);
        let mut buffer = BytesMut::from(received);
        let mut replies = Vec::new();
        loop {
            let mut input = &*buffer;
            loop {
                let next = session.next(&mut input, &mut replies);
                self.reply(stream, &replies).await?;
                replies.clear();
                match next {
                    Some(Received::Message { data, .. }) => {
                        self.has_received = true;
                        if let Some(payload) = message_payload(&data) {
                            self.deliver(payload).await;
                        }
                    }
                    Some(Received::End { .. }) => return Ok(()),
                    None => break,
                }
                part.clear();
            }
            if let Err(full) = part.reach(session.partial()) {
                self.tenant.counters.hit(Limit::ReceivedBytes);
                return Err(full.into());
            }
            buffer.clear();
            buffer.reserve(READ_BYTES);
            let silence = tokio::select! {
                read = stream.read_buf(&mut buffer) => match read {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(_) => None,
                },
                silence = poll_fn(|cx| session.poll_silence(cx)) => Some(silence),
            };
            match silence {
                None => session.heard(),
                Some(Silence::Ask(ping)) => self.reply(stream, ping).await?,
                Some(Silence::GiveUp) => return Ok(()),
            }
        }
    }

    /// Sends what the protocol wants. A peer that does not take it is as good as gone, and nothing looks at its silence meanwhile.
    async fn reply(&self, stream: &mut Transport, bytes: &[u8]) -> Result<(), Ended> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = async {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            std::io::Result::Ok(())
        };
        let time = self.tenant.settings.limits.stream_idle_time_max;
        match tokio::time::timeout(time, sent).await {
            Ok(sent) => sent.map_err(|_| self.broken()),
            Err(_) => Err(self.silent()),
        }
    }

    /// Runs the handlers of one event to their end.
    async fn deliver(&self, payload: Datum) {
        let tenant = &self.tenant;
        if tenant.rate.take().is_err() {
            tenant.counters.hit(Limit::EventsPerSecond);
            tenant.rate.wait().await;
        }
        let Some(permit) = event::detached(tenant, &self.event) else {
            return;
        };
        // Each event is the first of its own: a stream may go on for ever.
        let (owner, chain) = (Arc::clone(tenant), Chain::detached(&self.event));
        let handled = async move {
            event::deliver(&owner, &chain, payload.encode().into()).await;
            drop(permit);
        };
        Kept::new(&tenant.tasks, handled).await;
    }
}

/// The JSON object that the data holds, else the data as a text; the name of the event besides.
fn event_payload(name: &str, data: &str) -> Datum {
    let mut fields = match serde_json::from_str(data) {
        Ok(value @ Value::Object(_)) => fields(&value),
        _ => BTreeMap::from([("data".to_owned(), Datum::Text(data.to_owned()))]),
    };
    if !name.is_empty() {
        fields.insert("kind".to_owned(), Datum::Text(name.to_owned()));
    }
    Datum::Map(fields)
}

/// `{ "event": "name", "payload": … }`, where the payload is an object or the JSON text of one; none for other messages.
fn message_payload(data: &[u8]) -> Option<Datum> {
    let message: Value = serde_json::from_slice(data).ok()?;
    let kind = message.get("event")?.as_str()?;
    let mut fields = match message.get("payload") {
        Some(Value::String(text)) => serde_json::from_str(text)
            .map(|value| fields(&value))
            .unwrap_or_default(),
        Some(value) => fields(value),
        None => BTreeMap::new(),
    };
    fields.insert("kind".to_owned(), Datum::Text(kind.to_owned()));
    Some(Datum::Map(fields))
}

/// Of an object; others have none.
fn fields(value: &Value) -> BTreeMap<String, Datum> {
    if let Datum::Map(fields) = seed::datum(value) {
        fields
    } else {
        BTreeMap::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: Value) -> Vec<u8> {
        seed::datum(&value).encode()
    }

    #[test]
    fn events_become_maps() {
        let rows = [
            ("", "{\"a\":1}", serde_json::json!({ "a": 1 })),
            ("add", "{\"kind\":2}", serde_json::json!({ "kind": "add" })),
            ("", "[1]", serde_json::json!({ "data": "[1]" })),
            (
                "x",
                "y\nz",
                serde_json::json!({ "data": "y\nz", "kind": "x" }),
            ),
        ];
        for (name, data, expected) in rows {
            assert_eq!(
                event_payload(name, data).encode(),
                encoded(expected),
                "{data}"
            );
        }
    }

    #[test]
    fn messages_that_name_no_event_are_dropped() {
        let kept = |text: &str| message_payload(text.as_bytes()).map(|payload| payload.encode());
        let map = |value| Some(encoded(value));
        let text = r#"{"event":"a","payload":"{\"x\":1}"}"#;
        assert_eq!(kept(text), map(serde_json::json!({ "x": 1, "kind": "a" })));
        let object = r#"{"event":"a","payload":{"x":1}}"#;
        assert_eq!(
            kept(object),
            map(serde_json::json!({ "x": 1, "kind": "a" }))
        );
        let bare = r#"{"event":"a"}"#;
        assert_eq!(kept(bare), map(serde_json::json!({ "kind": "a" })));
        for other in ["hello", "[]", "{\"event\":5}", "{\"payload\":{}}"] {
            assert_eq!(kept(other), None, "{other}");
        }
    }
}
