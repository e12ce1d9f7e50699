//! `cargo xtask bench connections`: ten thousand connections held for a minute, each with a message a second.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::server::Server;
use super::{load, page, server};

/// Connections that are open at once.
const CONNECTIONS: usize = 10_000;
/// Connections from one source address: each address has ports of its own.
const CONNECTIONS_OF_ADDRESS: usize = 5000;
/// How long they are held.
const HELD: Duration = Duration::from_secs(60);
/// Time between two messages of one connection.
const INTERVAL: Duration = Duration::from_secs(1);
/// Size of a message.
const MESSAGE_BYTES: usize = 64;
/// An answer that takes longer is an error.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// How long everything rests before memory is read.
const REST: Duration = Duration::from_secs(2);
/// What the host runs.
const PROGRAM: &str = "examples/echo";

/// What one server was measured to do.
struct Measured {
    title: &'static str,
    /// KiB of a connection that is open and has never said anything.
    fresh: f64,
    /// KiB of a connection that has been served and is idle again.
    idle: f64,
    errors: usize,
    messages: usize,
    p50: f64,
    p99: f64,
    /// Share of one core.
    cpu: f64,
}

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let host = server::build()?;
    let rows = [
        measure("plain tokio", &server::plain("plain-echo")?)?,
        measure(
            "`aro-host`, `--isolation reuse`",
            &server::host(&host, PROGRAM, "reuse")?,
        )?,
        measure(
            "`aro-host`, `--isolation event`",
            &server::host(&host, PROGRAM, "event")?,
        )?,
    ];
    let mut table = String::from(
        "| server | KiB/connection, fresh | KiB/connection, idle after the minute | messages | errors | p50 µs | p99 µs | cores used |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        table.push_str(&format!(
            "| {} | {:.1} | {:.1} | {} | {} | {:.0} | {:.0} | {:.2} |\n",
            row.title, row.fresh, row.idle, row.messages, row.errors, row.p50, row.p99, row.cpu
        ));
    }
    let text = format!(
        "{CONNECTIONS} connections to an echo server, held for {} s, each with a message of {MESSAGE_BYTES} bytes a second. Memory is the growth of the server process's resident memory, divided by the connections; what the kernel holds for sockets is not in it. The plain server holds a read buffer of 64 KiB for each connection, of which only touched pages are resident; the host holds none. Clients run on the same machine.\n\n{table}",
        HELD.as_secs()
    );
    println!("\n{text}");
    if !no_page {
        page::put("Ten thousand connections", &text)?;
    }
    Ok(())
}

fn measure(title: &'static str, server: &Server) -> anyhow::Result<Measured> {
    println!(
        "{title}: {CONNECTIONS} connections for {} s",
        HELD.as_secs()
    );
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let empty = load::resident(server.process())?;
            let mut streams = Vec::with_capacity(CONNECTIONS);
            for number in 0..CONNECTIONS {
                streams.push(connect(server.address(), number).await?);
            }
            tokio::time::sleep(REST).await;
            let fresh = load::resident(server.process())?;
            let (began, before) = (Instant::now(), load::cpu_time(server.process())?);
            let mut clients = JoinSet::new();
            for (number, stream) in streams.into_iter().enumerate() {
                // Spread over the interval, so that they do not speak all at once.
                let offset = INTERVAL * u32::try_from(number)? / u32::try_from(CONNECTIONS)?;
                clients.spawn(client(stream, Instant::now() + offset, began + HELD));
            }
            let (mut latencies, mut errors, mut kept) = (Vec::new(), 0, Vec::new());
            while let Some(client) = clients.join_next().await {
                let Client {
                    answered,
                    failed,
                    stream,
                } = client?;
                latencies.extend(answered);
                errors += failed;
                kept.push(stream);
            }
            let elapsed = began.elapsed().as_secs_f64();
            let cpu = (load::cpu_time(server.process())? - before).as_secs_f64() / elapsed;
            tokio::time::sleep(REST).await;
            let idle = load::resident(server.process())?;
            drop(kept);
            latencies.sort_unstable();
            let quantile = |permille: usize| {
                let found = latencies.get(latencies.len() * permille / 1000);
                found.map_or(f64::NAN, |micros| f64::from(*micros))
            };
            let each = |kib: u64| kib.saturating_sub(empty) as f64 / CONNECTIONS as f64;
            Ok(Measured {
                title,
                fresh: each(fresh),
                idle: each(idle),
                errors,
                messages: latencies.len(),
                p50: quantile(500),
                p99: quantile(990),
                cpu,
            })
        })
}

async fn connect(address: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(1 + number / CONNECTIONS_OF_ADDRESS)?;
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into())?;
    let stream = socket
        .connect(address)
        .await
        .with_context(|| format!("connection {number}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What one connection saw.
struct Client {
    /// Microseconds until each answer.
    answered: Vec<u32>,
    failed: usize,
    stream: TcpStream,
}

async fn client(mut stream: TcpStream, from: Instant, until: Instant) -> Client {
    let message = [0x5A; MESSAGE_BYTES];
    let (mut answered, mut failed, mut next) = (Vec::new(), 0, from);
    while next < until {
        tokio::time::sleep_until(next.into()).await;
        let began = Instant::now();
        let exchange = async {
            stream.write_all(&message).await?;
            let mut answer = [0; MESSAGE_BYTES];
            stream.read_exact(&mut answer).await?;
            std::io::Result::Ok(answer == message)
        };
        match tokio::time::timeout(ANSWER_TIME_MAX, exchange).await {
            Ok(Ok(true)) => {
                let micros = began.elapsed().as_micros();
                answered.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
            Ok(Ok(false) | Err(_)) | Err(_) => failed += 1,
        }
        next += INTERVAL;
    }
    Client {
        answered,
        failed,
        stream,
    }
}
