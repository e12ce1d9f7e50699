//! The limits of a tenant: one table says of each its name, its meaning, its default, what it can be, and its key in a configuration.

use super::SettingsError;
use std::num::NonZeroU32;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

/// Instances that fit below the kernel's default limit of memory mappings of a process, idle ones included.
const INSTANCES_POSSIBLE: usize = 10_000;
/// Each level of nesting has at least one instance of its own.
const EVENT_DEPTH_POSSIBLE: usize = 1024;
/// Connections that the slots of a connection id can tell apart.
const CONNECTIONS_POSSIBLE: usize = 1 << 23;
/// Threads that the event loop has for what blocks.
const RESOLUTIONS_POSSIBLE: usize = 256;
/// Memory of a 32-bit instance.
const MEMORY_POSSIBLE: usize = 4 << 30;

/// A limit as a configuration sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitKey {
    /// Its key; ends with the unit, unless things are counted.
    pub key: &'static str,
    /// As errors and metrics call it.
    pub name: &'static str,
    /// What holds where nobody says otherwise, in its unit.
    pub default: u64,
    /// What it bounds.
    pub about: &'static str,
}

/// Why a limit is not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// There is none of this key.
    #[error("there is no limit {key:?}")]
    Unknown {
        /// What was given.
        key: String,
    },
    /// The number is beyond what can be counted.
    #[error("{key} = {value} is too large")]
    TooLarge {
        /// Its key.
        key: &'static str,
        /// What was given.
        value: u64,
    },
}

/// How the value of a limit is written and kept.
trait Unit {
    type Kept;
    /// How much of what it is compared by makes one.
    const SCALE: usize = 1;
    /// None if it is too large.
    fn kept(value: u64) -> Option<Self::Kept>;
    /// What it is compared by.
    fn size(kept: &Self::Kept) -> usize;
}

enum Milliseconds {}

impl Unit for Milliseconds {
    type Kept = Duration;

    fn kept(value: u64) -> Option<Duration> {
        Some(Duration::from_millis(value))
    }

    fn size(kept: &Duration) -> usize {
        usize::try_from(kept.as_millis()).unwrap_or(usize::MAX)
    }
}

enum Rate {}

impl Unit for Rate {
    type Kept = Option<NonZeroU32>;

    fn kept(value: u64) -> Option<Self::Kept> {
        u32::try_from(value).ok().map(NonZeroU32::new)
    }

    fn size(kept: &Self::Kept) -> usize {
        kept.map_or(0, |rate| rate.get() as usize)
    }
}

/// A number of things or bytes, in units of so many.
macro_rules! counted {
    ($($name:ident: $kept:ty = $unit:expr),*) => {$(
        enum $name {}

        impl Unit for $name {
            type Kept = $kept;
            const SCALE: usize = $unit;

            fn kept(value: u64) -> Option<$kept> {
                <$kept>::try_from(value).ok()?.checked_mul($unit)
            }

            fn size(kept: &$kept) -> usize {
                usize::try_from(*kept).unwrap_or(usize::MAX)
            }
        }
    )*};
}

counted!(Count: usize = 1, Bytes: usize = 1, Kibibytes: usize = 1 << 10, Mebibytes: usize = 1 << 20, Mebibytes64: u64 = 1 << 20);

macro_rules! limits {
    ($($(#[doc = $about:literal])+ $name:ident: $kept:ty = $unit:ident $default:literal, $possible:expr, $key:literal;)*) => {
        /// Bounds on what one tenant may use.
        #[derive(Debug, Clone)]
        pub struct Limits {
            $($(#[doc = $about])+ pub $name: $kept,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self {
                    $($name: $unit::kept($default).expect("defaults are small"),)*
                }
            }
        }

        impl Limits {
            /// All of them, in the order of the structure.
            pub const KEYS: &'static [LimitKey] = &[$(LimitKey {
                key: $key,
                name: stringify!($name),
                default: $default,
                about: concat!($($about),+),
            }),*];

            /// Sets the limit of a key, in its unit.
            ///
            /// # Errors
            /// [`LimitError`].
            pub fn set(&mut self, key: &str, value: u64) -> Result<(), LimitError> {
                match key {
                    $($key => {
                        let too_large = LimitError::TooLarge { key: $key, value };
                        self.$name = $unit::kept(value).ok_or(too_large)?;
                    })*
                    _ => return Err(LimitError::Unknown { key: key.to_owned() }),
                }
                Ok(())
            }

            fn each_is_possible(&self) -> Result<(), SettingsError> {
                $(possible::<$unit>($key, &self.$name, $possible)?;)*
                Ok(())
            }
        }
    };
}

