//! Redaction: the secrets of a request, so that none of them is shown when an answer repeats it.
//!
//! Gateways do: one that refuses a signature quotes the request as it saw it, and a proxy's error
//! page may list the headers. A text of the cloud must be clean before it is cut to length, for half a
//! token is a secret too.

use crate::secret::Secret;

/// Shorter texts are no secrets, and hiding them would riddle every message.
const SHORTEST: usize = 6;

/// The secrets of a request.
#[derive(Debug, Default)]
pub struct Redaction(Vec<Secret>);

impl Redaction {
    /// The secrets have to come in this order: one that is a part of another comes after it.
    pub(super) fn of(mut secrets: Vec<Secret>) -> Self {
        secrets.retain(|secret| secret.expose().len() >= SHORTEST);
        Self(secrets)
    }

    /// The text without any of the secrets.
    pub(in crate::huawei) fn hide(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.0 {
            if clean.contains(secret.expose()) {
                clean = clean.replace(secret.expose(), "<secret>");
            }
        }
        clean
    }
}
