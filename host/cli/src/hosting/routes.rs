//! Listeners that several tenants are reached through, and the routes that lead from them to tenants.

use anyhow::{Context, anyhow, bail};
use aro_host::{
    HostPattern, PathPrefix, ShareError, SharedListener, SharedProtocol, SharedRoute,
    SharedSettings, TenantId, TlsIdentity,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Connections of a listener that does not say how many.
const CONNECTIONS: usize = 20_000;

/// `[listeners.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenerTable {
    address: SocketAddr,
    #[serde(default)]
    protocol: ProtocolKey,
    #[serde(default)]
    certificates: Vec<CertificateTable>,
    connections: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ProtocolKey {
    #[default]
    Http,
    Tcp,
}

/// Files in PEM form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateTable {
    cert: PathBuf,
    key: PathBuf,
}

/// One of the `routes` of a tenant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    /// May be left out where there is one listener.
    listener: Option<String>,
    /// `example.org`, `*.example.org` or, if it is left out, any.
    host: Option<String>,
    /// A path with what is below it; all if it is left out.
    path: Option<String>,
    /// Whether the program sees paths without it.
    #[serde(default)]
    strip_prefix: bool,
}

/// A listener with its routes.
pub(super) struct PlannedListener {
    pub(super) settings: SharedSettings,
    pub(super) routes: Vec<SharedRoute>,
    /// Where each of them is written.
    lines: Vec<usize>,
}

/// The listeners that the servers of a tenant are reached through, by name.
#[derive(Debug, Default, Clone)]
pub(super) struct Through {
    pub(super) http: Option<String>,
    pub(super) tcp: Option<String>,
}

/// The listeners, before any route is known.
pub(super) fn listeners(
    tables: &BTreeMap<String, ListenerTable>,
    root: &Path,
) -> anyhow::Result<Vec<PlannedListener>> {
    let mut listeners: Vec<PlannedListener> = Vec::new();
    for (name, table) in tables {
        let address = table.address;
        let taken = |one: &&PlannedListener| one.settings.address == address && address.port() != 0;
        if let Some(other) = listeners.iter().find(taken) {
            bail!(
                "[listeners.{name}]: {address} is the address of [listeners.{}] already: one listener is enough for any number of tenants",
                other.settings.name
            );
        }
        let files = |one: &CertificateTable| TlsIdentity {
            certificates: root.join(&one.cert),
            key: root.join(&one.key),
        };
        listeners.push(PlannedListener {
            settings: SharedSettings {
                name: name.clone(),
                address,
                protocol: match table.protocol {
                    ProtocolKey::Http => SharedProtocol::Http,
                    ProtocolKey::Tcp => SharedProtocol::Tcp,
                },
                certificates: table.certificates.iter().map(files).collect(),
                connections_max: table.connections.unwrap_or(CONNECTIONS),
            },
            routes: Vec::new(),
            lines: Vec::new(),
        });
    }
    Ok(listeners)
}

/// Enters the routes of a tenant; answers what it is reached through.
pub(super) fn enter(
    listeners: &mut [PlannedListener],
    id: &TenantId,
    routes: &[Spanned<RouteTable>],
    line: impl Fn(usize) -> usize,
) -> anyhow::Result<Through> {
    let mut through = Through::default();
    for route in routes {
        let line = line(route.span().start);
        one(listeners, id, route.get_ref(), line, &mut through)
            .with_context(|| format!("line {line}: routes of [tenants.{id}]"))?;
    }
    Ok(through)
}

fn one(
    listeners: &mut [PlannedListener],
    id: &TenantId,
    route: &RouteTable,
    line: usize,
    through: &mut Through,
) -> anyhow::Result<()> {
    let position = position(listeners, route.listener.as_deref())?;
    let listener = listeners.get_mut(position).context("no such listener")?;
    let name = &listener.settings.name;
    let host = route.host.as_deref().unwrap_or("*");
    let host: HostPattern = host.parse()?;
    let path = route.path.as_deref().unwrap_or("/");
    let path: PathPrefix = path.parse()?;
    match listener.settings.protocol {
        SharedProtocol::Http => {
            through.http.get_or_insert_with(|| name.clone());
            if route.strip_prefix && path.is_all() {
                bail!("strip_prefix takes the path of the route away, and this route has none");
            }
        }
        SharedProtocol::Tcp => {
            let before = through.tcp.replace(name.clone());
            if before.is_some_and(|before| before != *name) {
                bail!("a tenant is reached through one listener for tcp");
            }
            if route.path.is_some() || route.strip_prefix {
                bail!("listener {name} speaks tcp: there are no paths");
            }
        }
    }
    let same = listener
        .routes
        .iter()
        .position(|other| other.host == host && other.path == path);
    if let Some(other) =
        same.and_then(|at| Some((listener.routes.get(at)?, listener.lines.get(at)?)))
    {
        bail!(
            "{host}{path} of listener {name} leads to tenant {} already (line {}): give one of them another host or path",
            other.0.tenant,
            other.1
        );
    }
    listener.routes.push(SharedRoute {
        tenant: id.clone(),
        host,
        path,
        strip_prefix: route.strip_prefix,
    });
    listener.lines.push(line);
    Ok(())
}

/// The listener of this name, or the only one.
fn position(listeners: &[PlannedListener], name: Option<&str>) -> anyhow::Result<usize> {
    let names = || {
        let names = listeners.iter().map(|one| one.settings.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    match (name, listeners) {
        (_, []) => bail!("there are no [listeners.NAME] to be reached through"),
        (None, [_]) => Ok(0),
        (None, _) => bail!("say which listener is meant: one of {}", names()),
        (Some(name), _) => {
            let mut names_of = listeners.iter();
            let found = names_of.position(|one| one.settings.name == name);
            found.ok_or_else(|| anyhow!("there is no [listeners.{name}]: there are {}", names()))
        }
    }
}

impl PlannedListener {
    /// Whether an open listener can do what another one is to do.
    pub(super) fn listens_as(&self, other: &Self) -> bool {
        let of = |one: &Self| (one.settings.address, one.settings.protocol);
        of(self) == of(other)
    }

    /// Looks at certificates and routes together.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let checked = SharedListener::check(&self.settings, &self.routes);
        checked.map_err(|error| {
            let (ShareError::NoCertificate { index, .. } | ShareError::Twice { index, .. }) =
                &error
            else {
                return error.into();
            };
            let line = self.lines.get(*index).copied().unwrap_or(0);
            anyhow::Error::from(error).context(format!("line {line}"))
        })
    }

    /// Its routes, those that are looked at first in front.
    pub(super) fn in_order(&self) -> Vec<&SharedRoute> {
        let mut routes: Vec<_> = self.routes.iter().collect();
        let rank = |route: &SharedRoute| match route.host {
            HostPattern::Exact(_) => 0,
            HostPattern::Under(_) => 1,
            HostPattern::Any => 2,
        };
        routes.sort_by(|left, right| {
            let host = (rank(left), &left.host).cmp(&(rank(right), &right.host));
            host.then_with(|| right.path.cmp(&left.path))
        });
        routes
    }
}
