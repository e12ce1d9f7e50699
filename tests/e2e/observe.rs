//! What the host tells of its tenants: metrics, logs for programs, the admin page in a real browser.

use aro_host::{Captured, ConsoleSink, Host, Outcome, Settings, TenantId};
use harness::{
    Browser, Peer, Serving, WebSocket, aro_host, binary, compile, http, repository, sources, within,
};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

const TOKEN: &str = "a token that nobody guesses";

/// Answers every line.
const CHAT: &str = r#"(Application-Start: Chat) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}
(Echo: DataReceived Handler) {
    Log <event: data> to the <console>.
    Send the <answer> to the <event: connection> with "heard\n".
    Return an <OK: status> for the <answer>.
}
"#;

/// Divides by every line, and spins where it says `spin`.
const SUMS: &str = r#"(Application-Start: Sums) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}
(Divide: DataReceived Handler) {
    Create the <line> with <event: data>.
    while <line> is "spin" {
        Create the <again> with true.
    }
    Compute the <quotient> from 100 / <event: data>.
    Send the <answer> to the <event: connection> with "${<quotient>}\n".
    Return an <OK: status> for the <answer>.
}
"#;

/// A host with both programs.
struct Both {
    chat: SocketAddr,
    sums: SocketAddr,
    admin: SocketAddr,
    lines: mpsc::Receiver<Value>,
    /// Lines that nobody has asked for yet: both streams are read at once, in no order.
    passed: Vec<Value>,
    _child: Child,
    _directory: tempfile::TempDir,
}

impl Both {
    /// `RUST_LOG` as given.
    async fn start(log: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut config =
            "[host]\nlog_format = \"json\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[defaults]\nbind = \"127.0.0.1\"\n"
                .to_owned();
        for (name, program) in [("chat", CHAT), ("sums", SUMS)] {
            std::fs::create_dir(path.join(name)).unwrap();
            std::fs::write(path.join(name).join("main.aro"), program).unwrap();
            config.push_str(&format!(
                "[tenants.{name}]\napp = \"{name}\"\nsocket_port = 0\nlimits = {{ cpu_ms = 50 }}\n"
            ));
        }
        std::fs::write(path.join("host.toml"), config).unwrap();
        let mut child = Command::new(binary("aro-host"))
            .args(["serve", "--config", "host.toml"])
            .current_dir(path)
            .env("ARO_ADMIN_TOKEN", TOKEN)
            .env("RUST_LOG", log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (told, mut lines) = mpsc::channel(1000);
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let admin = within("the admin interface", errors.next_line()).await;
        let admin = admin.unwrap().unwrap();
        let admin = admin.strip_prefix("admin interface on http://").unwrap();
        let admin = admin.parse().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let out = told.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let record: Value =
                    serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                drop(out.send(record).await);
            }
        });
        tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                // Warnings of the compiler are for whoever starts the host.
                if let Ok(record) = serde_json::from_str::<Value>(&line) {
                    drop(told.send(record).await);
                }
            }
        });
        let mut ports = [None, None];
        while ports.contains(&None) {
            let line = within("the listeners", lines.recv()).await.unwrap();
            let message = line["message"].as_str().unwrap_or_default();
            if let Some((_, port)) = message.split_once("Socket Server started on port ") {
                let place = usize::from(line["tenant"] == "sums");
                ports[place] = Some(SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())));
            }
        }
        Self {
            chat: ports[0].unwrap(),
            sums: ports[1].unwrap(),
            admin,
            lines,
            passed: Vec::new(),
            _child: child,
            _directory: directory,
        }
    }

    /// The first line that is like this and has not been asked for.
    async fn line(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.passed.iter().position(&is) {
            return self.passed.remove(place);
        }
        loop {
            let line = within("a line", self.lines.recv()).await.unwrap();
            if is(&line) {
                return line;
            }
            self.passed.push(line);
        }
    }

    /// Three lines to one tenant, a good one, a bad one and an endless one to the other.
    async fn drive(&mut self) {
        let mut chat = Peer::connect(self.chat).await;
        for line in ["one\n", "two\n", "\u{1b}[2J\"}{\n"] {
            chat.send(line).await;
            assert_eq!(chat.line().await, "heard");
        }
        let mut sums = Peer::connect(self.sums).await;
        sums.send("5\n").await;
        assert_eq!(sums.line().await, "20.0");
        sums.send("nothing\nspin\n").await;
        self.line(|line| line["outcome"] == "limited").await;
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let headers = format!("Host: admin\r\nAuthorization: Bearer {TOKEN}\r\n");
    let answer = http::ask(address, &format!("GET {path}"), &headers, "").await;
    http::parts(&answer).2.to_owned()
}

