//! The beginning of a connection to a listener with TLS.

use std::io;

use axum::Router;
use hyper::{
    StatusCode,
    header::{self, HeaderValue},
};
use tokio::{
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::deadlines::Taken;
use crate::web::{
    answers::{problem, with_header},
    tls::Tls,
};

/// The first byte of a record that begins a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// The protocol that a client began with.
pub(super) enum Greeted {
    /// TLS, with the handshake done.
    Tls(Box<TlsStream<Taken<TcpStream>>>),
    /// Anything else.
    Plain(Taken<TcpStream>),
}

/// Does the TLS handshake within the time limit.
///
/// # Errors
/// If the client's certificate or versions are refused, or it stays silent.
pub(super) async fn greet(
    stream: TcpStream,
    tls: &Tls,
    within: Duration,
    taken: impl FnOnce(TcpStream) -> Taken<TcpStream>,
) -> io::Result<Greeted> {
    let greeted = async {
        let mut first = [0];
        // Only looked at: the handshake needs this byte too.
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first != [HANDSHAKE] {
            return Ok(Greeted::Plain(taken(stream)));
        }
        let acceptor = TlsAcceptor::from(tls.current().await);
        Ok(Greeted::Tls(Box::new(acceptor.accept(taken(stream)).await?)))
    };
    timeout(within, greeted).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The answer to a client that speaks plain HTTP to a listener with TLS.
pub(super) fn refusal() -> Router {
    Router::new().fallback(async || {
        let refusal = problem(StatusCode::BAD_REQUEST, "this port speaks TLS: use https://");
        with_header(refusal, header::CONNECTION, HeaderValue::from_static("close"))
    })
}
