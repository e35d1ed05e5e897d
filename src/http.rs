//! What is served over HTTP: a public listener that can change nothing, and an admin listener.
//!
//! Handlers read the board's snapshot and wait for nobody, but for "poll now". `listener` owns the
//! sockets and their limits, `tls` what is spoken on them, `web` (with `basic_auth` and `rate_limit`)
//! who is let in, `public` and `admin` the routes, `scrape` and `negotiation` the page for
//! Prometheus, `api` the JSON.

mod admin;
mod api;
mod basic_auth;
mod listener;
mod negotiation;
mod pages;
mod problem;
mod public;
mod rate_limit;
mod reload;
mod scrape;
pub mod tls;
mod web;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use tokio::sync::watch;

use crate::{
    board::{Board, ServiceBoard},
    clock::Clock,
    exposition::{self, Store},
    poll::PollHandle,
    stats::Stats,
};

pub use admin::{
    Access, AdminSettings, AdminToken, ChangeLog, Changing, Denied, Failure, KnownService,
    LoggedChange, ProblemDocument, ReadService, Role, ServiceList, can_fit, router as admin_router,
};
pub use basic_auth::{AT_ONCE as LOGINS_AT_ONCE, MOST_LOGINS, PasswordHash, Users};
pub use listener::{Bound, Limits, MAX_HEADER_BYTES, Peer};
pub use public::{Readiness, router as public_router, starting_router};
pub use rate_limit::RequestLimit;
pub use reload::{ReloadHandle, ReloadRequest};
pub use scrape::{MAX_SCRAPES, keep_pages_made};
pub use web::{Web, WebSettings};

/// What the handlers read. Clones share it.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where all clusters stand.
    pub board: Board,
    /// Where all endpoint services stand.
    pub services: ServiceBoard,
    /// The pages for Prometheus. [`keep_pages_made`] has them ready before a scrape.
    pub pages: Store,
    /// What a reload may change.
    pub live: watch::Receiver<Live>,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// The date.
    pub clock: Clock,
    /// For polls out of turn.
    pub polls: PollHandle,
}

/// What a reload of the configuration may change of the pages.
#[derive(Clone, Debug)]
pub struct Live {
    exposition: exposition::Settings,
    effective: Arc<str>,
}

impl Live {
    /// What is shown and for how long, and the effective configuration without its secrets.
    pub fn of(exposition: &exposition::Settings, effective: String) -> Self {
        Self { exposition: *exposition, effective: effective.into() }
    }
}

impl Shared {
    fn settings(&self) -> exposition::Settings {
        self.live.borrow().exposition
    }

    fn effective_configuration(&self) -> Arc<str> {
        self.live.borrow().effective.clone()
    }
}

/// Counts and times requests by the pattern of their route: a path that a stranger chooses must not
/// become a label.
async fn measure(State(stats): State<Arc<Stats>>, request: Request, next: Next) -> Response {
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let started = tokio::time::Instant::now();
    let response = next.run(request).await;
    let handler = pattern.as_ref().map_or("other", MatchedPath::as_str);
    let elapsed: Duration = started.elapsed();
    stats.http_request(handler, response.status().as_u16(), elapsed);
    response
}

/// What the one `Authorization` header says after a scheme; nothing where there is none, another
/// scheme, or more than one header (RFC 9110, section 11.6.2: names of schemes have no case).
fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (named, credentials) = value.to_str().ok()?.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then_some(credentials.trim())
}
