//! Which certificate a shared listener shows to whom.

use super::table::{HostPattern, Table};
use crate::config::TlsIdentity;
use crate::net::tls::{self, TlsError};
use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The certificates of a listener, at least one.
#[derive(Debug)]
pub(super) struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
    /// The rules of the listener, which say what proves which host.
    table: Arc<ArcSwap<Table>>,
    /// Whether somebody answers those who ask for a name that nobody has.
    answers_all: bool,
}

impl Certificates {
    /// This blocks for as long as some small files take.
    pub(super) fn read(
        files: &[TlsIdentity],
        table: Arc<ArcSwap<Table>>,
        answers_all: bool,
    ) -> Result<Self, TlsError> {
        let all = files
            .iter()
            .map(tls::certified)
            .map(|one| one.map(Arc::new));
        let all = all.collect::<Result<_, _>>()?;
        Ok(Self {
            all,
            table,
            answers_all,
        })
    }

    /// Position of the first one that is valid for a host; where any host is meant, of the first.
    pub(super) fn valid_for(&self, host: &HostPattern) -> Option<usize> {
        let name = match host {
            HostPattern::Any => return Some(0),
            HostPattern::Exact(name) => name.trim_matches(['[', ']']).to_owned(),
            HostPattern::Under(name) => format!("any.{name}"),
        };
        let name = ServerName::try_from(name).ok()?;
        self.all.iter().position(|one| {
            let parsed = one.cert.first().map(ParsedCertificate::try_from);
            parsed.is_some_and(|parsed| {
                parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
            })
        })
    }
}

/// Position of the certificate that is shown to whoever asks for `name`; the first where nobody has that name.
pub(in crate::net) fn shown_for(table: &Table, name: Option<&str>) -> usize {
    table.host(name).map_or(0, |paths| paths.certificate)
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        if !self.answers_all && table.host(hello.server_name()).is_none() {
            return None;
        }
        let position = shown_for(&table, hello.server_name());
        self.all.get(position).map(Arc::clone)
    }
}
