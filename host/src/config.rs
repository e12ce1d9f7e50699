//! Settings of a host as one validated structure: every limit has a name, a unit and a default here.

use crate::console::ConsoleSink;
use crate::grants::{Grants, Parameters};
use crate::net::tls;
use crate::observe::log::LogFormat;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// What an operator decides for one host.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bounds on what one tenant may use.
    pub limits: Limits,
    /// Bounds on what an artefact may contain; checked before anything is compiled.
    pub artifact: ArtifactLimits,
    /// How long an instance lives.
    pub isolation: Isolation,
    /// What happens to a peer that does not read what is broadcast to it.
    pub slow_peer: SlowPeer,
    /// Address that listeners bind.
    pub bind: IpAddr,
    /// Replaces the port of the first listener that a program opens (runtime.md 1.7.1).
    pub socket_port_override: Option<u16>,
    /// Replaces the port of the HTTP server, whatever the program says (runtime.md 4.1.1).
    pub http_port_override: Option<u16>,
    /// Address of the shared listener through which the HTTP server is reached; it opens no port of its own then.
    pub http_through: Option<SocketAddr>,
    /// The same for the first listener that a program opens.
    pub tcp_through: Option<SocketAddr>,
    /// Whether a failed request is answered with the sentence of its statement only, without values and places.
    pub terse_errors: bool,
    /// What of the contract of a program is looked at.
    pub contract: ContractChecks,
    /// Origins whose pages may open WebSockets, as browsers send them (`https://example.org`); empty for all.
    pub websocket_origins: Vec<String>,
    /// Where program output goes.
    pub console: ConsoleSink,
    /// Whether lines of a program start with the name of their feature set.
    pub prefix: Prefix,
    /// What every line of the console begins with; empty for nothing.
    pub line_prefix: String,
    /// How lines of the console are written.
    pub log_format: LogFormat,
    /// How much the tenant may compute where several want to, in proportion to the others.
    pub weight: u32,
    /// What programs may reach of the machine.
    pub grants: Grants,
    /// How the HTTP server proves who it is; none for connections that are not secured.
    pub tls: Option<TlsIdentity>,
    /// Origins whose pages may use the HTTP server; `*` for all, but without credentials.
    pub cors: Vec<String>,
    /// Files of certificate authorities, in PEM form, that programs' requests trust beside those of the system.
    pub authorities: Vec<PathBuf>,
    /// What follows the program on the command line.
    pub parameters: Parameters,
    /// How much of a value runtime is compiled.
    pub runtime_code: RuntimeCode,
    /// Where Wasm becomes machine code.
    pub compile_in: CompileIn,
    /// Directory of compiled code, which is made where it is missing; without one, or with one that others can write to, every start compiles.
    pub code_cache: Option<PathBuf>,
    /// Directory of the data files of repositories; without one they end with the process.
    pub data: Option<PathBuf>,
    /// Directory in which events are recorded, so that they can be run again; none records nothing.
    pub record: Option<PathBuf>,
    /// Files that repositories are written back to (runtime.md 7.7).
    pub store_files: Vec<StoreFile>,
}

/// What of a contract the host looks at, beyond routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContractChecks {
    /// Nothing.
    None,
    /// Responses: one that is not as promised is marked and said on the console.
    Responses,
    /// Requests, too: one that is not as demanded is refused.
    Strict,
}

/// Files in PEM form that prove who a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Its certificate, and those that lead to an authority.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How much of a value runtime is compiled. Programs behave alike with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeCode {
    /// All of it, once for all programs that bring the same one.
    Shared,
    /// What the program calls: a program starts sooner, and shares no machine code with others.
    Needed,
}

/// Where Wasm becomes machine code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileIn {
    /// In the host's own process: for programs that are trusted not to make compiling slow or large.
    Process,
    /// In a child, which has the limits of [`ArtifactLimits`] and is ended after each program. It is this executable file, called with `compile-parts --memory-bytes BYTES --cpu-seconds SECONDS`; it limits itself and calls [`compile_parts`](crate::compile_parts) with its input and output. It must be built from the same sources as the host.
    Child(PathBuf),
}

