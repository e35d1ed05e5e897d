//! Why no whole answer came: reqwest's errors as reasons.
//!
//! reqwest's own questions mislead (a body that breaks off "is a decoding error"), so a timeout is
//! asked for first, then what lies at the bottom of the chain. Its texts name the URL; ours do not.

use std::{error::Error, io};

use crate::cloud::{CloudError, Reason};

/// The reason and a sentence for an error of reqwest.
pub(super) fn of(error: &reqwest::Error) -> CloudError {
    let reason = reason(error);
    let message = match reason {
        Reason::Dns => "the host name of the API cannot be resolved",
        Reason::Connect => "no connection to the API",
        Reason::Tls => "the TLS handshake with the API failed",
        Reason::Timeout => "the cloud did not answer in time",
        Reason::Reset => "the connection closed before the answer was whole",
        _ => "the request could not be made",
    };
    // A connection that was not made carried nothing; TLS is part of making it.
    let never_sent = error.is_connect() || error.is_builder();
    CloudError { never_sent, ..CloudError::new(reason, message) }
}

fn reason(error: &reqwest::Error) -> Reason {
    if error.is_timeout() {
        return Reason::Timeout;
    }
    if error.is_builder() {
        return Reason::Internal;
    }
    if !error.is_connect() {
        return Reason::Reset;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.to_string().starts_with("dns error") {
            return Reason::Dns;
        }
        // rustls reports its errors as invalid data, a peer that hangs up in the handshake as an
        // early end; a refused connection is neither.
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        {
            return Reason::Tls;
        }
        source = cause.source();
    }
    Reason::Connect
}
