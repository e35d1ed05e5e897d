//! The admin listener: its checks of callers, and its routes.
//!
//! Every request passes the same checks, in this order: exactly one `Host` that is on the list (`auth`),
//! then, below `/api/`, a bearer token (`auth`, `failed_logins`). The routes (`services`,
//! `connections`, `changes`, `clusters`) ask for the role and for the service or the cluster before they
//! read a body; `changing` has what both kinds of change share. `status` says what an outcome means in
//! HTTP, `openapi` describes the routes, and `console` is the page for people.

mod auth;
mod changes;
mod changing;
mod clusters;
mod connection_documents;
mod connections;
mod console;
mod documents;
mod extract;
mod failed_logins;
mod globs;
mod if_match;
mod openapi;
mod services;
mod settings;
mod state;
mod status;
mod whoami;

use std::sync::Arc;

use axum::{Router, http::StatusCode, middleware, response::Response, routing::get};
use tokio::sync::watch;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::state::Admin;
use crate::web::{
    self, Web,
    answers::{JSON, TEXT, answer, json, problem},
};

pub use self::{
    connection_documents::{ReadConnection, ReadConnections},
    documents::{Failure, KnownService, ProblemDocument, ReadService, ServiceList},
    globs::can_fit,
    settings::{Access, AdminSettings, AdminToken, Role},
    state::Parts,
};

/// All routes of the admin listener. `access` says whose requests are accepted, `web` what the web
/// configuration file of the listener says.
pub fn router(parts: Parts, access: watch::Receiver<Access>, web: Web) -> Router {
    let stats = parts.stats.clone();
    let state = Admin { parts, access, failed_logins: Arc::default() };
    let (router, document) = described().split_for_parts();
    let document = openapi::rendered(&openapi::complete(document));
    let router = router
        .route("/", get(async || console::page()))
        .route("/openapi.json", get(async move || json(StatusCode::OK, JSON, &document)))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not have that method")
        })
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .layer(middleware::from_fn_with_state(state.clone(), auth::authenticate));
    web::protected(router, web, stats).with_state(state)
}

/// The routes that the OpenAPI document describes.
fn described() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(openapi::Base::openapi())
        .routes(routes!(services::list))
        .routes(routes!(services::read, services::change))
        .routes(routes!(changes::list))
        .routes(routes!(changes::one))
        .routes(routes!(connections::read, connections::decide))
        .routes(routes!(clusters::list))
        .routes(routes!(clusters::poll_now))
        .routes(routes!(whoami::whoami))
        .routes(routes!(healthy))
}

/// Liveness of the exporter
#[utoipa::path(
    get,
    path = "/-/healthy",
    tag = "exporter",
    responses((status = 200, description = "It is", body = String, content_type = "text/plain")),
)]
async fn healthy() -> Response {
    answer(StatusCode::OK, TEXT, "healthy\n")
}
