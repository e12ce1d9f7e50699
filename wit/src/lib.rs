//! The contract between programs and the host: the WIT packages as text, and the manifest that an `app.wasm` carries.
//!
//! Shared by the compiler, which writes it, and the host, which reads it; it knows neither.

pub mod manifest;

/// The interfaces that components of a program export or import, as `package/interface@version`.
pub mod interface {
    /// Exported by the feature set that runs at program start.
    pub const START: &str = "aro:program/start@0.1.0";
    /// Exported by the feature sets that run at program end.
    pub const END: &str = "aro:program/end@0.1.0";
    /// Exported by test feature sets.
    pub const TEST: &str = "aro:program/test@0.1.0";
    /// What follows the program on the command line.
    pub const PARAMETERS: &str = "aro:program/parameters@0.1.0";
    /// What a program has executed.
    pub const METRICS: &str = "aro:program/metrics@0.1.0";
    /// Granted environment variables.
    pub const ENVIRONMENT: &str = "aro:program/environment@0.1.0";
    /// Exported by handlers of new connections.
    pub const TCP_CONNECTED: &str = "aro:net/tcp-connected@0.1.0";
    /// Exported by handlers of received bytes.
    pub const TCP_DATA: &str = "aro:net/tcp-data@0.1.0";
    /// Exported by handlers of peers that have finished sending.
    pub const TCP_FINISHED: &str = "aro:net/tcp-finished@0.1.0";
    /// Exported by handlers of closed connections.
    pub const TCP_DISCONNECTED: &str = "aro:net/tcp-disconnected@0.1.0";
    /// Exported by handlers of new WebSockets.
    pub const WEBSOCKET_CONNECTED: &str = "aro:net/websocket-connected@0.1.0";
    /// Exported by handlers of messages on WebSockets.
    pub const WEBSOCKET_MESSAGE: &str = "aro:net/websocket-message@0.1.0";
    /// Exported by handlers of closed WebSockets.
    pub const WEBSOCKET_DISCONNECTED: &str = "aro:net/websocket-disconnected@0.1.0";
    /// Reaching all WebSockets.
    pub const WEBSOCKETS: &str = "aro:net/websockets@0.1.0";
    /// Opening and closing listeners.
    pub const LISTENERS: &str = "aro:net/listeners@0.1.0";
    /// Opening connections.
    pub const OUTBOUND: &str = "aro:net/outbound@0.1.0";
    /// Groups of connections.
    pub const CHANNELS: &str = "aro:net/channels@0.1.0";
    /// Writing to connections.
    pub const CONNECTIONS: &str = "aro:net/connections@0.1.0";
    /// Looking sockets up.
    pub const DIRECTORY: &str = "aro:net/directory@0.1.0";
    /// Writing to the console.
    pub const CONSOLE: &str = "aro:log/console@0.1.0";
    /// Reading standard input.
    pub const INPUT: &str = "aro:console/input@0.1.0";
    /// Waiting.
    pub const SLEEP: &str = "aro:timers/sleep@0.1.0";
    /// Reading files and directories.
    pub const FILES_READING: &str = "aro:files/reading@0.1.0";
    /// Answering requests with files.
    pub const FILES_SERVING: &str = "aro:files/serving@0.1.0";
    /// Changing files and directories.
    pub const FILES_WRITING: &str = "aro:files/writing@0.1.0";
    /// Watching directories.
    pub const FILES_MONITORING: &str = "aro:files/monitoring@0.1.0";
    /// Published variables.
    pub const PUBLISHED: &str = "aro:state/published@0.1.0";
    /// Repositories.
    pub const REPOSITORIES: &str = "aro:state/repositories@0.1.0";
    /// Exported by handlers of events that carry a value.
    pub const EVENT_HANDLER: &str = "aro:events/handler@0.1.0";
    /// Raising events.
    pub const EVENT_BUS: &str = "aro:events/bus@0.1.0";
    /// Exported by those that answer HTTP requests.
    pub const HTTP_HANDLER: &str = "aro:http/handler@0.1.0";
    /// Opening and closing the HTTP server.
    pub const HTTP_SERVER: &str = "aro:http/server@0.1.0";
    /// Responses that stay open.
    pub const EVENT_STREAMS: &str = "aro:http/event-streams@0.1.0";
    /// Asking HTTP servers elsewhere.
    pub const HTTP_CLIENT: &str = "aro:http/client@0.1.0";
    /// Raising events later.
    pub const EVENT_TIMERS: &str = "aro:events/timers@0.1.0";
    /// Staying until the program is to end.
    pub const LIFETIME: &str = "aro:program/lifetime@0.1.0";
    /// What a program tells of its steps when one of its events is replayed.
    pub const TRACE: &str = "aro:debug/trace@0.1.0";
    /// The standard wall clock.
    pub const WALL_CLOCK: &str = "wasi:clocks/wall-clock@0.2.6";
    /// The standard random source.
    pub const RANDOM: &str = "wasi:random/random@0.2.6";
}

/// Every WIT package, as `(file, text)`, in an order in which each one's dependencies come before it.
pub const PACKAGES: &[(&str, &str)] = &[
    ("clocks.wit", include_str!("../deps/clocks/clocks.wit")),
    ("random.wit", include_str!("../deps/random/random.wit")),
    ("program.wit", include_str!("../program/program.wit")),
    ("log.wit", include_str!("../log/log.wit")),
    ("console.wit", include_str!("../console/console.wit")),
    ("timers.wit", include_str!("../timers/timers.wit")),
    ("files.wit", include_str!("../files/files.wit")),
    ("state.wit", include_str!("../state/state.wit")),
    ("net.wit", include_str!("../net/net.wit")),
    ("events.wit", include_str!("../events/events.wit")),
    ("debug.wit", include_str!("../debug/debug.wit")),
    ("http.wit", include_str!("../http/http.wit")),
];

/// Name under which a nested component imports the value runtime as a core module.
pub const RUNTIME_IMPORT: &str = "rt";
