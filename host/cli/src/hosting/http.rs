//! What a configuration says of the HTTP and WebSockets of a tenant.

use aro_host::{ContractChecks, Settings, TlsIdentity};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `http` of the defaults or of a tenant.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpTable {
    /// What of the contract is looked at.
    contract: Option<ContractKey>,
    /// Origins whose pages may use the HTTP server, `"*"` for all but without credentials.
    cors: Option<Vec<String>>,
    /// Origins whose pages may open WebSockets; all where it is not said.
    websocket_origins: Option<Vec<String>>,
    /// Files of authorities that requests trust beside those of the system.
    ca_certs: Option<Vec<PathBuf>>,
    /// Of a tenant with a port of its own.
    tls: Option<IdentityTable>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ContractKey {
    /// Nothing.
    None,
    /// Responses that are not as promised are marked.
    Responses,
    /// Requests that are not as demanded are refused as well.
    Strict,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityTable {
    cert: PathBuf,
    key: PathBuf,
}

impl HttpTable {
    /// Whether connections are secured by the tenant's own certificate.
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Sets what is said, or else what the defaults say.
    pub(super) fn apply(&self, defaults: &Self, root: &Path, settings: &mut Settings) {
        settings.contract = match self.contract.or(defaults.contract) {
            Some(ContractKey::Strict) => ContractChecks::Strict,
            Some(ContractKey::Responses) => ContractChecks::Responses,
            Some(ContractKey::None) | None => ContractChecks::None,
        };
        let cors = self.cors.as_ref().or(defaults.cors.as_ref());
        settings.cors = cors.cloned().unwrap_or_default();
        let origins = &self.websocket_origins;
        let origins = origins.as_ref().or(defaults.websocket_origins.as_ref());
        settings.websocket_origins = origins.cloned().unwrap_or_default();
        let authorities = self.ca_certs.as_ref().or(defaults.ca_certs.as_ref());
        let authorities = authorities.into_iter().flatten();
        settings.authorities = authorities.map(|file| root.join(file)).collect();
        let identity = self.tls.as_ref().or(defaults.tls.as_ref());
        settings.tls = identity.map(|files| TlsIdentity {
            certificates: root.join(&files.cert),
            key: root.join(&files.key),
        });
    }
}
