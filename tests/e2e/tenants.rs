//! Several tenants in one process: what one does is not felt by the others, and none reaches what another has.

use aro_host::{
    Captured, ConsoleSink, Host, LoadError, Outcome, Program, Settings, Stream, TenantId,
};
use aro_to_wasm::Input;
use harness::{Peer, binary, caches, compile, sources, within};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

fn settings() -> Settings {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.socket_port_override = Some(0);
    settings.limits.instances_max = 32;
    settings
}

fn host() -> Host {
    let mut settings = settings();
    settings.limits.instances_max = 128;
    Host::new(settings).unwrap()
}

fn program(text: &str) -> Input {
    sources(&[("main.aro", text)])
}

async fn start(host: &Host, name: &str, text: &str, change: impl FnOnce(&mut Settings)) -> Program {
    let mut settings = settings();
    settings.console = ConsoleSink::Capture(Captured::default());
    change(&mut settings);
    let id = TenantId::new(name).unwrap();
    let loaded = host.load_as(id, settings, &compile(program(text)));
    let mut program = loaded.unwrap_or_else(|error| panic!("{error:?}"));
    let started = within("the program starts", program.start()).await;
    assert_eq!(started, Outcome::Success);
    program
}

/// Counts to what each line says, and answers it.
const COUNTING: &str = r#"(Application-Start: Counting) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Count: DataReceived Handler) {
    Compute the <end> from <event: data> * 1.
    Create the <sum> with 0.
    Create the <i> with 0.
    while <i> < <end> {
        Compute the <i> from <i> + 1.
        Compute the <sum> from <sum> + <i>.
    }
    Send the <answer> to the <event: connection> with "${<sum>}\n".
    Return an <OK: status> for the <count>.
}"#;

/// What takes many slices.
const MUCH: &str = "100000\n";