limits! {
    /// CPU time of one event.
    cpu_time_max: Duration = Milliseconds 250, 0.., "cpu_ms";
    /// Time from the start of a handler to its end, waiting in host calls included.
    wall_time_max: Duration = Milliseconds 60_000, 0.., "wall_ms";
    /// CPU time of the start and of the end of a program, which may have much to prepare or to put away.
    life_cycle_cpu_time_max: Duration = Milliseconds 10_000, 0.., "life_cycle_cpu_ms";
    /// Time of the end of a program, waiting included. The start may wait as long as it likes.
    life_cycle_wall_time_max: Duration = Milliseconds 60_000, 0.., "life_cycle_wall_ms";
    /// Linear memory of one instance, in bytes.
    memory_bytes_max: usize = Mebibytes 64, 1..=MEMORY_POSSIBLE, "memory_mib";
    /// Events from outside in a second: reading from TCP pauses, HTTP is answered with 429. 0 for no limit.
    events_per_second_max: Option<NonZeroU32> = Rate 0, 0.., "events_per_second";
    /// Instances that run at once; further events wait in order.
    instances_max: usize = Count 1000, 1..=INSTANCES_POSSIBLE, "instances";
    /// Events nested in each other: a handler raises one, whose handler raises the next.
    event_depth_max: usize = Count 256, 1..=EVENT_DEPTH_POSSIBLE, "event_depth";
    /// Events that one event from outside leads to, whoever waits for them.
    caused_events_max: usize = Count 1_000_000, 1.., "caused_events";
    /// Events under way that nobody waits for: ticks of timers.
    detached_events_max: usize = Count 10_000, 1..=CONNECTIONS_POSSIBLE, "detached_events";
    /// Timers.
    timers_max: usize = Count 1000, 1..=CONNECTIONS_POSSIBLE, "timers";
    /// Idle instances kept for one feature set. All feature sets of a host together keep twice `instances_max`.
    idle_instances_max: usize = Count 32, 0.., "idle_instances";
    /// Open connections.
    connections_max: usize = Count 20_000, 1..=CONNECTIONS_POSSIBLE, "connections";
    /// Open connections that programs have opened themselves; they count as connections as well.
    outbound_max: usize = Count 1024, 1..=CONNECTIONS_POSSIBLE, "outbound";
    /// How long connecting may take, name resolution included.
    connect_time_max: Duration = Milliseconds 30_000, 0.., "connect_ms";
    /// Names that are being resolved at once.
    resolutions_max: usize = Count 16, 1..=RESOLUTIONS_POSSIBLE, "resolutions";
    /// Longest line or frame of a connection with framing, where the program does not say; not more than a program may ask for.
    frame_bytes_default: usize = Kibibytes 1024, 1..=MEMORY_POSSIBLE, "frame_default_kib";
    /// Longest line or frame that a program may ask for.
    frame_bytes_max: usize = Kibibytes 16_384, 1..=MEMORY_POSSIBLE, "frame_kib";
    /// Channels.
    channels_max: usize = Count 10_000, 1.., "channels";
    /// Name of a channel, in bytes.
    channel_name_bytes_max: usize = Bytes 256, 1.., "channel_name_bytes";
    /// Channels that one connection subscribes to.
    subscriptions_max: usize = Count 256, 1.., "subscriptions";
    /// Open listeners.
    listeners_max: usize = Count 64, 1..=CONNECTIONS_POSSIBLE, "listeners";
    /// Directories that a program watches.
    watched_directories_max: usize = Count 16, 0.., "watched_directories";
    /// Changes in one of them that wait for their events; further ones are lost.
    watched_changes_max: usize = Count 4096, 1..=CONNECTIONS_POSSIBLE, "watched_changes";
    /// Bytes queued for one connection.
    queue_bytes_max: usize = Kibibytes 1024, 1.., "queue_kib";
    /// Messages queued for one connection.
    queue_messages_max: usize = Count 16_384, 1.., "queue_messages";
    /// A connection reads on only when its own queue holds no more than this.
    queue_low_bytes: usize = Kibibytes 256, 0.., "queue_low_kib";
    /// One message to a connection, in bytes. Above `queue_bytes_max` it is taken only by an empty queue.
    message_bytes_max: usize = Kibibytes 16_384, 1..=MEMORY_POSSIBLE, "message_kib";
    /// All that has been received in part: bodies of requests, lines, frames, messages of WebSockets; 64 KiB of each are not counted. Who sends more meanwhile is answered with 503, or its connection is closed (1013 on a WebSocket).
    received_bytes_max: usize = Mebibytes 256, 0.., "received_mib";
    /// How long a `send` waits for room.
    send_wait_max: Duration = Milliseconds 5000, 0.., "send_wait_ms";
    /// How long queued bytes are still written to a connection that closes.
    flush_time_max: Duration = Milliseconds 2000, 0.., "flush_ms";
    /// How long the start of a version that is to replace another may take until it ends or waits for the end of the program.
    start_time_max: Duration = Milliseconds 30_000, 0.., "start_ms";
    /// How long handlers may make no progress after the start has ended before a program that waits for nothing else ends without them (runtime.md 1.3.7).
    stall_time_max: Duration = Milliseconds 10_000, 1.., "stall_ms";
    /// How long events in flight may run on after a stop request.
    drain_time_max: Duration = Milliseconds 10_000, 0.., "drain_ms";
    /// HTTP requests whose bodies are read or whose answers are made or sent; further ones are answered with 503.
    http_requests_max: usize = Count 1024, 1..=CONNECTIONS_POSSIBLE, "http_requests";
    /// Headers of one HTTP request, in bytes; more is answered with 431.
    http_header_bytes_max: usize = Kibibytes 64, 8192.., "http_header_kib";
    /// Body of one HTTP request, in bytes; more is answered with 413.
    http_body_bytes_max: usize = Kibibytes 10_240, 0..=MEMORY_POSSIBLE, "http_body_kib";
    /// How long the body of an HTTP request may take to arrive.
    http_body_time_max: Duration = Milliseconds 30_000, 0.., "http_body_ms";
    /// How long the handshake of a secured connection may take.
    tls_handshake_time_max: Duration = Milliseconds 10_000, 0.., "tls_handshake_ms";
    /// How long an HTTP connection may be silent, and how long headers may take.
    http_idle_time_max: Duration = Milliseconds 75_000, 0.., "http_idle_ms";
    /// How long the peer may take nothing of a response that waits for it; then its connection is closed.
    http_write_time_max: Duration = Milliseconds 60_000, 1.., "http_write_ms";
    /// Connections of the HTTP requests of a program to others, those that wait for the next request included.
    request_connections_max: usize = Count 256, 1..=CONNECTIONS_POSSIBLE, "request_connections";
    /// How long an HTTP request of a program may take, whatever it says.
    request_time_max: Duration = Milliseconds 300_000, 0.., "request_ms";
    /// Body of the response to an HTTP request of a program, in bytes.
    request_answer_bytes_max: usize = Kibibytes 16_384, 1..=MEMORY_POSSIBLE, "request_answer_kib";
    /// How long a stream that a program follows may be silent before it is asked for anew: its server sends neither an event nor a comment, or does not take the answers of a WebSocket.
    stream_idle_time_max: Duration = Milliseconds 300_000, 1.., "stream_idle_ms";
    /// Open WebSockets and streams of events; further requests for them are answered with 503.
    websockets_max: usize = Count 1024, 1..=CONNECTIONS_POSSIBLE, "websockets";
    /// Message received on a WebSocket, in bytes, fragments together; a longer one closes it with 1009.
    websocket_message_bytes_max: usize = Kibibytes 16_384, 1..=MEMORY_POSSIBLE, "websocket_message_kib";
    /// How long a WebSocket may be silent before it is sent a ping.
    websocket_ping_interval: Duration = Milliseconds 30_000, 1.., "websocket_ping_ms";
    /// How long it may be silent after that before it is given up.
    websocket_pong_time_max: Duration = Milliseconds 30_000, 0.., "websocket_pong_ms";
    /// Events that hold a read buffer at once.
    read_buffers_max: usize = Count 1024, 1..=INSTANCES_POSSIBLE, "read_buffers";
    /// Rows of one repository.
    repository_rows_max: usize = Count 100_000, 1.., "rows";
    /// Repositories.
    repositories_max: usize = Count 1000, 0.., "repositories";
    /// Rows that one statement gets, in bytes.
    answer_bytes_max: usize = Mebibytes 16, 1..=MEMORY_POSSIBLE, "answer_mib";
    /// Bytes of all repositories and published variables.
    state_bytes_max: usize = Mebibytes 256, 1.., "state_mib";
    /// What host functions answer during one event, as far as it is recorded.
    record_event_bytes_max: usize = Kibibytes 1024, 1.., "record_event_kib";
    /// All recorded events; the oldest make room.
    record_bytes_max: usize = Mebibytes 256, 1.., "record_mib";
    /// Published variables.
    published_max: usize = Count 1000, 0.., "published";
    /// One console line; the rest is cut off.
    console_line_bytes_max: usize = Kibibytes 64, 0.., "console_line_kib";
    /// One line, or the rest, of the standard input.
    input_bytes_max: usize = Mebibytes 16, 0.., "input_mib";
    /// A file that is read or written at once.
    file_bytes_max: usize = Mebibytes 16, 0.., "file_mib";
    /// A file that is appended to.
    appended_file_bytes_max: u64 = Mebibytes64 1024, 0.., "appended_file_mib";
    /// Entries of a directory that is listed, and of a tree that is listed or copied.
    directory_entries_max: usize = Count 10_000, 0.., "directory_entries";
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        self.each_is_possible()
    }
}

