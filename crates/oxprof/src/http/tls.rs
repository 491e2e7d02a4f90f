//! TLS for the server of its own: certificates and keys in PEM form, client certificates if asked for.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// How a server speaks TLS.
#[derive(Clone)]
pub struct Tls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) checks_clients: bool,
}

/// Why certificates or keys cannot be used.
#[derive(Debug)]
pub struct TlsError(String);

impl Tls {
    /// Presents this certificate, with the chain that follows it, and uses this private key; both in PEM form.
    ///
    /// # Errors
    /// When either cannot be read, or they do not belong together.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::with_client_roots(certificate, key, None)
    }

    /// Talks only to clients whose certificate is signed by one of `client_ca`, in PEM form. Such a server needs
    /// no token on an address that other machines can reach.
    ///
    /// # Errors
    /// When any of these cannot be read, or certificate and key do not belong together.
    pub fn with_client_ca(
        certificate: &[u8],
        key: &[u8],
        client_ca: &[u8],
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(client_ca, "client CA")? {
            roots.add(root).map_err(|error| because("the client CA", error))?;
        }
        Self::with_client_roots(certificate, key, Some(roots))
    }

    fn with_client_roots(
        certificate: &[u8],
        key: &[u8],
        roots: Option<RootCertStore>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(certificate, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| because("the private key", error))?;
        // Not the process's default provider: that one is the program's to choose.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| because("TLS", error))?;
        let checks_clients = roots.is_some();
        let builder = match roots {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|error| because("the client CA", error))?,
                )
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| because("the certificate and its key", error))?;
        config.alpn_protocols = protocols();
        Ok(Self { config: Arc::new(config), checks_clients })
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err(TlsError(format!("the {what} has no BEGIN CERTIFICATE; give it in PEM form")))
        }
        all => all.map_err(|error| because(what, error)),
    }
}

fn because(what: &str, error: impl fmt::Display) -> TlsError {
    TlsError(format!("cannot use {what} for TLS: {error}"))
}

fn protocols() -> Vec<Vec<u8>> {
    let all: &[&[u8]] = if cfg!(feature = "h2") { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    all.iter().map(|protocol| protocol.to_vec()).collect()
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("checks_clients", &self.checks_clients).finish_non_exhaustive()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}
