//! TLS on the server's own port, for a machine without a proxy in front.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use model::Message;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::limits::{CERTIFICATE_CHECK, MAX_PEM};

/// A certificate with its key, from two files that are read again while the server runs. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    /// What the files held when they were last taken.
    taken: Mutex<Pem>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// What connections are made with.
struct Current {
    pair: RwLock<Arc<CertifiedKey>>,
}

/// The two files.
#[derive(PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.inner.certificate)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&pair))
    }
}

impl Tls {
    /// Reads a certificate chain, the server's own first, and its private key, both PEM.
    ///
    /// # Errors
    /// When a file can't be read or has nothing of the kind, or the key belongs to another certificate.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Message> {
        let pem = read(certificate, key)?;
        let provider = Arc::new(ring::default_provider());
        let pair = pair(&pem, certificate, key, &provider)?;
        let current = Arc::new(Current {
            pair: RwLock::new(Arc::new(pair)),
        });
        // TLS 1.2 and 1.3, with what rustls holds for safe.
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreadable(certificate, &error))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Current>::clone(&current);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            inner: Arc::new(Inner {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                taken: Mutex::new(pem),
                current,
                config: Arc::new(config),
            }),
        })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.inner.config))
    }

    /// Takes the files when they hold something else than before; new connections are made with that. Whatever is
    /// wrong with them, such as only one of them written yet, leaves the pair that there is.
    ///
    /// # Errors
    /// As [`Tls::load`].
    fn reload(&self) -> Result<bool, Message> {
        let inner = &self.inner;
        let pem = read(&inner.certificate, &inner.key)?;
        let mut taken = inner.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if *taken == pem {
            return Ok(false);
        }
        let provider = inner.config.crypto_provider();
        let pair = pair(&pem, &inner.certificate, &inner.key, provider)?;
        *taken = pem;
        let current = &inner.current.pair;
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        Ok(true)
    }

    /// Looks at the files from time to time, for ever. Their content is compared and not their time, which says
    /// nothing of a link that points elsewhere now.
    pub(crate) async fn keep_current(&self) {
        loop {
            tokio::time::sleep(CERTIFICATE_CHECK).await;
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.reload()).await {
                Ok(Ok(true)) => tracing::info!("a new certificate is in use"),
                Ok(Ok(false)) => {}
                Ok(Err(message)) => {
                    tracing::warn!(%message, "the certificate was not read again; the old one stays in use");
                }
                Err(error) => tracing::error!(%error, "the certificate was not read again"),
            }
        }
    }
}

fn unreadable(file: &Path, reason: &dyn fmt::Display) -> Message {
    Message::new("server.tls-file")
        .with("file", file.display())
        .with("reason", reason)
}

fn read(certificate: &Path, key: &Path) -> Result<Pem, Message> {
    let content = |file: &Path| {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MAX_PEM).read_to_end(&mut bytes))
            .map_err(|error| unreadable(file, &error))?;
        Ok(bytes)
    };
    Ok(Pem {
        certificate: content(certificate)?,
        key: content(key)?,
    })
}

fn pair(
    pem: &Pem,
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Message> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem.certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(certificate, &error))?;
    if chain.is_empty() {
        return Err(Message::new("server.tls-no-certificate").with("file", certificate.display()));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&pem.key).map_err(|error| unreadable(key, &error))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| {
        Message::new("server.tls-pair")
            .with("certificate", certificate.display())
            .with("key", key.display())
            .with("reason", error)
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A certificate of its own making.
    fn make(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let certificate = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args([
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                "/CN=localhost",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("./test installs openssl");
        assert!(made.status.success(), "{made:?}");
        (certificate, key)
    }

    fn served(tls: &Tls) -> Vec<u8> {
        let pair = tls.inner.current.pair.read().unwrap();
        pair.cert[0].to_vec()
    }

    #[test]
    fn files_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = make(folder.path(), "a");
        let (other, _) = make(folder.path(), "b");
        let missing = folder.path().join("missing.pem");
        Tls::load(&certificate, &key).unwrap();
        for (certificate, key, code, named) in [
            (&missing, &key, "server.tls-file", &missing),
            (&certificate, &missing, "server.tls-file", &missing),
            (&key, &key, "server.tls-no-certificate", &key),
            (&certificate, &certificate, "server.tls-file", &certificate),
            (&other, &key, "server.tls-pair", &other),
        ] {
            let message = Tls::load(certificate, key).unwrap_err();
            let text = message.to_string();
            assert_eq!(message.key(), code, "{text}");
            assert!(text.contains(&*named.to_string_lossy()), "{text}");
        }
    }

    #[test]
    fn a_new_pair_is_taken_when_both_files_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = make(folder.path(), "a");
        let (new_certificate, new_key) = make(folder.path(), "b");
        let tls = Tls::load(&certificate, &key).unwrap();
        let first = served(&tls);
        assert_eq!(tls.reload(), Ok(false));
        std::fs::copy(&new_certificate, &certificate).unwrap();
        assert!(tls.reload().is_err(), "the key is still the old one");
        assert_eq!(served(&tls), first);
        std::fs::copy(&new_key, &key).unwrap();
        assert_eq!(tls.reload(), Ok(true));
        assert_ne!(served(&tls), first);
        std::fs::remove_file(&key).unwrap();
        assert!(tls.reload().is_err());
        assert_ne!(served(&tls), first);
    }
}
