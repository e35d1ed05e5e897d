//! Certificates and keys as PEM (RFC 7468), in a file or in the configuration.

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error, PemObject as _},
    },
};
use zeroize::Zeroizing;

use super::error::TlsError;
use crate::{
    files::{Others, read_capped},
    secret::Secret,
};

/// The bundle of all public certificate authorities has a quarter of it.
const LARGEST_FILE_BYTES: u64 = 1024 * 1024;

/// The place of certificates or of a key.
#[derive(Clone, Debug)]
pub enum Pem {
    /// In a file, which may change.
    File(PathBuf),
    /// In the configuration.
    Inline(Secret),
}

/// The metadata that change when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    size: u64,
    /// Times of modification and of status change, each in seconds and nanoseconds.
    changed: [(i64, i64); 2],
}

impl Pem {
    /// The key of the configuration that it has: the first of the two where it is written inline.
    pub(super) fn key(&self, [inline, file]: [&'static str; 2]) -> &'static str {
        match self {
            Self::Inline(_) => inline,
            Self::File(_) => file,
        }
    }

    /// The metadata now; absent for inline text and for a missing file.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let Self::File(path) = self else { return None };
        let data = fs::metadata(path).ok()?;
        Some(Stamp {
            file: (data.dev(), data.ino()),
            size: data.len(),
            changed: [(data.mtime(), data.mtime_nsec()), (data.ctime(), data.ctime_nsec())],
        })
    }

    /// The certificates, at least one.
    pub(super) fn certificates(
        &self,
        keys: [&'static str; 2],
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let key = self.key(keys);
        let text = self.text(key)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(self.error(key, "no certificate", "PEM with BEGIN CERTIFICATE")),
            Err(_) => Err(self.error(key, "broken PEM", "PEM with BEGIN CERTIFICATE")),
        }
    }

    /// The certificates as authorities.
    pub(super) fn authorities(&self, keys: [&'static str; 2]) -> Result<RootCertStore, TlsError> {
        let mut authorities = RootCertStore::empty();
        for certificate in self.certificates(keys)? {
            authorities.add(certificate).map_err(|_| {
                let expected = "certificates of authorities";
                self.error(self.key(keys), "something else inside", expected)
            })?;
        }
        Ok(authorities)
    }

    /// The private key, and a warning if others can have it too.
    pub(super) fn private_key(
        &self,
        keys: [&'static str; 2],
    ) -> Result<(PrivateKeyDer<'static>, Option<TlsError>), TlsError> {
        let key = self.key(keys);
        let text = self.text(key)?;
        let expected = "PEM with BEGIN PRIVATE KEY, without a passphrase";
        let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let found = match error {
                Error::NoItemsFound => "no private key",
                _ => "broken PEM",
            };
            self.error(key, found, expected)
        })?;
        Ok((private, self.warning(key)))
    }

    fn warning(&self, key: &'static str) -> Option<TlsError> {
        let what = match self {
            Self::Inline(_) => "written in the configuration, better in a file of its own".into(),
            Self::File(path) => {
                let mode = fs::metadata(path).ok()?.mode() & 0o777;
                if mode & 0o007 == 0 {
                    return None;
                }
                let path = path.display();
                format!("every user of the machine can use {path} (mode {mode:03o})")
            }
        };
        Some(TlsError::new(key, what))
    }

    fn error(&self, key: &'static str, found: &str, expected: &str) -> TlsError {
        let place = match self {
            Self::Inline(_) => String::new(),
            Self::File(path) => format!(" in {}", path.display()),
        };
        TlsError::new(key, format!("found {found}{place}, expected {expected}"))
    }

    fn text(&self, key: &'static str) -> Result<Zeroizing<Vec<u8>>, TlsError> {
        match self {
            Self::Inline(text) => Ok(Zeroizing::new(text.expose().as_bytes().to_vec())),
            Self::File(path) => read_capped(path, LARGEST_FILE_BYTES, Others::MayAll)
                .map_err(|error| TlsError::new(key, format!("found {}: {error}", path.display()))),
        }
    }
}
