//! A configuration while it is served: tenants are ended and started again without the others, the file is read again, the manager of services is told, sockets are taken over.

use crate::routing::{get, identity, named, program};
use harness::{WebSocket, binary, within};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::UnixDatagram;
use tokio::process::{Child, ChildStderr, Command};

const TOKEN: &str = "a token that nobody guesses";

/// A directory with programs of these names and a configuration.
fn configured(names: &[&str], config: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        let path = directory.path().join(format!("{name}.wasm"));
        std::fs::write(path, program(name)).unwrap();
    }
    write(directory.path(), config);
    directory
}

fn write(directory: &Path, config: &str) {
    std::fs::write(directory.join("host.toml"), config).unwrap();
}

const HEAD: &str = r#"
[host]
instances = 60
spare_instances = 20
[admin]
listen = "127.0.0.1:0"
[listeners.web]
address = "127.0.0.1:0"
"#;

fn tenant(name: &str, more: &str) -> String {
    format!(
        "[tenants.{name}]\napp = \"{name}.wasm\"\nsocket_port = 0\nbind = \"127.0.0.1\"\nroutes = [{{ host = \"{name}.example\" }}]\n{more}"
    )
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("aro-host"));
    command
        .args(arguments)
        .current_dir(directory)
        .env("ARO_ADMIN_TOKEN", TOKEN)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A host that serves a configuration.
struct Serving {
    child: Child,
    errors: Lines<BufReader<ChildStderr>>,
    directory: PathBuf,
    web: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Serving {
    async fn start(directory: &Path) -> Self {
        let command = command(directory, &["serve", "--config", "host.toml"]);
        Self::start_with(directory, command, true).await
    }

    async fn start_with(directory: &Path, mut command: Command, has_admin: bool) -> Self {
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let nowhere = (Ipv4Addr::UNSPECIFIED, 0).into();
        let directory = directory.to_owned();
        let mut serving = Self {
            child,
            errors,
            directory,
            web: nowhere,
            admin: None,
        };
        serving.web = serving.told("listener web on ").await.parse().unwrap();
        if has_admin {
            let admin = serving.told("admin interface on http://").await;
            serving.admin = Some(admin.parse().unwrap());
        }
        serving
    }

    /// What follows `begin` on a line of standard error; others are passed over.
    async fn told(&mut self, begin: &str) -> String {
        let mut before = String::new();
        loop {
            let line = within(begin, self.errors.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("no {begin:?} in\n{before}"));
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.to_owned();
            }
            before.push_str(&line);
            before.push('\n');
        }
    }

