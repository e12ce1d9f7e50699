//! TLS (RFC 8446) with rustls: what connections trust, and what they show. Nothing relies on a provider of the process.

use crate::config::TlsIdentity;
use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{} holds no certificate that can be read", path.display())]
    Certificates {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("{} holds no private key that can be read", path.display())]
    Key {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("this machine has no certificate authorities: --ca-cert FILE names some")]
    NoAuthorities,
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

/// What a server shows, and the key that proves it.
fn identity(identity: &TlsIdentity) -> Result<Identity, TlsError> {
    let key = PrivateKeyDer::from_pem_file(&identity.key).map_err(|source| TlsError::Key {
        path: identity.key.clone(),
        source,
    })?;
    Ok((certificates(&identity.certificates)?, key))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// How connections from others are secured, HTTP/2 before HTTP/1.1. This blocks for as long as two small files take.
///
/// # Errors
/// [`TlsError`] if a file cannot be read, or the key is not that of the certificate.
pub(crate) fn server(files: &TlsIdentity) -> Result<ServerConfig, TlsError> {
    let (certificates, key) = identity(files)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The same with a certificate for each name that is asked for.
///
/// # Errors
/// [`TlsError`] if the provider speaks no version.
pub(crate) fn server_with(
    certificates: Arc<dyn ResolvesServerCert>,
    is_http: bool,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    if is_http {
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    }
    Ok(config)
}

/// A certificate with a key that can sign for it. This blocks.
///
/// # Errors
/// [`TlsError`] if a file cannot be read, or the key is not that of the certificate.
pub(crate) fn certified(files: &TlsIdentity) -> Result<CertifiedKey, TlsError> {
    let (certificates, key) = identity(files)?;
    Ok(CertifiedKey::from_der(certificates, key, &provider())?)
}

/// How often it is looked whether the files of a certificate have changed.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(2);

/// Loads the files of a server anew whenever they are no longer as they were `known`; what cannot be used is told once, and nothing changes.
pub(crate) async fn follow(
    files: &TlsIdentity,
    mut known: Written,
    config: &ArcSwap<ServerConfig>,
    tell: impl Fn(&TlsError),
) {
    loop {
        tokio::time::sleep(RENEWAL_INTERVAL).await;
        let files = files.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let now = written(&files);
            (now != known).then(|| (now, server(&files)))
        });
        let Ok(Some((now, loaded))) = looked.await else {
            continue;
        };
        known = now;
        match loaded {
            Ok(new) => config.store(Arc::new(new)),
            Err(error) => tell(&error),
        }
    }
}

/// When the files of an identity were written, and how long they are.
pub(crate) type Written = [Option<(SystemTime, u64)>; 2];

/// The state of the files on disk. This blocks for as long as a look at two files takes.
pub(crate) fn written(files: &TlsIdentity) -> Written {
    [&files.certificates, &files.key].map(|path| {
        let metadata = path.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

/// Name of HTTP/2 in the handshake (RFC 9113 3.2).
pub(crate) const HTTP2: &[u8] = b"h2";

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
