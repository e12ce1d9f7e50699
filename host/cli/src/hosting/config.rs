//! The configuration of a host: what it says, and what follows from it for each tenant.

use super::http::HttpTable;
use super::limits::LimitsTable;
use super::routes::{self, ListenerTable, PlannedListener, RouteTable, Through};
use crate::arguments::LogFormatKind;
use crate::compiler;
use anyhow::{Context, bail};
use aro_host::{
    CompileIn, Environment, Grants, Isolation, Outbound, Ports, Settings, SlowPeer, Targets,
    TenantId,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Instances that run at once, where the configuration does not say.
const INSTANCES: usize = 1000;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    #[serde(default)]
    host: HostTable,
    pub(super) admin: Option<AdminTable>,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    listeners: BTreeMap<String, ListenerTable>,
    tenants: BTreeMap<String, TenantTable>,
    /// The routes of tenants, apart from what else is said of them: they are exchanged without touching anybody.
    #[serde(skip)]
    routes: BTreeMap<String, Vec<Spanned<RouteTable>>>,
    /// The file itself, for the numbers of its lines.
    #[serde(skip)]
    text: String,
}

/// The admin interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminTable {
    /// A loopback address.
    pub(super) listen: SocketAddr,
    /// File with the token; without one it is read from the environment.
    pub(super) token_file: Option<PathBuf>,
}

/// What all tenants share.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostTable {
    /// How lines are written: `text` or `json`.
    log_format: Option<LogFormatKind>,
    /// Instances that run at once, divided by weight among tenants that do not say how many they want.
    instances: Option<usize>,
    /// Directory of compiled code, or `false` for none.
    code_cache: Option<CodeCacheKey>,
    /// Those of them that nobody gets yet: tenants do that are added while the host runs.
    #[serde(default)]
    spare_instances: usize,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CodeCacheKey {
    Directory(PathBuf),
    Wanted(bool),
}

/// What holds for every tenant that does not say otherwise.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Defaults {
    bind: Option<IpAddr>,
    weight: Option<NonZeroU32>,
    isolation: Option<IsolationKey>,
    slow_peer: Option<SlowPeerKey>,
    verbose_errors: Option<bool>,
    data: Option<PathBuf>,
    record: Option<PathBuf>,
    http: HttpTable,
    limits: LimitsTable,
    grants: GrantsTable,
}

#[derive(Debug, Deserialize, Clone, PartialEq)]
#[serde(deny_unknown_fields)]
struct TenantTable {
    /// An `app.wasm`, or a directory of sources.
    app: PathBuf,
    /// Replaces the port of the first listener that the program opens.
    socket_port: Option<u16>,
    /// Replaces the port of its HTTP server.
    http_port: Option<u16>,
    /// How it is reached through listeners of the host.
    #[serde(default)]
    routes: Vec<Spanned<RouteTable>>,
    /// What its console lines begin with; its name by default.
    log_prefix: Option<String>,
    bind: Option<IpAddr>,
    weight: Option<NonZeroU32>,
    isolation: Option<IsolationKey>,
    slow_peer: Option<SlowPeerKey>,
    verbose_errors: Option<bool>,
    /// Directory of its data file.
    data: Option<PathBuf>,
    /// Directory in which its events are recorded, in a folder of its name.
    record: Option<PathBuf>,
    #[serde(default)]
    http: HttpTable,
    #[serde(default)]
    limits: LimitsTable,
    #[serde(default)]
    grants: GrantsTable,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum IsolationKey {
    Event,
    /// Events that an instance serves.
    Reuse(NonZeroU32),
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum SlowPeerKey {
    Disconnect,
    Drop,
}

/// What a program may reach; nothing where it is not listed.
#[derive(Debug, Default, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct GrantsTable {
    /// Ports to listen on: `9000`, `"9000-9010"`.
    ports: Option<Vec<PortsKey>>,
    /// Host and port to connect to.
    connect: Option<Vec<String>>,
    /// Environment variables.
    env: Option<Vec<String>>,
    directories: Option<Vec<PathBuf>>,
}

#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(untagged)]
enum PortsKey {
    One(u16),
    Range(String),
}

/// Keys of limits on what happens before a request shows whose it is, or between requests.
const LISTENER_LIMITS: [&str; 4] = [
    "http_idle_ms",
    "http_header_kib",
    "http_write_ms",
    "tls_handshake_ms",
];

/// What the configuration means.
pub(super) struct Planned {
    /// What the engine is made for.
    pub(super) host: Settings,
    pub(super) tenants: Vec<Tenant>,
    pub(super) listeners: Vec<PlannedListener>,
    pub(super) admin: Option<AdminTable>,
}

/// One tenant.
pub(super) struct Tenant {
    pub(super) id: TenantId,
    pub(super) app: PathBuf,
    pub(super) settings: Settings,
    pub(super) through: Through,
}

impl Config {
    /// How lines are to be written.
    pub(super) fn log_format(&self) -> Option<LogFormatKind> {
        self.host.log_format
    }

