//! Program output: whole lines, written by a thread of its own so that a reader who has stopped reading never blocks an executor.

use crate::config::Settings;
use crate::failure::Failure;
use crate::observe::limit::{Limit, LimitHits};
use crate::observe::log::{LogFormat, Record};
use aro_wit::manifest::{FeatureSet, Manifest};
use parking_lot::{Condvar, Mutex};
use std::borrow::Cow;
use std::io::Write;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Bytes of one tenant that wait for one stream.
const TENANT_BYTES_MAX: usize = 1 << 20;
/// Bytes of all tenants that wait for one stream.
const QUEUE_BYTES_MAX: usize = 16 << 20;
/// What every tenant may have waiting, however much the others have.
const RESERVED_BYTES: usize = 64 << 10;
/// How long the end of the process waits for output to leave.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What happens to a line when the reader of the process's output is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The handler that writes it waits, at most as long as an event may take.
    Wait,
    /// It is dropped; how many were is said once there is room.
    DropNewest,
}

/// Where output goes.
#[derive(Debug, Clone)]
pub enum ConsoleSink {
    /// Standard output and error of this process.
    Process(Overflow),
    /// Memory, for tests.
    Capture(Captured),
}

/// Output kept in memory; bounded by the test that reads it.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    shared: Arc<CapturedShared>,
}

#[derive(Debug, Default)]
struct CapturedShared {
    lines: Mutex<Vec<(Stream, String)>>,
    changed: Notify,
}

impl Captured {
    /// The lines of one stream so far, each with its newline.
    #[must_use]
    pub fn text(&self, stream: Stream) -> String {
        self.shared
            .lines
            .lock()
            .iter()
            .filter(|(of, _)| *of == stream)
            .map(|(_, line)| line.as_str())
            .collect()
    }

    /// Waits until `holds` is true of the text of `stream`; the caller sets the deadline.
    pub async fn wait(&self, stream: Stream, holds: impl Fn(&str) -> bool) -> String {
        loop {
            let changed = self.shared.changed.notified();
            let text = self.text(stream);
            if holds(&text) {
                return text;
            }
            changed.await;
        }
    }
}

/// The console of a host.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    sink: ConsoleSink,
    /// What every line of text begins with.
    prefix: Arc<str>,
    pub(crate) format: LogFormat,
    tenant: Arc<str>,
    limits: Arc<LimitHits>,
    /// Its part of the output of the process.
    parts: Arc<Parts>,
}

/// What a tenant has waiting for each stream.
#[derive(Debug, Default)]
struct Parts {
    output: Mutex<Part>,
    error: Mutex<Part>,
}

/// What a tenant has waiting for a stream.
#[derive(Debug, Default)]
struct Part {
    /// In this batch; what was in an earlier one has left.
    batch: u64,
    bytes: usize,
    /// Lines for which there was no room, and that nobody has been told of.
    dropped: u64,
}

impl Console {
    pub(crate) fn new(settings: &Settings, tenant: &str, limits: &Arc<LimitHits>) -> Self {
        Self {
            sink: settings.console.clone(),
            prefix: settings.line_prefix.as_str().into(),
            format: settings.log_format,
            tenant: tenant.into(),
            limits: Arc::clone(limits),
            parts: Arc::default(),
        }
    }

    /// A line of the host itself about the tenant.
    fn record(&self, stream: Stream) -> Record {
        let level = match stream {
            Stream::Output => "info",
            Stream::Error => "error",
        };
        Record::new(level, "host", &self.tenant)
    }

    /// The line as it is written: behind the prefix, also where a program has written several at once.
    fn prefixed<'a>(&self, line: &'a str) -> Cow<'a, str> {
        // A record names its tenant.
        if self.prefix.is_empty() || self.format == LogFormat::Json {
            return Cow::Borrowed(line);
        }
        let lines = line.split('\n');
        let prefixed: Vec<String> = lines.map(|line| format!("{}{line}", self.prefix)).collect();
        Cow::Owned(prefixed.join("\n"))
    }

    /// Writes `line` and a newline; false when there is no room and the policy is to wait for it.
    pub(crate) fn try_write(&self, stream: Stream, line: &str) -> bool {
        let line = &*self.prefixed(line);
        match &self.sink {
            ConsoleSink::Capture(captured) => {
                captured
                    .shared
                    .lines
                    .lock()
                    .push((stream, format!("{line}\n")));
                captured.shared.changed.notify_waiters();
                true
            }
            ConsoleSink::Process(overflow) => self.push(stream, line, *overflow),
        }
    }

    /// False when the line has to wait for room.
    fn push(&self, stream: Stream, line: &str, overflow: Overflow) -> bool {
        let part = match stream {
            Stream::Output => &self.parts.output,
            Stream::Error => &self.parts.error,
        };
        let mut part = part.lock();
        let pushed = writer(stream).push(&mut part, line, overflow, |lines| {
            let text =
                format!("[aro-host] {lines} lines dropped: the reader of this stream is too slow");
            match self.format {
                LogFormat::Text => self.prefixed(&text).into_owned(),
                LogFormat::Json => self.record(Stream::Error).end(&text),
            }
        });
        if pushed == Pushed::Dropped {
            self.limits.of(Limit::ConsoleQueueBytes).add(1);
        }
        pushed != Pushed::Full
    }

    /// Writes a line of the host itself: dropped rather than waited for.
    pub(crate) fn write(&self, stream: Stream, text: &str) {
        match self.format {
            LogFormat::Text => self.put(stream, text),
            LogFormat::Json => self.put(stream, &self.record(stream).end(text)),
        }
    }

    /// Writes what is said of a failed execution; `text` is what people read.
    pub(crate) fn fail(
        &self,
        stream: Stream,
        text: &str,
        of: (&Manifest, &FeatureSet),
        failure: &Failure,
    ) {
        match self.format {
            LogFormat::Text => self.put(stream, text),
            LogFormat::Json => {
                let record = self.record(Stream::Error).failure(of, failure);
                // What people read in many lines the record has as fields.
                let message = text.lines().next().unwrap_or_default();
                self.put(stream, &record.end(message));
            }
        }
    }

    fn put(&self, stream: Stream, line: &str) {
        match &self.sink {
            ConsoleSink::Process(_) => {
                self.push(stream, &self.prefixed(line), Overflow::DropNewest);
            }
            ConsoleSink::Capture(_) => {
                self.try_write(stream, line);
            }
        }
    }

    /// Waits for room and writes; the caller bounds the wait.
    pub(crate) async fn write_wait(&self, stream: Stream, line: &str) {
        loop {
            let room = writer(stream).room.notified();
            if self.try_write(stream, line) {
                return;
            }
            room.await;
        }
    }
}

