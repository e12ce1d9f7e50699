//! `cargo xtask bench neighbours`: how long a well-behaved tenant's answers take when it is alone, and when others in the same process do their worst.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{page, server};

/// Tenants that compute without end.
const SPINNING: usize = 8;
/// Connections of each of those, all of them with work.
const SPINNING_PEERS: usize = 4;
/// Peers of one tenant that never read.
const SLOW_READERS: usize = 1000;
/// Bytes that each of their sockets takes.
const RECEIVED_BYTES: u32 = 4096;
/// Connections of the well-behaved tenant.
const PEERS: usize = 4;
/// Pause between two messages of one of them.
const PAUSE: Duration = Duration::from_millis(20);
/// How long is measured, quiet and noisy.
const MEASURED: Duration = Duration::from_secs(20);
/// For the noise to begin, and for the sockets of those who do not read to fill up.
const WARM_UP: Duration = Duration::from_secs(10);
/// What the goal allows.
const GOAL_MS: f64 = 10.0;
const GOAL_FACTOR: f64 = 3.0;

/// Programs by name, with the text of what they do to each line.
const PROGRAMS: [(&str, &str); 5] = [
    (
        "good",
        "Send the <answer> to the <event: connection> with \"${<event: data>}\\n\".",
    ),
    (
        "spin",
        "Create the <n> with 0.\n    while <n> >= 0 {\n        Compute the <n> from <n> + 1.\n    }",
    ),
    (
        "hog",
        "Create the <text> with \"0123456789abcdef\".\n    while <text> != \"\" {\n        Create the <text> with \"${<text>}${<text>}\".\n    }",
    ),
    (
        "logger",
        "Create the <n> with 0.\n    while <n> >= 0 {\n        Log \"line ${<n>} of a flood that nobody wants to read\" to the <console>.\n        Compute the <n> from <n> + 1.\n    }",
    ),
    ("slow", "Broadcast the <event: data> to the <hub>."),
];

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let host = server::build()?;
    let directory = std::env::temp_dir().join(format!("aro-neighbours-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let measured = measure(&host, &directory);
    std::fs::remove_dir_all(&directory)?;
    let text = measured?;
    println!("\n{text}");
    if !no_page {
        page::put("Neighbours", &text)?;
    }
    Ok(())
}

/// Writes programs and configuration; answers the path of the latter.
fn prepare(directory: &Path) -> anyhow::Result<PathBuf> {
    for (name, statement) in PROGRAMS {
        let text = format!(
            "(Application-Start: Neighbour) {{\n    Listen on port 9000 as <hub> with {{ framing: \"line\" }}.\n    Return an <OK: status> for the <startup>.\n}}\n(Handle: DataReceived Handler) {{\n    {statement}\n    Return an <OK: status> for the <handling>.\n}}\n"
        );
        std::fs::create_dir_all(directory.join(name))?;
        std::fs::write(directory.join(name).join("main.aro"), text)?;
    }
    let mut config = "[host]\ninstances = 500\n[defaults]\nbind = \"127.0.0.1\"\n".to_owned();
    let mut tenant = |name: &str, app: &str, more: &str| {
        writeln!(
            config,
            "[tenants.{name}]\napp = \"{app}\"\nsocket_port = 0\n{more}"
        )
    };
    tenant("good", "good", "")?;
    for number in 0..SPINNING {
        tenant(&format!("spin{number}"), "spin", "")?;
    }
    tenant("hog", "hog", "")?;
    tenant("logger", "logger", "")?;
    tenant(
        "slow",
        "slow",
        "slow_peer = \"drop\"\nlimits = { queue_kib = 64 }\n",
    )?;
    let path = directory.join("host.toml");
    std::fs::write(&path, config)?;
    Ok(path)
}

/// A host that is ended when dropped.
struct Host {
    child: Child,
    tenants: Vec<(String, SocketAddr)>,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("the host cannot be ended: {error}");
        }
    }
}

impl Host {
    fn start(host: &Path, config: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(host)
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("the host has no output")?;
        let mut host = Self {
            child,
            tenants: Vec::new(),
        };
        let mut reader = BufReader::new(output);
        let mut line = String::new();
        while host.tenants.len() < SPINNING + PROGRAMS.len() - 1 {
            line.clear();
            ensure!(reader.read_line(&mut line)? > 0, "the host ended");
            if let Some((name, port)) = line.split_once(" | Socket Server started on port ") {
                let address = (Ipv4Addr::LOCALHOST, port.trim().parse::<u16>()?).into();
                host.tenants.push((name.to_owned(), address));
            }
        }
        // Somebody reads what is logged, and throws it away.
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        Ok(host)
    }

    fn addresses(&self, begin: &str) -> impl Iterator<Item = SocketAddr> {
        let of = self
            .tenants
            .iter()
            .filter(move |(name, _)| name.starts_with(begin));
        of.map(|(_, address)| *address)
    }
}

/// Latencies of the well-behaved tenant in one situation, in milliseconds.
struct Quantiles {
    messages: usize,
    p50: f64,
    p99: f64,
    longest: f64,
}

