//! The faults of a failed TLS connection in words: rustls reports many of them in Rust's own
//! notation only.

use std::{error::Error, io, iter};

use jiff::Timestamp;
use tokio_rustls::rustls::{self, CertificateError as Wrong, pki_types::UnixTime};

/// A certificate that claims to be an authority. Only the text of the error shows this.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// An error and all those inside it. `source` of an IO error passes over the one that it wraps.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + Clone {
    iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The error of TLS among those inside an error.
pub fn error_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The fault of the certificate of `whom`, such as "the API"; `None` if there are no words for it here.
pub fn certificate(wrong: &Wrong, whom: &str) -> Option<String> {
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
            "is for another host name".to_owned()
        }
        Wrong::UnknownIssuer => "is not signed by any authority that is trusted here".to_owned(),
        Wrong::Other(other) if other.to_string().contains(AUTHORITY_AS_SERVER) => {
            "cannot be that of a server: it is that of an authority (CA:TRUE), as openssl req -x509 \
             makes it. Make one with basicConstraints=critical,CA:FALSE for the server, or let the \
             authority sign one"
                .to_owned()
        }
        _ => return None,
    };
    Some(format!("the certificate of {whom} {why}"))
}
