//! What a sandboxed WebSocket echo costs, beside plain tokio-tungstenite and Node.js with `ws`.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::bail;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::MESSAGE_BYTES;
use super::contest::Contest;
use super::load::{Dialect, Load, Window};

/// The contest.
pub(super) const CONTEST: Contest = Contest {
    section: "WebSocket",
    program: "examples/websocket-echo",
    plain: ("plain tokio-tungstenite", "plain-web-socket"),
    node: ("Node.js `ws`", node),
    unit: "message",
    dialect: Dialect::WebSocket,
    rounds: 7,
    about: "64 WebSockets, `depth` text messages of 64 bytes under way on each, echoed. Plain tokio-tungstenite (read buffers of 4 KiB) and Node.js with `ws` are compared with `examples/websocket-echo` in the sandbox.",
};

/// Read buffer of the plain server; the default of 128 KiB would cost gigabytes at ten thousand connections.
const READ_BYTES: usize = 4 << 10;
/// The server in Node.js.
const NODE: &str = r"const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false }, () => console.log('server started on port ' + server.address().port));
server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));";

fn node() -> anyhow::Result<Command> {
    let folder: PathBuf = std::env::temp_dir().join("aro-bench-ws");
    std::fs::create_dir_all(&folder)?;
    let installed = Command::new("npm")
        .current_dir(&folder)
        .args(["install", "--silent", "--no-audit", "--no-fund", "ws@8"])
        .status()?;
    if !installed.success() {
        bail!("npm cannot install ws");
    }
    let mut command = Command::new("node");
    command.args(["-e", NODE]);
    command.env("NODE_PATH", folder.join("node_modules"));
    Ok(command)
}

/// Echoes as tokio-tungstenite does by itself, until the process is ended.
pub(super) fn serve() -> anyhow::Result<()> {
    super::plain::accept(|stream| {
        tokio::spawn(async move {
            let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
            let Ok(mut socket) = accept_async_with_config(stream, Some(config)).await else {
                return;
            };
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() || socket.send(message).await.is_err() {
                    return;
                }
            }
        });
    })
}

const OPENING: &[u8] = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const LETTER: u8 = b'Z';
/// Head of the frame that answers.
const HEAD: [u8; 2] = [0x81, MESSAGE_BYTES as u8];

/// One connection; latencies in nanoseconds of the messages answered within the window.
pub(super) async fn client(load: Load, window: Window) -> io::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(load.address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(OPENING).await?;
    let mut buffer = Vec::with_capacity(64 << 10);
    while !buffer.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    buffer.clear();
    let mut message = vec![0x81, 0x80 | MESSAGE_BYTES as u8];
    message.extend(MASK);
    message.extend(
        MASK.iter()
            .cycle()
            .take(MESSAGE_BYTES)
            .map(|mask| LETTER ^ mask),
    );
    let messages = message.repeat(load.depth);
    let answer = HEAD.len() + MESSAGE_BYTES;
    let mut under_way: VecDeque<Instant> = VecDeque::with_capacity(load.depth);
    let mut latencies = Vec::new();
    loop {
        let now = Instant::now();
        if now >= window.to {
            return Ok(latencies);
        }
        let free = load.depth - under_way.len();
        let new = messages.get(..free * message.len()).unwrap_or_default();
        stream.write_all(new).await?;
        under_way.extend(std::iter::repeat_n(now, free));
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let now = Instant::now();
        let whole = buffer.len() - buffer.len() % answer;
        for frame in buffer.get(..whole).unwrap_or_default().chunks(answer) {
            let (head, payload) = frame.split_at(HEAD.len());
            let sent = under_way.pop_front();
            if head != HEAD || payload.iter().any(|byte| *byte != LETTER) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let sent = sent.ok_or(io::ErrorKind::InvalidData)?;
            if now >= window.from && now < window.to {
                latencies.push(u32::try_from((now - sent).as_nanos()).unwrap_or(u32::MAX));
            }
        }
        buffer.drain(..whole);
    }
}