/// A file that a repository is written back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Name of the repository.
    pub repository: String,
    /// The file.
    pub path: PathBuf,
}

/// Whether console lines name their feature set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `[Name] message`.
    FeatureSet,
    /// `message` alone.
    None,
}

/// How long an instance lives. Never longer than its program, never across tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// A fresh instance for every event.
    Event,
    /// An instance serves up to `events_max` events of one feature set; its allocator is reset in between.
    Reuse {
        /// At least 1.
        events_max: u32,
    },
}

/// Policy for a broadcast to a peer whose outbound queue is full. A `send` to it waits instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowPeer {
    /// Its connection is closed at once; queued bytes are dropped.
    Disconnect,
    /// It does not get this message.
    DropNewest,
}

/// Bounds on what one tenant may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// CPU time of one event.
    pub cpu_time_max: Duration,
    /// Time from the start of a handler to its end, waiting in host calls included.
    pub wall_time_max: Duration,
    /// CPU time of the start and of the end of a program, which may have much to prepare or to put away.
    pub life_cycle_cpu_time_max: Duration,
    /// Time of the end of a program, waiting included. The start may wait as long as it likes.
    pub life_cycle_wall_time_max: Duration,
    /// Linear memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// Events from outside in a second: reading from TCP pauses, HTTP is answered with 429. None for no limit.
    pub events_per_second_max: Option<NonZeroU32>,
    /// Instances that run at once; further events wait in order.
    pub instances_max: usize,
    /// Events nested in each other: a handler raises one, whose handler raises the next.
    pub event_depth_max: usize,
    /// Events under way that nobody waits for: ticks of timers.
    pub detached_events_max: usize,
    /// Timers.
    pub timers_max: usize,
    /// Idle instances kept for one feature set. All feature sets of a host together keep twice `instances_max`.
    pub idle_instances_max: usize,
    /// Open connections.
    pub connections_max: usize,
    /// Open connections that programs have opened themselves; they count as connections as well.
    pub outbound_max: usize,
    /// How long connecting may take, name resolution included.
    pub connect_time_max: Duration,
    /// Names that are being resolved at once.
    pub resolutions_max: usize,
    /// Longest line or frame of a connection with framing, where the program does not say.
    pub frame_bytes_default: usize,
    /// Longest line or frame that a program may ask for.
    pub frame_bytes_max: usize,
    /// Channels.
    pub channels_max: usize,
    /// Name of a channel, in bytes.
    pub channel_name_bytes_max: usize,
    /// Channels that one connection subscribes to.
    pub subscriptions_max: usize,
    /// Open listeners.
    pub listeners_max: usize,
    /// Directories that a program watches.
    pub watched_directories_max: usize,
    /// Bytes queued for one connection.
    pub queue_bytes_max: usize,
    /// Messages queued for one connection.
    pub queue_messages_max: usize,
    /// A connection reads on only when its own queue holds no more than this.
    pub queue_low_bytes: usize,
    /// One message to a connection, in bytes. Above `queue_bytes_max` it is taken only by an empty queue.
    pub message_bytes_max: usize,
    /// How long a `send` waits for room.
    pub send_wait_max: Duration,
    /// How long queued bytes are still written to a connection that closes.
    pub flush_time_max: Duration,
    /// How long the start of a version that is to replace another may take until it ends or waits for the end of the program.
    pub start_time_max: Duration,
    /// How long events in flight may run on after a stop request.
    pub drain_time_max: Duration,
    /// HTTP requests whose bodies are read or that are being answered; further ones are answered with 503.
    pub http_requests_max: usize,
    /// Headers of one HTTP request, in bytes; more is answered with 431.
    pub http_header_bytes_max: usize,
    /// Body of one HTTP request, in bytes; more is answered with 413.
    pub http_body_bytes_max: usize,
    /// How long the body of an HTTP request may take to arrive.
    pub http_body_time_max: Duration,
    /// How long the handshake of a secured connection may take.
    pub tls_handshake_time_max: Duration,
    /// How long an HTTP connection may be silent, and how long headers may take.
    pub http_idle_time_max: Duration,
    /// Connections of the HTTP requests of a program to others, those that wait for the next request included.
    pub request_connections_max: usize,
    /// How long an HTTP request of a program may take, whatever it says.
    pub request_time_max: Duration,
    /// Body of the response to an HTTP request of a program, in bytes.
    pub request_answer_bytes_max: usize,
    /// Open WebSockets and streams of events; further requests for them are answered with 503.
    pub websockets_max: usize,
    /// Message received on a WebSocket, in bytes, fragments together; a longer one closes it with 1009.
    pub websocket_message_bytes_max: usize,
    /// How long a WebSocket may be silent before it is sent a ping.
    pub websocket_ping_interval: Duration,
    /// How long it may be silent after that before it is given up.
    pub websocket_pong_time_max: Duration,
    /// Events that hold a read buffer at once.
    pub read_buffers_max: usize,
    /// Rows of one repository.
    pub repository_rows_max: usize,
    /// Repositories.
    pub repositories_max: usize,
    /// Rows that one statement gets, in bytes.
    pub answer_bytes_max: usize,
    /// Bytes of all repositories and published variables.
    pub state_bytes_max: usize,
    /// What host functions answer during one event, as far as it is recorded.
    pub record_event_bytes_max: usize,
    /// All recorded events; the oldest make room.
    pub record_bytes_max: usize,
    /// Published variables.
    pub published_max: usize,
    /// One console line; the rest is cut off.
    pub console_line_bytes_max: usize,
    /// One line, or the rest, of the standard input.
    pub input_bytes_max: usize,
    /// A file that is read or written at once.
    pub file_bytes_max: usize,
    /// A file that is appended to.
    pub appended_file_bytes_max: u64,
    /// Entries of a directory that is listed, and of a tree that is listed or copied.
    pub directory_entries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_time_max: Duration::from_millis(250),
            wall_time_max: Duration::from_secs(60),
            life_cycle_cpu_time_max: Duration::from_secs(10),
            life_cycle_wall_time_max: Duration::from_secs(60),
            memory_bytes_max: 64 << 20,
            events_per_second_max: None,
            instances_max: 1000,
            event_depth_max: 256,
            detached_events_max: 10_000,
            timers_max: 1000,
            idle_instances_max: 32,
            connections_max: 20_000,
            outbound_max: 1024,
            connect_time_max: Duration::from_secs(30),
            resolutions_max: 16,
            frame_bytes_default: 1 << 20,
            frame_bytes_max: 16 << 20,
            channels_max: 10_000,
            channel_name_bytes_max: 256,
            subscriptions_max: 256,
            listeners_max: 64,
            watched_directories_max: 16,
            queue_bytes_max: 1 << 20,
            queue_messages_max: 16_384,
            queue_low_bytes: 256 << 10,
            message_bytes_max: 16 << 20,
            send_wait_max: Duration::from_secs(5),
            flush_time_max: Duration::from_secs(2),
            start_time_max: Duration::from_secs(30),
            drain_time_max: Duration::from_secs(10),
            http_requests_max: 1024,
            http_header_bytes_max: 64 << 10,
            http_body_bytes_max: 10 << 20,
            http_body_time_max: Duration::from_secs(30),
            tls_handshake_time_max: Duration::from_secs(10),
            http_idle_time_max: Duration::from_secs(75),
            request_connections_max: 256,
            request_time_max: Duration::from_secs(300),
            request_answer_bytes_max: 16 << 20,
            websockets_max: 1024,
            websocket_message_bytes_max: 1 << 20,
            websocket_ping_interval: Duration::from_secs(30),
            websocket_pong_time_max: Duration::from_secs(30),
            read_buffers_max: 1024,
            repository_rows_max: 100_000,
            repositories_max: 1000,
            answer_bytes_max: 16 << 20,
            state_bytes_max: 256 << 20,
            record_event_bytes_max: 1 << 20,
            record_bytes_max: 256 << 20,
            published_max: 1000,
            console_line_bytes_max: 64 << 10,
            input_bytes_max: 16 << 20,
            file_bytes_max: 16 << 20,
            appended_file_bytes_max: 1 << 30,
            directory_entries_max: 10_000,
        }
    }
}

