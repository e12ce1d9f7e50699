//! What a shared listener goes by: its settings, its routes and what it shows to whom. It is made and exchanged as one value, because a route names a certificate by its position.

use super::certificates::{Certificates, Keys};
use super::table::{Entry, Paths, Table};
use super::{Places, ShareError, SharedProtocol, SharedRoute, SharedSettings};
use crate::net::tls::{self, TlsError};
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The rules of a listener at one moment.
pub(in crate::net) struct Rules {
    pub(in crate::net) settings: SharedSettings,
    table: Arc<Table>,
    secure: Option<Secure>,
}

/// How connections are secured.
struct Secure {
    keys: Keys,
    config: Arc<ServerConfig>,
}

/// What whoever connected was shown.
pub(in crate::net) struct Shown {
    /// The name that was asked for.
    name: Option<String>,
    certificate: Arc<CertifiedKey>,
}

impl Rules {
    /// Reads the certificates. This blocks for as long as some small files take.
    pub(super) fn read(
        settings: SharedSettings,
        places: &Places,
        routes: &[SharedRoute],
    ) -> Result<Self, ShareError> {
        let is_http = settings.protocol == SharedProtocol::Http;
        if settings.certificates.is_empty() {
            if !is_http {
                return Err(ShareError::Unsecured {
                    name: settings.name,
                });
            }
            return Self::new(settings, None, places, routes);
        }
        let read = Keys::read(&settings.certificates);
        let keys = read.map_err(|error| refused(&settings, &error))?;
        Self::new(settings, Some(keys), places, routes)
    }

    fn new(
        settings: SharedSettings,
        keys: Option<Keys>,
        places: &Places,
        routes: &[SharedRoute],
    ) -> Result<Self, ShareError> {
        let table = Arc::new(build(&settings, keys.as_ref(), places, routes)?);
        let is_http = settings.protocol == SharedProtocol::Http;
        let secured = keys.map(|keys| {
            let resolver = Certificates::new(keys.clone(), Arc::clone(&table), is_http);
            let config = Arc::new(tls::server_with(Arc::new(resolver), is_http)?);
            Ok(Secure { keys, config })
        });
        let secure = secured
            .transpose()
            .map_err(|error: TlsError| refused(&settings, &error))?;
        Ok(Self {
            settings,
            table,
            secure,
        })
    }

    /// The same with other routes.
    pub(super) fn routed(
        &self,
        places: &Places,
        routes: &[SharedRoute],
    ) -> Result<Self, ShareError> {
        let keys = self.secure.as_ref().map(|secure| secure.keys.clone());
        Self::new(self.settings.clone(), keys, places, routes)
    }

    /// Where the paths of a host lead.
    pub(in crate::net) fn host(&self, name: Option<&str>) -> Option<&Paths> {
        self.table.host(name)
    }

    /// How its connections are secured.
    pub(in crate::net) fn config(&self) -> Option<Arc<ServerConfig>> {
        let secure = self.secure.as_ref();
        secure.map(|secure| Arc::clone(&secure.config))
    }

    /// What a connection that was secured by these rules has been shown; nothing where it is not secured.
    pub(in crate::net) fn shown(&self, name: Option<&str>) -> Option<Shown> {
        let keys = &self.secure.as_ref()?.keys;
        Some(Shown {
            name: name.map(str::to_owned),
            certificate: keys.shown_for(&self.table, name)?,
        })
    }

    /// Whether who was shown that may ask for a host: under the name that the connection was secured for, and under another only if the same certificate proves it (RFC 9110 7.4, RFC 9113 9.1.1).
    pub(in crate::net) fn proves(&self, shown: &Shown, host: Option<&str>, paths: &Paths) -> bool {
        let is_named = |name: &String| host.is_some_and(|host| name.eq_ignore_ascii_case(host));
        if shown.name.as_ref().is_some_and(is_named) {
            return true;
        }
        let keys = self.secure.as_ref().map(|secure| &secure.keys);
        let own = keys.and_then(|keys| keys.at(paths.certificate));
        // Files that were read again without having changed are another value.
        own.is_some_and(|own| own.cert.first() == shown.certificate.cert.first())
    }
}

fn refused(settings: &SharedSettings, error: &TlsError) -> ShareError {
    ShareError::Secure {
        name: settings.name.clone(),
        reason: error.to_string(),
    }
}

/// The table of `routes`.
fn build(
    settings: &SharedSettings,
    keys: Option<&Keys>,
    places: &Places,
    routes: &[SharedRoute],
) -> Result<Table, ShareError> {
    let mut table = Table::default();
    for (index, route) in routes.iter().enumerate() {
        let certificate = match keys {
            None => 0,
            Some(keys) => keys
                .valid_for(&route.host)
                .ok_or_else(|| ShareError::NoCertificate {
                    name: settings.name.clone(),
                    host: route.host.clone(),
                    index,
                })?,
        };
        let entry = Entry {
            place: places.of(&route.tenant),
            strip: match route.strip_prefix {
                true if !route.path.is_all() => route.path.to_string().len(),
                true | false => 0,
            },
        };
        if !table.enter(&route.host, certificate, &route.path, entry) {
            return Err(ShareError::Twice {
                name: settings.name.clone(),
                host: route.host.clone(),
                path: route.path.clone(),
                index,
            });
        }
    }
    Ok(table)
}
