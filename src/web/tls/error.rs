//! Mistakes in the TLS settings.

use std::fmt;

/// The reason why TLS cannot be used: the key of the configuration, and the mistake. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The key below `tls_server_config`.
    pub key: &'static str,
    /// A sentence: found, and expected.
    pub what: String,
}

impl TlsError {
    pub(super) fn new(key: &'static str, what: impl Into<String>) -> Self {
        Self { key, what: what.into() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tls_server_config.{}: {}", self.key, self.what)
    }
}

impl std::error::Error for TlsError {}