    /// What a command of the admin interface says.
    async fn order(&self, arguments: &[&str]) -> String {
        let admin = self.admin.unwrap().to_string();
        let all = [arguments, &["--admin", &admin]].concat();
        let output = command(&self.directory, &all)
            .stdout(Stdio::piped())
            .output();
        let output = within("the command", output).await.unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let kill = std::process::Command::new("kill")
            .args(["-s", name, &id])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Waits until `name` answers so.
    async fn answers(&self, name: &str, status: u16) {
        let host = format!("{name}.example");
        let reached = async {
            while get(self.web, &host, "/who").await.0 != status {
                tokio::task::yield_now().await;
            }
        };
        within(&format!("{name} answers with {status}"), reached).await;
    }

    async fn end(mut self) {
        self.signal("TERM");
        assert!(
            within("the exit", self.child.wait())
                .await
                .unwrap()
                .success()
        );
    }
}

async fn open(web: SocketAddr, name: &str) -> WebSocket {
    let host = format!("{name}.example");
    WebSocket::open_with(web, "/ws", &[("host", &host)])
        .await
        .unwrap()
}

async fn echoes(socket: &mut WebSocket, name: &str) {
    socket.send("hello").await;
    assert_eq!(socket.text().await, format!("{name} hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_ended_and_started_again_without_the_others() {
    let config = [HEAD, &tenant("one", ""), &tenant("two", "")].concat();
    let directory = configured(&["one", "two"], &config);
    let serving = Serving::start(directory.path()).await;
    for name in ["one", "two"] {
        serving.answers(name, 200).await;
    }
    assert_eq!(serving.order(&["ready"]).await, "");
    let mut of_two = open(serving.web, "two").await;
    for (order, told, status) in [
        (
            &["stop", "--tenant", "one"][..],
            "tenant one has ended\n",
            503,
        ),
        (
            &["stop", "--tenant", "one"],
            "tenant one did not run\n",
            503,
        ),
        (&["start", "--tenant", "one"], "tenant one runs\n", 200),
        (
            &["start", "--tenant", "one"],
            "error: tenant one runs already\n",
            200,
        ),
        (&["restart", "--tenant", "one"], "tenant one runs\n", 200),
        (
            &["restart", "--tenant", "no"],
            "error: the configuration has no tenant no\n",
            200,
        ),
    ] {
        assert_eq!(serving.order(order).await, told);
        serving.answers("one", status).await;
        echoes(&mut of_two, "two").await;
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_is_read_again() {
    let config = [
        HEAD,
        &tenant("one", ""),
        &tenant("two", ""),
        &tenant("three", ""),
    ]
    .concat();
    let directory = configured(&["one", "two", "three", "four"], &config);
    let mut serving = Serving::start(directory.path()).await;
    for name in ["one", "two", "three"] {
        serving.answers(name, 200).await;
    }
    let mut of_one = open(serving.web, "one").await;
    let mut of_two = open(serving.web, "two").await;
    // One stays, with a route more; two changes; three goes; four comes.
    let one = tenant("one", "").replace("}]", "}, { host = \"uno.example\" }]");
    let changed = [
        HEAD,
        &one,
        &tenant("two", "weight = 2\n"),
        &tenant("four", ""),
    ]
    .concat();
    write(directory.path(), &changed);
    serving.signal("HUP");
    serving.told("tenant three is gone").await;
    serving.answers("four", 200).await;
    serving.answers("two", 200).await;
    serving.answers("three", 421).await;
    assert_eq!(get(serving.web, "uno.example", "/who").await, named("one"));
    echoes(&mut of_one, "one").await;
    assert_eq!(of_two.closed().await.0, 1001);
    // What is not right changes nothing.
    write(
        directory.path(),
        &[HEAD, &tenant("one", "wieght = 2\n")].concat(),
    );
    serving.signal("HUP");
    let told = serving.told("error: nothing has changed: ").await;
    assert!(told.starts_with("host.toml"), "{told}");
    for name in ["one", "two", "four"] {
        serving.answers(name, 200).await;
    }
    // By the command as well.
    write(
        directory.path(),
        &[HEAD, &one, &tenant("four", "")].concat(),
    );
    assert_eq!(serving.order(&["reload"]).await, "tenant two is gone\n");
    echoes(&mut of_one, "one").await;
    serving.end().await;
}

/// A listener of this name and address that proves `one.example`.
fn listener(name: &str, address: SocketAddr, protocol: &str) -> String {
    format!(
        "[host]\ninstances = 60\nspare_instances = 20\n[admin]\nlisten = \"127.0.0.1:0\"\n[listeners.{name}]\naddress = \"{address}\"\n{protocol}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_changes_its_name_its_protocol_and_its_address() {
    let free = || {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        (socket.local_addr().unwrap(), socket)
    };
    let (address, socket) = free();
    drop(socket);
    let one = tenant("one", "");
    let config = [listener("web", address, ""), one.clone()].concat();
    let directory = configured(&["one"], &config);
    let serving = Serving::start(directory.path()).await;
    serving.answers("one", 200).await;
    let mut of_one = open(serving.web, "one").await;
    let change = |listener: String, tenant: &str| {
        write(directory.path(), &[&listener[..], tenant].concat());
    };
    change(listener("front", address, ""), &one);
    assert_eq!(
        serving.order(&["reload"]).await,
        "listener web is called front now\n"
    );
    // Neither the connection nor the tenant has noticed.
    echoes(&mut of_one, "one").await;
    serving.answers("one", 200).await;
    // The same address speaks another protocol from now on.
    let files = identity(directory.path(), &["one.example"]);
    let (key, cert) = (files.key.display(), files.certificates.display());
    let lines =
        format!("protocol = \"tcp\"\ncertificates = [{{ cert = \"{cert}\", key = \"{key}\" }}]\n");
    let through_tcp = one.replace("socket_port", "http_port");
    change(listener("front", address, &lines), &through_tcp);
    assert_eq!(
        serving.order(&["reload"]).await,
        "listener front is gone\ntenant one has been started\n"
    );
    // An address that somebody else has: nobody listens on another one instead.
    let (taken, socket) = free();
    change(listener("front", taken, ""), &one);
    let told = serving.order(&["reload"]).await;
    for part in [
        "listener front is gone\nlistener front cannot be opened: ",
        "\ntenant one cannot run: listener front, which the tenant is reached through, is not open: ",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let told = serving.order(&["start", "--tenant", "one"]).await;
    assert!(told.starts_with("error: listener front, which "), "{told}");
    drop(socket);
    assert_eq!(
        serving.order(&["reload"]).await,
        "tenant one has been started\n"
    );
    let reached = async {
        while get(taken, "one.example", "/who").await != named("one") {
            tokio::task::yield_now().await;
        }
    };
    within("one answers", reached).await;
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_of_services_is_told() {
    let config = [HEAD, &tenant("one", "")].concat();
    let directory = configured(&["one"], &config);
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut command = command(directory.path(), &["serve", "--config", "host.toml"]);
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "100000");
    let serving = Serving::start_with(directory.path(), command, true).await;
    let mut told = Vec::new();
    let mut hear = async |wanted: &str| {
        loop {
            let mut text = [0; 64];
            let length = within(wanted, manager.recv(&mut text)).await.unwrap();
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            told.push(text.clone());
            if text == wanted {
                return;
            }
            assert_eq!(text, "WATCHDOG=1", "before {wanted}: {told:?}");
        }
    };
    hear("READY=1").await;
    serving.answers("one", 200).await;
    hear("WATCHDOG=1").await;
    hear("WATCHDOG=1").await;
    serving.signal("HUP");
    hear("RELOADING=1").await;
    hear("READY=1").await;
    serving.signal("TERM");
    hear("STOPPING=1").await;
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_listens_already_is_taken_over() {
    // The address in the file is another one: it is the name that counts.
    let head = HEAD.replace("[admin]\nlisten = \"127.0.0.1:0\"\n", "");
    let directory = configured(&["one"], &[&head[..], &tenant("one", "")].concat());
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    // It may have to be built, and nobody waits for that.
    let program = binary("aro-host");
    // Whoever connects before the host begins waits, and is served.
    let early = tokio::spawn(async move {
        loop {
            let (status, body) = get(address, "one.example", "/who").await;
            if status == 200 {
                return body;
            }
        }
    });
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$0\" serve --config host.toml 3<&0 </dev/null",
        ])
        .arg(program)
        .current_dir(directory.path())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let serving = Serving::start_with(directory.path(), command, false).await;
    assert_eq!(serving.web, address);
    assert_eq!(within("an answer", early).await.unwrap(), named("one").1);
    serving.end().await;
}

/// What `check-config` says to a configuration of two listeners and these routes, one list for each tenant.
async fn check(routes: &[&str]) -> String {
    let directory = configured(&[], "");
    let files = identity(directory.path(), &["*.one.example"]);
    let key = files.key.file_name().unwrap().to_str().unwrap();
    let cert = files.certificates.file_name().unwrap().to_str().unwrap();
    let mut config = format!(
        "[listeners.web]\naddress = \"127.0.0.1:8443\"\ncertificates = [{{ cert = \"{cert}\", key = \"{key}\" }}]\n[listeners.plain]\naddress = \"127.0.0.1:8080\"\nconnections = 50\n"
    );
    for (position, routes) in routes.iter().enumerate() {
        config += &format!("[tenants.t{position}]\napp = \"x\"\nroutes = [{routes}]\n");
    }
    write(directory.path(), &config);
    let mut command = command(directory.path(), &["check-config", "host.toml"]);
    let output = within("the check", command.stdout(Stdio::piped()).output());
    let output = output.await.unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_are_explained() {
    let told = check(&[
        "{ listener = \"plain\", host = \"a.example\" }, { listener = \"web\", host = \"*.one.example\" }",
        "{ listener = \"plain\", host = \"A.example\", path = \"/api/\", strip_prefix = true }",
    ])
    .await;
    for part in [
        "listener plain\n  listens on      127.0.0.1:8080: HTTP, not secured; 50 connections\n  a.example/api   leads to t1, which sees paths without /api\n  a.example/      leads to t0\n",
        "listener web\n  listens on      127.0.0.1:8443: HTTP, with a certificate; 20000 connections\n  *.one.example/  leads to t0\n",
    ] {
        assert!(told.contains(part), "{part}\nis not in\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_that_cannot_be_are_told_with_their_line() {
    for (routes, parts) in [
        (
            &[
                "{ listener = \"plain\", host = \"a.b\" }",
                "{ listener = \"plain\", host = \"A.B\", path = \"/\" }",
            ][..],
            &[
                "line 12: routes of [tenants.t1]: a.b/ of listener plain leads to tenant t0 already (line 9)",
            ][..],
        ),
        (
            &["{ listener = \"pain\" }"],
            &[
                "line 9",
                "there is no [listeners.pain]: there are plain, web",
            ],
        ),
        (
            &["{ host = \"a.b\" }"],
            &["say which listener is meant: one of plain, web"],
        ),
        (
            &["{ listener = \"web\", host = \"two.example\" }"],
            &["line 9: no certificate of listener web is valid for two.example"],
        ),
        (
            &["{ listener = \"plain\", host = \"a.b:80\" }"],
            &["line 9", "\"a.b:80\" names no host", "without a port"],
        ),
        (
            &["{ listener = \"plain\", path = \"api\" }"],
            &["\"api\" is no path to route"],
        ),
        (
            &["{ listener = \"plain\", strip_prefix = true }"],
            &["this route has none"],
        ),
        (
            &["{ listener = \"plain\" }]\nhttp_port = 1\n#"],
            &["has routes and http_port"],
        ),
        (
            &["{ listener = \"plain\" }]\nhttp = { tls = { cert = \"c\", key = \"k\" } }\n#"],
            &["has routes and http.tls"],
        ),
        (
            &["{ listener = \"plain\" }]\nlimits = { http_write_ms = 1000 }\n#"],
            &["has routes and limits.http_write_ms", "[defaults.limits]"],
        ),
        (
            &["{ listener = \"plain\", hots = \"a\" }"],
            &["line 9", "unknown field `hots`"],
        ),
    ] {
        let told = check(routes).await;
        for part in parts.iter().chain(&["host.toml"]) {
            assert!(told.contains(part), "{part}\nis not in\n{told}");
        }
    }
}
