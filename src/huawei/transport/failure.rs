//! Exchanges without a whole answer: reqwest's errors as reasons.
//!
//! reqwest's own classification misleads (a body that breaks off "is a decoding error"), so connection
//! failures are examined first, and then the innermost error of the chain. reqwest's texts name the URL;
//! ours do not.

use std::{error::Error, io, time::Duration};

use tokio_rustls::rustls::{self, AlertDescription, PeerIncompatible};

use crate::{
    cloud::{CloudError, Reason},
    text, tls,
};

/// DNS, TCP and TLS together take well under a second between continents.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
        let seconds = CONNECT_TIMEOUT.as_secs();
        let message = format!("no connection to the API within {seconds} s");
        return CloudError::new(Reason::Connect, message);
    }
    let mut causes = tls::causes(error);
    if causes.clone().any(|cause| cause.to_string().starts_with("dns error")) {
        return CloudError::new(Reason::Dns, "the host name of the API cannot be resolved");
    }
    if let Some(why) = causes.clone().find_map(of_tunnel) {
        return CloudError::new(
            Reason::Connect,
            format!("the proxy makes no tunnel to the API: {why}"),
        );
    }
    if let Some(tls) = tls::error_in(error) {
        return CloudError::new(Reason::Tls, tls_error(tls));
    }
    let is_end = |io: &io::Error| io.kind() == io::ErrorKind::UnexpectedEof;
    if causes.any(|cause| cause.downcast_ref().is_some_and(is_end)) {
        return CloudError::new(
            Reason::Tls,
            "the API closed the connection during the TLS handshake",
        );
    }
    CloudError::new(Reason::Connect, "no connection to the API")
}

/// A proxy that did not do what `CONNECT` asks for (RFC 9110, section 9.3.6); hyper-util shows that in its texts
/// only.
fn of_tunnel(cause: &(dyn Error + 'static)) -> Option<String> {
    let text = cause.to_string();
    let why = text.strip_prefix("tunnel error: ")?;
    Some(if why == "unsuccessful" { "it refuses".to_owned() } else { why.to_owned() })
}

fn tls_error(error: &rustls::Error) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(mistake) => tls::certificate(mistake, "the API")
            .unwrap_or_else(|| format!("the certificate of the API is wrong: {}", shown(mistake))),
        E::AlertReceived(AlertDescription::ProtocolVersion)
        | E::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the API speaks neither TLS 1.2 nor TLS 1.3".into()
        }
        E::InvalidMessage(_) => "the server does not speak TLS".into(),
        other => format!("the TLS handshake with the API failed: {}", shown(other)),
    }
}

/// A certificate may hold any text.
fn shown(error: &dyn std::fmt::Display) -> String {
    text::shown(&error.to_string(), 200)
}
