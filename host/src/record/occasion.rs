//! What a feature set was run for, as a recording keeps it.

use super::pen::Pen;
use super::show::{self, Bytes};
use crate::conn::id::SocketId;
use crate::engine::feature_set::{Call, Cause, Request};
use crate::net::websocket::Kind;
use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;
use std::sync::Arc;

/// Headers or parameters that a reader accepts of one request.
const PAIRS_MAX: u64 = 10_000;

/// Why a feature set was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The program starts.
    Start,
    /// A test.
    Test,
    /// A request for an operation.
    Request(Request),
    /// Something that is delivered to handlers.
    Delivery {
        /// The connection that it happened on.
        socket: Option<Socket>,
        what: What,
    },
}

/// The connection of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Socket {
    /// The halves of its identity.
    pub(crate) halves: (u64, u64),
    pub(crate) is_websocket: bool,
}

/// What is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Connected,
    Data(Vec<u8>),
    Message { is_binary: bool, data: Vec<u8> },
    Finished,
    Disconnected(String),
    Event(Vec<u8>),
    End(Option<String>),
}

impl Occasion {
    pub(crate) fn of(cause: &Cause, call: &Call) -> Self {
        let socket = match cause {
            Cause::Connection(connection) => Some(Socket {
                halves: connection.id.halves(),
                is_websocket: connection.is_websocket(),
            }),
            Cause::Event(_) | Cause::Request(_) | Cause::LifeCycle => None,
        };
        let what = match call {
            Call::Connected => What::Connected,
            Call::Data { data } => What::Data(data.to_vec()),
            Call::Message { kind, data } => What::Message {
                is_binary: *kind == Kind::Binary,
                data: data.to_vec(),
            },
            Call::Finished => What::Finished,
            Call::Disconnected { reason } => What::Disconnected(reason.to_string()),
            Call::Event { payload } => What::Event(payload.to_vec()),
            Call::End { error } => What::End(error.as_deref().map(str::to_owned)),
        };
        Self::Delivery { socket, what }
    }

    /// The connection that it happened on.
    pub(crate) fn socket(&self) -> Option<Socket> {
        match self {
            Self::Delivery { socket, .. } => *socket,
            Self::Start | Self::Test | Self::Request(_) => None,
        }
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        let (socket, what) = match self {
            Self::Start => return "the program starts".to_owned(),
            Self::Test => return "a test".to_owned(),
            Self::Request(request) => {
                let Request { method, path, .. } = request;
                return format!(
                    "{method} {path}, body {}",
                    shown(&request.body, Bytes::Data)
                );
            }
            Self::Delivery { socket, what } => (socket, what),
        };
        let what = match what {
            What::Data(data) | What::Message { data, .. } => {
                format!("{} {}", what.name(), shown(data, Bytes::Data))
            }
            What::Event(payload) => format!("event {}", shown(payload, Bytes::Values)),
            What::Disconnected(text) | What::End(Some(text)) => {
                format!("{} {text:?}", what.name())
            }
            What::Connected | What::Finished | What::End(None) => what.name().to_owned(),
        };
        match socket {
            Some(socket) => format!("{what} on {}", SocketId::from_halves(socket.halves)),
            None => what,
        }
    }

    pub(super) fn write(&self, to: &mut Pen) {
        match self {
            Self::Start => drop(to.array(1).text("start")),
            Self::Test => drop(to.array(1).text("test")),
            Self::Request(request) => write_request(request, to),
            Self::Delivery { socket, what } => {
                to.array(4).text(what.name());
                match socket {
                    None => to.null(),
                    Some(socket) => to
                        .array(3)
                        .number(socket.halves.0)
                        .number(socket.halves.1)
                        .flag(socket.is_websocket),
                };
                what.write(to);
            }
        }
    }

