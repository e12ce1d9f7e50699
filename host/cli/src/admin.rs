//! The interface for those who operate the host: HTTP on a loopback address, with a token.
//!
//! `GET /healthz`, `GET /readyz` and the files of the page (`GET /`) need no token. The others do: `GET /tenants`, `GET /status` and `GET /status/NAME` with what the page shows, `GET /metrics`, `GET /tenants/NAME/versions`, `POST /tenants/NAME/deploy` with an artifact as body (`?consent=yes` for abilities that the running version does not have), `POST /tenants/NAME/rollback` (`?version=NUMBER`); where a configuration is served, `POST /tenants/NAME/start`, `…/stop`, `…/restart` and `POST /reload`.

pub(crate) mod client;
mod control;
mod page;
pub(crate) mod status;

use anyhow::{Context, bail};
use aro_host::{Consent, DeployError, Host, Release, TenantId, TenantStatus};
use control::Control;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::{Value, json};
use status::{Detail, Whole};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Largest artifact that is received.
const ARTIFACT_BYTES_MAX: usize = 64 << 20;
/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// How long headers may take.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// Shortest token.
const TOKEN_BYTES_MIN: usize = 16;
/// Holds the token where no file does.
pub(crate) const TOKEN_VARIABLE: &str = "ARO_ADMIN_TOKEN";

type Answer = Response<Full<Bytes>>;

/// What whoever operates the host has to know.
pub(crate) struct Token(String);

impl Token {
    /// The token in a file, or in [`TOKEN_VARIABLE`].
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the token in {}", path.display()))?,
            None => std::env::var(TOKEN_VARIABLE).with_context(|| {
                format!("no token: name a file with it, or set {TOKEN_VARIABLE}")
            })?,
        };
        let token = text.trim();
        if token.len() < TOKEN_BYTES_MIN {
            bail!("the token has less than {TOKEN_BYTES_MIN} bytes");
        }
        Ok(Self(token.to_owned()))
    }

    /// Compares in a time that does not tell how much agrees.
    fn is(&self, given: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let difference = own
            .iter()
            .zip(given)
            .fold(0, |sum, (left, right)| sum | (left ^ right));
        std::hint::black_box(difference) == 0 && own.len() == given.len()
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(
    address: SocketAddr,
    token: Token,
    host: Host,
    control: Control,
) -> anyhow::Result<()> {
    if !address.ip().is_loopback() {
        bail!("the admin interface listens on loopback addresses only, not on {address}");
    }
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("the admin interface cannot listen on {address}"))?;
    status::begin();
    anstream::eprintln!("admin interface on http://{}", listener.local_addr()?);
    tokio::spawn(accept(listener, Arc::new(token), host, control));
    Ok(())
}

