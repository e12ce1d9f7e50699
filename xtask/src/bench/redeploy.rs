//! `cargo xtask bench redeploy`: a program is replaced again and again while two thousand clients talk to it. Nothing may be closed, lost, repeated or reordered; a benchmark that finds something of that kind fails.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use aro_to_wasm::Input;
use aro_to_wasm::source::SourceFile;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{page, server};

/// Clients of each kind.
const CLIENTS: usize = 1000;
/// Versions that follow the first one.
const DEPLOYMENTS: usize = 100;
/// Pause of a client behind each burst.
const PAUSE: Duration = Duration::from_millis(250);
/// Messages of a burst, all of them under way at once.
const BURST: usize = 4;
/// An answer that takes longer is lost.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How the program proves who asks.
const TOKEN: &str = "a token of the benchmark";

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let host = server::build()?;
    let artifacts: Vec<Vec<u8>> = (1..=DEPLOYMENTS + 1)
        .map(artifact)
        .collect::<Result<_, _>>()?;
    let directory = std::env::temp_dir().join(format!("aro-redeploy-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let measured = measure(&host, &directory, artifacts);
    std::fs::remove_dir_all(&directory)?;
    let text = measured?;
    println!("\n{text}");
    if !no_page {
        page::put("Deploying under load", &text)?;
    }
    Ok(())
}

/// A program whose answers begin with its version.
fn artifact(version: usize) -> anyhow::Result<Vec<u8>> {
    let text = format!(
        r#"(Application-Start: Versions) {{
    Listen on port 9000 as <hub> with {{ framing: "line" }}.
    Start the <http-server> with {{ port: 8080 }}.
    Return an <OK: status> for the <startup>.
}}
(Answer: DataReceived Handler) {{
    Send the <answer> to the <event: connection> with "{version} ${{<event: data>}}\n".
    Return an <OK: status> for the <answer>.
}}
(Answer Message: WebSocket Event Handler) {{
    Send "{version} ${{<event: message>}}" to the <websocket-connection>.
    Return an <OK: status> for the <answer>.
}}"#
    );
    let path = "main.aro".to_owned();
    let compiled = aro_to_wasm::compile(Input {
        name: "versions".to_owned(),
        files: vec![SourceFile { path, text }],
        ..Input::default()
    })?;
    let artifact = compiled.artifact.context("the program is wrong")?;
    Ok(artifact.bytes)
}

/// A host that is ended when dropped.
struct Host {
    child: Child,
    tcp: SocketAddr,
    http: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("the host cannot be ended: {error}");
        }
    }
}

impl Host {
    fn start(host: &Path, directory: &Path, artifact: &[u8]) -> anyhow::Result<Self> {
        let program = directory.join("versions.wasm");
        std::fs::write(&program, artifact)?;
        let mut child = Command::new(host)
            .arg("serve")
            .arg(&program)
            .args(["--bind", "127.0.0.1", "--admin", "127.0.0.1:0"])
            .env("ARO_SOCKET_PORT", "0")
            .env("ARO_HTTP_PORT", "0")
            .env("ARO_ADMIN_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("the host has no output")?;
        let errors = child.stderr.take().context("the host has no errors")?;
        let admin = port(errors, "admin interface on http://127.0.0.1:")?;
        let (tcp, output) = admin_and_rest(output, "Socket Server started on port ")?;
        let http = port(output, "HTTP Server started on port ")?;
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self {
            child,
            tcp: address(tcp),
            http: address(http),
            admin: address(admin),
        })
    }
}

fn port(output: impl Read + Send + 'static, begin: &str) -> anyhow::Result<u16> {
    let (port, mut rest) = admin_and_rest(output, begin)?;
    // The pipe stays open, so that what is written later does not fail.
    std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()));
    Ok(port)
}

fn admin_and_rest<R: Read>(output: R, begin: &str) -> anyhow::Result<(u16, BufReader<R>)> {
    let mut reader = BufReader::new(output);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if let Some((_, port)) = line.rsplit_once(begin) {
            return Ok((port.trim().parse()?, reader));
        }
        line.clear();
    }
    bail!("the host ended before it said {begin:?}")
}

/// What clients saw.
#[derive(Default)]
struct Talked {
    messages: usize,
    /// Microseconds until each answer.
    latencies: Vec<u32>,
    /// Versions that answered.
    versions: usize,
}

