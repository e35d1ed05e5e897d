//! TLS of a listener: certificate, key and client CA, which are read again when their files change.
//!
//! A new certificate is used from the next handshake on; open connections keep theirs. A broken file is
//! logged once, and the certificate before stays in use.
//!
//! Sessions are not resumed, so that every handshake looks at the client's certificate as it is now.

mod client_auth;
mod error;
mod go_names;
mod pem;

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Duration, Instant};
use tokio_rustls::rustls::{
    CipherSuite, Error, NamedGroup, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
    server::NoServerSessionStorage,
};

pub use client_auth::ClientAuth;
pub use error::TlsError;
pub use go_names::{CIPHER_SUITES, CURVES};
pub use pem::{Pem, Place};

use crate::clock::Clock;
use pem::Stamp;

/// Shortest time between two looks at the files: a handshake should not wait for the disk each time, and
/// no one rotates certificates faster.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A certificate that ends within this time earns a warning: enough for a person to act, and less
/// than the third of 90 days at which automatic renewal starts.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The only protocol inside TLS.
const ALPN: &[u8] = b"http/1.1";

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// The TLS settings. A key is a path or a [`crate::secret::Secret`].
#[derive(Debug)]
pub struct TlsSettings {
    /// The server's certificate and its chain.
    pub certificate: Pem,
    /// Its private key.
    pub key: Pem,
    /// The demand on client certificates; `None`: clients are not asked for one.
    pub clients: Option<ClientAuth>,
    /// The oldest version.
    pub min_version: TlsVersion,
    /// The newest version.
    pub max_version: TlsVersion,
    /// Suites of TLS 1.2 that may be used; none: all. Those of TLS 1.3 are not a matter of choice.
    pub cipher_suites: Vec<CipherSuite>,
    /// Key exchange groups in order of preference; none: the default.
    pub curves: Vec<NamedGroup>,
    /// Use the server's order of cipher suites instead of the client's.
    pub prefer_server_order: bool,
}

/// TLS with its files read. Clones share them.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    files: Mutex<Files>,
    /// Held while a task looks at the files.
    looking: Mutex<()>,
}

/// The files as they were read last.
struct Files {
    config: Arc<ServerConfig>,
    stamps: [Option<Stamp>; 3],
    looked: Instant,
    /// The last error that was logged, so that it is logged once.
    complaint: Option<TlsError>,
}

impl Tls {
    /// Reads the files, which blocks. Warnings are part of the result.
    ///
    /// # Errors
    /// A file that cannot be read or used, a key of another certificate, or settings that leave
    /// nothing to agree on.
    pub fn open(settings: TlsSettings) -> Result<(Self, Vec<TlsError>), TlsError> {
        let stamps = settings.stamps();
        let (config, warnings) = settings.read(Clock::system().now())?;
        let files = Files { config, stamps, looked: Instant::now(), complaint: None };
        let inner = Inner { settings, files: Mutex::new(files), looking: Mutex::default() };
        Ok((Self(Arc::new(inner)), warnings))
    }

    /// The configuration for the next handshake.
    pub(super) async fn current(&self) -> Arc<ServerConfig> {
        if self.0.is_time_to_look() {
            let inner = self.0.clone();
            // It ends by itself: it reads three small files.
            let _ = tokio::task::spawn_blocking(move || inner.look()).await;
        }
        self.0.files().config.clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.settings).finish()
    }
}

