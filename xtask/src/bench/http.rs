//! What a sandboxed HTTP operation costs, beside plain hyper and Node.js answering the same in the same run.

use std::convert::Infallible;
use std::io;
use std::process::Command;
use std::time::Instant;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::contest::Contest;
use super::load::{Dialect, Load, Window};

/// What the sandboxed servers run.
const PROGRAM: &str = "examples/hello-api";
/// What is asked.
pub(super) const REQUEST: &[u8] =
    b"GET /hello/Ida HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n";
/// What is answered.
const ANSWER: &[u8] = b"{\"greeting\":\"Hello, Ida!\"}";
/// How often every server is measured.
const ROUNDS: usize = 7;
/// The server in Node.js.
const NODE: &str = r#"const server = require('http').createServer((request, response) => {
  const [, hello, name] = request.url.split('/');
  if (request.method !== 'GET' || hello !== 'hello') { response.statusCode = 404; return response.end(); }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ greeting: `Hello, ${name}!` }));
});
server.listen(0, '127.0.0.1', () => console.log('server started on port ' + server.address().port));"#;

/// The contest.
pub(super) const CONTEST: Contest = Contest {
    section: "HTTP",
    program: PROGRAM,
    plain: ("plain hyper", "plain-http"),
    node: ("Node.js `http`", node),
    unit: "request",
    dialect: Dialect::Http,
    rounds: ROUNDS,
    about: "64 connections that are kept, `depth` requests under way on each, pipelined. Plain hyper, which finds the name in the path and formats the answer, and Node.js are compared with `examples/hello-api` in the sandbox: routing by contract, a request object, a response made of a map.",
};

fn node() -> anyhow::Result<Command> {
    let mut command = Command::new("node");
    command.args(["-e", NODE]);
    Ok(command)
}

/// Answers as hyper does by itself, until the process is ended.
pub(super) fn serve() -> anyhow::Result<()> {
    super::plain::accept(|stream| {
        tokio::spawn(async move {
            let service = service_fn(
                |request: hyper::Request<hyper::body::Incoming>| async move {
                    Ok::<_, Infallible>(answer(request.uri().path()))
                },
            );
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // A client that leaves is no matter here.
            drop(connection.await);
        });
    })
}

fn answer(path: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    match path.strip_prefix("/hello/") {
        Some(name) => {
            let body = format!("{{\"greeting\":\"Hello, {name}!\"}}");
            *response.body_mut() = Full::new(Bytes::from(body));
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

/// One connection; latencies in nanoseconds of the requests answered within the window.
pub(super) async fn client(load: Load, window: Window) -> io::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(load.address).await?;
    stream.set_nodelay(true)?;
    let requests = REQUEST.repeat(load.depth);
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut under_way: VecDeque<Instant> = VecDeque::with_capacity(load.depth);
    let mut latencies = Vec::new();
    loop {
        let now = Instant::now();
        if now >= window.to {
            return Ok(latencies);
        }
        let free = load.depth - under_way.len();
        let new = requests.get(..free * REQUEST.len()).unwrap_or_default();
        stream.write_all(new).await?;
        under_way.extend(std::iter::repeat_n(now, free));
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let now = Instant::now();
        let mut rest = buffer.as_slice();
        while let Some(behind) = answered(rest)? {
            rest = behind;
            let sent = under_way.pop_front().ok_or(io::ErrorKind::InvalidData)?;
            if now >= window.from && now < window.to {
                latencies.push(u32::try_from((now - sent).as_nanos()).unwrap_or(u32::MAX));
            }
        }
        let used = buffer.len() - rest.len();
        buffer.drain(..used);
    }
}

/// What stands behind the first answer, if that has arrived in full.
fn answered(bytes: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some(at) = bytes
        .windows(ANSWER.len())
        .position(|window| window == ANSWER)
    else {
        return Ok(None);
    };
    if !bytes.starts_with(b"HTTP/1.1 200 OK\r\n") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(bytes.get(at + ANSWER.len()..))
}
