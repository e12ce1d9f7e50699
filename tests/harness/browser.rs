//! A real browser: headless Chromium, driven over its DevTools protocol.

use crate::{DEADLINE, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The command.
const CHROMIUM: &str = "chromium";
/// Alone on this machine: no profile of a user, and nothing fetched from anywhere.
const OPTIONS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "about:blank",
];
/// Between two looks at a page: whoever asks without a pause keeps it from working.
const PAUSE: Duration = Duration::from_millis(20);
/// What the browser says before the address that it is driven at.
const LISTENING: &str = "DevTools listening on ";

/// The browser; it ends with the value.
pub struct Browser {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
    _child: Child,
    _profile: TempDir,
}

/// One of its pages.
#[derive(Debug, Clone)]
pub struct Page(String);

impl Browser {
    /// Starts it.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(CHROMIUM)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(OPTIONS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{CHROMIUM}: {error}; `cargo xtask test` installs it, or on Debian `apt-get install chromium`")
            });
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = within("the browser's address", lines.next_line())
                .await
                .unwrap();
            let line = line.expect("the browser runs");
            if let Some(address) = line.strip_prefix(LISTENING) {
                break address.to_owned();
            }
        };
        // Whatever else it says must find a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (stream, _) = within("the browser", connect_async(address)).await.unwrap();
        Self {
            stream,
            calls: 0,
            _child: child,
            _profile: profile,
        }
    }

    /// Opens a page of its own, as wide and high as given.
    pub async fn open(&mut self, url: &str, width: u32, height: u32) -> Page {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let target = target.await["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await;
        let page = Page(attached["sessionId"].as_str().unwrap().to_owned());
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600 });
        self.call(Some(&page), "Emulation.setDeviceMetricsOverride", size)
            .await;
        self.call(Some(&page), "Page.navigate", json!({ "url": url }))
            .await;
        let is_there = "location.href !== 'about:blank' && document.readyState === 'complete'";
        self.until(&page, is_there).await;
        page
    }

    /// The value of an expression in the page; of a promise what it resolves to.
    pub async fn evaluate(&mut self, page: &Page, expression: &str) -> Value {
        let arguments =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call(Some(page), "Runtime.evaluate", arguments).await;
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression in the page is true.
    pub async fn until(&mut self, page: &Page, expression: &str) {
        let end = Instant::now() + DEADLINE;
        while self.evaluate(page, expression).await != Value::Bool(true) {
            assert!(Instant::now() < end, "in the page: {expression}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Types a text into the element that a selector finds, as a user does.
    pub async fn type_into(&mut self, page: &Page, selector: &str, text: &str) {
        self.evaluate(
            page,
            &format!("document.querySelector('{selector}').focus()"),
        )
        .await;
        self.call(Some(page), "Input.insertText", json!({ "text": text }))
            .await;
    }

    /// Writes what the page looks like as PNG.
    pub async fn screenshot(&mut self, page: &Page, file: &Path) {
        let shot = self
            .call(
                Some(page),
                "Page.captureScreenshot",
                json!({ "format": "png" }),
            )
            .await;
        let script = format!(
            "Array.from(atob('{}'), (letter) => letter.charCodeAt(0))",
            shot["data"].as_str().unwrap()
        );
        // The browser decodes Base64, so that nothing here need to.
        let bytes: Vec<u8> = serde_json::from_value(self.evaluate(page, &script).await).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    async fn call(&mut self, page: Option<&Page>, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(Page(session)) = page {
            call["sessionId"] = session.as_str().into();
        }
        let call = Message::text(call.to_string());
        within("the browser", self.stream.send(call)).await.unwrap();
        loop {
            let message = within(method, self.stream.next()).await.unwrap().unwrap();
            let Message::Text(text) = message else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.calls {
                assert_eq!(answer["error"], Value::Null, "{method}");
                return answer["result"].take();
            }
        }
    }
}