/// Whether a limit is neither too little nor more than can be; in the unit of its key.
fn possible<U: Unit>(
    name: &'static str,
    kept: &U::Kept,
    range: impl RangeBounds<usize>,
) -> Result<(), SettingsError> {
    let size = U::size(kept);
    if range.contains(&size) {
        return Ok(());
    }
    let value = size / U::SCALE;
    let min = match range.start_bound() {
        Bound::Included(min) => min.div_ceil(U::SCALE),
        Bound::Excluded(_) | Bound::Unbounded => 0,
    };
    Err(match range.end_bound() {
        Bound::Included(max) if size > *max => {
            let max = max / U::SCALE;
            SettingsError::TooLarge { name, value, max }
        }
        Bound::Included(_) | Bound::Excluded(_) | Bound::Unbounded => {
            SettingsError::TooSmall { name, value, min }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_set_by_its_key() {
        let mut limits = Limits::default();
        limits.validate().unwrap();
        for key in Limits::KEYS {
            limits.set(key.key, key.default).unwrap();
        }
        limits.set("memory_mib", 3).unwrap();
        limits.set("wall_ms", 1500).unwrap();
        limits.set("events_per_second", 7).unwrap();
        assert_eq!(limits.memory_bytes_max, 3 << 20);
        assert_eq!(limits.wall_time_max, Duration::from_millis(1500));
        assert_eq!(limits.events_per_second_max, NonZeroU32::new(7));
        assert!(limits.set("memory_mib", u64::MAX).is_err());
        assert!(limits.set("memory", 1).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            limits.validate().unwrap_err().to_string()
        };
        for (told, name) in [
            (
                refused(|limits| limits.connections_max = 0),
                "limit connections is 0; it must be at least 1",
            ),
            (
                refused(|limits| limits.instances_max = 1 << 40),
                "limit instances is 1099511627776; at most",
            ),
            (
                refused(|limits| limits.frame_bytes_max = 0),
                "limit frame_kib is 0; it must be at least 1",
            ),
            (
                refused(|limits| limits.memory_bytes_max = 9 << 30),
                "limit memory_mib is 9216; at most 4096 is possible",
            ),
        ] {
            assert!(told.contains(name), "{told}");
        }
    }
}