/// Waits until everything written so far has left the process, at most two seconds. Called once, before it exits.
pub fn flush() {
    let deadline = Instant::now() + FLUSH_TIME_MAX;
    for stream in [Stream::Output, Stream::Error] {
        let writer = writer(stream);
        let mut queue = writer.queue.lock();
        while queue.started && (!queue.bytes.is_empty() || queue.writing) {
            if writer.written.wait_until(&mut queue, deadline).timed_out() {
                break;
            }
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// How many have been taken before.
    batch: u64,
    writing: bool,
    started: bool,
}

impl Part {
    /// Whether there is room for a line beside what waits of this tenant and of all. One line fits whatever its length.
    fn has_room(&self, line: usize, waiting: usize) -> bool {
        let own = self.bytes + line;
        let fits = own <= RESERVED_BYTES || waiting + line <= QUEUE_BYTES_MAX;
        self.bytes == 0 || own <= TENANT_BYTES_MAX && fits
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushed {
    /// It is queued.
    Queued,
    /// There was no room.
    Dropped,
    /// There is no room, and somebody waits for it.
    Full,
}

/// The thread of one stream and what waits for it.
#[derive(Debug)]
struct Writer {
    stream: Stream,
    queue: Mutex<Queue>,
    filled: Condvar,
    written: Condvar,
    room: Notify,
}

fn writer(stream: Stream) -> &'static Writer {
    static OUTPUT: LazyLock<Writer> = LazyLock::new(|| Writer::new(Stream::Output));
    static ERROR: LazyLock<Writer> = LazyLock::new(|| Writer::new(Stream::Error));
    let writer = match stream {
        Stream::Output => &OUTPUT,
        Stream::Error => &ERROR,
    };
    LazyLock::force(writer)
}

impl Writer {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            queue: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
            room: Notify::new(),
        }
    }

    fn push(
        &'static self,
        part: &mut Part,
        line: &str,
        overflow: Overflow,
        notice: impl FnOnce(u64) -> String,
    ) -> Pushed {
        let mut queue = self.queue.lock();
        if !queue.started {
            // Without a thread nothing would ever leave the queue, so it is started with the first line.
            queue.started = std::thread::Builder::new()
                .name("console".into())
                .spawn(move || self.run())
                .is_ok();
        }
        if part.batch != queue.batch {
            (part.batch, part.bytes) = (queue.batch, 0);
        }
        if !part.has_room(line.len(), queue.bytes.len()) {
            return match overflow {
                Overflow::Wait => Pushed::Full,
                Overflow::DropNewest => {
                    part.dropped += 1;
                    Pushed::Dropped
                }
            };
        }
        if part.dropped > 0 {
            let notice = notice(std::mem::take(&mut part.dropped));
            queue.bytes.extend_from_slice(notice.as_bytes());
            queue.bytes.push(b'\n');
            part.bytes += notice.len() + 1;
        }
        queue.bytes.extend_from_slice(line.as_bytes());
        queue.bytes.push(b'\n');
        part.bytes += line.len() + 1;
        if !queue.writing {
            self.filled.notify_one();
        }
        Pushed::Queued
    }

    fn run(&self) {
        let mut batch = Vec::new();
        loop {
            let mut queue = self.queue.lock();
            queue.writing = false;
            while queue.bytes.is_empty() {
                self.written.notify_all();
                self.filled.wait(&mut queue);
            }
            std::mem::swap(&mut batch, &mut queue.bytes);
            queue.batch += 1;
            queue.writing = true;
            drop(queue);
            self.room.notify_waiters();
            // A closed pipe has no reader to tell: the lines are gone, as they would be with any program.
            match self.stream {
                Stream::Output => drop(write_all(&mut std::io::stdout(), &batch)),
                Stream::Error => drop(write_all(&mut std::io::stderr(), &batch)),
            }
            batch.clear();
            batch.shrink_to(TENANT_BYTES_MAX);
        }
    }
}

fn write_all(stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_waiting_takes_no_room_from_the_calm() {
        let mut calm = Part::default();
        assert!(calm.has_room(100, QUEUE_BYTES_MAX));
        calm.bytes = RESERVED_BYTES - 100;
        assert!(calm.has_room(100, QUEUE_BYTES_MAX));
        assert!(!calm.has_room(101, QUEUE_BYTES_MAX));
        assert!(calm.has_room(101, 0));
        let flood = Part {
            bytes: TENANT_BYTES_MAX - 10,
            ..Part::default()
        };
        assert!(!flood.has_room(11, TENANT_BYTES_MAX));
    }
}
