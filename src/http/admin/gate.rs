//! Who may enter: a name for this listener in `Host`, then a bearer token for everything below
//! `/api/`.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::{
    super::{Peer, authorization, problem::problem},
    Admin, AdminToken,
    changes::Denied,
    requests::Refused,
};
use crate::board::ServiceMeta;

/// Whoever made a request that passed the gate.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) token: AdminToken,
    pub(super) remote: IpAddr,
}

pub(super) async fn gate(State(admin): State<Admin>, mut request: Request, next: Next) -> Response {
    let mut response = match admin.admit(&request) {
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    };
    // What was sent after a request that is refused is not worth a second look.
    if response.status().is_client_error() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Admin {
    fn admit(&self, request: &Request) -> Result<Option<Caller>, Refused> {
        // A request that did not come through a listener came from nowhere.
        let remote = request.extensions().get::<Peer>();
        let remote = remote.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical());
        if !self.knows_host(request) {
            self.deny("host", remote, None, None);
            return Err(problem(
                StatusCode::MISDIRECTED_REQUEST,
                "the Host header is not one of admin.hosts in the configuration",
            )
            .into());
        }
        // Two ways to say where a body ends are one too many for whatever stands in between.
        if request.headers().contains_key(header::TRANSFER_ENCODING) {
            return Err(problem(
                StatusCode::LENGTH_REQUIRED,
                "a body must come with a Content-Length, and without a Transfer-Encoding",
            )
            .into());
        }
        if !request.uri().path().starts_with("/api/") {
            return Ok(None);
        }
        match authorization(request.headers(), "bearer").and_then(|token| self.find(token)) {
            Some(token) => Ok(Some(Caller { token, remote })),
            None => Err(self.unknown_token(remote).into()),
        }
    }

    /// Counts and records that a request was turned away.
    pub(super) fn deny(
        &self,
        reason: &'static str,
        remote: IpAddr,
        caller: Option<&Caller>,
        service: Option<&ServiceMeta>,
    ) {
        self.shared.stats.admin_denied(reason);
        let actor = caller.map(|caller| caller.token.name.as_str());
        self.changing.log.denied(&Denied { reason, remote, actor, service });
    }

    fn knows_host(&self, request: &Request) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        match (hosts.next(), hosts.next(), request.uri().authority()) {
            (Some(host), None, None) => {
                self.access.borrow().hosts.iter().any(|accepted| host == accepted.as_str())
            }
            _ => false,
        }
    }

    /// Compares with every entry, so that the time tells nothing of which one fits.
    fn find(&self, token: &str) -> Option<AdminToken> {
        let digest = Sha256::digest(token.as_bytes());
        let access = self.access.borrow();
        let entry = access.tokens.iter().fold(None, |found, entry| {
            let fits: bool = digest[..].ct_eq(&entry.sha256).into();
            if fits { Some(entry) } else { found }
        });
        entry.cloned()
    }

    fn unknown_token(&self, remote: IpAddr) -> Response {
        let failed = match self.limiter.lock() {
            Ok(mut limiter) => limiter.fail(remote, Instant::now()),
            Err(poisoned) => poisoned.into_inner().fail(remote, Instant::now()),
        };
        let (reason, refusal, header, value) = match failed {
            Ok(()) => (
                "token",
                problem(StatusCode::UNAUTHORIZED, "a valid bearer token is needed"),
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer"),
            ),
            Err(wait) => (
                "limit",
                problem(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many requests without a valid token came from this address",
                ),
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_secs() + 1),
            ),
        };
        self.deny(reason, remote, None, None);
        let mut refusal = refusal;
        refusal.headers_mut().insert(header, value);
        refusal
    }
}