async fn accept(listener: TcpListener, token: Arc<Token>, host: Host, control: Control) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin interface cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (token, host, control) = (Arc::clone(&token), host.clone(), control.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (token, host, control) = (Arc::clone(&token), host.clone(), control.clone());
                async move { Ok::<Answer, Infallible>(answer(request, &token, &host, &control).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "an admin connection ended early");
            }
            drop(permit);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    token: &Token,
    host: &Host,
    control: &Control,
) -> Answer {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let get = request.method() == Method::GET;
    let post = request.method() == Method::POST;
    match segments[..] {
        ["healthz"] if get => return told(StatusCode::OK, &json!({ "status": "ok" })),
        ["readyz"] if get => {
            return match host.is_ready() {
                true => told(StatusCode::OK, &json!({ "status": "ready" })),
                false => refused(StatusCode::SERVICE_UNAVAILABLE, "no tenant runs"),
            };
        }
        _ if get => {
            if let Some(file) = page::file(&path) {
                return file;
            }
        }
        _ => {}
    }
    let given = request.headers().get(AUTHORIZATION);
    let given = given.and_then(|given| given.as_bytes().strip_prefix(b"Bearer "));
    if !given.is_some_and(|given| token.is(given)) {
        return refused(StatusCode::UNAUTHORIZED, "a token is needed");
    }
    match segments[..] {
        ["tenants"] if get => told(StatusCode::OK, &tenants(host)),
        ["status"] if get => told(StatusCode::OK, &Whole::of(host)),
        ["status", name] if get => match Detail::of(host, name) {
            Some(detail) => told(StatusCode::OK, &detail),
            None => refused(StatusCode::NOT_FOUND, "no such tenant runs here"),
        },
        ["metrics"] if get => metrics(host.metrics()),
        ["tenants", name, "versions"] if get => {
            let versions = |id| host.releases(&id).map(|all| releases(&all));
            done(tenant(name).and_then(versions))
        }
        ["tenants", name, "rollback"] if post => {
            let number = parameter(&request, "version").map(|number| number.parse().unwrap_or(0));
            match tenant(name) {
                Ok(id) => done(host.rollback(&id, number).await.map(version)),
                Err(error) => done(Err(error)),
            }
        }
        ["tenants", name, "deploy"] if post => {
            let consent = match parameter(&request, "consent").as_deref() {
                Some("yes") => Consent::Given,
                _ => Consent::Required,
            };
            let body = Limited::new(request.into_body(), ARTIFACT_BYTES_MAX);
            let Ok(body) = body.collect().await else {
                return refused(StatusCode::PAYLOAD_TOO_LARGE, "the artifact is too large");
            };
            let file = body.to_bytes().to_vec();
            match tenant(name) {
                Ok(id) => done(host.deploy(&id, file, consent).await.map(version)),
                Err(error) => done(Err(error)),
            }
        }
        ["tenants", name, action @ ("start" | "stop" | "restart")] if post => {
            control::order(control.as_ref(), name, action).await
        }
        ["reload"] if post => control::reload(control.as_ref()).await,
        _ => refused(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}

fn tenant(name: &str) -> Result<TenantId, DeployError> {
    TenantId::new(name).map_err(|_| DeployError::NoTenant {
        tenant: name.chars().take(64).collect(),
    })
}

fn parameter(request: &Request<Incoming>, name: &str) -> Option<String> {
    let mut pairs = request.uri().query()?.split('&');
    pairs.find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

fn version(number: u64) -> Value {
    json!({ "version": number })
}

fn done(result: Result<Value, DeployError>) -> Answer {
    match result {
        Ok(value) => told(StatusCode::OK, &value),
        Err(DeployError::Consent { abilities }) => told(
            StatusCode::CONFLICT,
            &json!({ "error": "consent is needed", "abilities": abilities }),
        ),
        Err(error @ DeployError::NoTenant { .. }) => refused(StatusCode::NOT_FOUND, &said(error)),
        Err(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, &said(error)),
    }
}

/// An error and its causes.
fn said(error: DeployError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn releases(all: &[Release]) -> Value {
    let one = |release: &Release| {
        let loaded = release.loaded.duration_since(UNIX_EPOCH);
        json!({
            "version": release.number,
            "program": release.program,
            "sha256": release.digest,
            "loaded": loaded.unwrap_or_default().as_secs(),
            "current": release.is_current,
            "kept": release.is_kept,
        })
    };
    all.iter().map(one).collect()
}

fn tenants(host: &Host) -> Value {
    let one = |tenant: &TenantStatus| {
        json!({
            "tenant": tenant.id.to_string(),
            "running": tenant.is_running,
            "version": tenant.version,
            "connections": tenant.connections,
            "listeners": tenant.listeners.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "http": tenant.http_servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "instances": tenant.instances_running,
            "cpu_ms": u64::try_from(tenant.cpu_time.as_millis()).unwrap_or(u64::MAX),
            "events": tenant.observed.events,
            "events_failed": tenant.observed.events_failed,
        })
    };
    host.tenants().iter().map(one).collect()
}

fn refused(status: StatusCode, error: &str) -> Answer {
    told(status, &json!({ "error": error }))
}

fn told(status: StatusCode, value: &impl Serialize) -> Answer {
    let json = serde_json::to_string(value).expect("names are texts and numbers are finite");
    let mut answer = text(format!("{json}\n"));
    *answer.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

/// OpenMetrics 1.0, section "Protobuf format" and before: the type that says so.
fn metrics(metrics: String) -> Answer {
    let mut answer = text(metrics);
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let media = hyper::header::HeaderValue::from_static(media);
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}

fn text(text: String) -> Answer {
    Response::new(Full::new(Bytes::from(text)))
}
