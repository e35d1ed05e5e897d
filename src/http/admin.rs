//! The admin listener: who may enter, and what there is to do.
//!
//! Every request passes the same gate, in this order: exactly one Host that is on the list (else a
//! page of a foreign site could reach a loopback address through DNS), then a bearer token. The
//! configuration holds digests of the tokens; all of them are compared, in constant time.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::{
    Shared, measure, pages,
    problem::{TEXT, answer, problem},
    public::one_cluster,
    web::{Gate, Web, WebSettings, guard},
};
use crate::{
    model::ClusterId,
    poll::{POLL_NOW_AT_MOST_EVERY, PollNowError},
};

/// The admin listener, as configured.
#[derive(Debug)]
pub struct AdminSettings {
    /// Where it listens; without TLS, on loopback.
    pub listen: SocketAddr,
    /// The `Host` values that are accepted.
    pub hosts: Vec<String>,
    /// Who may enter.
    pub tokens: Vec<AdminToken>,
    /// TLS, for one.
    pub web: WebSettings,
}

/// An entry of the token list. It holds no secret: the digest cannot be turned back.
#[derive(Clone, Debug)]
pub struct AdminToken {
    /// The name of whoever has it, for the record.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// Which endpoint services it may touch, as `project/name` globs.
    pub services: Vec<String>,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look, and ask for a poll.
    Viewer,
    /// Change things too.
    Editor,
}

/// Who may enter; a reload may change it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    hosts: Arc<[String]>,
    tokens: Arc<[AdminToken]>,
}

impl Access {
    /// As configured, for a listener that is really at `address`: the names it has for itself change
    /// with the port that it got.
    pub fn of(settings: &AdminSettings, address: SocketAddr) -> Self {
        let mut hosts = settings.hosts.clone();
        if address != settings.listen {
            hosts.extend([address.to_string(), format!("localhost:{}", address.port())]);
        }
        Self { hosts: hosts.into(), tokens: settings.tokens.as_slice().into() }
    }
}

#[derive(Clone)]
struct Admin {
    shared: Shared,
    access: watch::Receiver<Access>,
}

/// All routes of the admin listener.
pub fn router(shared: Shared, access: watch::Receiver<Access>, web: Web) -> Router {
    let stats = shared.stats.clone();
    let state = Admin { shared, access };
    let api = Router::new()
        .route("/api/v1/clusters/{cluster_id}/poll", post(poll_now))
        .route_layer(middleware::from_fn_with_state(state.clone(), require_token));
    Router::new()
        .route("/", get(async || pages::admin()))
        .route("/-/healthy", get(async || answer(StatusCode::OK, TEXT, "healthy\n")))
        .merge(api)
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .layer(middleware::from_fn_with_state(state.clone(), require_host))
        .layer(middleware::from_fn_with_state(Gate::new(web), guard))
        .layer(middleware::from_fn_with_state(stats, measure))
        .with_state(state)
}

async fn require_host(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let accepted = match (hosts.next(), hosts.next(), request.uri().authority()) {
        (Some(host), None, None) => {
            admin.access.borrow().hosts.iter().any(|accepted| host == accepted.as_str())
        }
        _ => false,
    };
    if accepted {
        next.run(request).await
    } else {
        admin.shared.stats.admin_denied("host");
        problem(
            StatusCode::MISDIRECTED_REQUEST,
            "the Host header is not one of admin.hosts in the configuration",
        )
    }
}

async fn require_token(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    match bearer(request.headers()).and_then(|token| admin.find(token)) {
        // Every route so far is for viewers, and an editor may do all that a viewer may.
        Some(token) if token.role >= Role::Viewer => next.run(request).await,
        _ => {
            admin.shared.stats.admin_denied("token");
            let mut response = problem(StatusCode::UNAUTHORIZED, "a valid bearer token is needed");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl Admin {
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
}

async fn poll_now(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let Ok(cluster) = ClusterId::parse(&id) else { return one_cluster(&admin.shared, &id) };
    match admin.shared.polls.poll_now(&cluster).await {
        Ok(()) | Err(PollNowError::UnknownCluster) => one_cluster(&admin.shared, &id),
        Err(PollNowError::TooSoon) => {
            let mut response =
                problem(StatusCode::TOO_MANY_REQUESTS, "the cluster was polled moments ago");
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(POLL_NOW_AT_MOST_EVERY.as_secs()));
            response
        }
        Err(PollNowError::Stopping) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "the exporter is shutting down")
        }
    }
}
