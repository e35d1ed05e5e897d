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

/// Certificates or a key.
#[derive(Clone, Debug)]
pub struct Pem {
    /// The key below `tls_server_config` that says where they are.
    pub key: &'static str,
    /// Their place.
    pub place: Place,
}

/// The place of certificates or of a key.
#[derive(Clone, Debug)]
pub enum Place {
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
    /// The metadata now; absent for inline text and for a missing file.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let Place::File(path) = &self.place else { return None };
        let data = fs::metadata(path).ok()?;
        Some(Stamp {
            file: (data.dev(), data.ino()),
            size: data.len(),
            changed: [(data.mtime(), data.mtime_nsec()), (data.ctime(), data.ctime_nsec())],
        })
    }

    /// The certificates, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let text = self.text()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(self.error("no certificate", "PEM with BEGIN CERTIFICATE")),
            Err(_) => Err(self.error("broken PEM", "PEM with BEGIN CERTIFICATE")),
        }
    }

    /// The certificates as authorities.
    pub(super) fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut authorities = RootCertStore::empty();
        for certificate in self.certificates()? {
            authorities.add(certificate).map_err(|_| {
                let expected = "certificates of authorities";
                self.error("something else inside", expected)
            })?;
        }
        Ok(authorities)
    }

    /// The private key, and a warning if others can have it too.
    pub(super) fn private_key(
        &self,
    ) -> Result<(PrivateKeyDer<'static>, Option<TlsError>), TlsError> {
        let text = self.text()?;
        let expected = "PEM with BEGIN PRIVATE KEY, without a passphrase";
        let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let found = match error {
                Error::NoItemsFound => "no private key",
                _ => "broken PEM",
            };
            self.error(found, expected)
        })?;
        Ok((private, self.warning()))
    }

    fn warning(&self) -> Option<TlsError> {
        let what = match &self.place {
            Place::Inline(_) => "written in the configuration, better in a file of its own".into(),
            Place::File(path) => {
                let mode = fs::metadata(path).ok()?.mode() & 0o777;
                if mode & 0o007 == 0 {
                    return None;
                }
                let path = path.display();
                format!("every user of the machine can use {path} (mode {mode:03o})")
            }
        };
        Some(TlsError::new(self.key, what))
    }

    fn error(&self, found: &str, expected: &str) -> TlsError {
        let place = match &self.place {
            Place::Inline(_) => String::new(),
            Place::File(path) => format!(" in {}", path.display()),
        };
        TlsError::new(self.key, format!("found {found}{place}, expected {expected}"))
    }

    fn text(&self) -> Result<Zeroizing<Vec<u8>>, TlsError> {
        match &self.place {
            Place::Inline(text) => Ok(Zeroizing::new(text.expose().as_bytes().to_vec())),
            Place::File(path) => {
                read_capped(path, LARGEST_FILE_BYTES, Others::MayAll).map_err(|error| {
                    TlsError::new(self.key, format!("found {}: {error}", path.display()))
                })
            }
        }
    }
}
