//! What the host itself says on standard error: as text for people, or one JSON object a line for programs.

use aro_host::{LogFormat, timestamp};
use serde_json::{Map, Value};
use std::fmt;
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
#[cfg(not(feature = "otel"))]
use tracing_subscriber::layer::Identity;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

#[cfg(feature = "otel")]
pub(crate) use crate::otel::Export;

/// Nothing is exported by a host that was built without it.
#[cfg(not(feature = "otel"))]
pub(crate) struct Export;

#[cfg(not(feature = "otel"))]
impl Export {
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        Ok(None)
    }

    fn layer(&self) -> Identity {
        Identity::new()
    }
}

/// From now on it is heard. `RUST_LOG` says what; warnings where it is not set. What is exported is none of its business.
pub(crate) fn install(format: LogFormat, export: Option<&Export>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let exported = export.map(Export::layer);
    let registry = tracing_subscriber::registry().with(exported);
    match format {
        LogFormat::Text => {
            let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            registry.with(text.with_filter(filter)).init();
        }
        LogFormat::Json => registry.with(Json.with_filter(filter)).init(),
    }
}

/// Writes events, each with the fields of the spans that it happened in.
struct Json;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Json {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            // The innermost span comes first, and what is nearer counts.
            if let Some(outer) = span.extensions().get::<Fields>() {
                for (name, value) in &outer.0 {
                    fields.0.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        event.record(&mut fields);
        let line = line(event, fields.0);
        // Nobody is left to be told that the standard error is closed.
        drop(std::io::stderr().lock().write_all(line.as_bytes()));
    }
}

fn line(event: &Event<'_>, fields: Map<String, Value>) -> String {
    let metadata = event.metadata();
    let text = |text: &str| Value::from(text);
    let mut line = format!("{{\"time\":\"{}\"", timestamp());
    let level = metadata.level().as_str().to_lowercase();
    for (name, value) in [
        ("level", text(&level)),
        ("source", text("host")),
        ("target", text(metadata.target())),
    ]
    .into_iter()
    .chain(
        fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    ) {
        line.push_str(&format!(",{}:{value}", text(name)));
    }
    line.push_str("}\n");
    line
}

/// Fields of an event or a span.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}
