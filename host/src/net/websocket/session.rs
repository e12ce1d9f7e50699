//! What one WebSocket has received, and how long it has been silent. Plain state: bytes go in, messages and replies come out.

use super::Kind;
use super::frame::{CloseReason, MASKED_PING_FRAME, PING_FRAME};
use crate::config::Limits;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Room for what is received of the next frame; more is made only for frames that are longer.
const READ_BYTES: usize = 1 << 10;

/// What stands before the payload of a ping (RFC 6455 5.2).
const HEAD_BYTES: usize = 2;
/// The same from a client.
const MASKED_HEAD_BYTES: usize = HEAD_BYTES + 4;

/// The receiving side of a WebSocket.
#[derive(Debug)]
pub(crate) struct Session {
    context: WebSocketContext,
    side: Side,
    /// Whether a message was longer than it may be.
    pub(crate) is_too_long: bool,
    /// Bytes received of a message that is not whole.
    partial: usize,
    silence: SilenceClock,
}

/// Which end of a WebSocket this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that was asked.
    Server,
    /// The one that has opened it.
    Client,
}

/// What has been received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A whole message.
    Message { kind: Kind, data: Arc<[u8]> },
    /// The peer closes, or has to be closed: nothing more is received. The frame that answers it is among the replies.
    End {
        /// For the program.
        reason: Arc<str>,
    },
}

impl Session {
    pub(crate) fn new(side: Side, limits: &Limits) -> Self {
        let role = match side {
            Side::Server => Role::Server,
            Side::Client => Role::Client,
        };
        let max = Some(limits.websocket_message_bytes_max);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            // Replies are taken out at once, so that nothing gathers here.
            .write_buffer_size(0)
            .max_message_size(max)
            .max_frame_size(max);
        Self {
            context: WebSocketContext::new(role, Some(config)),
            is_too_long: false,
            partial: 0,
            side,
            silence: SilenceClock::new(limits),
        }
    }

    /// Takes the next message off the front of `input`; none when all of it has been taken and more must come. `replies` gets the frames that the protocol wants as an answer.
    pub(crate) fn next(&mut self, input: &mut &[u8], replies: &mut Vec<u8>) -> Option<Received> {
        self.partial += input.len();
        let received = self.read(input, replies);
        if received.is_some() {
            self.partial = 0;
        }
        received
    }

    /// The frame that closes it, as this end writes it.
    pub(crate) fn closing(&self, reason: &CloseReason<'_>) -> Vec<u8> {
        match self.side {
            Side::Server => reason.frame(),
            Side::Client => reason.masked_frame(),
        }
    }

    /// Bytes received of a message that is not whole.
    pub(crate) fn partial(&self) -> usize {
        self.partial
    }