/// Peers that have the program count without end; counts the answers.
fn keep_busy(
    address: SocketAddr,
    peers: usize,
    answers: &Arc<AtomicUsize>,
    done: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let peer = |_| {
        let (answers, done) = (Arc::clone(answers), Arc::clone(done));
        tokio::spawn(async move {
            let mut peer = Peer::connect(address).await;
            while !done.load(Ordering::Acquire) {
                peer.send(MUCH).await;
                peer.line().await;
                answers.fetch_add(1, Ordering::AcqRel);
            }
        })
    };
    (0..peers).map(peer).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tenants_share_the_machine_by_weight_and_not_by_the_number_of_their_guests() {
    let host = host();
    let unlimited = |settings: &mut Settings| {
        settings.limits.cpu_time_max = harness::DEADLINE;
    };
    let many = start(&host, "many", COUNTING, unlimited).await;
    let few = start(&host, "few", COUNTING, unlimited).await;
    let heavy = start(&host, "heavy", COUNTING, |settings| {
        unlimited(settings);
        settings.weight = 2;
    })
    .await;
    let quiet = start(&host, "quiet", COUNTING, |_| ()).await;
    let done = Arc::new(AtomicBool::new(false));
    let counts: [Arc<AtomicUsize>; 3] = Default::default();
    let mut busy = Vec::new();
    for ((tenant, peers), count) in [(&many, 24), (&few, 6), (&heavy, 12)].iter().zip(&counts) {
        busy.extend(keep_busy(tenant.listeners()[0], *peers, count, &done));
    }
    // The quiet one is answered while the others compute: each answer of its own is awaited.
    let mut peer = Peer::connect(quiet.listeners()[0]).await;
    let enough = |counts: &[Arc<AtomicUsize>; 3]| {
        counts
            .iter()
            .map(|count| count.load(Ordering::Acquire))
            .sum::<usize>()
            >= 200
    };
    let mut answered = 0;
    while !enough(&counts) {
        peer.send("3\n").await;
        assert_eq!(peer.line().await, "6");
        answered += 1;
    }
    let [many_did, few_did, heavy_did] = counts.map(|count| count.load(Ordering::Acquire));
    let used = [&many, &few, &heavy].map(|tenant| tenant.cpu_time().as_secs_f64());
    done.store(true, Ordering::Release);
    for peer in busy {
        within("the peers are done", peer).await.unwrap();
    }
    let told = format!(
        "many {many_did}, few {few_did}, heavy {heavy_did}, quiet {answered}; seconds {used:?}"
    );
    // By guests it would be 4 to 1 to 2; by weight it is 1 to 1 to 2.
    assert!(few_did * 2 > many_did, "{told}");
    assert!(heavy_did > many_did, "{told}");
    assert!(answered >= 100, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_is_divided_and_not_promised_twice() {
    let host = host();
    let wants = |count| move |settings: &mut Settings| settings.limits.instances_max = count;
    let _first = start(&host, "first", COUNTING, wants(100)).await;
    let mut second = settings();
    second.limits.instances_max = 29;
    let artifact = compile(program(COUNTING));
    let id = TenantId::new("second").unwrap();
    let Err(LoadError::Settings(error)) = host.load_as(id.clone(), second, &artifact) else {
        panic!("129 instances of 128")
    };
    assert_eq!(
        error.to_string(),
        "limit instances_max is 129; the host was made for 128"
    );
    let mut second = settings();
    second.limits.memory_bytes_max = 1 << 30;
    assert!(host.load_as(id, second, &artifact).is_err());
}

/// Of eight tenants that compute without end.
const WEIGHTS: [u32; 8] = [1, 1, 1, 1, 2, 2, 4, 4];
/// CPU time that they use together before they are compared.
const COMPARED: std::time::Duration = std::time::Duration::from_secs(6);
/// How far from its part a tenant may be: time is counted in ticks, and a turn lasts for several.
const PART_TOLERANCE: f64 = 0.35;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_tenants_that_spin_get_parts_by_weight_and_a_normal_one_is_answered() {
    let mut large = settings();
    large.limits.instances_max = 160;
    let host = Host::new(large).unwrap();
    let mut spinning = Vec::new();
    for (number, weight) in WEIGHTS.into_iter().enumerate() {
        let change = |settings: &mut Settings| {
            settings.weight = weight;
            settings.limits.instances_max = 8;
            settings.limits.cpu_time_max = harness::DEADLINE;
        };
        spinning.push(start(&host, &format!("spin-{number}"), COUNTING, change).await);
    }
    let normal = start(&host, "normal", COUNTING, |_| ()).await;
    let done = Arc::new(AtomicBool::new(false));
    let count = Arc::default();
    let mut busy = Vec::new();
    for tenant in &spinning {
        busy.extend(keep_busy(tenant.listeners()[0], 4, &count, &done));
    }
    let mut peer = Peer::connect(normal.listeners()[0]).await;
    let mut answered = 0;
    let mut ask = async || {
        peer.send("3\n").await;
        assert_eq!(peer.line().await, "6");
        answered += 1;
    };
    // Until all of them are at work.
    while spinning.iter().any(|one| one.cpu_time().is_zero()) {
        ask().await;
    }
    let before: Vec<_> = spinning.iter().map(Program::cpu_time).collect();
    let used = || {
        let pairs = spinning.iter().zip(&before);
        let used = pairs.map(|(one, before)| (one.cpu_time() - *before).as_secs_f64());
        used.collect::<Vec<f64>>()
    };
    while used().iter().sum::<f64>() < COMPARED.as_secs_f64() {
        ask().await;
    }
    let used = used();
    done.store(true, Ordering::Release);
    for peer in busy {
        within("the peers are done", peer).await.unwrap();
    }
    let told = format!("normal {answered}; seconds {used:?}");
    let part = used.iter().sum::<f64>() / f64::from(WEIGHTS.iter().sum::<u32>());
    for (used, weight) in used.iter().zip(WEIGHTS) {
        let ratio = used / (part * f64::from(weight));
        assert!((ratio - 1.0).abs() < PART_TOLERANCE, "{ratio} {told}");
    }
    assert!(answered >= 100, "{told}");
}

/// Tells what it finds, and leaves traces of its own for others to find.
const NOSY: &str = r#"(Application-Start: Nosy) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Say: DataReceived Handler) {
    Extract the <words> from the <event: data>.
    Create the <row> with { words: <words> }.
    Store the <row> into the <shared-repository>.
    Publish as <said> <words>.
    Retrieve the <rows> from the <shared-repository>.
    Compute the <count: length> from the <rows>.
    Extract the <connection> from the <event: connection>.
    Create the <everybody> with "everybody".
    Subscribe the <connection> to the <everybody>.
    Emit a <Said: event> with { words: <words> }.
    Create the <news> with "${<words>} ${<count>}\n".
    Broadcast the <news> to the <socket-server>.
    Return an <OK: status> for the <words>.
}
(Hear: Said Handler) {
    Log "heard ${<event: words>}" to the <console>.
    Return an <OK: status> for the <hearing>.
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_events_and_broadcasts_end_at_the_tenant() {
    let host = host();
    let consoles = [Captured::default(), Captured::default()];
    let mut tenants = Vec::new();
    for (name, console) in ["one", "other"].iter().zip(&consoles) {
        let console = ConsoleSink::Capture(console.clone());
        let with_console = |settings: &mut Settings| settings.console = console;
        tenants.push(start(&host, name, NOSY, with_console).await);
    }
    let mut peers = Vec::new();
    for tenant in &tenants {
        peers.push(Peer::connect(tenant.listeners()[0]).await);
    }
    for (round, count) in [("first", 1), ("second", 2)] {
        for (peer, of) in peers.iter_mut().zip(["one", "other"]) {
            peer.send(format!("{round} of {of}\n")).await;
            assert_eq!(peer.line().await, format!("{round} of {of} {count}"));
        }
    }
    for tenant in tenants {
        assert_eq!(within("the end", tenant.stop()).await, Outcome::Success);
    }
    // Nothing came from the other one.
    for peer in &mut peers {
        peer.closed().await;
    }
    for (console, [own, others]) in consoles.iter().zip([["one", "other"], ["other", "one"]]) {
        let output = console.text(Stream::Output);
        assert!(
            output.contains(&format!("heard second of {own}\n")),
            "{output}"
        );
        assert!(!output.contains(&format!("of {others}\n")), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_events_wait_and_none_is_lost() {
    let host = host();
    let tenant = start(&host, "limited", COUNTING, |settings| {
        settings.limits.events_per_second_max = NonZeroU32::new(50);
    })
    .await;
    let mut peer = Peer::connect(tenant.listeners()[0]).await;
    peer.send("2\n".repeat(120)).await;
    for _ in 0..120 {
        assert_eq!(peer.line().await, "3");
    }
    assert!(tenant.observe().rate_limited >= 60);
}

fn aro_host(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(binary("aro-host"));
    command
        .env("XDG_CACHE_HOME", caches())
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A directory with two programs and a configuration.
fn configured(config: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("counting.wasm"),
        compile(program(COUNTING)),
    )
    .unwrap();
    std::fs::create_dir(directory.path().join("nosy")).unwrap();
    std::fs::write(directory.path().join("nosy/main.aro"), NOSY).unwrap();
    std::fs::write(directory.path().join("host.toml"), config).unwrap();
    directory
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_serves_its_tenants() {
    let directory = configured(
        r#"
[host]
instances = 40
[defaults]
bind = "127.0.0.1"
[defaults.limits]
memory_mib = 16
[tenants.counting]
app = "counting.wasm"
socket_port = 0
weight = 3
[tenants.nosy]
app = "nosy"
socket_port = 0
log_prefix = "<nosy> "
[tenants.refused]
app = "counting.wasm"
"#,
    );
    let mut child = aro_host(&["serve", "--config", "host.toml"], directory.path())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ports = std::collections::BTreeMap::new();
    let mut rest = String::new();
    while ports.len() < 2 {
        let line = within("a line", lines.next_line()).await.unwrap().unwrap();
        rest += &line;
        rest.push('\n');
        if let Some((prefix, port)) = line.split_once("Socket Server started on port ") {
            ports.insert(prefix.to_owned(), port.parse::<u16>().unwrap());
        }
    }
    let mut counting = Peer::connect((Ipv4Addr::LOCALHOST, ports["counting | "]).into()).await;
    counting.send("4\n").await;
    assert_eq!(counting.line().await, "10");
    let mut nosy = Peer::connect((Ipv4Addr::LOCALHOST, ports["<nosy> "]).into()).await;
    nosy.send("hello\n").await;
    assert_eq!(nosy.line().await, "hello 1");
    let id = child.id().unwrap().to_string();
    std::process::Command::new("kill")
        .args(["-s", "TERM", &id])
        .status()
        .unwrap();
    while let Some(line) = within("the end", lines.next_line()).await.unwrap() {
        rest += &line;
        rest.push('\n');
    }
    assert!(rest.contains("<nosy> [Hear] heard hello\n"), "{rest}");
    assert!(rest.contains("Cause: port 9000 is not granted"), "{rest}");
    assert!(rest.contains("counting | [OK] startup\n"), "{rest}");
    assert!(within("the exit", child.wait()).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_is_checked_and_explained() {
    let good = "[defaults]\nrecord = \"events\"\n[defaults.grants]\nports = [9000, \"9100-9110\"]\nenv = [\"MODE\"]\nconnect = [\"*.example.org:443\"]\n[tenants.counting]\napp = \"counting.wasm\"\nweight = 3\n[tenants.nosy]\napp = \"nosy\"\nisolation = { reuse = 50 }\n[tenants.nosy.limits]\nevents_per_second = 20\n";
    let told = check(good).await;
    for part in [
        "tenant counting\n",
        "  CPU             3 of 4 parts where others want it too; 250 ms an event\n",
        "  instances       750 at once, 64 MiB each; a fresh one for every event\n",
        "  recorded        all events, 256 MiB of them in events/counting\n",
        "  may listen on   9000, 9100-9110\n",
        "  may connect to  *.example.org:443\n",
        "  may read env    MODE\n",
        "  instances       250 at once, 64 MiB each; one serves up to 50 events\n",
        "  events          20 in a second from outside\n",
    ] {
        assert!(told.contains(part), "{part}\nis not in\n{told}");
    }
    for (bad, parts) in [
        (
            "[tenants.one]\napp = \"nosy\"\nwieght = 2\n",
            &["host.toml", "line 3", "unknown field `wieght`"][..],
        ),
        (
            "[tenants.one]\napp = \"nosy\"\n[tenants.one.limits]\nconnections = \"many\"\n",
            &["host.toml", "line 4", "connections", "invalid type"],
        ),
        (
            "[tenants.one]\napp = \"nosy\"\n[tenants.one.grants]\nports = [\"90-80\"]\n",
            &["host.toml: [tenants.one]: grants.ports = \"90-80\" is no port"],
        ),
        (
            "[tenants.\"a b\"]\napp = \"nosy\"\n",
            &["tenant name \"a b\" is not"],
        ),
        (
            "[host]\ninstances = 10\n[tenants.one]\napp = \"nosy\"\nlimits = { instances = 11 }\n",
            &["10 instances do not suffice for 1 tenants, some of which want 11"],
        ),
    ] {
        let told = check(bad).await;
        for part in parts {
            assert!(told.contains(part), "{part}\nis not in\n{told}");
        }
    }
}

/// What `check-config` says.
async fn check(config: &str) -> String {
    let directory = configured(config);
    let mut child = aro_host(&["check-config", "host.toml"], directory.path())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let mut output = child.stdout.take().unwrap();
    within("the output", output.read_to_string(&mut told))
        .await
        .unwrap();
    let mut errors = child.stderr.take().unwrap();
    within("the errors", errors.read_to_string(&mut told))
        .await
        .unwrap();
    let status = within("the exit", child.wait()).await.unwrap();
    assert_eq!(status.success(), !told.contains("error: "), "{told}");
    told
}
