//! The public routes. GET and HEAD only: nothing here changes anything, except a reload if that is
//! enabled.

mod events;
mod follow;
mod negotiation;
mod pages;
mod reload;
mod scrape;
mod state;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use tokio::time::{Duration, Instant};

use self::scrape::Scrapes;
use crate::{
    board::{
        Snapshot,
        document::{Clusters, OneCluster},
    },
    model::ClusterId,
    web::{
        self, Web,
        answers::{JSON, TEXT, answer, busy, json, problem},
    },
};

pub use self::{
    events::Events,
    follow::follow_board,
    reload::{ReloadHandle, ReloadRequest},
    scrape::{MAX_SCRAPES, keep_pages_made},
    state::{Live, Shared},
};

/// Longest wait for the end of the first round: by then most clusters have data.
const FIRST_ROUND_AT_MOST: Duration = Duration::from_secs(120);

/// The readiness of the exporter: true once every cluster was tried, or the first round has taken too long,
/// and until shutdown.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Ready>);

#[derive(Debug)]
struct Ready {
    grace_ends: Instant,
    was_ready: AtomicBool,
    closing: AtomicBool,
    /// Held by everyone for whom readiness waits.
    held: Arc<()>,
}

impl Readiness {
    /// The first round begins now.
    pub fn from_now() -> Self {
        Self(Arc::new(Ready {
            grace_ends: Instant::now() + FIRST_ROUND_AT_MOST,
            was_ready: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            held: Arc::default(),
        }))
    }

    /// As long as the result is kept, some clusters may not be on the board yet.
    pub fn hold(&self) -> Arc<()> {
        self.0.held.clone()
    }

    /// The exporter shuts down: not ready from now on.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
    }

    fn check(&self, snapshot: &Snapshot) -> Result<(), &'static str> {
        let Ready { grace_ends, was_ready, closing, held } = &*self.0;
        if closing.load(Ordering::Relaxed) {
            return Err("shutting down\n");
        }
        // A cluster that a reload adds does not end readiness.
        let is_ready = was_ready.load(Ordering::Relaxed)
            || Instant::now() >= *grace_ends
            || Arc::strong_count(held) == 1
                && snapshot.clusters().iter().all(|state| state.up().is_some());
        if !is_ready {
            return Err("some clusters have not been polled yet\n");
        }
        was_ready.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Clone)]
struct Public {
    shared: Shared,
    readiness: Readiness,
    scrapes: Scrapes,
    telemetry_path: Arc<str>,
    /// Absent unless reloading over HTTP is enabled.
    reload: Option<ReloadHandle>,
}

/// All routes of the public listener. `telemetry_path` is where the metrics are, and starts with a
/// slash. With `reload`, `/-/reload` may be used. `web` has the rules of access.
pub fn router(
    shared: Shared,
    readiness: Readiness,
    telemetry_path: &str,
    reload: Option<ReloadHandle>,
    web: Web,
) -> Router {
    let stats = shared.stats.clone();
    let scrapes = Scrapes::new();
    let state =
        Public { shared, readiness, scrapes, telemetry_path: telemetry_path.into(), reload };
    let mut router = Router::new()
        .route(telemetry_path, get(metrics))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload_now).put(reload_now))
        .route("/config", get(configuration))
        .route("/api/v1/clusters", get(clusters))
        .route("/api/v1/clusters/{cluster_id}", get(cluster))
        .route("/api/v1/events", get(events))
        .route("/clusters/{cluster_id}", get(cluster_page));
    if telemetry_path != "/" {
        router = router.route("/", get(status));
    }
    let router = router.fallback(async |headers: HeaderMap| {
        pages::not_found(&headers, "there is nothing at this path")
    });
    web::protected(router, web, stats).with_state(state)
}

/// Answers of the public listener while the start waits for another process to end: alive, not ready.
pub fn starting_router() -> Router {
    let why = "starting: another process still holds the state file\n";
    let later = async move || busy(1, why);
    Router::new().route("/-/healthy", get(healthy)).fallback(later)
}

async fn healthy() -> Response {
    answer(StatusCode::OK, TEXT, "healthy\n")
}

async fn metrics(State(public): State<Public>, headers: HeaderMap) -> Response {
    public.scrapes.answer(public.shared, &headers).await
}

#[derive(Deserialize)]
struct StatusQuery {
    #[serde(default)]
    filter: String,
}

