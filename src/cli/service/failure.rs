//! Why no answer came, in words for the person who typed the command.

use std::{error::Error, io};

use jiff::Timestamp;
use tokio_rustls::rustls::{self, CertificateError as Wrong, pki_types::UnixTime};

/// The error for a certificate that calls itself an authority. Only the text of the error identifies it.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Why a request to `host` failed. The outermost error says only that it failed, the innermost says why.
pub(super) fn explained(error: &(dyn Error + 'static), host: &str) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let tls = causes.clone().find_map(of_tls);
    if let Some(why) = tls.and_then(|error| in_words(error, host)) {
        return why;
    }
    match causes.skip(1).last() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A TLS error is inside the IO error of the connection, where `source` does not lead.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = error.downcast_ref::<io::Error>()?.get_ref()?;
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
    let at = |time: &UnixTime| {
        let time = i64::try_from(time.as_secs()).ok();
        time.and_then(|time| Timestamp::from_second(time).ok()).unwrap_or_default()
    };
    let why = match wrong {
        Wrong::Expired => "has expired".to_owned(),
        Wrong::ExpiredContext { not_after, .. } => format!("expired at {}", at(not_after)),
        Wrong::NotValidYet => "is not valid yet; is the clock right?".to_owned(),
        Wrong::NotValidYetContext { not_before, .. } => {
            format!("is not valid before {}; is the clock right?", at(not_before))
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            format!("is not for {host}: that must be one of its alternative names")
        }
        Wrong::UnknownIssuer => "is not signed by any authority that is trusted here; the \
                                 certificate of the one that signed it goes into --admin.ca-file"
            .to_owned(),
        Wrong::Other(other) if other.to_string().contains(AUTHORITY_AS_SERVER) => {
            "cannot be that of a server: it is that of an authority (CA:TRUE), as openssl req -x509 \
             makes it. Make one with basicConstraints=critical,CA:FALSE for the server, or let the \
             authority sign one"
                .to_owned()
        }
        _ => return None,
    };
    Some(format!("the certificate of the server {why}"))
}
