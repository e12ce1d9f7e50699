//! The host as a process of its own, as its users run it.

use crate::{binary, caches, repository, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The command, on ports of the system's choice, with its output kept for the test. It ends with the value that holds it.
#[must_use]
pub fn aro_host(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("aro-host"));
    command
        .args(arguments)
        .current_dir(repository())
        .env("ARO_SOCKET_PORT", "0")
        .env("ARO_HTTP_PORT", "0")
        .env_remove("RUST_LOG")
        .env("XDG_CACHE_HOME", caches())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A process that serves.
pub struct Serving {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where, as its first line with a port says.
    pub address: SocketAddr,
}

impl Serving {
    /// Serves `program`.
    pub async fn start(program: &str) -> Self {
        Self::start_with(aro_host(&["serve", "--bind", "127.0.0.1", program])).await
    }

    /// Serves as a command of [`aro_host()`] says; what it prints before its port is passed over.
    pub async fn start_with(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = within("a line with a port", lines.next_line())
                .await
                .unwrap();
            let line = line.expect("the process serves");
            if let Some((_, port)) = line.split_once(" started on port ") {
                break port.parse().unwrap();
            }
        };
        Self {
            child,
            lines,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// The next line of its standard output.
    pub async fn line(&mut self) -> String {
        within("a line", self.lines.next_line())
            .await
            .unwrap()
            .expect("the process writes on")
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for its end; answers the lines that were left, and standard error.
    pub async fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let mut rest = Vec::new();
        while let Some(line) = within("a line or the end", self.lines.next_line())
            .await
            .unwrap()
        {
            rest.push(line);
        }
        let mut error = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        within("the end", stderr.read_to_string(&mut error))
            .await
            .unwrap();
        (
            within("the exit", self.child.wait()).await.unwrap(),
            rest,
            error,
        )
    }
}

/// A program that runs in a directory of its own, as `aro-host run` runs it.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Runs `program` with `place` as its directory.
    #[must_use]
    pub fn start(program: &Path, place: &Path) -> Self {
        let mut command = aro_host(&["run", program.to_str().unwrap()]);
        let mut child = command.current_dir(place).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line of its standard output.
    pub async fn line(&mut self) -> String {
        let line = within("a line", self.lines.next_line()).await.unwrap();
        line.expect("the program goes on")
    }

    /// Asks it to end, and waits until it has, in order.
    pub async fn end(mut self) {
        signal(&self.child, "TERM");
        let status = within("the end", self.child.wait()).await.unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

/// Sends a process a signal, by name.
fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &id])
        .status()
        .unwrap();
    assert!(sent.success());
}
