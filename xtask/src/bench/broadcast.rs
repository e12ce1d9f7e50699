//! `cargo xtask bench broadcast`: one message to thousands of connections, beside a plain tokio fan-out in the same run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::server::Server;
use super::{load, page, server};

/// Connections that a message goes to.
const CONNECTIONS: usize = 5000;
/// Size of a message: above 512 bytes the host shares it between queues, below it copies.
const MESSAGE_BYTES: [usize; 2] = [64, 1024];
/// Messages under way.
const DEPTH: u64 = 4;
/// How often each server is measured.
const ROUNDS: usize = 3;
/// Length of one measurement.
const WINDOW: Duration = Duration::from_secs(3);
/// What the host runs.
const PROGRAM: &str = "xtask/src/bench/programs/relay.aro";
/// Nothing more comes after so long without anything.
const QUIET: Duration = Duration::from_millis(500);
/// A measurement without deliveries for so long has failed.
const STALLED: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Host,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Plain, Kind::Host];

    fn title(self) -> &'static str {
        match self {
            Kind::Plain => "plain tokio fan-out",
            Kind::Host => "`aro-host`, `--isolation reuse`",
        }
    }
}

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Deliveries in a second.
    rate: f64,
    /// Microseconds of the server's CPU time for each.
    cpu: f64,
}

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let host = server::build()?;
    let mut table = String::from(
        "| message | server | deliveries/s | ÷ plain | CPU µs/delivery |\n|---:|---|---:|---:|---:|\n",
    );
    for bytes in MESSAGE_BYTES {
        let mut samples: Vec<(Kind, Sample)> = Vec::new();
        for round in 0..ROUNDS {
            for kind in Kind::ALL {
                let server = match kind {
                    Kind::Plain => server::plain("plain-fan-out")?,
                    Kind::Host => server::host(&host, PROGRAM, "reuse")?,
                };
                let sample = measure(&server, bytes).context(kind.title())?;
                println!(
                    "round {} of {ROUNDS}, {bytes} B, {}: {:.0} deliveries/s, {:.2} µs of CPU each",
                    round + 1,
                    kind.title(),
                    sample.rate,
                    sample.cpu
                );
                samples.push((kind, sample));
            }
        }
        let plain = median(&samples, Kind::Plain, |sample| sample.rate);
        for kind in Kind::ALL {
            let rate = median(&samples, kind, |sample| sample.rate);
            let cpu = median(&samples, kind, |sample| sample.cpu);
            table.push_str(&format!(
                "| {bytes} B | {} | {rate:.0} | {:.2} | {cpu:.2} |\n",
                kind.title(),
                rate / plain
            ));
        }
    }
    let text = format!(
        "Each message goes to {CONNECTIONS} connections, its sender among them, {DEPTH} messages under way. The plain server is tokio with a bounded queue and a writing task for each connection; the host encodes a broadcast once and queues it on each connection. The servers take turns; each figure is the median of {ROUNDS} rounds of {} s. The {CONNECTIONS} clients run beside the server on the same machine and take most of its time.\n\n{table}",
        WINDOW.as_secs()
    );
    println!("\n{text}");
    if !no_page {
        page::put("Broadcast", &text)?;
    }
    Ok(())
}

fn median(samples: &[(Kind, Sample)], kind: Kind, of: impl Fn(&Sample) -> f64) -> f64 {
    let chosen = samples.iter().filter(|(known, _)| *known == kind);
    let mut values: Vec<f64> = chosen.map(|(_, sample)| of(sample)).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Bytes that all clients have received.
#[derive(Default)]
struct Received {
    bytes: AtomicU64,
    more: Notify,
}

fn measure(server: &Server, bytes: usize) -> anyhow::Result<Sample> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let received = Arc::new(Received::default());
            // Dropping one would end its direction of the connection.
            let mut writers = Vec::new();
            for _ in 0..CONNECTIONS {
                let stream = TcpStream::connect(server.address()).await?;
                stream.set_nodelay(true)?;
                let (reader, writer) = stream.into_split();
                writers.push(writer);
                tokio::spawn(read(reader, Arc::clone(&received)));
            }
            let mut sender = writers.pop().context("there is at least one connection")?;
            let message = vec![0x5A; bytes];
            let each = (bytes * CONNECTIONS) as u64;
            // Messages go out one by one until one reaches everybody: all connections have been taken.
            let mut before = received.bytes.load(Ordering::Relaxed);
            loop {
                sender.write_all(&message).await?;
                let after = settled(&received).await;
                if after - before == each {
                    break;
                }
                before = after;
            }
            let mut sent = 0;
            let start = received.bytes.load(Ordering::Relaxed);
            let (began, before) = (Instant::now(), load::cpu_time(server.process())?);
            while began.elapsed() < WINDOW {
                let done = (received.bytes.load(Ordering::Relaxed) - start) / each;
                if sent - done < DEPTH {
                    sender.write_all(&message).await?;
                    sent += 1;
                    continue;
                }
                tokio::time::timeout(STALLED, received.more.notified())
                    .await
                    .context("the server has stopped delivering")?;
            }
            let elapsed = began.elapsed().as_secs_f64();
            let cpu = load::cpu_time(server.process())? - before;
            let bytes_received = received.bytes.load(Ordering::Relaxed) - start;
            let deliveries = bytes_received as f64 / bytes as f64;
            Ok(Sample {
                rate: deliveries / elapsed,
                cpu: cpu.as_secs_f64() * 1e6 / deliveries,
            })
        })
}

/// The bytes received, once no more come.
async fn settled(received: &Received) -> u64 {
    loop {
        let bytes = received.bytes.load(Ordering::Relaxed);
        tokio::time::sleep(QUIET).await;
        if bytes > 0 && received.bytes.load(Ordering::Relaxed) == bytes {
            return bytes;
        }
    }
}

async fn read(mut reader: tokio::net::tcp::OwnedReadHalf, received: Arc<Received>) {
    let mut buffer = [0; 8 << 10];
    while let Ok(bytes) = reader.read(&mut buffer).await
        && bytes > 0
    {
        received.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        received.more.notify_one();
    }
}