fn measure(host: &Path, directory: &Path, artifacts: Vec<Vec<u8>>) -> anyhow::Result<String> {
    let first = artifacts.first().context("there is a first version")?;
    let host = Host::start(host, directory, first)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let done = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let pause = PAUSE * u32::try_from(number)? / u32::try_from(CLIENTS)?;
            let tcp = Tcp::connect(host.tcp).await?;
            clients.spawn(talk(tcp, pause, Arc::clone(&done)));
            let websocket = Ws::connect(host.http).await?;
            clients.spawn(talk(websocket, pause, Arc::clone(&done)));
        }
        println!("{} connections talk", 2 * CLIENTS);
        let begin = Instant::now();
        let mut times = Vec::new();
        for (index, artifact) in artifacts.into_iter().enumerate().skip(1) {
            let begun = Instant::now();
            deploy(host.admin, artifact).await?;
            times.push(begun.elapsed());
            println!("version {} after {:.0?}", index + 1, begun.elapsed());
            if let Some(ended) = clients.try_join_next() {
                ended??;
                bail!("a client ended before it was told to");
            }
        }
        let elapsed = begin.elapsed();
        done.store(true, Ordering::Release);
        let mut all = Talked::default();
        while let Some(client) = clients.join_next().await {
            let talked = client??;
            all.messages += talked.messages;
            all.latencies.extend(talked.latencies);
            all.versions = all.versions.max(talked.versions);
        }
        Ok(section(all, times, elapsed))
    })
}

fn section(mut all: Talked, mut times: Vec<Duration>, elapsed: Duration) -> String {
    times.sort_unstable();
    all.latencies.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let quantile = |permille: usize| {
        let last = all.latencies.len().saturating_sub(1);
        let found = all.latencies.get(last * permille / 1000);
        found.map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    };
    format!(
        "{CLIENTS} TCP and {CLIENTS} WebSocket clients send numbered messages, {BURST} at once and then a pause of {} ms, while the program is replaced {DEPLOYMENTS} times through the admin interface. Each answer is checked: the next number, from a version that is not older than the one before. Clients and host share the machine.\n\n| deployments | in | each (median) | messages | closed, lost, repeated or reordered | p50 ms | p99 ms | longest ms | versions seen by one client |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n| {DEPLOYMENTS} | {:.1} s | {:.0} ms | {} | 0 | {:.1} | {:.1} | {:.0} | {} |\n",
        PAUSE.as_millis(),
        elapsed.as_secs_f64(),
        median.as_secs_f64() * 1000.0,
        all.messages,
        quantile(500),
        quantile(990),
        quantile(1000),
        all.versions
    )
}

async fn deploy(admin: SocketAddr, artifact: Vec<u8>) -> anyhow::Result<()> {
    let stream = TcpStream::connect(admin).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post("/tenants/default/deploy?consent=yes")
        .header("host", "admin")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Full::new(Bytes::from(artifact)))?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    ensure!(
        status.is_success(),
        "{status}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

/// One end of a connection that carries lines.
trait Line: Sized + Send {
    fn send(&mut self, line: String) -> impl Future<Output = anyhow::Result<()>> + Send;
    fn receive(&mut self) -> impl Future<Output = anyhow::Result<String>> + Send;
}

struct Tcp(tokio::io::BufReader<TcpStream>);

impl Tcp {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(tokio::io::BufReader::with_capacity(512, stream)))
    }
}

impl Line for Tcp {
    async fn send(&mut self, line: String) -> anyhow::Result<()> {
        Ok(self.0.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn receive(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).await?;
        ensure!(read > 0, "a TCP connection was closed");
        Ok(line.trim_end().to_owned())
    }
}

struct Ws(WebSocketStream<TcpStream>);

impl Ws {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (stream, _) = client_async(format!("ws://{address}/ws"), stream).await?;
        Ok(Self(stream))
    }
}

impl Line for Ws {
    async fn send(&mut self, line: String) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(line)).await?)
    }

    async fn receive(&mut self) -> anyhow::Result<String> {
        loop {
            let message = self.0.next().await.context("a WebSocket was closed")??;
            if message.is_text() {
                return Ok(message.to_text()?.to_owned());
            }
            ensure!(!message.is_close(), "a WebSocket was closed: {message:?}");
        }
    }
}

/// Sends numbers until it is `done`, and looks at every answer.
async fn talk(
    mut peer: impl Line,
    pause: Duration,
    done: Arc<AtomicBool>,
) -> anyhow::Result<Talked> {
    let mut talked = Talked::default();
    let (mut number, mut version) = (0, 0);
    tokio::time::sleep(pause).await;
    while !done.load(Ordering::Acquire) {
        let began = Instant::now();
        for ahead in 0..BURST {
            peer.send((number + ahead).to_string()).await?;
        }
        for _ in 0..BURST {
            let answer = tokio::time::timeout(ANSWER_TIME_MAX, peer.receive()).await;
            let answer = answer.context("an answer was lost")??;
            let (by, told) = answer.split_once(' ').context("the answer has two parts")?;
            let by: usize = by.parse()?;
            ensure!(
                told == number.to_string(),
                "{told} came in the place of {number}"
            );
            ensure!(
                by >= version,
                "version {by} answered after version {version}"
            );
            talked.versions += usize::from(by > version);
            version = by;
            number += 1;
            talked
                .latencies
                .push(u32::try_from(began.elapsed().as_micros())?);
        }
        tokio::time::sleep(PAUSE).await;
    }
    talked.messages = number;
    Ok(talked)
}
