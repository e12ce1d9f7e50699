//! The clients: connections that each keep a number of messages under way, and what is measured of the server meanwhile.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::report::Sample;
use super::{CONNECTIONS, MESSAGE_BYTES, WARM_UP, WINDOW};
use super::{http, websocket};

/// Clock ticks in `/proc/<pid>/stat` (USER_HZ, 100 on every architecture that Linux gives rustc).
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a client waits for an answer before it calls the server broken.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// One measurement to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) process: u32,
    pub(crate) depth: usize,
    pub(crate) dialect: Dialect,
}

/// What the clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Bytes that come back.
    Echo,
    /// Requests.
    Http,
    /// Messages that come back.
    WebSocket,
}

/// When it is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Instant,
    pub(super) to: Instant,
}

impl Load {
    /// Keeps the server busy and measures it.
    pub(crate) fn run(self) -> anyhow::Result<Sample> {
        // Half of the cores, so that the server has the other half.
        let threads = thread::available_parallelism()
            .map_or(1, |cores| usize::from(cores).div_ceil(2))
            .min(CONNECTIONS);
        let from = Instant::now() + WARM_UP;
        let window = Window {
            from,
            to: from + WINDOW,
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..threads)
                .map(|index| {
                    let connections =
                        CONNECTIONS / threads + usize::from(index < CONNECTIONS % threads);
                    scope.spawn(move || self.clients(connections, window))
                })
                .collect();
            let (elapsed, cpu) = self.observe(window)?;
            let mut latencies = Vec::new();
            for client in clients {
                latencies.extend(
                    client
                        .join()
                        .map_err(|_| anyhow::anyhow!("a client panicked"))??,
                );
            }
            Ok(Sample::new(latencies, elapsed, cpu))
        })
    }

    /// CPU time of the server over the window, and how long the window was.
    fn observe(self, window: Window) -> anyhow::Result<(Duration, Duration)> {
        wait_until(window.from);
        let (began, before) = (Instant::now(), cpu_time(self.process)?);
        wait_until(window.to);
        Ok((began.elapsed(), cpu_time(self.process)? - before))
    }

    /// One thread of clients; latencies in nanoseconds of the messages answered within the window.
    fn clients(self, connections: usize, window: Window) -> anyhow::Result<Vec<u32>> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                let mut clients = JoinSet::new();
                for _ in 0..connections {
                    clients.spawn(async move {
                        let deadline =
                            window.to.saturating_duration_since(Instant::now()) + ANSWER_TIME_MAX;
                        tokio::time::timeout(deadline, self.client(window)).await
                    });
                }
                let mut latencies = Vec::new();
                while let Some(client) = clients.join_next().await {
                    latencies.extend(client?.context("the server does not answer")??);
                }
                Ok(latencies)
            })
    }

    async fn client(self, window: Window) -> io::Result<Vec<u32>> {
        match self.dialect {
            Dialect::Echo => {}
            Dialect::Http => return http::client(self, window).await,
            Dialect::WebSocket => return websocket::client(self, window).await,
        }
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let messages = vec![0x5A; self.depth * MESSAGE_BYTES];
        let mut buffer = vec![0; messages.len()];
        let mut under_way: VecDeque<Instant> = VecDeque::with_capacity(self.depth);
        let mut latencies = Vec::new();
        let mut partial = 0;
        loop {
            let now = Instant::now();
            if now >= window.to {
                return Ok(latencies);
            }
            let free = self.depth - under_way.len();
            stream
                .write_all(messages.get(..free * MESSAGE_BYTES).unwrap_or_default())
                .await?;
            under_way.extend(std::iter::repeat_n(now, free));
            let bytes = stream.read(&mut buffer).await?;
            if bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if buffer.iter().take(bytes).any(|byte| *byte != 0x5A) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            partial += bytes;
            let now = Instant::now();
            for sent in under_way.drain(..partial / MESSAGE_BYTES) {
                if now >= window.from && now < window.to {
                    latencies.push(u32::try_from((now - sent).as_nanos()).unwrap_or(u32::MAX));
                }
            }
            partial %= MESSAGE_BYTES;
        }
    }
}

fn wait_until(instant: Instant) {
    // A park may end early.
    while Instant::now() < instant {
        thread::park_timeout(instant.saturating_duration_since(Instant::now()));
    }
}

/// User and system time of a process so far.
pub(crate) fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let stat =
        fs::read_to_string(format!("/proc/{process}/stat")).context("the server has ended")?;
    Ok(Duration::from_secs_f64(
        ticks(&stat).context("/proc/<pid>/stat has another form")? / TICKS_PER_SECOND,
    ))
}

/// Fields 14 and 15 of proc_pid_stat(5), counted from behind the name, which may hold blanks.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of a process, in KiB.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("the server has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.context("/proc/<pid>/status has another form")?
        .parse()
        .context("VmRSS is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_user_and_system_time() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 99 0 0 0 250 50 3 4 20 0 3 0 100 1 2";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("7 (short) S 1"), None);
    }

    #[test]
    fn own_process_has_cpu_time_and_memory() {
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(resident(std::process::id()).is_ok_and(|kib| kib > 100));
    }
}
