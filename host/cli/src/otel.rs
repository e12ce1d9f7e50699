//! Spans for a collector of OpenTelemetry, by OTLP over HTTP (feature `otel`). On where `OTEL_EXPORTER_OTLP_ENDPOINT` names one; the other variables of the SDK hold as well.
//!
//! A collector is meant to run on this machine, so connections to it are not secured.

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::future::Future;
use std::pin::Pin;
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// Names the collector.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Names the service where nobody else does.
const SERVICE: &str = "aro-host";
/// Target of the spans of executions.
const EVENTS: &str = "aro_event";
/// Longest answer of a collector.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// An export under way; dropping it sends what is left.
pub(crate) struct Export {
    provider: SdkTracerProvider,
    /// Runs the connections; the exporter's own thread only waits for them.
    _runtime: Runtime,
}

impl Export {
    /// None where no collector is named.
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        let endpoint = std::env::var(ENDPOINT).ok();
        endpoint.map(|endpoint| Self::to(&endpoint)).transpose()
    }

    fn to(endpoint: &str) -> anyhow::Result<Self> {
        if !endpoint.starts_with("http://") {
            bail!("{ENDPOINT} is {endpoint:?}: a collector is reached by http:// only");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp")
            .enable_all()
            .build()
            .context("spans cannot be exported")?;
        let client = Sender {
            client: Client::builder(TokioExecutor::new()).build_http(),
            runtime: runtime.handle().clone(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .context("spans cannot be exported")?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self {
            provider,
            _runtime: runtime,
        })
    }

    /// Gets the spans of executions, whatever is logged.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let filter = Targets::new().with_target(EVENTS, LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_tracer(self.provider.tracer(SERVICE))
            .with_filter(filter)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // Nobody is left to be told.
        drop(self.provider.shutdown());
    }
}

/// What the exporter sends with.
#[derive(Debug)]
struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: tokio::runtime::Handle,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let answer = self.client.request(request.map(Full::new));
        let sending = self.runtime.spawn(async move {
            let (head, body) = answer.await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        });
        Box::pin(async move { sending.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use tracing_subscriber::layer::SubscriberExt;

    /// Reads one request whole, and answers it.
    fn collect(listener: &TcpListener) -> Vec<u8> {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let count = stream.read(&mut chunk).unwrap();
            request.extend_from_slice(chunk.get(..count).unwrap());
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let length = text.split("content-length: ").nth(1);
            let length = length.and_then(|text| text.lines().next()?.parse::<usize>().ok());
            let head = request.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some((head, length)) = head.zip(length)
                && request.len() >= head + 4 + length
            {
                break;
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).unwrap();
        request
    }

    #[test]
    fn the_spans_of_executions_reach_a_collector_and_no_others_do() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let export = Export::to(&endpoint).unwrap();
        let subscriber = tracing_subscriber::registry().with(export.layer());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!(target: "aro_event", "event", tenant = "shop", feature_set = "Divide", outcome = tracing::field::Empty);
            span.record("outcome", "trapped");
            drop(span);
            drop(tracing::info_span!(target: "elsewhere", "hidden"));
        });
        let collector = std::thread::spawn(move || collect(&listener));
        drop(export);
        let request = collector.join().unwrap();
        let text = String::from_utf8_lossy(&request);
        assert!(text.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{text}");
        for part in [
            "aro-host",
            "event",
            "tenant",
            "shop",
            "feature_set",
            "Divide",
            "trapped",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("hidden"), "{text}");
    }

    #[test]
    fn a_collector_that_wants_a_secured_connection_is_refused() {
        let refused = Export::to("https://collector.example.org").map(drop);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("by http:// only"), "{text}");
    }
}