/// Bounds on what an artefact may contain.
#[derive(Debug, Clone)]
pub struct ArtifactLimits {
    /// Size of the file, in bytes.
    pub file_bytes_max: usize,
    /// Nested components.
    pub feature_sets_max: usize,
    /// Modules and components within one nested component.
    pub parts_per_component_max: u64,
    /// Levels of modules and components within each other.
    pub nesting_depth_max: u64,
    /// Functions of all core modules together.
    pub functions_max: u64,
    /// Memories of one nested component.
    pub memories_per_component_max: u64,
    /// Tables of one nested component.
    pub tables_per_component_max: u64,
    /// Address space of a process that compiles, its own code included.
    pub compile_memory_bytes_max: u64,
    /// CPU time in which the parts of one program are compiled, in whole seconds.
    pub compile_cpu_time_max: Duration,
    /// Time in which the parts of one program are compiled.
    pub compile_wall_time_max: Duration,
    /// Files of compiled code; the ones that were not used for longest are deleted first.
    pub code_cache_bytes_max: u64,
}

impl Default for ArtifactLimits {
    fn default() -> Self {
        Self {
            file_bytes_max: 64 << 20,
            feature_sets_max: 2000,
            parts_per_component_max: 256,
            nesting_depth_max: 16,
            functions_max: 200_000,
            memories_per_component_max: 2,
            tables_per_component_max: 4,
            compile_memory_bytes_max: 2 << 30,
            compile_cpu_time_max: Duration::from_secs(60),
            compile_wall_time_max: Duration::from_secs(120),
            code_cache_bytes_max: 1 << 30,
        }
    }
}

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A limit that must not be zero is.
    #[error("limit {name} is 0; it must be at least 1")]
    Zero {
        /// Name of the limit.
        name: &'static str,
    },
    /// A tenant wants more than the host that it runs in was made for.
    #[error("limit {name} is {value}; the host was made for {max}")]
    AboveHost {
        /// Name of the limit.
        name: &'static str,
        /// Its value, or the sum of all tenants.
        value: usize,
        /// What the host has.
        max: usize,
    },
    /// What is granted as a directory is none.
    #[error("{} is no directory", path.display())]
    NoDirectory {
        /// What was granted.
        path: PathBuf,
    },
    /// The server cannot prove who it is.
    #[error("connections cannot be secured: {reason}")]
    Tls {
        /// What is wrong with the files.
        reason: String,
    },
    /// An origin is none.
    #[error("{origin:?} is no origin of pages: write https://example.org, or *")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// A limit is above what the host can honour.
    #[error("limit {name} is {value}; at most {max} is possible")]
    TooLarge {
        /// Name of the limit.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The largest possible one.
        max: usize,
    },
}

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

