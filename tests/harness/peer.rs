//! The other end of a connection.

use crate::within;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes shown of what was received instead.
const SHOWN_BYTES_MAX: usize = 300;

/// What programs connect to, and its port.
pub async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The next connection of a program.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = within("the program connects", listener.accept()).await;
    accepted.unwrap().0
}

/// A client over a real socket. What it has received and not yet looked at is kept.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Peer {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        Self {
            stream: stream.unwrap_or_else(|error| panic!("{address}: {error}")),
            received: Vec::new(),
        }
    }

    /// Its own address, which the program sees as the remote one.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream
            .local_addr()
            .expect("an open socket has an address")
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = within("the host reads", self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the connection is open");
    }

    /// Receives exactly these bytes next.
    pub async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let what = shown(bytes);
        let received = self
            .take(&what, |received| {
                (received.len() >= bytes.len()).then_some(bytes.len())
            })
            .await;
        assert!(
            received == bytes,
            "received {} instead of {what}",
            shown(&received)
        );
    }

    /// Receives up to and with the next newline; answers the text before it.
    pub async fn line(&mut self) -> String {
        let end = |received: &[u8]| {
            received
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1)
        };
        let mut line = self.take("a line", end).await;
        line.pop();
        String::from_utf8(line).expect("a line is text")
    }

    /// Receives one JSON value: messages have no boundaries of their own.
    pub async fn json(&mut self) -> Value {
        let end = |received: &[u8]| {
            let mut values = serde_json::Deserializer::from_slice(received).into_iter::<Value>();
            let found = values.next()?;
            match found {
                Ok(_) => Some(values.byte_offset()),
                Err(error) if error.is_eof() => None,
                Err(error) => panic!("{error}: {}", shown(received)),
            }
        };
        let json = self.take("a JSON value", end).await;
        serde_json::from_slice(&json).expect("it has just been read")
    }

    /// Says that it sends no more.
    pub async fn finish(&mut self) {
        self.stream
            .shutdown()
            .await
            .expect("the connection is open");
    }

    /// Receives what comes until the host closes the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        within("the host closes the connection", async {
            while self.read().await > 0 {}
        })
        .await;
        std::mem::take(&mut self.received)
    }

    /// The host closes the connection without a further byte.
    pub async fn closed(&mut self) {
        let rest = self.rest().await;
        assert!(
            rest.is_empty(),
            "received {} instead of the end",
            shown(&rest)
        );
    }

    /// The socket itself; nothing may be left unread.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        assert!(
            self.received.is_empty(),
            "unread: {}",
            shown(&self.received)
        );
        self.stream
    }

    async fn take(&mut self, what: &str, end: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        let found = async {
            loop {
                if let Some(end) = end(&self.received) {
                    return Some(self.received.drain(..end).collect());
                }
                if self.read().await == 0 {
                    return None;
                }
            }
        };
        match tokio::time::timeout(crate::DEADLINE, found).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => panic!(
                "the host closed instead of {what}; received {}",
                shown(&self.received)
            ),
            Err(_) => panic!("no {what}; received {}", shown(&self.received)),
        }
    }

    async fn read(&mut self) -> usize {
        match self.stream.read_buf(&mut self.received).await {
            Ok(bytes) => bytes,
            Err(error) => panic!("{error}; received {}", shown(&self.received)),
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    format!("{} bytes {:?}", bytes.len(), String::from_utf8_lossy(head))
}