/// The value of a metric.
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"));
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_what_each_feature_set_of_each_tenant_did() {
    let mut both = Both::start("warn").await;
    both.drive().await;
    let _chat = Peer::connect(both.chat).await;
    let mut metrics = String::new();
    while !metrics.contains("aro_host_connections{tenant=\"chat\",protocol=\"tcp\"} 1\n") {
        metrics = get(both.admin, "/metrics").await;
    }
    let echo = "tenant=\"chat\",feature_set=\"echo\"";
    let divide = "tenant=\"sums\",feature_set=\"divide\"";
    for (name, expected) in [
        (
            format!("aro_host_events_total{{{echo},outcome=\"done\"}}"),
            3.0,
        ),
        (
            format!("aro_host_events_total{{{echo},outcome=\"failed\"}}"),
            0.0,
        ),
        (
            format!("aro_host_events_total{{{divide},outcome=\"done\"}}"),
            1.0,
        ),
        (
            format!("aro_host_events_total{{{divide},outcome=\"failed\"}}"),
            1.0,
        ),
        (
            format!("aro_host_events_total{{{divide},outcome=\"limited\"}}"),
            1.0,
        ),
        (
            format!("aro_host_event_duration_seconds_count{{{divide}}}"),
            3.0,
        ),
        (
            format!("aro_host_event_duration_seconds_bucket{{le=\"+Inf\",{divide}}}"),
            3.0,
        ),
        (
            "aro_host_limit_hits_total{tenant=\"sums\",limit=\"cpu_time_max\"}".into(),
            1.0,
        ),
        (
            "aro_host_connections_opened_total{tenant=\"chat\",protocol=\"tcp\"}".into(),
            2.0,
        ),
        (
            "aro_host_received_bytes_total{tenant=\"chat\",protocol=\"tcp\"}".into(),
            16.0,
        ),
        (
            "aro_host_sent_bytes_total{tenant=\"chat\",protocol=\"tcp\"}".into(),
            18.0,
        ),
        ("aro_host_queue_bytes{tenant=\"chat\"}".into(), 0.0),
    ] {
        assert_eq!(value(&metrics, &name), expected, "{name}");
    }
    let slowest = value(
        &metrics,
        &format!("aro_host_event_duration_seconds_sum{{{divide}}}"),
    );
    assert!(slowest > 0.04, "{slowest}");
    // The start of each program is an instance that waits.
    let memory = "aro_host_memory_bytes{tenant=\"chat\",of=\"instances\"}";
    assert!(value(&metrics, memory) >= 65_536.0);
    assert!(value(&metrics, "aro_process_resident_memory_bytes") > 1e6);
    assert!(metrics.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_in_the_reference() {
    let both = Both::start("warn").await;
    let metrics = get(both.admin, "/metrics").await;
    let page = repository().join("docs/reference/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut told: Vec<String> = Vec::new();
    for line in metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP "))
    {
        let (name, help) = line.split_once(' ').unwrap();
        let is_counter = metrics.contains(&format!("# TYPE {name} counter\n"));
        let name = format!("{name}{}", if is_counter { "_total" } else { "" });
        let row = format!("| `{name}` |");
        let found = page.lines().find(|line| line.starts_with(&row));
        let found = found.unwrap_or_else(|| panic!("{name} is not in the reference"));
        assert!(found.ends_with(&format!("| {help} |")), "{found}\n{help}");
        told.push(name);
    }
    for line in page.lines().filter_map(|line| line.strip_prefix("| `aro_")) {
        let name = format!("aro_{}", line.split_once('`').unwrap().0);
        let is_of_programs = name.starts_with("aro_featureset") || name.starts_with("aro_appl");
        assert!(
            is_of_programs || told.contains(&name),
            "{name} is told by nobody"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_objects_that_say_whose_event_it_was() {
    let mut both = Both::start("warn,aro_event=info").await;
    let mut chat = Peer::connect(both.chat).await;
    chat.send("\u{1b}[2J\"}{\n").await;
    chat.line().await;
    let said = both.line(|line| line["source"] == "program").await;
    assert_eq!(said["message"], "\u{1b}[2J\"}{");
    assert_eq!(said["tenant"], "chat");
    assert_eq!(said["feature_set"], "Echo");
    assert_eq!(said["activity"], "DataReceived Handler");
    assert!(said["event"].as_u64().unwrap() > 0, "{said}");
    let connection = said["connection"].clone();
    assert_eq!(connection.as_str().unwrap().len(), 36);
    let ended = both
        .line(|line| line["target"] == "aro_event" && line["feature_set"] == "Echo")
        .await;
    for (name, expected) in [
        ("tenant", "chat"),
        ("outcome", "done"),
        ("cause", "connection"),
        ("level", "info"),
    ] {
        assert_eq!(ended[name], expected, "{ended}");
    }
    assert_eq!(
        (&ended["event"], &ended["connection"]),
        (&said["event"], &connection)
    );
    assert!(ended["duration_us"].as_u64().unwrap() > 0, "{ended}");
    let mut sums = Peer::connect(both.sums).await;
    sums.send("nothing\n").await;
    let failed = both
        .line(|line| line["outcome"] == "failed" && line["level"] == "error")
        .await;
    assert_eq!(failed["place"], "main.aro:11:5");
    assert!(failed["statement"].as_str().unwrap().contains("<quotient>"));
    assert!(failed["cause"].as_str().unwrap().contains("Type mismatch"));
    assert!(failed["duration_us"].as_u64().unwrap() > 0);
    assert!(failed["event"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_http_and_of_websockets_are_counted_apart() {
    let mut command = aro_host(&["serve", "--bind", "127.0.0.1", "--admin", "127.0.0.1:0"]);
    command.arg("examples/websocket-echo");
    command.env("ARO_ADMIN_TOKEN", TOKEN);
    // Standard error tells where the admin interface is; it is a pipe, so the port is asked of a file.
    let told = tempfile::NamedTempFile::new().unwrap();
    command.stderr(told.reopen().unwrap());
    let server = Serving::start_with(command).await;
    let text = std::fs::read_to_string(told.path()).unwrap();
    let admin = text
        .split("http://")
        .nth(1)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut peer = WebSocket::open(server.address, "/echo").await;
    peer.send("0123456789").await;
    assert_eq!(peer.text().await, "0123456789");
    let status: Value = serde_json::from_str(&get(admin, "/status").await).unwrap();
    let protocols = &status["tenants"][0]["protocols"];
    // A frame of ten bytes, with its head of two and, from a client, a mask of four.
    assert_eq!(protocols["websocket"]["received"], 16);
    assert_eq!(protocols["websocket"]["sent"], 12);
    assert_eq!(protocols["websocket"]["open"], 1);
    assert_eq!(protocols["http"]["open"], 0);
    assert_eq!(protocols["http"]["opened"], 1);
    assert!(protocols["http"]["received"].as_u64().unwrap() > 100);
    assert!(protocols["http"]["sent"].as_u64().unwrap() > 100);
}

fn artefact(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_page_shows_what_happens_as_it_happens() {
    let mut both = Both::start("warn").await;
    let mut browser = Browser::start().await;
    let url = format!("http://{}/", both.admin);
    let wide = browser.open(&url, 1280, 900).await;
    let door = "document.querySelector('#door')?.hidden === false";
    browser.until(&wide, door).await;
    browser.type_into(&wide, "#token", "something else").await;
    let open = "document.querySelector('#door button').click()";
    browser.evaluate(&wide, open).await;
    let refused = "document.querySelector('#refused').textContent === 'This is not the token.'";
    browser.until(&wide, refused).await;
    browser.type_into(&wide, "#token", TOKEN).await;
    browser.evaluate(&wide, open).await;
    browser
        .until(
            &wide,
            "document.querySelectorAll('#tenants tbody tr').length === 2",
        )
        .await;
    both.drive().await;
    let choose = "document.querySelector('#tenants tbody tr:nth-child(2) a').click()";
    browser.evaluate(&wide, choose).await;
    let moves = "Number(document.querySelector('#sets tbody td:nth-child(3)')?.textContent) === 3";
    browser.until(&wide, moves).await;
    for text in [
        "main.aro:11:5",
        "<quotient>",
        "Type mismatch",
        "cpu_time_max",
    ] {
        let shown = format!("document.querySelector('#faults').textContent.includes('{text}')");
        browser.until(&wide, &shown).await;
    }
    let limit = "document.querySelector('#limits').textContent === 'cpu_time_max1'";
    browser.until(&wide, limit).await;
    let runs = "document.querySelector('#versions .state.runs') !== null";
    browser.until(&wide, runs).await;
    // Some traffic, so that the lines have something to show.
    let mut chat = Peer::connect(both.chat).await;
    for _ in 0..40 {
        for _ in 0..20 {
            chat.send("hello\n").await;
            chat.line().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    browser.screenshot(&wide, &artefact("admin-1280.png")).await;
    let phone = browser.open(&url, 390, 844).await;
    browser.until(&phone, door).await;
    let enter = format!(
        "sessionStorage.setItem('aro-admin-token', '{TOKEN}'); location.hash = 'sums'; location.reload()"
    );
    browser.evaluate(&phone, &enter).await;
    browser
        .until(
            &phone,
            "document.querySelectorAll('#faults pre').length === 2",
        )
        .await;
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    browser.until(&phone, fits).await;
    browser.screenshot(&phone, &artefact("admin-390.png")).await;
    browser
        .evaluate(&phone, "document.querySelector('#detail').scrollIntoView()")
        .await;
    browser
        .screenshot(&phone, &artefact("admin-390-detail.png"))
        .await;
}

/// Meets one limit for each line.
const GREEDY: &str = r#"(Application-Start: Greedy) {
    Listen on port 9000 as <hub> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Try: DataReceived Handler) {
    Extract the <what> from the <event: data>.
    Extract the <connection> from the <event: connection>.
    match <what> {
        case "line" { Log "more than twenty bytes in one line" to the <console>. }
        case "name" {
            Create the <news> with "a channel with a long name".
            Subscribe the <connection> to the <news>.
        }
        case "subscriptions" {
            Create the <one> with "one".
            Create the <two> with "two".
            Subscribe the <connection> to the <one>.
            Subscribe the <connection> to the <two>.
        }
        case "file" { Write "more than ten bytes" to the <file: "./large.txt">. }
        case "append" {
            Create the <more> with "twelve bytes".
            Append the <more> to the <file: "./log.txt">.
            Append the <more> to the <file: "./log.txt">.
        }
        case "entries" { List the <all> from the <directory: ".">. }
    }
    Return an <OK: status> for the <attempt>.
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_that_is_met_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(directory.path().join(name), "").unwrap();
    }
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.socket_port_override = Some(0);
    settings.console = ConsoleSink::Capture(Captured::default());
    settings.grants.directories = vec![directory.path().to_owned()];
    let limits = &mut settings.limits;
    limits.instances_max = 16;
    limits.console_line_bytes_max = 20;
    limits.channel_name_bytes_max = 10;
    limits.subscriptions_max = 1;
    limits.file_bytes_max = 10;
    limits.appended_file_bytes_max = 20;
    limits.directory_entries_max = 1;
    let host = Host::new(settings).unwrap();
    let artifact = compile(sources(&[("main.aro", GREEDY)]));
    let id = TenantId::new("greedy").unwrap();
    let mut program = host.load(id, &artifact).unwrap();
    let started = within("the program starts", program.start()).await;
    assert_eq!(started, Outcome::Success);
    let mut peer = Peer::connect(program.listeners()[0]).await;
    for (what, limit) in [
        ("line", "console_line_bytes_max"),
        ("name", "channel_name_bytes_max"),
        ("subscriptions", "subscriptions_max"),
        ("file", "file_bytes_max"),
        ("append", "appended_file_bytes_max"),
        ("entries", "directory_entries_max"),
    ] {
        peer.send(format!("{what}\n")).await;
        let name = format!("aro_host_limit_hits_total{{tenant=\"greedy\",limit=\"{limit}\"}} 1\n");
        let counted = async {
            while !host.metrics().contains(&name) {
                tokio::task::yield_now().await;
            }
        };
        within(limit, counted).await;
    }
    assert_eq!(within("the end", program.stop()).await, Outcome::Success);
}