/// Whether a limit is neither none nor more than can be.
fn within(name: &'static str, value: usize, max: usize) -> Result<(), SettingsError> {
    match value {
        0 => Err(SettingsError::Zero { name }),
        value if value > max => Err(SettingsError::TooLarge { name, value, max }),
        _ => Ok(()),
    }
}

impl Settings {
    /// Defaults of `serve`, with output to the process's own streams.
    #[must_use]
    pub fn new(bind: IpAddr) -> Self {
        Self {
            limits: Limits::default(),
            artifact: ArtifactLimits::default(),
            isolation: Isolation::Event,
            slow_peer: SlowPeer::Disconnect,
            bind,
            socket_port_override: None,
            http_port_override: None,
            http_through: None,
            tcp_through: None,
            terse_errors: true,
            websocket_origins: Vec::new(),
            console: ConsoleSink::Process(crate::console::Overflow::DropNewest),
            prefix: Prefix::FeatureSet,
            line_prefix: String::new(),
            log_format: LogFormat::Text,
            weight: 1,
            grants: Grants::default(),
            tls: None,
            contract: ContractChecks::None,
            cors: Vec::new(),
            authorities: Vec::new(),
            parameters: Parameters::default(),
            runtime_code: RuntimeCode::Shared,
            compile_in: CompileIn::Process,
            code_cache: None,
            data: None,
            record: None,
            store_files: Vec::new(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), SettingsError> {
        let limits = &self.limits;
        for (name, value, max) in [
            ("instances_max", limits.instances_max, INSTANCES_POSSIBLE),
            (
                "connections_max",
                limits.connections_max,
                CONNECTIONS_POSSIBLE,
            ),
            ("memory_bytes_max", limits.memory_bytes_max, MEMORY_POSSIBLE),
            (
                "event_depth_max",
                limits.event_depth_max,
                EVENT_DEPTH_POSSIBLE,
            ),
            (
                "detached_events_max",
                limits.detached_events_max,
                CONNECTIONS_POSSIBLE,
            ),
            ("timers_max", limits.timers_max, CONNECTIONS_POSSIBLE),
            ("listeners_max", limits.listeners_max, CONNECTIONS_POSSIBLE),
            ("outbound_max", limits.outbound_max, CONNECTIONS_POSSIBLE),
            (
                "resolutions_max",
                limits.resolutions_max,
                RESOLUTIONS_POSSIBLE,
            ),
            ("channels_max", limits.channels_max, usize::MAX),
            ("subscriptions_max", limits.subscriptions_max, usize::MAX),
            ("frame_bytes_max", limits.frame_bytes_max, MEMORY_POSSIBLE),
            (
                "frame_bytes_default",
                limits.frame_bytes_default,
                limits.frame_bytes_max,
            ),
            ("queue_bytes_max", limits.queue_bytes_max, usize::MAX),
            (
                "repository_rows_max",
                limits.repository_rows_max,
                usize::MAX,
            ),
            ("state_bytes_max", limits.state_bytes_max, usize::MAX),
            ("answer_bytes_max", limits.answer_bytes_max, MEMORY_POSSIBLE),
            ("queue_messages_max", limits.queue_messages_max, usize::MAX),
            (
                "message_bytes_max",
                limits.message_bytes_max,
                MEMORY_POSSIBLE,
            ),
            (
                "read_buffers_max",
                limits.read_buffers_max,
                INSTANCES_POSSIBLE,
            ),
        ] {
            within(name, value, max)?;
        }
        limits.validate_requests()?;
        self.validate_service()?;
        if let Some(path) = self.grants.directories.iter().find(|path| !path.is_dir()) {
            return Err(SettingsError::NoDirectory { path: path.clone() });
        }
        if self.isolation == (Isolation::Reuse { events_max: 0 }) {
            return Err(SettingsError::Zero { name: "events_max" });
        }
        Ok(())
    }
}

impl Settings {
    /// A protection that cannot be honoured is refused before anything is served.
    fn validate_service(&self) -> Result<(), SettingsError> {
        if let Some(files) = &self.tls {
            tls::server(files).map_err(|error| SettingsError::Tls {
                reason: error.to_string(),
            })?;
        }
        match self.cors.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(SettingsError::Origin {
                origin: origin.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Scheme, host and port as browsers send them (RFC 6454 7), or `*`.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return text == "*";
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    !scheme.is_empty()
        && !host.is_empty()
        && text.bytes().all(is_plain)
        && !host.contains(['/', '?', '#', '@', ','])
}

impl Limits {
    /// Those of requests, of others and to others.
    fn validate_requests(&self) -> Result<(), SettingsError> {
        let (connections, answer) = (self.request_connections_max, self.request_answer_bytes_max);
        within("request_connections_max", connections, CONNECTIONS_POSSIBLE)?;
        within("request_answer_bytes_max", answer, MEMORY_POSSIBLE)?;
        within("websockets_max", self.websockets_max, CONNECTIONS_POSSIBLE)?;
        let (event, all) = (self.record_event_bytes_max, self.record_bytes_max);
        within("record_event_bytes_max", event, usize::MAX)?;
        within("record_bytes_max", all, usize::MAX)?;
        within(
            "http_requests_max",
            self.http_requests_max,
            CONNECTIONS_POSSIBLE,
        )
    }
}
