//! The admin interface, as its commands and as HTTP: versions are put in place and taken back, new abilities need consent, nobody without the token is told anything.

use harness::{Peer, binary, caches, compile, http, sources, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const TOKEN: &str = "a token that nobody guesses";

fn save(directory: &Path, name: &str, statement: &str) {
    let text = format!(
        r#"(Application-Start: Versions) {{
    Listen on port 9000 as <hub> with {{ framing: "line" }}.
    Keepalive the <application> for the <events>.
    Return an <OK: status> for the <startup>.
}}
(Answer: DataReceived Handler) {{
    {statement}
    Send the <answer> to the <event: connection> with "{name}\n".
    Return an <OK: status> for the <answer>.
}}"#
    );
    let artifact = compile(sources(&[("main.aro", &text)]));
    std::fs::write(directory.join(format!("{name}.wasm")), artifact).unwrap();
}

fn aro_host(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("aro-host"));
    command
        .env("XDG_CACHE_HOME", caches())
        .args(arguments)
        .current_dir(directory)
        .env("ARO_SOCKET_PORT", "0")
        .env("ARO_ADMIN_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end; answers its exit code and all that it says.
async fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = within("the end", aro_host(directory, arguments).output());
    let output = output.await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// A host that serves `one.wasm`; answers where it listens and where its admin interface is.
async fn serve(directory: &Path) -> (Child, SocketAddr, SocketAddr) {
    let arguments = [
        "serve",
        "one.wasm",
        "--bind",
        "127.0.0.1",
        "--admin",
        "127.0.0.1:0",
    ];
    let mut child = aro_host(directory, &arguments).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let admin = within("the admin interface", errors.next_line())
        .await
        .unwrap();
    let admin = admin.unwrap();
    let admin = admin.strip_prefix("admin interface on http://");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = within("the listener", lines.next_line()).await.unwrap();
    let line = line.unwrap();
    let port = line.strip_prefix("Socket Server started on port ").unwrap();
    // Its pipes stay open as long as it runs.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    tokio::spawn(async move { while let Ok(Some(_)) = errors.next_line().await {} });
    let hub = (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into();
    (child, hub, admin.unwrap().parse().unwrap())
}

/// Status and body of an answer.
async fn get(address: SocketAddr, path: &str, token: &str) -> (u16, String) {
    let headers = format!("Host: admin\r\nAuthorization: Bearer {token}\r\n");
    let answer = http::ask(address, &format!("GET {path}"), &headers, "").await;
    let (status, _, body) = http::parts(&answer);
    (status, body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_put_in_place_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    save(directory, "one", "");
    save(directory, "two", "");
    save(directory, "curious", "Log \"heard\" to the <console>.");
    let (_child, hub, admin) = serve(directory).await;
    let admin = admin.to_string();
    let command = |arguments: &[&'static str]| {
        let all = [arguments, &["--admin"]].concat();
        let admin = admin.as_str();
        async move { run(directory, &[&all[..], &[admin]].concat()).await }
    };
    let mut peer = Peer::connect(hub).await;
    for (arguments, told, answer) in [
        (
            &["deploy", "two.wasm"][..],
            "tenant default runs version 2\n",
            "two",
        ),
        (&["rollback"], "tenant default runs version 1\n", "one"),
        (
            &["rollback", "--version", "2"],
            "tenant default runs version 2\n",
            "two",
        ),
        (
            &["deploy", "curious.wasm", "--yes"],
            "tenant default runs version 3\n",
            "curious",
        ),
    ] {
        if arguments.contains(&"curious.wasm") {
            let (code, said) = command(&["deploy", "curious.wasm"]).await;
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("\n  aro:log/console@"), "{said}");
            assert!(said.ends_with("\nconsent with --yes\n"), "{said}");
        }
        assert_eq!(command(arguments).await, (Some(0), told.to_owned()));
        peer.send("who\n").await;
        assert_eq!(peer.line().await, answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_told_to_those_who_have_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    save(directory, "one", "");
    let (_child, hub, admin) = serve(directory).await;
    let admin_text = admin.to_string();
    let command = |arguments: &[&'static str]| {
        let all = [arguments, &["--admin"]].concat();
        let admin = admin_text.as_str();
        async move { run(directory, &[&all[..], &[admin]].concat()).await }
    };
    let mut peer = Peer::connect(hub).await;
    for version in 2..=6 {
        let told = format!("tenant default runs version {version}\n");
        assert_eq!(command(&["deploy", "one.wasm"]).await, (Some(0), told));
    }
    peer.send("who\n").await;
    assert_eq!(peer.line().await, "one");
    let (code, versions) = command(&["versions"]).await;
    assert_eq!(code, Some(0), "{versions}");
    let states: Vec<_> = versions
        .lines()
        .map(|line| line.split_whitespace().last().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["test", "test", "kept", "kept", "kept", "runs"]);
    std::fs::write(directory.join("bad.wasm"), "no wasm").unwrap();
    for (arguments, said) in [
        (&["deploy", "bad.wasm"][..], "the file is not WebAssembly"),
        (
            &["rollback", "--tenant", "nobody"],
            "no tenant nobody runs here",
        ),
        (
            &["rollback", "--version", "9"],
            "version 9 is not kept; deploy it again",
        ),
    ] {
        let (code, told) = command(arguments).await;
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(said), "{told}");
    }
    let (status, metrics) = get(admin, "/metrics", TOKEN).await;
    assert_eq!(status, 200);
    for line in [
        "aro_host_events_total{tenant=\"default\",feature_set=\"answer\",outcome=\"done\"} 1\n",
        "aro_host_connections{tenant=\"default\",protocol=\"tcp\"} 1\n",
        "aro_host_version{tenant=\"default\"} 6\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let (status, tenants) = get(admin, "/tenants", TOKEN).await;
    assert_eq!(status, 200);
    assert!(tenants.contains(r#""running":true"#), "{tenants}");
    for path in [
        "/tenants",
        "/metrics",
        "/tenants/default/versions",
        "/other",
    ] {
        for token in ["", "a token that nobody guesseS", "a token"] {
            let refused = get(admin, path, token).await;
            let error = "{\"error\":\"a token is needed\"}\n".to_owned();
            assert_eq!(refused, (401.to_owned(), error));
        }
    }
    assert_eq!(get(admin, "/healthz", "").await.0, 200);
    assert_eq!(get(admin, "/readyz", "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_holds_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    save(directory, "one", "");
    let (_child, _, admin) = serve(directory).await;
    let wrong = "what somebody has guessed";
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/status",
        "/status/default",
        "/tenants",
        "/tenants/default/versions",
        "/tenants/nobody/versions",
        "/metrics",
        "/other",
    ] {
        for given in [TOKEN, wrong, ""] {
            let (_, body) = get(admin, path, given).await;
            for hidden in [TOKEN, wrong] {
                assert!(!body.contains(hidden), "{path}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn the_interface_is_for_this_machine_and_has_a_token() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), "one", "");
    let arguments = ["serve", "one.wasm", "--admin", "0.0.0.0:0"];
    let (code, said) = run(directory.path(), &arguments).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("loopback addresses only"), "{said}");
    std::fs::write(directory.path().join("token"), "short\n").unwrap();
    let arguments = [
        "serve",
        "one.wasm",
        "--admin",
        "127.0.0.1:0",
        "--admin-token-file",
        "token",
    ];
    let (code, said) = run(directory.path(), &arguments).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("less than 16 bytes"), "{said}");
}
