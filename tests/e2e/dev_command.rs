//! `aro-host dev` as its users meet it: a file is saved, and the next message is answered by the new version, on the same connection.

use harness::{Peer, binary, caches, within};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

struct Dev {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
}

impl Dev {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(binary("aro-host"))
            .env("XDG_CACHE_HOME", caches())
            .arg("dev")
            .arg(directory)
            .env("ARO_SOCKET_PORT", "0")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            errors: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
        }
    }

    async fn peer(&mut self) -> Peer {
        let line = within("a line", self.output.next_line()).await.unwrap();
        let line = line.unwrap();
        let port = line.strip_prefix("Socket Server started on port ");
        let port = port.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Peer::connect((Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// Waits for a line of standard error with `part`; answers the lines up to it.
    async fn says(&mut self, part: &str) -> String {
        let mut lines = String::new();
        loop {
            let line = within(part, self.errors.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the end instead of {part}:\n{lines}"));
            lines += &line;
            lines.push('\n');
            if line.contains(part) {
                return lines;
            }
        }
    }
}

fn save(directory: &Path, answer: &str) {
    let text = format!(
        r#"(Application-Start: Dev) {{
    Listen on port 9000 as <hub> with {{ framing: "line" }}.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}}
(Answer: DataReceived Handler) {{
    {answer}
    Return an <OK: status> for the <answer>.
}}"#
    );
    // As editors do: beside it, and then in its place.
    std::fs::write(directory.join("main.aro.tmp"), text).unwrap();
    std::fs::rename(directory.join("main.aro.tmp"), directory.join("main.aro")).unwrap();
}

fn says(text: &str) -> String {
    format!(r#"Send the <answer> to the <event: connection> with "{text} ${{<event: data>}}\n"."#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saving_a_file_replaces_what_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    save(path, &says("one"));
    let mut dev = Dev::start(path);
    let mut peer = dev.peer().await;
    peer.send("a\n").await;
    assert_eq!(peer.line().await, "one a");
    save(path, &says("two"));
    dev.says("[dev] version 2 runs after ").await;
    peer.send("b\n").await;
    assert_eq!(peer.line().await, "two b");
    // A mistake is drawn, and the old version goes on.
    save(path, "Send the <answer> to the.");
    let said = dev.says("the old version goes on").await;
    assert!(said.contains("main.aro:7"), "{said}");
    peer.send("c\n").await;
    assert_eq!(peer.line().await, "two c");
    save(path, &says("three"));
    dev.says("[dev] version 3 runs after ").await;
    peer.send("d\n").await;
    assert_eq!(peer.line().await, "three d");
    let id = dev.child.id().unwrap().to_string();
    std::process::Command::new("kill")
        .args(["-s", "TERM", &id])
        .status()
        .unwrap();
    assert!(within("the end", dev.child.wait()).await.unwrap().success());
    peer.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_mistakes_starts_when_they_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), "Send.");
    let mut dev = Dev::start(directory.path());
    dev.says("waiting for a change").await;
    save(directory.path(), &says("now"));
    let mut peer = dev.peer().await;
    peer.send("a\n").await;
    assert_eq!(peer.line().await, "now a");
}
