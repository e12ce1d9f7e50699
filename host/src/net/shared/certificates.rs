//! Which certificate a shared listener shows to whom.

use super::table::{HostPattern, Table};
use crate::config::TlsIdentity;
use crate::net::tls::{self, TlsError};
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The certificates of a listener with their keys, at least one.
#[derive(Debug, Clone)]
pub(super) struct Keys(Arc<[Arc<CertifiedKey>]>);

impl Keys {
    /// This blocks for as long as some small files take.
    pub(super) fn read(files: &[TlsIdentity]) -> Result<Self, TlsError> {
        let all = files
            .iter()
            .map(tls::certified)
            .map(|one| one.map(Arc::new));
        all.collect::<Result<_, _>>().map(Self)
    }

    /// Position of the first one that is valid for a host; where any host is meant, of the first.
    pub(super) fn valid_for(&self, host: &HostPattern) -> Option<usize> {
        let name = match host {
            HostPattern::Any => return Some(0),
            HostPattern::Exact(name) => name.trim_matches(['[', ']']).to_owned(),
            HostPattern::Under(name) => format!("any.{name}"),
        };
        let name = ServerName::try_from(name).ok()?;
        self.0.iter().position(|one| {
            let parsed = one.cert.first().map(ParsedCertificate::try_from);
            parsed.is_some_and(|parsed| {
                parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
            })
        })
    }

    pub(super) fn at(&self, position: usize) -> Option<&Arc<CertifiedKey>> {
        self.0.get(position)
    }

    /// What is shown to whoever asks for `name`; the first where nobody has that name.
    pub(super) fn shown_for(&self, table: &Table, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let position = table.host(name).map_or(0, |paths| paths.certificate);
        self.at(position).map(Arc::clone)
    }
}

/// Shows them.
#[derive(Debug)]
pub(super) struct Certificates {
    keys: Keys,
    /// The routes of the listener, which say what proves which host.
    table: Arc<Table>,
    /// Whether somebody answers those who ask for a name that nobody has.
    answers_all: bool,
}

impl Certificates {
    pub(super) fn new(keys: Keys, table: Arc<Table>, answers_all: bool) -> Self {
        Self {
            keys,
            table,
            answers_all,
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        if !self.answers_all && self.table.host(name).is_none() {
            return None;
        }
        self.keys.shown_for(&self.table, name)
    }
}