    pub(super) fn read(from: &mut Decoder<'_>) -> Result<Self, Error> {
        from.array()?;
        let name = from.str()?;
        match name {
            "start" => return Ok(Self::Start),
            "test" => return Ok(Self::Test),
            "request" => return Ok(Self::Request(read_request(from)?)),
            _ => {}
        }
        let socket = if from.datatype()? == Type::Null {
            from.null()?;
            None
        } else {
            from.array()?;
            Some(Socket {
                halves: (from.u64()?, from.u64()?),
                is_websocket: from.bool()?,
            })
        };
        let what = What::read(name, from)?;
        Ok(Self::Delivery { socket, what })
    }
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Data(_) => "data",
            Self::Message { .. } => "message",
            Self::Finished => "finished",
            Self::Disconnected(_) => "disconnected",
            Self::Event(_) => "event",
            Self::End(_) => "end",
        }
    }

    /// Two items: a flag, and bytes or a text.
    fn write(&self, to: &mut Pen) {
        match self {
            Self::Connected | Self::Finished => to.flag(false).null(),
            Self::Data(data) | Self::Event(data) => to.flag(false).bytes(data),
            Self::Message { is_binary, data } => to.flag(*is_binary).bytes(data),
            Self::Disconnected(reason) => to.flag(false).text(reason),
            Self::End(None) => to.flag(false).null(),
            Self::End(Some(error)) => to.flag(true).text(error),
        };
    }

    fn read(name: &str, from: &mut Decoder<'_>) -> Result<Self, Error> {
        let flag = from.bool()?;
        Ok(match name {
            "connected" => from.null().map(|()| Self::Connected)?,
            "finished" => from.null().map(|()| Self::Finished)?,
            "data" => Self::Data(from.bytes()?.to_vec()),
            "event" => Self::Event(from.bytes()?.to_vec()),
            "message" => Self::Message {
                is_binary: flag,
                data: from.bytes()?.to_vec(),
            },
            "disconnected" => Self::Disconnected(from.str()?.to_owned()),
            "end" if flag => Self::End(Some(from.str()?.to_owned())),
            "end" => from.null().map(|()| Self::End(None))?,
            _ => return Err(Error::message("an event of an unknown kind")),
        })
    }

    /// The same, to be delivered again.
    pub(crate) fn call(&self) -> Call {
        match self {
            Self::Connected => Call::Connected,
            Self::Data(data) => Call::Data {
                data: Arc::new(data.clone()),
            },
            Self::Message { is_binary, data } => Call::Message {
                kind: match is_binary {
                    true => Kind::Binary,
                    false => Kind::Text,
                },
                data: data.as_slice().into(),
            },
            Self::Finished => Call::Finished,
            Self::Disconnected(reason) => Call::Disconnected {
                reason: reason.as_str().into(),
            },
            Self::Event(payload) => Call::Event {
                payload: payload.as_slice().into(),
            },
            Self::End(error) => Call::End {
                error: error.as_deref().map(Arc::from),
            },
        }
    }
}

fn shown(bytes: &[u8], kind: Bytes) -> String {
    let mut item = Pen::default();
    item.bytes(bytes);
    show::item(item.as_slice(), kind)
}

fn write_request(request: &Request, to: &mut Pen) {
    to.array(7).text("request").text(&request.method);
    to.text(&request.path).text(&request.query);
    for pairs in [&request.headers, &request.parameters] {
        to.array(pairs.len());
        for (name, value) in pairs {
            to.array(2).text(name).text(value);
        }
    }
    to.bytes(&request.body);
}

fn read_request(from: &mut Decoder<'_>) -> Result<Request, Error> {
    Ok(Request {
        method: from.str()?.to_owned(),
        path: from.str()?.to_owned(),
        query: from.str()?.to_owned(),
        headers: read_pairs(from)?,
        parameters: read_pairs(from)?,
        body: from.bytes()?.to_vec(),
    })
}

fn read_pairs(from: &mut Decoder<'_>) -> Result<Vec<(String, String)>, Error> {
    let count = from.array()?.unwrap_or_default();
    if count > PAIRS_MAX {
        return Err(Error::message("a recorded request has too many headers"));
    }
    let mut pairs = Vec::new();
    for _ in 0..count {
        from.array()?;
        pairs.push((from.str()?.to_owned(), from.str()?.to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occasion_is_read_as_it_was_written() {
        let socket = Some(Socket {
            halves: (1, u64::MAX),
            is_websocket: true,
        });
        let deliveries = [
            What::Connected,
            What::Data(vec![0, 255]),
            What::Message {
                is_binary: true,
                data: vec![1],
            },
            What::Finished,
            What::Disconnected("gone".to_owned()),
            What::Event(vec![0xa0]),
            What::End(None),
            What::End(Some("broken".to_owned())),
        ];
        let mut occasions: Vec<_> = deliveries
            .into_iter()
            .map(|what| Occasion::Delivery { socket, what })
            .collect();
        let pair = ("a".to_owned(), "b".to_owned());
        occasions.extend([
            Occasion::Start,
            Occasion::Test,
            Occasion::Request(Request {
                method: "GET".to_owned(),
                path: "/".to_owned(),
                query: String::new(),
                headers: vec![pair.clone()],
                parameters: vec![pair],
                body: vec![1, 2],
            }),
        ]);
        for occasion in occasions {
            let mut pen = Pen::default();
            occasion.write(&mut pen);
            let bytes = pen.into_bytes();
            let mut from = Decoder::new(&bytes);
            assert_eq!(Occasion::read(&mut from).unwrap(), occasion);
            assert_eq!(from.position(), bytes.len());
        }
    }
}
