//! The check of a caller: a name of this listener in `Host`, and then, below `/api/`, a bearer token.
//!
//! The configuration has digests of the tokens; all of them are compared, in constant time.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::{
    settings::{Access, AdminToken},
    state::{Admin, Caller, Subject},
};
use crate::{
    stats::Denied,
    web::{
        Peer,
        answers::{Refused, problem, with_header},
        authorization,
    },
};

/// Admits a request with its [`Caller`], or refuses it.
pub(super) async fn authenticate(
    State(admin): State<Admin>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&admin, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    // The rest of a refused request is not read: the connection ends.
    if response.status().is_client_error() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn admit(admin: &Admin, request: &Request) -> Result<Option<Caller>, Refused> {
    // A request without a peer did not come through a listener.
    let remote = request.extensions().get::<Peer>();
    let remote = remote.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical());
    if !knows_host(&admin.access.borrow(), request) {
        admin.deny(Denied::Host, remote, None, Subject::None);
        let detail = "the Host header is not one of admin.hosts in the configuration";
        return Err(problem(StatusCode::MISDIRECTED_REQUEST, detail).into());
    }
    // A proxy in between could read the end of a body in two ways if there were both headers.
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        let detail = "a body must come with a Content-Length, and without a Transfer-Encoding";
        return Err(problem(StatusCode::LENGTH_REQUIRED, detail).into());
    }
    if !request.uri().path().starts_with("/api/") {
        return Ok(None);
    }
    let token = authorization(request.headers(), "bearer")
        .and_then(|token| known_token(&admin.access.borrow(), token));
    match token {
        Some(token) => Ok(Some(Caller { admin: admin.clone(), token, remote })),
        None => Err(refuse_token(admin, remote).into()),
    }
}

/// A page of a foreign site can reach a loopback address through DNS, but not with this listener's name.
fn knows_host(access: &Access, request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next(), request.uri().authority()) {
        (Some(host), None, None) => access.hosts.iter().any(|accepted| host == accepted.as_str()),
        _ => false,
    }
}

/// The entry of a token. Every entry is compared, so that the time does not show which one matched.
fn known_token(access: &Access, token: &str) -> Option<AdminToken> {
    let digest = Sha256::digest(token.as_bytes());
    let entry = access.tokens.iter().fold(None, |found, entry| {
        let matches: bool = digest[..].ct_eq(&entry.sha256).into();
        if matches { Some(entry) } else { found }
    });
    entry.cloned()
}

fn refuse_token(admin: &Admin, remote: IpAddr) -> Response {
    let (reason, refusal) = match admin.failed_logins.lock().fail(remote, Instant::now()) {
        Ok(()) => {
            let refusal = problem(StatusCode::UNAUTHORIZED, "a valid bearer token is needed");
            let scheme = HeaderValue::from_static("Bearer");
            (Denied::Token, with_header(refusal, header::WWW_AUTHENTICATE, scheme))
        }
        Err(wait) => {
            let detail = "too many requests without a valid token came from this address";
            let refusal = problem(StatusCode::TOO_MANY_REQUESTS, detail);
            (Denied::Limit, with_header(refusal, header::RETRY_AFTER, wait.as_secs() + 1))
        }
    };
    admin.deny(reason, remote, None, Subject::None);
    refusal
}
