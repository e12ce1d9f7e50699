//! Settings of a host as one validated structure: every limit has a name, a unit and a default here.

mod limits;

use crate::console::ConsoleSink;
use crate::grants::{Grants, Parameters};
use crate::net::tls;
use crate::observe::log::LogFormat;
pub use limits::{LimitError, LimitKey, Limits};
use std::net::{IpAddr, SocketAddr};
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
    /// A limit is below what the host can work with.
    #[error("limit {name} is {value}; it must be at least {min}")]
    TooSmall {
        /// Name of the limit.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The smallest possible one.
        min: usize,
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
        self.limits.validate()?;
        self.validate_service()?;
        if let Some(path) = self.grants.directories.iter().find(|path| !path.is_dir()) {
            return Err(SettingsError::NoDirectory { path: path.clone() });
        }
        if self.isolation == (Isolation::Reuse { events_max: 0 }) {
            return Err(SettingsError::TooSmall {
                name: "events_max",
                value: 0,
                min: 1,
            });
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
