//! A client of WebSockets that waits for what it expects, with a deadline.

use crate::within;
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// One client.
pub struct WebSocket {
    stream: WebSocketStream<TcpStream>,
    /// What the server agreed to speak.
    pub protocol: Option<String>,
}

impl WebSocket {
    /// Opens a WebSocket at `path`.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        Self::open_with(address, path, &[]).await.unwrap()
    }

    /// The same with further headers.
    ///
    /// # Errors
    /// What the server answers if not with a WebSocket.
    pub async fn open_with(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        for (name, text) in headers {
            request.headers_mut().insert(*name, text.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (stream, response) = within("a handshake", client_async(request, stream)).await?;
        let protocol = response.headers().get("sec-websocket-protocol");
        Ok(Self {
            protocol: protocol.map(|name| name.to_str().unwrap().to_owned()),
            stream,
        })
    }

    /// Address of this end.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream.get_ref().local_addr().unwrap()
    }

    /// Sends a text message.
    pub async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends a message of any kind.
    pub async fn send_message(&mut self, message: Message) {
        within("room for a message", self.stream.send(message))
            .await
            .unwrap();
    }

    /// The next message; pings and pongs are none.
    pub async fn message(&mut self) -> Message {
        loop {
            let next = within("a message", self.stream.next()).await;
            let message = next.expect("the WebSocket is open").unwrap();
            if !message.is_ping() && !message.is_pong() {
                return message;
            }
        }
    }

    /// The next message, which is a text.
    pub async fn text(&mut self) -> String {
        let message = self.message().await;
        assert!(message.is_text(), "a text was expected: {message:?}");
        message.to_text().unwrap().to_owned()
    }

    /// Waits for the close frame of the server, passing over messages; its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.message().await {
                let frame = frame.expect("a close of ours has a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Closes it and waits for the end of the stream.
    pub async fn close(mut self, code: u16, reason: &str) {
        use tokio_tungstenite::tungstenite::protocol::CloseFrame;
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.to_owned().into(),
        };
        self.stream.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = within("the end", self.stream.next()).await {}
    }

    /// The bare connection.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}
