//! `--data`: what a program has been told is stored is there after the host was killed.

use harness::{Random, binary, caches, within};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How often the host is killed.
const ROUNDS: usize = 50;
/// Peers that store at the same time, so that their rows share commits.
const PEERS: usize = 8;
/// The longest time from the first row of a round to the end of the host.
const ROUND_MILLISECONDS_MAX: usize = 60;

/// Stores every message under its own text and answers when it is stored; `all` lists what is there.
const PROGRAM: &str = r#"
(Application-Start: Ledger) {
    Listen on port 9000 as <ledger>.
    Return an <OK: status> for the <startup>.
}

(Take: DataReceived Handler) {
    Extract the <entry> from the <event: data>.
    Extract the <peer> from the <event: connection>.
    match <entry> {
        case "all" {
            Retrieve the <rows> from the <entry-repository>.
            Map the <ids> from the <rows: id>.
            Join the <list> from the <ids> with " ".
            Send "${<list>}\n" to the <peer>.
        }
        otherwise {
            Create the <row> with { id: <entry>, of: "ledger" }.
            Store the <row> into the <entry-repository>.
            Send "${<entry>}\n" to the <peer>.
        }
    }
    Return an <OK: status> for the <entry>.
}
"#;

/// A host that serves the program from its data directory.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(program: &Path, data: &Path) -> Self {
        let mut child = Command::new(binary("aro-host"))
            .env("XDG_CACHE_HOME", caches())
            .args(["serve", "--bind", "127.0.0.1", "--data"])
            .args([data, program])
            .env("ARO_SOCKET_PORT", "0")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let port = line.trim().strip_prefix("Socket Server started on port ");
        let port = port.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Self {
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// Ends it without a chance to put anything in order.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn ids(&self) -> BTreeSet<String> {
        let mut peer = BufReader::new(TcpStream::connect(self.address).await.unwrap());
        peer.write_all(b"all").await.unwrap();
        let mut line = String::new();
        within("the list", peer.read_line(&mut line)).await.unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    }
}

/// Stores rows one after the other until the host is gone; answers what was acknowledged.
async fn store_until_killed(address: SocketAddr, name: String) -> Vec<String> {
    let mut stored = Vec::new();
    let Ok(stream) = TcpStream::connect(address).await else {
        return stored;
    };
    let mut peer = BufReader::new(stream);
    for number in 0.. {
        let entry = format!("{name}-{number}");
        let mut line = String::new();
        if peer.write_all(entry.as_bytes()).await.is_err()
            || !matches!(peer.read_line(&mut line).await, Ok(1..))
        {
            break;
        }
        if line.trim_end() == entry {
            stored.push(entry);
        }
    }
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_rows_survive_a_killed_host() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("ledger.wasm");
    let sources = harness::sources(&[("main.aro", PROGRAM)]);
    std::fs::write(&program, harness::compile(sources)).unwrap();
    let data = directory.path().join("data");
    let mut random = Random::new(1);
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let serving = Serving::start(&program, &data);
        let found = serving.ids().await;
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "lost before round {round}: {lost:?}");
        let peers: Vec<_> = (0..PEERS)
            .map(|peer| {
                let name = format!("{round}-{peer}");
                tokio::spawn(store_until_killed(serving.address, name))
            })
            .collect();
        let moment = Duration::from_millis(random.below(ROUND_MILLISECONDS_MAX) as u64);
        tokio::time::sleep(moment).await;
        serving.kill();
        for peer in peers {
            acknowledged.extend(within("the peer sees the end", peer).await.unwrap());
        }
    }
    let serving = Serving::start(&program, &data);
    let found = serving.ids().await;
    serving.kill();
    assert!(!acknowledged.is_empty());
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "lost after {ROUNDS} rounds: {lost:?}");
    // What was on its way when the host ended may be there as well: at most one row for each peer and round.
    assert!(found.len() <= acknowledged.len() + ROUNDS * PEERS);
}

#[test]
fn a_damaged_data_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("ledger.wasm");
    let sources = harness::sources(&[("main.aro", PROGRAM)]);
    std::fs::write(&program, harness::compile(sources)).unwrap();
    let file = directory.path().join("default.redb");
    std::fs::write(&file, "no rows").unwrap();
    let output = Command::new(binary("aro-host"))
        .env("XDG_CACHE_HOME", caches())
        .args(["serve", "--bind", "127.0.0.1", "--data"])
        .args([directory.path(), &program])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let expected = format!("data file {}: it is damaged", file.display());
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_store_file_that_everybody_may_write_is_written_back() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let example = harness::repository().join("examples/inventory");
    for name in ["main.aro", "stock.store"] {
        std::fs::copy(example.join(name), directory.path().join(name)).unwrap();
    }
    let store = directory.path().join("stock.store");
    let before = std::fs::read_to_string(&store).unwrap();
    let run = || {
        let output = Command::new(binary("aro-host"))
            .env("XDG_CACHE_HOME", caches())
            .args(["run", "."])
            .current_dir(directory.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o644)).unwrap();
    run();
    assert_eq!(std::fs::read_to_string(&store).unwrap(), before);
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o646)).unwrap();
    run();
    let expected = "- amount: 40\n  id: bolt\n  minimum: 50\n  name: Bolt M8\n- amount: 80\n  id: nut\n  minimum: 50\n  name: Nut M8\n- amount: 500\n  id: washer\n  minimum: 100\n  name: Washer M8";
    assert_eq!(std::fs::read_to_string(&store).unwrap(), expected);
    assert!(run().starts_with("[Application-Start] 3 articles in stock\n"));
}