    /// Reads the file. Mistakes name it, the line and the key.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut config: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        config.text = text;
        let taken = config.tenants.iter_mut().map(|(name, table)| {
            let routes = std::mem::take(&mut table.routes);
            (name.clone(), routes)
        });
        config.routes = taken.collect();
        Ok(config)
    }

    /// What follows for each tenant. Relative paths begin where the file is.
    pub(super) fn plan(&self, path: &Path) -> anyhow::Result<Planned> {
        if self.tenants.is_empty() {
            bail!("{}: there are no [tenants.NAME]", path.display());
        }
        let root = path.parent().unwrap_or(Path::new(""));
        let mut listeners =
            routes::listeners(&self.listeners, root).with_context(|| path.display().to_string())?;
        let mut tenants = Vec::new();
        for (name, table) in &self.tenants {
            let settings = self
                .settings(name, table, root)
                .with_context(|| format!("{}: [tenants.{name}]", path.display()))?;
            let id = TenantId::new(name)?;
            let through = self
                .reached(&mut listeners, &id, table)
                .with_context(|| path.display().to_string())?;
            tenants.push(Tenant {
                id,
                app: root.join(&table.app),
                settings,
                through,
            });
        }
        for listener in &listeners {
            let checked = listener.check();
            checked.with_context(|| path.display().to_string())?;
        }
        self.divide(&mut tenants, path)?;
        let mut host = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
        host.compile_in = CompileIn::Child(PathBuf::from(compiler::PROGRAM));
        host.code_cache = match &self.host.code_cache {
            Some(CodeCacheKey::Directory(directory)) => Some(root.join(directory)),
            Some(CodeCacheKey::Wanted(false)) => None,
            Some(CodeCacheKey::Wanted(true)) | None => compiler::cache_directory(),
        };
        // What listeners that tenants share need limits for.
        let limits = self.defaults.limits.apply(&mut host.limits);
        limits.with_context(|| format!("{}: [defaults]", path.display()))?;
        let all = || tenants.iter().map(|tenant| &tenant.settings.limits);
        let instances: usize = all().map(|limits| limits.instances_max).sum();
        host.limits.instances_max = instances + self.host.spare_instances;
        host.limits.memory_bytes_max = all()
            .map(|limits| limits.memory_bytes_max)
            .max()
            .unwrap_or(host.limits.memory_bytes_max);
        let mut admin = self.admin.clone();
        if let Some(file) = admin.as_mut().and_then(|admin| admin.token_file.as_mut()) {
            *file = root.join(&*file);
        }
        Ok(Planned {
            host,
            tenants,
            listeners,
            admin,
        })
    }

    /// Enters the routes of a tenant.
    fn reached(
        &self,
        listeners: &mut [PlannedListener],
        id: &TenantId,
        table: &TenantTable,
    ) -> anyhow::Result<Through> {
        let line = |at: usize| {
            let before = self.text.bytes().take(at);
            1 + before.filter(|byte| *byte == b'\n').count()
        };
        let routes = self
            .routes
            .get(&id.to_string())
            .map_or(&[][..], Vec::as_slice);
        let through = routes::enter(listeners, id, routes, line)?;
        let first = routes.first();
        let first = first.map_or(0, |route| line(route.span().start));
        for (key, is_there, is_routed) in [
            (
                "http_port",
                table.http_port.is_some(),
                through.http.is_some(),
            ),
            ("http.tls", table.http.is_secure(), through.http.is_some()),
            (
                "socket_port",
                table.socket_port.is_some(),
                through.tcp.is_some(),
            ),
        ] {
            if is_there && is_routed {
                bail!(
                    "line {first}: [tenants.{id}] has routes and {key}: it is reached through listeners or has a port of its own"
                );
            }
        }
        let shared = LISTENER_LIMITS.iter().find(|key| table.limits.sets(key));
        if let Some(key) = shared.filter(|_| through.http.is_some()) {
            bail!(
                "line {first}: [tenants.{id}] has routes and limits.{key}: connections of a shared listener belong to no tenant; set it in [defaults.limits]"
            );
        }
        Ok(through)
    }

    /// Whether it says the same of a tenant as another one, apart from routes.
    pub(super) fn has_same(&self, other: &Self, id: &TenantId) -> bool {
        let of = |config: &Self| config.tenants.get(&id.to_string()).cloned();
        self.defaults == other.defaults && of(self).is_some_and(|own| Some(own) == of(other))
    }

    /// How many instances a tenant asks for.
    pub(super) fn instances_of(&self, id: &TenantId) -> Option<usize> {
        let own = self.tenants.get(&id.to_string());
        own.and_then(|table| table.limits.instances())
            .or(self.defaults.limits.instances())
    }

