//! TLS (RFC 8446) with rustls: what connections trust, and what they show. Nothing relies on a provider of the process.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{} holds no certificate that can be read", path.display())]
    Certificates {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("this machine has no certificate authorities: --ca-cert FILE names some")]
    NoAuthorities,
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Certificates of a file in PEM form, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::Certificates {
        path: path.to_owned(),
        source,
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(read)?.collect();
    match all.map_err(read)? {
        none if none.is_empty() => Err(read(pem::Error::NoItemsFound)),
        all => Ok(all),
    }
}

/// The authorities that the system trusts, read once. This blocks.
fn system_authorities() -> &'static RootCertStore {
    static AUTHORITIES: OnceLock<RootCertStore> = OnceLock::new();
    AUTHORITIES.get_or_init(|| {
        let mut store = RootCertStore::empty();
        let loaded = rustls_native_certs::load_native_certs();
        for error in &loaded.errors {
            tracing::warn!(%error, "certificate authorities of the system cannot be read");
        }
        store.add_parsable_certificates(loaded.certs);
        store
    })
}

/// How connections to others are secured: trusted is whom the system trusts, and whom `files` name. HTTP/1.1 is asked for. This blocks.
///
/// # Errors
/// [`TlsError`] if a file cannot be read, or nobody is trusted.
pub(crate) fn client(files: &[PathBuf]) -> Result<ClientConfig, TlsError> {
    let mut authorities = system_authorities().clone();
    for file in files {
        for certificate in certificates(file)? {
            authorities.add(certificate)?;
        }
    }
    if authorities.is_empty() {
        return Err(TlsError::NoAuthorities);
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
