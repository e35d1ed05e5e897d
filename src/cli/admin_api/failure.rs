//! Failed requests, in words for the person who typed the command.

use std::error::Error;

use tokio_rustls::rustls::{self, CertificateError as Wrong};

use crate::tls;

/// The reason why a request to `host` failed. The outermost error says only that it failed, the innermost
/// says why.
pub(super) fn explained(error: &(dyn Error + 'static), host: &str) -> String {
    if let Some(why) = tls::error_in(error).and_then(|error| in_words(error, host)) {
        return why;
    }
    match tls::causes(error).skip(1).last() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn in_words(error: &rustls::Error, host: &str) -> Option<String> {
    let wrong = match error {
        rustls::Error::InvalidCertificate(wrong) => wrong,
        rustls::Error::InvalidMessage(_) => {
            return Some("the answer is not TLS; does that listener use plain http?".to_owned());
        }
        _ => return None,
    };
    let why = tls::certificate(wrong, "the server")?;
    Some(match wrong {
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            format!("{why}: {host} must be one of its alternative names")
        }
        Wrong::UnknownIssuer => {
            format!("{why}; the certificate of the one that signed it goes into --admin.ca-file")
        }
        _ => why,
    })
}
