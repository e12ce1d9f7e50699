//! The commands that talk to a running host.

use super::Token;
use crate::build::Warnings;
use crate::read;
use crate::{Failure, event_loop};
use anyhow::{Context, anyhow};
use aro_host::Outcome;
use clap::{Args, Subcommand};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpStream;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Remote {
    /// Put a program in the place of the one that a tenant of a running host runs.
    Deploy {
        /// An `app.wasm`, or a directory of sources.
        path: PathBuf,
        #[command(flatten)]
        target: Target,
        /// Consent to abilities that the running version does not have.
        #[arg(long)]
        yes: bool,
    },
    /// Go back to the version that ran before.
    Rollback {
        #[command(flatten)]
        target: Target,
        /// Another version that is kept.
        #[arg(long, value_name = "NUMBER")]
        version: Option<u64>,
    },
    /// List the versions of a tenant's program.
    Versions {
        #[command(flatten)]
        target: Target,
    },
    /// Start a tenant of a configuration that has ended, with its program as the file is now.
    Start {
        #[command(flatten)]
        target: Target,
    },
    /// End a tenant of a configuration in order; the others go on.
    Stop {
        #[command(flatten)]
        target: Target,
    },
    /// End a tenant of a configuration in order, and start it again.
    Restart {
        #[command(flatten)]
        target: Target,
    },
    /// Ask whether a host is ready, for health checks: exits with 0 if a program of it runs. Needs no token.
    Ready {
        /// Where the host has its admin interface.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9900")]
        admin: SocketAddr,
    },
    /// Have a host read its configuration again; tenants that are as they were are not touched.
    Reload {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The tenant.
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    /// Where the host has its admin interface.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9900")]
    pub(crate) admin: SocketAddr,
    /// File with its token; without one it is read from ARO_ADMIN_TOKEN.
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

impl Target {
    /// The token of the interface.
    pub(crate) fn token(&self) -> anyhow::Result<Token> {
        Token::read(self.admin_token_file.as_deref())
    }
}

/// Where a host is asked again and again.
pub(crate) struct Session {
    address: SocketAddr,
    token: Token,
}

impl Session {
    pub(crate) fn new(address: SocketAddr, token: Token) -> Self {
        Self { address, token }
    }

    /// What the host tells under a path; none if there is nothing, or something else.
    pub(crate) async fn status<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> anyhow::Result<Option<T>> {
        let asked = ask(
            self.address,
            Some(&self.token),
            Method::GET,
            path,
            Vec::new(),
        );
        let (status, answer) = asked.await?;
        if status == StatusCode::UNAUTHORIZED {
            return Err(anyhow!("the token is not that of the host"));
        }
        Ok(serde_json::from_value(answer).ok())
    }
}

/// Asks a running host, and prints what it answers.
pub(crate) fn run(remote: &Remote) -> Result<Outcome, Failure> {
    let (target, method, action, body) = match remote {
        Remote::Deploy { path, target, yes } => {
            let action = if *yes { "deploy?consent=yes" } else { "deploy" };
            (
                target,
                Method::POST,
                action.to_owned(),
                read(path, Warnings::Shown)?,
            )
        }
        Remote::Rollback { target, version } => {
            let version = version.map_or_else(String::new, |number| format!("?version={number}"));
            (
                target,
                Method::POST,
                format!("rollback{version}"),
                Vec::new(),
            )
        }
        Remote::Versions { target } => (target, Method::GET, "versions".to_owned(), Vec::new()),
        Remote::Start { target } => (target, Method::POST, "start".to_owned(), Vec::new()),
        Remote::Stop { target } => (target, Method::POST, "stop".to_owned(), Vec::new()),
        Remote::Restart { target } => (target, Method::POST, "restart".to_owned(), Vec::new()),
        Remote::Reload { target } => (target, Method::POST, String::new(), Vec::new()),
        Remote::Ready { admin } => return ready(*admin),
    };
    let token = Token::read(target.admin_token_file.as_deref()).map_err(Failure::Environment)?;
    let path = match matches!(remote, Remote::Reload { .. }) {
        true => "/reload".to_owned(),
        false => format!("/tenants/{}/{action}", target.tenant),
    };
    let asked = event_loop()?.block_on(ask(target.admin, Some(&token), method, &path, body));
    let (status, answer) = asked.map_err(Failure::Environment)?;
    if status == StatusCode::CONFLICT {
        let mut text = "the new version wants what the running one cannot do:".to_owned();
        for ability in answer
            .pointer("/abilities")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            write!(text, "\n  {}", ability.as_str().unwrap_or_default())
                .expect("writing to a string cannot fail");
        }
        text.push_str("\nconsent with --yes");
        return Err(Failure::Program(anyhow!(text)));
    }
    if !status.is_success() {
        let error = answer.pointer("/error").and_then(Value::as_str);
        let error = error.unwrap_or("the host gives no reason").to_owned();
        return Err(Failure::Program(anyhow!(error)));
    }
    anstream::print!("{}", shown(&target.tenant, &answer));
    Ok(Outcome::Success)
}

/// Whether the host at `admin` is ready.
fn ready(admin: SocketAddr) -> Result<Outcome, Failure> {
    let asked = event_loop()?.block_on(ask(admin, None, Method::GET, "/readyz", Vec::new()));
    let (status, _) = asked.map_err(Failure::Program)?;
    match status.is_success() {
        true => Ok(Outcome::Success),
        false => Err(Failure::Program(anyhow!("no program runs"))),
    }
}

async fn ask(
    address: SocketAddr,
    token: Option<&Token>,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<(StatusCode, Value)> {
    let unreachable = || format!("no admin interface answers on {address}");
    let stream = TcpStream::connect(address)
        .await
        .with_context(unreachable)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .with_context(unreachable)?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.0));
    }
    let request = request
        .body(Full::new(Bytes::from(body)))
        .context("the name of the tenant cannot be asked for")?;
    let answer = sender
        .send_request(request)
        .await
        .with_context(unreachable)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(|_| anyhow!("the answer of {address} breaks off"))?;
    let value = serde_json::from_slice(&body.to_bytes());
    Ok((status, value.unwrap_or(Value::Null)))
}

fn shown(tenant: &str, answer: &Value) -> String {
    if let Some(done) = answer.pointer("/done").and_then(Value::as_array) {
        let lines = done.iter().filter_map(Value::as_str);
        return lines.map(|line| format!("{line}\n")).collect();
    }
    let Some(versions) = answer.as_array() else {
        let version = answer
            .pointer("/version")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        return format!("tenant {tenant} runs version {version}\n");
    };
    let mut text = String::new();
    for version in versions {
        let field = |name| version.get(name).map(Value::to_string).unwrap_or_default();
        let is = |name| version.get(name) == Some(&Value::Bool(true));
        let state = match (is("current"), is("kept")) {
            (true, _) => "runs",
            (false, true) => "kept",
            (false, false) => "",
        };
        let digest = field("sha256");
        let digest: String = digest.trim_matches('"').chars().take(12).collect();
        let program = field("program");
        let line = format!(
            "{:>4}  {digest}  {:<24}  {state}",
            field("version"),
            program.trim_matches('"')
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
