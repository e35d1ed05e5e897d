//! The admin listener: who may enter, and what there is to do.
//!
//! Every request passes the same gate, in this order: exactly one Host that is on the list (else a
//! page of a foreign site could reach a loopback address through DNS), then, below `/api/`, a bearer
//! token. The configuration holds digests of the tokens; all of them are compared, in constant time.
//! Whoever is let in is then asked for the role and for the service, before a body is looked into.
//!
//! `gate` and `limiter` let in, `glob` knows which services a token may see, `services` and `changes`
//! are the routes, `verdict` says what an outcome means in HTTP, and `openapi` describes it all.

mod changes;
mod condition;
mod documents;
mod gate;
mod glob;
mod limiter;
mod openapi;
mod requests;
mod services;
mod verdict;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, Uri, header},
    middleware,
    response::Response,
    routing::get,
};
use tokio::sync::watch;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::limiter::Limiter;
use super::{
    Shared,
    api::OneCluster,
    measure, pages,
    problem::{JSON, TEXT, answer, json, problem},
    public::one_cluster,
    web::{Gate, Web, WebSettings, guard},
};
use crate::{
    change::Changes,
    model::ClusterId,
    poll::{POLL_NOW_AT_MOST_EVERY, PollNowError},
};

pub use changes::{ChangeLog, Denied, LoggedChange};
pub use documents::{Failure, KnownService, ProblemDocument, ReadService, ServiceList};
pub use glob::can_fit;

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
    /// Whether `tcp_proxy` may become `proxy_vni`, which only the SDK knows, not the document.
    pub allow_proxy_vni: bool,
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
    /// May read, plan changes, and ask for a poll.
    Viewer,
    /// Change things too.
    Editor,
}

/// Who may enter and do what; a reload may change it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    hosts: Arc<[String]>,
    tokens: Arc<[AdminToken]>,
    allow_proxy_vni: bool,
}

impl Access {
    /// As configured, for a listener that is really at `address`: the names it has for itself change
    /// with the port that it got.
    pub fn of(settings: &AdminSettings, address: SocketAddr) -> Self {
        let mut hosts = settings.hosts.clone();
        if address != settings.listen {
            hosts.extend([address.to_string(), format!("localhost:{}", address.port())]);
        }
        Self {
            hosts: hosts.into(),
            tokens: settings.tokens.as_slice().into(),
            allow_proxy_vni: settings.allow_proxy_vni,
        }
    }
}

/// What the routes for endpoint services need.
#[derive(Clone)]
pub struct Changing {
    /// Makes the changes.
    pub changes: Changes,
    /// Reads the records of changes.
    pub log: Arc<dyn ChangeLog>,
}

#[derive(Clone)]
struct Admin {
    shared: Shared,
    access: watch::Receiver<Access>,
    limiter: Arc<Mutex<Limiter>>,
    changing: Changing,
}

/// All routes of the admin listener.
pub fn router(
    shared: Shared,
    access: watch::Receiver<Access>,
    changing: Changing,
    web: Web,
) -> Router {
    let stats = shared.stats.clone();
    let state = Admin { shared, access, limiter: Arc::default(), changing };
    let (router, document) = described().split_for_parts();
    let document = openapi::rendered(&openapi::complete(document));
    router
        .route("/", get(async || pages::console()))
        .route("/openapi.json", get(async move || json(StatusCode::OK, JSON, &document)))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not have that method")
        })
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .layer(middleware::from_fn_with_state(state.clone(), gate::gate))
        .layer(middleware::from_fn_with_state(Gate::new(web), guard))
        .layer(middleware::from_fn_with_state(stats, measure))
        .with_state(state)
}

/// The routes that the OpenAPI document describes.
fn described() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(openapi::Base::openapi())
        .routes(routes!(services::list))
        .routes(routes!(services::read, services::change))
        .routes(routes!(changes::list))
        .routes(routes!(changes::one))
        .routes(routes!(poll_now))
        .routes(routes!(healthy))
}

/// Whether the exporter is alive
#[utoipa::path(
    get,
    path = "/-/healthy",
    tag = "exporter",
    responses((status = 200, description = "It is", body = String, content_type = "text/plain")),
)]
async fn healthy() -> Response {
    answer(StatusCode::OK, TEXT, "healthy\n")
}

/// Poll a cluster now
///
/// Waits for the poll's end.
#[utoipa::path(
    post,
    path = "/api/v1/clusters/{cluster_id}/poll",
    tag = "clusters",
    params(("cluster_id" = String, Path, description = "The id of a configured cluster",
        example = "5c77b71c-5b35-4f50-8984-76387e42451a")),
    responses(
        (status = 200, description = "The cluster after the poll, whether that went well or not",
            body = OneCluster),
        (status = 404, description = "No cluster with this id is configured",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "The cluster was polled in the last 5 s, or too many requests \
             without a valid token came from this address",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
async fn poll_now(
    State(admin): State<Admin>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    if let Err(refusal) = requests::query(&uri, None) {
        return *refusal;
    }
    let id = path.map_or_else(|_| String::new(), |Path(id)| id);
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
