//! `cargo xtask bench density`: a thousand tenants in one process.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::load::resident;
use super::{page, server};

/// Tenants of one process.
const TENANTS: usize = 1000;
/// Tenants that get a first event.
const ASKED: usize = 200;
/// What each of them runs.
const PROGRAM: &str = "examples/chat";
/// How often the process is started.
const ROUNDS: usize = 5;
/// How a line with a port ends, before the number.
const ANNOUNCEMENT: &str = " started on port ";

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let host = server::build()?;
    let folder = env::current_exe()?.with_file_name("bench-density");
    fs::create_dir_all(&folder)?;
    let app = compile(&host, &folder)?;
    fs::remove_dir_all(folder.join("code")).ok();
    let cold = Running::start(&host, &folder, &app, 1)?;
    drop(cold);
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        println!("round {round} of {ROUNDS}");
        let one = Running::start(&host, &folder, &app, 1)?;
        let base = resident(one.child.id())?;
        let alone = one.loaded;
        drop(one);
        let all = Running::start(&host, &folder, &app, TENANTS)?;
        let grown = resident(all.child.id())?.saturating_sub(base);
        let (median, p99) = all.first_events()?;
        let each = all.loaded.saturating_sub(alone).as_secs_f64() * 1e3 / (TENANTS - 1) as f64;
        rounds.push([
            all.loaded.as_secs_f64(),
            each,
            grown as f64 / (TENANTS - 1) as f64,
            median,
            p99,
        ]);
    }
    let middle = |index: usize| {
        let mut values: Vec<f64> = rounds
            .iter()
            .filter_map(|row| row.get(index))
            .copied()
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let text = format!(
        "{TENANTS} tenants in one process, each with a listener of its own and the program `{PROGRAM}`, compiled code in the cache. *Loaded* is the time from the start of the process until the last tenant listens; memory is what the process has resident beyond that of the same process with one tenant. The first event is that of a client's connection to a tenant that has had none: from the call of `connect` to the first byte of the greeting, over {ASKED} tenants. Median of {ROUNDS} starts.\n\n| loaded, s | a tenant, ms | KiB a tenant | first event, median µs | first event, p99 µs |\n|---:|---:|---:|---:|---:|\n| {:.2} | {:.2} | {:.0} | {:.0} | {:.0} |\n",
        middle(0),
        middle(1),
        middle(2),
        middle(3),
        middle(4)
    );
    println!("\n{text}");
    if !no_page {
        page::put("A thousand tenants", &text)?;
    }
    Ok(())
}

/// The program as a file.
fn compile(host: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let app = folder.join("chat.wasm");
    let status = Command::new(host.with_file_name("aro-to-wasm"))
        .current_dir(crate::root())
        .args(["build", PROGRAM, "-o"])
        .arg(&app)
        .status()
        .context("aro-to-wasm is not built")?;
    ensure!(status.success(), "{PROGRAM} cannot be built");
    Ok(app)
}

/// A process with tenants, ended when dropped.
struct Running {
    child: Child,
    /// Kept open: what the process writes later must not fail.
    output: BufReader<ChildStdout>,
    ports: Vec<u16>,
    loaded: Duration,
}

impl Running {
    fn start(host: &Path, folder: &Path, app: &Path, tenants: usize) -> anyhow::Result<Self> {
        let mut text = format!(
            "[host]\ninstances = {TENANTS}\ncode_cache = \"code\"\n\n[defaults]\nbind = \"127.0.0.1\"\n"
        );
        for number in 0..tenants {
            write!(
                text,
                "\n[tenants.t{number}]\napp = {:?}\nsocket_port = 0\ngrants = {{ ports = [0, \"1-65535\"] }}\n",
                app.display().to_string()
            )?;
        }
        let config = folder.join("host.toml");
        fs::write(&config, text)?;
        let began = Instant::now();
        let mut child = Command::new(host)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("the host has no output")?;
        let mut running = Self {
            child,
            output: BufReader::new(output),
            ports: Vec::with_capacity(tenants),
            loaded: Duration::ZERO,
        };
        let mut line = String::new();
        while running.ports.len() < tenants {
            line.clear();
            let read = running.output.read_line(&mut line)?;
            ensure!(read > 0, "the host ended before {tenants} tenants listened");
            if let Some((_, port)) = line.rsplit_once(ANNOUNCEMENT) {
                running.ports.push(port.trim().parse()?);
            }
        }
        running.loaded = began.elapsed();
        Ok(running)
    }

    /// Microseconds until the first event of tenants is answered: median and 99 of 100.
    fn first_events(&self) -> anyhow::Result<(f64, f64)> {
        let mut times = Vec::with_capacity(ASKED);
        for port in self
            .ports
            .iter()
            .step_by(self.ports.len().div_ceil(ASKED).max(1))
        {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            let began = Instant::now();
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            std::io::Read::read_exact(&mut stream, &mut [0])?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| times.get(times.len() * percent / 100).copied();
        Ok((at(50).unwrap_or(f64::NAN), at(99).unwrap_or(f64::NAN)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("host {} cannot be ended: {error}", self.child.id());
        }
    }
}
