//! Requests as metrics.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use crate::stats::Stats;

/// Counts and times requests by the pattern of their route: a path that a stranger chooses must not
/// become a label.
pub(super) async fn measure(
    State(stats): State<Arc<Stats>>,
    request: Request,
    next: Next,
) -> Response {
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let response = next.run(request).await;
    let handler = pattern.as_ref().map_or("other", MatchedPath::as_str);
    stats.http_request(handler, response.status().as_u16(), started.elapsed());
    response
}
