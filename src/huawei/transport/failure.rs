//! Why no whole answer came: reqwest's errors as reasons.
//!
//! reqwest's own classification misleads (a body that breaks off "is a decoding error"), so connection
//! failures are examined first, and then the innermost error of the chain. reqwest's texts name the URL;
//! ours do not.

use std::{error::Error, io};

use tokio_rustls::rustls::{self, AlertDescription, CertificateError, PeerIncompatible};

use crate::{
    cloud::{CloudError, Reason},
    huawei::wire,
};

/// The reason and a sentence for an error of reqwest.
pub(super) fn of(error: &reqwest::Error) -> CloudError {
    if error.is_connect() {
        return not_connected(error).unsent();
    }
    if error.is_builder() {
        return CloudError::new(Reason::Internal, "the request could not be made").unsent();
    }
    if error.is_timeout() {
        return CloudError::new(Reason::Timeout, "the cloud did not answer in time");
    }
    CloudError::new(Reason::Reset, "the connection closed before the answer was whole")
}

/// A connection that was not made carried no request; the TLS handshake is part of making it.
fn not_connected(error: &reqwest::Error) -> CloudError {
    if error.is_timeout() {
        let seconds = super::CONNECT_TIMEOUT.as_secs();
        let message = format!("no connection to the API within {seconds} s");
        return CloudError::new(Reason::Connect, message);
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.to_string().starts_with("dns error") {
            let message = "the host name of the API cannot be resolved";
            return CloudError::new(Reason::Dns, message);
        }
        if let Some(what) = cause.downcast_ref().and_then(handshake) {
            return CloudError::new(Reason::Tls, what);
        }
        source = cause.source();
    }
    CloudError::new(Reason::Connect, "no connection to the API")
}

/// What went wrong in a TLS handshake; `None` if there was no handshake. `source` of an IO error skips the
/// error inside it, which is that of rustls or another IO error.
fn handshake(error: &io::Error) -> Option<String> {
    let inner = error.get_ref();
    if let Some(tls) = inner.and_then(|inner| inner.downcast_ref()) {
        return Some(tls_error(tls));
    }
    if let Some(io) = inner.and_then(|inner| inner.downcast_ref()) {
        return handshake(io);
    }
    let hung_up = error.kind() == io::ErrorKind::UnexpectedEof;
    hung_up.then(|| "the API closed the connection during the TLS handshake".into())
}

fn tls_error(error: &rustls::Error) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(mistake) => certificate(mistake),
        E::AlertReceived(AlertDescription::ProtocolVersion)
        | E::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the API speaks neither TLS 1.2 nor TLS 1.3".into()
        }
        E::InvalidMessage(_) => "the server does not speak TLS".into(),
        other => format!("the TLS handshake with the API failed: {}", shown(other)),
    }
}

fn certificate(mistake: &CertificateError) -> String {
    use CertificateError as C;
    let what = match mistake {
        C::Expired | C::ExpiredContext { .. } => "has expired",
        C::NotValidYet | C::NotValidYetContext { .. } => "is not valid yet",
        C::NotValidForName | C::NotValidForNameContext { .. } => "is for another host name",
        C::UnknownIssuer => "is not signed by an authority that this machine trusts",
        other => return format!("the certificate of the API is wrong: {}", shown(other)),
    };
    format!("the certificate of the API {what}")
}

/// A certificate may hold any text.
fn shown(error: &dyn std::fmt::Display) -> String {
    wire::shown(&error.to_string(), 200)
}
