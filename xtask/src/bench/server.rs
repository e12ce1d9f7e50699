//! The servers that are measured: started as processes, asked for their port, ended by their handle.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

/// What the sandboxed servers run.
const PROGRAM: &str = "examples/echo";
/// How a server's line with its port ends, before the number.
const ANNOUNCEMENT: &str = " started on port ";

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// tokio alone.
    Plain,
    /// The host, with an instance for every event.
    Event,
    /// The host, with instances that serve many events.
    Reuse,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Plain, Kind::Event, Kind::Reuse];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Kind::Plain => "plain tokio",
            Kind::Event => "`--isolation event`",
            Kind::Reuse => "`--isolation reuse`",
        }
    }
}

/// A running server, ended when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// Kept open: what the server writes later must not fail.
    output: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("server {} cannot be ended: {error}", self.child.id());
        }
    }
}

/// Builds the host and answers where its program is.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo)
        .current_dir(crate::root())
        .args(["build", "--bin", "aro-host", "--locked"])
        .status()?;
    if !status.success() {
        bail!("the host cannot be built");
    }
    let program = env::current_exe()?.with_file_name("aro-host");
    if !program.is_file() {
        bail!(
            "there is no {}: run the benchmark through `cargo xtask`",
            program.display()
        );
    }
    Ok(program)
}

/// Starts a server and waits until it listens.
pub(crate) fn start(kind: Kind, host: &Path) -> anyhow::Result<Server> {
    match kind {
        Kind::Plain => plain("plain-echo"),
        Kind::Event => self::host(host, PROGRAM, "event"),
        Kind::Reuse => self::host(host, PROGRAM, "reuse"),
    }
}

/// Starts a plain server by the name of its task.
pub(crate) fn plain(task: &str) -> anyhow::Result<Server> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["bench", task]);
    started(command).context(task.to_owned())
}

/// Starts the host with a program.
pub(crate) fn host(host: &Path, program: &str, isolation: &str) -> anyhow::Result<Server> {
    let mut command = Command::new(host);
    command
        .args(["serve", program, "--bind", "127.0.0.1"])
        .args(["--isolation", isolation])
        .env("ARO_SOCKET_PORT", "0");
    started(command).context("aro-host")
}

pub(crate) fn started(mut command: Command) -> anyhow::Result<Server> {
    let mut child = command
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("the server has no output")?;
    let mut server = Server {
        child,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        output: BufReader::new(output),
    };
    let mut line = String::new();
    while server.output.read_line(&mut line)? > 0 {
        if let Some((_, port)) = line.rsplit_once(ANNOUNCEMENT) {
            server.address.set_port(port.trim().parse()?);
            return Ok(server);
        }
        line.clear();
    }
    bail!("it ended before it listened")
}