    /// Divides the instances of the host among tenants that do not say how many they want.
    fn divide(&self, tenants: &mut [Tenant], path: &Path) -> anyhow::Result<()> {
        let total = self.host.instances.unwrap_or(INSTANCES);
        let total = total.saturating_sub(self.host.spare_instances);
        let asked = |tenant: &Tenant| self.instances_of(&tenant.id);
        let taken: usize = tenants.iter().filter_map(asked).sum();
        let rest: Vec<u64> = tenants
            .iter()
            .filter(|tenant| asked(tenant).is_none())
            .map(|tenant| u64::from(tenant.settings.weight))
            .collect();
        let free = total
            .checked_sub(taken)
            .filter(|free| *free >= rest.len())
            .with_context(|| {
                format!(
                    "{}: {total} instances do not suffice for {} tenants, some of which want {taken}: raise `instances` of [host], or lower `instances` of limits",
                    path.display(),
                    tenants.len()
                )
            })?;
        let weights: u64 = rest.iter().sum();
        for tenant in tenants.iter_mut().filter(|tenant| asked(tenant).is_none()) {
            let part = free as u64 * u64::from(tenant.settings.weight) / weights.max(1);
            tenant.settings.limits.instances_max = usize::try_from(part).unwrap_or(1).max(1);
        }
        Ok(())
    }

    fn settings(&self, name: &str, table: &TenantTable, root: &Path) -> anyhow::Result<Settings> {
        let defaults = &self.defaults;
        let bind = table.bind.or(defaults.bind);
        let mut settings = Settings::new(bind.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        settings.weight = table.weight.or(defaults.weight).map_or(1, NonZeroU32::get);
        settings.isolation = match table.isolation.or(defaults.isolation) {
            Some(IsolationKey::Reuse(events)) => Isolation::Reuse {
                events_max: events.get(),
            },
            Some(IsolationKey::Event) | None => Isolation::Event,
        };
        settings.slow_peer = match table.slow_peer.or(defaults.slow_peer) {
            Some(SlowPeerKey::Drop) => SlowPeer::DropNewest,
            Some(SlowPeerKey::Disconnect) | None => SlowPeer::Disconnect,
        };
        let verbose = table.verbose_errors.or(defaults.verbose_errors);
        settings.terse_errors = !verbose.unwrap_or(false);
        settings.socket_port_override = table.socket_port;
        settings.http_port_override = table.http_port;
        let prefix = table.log_prefix.clone();
        settings.line_prefix = prefix.unwrap_or_else(|| format!("{name} | "));
        let data = table.data.as_ref().or(defaults.data.as_ref());
        settings.data = data.map(|data| root.join(data));
        let record = table.record.as_ref().or(defaults.record.as_ref());
        settings.record = record.map(|record| root.join(record));
        table.http.apply(&defaults.http, root, &mut settings);
        defaults.limits.apply(&mut settings.limits)?;
        table.limits.apply(&mut settings.limits)?;
        settings.grants = grants(&table.grants, &defaults.grants, root)?;
        Ok(settings)
    }
}

fn grants(own: &GrantsTable, defaults: &GrantsTable, root: &Path) -> anyhow::Result<Grants> {
    let ports = own.ports.as_ref().or(defaults.ports.as_ref());
    let connect = own.connect.as_ref().or(defaults.connect.as_ref());
    let env = own.env.as_ref().or(defaults.env.as_ref());
    let directories = own.directories.as_ref().or(defaults.directories.as_ref());
    let targets = connect.into_iter().flatten().map(|text| {
        let target: Result<Targets, _> = text.parse();
        target.with_context(|| format!("grants.connect = {text:?}"))
    });
    let ports = ports.into_iter().flatten().map(PortsKey::range);
    Ok(Grants {
        environment: Environment::Named(env.into_iter().flatten().cloned().collect()),
        input: false,
        outbound: Outbound::Some(targets.collect::<anyhow::Result<_>>()?),
        directories: directories
            .into_iter()
            .flatten()
            .map(|path| root.join(path))
            .collect(),
        ports: Ports::Some(ports.collect::<anyhow::Result<_>>()?),
    })
}

impl PortsKey {
    fn range(&self) -> anyhow::Result<RangeInclusive<u16>> {
        let text = match self {
            Self::One(port) => return Ok(*port..=*port),
            Self::Range(text) => text,
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parse = |text: &str| text.trim().parse::<u16>();
        match (parse(first), parse(last)) {
            (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
            (Ok(_), Ok(_)) | (Err(_), _) | (_, Err(_)) => {
                bail!("grants.ports = {text:?} is no port and no range such as \"9000-9010\"")
            }
        }
    }
}
