//! What a message costs the server: an echo of 64 bytes over 64 connections, one message under way on each.
//!
//! `cargo run --release -p aro-host --example echo_cost` compares a plain tokio echo with this host in both isolations. Server and clients are processes of their own, so that the CPU time of one can be told from the other's.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on stops"
)]

#[path = "../tests/all/support.rs"]
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
mod support;

use aro_host::{Isolation, SlowPeer};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 64;
const MESSAGE_BYTES: usize = 64;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);
/// Clock ticks of `/proc/<pid>/stat`.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(mode) => serve(mode),
        None => ["plain", "reuse", "event"]
            .iter()
            .for_each(|mode| measure(mode)),
    }
}

#[tokio::main]
async fn serve(mode: &str) {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if mode == "plain" {
        announce(plain.local_addr().unwrap().port());
        loop {
            let (stream, _) = plain.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(echo(stream));
        }
    }
    let (mut settings, console) = support::settings();
    settings.limits.instances_max = 1000;
    settings.slow_peer = SlowPeer::Disconnect;
    settings.isolation = if mode == "event" {
        Isolation::Event
    } else {
        Isolation::Reuse { events_max: 1000 }
    };
    let running = Running::load(&support::compiled_echo(), settings, console).await;
    announce(running.address().port());
    std::future::pending::<()>().await;
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        stream.write_all(&buffer[..bytes]).await.unwrap();
    }
}

fn announce(port: u16) {
    println!("{port}");
    std::io::stdout().flush().unwrap();
}

fn measure(mode: &str) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .arg(mode)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().parse().unwrap();
    let (messages, cpu) = load(port, server.id());
    server.kill().unwrap();
    server.wait().unwrap();
    let per_message = cpu.as_secs_f64() * 1e6 / messages as f64;
    println!(
        "{mode:>6}: {per_message:.2} µs of server CPU a message, {:.0} messages a second",
        messages as f64 / MEASURED.as_secs_f64()
    );
}

#[tokio::main]
async fn load(port: u16, server: u32) -> (u64, Duration) {
    let started = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(client(port, started)))
        .collect();
    tokio::time::sleep_until((started + WARM_UP).into()).await;
    let before = cpu_time(server);
    tokio::time::sleep_until((started + WARM_UP + MEASURED).into()).await;
    let cpu = cpu_time(server) - before;
    let mut messages = 0;
    for client in clients {
        messages += client.await.unwrap();
    }
    (messages, cpu)
}

async fn client(port: u16, started: Instant) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (message, mut answer) = ([7; MESSAGE_BYTES], [0; MESSAGE_BYTES]);
    let mut measured = 0;
    loop {
        stream.write_all(&message).await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        let elapsed = started.elapsed();
        if elapsed > WARM_UP + MEASURED {
            return measured;
        }
        measured += u64::from(elapsed > WARM_UP);
    }
}

fn cpu_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks: f64 = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}
