//! `aro:log/console`.

use super::{Constant, Done, Interface, Pending};
use crate::config::Prefix;
use crate::console::Stream;
use crate::engine::clock::SLICE_TICKS;
use crate::engine::state::GuestState;
use crate::engine::trap;
use crate::engine::types::WitStream;
use crate::observe::limit::Limit;
use crate::observe::log::{LogFormat, Record};
use std::sync::Arc;
use wasmtime::component::WasmStr;
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap_async("write", write)
}

struct Written;

impl Constant for Written {
    type Answer = ();
    const ANSWER: () = ();
}

fn write<'a>(
    mut store: StoreContextMut<'a, GuestState>,
    (stream, message): (WitStream, WasmStr),
) -> Pending<'a, ()> {
    let line = match message.to_str(&store) {
        Ok(message) => line(store.data(), &stream, &message),
        Err(error) => return Box::new(async { Err(error) }),
    };
    let stream = match stream {
        WitStream::Output => Stream::Output,
        WitStream::Error => Stream::Error,
    };
    let scope = &store.data().scope;
    if scope.tenant.console.try_write(stream, &line) {
        return Done::<Written>::boxed();
    }
    let tenant = Arc::clone(&scope.tenant);
    Box::new(async move {
        store.data_mut().pause()?;
        let statement = trap::statement_now(&store);
        store.data_mut().suspended_at = statement;
        tenant.console.write_wait(stream, &line).await;
        store.set_epoch_deadline(SLICE_TICKS);
        Ok(())
    })
}

/// The line as printed: the prefix once, the message cut at the limit (runtime.md 2.2).
fn line(state: &GuestState, stream: &WitStream, message: &str) -> String {
    let settings = &state.scope.tenant.settings;
    let shown = message
        .get(..message.floor_char_boundary(settings.limits.console_line_bytes_max))
        .unwrap_or_default();
    if shown.len() < message.len() {
        state.scope.tenant.counters.hit(Limit::ConsoleLineBytes);
    }
    if settings.log_format == LogFormat::Json {
        return record(state, stream, shown, message.len() - shown.len());
    }
    let mut line = match settings.prefix {
        Prefix::FeatureSet => format!("[{}] {shown}", state.scope.entry().name),
        Prefix::None => shown.to_owned(),
    };
    if shown.len() < message.len() {
        line.push_str(&format!("… ({} bytes more)", message.len() - shown.len()));
    }
    line
}

/// The line for programs that read logs.
fn record(state: &GuestState, stream: &WitStream, message: &str, cut: usize) -> String {
    let level = match stream {
        WitStream::Output => "info",
        WitStream::Error => "error",
    };
    let scope = &state.scope;
    let connection = state.connection.as_ref().map(|one| one.id.to_string());
    let record = Record::new(level, "program", &scope.tenant.id.to_string())
        .feature_set(scope.entry())
        .optional("connection", connection.as_deref())
        .number("event", state.event);
    match cut {
        0 => record.end(message),
        cut => record.number("bytes_cut", cut as u64).end(message),
    }
}