async fn status(State(public): State<Public>, Query(query): Query<StatusQuery>) -> Response {
    let Public { shared, telemetry_path, .. } = public;
    // Before the snapshot: what comes in between is in both, and nothing is in neither.
    let event = shared.events.newest();
    pages::StatusPage {
        snapshot: &shared.board.snapshot(),
        now: shared.clock.now(),
        stale_after: shared.settings().stale_after,
        telemetry_path: &telemetry_path,
        event,
        filter: &query.filter,
    }
    .answer()
}

async fn cluster_page(
    State(public): State<Public>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Public { shared, .. } = public;
    let event = shared.events.newest();
    let snapshot = shared.board.snapshot();
    let (now, stale_after) = (shared.clock.now(), shared.settings().stale_after);
    match ClusterId::parse(&id).ok().and_then(|id| snapshot.cluster(&id)) {
        Some(state) => pages::cluster(state, event, now, stale_after),
        None => pages::not_found(&headers, "no cluster with this id is configured"),
    }
}

async fn ready(State(public): State<Public>) -> Response {
    match public.readiness.check(&public.shared.board.snapshot()) {
        Ok(()) => answer(StatusCode::OK, TEXT, "ready\n"),
        Err(why) => busy(1, why),
    }
}

async fn reload_now(State(public): State<Public>) -> Response {
    match &public.reload {
        Some(reload) => reload.answer().await,
        None => {
            let why = "reloading over HTTP is enabled by --web.enable-lifecycle\n";
            answer(StatusCode::FORBIDDEN, TEXT, why)
        }
    }
}

async fn configuration(State(public): State<Public>) -> Response {
    answer(StatusCode::OK, "application/yaml", public.shared.effective_configuration().to_string())
}

async fn clusters(State(public): State<Public>) -> Response {
    let Public { shared, .. } = public;
    let snapshot = shared.board.snapshot();
    let clusters = Clusters::new(&snapshot, shared.clock.now(), shared.settings().stale_after);
    json(StatusCode::OK, JSON, &clusters)
}

/// A browser cannot name the last event of a page that it has just loaded in a header, but in the query.
#[derive(Deserialize)]
struct EventsQuery {
    last_event_id: Option<String>,
}

async fn events(
    State(public): State<Public>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Response {
    let last = events::last_event_id(&headers, query.last_event_id.as_deref());
    public.shared.events.answer(last)
}

async fn cluster(State(public): State<Public>, Path(id): Path<String>) -> Response {
    let Public { shared, .. } = public;
    let (snapshot, now) = (shared.board.snapshot(), shared.clock.now());
    match OneCluster::find(&snapshot, &id, now, shared.settings().stale_after) {
        Some(cluster) => json(StatusCode::OK, JSON, &cluster),
        None => problem(StatusCode::NOT_FOUND, "no cluster with this id is configured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{Attempt, Board, ClusterMeta},
        cloud::{CloudError, Reason, Trace, Traced},
        model::RegionId,
    };

    fn meta(number: u32) -> ClusterMeta {
        ClusterMeta {
            region: RegionId::parse("r").unwrap(),
            project: "p".into(),
            id: ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap(),
            name: "c".into(),
            interval: Duration::from_secs(12 * 3600),
            labels: Default::default(),
            listed: None,
        }
    }

    fn fails(board: &Board, number: u32) {
        let result = Err(CloudError::new(Reason::Connect, "no"));
        let outcome = Traced { result, trace: Trace::default() };
        let at = jiff::Timestamp::UNIX_EPOCH;
        board.record(&meta(number).id, Attempt { at, duration: Duration::ZERO, outcome }, at);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_when_every_cluster_was_tried_or_after_two_minutes_and_stays_so() {
        let board = Board::new([meta(1), meta(2)]);
        let (tried, waiting) = (Readiness::from_now(), Readiness::from_now());
        let is_ready = |readiness: &Readiness| readiness.check(&board.snapshot()).is_ok();
        fails(&board, 1);
        assert!(!is_ready(&tried));
        tokio::time::advance(Duration::from_secs(119)).await;
        assert!(!is_ready(&tried) && !is_ready(&waiting));
        fails(&board, 2);
        assert!(is_ready(&tried), "a failure is a try");
        board.reconfigure([meta(1), meta(2), meta(3)]);
        assert!(is_ready(&tried), "a reload takes nothing back");
        assert!(!is_ready(&waiting), "it was never asked while all were tried");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(is_ready(&waiting), "whatever the interval");
        waiting.close();
        assert!(!is_ready(&waiting));
    }
}
