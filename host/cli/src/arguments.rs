//! Command-line flags and the settings they stand for.

use crate::admin::Token;
use crate::admin::client::{Remote, Target};
use crate::compiler;
use crate::hosting::{self, LimitArgument};
use anyhow::Context;
use aro_host::{
    CompileIn, ConsoleSink, ContractChecks, Environment, Grants, Isolation, Limits, LogFormat,
    Outbound, Overflow, Parameters, Ports, Prefix, RuntimeCode, Settings, SlowPeer, Targets,
    TlsIdentity,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How long handlers may run on under `run` when a signal comes.
const RUN_DRAIN_TIME: Duration = Duration::from_secs(2);

/// Runs ARO programs: owns every connection and all state, and runs one sandboxed feature set for each event.
#[derive(Debug, Parser)]
#[command(name = "aro-host", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a program, or the tenants of a configuration, on all interfaces until a signal.
    Serve {
        /// An `app.wasm`, or a directory of sources.
        #[arg(required_unless_present = "config")]
        path: Option<PathBuf>,
        /// A file that lists tenants with their programs and settings; other flags do not count then.
        #[arg(long, value_name = "FILE", conflicts_with = "path")]
        config: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Run a program on this machine only, to its end.
    Run {
        /// An `app.wasm`, or a directory of sources.
        path: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    #[command(flatten)]
    Remote(Remote),
    /// Run a recorded event again, in the sandbox and with the answers that were recorded, and show what it does. Nothing of the machine is reached.
    Replay {
        /// A file that `--record` has written.
        event: PathBuf,
        /// The `app.wasm` that handled it, or its sources; by default the one beside the file.
        #[arg(long, value_name = "PATH")]
        app: Option<PathBuf>,
    },
    /// Watch a running host in the terminal: tenants, connections, rates, latencies, errors, limits.
    Top {
        #[command(flatten)]
        target: Target,
    },
    /// Check a configuration of tenants, and show what it means for each.
    CheckConfig {
        /// The file.
        path: PathBuf,
    },
    /// Compile for a host that started this process; for no one else.
    #[command(hide = true)]
    CompileParts {
        #[arg(long)]
        memory_bytes: u64,
        #[arg(long)]
        cpu_seconds: u64,
    },
    /// Serve a program on this machine only, and replace it whenever a file of it is saved; connections and state stay.
    Dev {
        /// A directory of sources.
        path: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Address that listeners bind [default: 0.0.0.0 for serve, 127.0.0.1 for run and dev]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// Print console lines without the name of their feature set.
    #[arg(long)]
    no_prefix: bool,
    /// How lines of the program and of the host are written; also by `log_format` of a configuration.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormatKind>,
    /// How long an instance lives.
    #[arg(long, value_enum, default_value_t = IsolationKind::Event)]
    isolation: IsolationKind,
    /// Events that an instance serves with --isolation reuse.
    #[arg(long, value_name = "EVENTS", default_value_t = 1000)]
    reuse_events: u32,
    /// What happens to a peer that does not read what is broadcast to it.
    #[arg(long, value_enum, default_value_t = SlowPeerKind::Disconnect)]
    slow_peer: SlowPeerKind,
    /// CPU time of one event, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    cpu_ms: u64,
    /// Time of one event, waiting included, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    wall_ms: u64,
    /// Memory of one instance, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    memory_mib: usize,
    /// Instances that run at once.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    instances: usize,
    /// Open connections.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    connections: usize,
    /// Rows of one repository.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    rows: usize,
    /// Memory of all repositories and published variables, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    state_mib: usize,
    /// Any limit that docs/reference/limits.md lists, such as websocket_message_kib=4096; may be repeated.
    #[arg(long = "limit", value_name = "KEY=NUMBER")]
    limits: Vec<LimitArgument>,
    /// Environment variable that the program may read; may be repeated. `run` and `dev` grant all.
    #[arg(long = "env", value_name = "NAME")]
    environment: Vec<String>,
    /// Host and port that the program may connect to or send requests to, with `*` for any port or host and `*.domain`; may be repeated. Addresses that are not public, such as 10.0.0.1, are granted as addresses (10.0.0.0/8:443) or as localhost only. `run` and `dev` grant all.
    #[arg(long = "connect", value_name = "HOST:PORT")]
    outbound: Vec<Targets>,
    /// Serve HTTP secured by TLS, with this certificate (and those that lead to an authority) in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert, in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Answer requests that are not as the contract demands with 400, 401 or 415, and mark responses that are not as it promises (`run` does the latter always).
    #[arg(long)]
    strict_contract: bool,
    /// Open WebSockets and streams of events.
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    websockets: usize,
    /// Origin whose pages may open WebSockets, such as https://example.org; may be repeated. Without it all may.
    #[arg(long = "websocket-origin", value_name = "ORIGIN")]
    websocket_origins: Vec<String>,
    /// Origin whose pages may use the HTTP server, such as https://example.org, or `*` for all without credentials; may be repeated.
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors: Vec<String>,
    /// File of certificate authorities, in PEM form, that requests trust beside those of the system; may be repeated.
    #[arg(long = "ca-cert", value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// Directory whose contents the program may read and change; may be repeated. `run` and `dev` grant the working directory first.
    #[arg(long = "dir", value_name = "PATH")]
    directories: Vec<PathBuf>,
    /// Answer failed requests of HTTP with the whole error, values and places included, as `run` and `dev` do; by default with its first sentence.
    #[arg(long)]
    verbose_errors: bool,
    /// Answer failed requests of HTTP with their first sentence only, as `serve` does.
    #[arg(long, conflicts_with = "verbose_errors")]
    terse_errors: bool,
    /// Print what the compiler warns of; `serve` and `dev` always do.
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Port of the HTTP server, whatever the program says; ARO_HTTP_PORT wins over it.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Port of the first TCP listener, whatever the program says; ARO_SOCKET_PORT wins over it.
    #[arg(long, value_name = "PORT")]
    socket_port: Option<u16>,
    /// Directory in which repositories are kept; without it they end with the process.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Directory of compiled code, for faster starts [default: aro-host in the user's caches]
    #[arg(long, value_name = "PATH", conflicts_with = "no_code_cache")]
    code_cache: Option<PathBuf>,
    /// Compile at every start.
    #[arg(long)]
    no_code_cache: bool,
    /// Directory in which every event is recorded with all that the host answers, for `aro-host replay`. What is recorded may be secret: the files are readable by their owner only.
    #[arg(long, value_name = "PATH")]
    record: Option<PathBuf>,
    /// All recorded events; the oldest make room, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    record_mib: usize,
    /// Parameters of the program: `--key value`, `--key=value`, `--key`.
    #[arg(last = true, value_name = "PARAMETERS")]
    parameters: Vec<String>,
    /// Loopback address of the admin interface, which deploys and tells; none without it.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// File with the token of the admin interface; without one it is read from ARO_ADMIN_TOKEN.
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Name under which the program runs.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) tenant: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IsolationKind {
    /// A fresh instance for every event.
    Event,
    /// An instance serves many events of one feature set.
    Reuse,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SlowPeerKind {
    /// Its connection is closed.
    Disconnect,
    /// It misses the message.
    Drop,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormatKind {
    /// For people.
    Text,
    /// A JSON object a line: time, level, tenant, feature set, connection, number of the event, message.
    Json,
}

impl From<LogFormatKind> for LogFormat {
    fn from(kind: LogFormatKind) -> Self {
        match kind {
            LogFormatKind::Text => Self::Text,
            LogFormatKind::Json => Self::Json,
        }
    }
}

impl Arguments {
    /// How the host itself writes its lines. A configuration that cannot be read has its mistakes told later.
    pub(crate) fn log_format(&self) -> LogFormat {
        match &self.command {
            Command::Serve {
                config: Some(config),
                options,
                ..
            } => options.log_format.or_else(|| hosting::log_format(config)),
            Command::Serve { options, .. }
            | Command::Run { options, .. }
            | Command::Dev { options, .. } => options.log_format,
            Command::Top { .. }
            | Command::Remote(_)
            | Command::Replay { .. }
            | Command::CompileParts { .. }
            | Command::CheckConfig { .. } => None,
        }
        .map(LogFormat::from)
        .unwrap_or_default()
    }
}

impl Options {
    /// The settings of these flags; `port` tells the texts of `ARO_SOCKET_PORT` and `ARO_HTTP_PORT`.
    pub(crate) fn settings(
        &self,
        command: &Command,
        port: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Settings> {
        let (bind, overflow) = match command {
            Command::Serve { .. } => (Ipv4Addr::UNSPECIFIED, Overflow::DropNewest),
            Command::Run { .. } => (Ipv4Addr::LOCALHOST, Overflow::Wait),
            Command::Dev { .. }
            | Command::CheckConfig { .. }
            | Command::CompileParts { .. }
            | Command::Replay { .. }
            | Command::Top { .. }
            | Command::Remote(_) => (Ipv4Addr::LOCALHOST, Overflow::DropNewest),
        };
        let mut settings = Settings::new(self.bind.unwrap_or(IpAddr::V4(bind)));
        settings.console = ConsoleSink::Process(overflow);
        settings.log_format = self.log_format.map(LogFormat::from).unwrap_or_default();
        settings.prefix = if self.no_prefix {
            Prefix::None
        } else {
            Prefix::FeatureSet
        };
        settings.isolation = match self.isolation {
            IsolationKind::Event => Isolation::Event,
            IsolationKind::Reuse => Isolation::Reuse {
                events_max: self.reuse_events,
            },
        };
        settings.slow_peer = match self.slow_peer {
            SlowPeerKind::Disconnect => SlowPeer::Disconnect,
            SlowPeerKind::Drop => SlowPeer::DropNewest,
        };
        settings.limits.cpu_time_max = Duration::from_millis(self.cpu_ms);
        settings.limits.wall_time_max = Duration::from_millis(self.wall_ms);
        settings.limits.memory_bytes_max = self
            .memory_mib
            .checked_mul(1 << 20)
            .context("--memory-mib is too large")?;
        settings.grants = self.grants(command)?;
        settings.parameters = Parameters::parse(&self.parameters);
        settings.data.clone_from(&self.data);
        self.code(command, &mut settings);
        settings.record.clone_from(&self.record);
        settings.limits.record_bytes_max = self
            .record_mib
            .checked_mul(1 << 20)
            .context("--record-mib is too large")?;
        self.web(command, &mut settings);
        if matches!(command, Command::Run { .. }) {
            // Whoever runs a program on a console decides when it has waited long enough.
            settings.limits.life_cycle_wall_time_max = Duration::MAX;
            // Together with the flush it is gone five seconds after a signal (runtime.md 1.6).
            settings.limits.drain_time_max = RUN_DRAIN_TIME;
            settings.runtime_code = RuntimeCode::Needed;
        }
        self.limits(&mut settings.limits)?;
        let number = |name: &str| {
            let text = port(name);
            text.map(|text| {
                text.parse()
                    .with_context(|| format!("{name} is {text:?}, not a port number"))
            })
            .transpose()
        };
        settings.socket_port_override = number("ARO_SOCKET_PORT")?.or(self.socket_port);
        settings.http_port_override = number("ARO_HTTP_PORT")?.or(self.http_port);
        let is_terse = matches!(command, Command::Serve { .. }) && !self.verbose_errors;
        settings.terse_errors = is_terse || self.terse_errors;
        Ok(settings)
    }

    /// Where programs are compiled, and where the result is kept.
    fn code(&self, command: &Command, settings: &mut Settings) {
        if matches!(command, Command::Serve { .. }) {
            settings.compile_in = CompileIn::Child(PathBuf::from(compiler::PROGRAM));
        }
        if !self.no_code_cache {
            let directory = self.code_cache.clone();
            settings.code_cache = directory.or_else(compiler::cache_directory);
        }
    }

    /// Those with a flag of their own, then those by their keys.
    fn limits(&self, limits: &mut Limits) -> anyhow::Result<()> {
        limits.instances_max = self.instances;
        limits.connections_max = self.connections;
        limits.websockets_max = self.websockets;
        limits.repository_rows_max = self.rows;
        limits.state_bytes_max = self
            .state_mib
            .checked_mul(1 << 20)
            .context("--state-mib is too large")?;
        for limit in &self.limits {
            limit.apply(limits)?;
        }
        Ok(())
    }

    /// What is said of HTTP and WebSockets.
    fn web(&self, command: &Command, settings: &mut Settings) {
        settings.authorities.clone_from(&self.authorities);
        let is_own = matches!(command, Command::Run { .. } | Command::Dev { .. });
        settings.contract = match self.strict_contract {
            true => ContractChecks::Strict,
            false if is_own => ContractChecks::Responses,
            false => ContractChecks::None,
        };
        settings.cors.clone_from(&self.cors);
        if let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let (certificates, key) = (certificates.clone(), key.clone());
            settings.tls = Some(TlsIdentity { certificates, key });
        }
        settings
            .websocket_origins
            .clone_from(&self.websocket_origins);
    }

    /// Where the admin interface is asked for, and its token.
    pub(crate) fn admin(&self) -> anyhow::Result<Option<(SocketAddr, Token)>> {
        let token = || Token::read(self.admin_token_file.as_deref());
        self.admin
            .map(|address| Ok((address, token()?)))
            .transpose()
    }

    fn grants(&self, command: &Command) -> anyhow::Result<Grants> {
        let mut directories = Vec::new();
        // What somebody runs from a console is theirs; what is served may be another's.
        let is_own = matches!(command, Command::Run { .. } | Command::Dev { .. });
        if is_own {
            directories
                .push(std::env::current_dir().context("there is no working directory to grant")?);
        }
        directories.extend(self.directories.iter().cloned());
        Ok(Grants {
            environment: match is_own {
                true => Environment::All,
                false => Environment::Named(self.environment.iter().cloned().collect()),
            },
            input: matches!(command, Command::Run { .. }),
            outbound: match is_own {
                true => Outbound::All,
                false => Outbound::Some(self.outbound.clone()),
            },
            directories,
            ports: Ports::All,
        })
    }
}