    fn read(&mut self, input: &mut &[u8], replies: &mut Vec<u8>) -> Option<Received> {
        let mut wire = Wire { input, replies };
        loop {
            let (close, reason) = match self.context.read(&mut wire) {
                Ok(Message::Text(text)) => {
                    return Some(Received::Message {
                        kind: Kind::Text,
                        data: text.as_bytes().into(),
                    });
                }
                Ok(Message::Binary(bytes)) => {
                    return Some(Received::Message {
                        kind: Kind::Binary,
                        data: bytes.as_ref().into(),
                    });
                }
                // A pong is written with the next read. It may stand within a message, of which it is no part.
                Ok(Message::Ping(bytes) | Message::Pong(bytes)) => {
                    let head = match self.side {
                        Side::Server => MASKED_HEAD_BYTES,
                        Side::Client => HEAD_BYTES,
                    };
                    self.partial = self.partial.saturating_sub(head + bytes.len());
                    continue;
                }
                // Raw frames are not read.
                Ok(Message::Frame(_)) => continue,
                Ok(Message::Close(frame)) => {
                    // Writes the answer, and says with an error that nothing more comes.
                    drop(self.context.flush(&mut wire));
                    let reason = frame.map(|frame| frame.reason.to_string());
                    let reason = reason.filter(|text| !text.is_empty());
                    let usual = match self.side {
                        Side::Server => "client closed",
                        Side::Client => "server closed",
                    };
                    let reason = reason.unwrap_or_else(|| usual.to_owned());
                    return Some(Received::End {
                        reason: reason.into(),
                    });
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(Error::Capacity(error)) => {
                    self.is_too_long = true;
                    (CloseReason::TOO_BIG, error.to_string())
                }
                Err(Error::Utf8(_)) => (CloseReason::NOT_TEXT, "a text is not UTF-8".to_owned()),
                Err(error) => (CloseReason::PROTOCOL, error.to_string()),
            };
            wire.replies.extend(self.closing(&close));
            return Some(Received::End {
                reason: format!("error: {reason}").into(),
            });
        }
    }

    /// Notes that the peer lives.
    pub(crate) fn heard(&mut self) {
        self.silence.heard = Instant::now();
        self.silence.asked = false;
    }

    /// Ready when the peer has been silent for too long.
    pub(crate) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Silence> {
        let side = self.side;
        self.silence.poll(cx).map(|silence| match (silence, side) {
            (Silence::Ask(_), Side::Client) => Silence::Ask(MASKED_PING_FRAME),
            (silence, _) => silence,
        })
    }
}

/// What is to be done about a silent peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Send it this and wait.
    Ask(&'static [u8]),
    /// Give it up.
    GiveUp,
}

/// Pings a silent peer, and gives it up if it does not answer (runtime.md 5.5).
#[derive(Debug)]
struct SilenceClock {
    heard: Instant,
    /// Whether a ping has been sent since then.
    asked: bool,
    ping_after: Duration,
    pong_within: Duration,
    timer: Pin<Box<Sleep>>,
}

impl SilenceClock {
    fn new(limits: &Limits) -> Self {
        Self {
            heard: Instant::now(),
            asked: false,
            ping_after: limits.websocket_ping_interval,
            pong_within: limits.websocket_pong_time_max,
            timer: Box::pin(tokio::time::sleep(limits.websocket_ping_interval)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Silence> {
        loop {
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let mut due = self.heard + self.ping_after;
            if self.asked {
                due += self.pong_within;
            }
            if Instant::now() < due {
                self.timer.as_mut().reset(due);
            } else if self.asked {
                return Poll::Ready(Silence::GiveUp);
            } else {
                self.asked = true;
                self.timer.as_mut().reset(due + self.pong_within);
                return Poll::Ready(Silence::Ask(PING_FRAME));
            }
        }
    }
}

/// The two directions of a session while it reads.
struct Wire<'a, 'b> {
    input: &'a mut &'b [u8],
    replies: &'a mut Vec<u8>,
}

impl Read for Wire<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buffer)
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match u8::try_from(payload.len()) {
            Ok(length @ ..=125) => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        frame.extend(MASK);
        let masked = payload.iter().zip(MASK.iter().cycle());
        frame.extend(masked.map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn text(text: &str) -> Received {
        Received::Message {
            kind: Kind::Text,
            data: text.as_bytes().into(),
        }
    }

    fn end(reason: &str) -> Received {
        Received::End {
            reason: reason.into(),
        }
    }

    async fn session() -> Session {
        session_of(Side::Server)
    }

    fn session_of(side: Side) -> Session {
        let limits = Limits {
            websocket_message_bytes_max: 1000,
            websocket_ping_interval: Duration::from_millis(20),
            websocket_pong_time_max: Duration::from_millis(20),
            ..Limits::default()
        };
        Session::new(side, &limits)
    }

    /// Everything that comes of `bytes`, given in pieces of `step`.
    async fn receive(bytes: &[u8], step: usize) -> (Vec<Received>, Vec<u8>) {
        let (mut session, mut replies, mut received) = (session().await, Vec::new(), Vec::new());
        for mut piece in bytes.chunks(step) {
            while let Some(next) = session.next(&mut piece, &mut replies) {
                let is_end = matches!(next, Received::End { .. });
                received.push(next);
                if is_end {
                    return (received, replies);
                }
            }
        }
        (received, replies)
    }

    #[tokio::test]
    async fn messages_are_whole_however_they_arrive() {
        let mut bytes = frame(0x01, b"ab");
        bytes.extend(frame(0x89, b"?"));
        bytes.extend(frame(0x80, b"c"));
        bytes.extend(frame(0x82, &[0xFF]));
        for step in [1, 2, 7, bytes.len()] {
            let (received, replies) = receive(&bytes, step).await;
            let binary = Received::Message {
                kind: Kind::Binary,
                data: [0xFF].as_slice().into(),
            };
            assert_eq!(received, [text("abc"), binary], "{step}");
            assert_eq!(replies, b"\x8A\x01?", "{step}");
        }
    }

    #[tokio::test]
    async fn a_close_is_answered_and_tells_its_reason() {
        let (received, replies) = receive(&frame(0x88, b"\x03\xE8bye"), 100).await;
        assert_eq!(received, [end("bye")]);
        assert_eq!(replies, b"\x88\x05\x03\xE8bye");
        let (received, replies) = receive(&frame(0x88, b""), 100).await;
        assert_eq!(received, [end("client closed")]);
        assert_eq!(replies, [0x88, 0]);
    }

    #[tokio::test]
    async fn mistakes_are_answered_with_their_codes() {
        let long = frame(0x82, &[0; 1001]);
        let rows: [(&[u8], u16); 5] = [
            (&frame(0x81, &[0xFF]), 1007),
            (&[0x81, 0x01, b'x'], 1002),
            (&frame(0x83, b""), 1002),
            (&frame(0xC1, b""), 1002),
            (&long, 1009),
        ];
        for (bytes, code) in rows {
            let (received, replies) = receive(bytes, 5000).await;
            let [Received::End { reason }] = received.as_slice() else {
                panic!("{code}: {received:?}");
            };
            assert!(reason.starts_with("error: "), "{reason}");
            let [first, length, high, low] = replies.as_slice() else {
                panic!("{code}: {replies:?}");
            };
            assert_eq!((*first, *length), (0x88, 2));
            assert_eq!(u16::from_be_bytes([*high, *low]), code);
        }
    }

    #[tokio::test]
    async fn a_client_takes_what_is_not_masked_and_masks_its_answers() {
        let mut session = session_of(Side::Client);
        let (mut input, mut replies) = (&b"\x81\x02hi\x89\x01?\x88\x00"[..], Vec::new());
        assert_eq!(session.next(&mut input, &mut replies), Some(text("hi")));
        let closed = session.next(&mut input, &mut replies);
        assert_eq!(closed, Some(end("server closed")));
        assert_eq!(
            (replies[..2].to_vec(), replies.len()),
            (vec![0x8A, 0x81], 7 + 6)
        );
        let ping = std::future::poll_fn(|cx| session.poll_silence(cx)).await;
        assert_eq!(ping, Silence::Ask(MASKED_PING_FRAME));
        let mut session = session_of(Side::Client);
        let masked = session.next(&mut &frame(0x81, b"x")[..], &mut replies);
        assert!(matches!(masked, Some(Received::End { .. })), "{masked:?}");
    }

    #[tokio::test]
    async fn a_silent_peer_is_asked_and_then_given_up() {
        let mut session = session().await;
        let mut next = async || std::future::poll_fn(|cx| session.poll_silence(cx)).await;
        assert_eq!(next().await, Silence::Ask(PING_FRAME));
        assert_eq!(next().await, Silence::GiveUp);
    }

    #[tokio::test]
    async fn whoever_answers_is_asked_again() {
        let mut session = session().await;
        for _ in 0..4 {
            let silence = std::future::poll_fn(|cx| session.poll_silence(cx)).await;
            assert_eq!(silence, Silence::Ask(PING_FRAME));
            session.heard();
        }
    }

    #[tokio::test]
    async fn what_is_not_whole_is_counted_and_pings_are_not() {
        let mut session = session().await;
        let mut replies = Vec::new();
        let mut feed = |bytes: &[u8]| {
            let received = session.next(&mut &*bytes, &mut replies).is_some();
            (received, session.partial())
        };
        let message = frame(0x81, &[b'x'; 500]);
        let (begun, rest) = message.split_at(300);
        assert_eq!(feed(begun), (false, 300));
        assert_eq!(feed(rest), (true, 0));
        for _ in 0..1000 {
            assert_eq!(feed(&frame(0x89, b"alive")), (false, 0));
        }
    }
}
