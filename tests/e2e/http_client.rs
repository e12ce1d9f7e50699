//! Requests of programs, against small servers of the test: forms, bodies, reuse, redirects, limits, grants, certificates.

use aro_host::{Captured, ConsoleSink, Host, Outbound, Outcome, Settings, Stream, TenantId};
use harness::{compile, listener, sources, within};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server that answers each request with a text, and remembers what it was asked.
struct Site {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Site {
    async fn open(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let (listener, port) = listener().await;
        let site = Self {
            port,
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let (asked, connections) = (Arc::clone(&site.asked), Arc::clone(&site.connections));
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::AcqRel);
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                tokio::spawn(async move { talk(stream, &asked, &*answer).await });
            }
        });
        site
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers requests until one says nothing, or the answer ends the connection.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    asked: &Mutex<Vec<String>>,
    answer: &(impl Fn(&str) -> String + ?Sized),
) {
    while let Some(request) = read_request(&mut stream).await {
        let text = answer(&request);
        asked.lock().unwrap().push(request);
        if stream.write_all(text.as_bytes()).await.is_err() || text.contains("close\r\n") {
            return;
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() == length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nX-Kind: plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Runs statements as the start of a program; answers what it printed, without the closing lines.
async fn run_with(statements: &str, change: impl FnOnce(&mut Settings)) -> (Outcome, String) {
    let text = format!(
        "(Application-Start: Asking) {{\n{statements}\n    Return an <OK: status> for the <application>.\n}}"
    );
    let console = Captured::default();
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.console = ConsoleSink::Capture(console.clone());
    settings.limits.instances_max = 16;
    settings.grants.outbound = Outbound::All;
    change(&mut settings);
    let host = Host::new(settings).unwrap();
    let file = compile(sources(&[("main.aro", &text)]));
    let program = match host.load(TenantId::default(), &file) {
        Ok(program) => program,
        Err(error) => return (Outcome::Failure, error.to_string()),
    };
    let outcome = within("the program ends", program.run(std::future::pending())).await;
    let printed = console.text(Stream::Output) + &console.text(Stream::Error);
    (outcome, printed.replace("[Application-Start] ", ""))
}

async fn run(statements: &str) -> String {
    let (outcome, printed) = run_with(statements, |_| {}).await;
    assert_eq!(outcome, Outcome::Success, "{printed}");
    printed
}

/// What a program prints whose request fails.
async fn failure(statements: &str, change: impl FnOnce(&mut Settings)) -> String {
    let (outcome, printed) = run_with(statements, change).await;
    assert_eq!(outcome, Outcome::Failure, "{printed}");
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_read_by_their_parts() {
    let site = Site::open(|request| {
        if request.starts_with("GET /users ") {
            ok(r#"{"users":[{"name":"Ida"}],"total":1}"#)
        } else if request.starts_with("GET /list ") {
            ok("[1,2]")
        } else {
            "HTTP/1.1 404 Not Found\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 7\r\n\r\nnothing"
                .to_owned()
        }
    })
    .await;
    let url = site.url();
    let printed = run(&format!(
        r#"
    Create the <address> with "{url}/users".
    Request the <response> from the <address>.
    Log <response: status> to the <console>.
    Extract the <users> from the <response: users>.
    Extract the <first: first> from the <users>.
    Log <first: name> to the <console>.
    Extract the <kind> from the <response: headers.X-Kind>.
    Log "${{kind}} ${{<response: headers: x-kind>}} ${{<response: body: total>}}" to the <console>.
    Request the <list> from "{url}/list".
    Log "${{list}}" to the <console>.
    Request the <missing> from "{url}/none".
    Log "${{<missing: status>}} ${{<missing: body>}} ${{<missing: headers: X-A>}}" to the <console>.
    Log <missing> to the <console>."#
    ))
    .await;
    assert_eq!(
        printed,
        "200\nIda\nplain plain 1\n[1, 2]\n404 nothing 1, 2\nnothing\n"
    );
    let host = format!("host: 127.0.0.1:{}\r\n", site.port);
    let first = site.asked().remove(0);
    assert!(first.starts_with("GET /users HTTP/1.1\r\n"), "{first}");
    assert!(
        first.contains("user-agent: ARO-HTTP-Client/1.0\r\n"),
        "{first}"
    );
    assert!(first.contains(&host), "{first}");
    assert!(!first.contains("content-type"), "{first}");
    // One connection served them all.
    assert_eq!(site.connections.load(Ordering::Acquire), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_say_what_their_statements_say() {
    let site = Site::open(|_| ok("{}")).await;
    let url = site.url();
    run(&format!(
        r#"
    Create the <address> with "{url}/a b?q={{x}}#part".
    Create the <user> with {{ name: "Ida" }}.
    Request the <r1> to the <address> with <user>.
    Request the <r2> to the <address> with "plain".
    Request the <r3> from the <address> with {{ method: "put", headers: {{ "Content-Type": "text/x", "X-Token": 5, Host: "evil", Connection: "close" }}, body: "b" }}.
    Request the <r4> from the <address> with {{ method: "DELETE", body: "b" }}.
    Request the <r5> to the <address>.
    Request the <r6> via PATCH the <address> with {{ body: [1] }}.
    Call the <called> from the <http: post> with {{ url: <address>, body: {{ n: 1 }} }}.
    Log <called: status> to the <console>."#
    ))
    .await;
    let asked = site.asked();
    let line = |request: &String| request.lines().next().unwrap().to_owned();
    let lines: Vec<String> = asked.iter().map(line).collect();
    let rest = " /a%20b?q=%7Bx%7D HTTP/1.1";
    assert_eq!(
        lines,
        ["POST", "POST", "PUT", "DELETE", "POST", "PATCH", "POST"].map(|m| m.to_owned() + rest)
    );
    let expect = |number: usize, parts: &[&str]| {
        for part in parts {
            let request: &String = &asked[number];
            assert!(request.contains(part), "{part:?} in {request}");
        }
    };
    expect(
        0,
        &[
            "content-type: application/json\r\n",
            "\r\n\r\n{\"name\":\"Ida\"}",
        ],
    );
    expect(1, &["content-type: application/json\r\n", "\r\n\r\nplain"]);
    let host = format!("host: 127.0.0.1:{}\r\n", site.port);
    expect(
        2,
        &[
            "content-type: text/x\r\n",
            "x-token: 5\r\n",
            &host,
            "\r\n\r\nb",
        ],
    );
    assert!(!asked[2].contains("evil") && !asked[2].contains("connection: close"));
    assert!(asked[3].ends_with("\r\n\r\n") && asked[4].ends_with("\r\n\r\n"));
    expect(5, &["\r\n\r\n[1]"]);
    expect(6, &["\r\n\r\n{\"n\":1}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_are_read_written_and_probed() {
    let site = Site::open(|request| {
        let (kind, body) = if request.contains("/csv") {
            ("text/csv; charset=utf-8", "name,age\nIda,30\n")
        } else if request.contains("/yaml") {
            ("application/yaml", "name: Ida\n")
        } else {
            ("text/plain", "key=value\n")
        };
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    })
    .await;
    let (closed, dead) = listener().await;
    drop(closed);
    let url = site.url();
    let printed = run(&format!(
        r#"
    Read the <rows> from the <url: "{url}/csv">.
    Extract the <row: first> from the <rows>.
    Log <row: age> to the <console>.
    Create the <address> with "{url}/yaml".
    Read the <doc> from the <url: address>.
    Log <doc: name> to the <console>.
    Read the <raw-text: raw> from the <url: "{url}/text">.
    Log <raw-text> to the <console>.
    Read the <forced: csv> from the <url: "{url}/csv"> with {{ headers: {{ "X-T": "1" }} }}.
    Create the <data> with {{ n: 1 }}.
    Write the <data> to the <url: "{url}/in">.
    Write "text" to the <url: "{url}/in"> with {{ headers: {{ "X-T": "2" }} }}.
    Probe the <health> from "{url}/ping".
    Log "${{<health: reachable>}} ${{<health: status>}}" to the <console> when <health: latency> > 0.
    Probe the <gone> from "http://127.0.0.1:{dead}/".
    Log "${{<gone: reachable>}} ${{<gone: reason>}}" to the <console>."#
    ))
    .await;
    assert_eq!(
        printed,
        format!(
            "30\nIda\nkey=value\n\ntrue 200\nfalse Cannot connect to 127.0.0.1:{dead}: Connection refused\n"
        )
    );
    let asked = site.asked();
    assert!(asked[3].contains("x-t: 1\r\n"), "{}", asked[3]);
    assert!(
        asked[4].contains("content-type: application/json\r\n") && asked[4].ends_with("{\"n\":1}"),
        "{}",
        asked[4]
    );
    assert!(
        asked[5].contains("content-type: text/plain\r\n") && asked[5].ends_with("\r\n\r\ntext"),
        "{}",
        asked[5]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_put_together_and_closed_connections_replaced() {
    // The server ends the connection after each answer, without saying so.
    let (listener, port) = listener().await;
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if read_request(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::AcqRel);
                let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4;ext=1\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\nX-T: end\r\n\r\n";
                stream.write_all(chunks.as_bytes()).await.unwrap();
            }
        }
    });
    let statements = format!(
        "    Create the <rounds> with [1, 2, 3, 4, 5].\n    for each <n> in <rounds> {{\n        Request the <r> from \"http://127.0.0.1:{port}/\".\n        Log <r: a> to the <console>.\n    }}"
    );
    assert_eq!(run(&statements).await, "1\n".repeat(5));
    assert_eq!(served.load(Ordering::Acquire), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_without_secrets_for_others() {
    let other = Site::open(|_| ok("other")).await;
    let elsewhere = other.url();
    let site = Site::open(move |request| {
        let to = |status: &str, place: &str| {
            format!("HTTP/1.1 {status}\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
        };
        match request.split(' ').nth(1).unwrap() {
            "/here" => to("302 Found", "deep/er?x=1"),
            "/deep/er?x=1" => ok("here"),
            "/keep" => to("307 Temporary Redirect", "/kept"),
            "/away" => to("301 Moved Permanently", &elsewhere),
            "/loop" => to("303 See Other", "/loop"),
            "/odd" => to("302 Found", "ftp://example.org/"),
            _ => ok("kept"),
        }
    })
    .await;
    let url = site.url();
    let secrets = r#"{ method: "POST", body: "b", headers: { Authorization: "Bearer x", Cookie: "c=1", "X-T": "1" } }"#;
    let printed = run(&format!(
        r#"
    Request the <r0> from "{url}/here".
    Log <r0: body> to the <console>.
    Request the <r1> to "{url}/keep" with "b".
    Log <r1: body> to the <console>.
    Request the <r2> to "{url}/away" with {secrets}.
    Log <r2: body> to the <console>."#
    ))
    .await;
    assert_eq!(printed, "here\nkept\nother\n");
    assert!(site.asked()[3].starts_with("POST /kept") && site.asked()[3].ends_with("\r\n\r\nb"));
    let there = other.asked().remove(0);
    assert!(there.starts_with("GET / HTTP/1.1\r\n"), "{there}");
    assert!(there.contains("x-t: 1") && !there.contains("Bearer") && !there.contains("c=1"));
    for (path, cause) in [
        (
            "/loop",
            format!("Cause: {url}/loop redirects more than 20 times"),
        ),
        (
            "/odd",
            "Cause: Invalid URL 'ftp://example.org/': must start with http:// or https://"
                .to_owned(),
        ),
    ] {
        let statement = format!("    Request the <r> from \"{url}{path}\".");
        let printed = failure(&statement, |_| {}).await;
        assert!(printed.contains(&cause), "{printed}");
    }
}

/// A server that goes on writing to everyone who asks.
async fn endless(begin: &'static str, more: &'static str) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if read_request(&mut stream).await.is_none() {
                    return;
                }
                let mut next = begin;
                while stream.write_all(next.as_bytes()).await.is_ok() {
                    next = more;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_answers_end() {
    let body = endless(
        "HTTP/1.1 200 OK\r\n\r\n",
        "0123456789012345678901234567890123456789",
    )
    .await;
    let headers = endless(
        "HTTP/1.1 200 OK\r\n",
        "X-A: 0123456789012345678901234567890\r\n",
    )
    .await;
    let slow = endless("H", "").await;
    let nonsense = endless("SSH-2.0-x\r\n\r\n", "x").await;
    for (port, cause) in [
        (
            body,
            format!("Cause: the response of http://127.0.0.1:{body}/ is larger than 5000 bytes"),
        ),
        (
            headers,
            format!("Cause: 127.0.0.1:{headers} does not answer as HTTP says"),
        ),
        (
            slow,
            format!("Cause: Timeout: no answer from http://127.0.0.1:{slow}/ within 0.3 seconds"),
        ),
        (
            nonsense,
            format!("Cause: 127.0.0.1:{nonsense} does not answer as HTTP says"),
        ),
    ] {
        let statement = match port == slow {
            true => format!(
                "    Request the <r> from \"http://127.0.0.1:{port}/\" with {{ timeout: 0.3 }}."
            ),
            false => format!("    Request the <r> from \"http://127.0.0.1:{port}/\"."),
        };
        let limited = |settings: &mut Settings| {
            settings.limits.request_answer_bytes_max = 5000;
            settings.limits.http_header_bytes_max = 8192;
        };
        let printed = failure(&statement, limited).await;
        assert!(printed.contains(&cause), "{printed}");
    }
    // The operator's limit holds whatever the program says.
    let printed = failure(
        &format!("    Request the <r> from \"http://127.0.0.1:{slow}/\" with {{ timeout: 900 }}."),
        |settings| settings.limits.request_time_max = Duration::from_millis(200),
    )
    .await;
    assert!(printed.contains("within 0.2 seconds"), "{printed}");
    let printed = failure("    Request the <r> from \"http://h:99999/\".", |_| {}).await;
    assert!(
        printed.contains("Cause: Invalid URL 'http://h:99999/': it is malformed"),
        "{printed}"
    );
    let printed = failure("    Request the <r> from \"example.org\".", |_| {}).await;
    assert!(
        printed.contains("Cannot request the r from the")
            && printed
                .contains("Cause: Invalid URL 'example.org': must start with http:// or https://"),
        "{printed}"
    );
}

fn grant(pattern: &str) -> impl FnOnce(&mut Settings) {
    let targets = pattern.parse().unwrap();
    move |settings| settings.grants.outbound = Outbound::Some(vec![targets])
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_must_be_granted_and_addresses_that_are_not_public_by_address() {
    let site = Site::open(|_| ok("inside")).await;
    let port = site.port;
    let fixed = "    Request the <r> from \"https://example.org/x\".";
    assert_eq!(
        failure(fixed, |settings| settings.grants.outbound =
            Outbound::default())
        .await,
        "feature set \"Application-Start\" connects to example.org:443 (`<Request> the <r> from the <_expression_>.` at main.aro:2:5), which is not granted: --connect example.org:443"
    );
    // Names that lead inside, addresses in odd forms, redirects: all are looked at when the connection is opened.
    let open = |url: &str| {
        format!(
            "    Create the <address> with \"{url}\".\n    Request the <r> from the <address>.\n    Log <r: body> to the <console>."
        )
    };
    for host in [
        "localhost",
        "127.1",
        "0x7f000001",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "127.0.0.1",
    ] {
        let printed = failure(&open(&format!("http://{host}:{port}/")), grant("*:*")).await;
        assert!(
            printed.contains("Cause: ") && printed.contains("Permission denied"),
            "{host}: {printed}"
        );
    }
    let printed = failure(&open(&format!("http://localhost:{port}/")), grant("*:*")).await;
    assert!(
        printed.contains(&format!("Permission denied: localhost:{port} (127.0.0.1 is not a public address; --connect 127.0.0.1:{port} grants it)"))
            || printed.contains("::1 is not a public address"),
        "{printed}"
    );
    let printed = failure(&open("http://example.org:1/"), grant("localhost:*")).await;
    assert!(
        printed.contains("Cause: Permission denied: example.org:1 is not granted (--connect example.org:1 grants it)"),
        "{printed}"
    );
    assert_eq!(site.connections.load(Ordering::Acquire), 0);
    for (pattern, host) in [
        ("localhost:*", "localhost"),
        ("127.0.0.1:*", "127.0.0.1"),
        ("127.0.0.0/8:*", "127.0.0.1"),
    ] {
        let (outcome, printed) =
            run_with(&open(&format!("http://{host}:{port}/")), grant(pattern)).await;
        assert_eq!((outcome, printed.as_str()), (Outcome::Success, "inside\n"));
    }
    let inner = Site::open(move |_| {
        format!(
            "HTTP/1.1 302 Found\r\nLocation: http://localhost:{port}/\r\nContent-Length: 0\r\n\r\n"
        )
    })
    .await;
    let asked = site.asked().len();
    let url = format!("http://127.0.0.1:{}/", inner.port);
    let printed = failure(&open(&url), grant(&format!("127.0.0.1:{}", inner.port))).await;
    assert!(
        printed.contains("Permission denied: localhost"),
        "{printed}"
    );
    assert_eq!(site.asked().len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked() {
    let authority = CertifiedIssuer::self_signed(
        {
            let mut params = CertificateParams::default();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params
        },
        KeyPair::generate().unwrap(),
    )
    .unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            secure(&acceptor, stream).await;
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let ask = |host: &str| {
        format!(
            "    Request the <r> from \"https://{host}:{port}/\".\n    Log <r: body> to the <console>."
        )
    };
    let trusting = |settings: &mut Settings| settings.authorities = vec![file.clone()];
    let (outcome, printed) = run_with(&ask("localhost"), trusting).await;
    assert_eq!((outcome, printed.as_str()), (Outcome::Success, "secret\n"));
    // Nobody says that this is 127.0.0.1, and without the file nobody says anything.
    let printed = failure(&ask("127.0.0.1"), trusting).await;
    assert!(
        printed.contains(&format!(
            "Cause: No secure connection to 127.0.0.1:{port}: invalid peer certificate"
        )),
        "{printed}"
    );
    let printed = failure(&ask("localhost"), |_| {}).await;
    assert!(
        printed.contains(&format!(
            "Cause: No secure connection to localhost:{port}: "
        )),
        "{printed}"
    );
}

async fn secure(acceptor: &tokio_rustls::TlsAcceptor, stream: TcpStream) {
    if let Ok(mut stream) = acceptor.accept(stream).await {
        let asked = Mutex::default();
        talk(&mut stream, &asked, &|_: &str| {
            ok("secret").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
        })
        .await;
        drop(stream.shutdown().await);
    }
}