fn measure(host: &Path, directory: &Path) -> anyhow::Result<String> {
    let host = Host::start(host, &prepare(directory)?)?;
    let good = host
        .addresses("good")
        .next()
        .context("there is a good tenant")?;
    let quiet = situation(good, Duration::ZERO)?;
    println!("alone: {:.2} ms", quiet.p99);
    let over = Arc::new(AtomicBool::new(false));
    let noise = {
        let (over, spinning) = (Arc::clone(&over), host.addresses("spin").collect());
        let others = ["hog", "logger"].map(|name| host.addresses(name).next());
        let slow = host.addresses("slow").next();
        std::thread::spawn(move || make_noise(spinning, others, slow, &over))
    };
    let noisy = situation(good, WARM_UP);
    over.store(true, Ordering::Release);
    let noise = noise.join();
    noise.map_err(|_| anyhow::anyhow!("the noise panicked"))??;
    Ok(section(&quiet, &noisy?))
}

fn section(quiet: &Quantiles, noisy: &Quantiles) -> String {
    let mut text = format!(
        "One process, {} tenants: {SPINNING} whose {SPINNING_PEERS} handlers each compute without end until their CPU limit ends them, one whose handler fills its memory, one that floods its log, one that broadcasts to {SLOW_READERS} peers which never read – and one that answers lines, on {PEERS} connections with a message every {} ms, measured when the sockets of those who do not read are full. Clients run on the same machine, in a process that has to find its turn beside the host. Goal: p99 below {GOAL_MS} ms and below {GOAL_FACTOR} times its quiet value.\n\n| neighbours | messages | p50 ms | p99 ms | longest ms |\n|---|---:|---:|---:|---:|\n",
        SPINNING + PROGRAMS.len() - 1,
        PAUSE.as_millis()
    );
    for (name, row) in [("quiet", quiet), ("noisy", noisy)] {
        writeln!(
            text,
            "| {name} | {} | {:.2} | {:.2} | {:.1} |",
            row.messages, row.p50, row.p99, row.longest
        )
        .expect("a string takes everything");
    }
    let factor = noisy.p99 / quiet.p99;
    let is_met = noisy.p99 < GOAL_MS && factor < GOAL_FACTOR;
    let met = if is_met { "met" } else { "missed" };
    writeln!(text, "\np99 grows {factor:.1} times: the goal is {met}.")
        .expect("a string takes everything");
    text
}

/// Asks the well-behaved tenant for a while, after a time.
fn situation(address: SocketAddr, after: Duration) -> anyhow::Result<Quantiles> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut latencies = runtime.block_on(async {
        tokio::time::sleep(after).await;
        let until = Instant::now() + MEASURED;
        let mut peers = tokio::task::JoinSet::new();
        for _ in 0..PEERS {
            peers.spawn(peer(address, until));
        }
        let mut latencies = Vec::new();
        while let Some(peer) = peers.join_next().await {
            latencies.extend(peer??);
        }
        anyhow::Ok(latencies)
    })?;
    latencies.sort_unstable_by(f64::total_cmp);
    let quantile = |permille: usize| {
        let last = latencies.len().saturating_sub(1);
        latencies
            .get(last * permille / 1000)
            .copied()
            .unwrap_or(f64::NAN)
    };
    Ok(Quantiles {
        messages: latencies.len(),
        p50: quantile(500),
        p99: quantile(990),
        longest: quantile(1000),
    })
}

async fn peer(address: SocketAddr, until: Instant) -> anyhow::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        stream.write_all(b"are you there\n").await?;
        let mut answer = [0; 14];
        stream.read_exact(&mut answer).await?;
        ensure!(&answer == b"are you there\n", "another answer came");
        latencies.push(began.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(latencies)
}

/// Gives the others work until it is `over`.
fn make_noise(
    spinning: Vec<SocketAddr>,
    others: [Option<SocketAddr>; 2],
    slow: Option<SocketAddr>,
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut held = Vec::new();
        for address in spinning
            .iter()
            .flat_map(|one| [*one; SPINNING_PEERS])
            .chain(others.into_iter().flatten())
        {
            let mut stream = TcpStream::connect(address).await?;
            // As many lines as handlers can fail on in the time: nothing has to be sent meanwhile.
            stream.write_all(&b"go\n".repeat(10_000)).await?;
            held.push(stream);
        }
        let slow = slow.context("there is a slow tenant")?;
        for _ in 0..SLOW_READERS {
            let socket = TcpSocket::new_v4()?;
            // Theirs are full at once, and the memory of the machine is not what is measured.
            socket.set_recv_buffer_size(RECEIVED_BYTES)?;
            held.push(socket.connect(slow).await?);
        }
        let mut speaker = TcpStream::connect(slow).await?;
        let line = [&[b'x'; 8000][..], b"\n"].concat();
        let mut drain = vec![0; 64 << 10];
        while !over.load(Ordering::Acquire) {
            // The speaker hears itself, and reads what it can.
            speaker.write_all(&line).await?;
            while speaker.try_read(&mut drain).is_ok_and(|read| read > 0) {}
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(held);
        Ok(())
    })
}