impl Inner {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock()
    }

    fn is_time_to_look(&self) -> bool {
        let mut files = self.files();
        let is_time = files.looked.elapsed() >= LOOK_EVERY;
        if is_time {
            files.looked = Instant::now();
        }
        is_time
    }

    /// Takes over files that have changed. Broken ones are looked at again each time: the rest of
    /// them may come a moment later.
    fn look(&self) {
        let Some(_looking) = self.looking.try_lock() else { return };
        // Taken before the files are read: a write in between then counts as another change.
        let stamps = self.settings.stamps();
        if self.files().stamps == stamps {
            self.files().complaint = None;
            return;
        }
        match self.settings.read(Clock::system().now()) {
            Ok((config, warnings)) => {
                let mut files = self.files();
                files.config = config;
                files.stamps = stamps;
                files.complaint = None;
                drop(files);
                tracing::info!("the certificate of a listener was read again");
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
            }
            Err(error) => {
                if self.files().complaint.as_ref() != Some(&error) {
                    tracing::error!(
                        "the certificate of a listener cannot be read again, the one before stays: \
                         {error}"
                    );
                    self.files().complaint = Some(error);
                }
            }
        }
    }
}

impl TlsSettings {
    fn stamps(&self) -> [Option<Stamp>; 3] {
        let ca = self.clients.as_ref().and_then(|clients| clients.ca.as_ref());
        [self.certificate.stamp(), self.key.stamp(), ca.and_then(Pem::stamp)]
    }

    /// A configuration made of the files, with warnings about them.
    fn read(&self, now: Timestamp) -> Result<(Arc<ServerConfig>, Vec<TlsError>), TlsError> {
        let chain = self.certificate.certificates()?;
        let (key, key_warning) = self.key.private_key()?;
        let provider = Arc::new(self.provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions())
            .map_err(|_| {
                TlsError::new(
                    "cipher_suites",
                    "found none that fits min_version and max_version, expected at least one",
                )
            })?;
        let builder = match &self.clients {
            Some(clients) => builder.with_client_cert_verifier(clients.verifier(provider)?),
            None => builder.with_no_client_auth(),
        };
        let expiry = chain.first().and_then(|certificate| expiry(certificate, now));
        let mut config = builder.with_single_cert(chain, key).map_err(|error| self.unfit(error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.ignore_client_order = self.prefer_server_order;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let expiry = expiry.map(|what| TlsError::new(self.certificate.key, what));
        Ok((Arc::new(config), expiry.into_iter().chain(key_warning).collect()))
    }

    /// The one that the HTTP client has too; asked for by name, because a process-wide default
    /// depends on who comes first.
    fn provider(&self) -> CryptoProvider {
        let mut provider = aws_lc_rs::default_provider();
        if !self.cipher_suites.is_empty() {
            provider.cipher_suites.retain(|suite| {
                suite.tls13().is_some() || self.cipher_suites.contains(&suite.suite())
            });
        }
        if !self.curves.is_empty() {
            let all = aws_lc_rs::ALL_KX_GROUPS;
            let group = |name| all.iter().copied().find(|group| group.name() == name);
            provider.kx_groups = self.curves.iter().copied().filter_map(group).collect();
        }
        provider
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        use tokio_rustls::rustls::version::{TLS12, TLS13};
        let all = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
        let allowed = self.min_version..=self.max_version;
        let spoken = all.into_iter().filter(|(version, _)| allowed.contains(version));
        spoken.map(|(_, version)| version).collect()
    }

    fn unfit(&self, error: Error) -> TlsError {
        match error {
            Error::InconsistentKeys(_) => TlsError::new(
                self.key.key,
                "found the key of another certificate, expected the one of the certificate",
            ),
            Error::InvalidCertificate(_) => TlsError::new(
                self.certificate.key,
                "found something else inside, expected an X.509 certificate of version 3",
            ),
            _ => TlsError::new(
                self.key.key,
                "found a key that cannot be used, expected an RSA, ECDSA or Ed25519 key",
            ),
        }
    }
}

/// A warning about a certificate that has expired or soon will.
fn expiry(certificate: &CertificateDer<'_>, now: Timestamp) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let end = Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()?;
    let left = end.duration_since(now);
    if left.is_negative() {
        return Some(format!("the certificate expired at {end}"));
    }
    (left.unsigned_abs() < EXPIRES_SOON).then(|| format!("the certificate expires at {end}"))
}
