//! The clusters that a token covers, and polls on demand.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, Uri, header},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    extract::query,
    state::{Admin, Caller},
};
use crate::{
    board::document::OneCluster,
    model::ClusterId,
    poll::{POLL_NOW_AT_MOST_EVERY, PollNowError},
    web::answers::{JSON, Refused, json, problem, with_header},
};

/// A cluster that the token covers.
#[derive(Serialize, ToSchema)]
struct KnownCluster<'a> {
    /// Configured name of the project.
    project: &'a str,
    /// The region of the project.
    region_id: &'a str,
    /// The cluster's id.
    cluster_id: &'a str,
    /// Its name; the id where there is none.
    cluster_name: &'a str,
}

/// The clusters that the token covers.
#[derive(Serialize, ToSchema)]
pub(super) struct ClusterList<'a> {
    /// By project and id.
    clusters: Vec<KnownCluster<'a>>,
}

/// The clusters whose connections the token may see
#[utoipa::path(
    get,
    operation_id = "list_clusters",
    path = "/api/v1/clusters",
    tag = "clusters",
    responses((status = 200, description = "The clusters that the token covers", body = ClusterList)),
)]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Refused> {
    query(&uri, None)?;
    let snapshot = caller.admin.parts.board.snapshot();
    let metas = snapshot.clusters().iter().map(|state| &*state.meta);
    let clusters = metas.filter(|meta| caller.token.sees_cluster(meta)).map(|meta| KnownCluster {
        project: &meta.project,
        region_id: meta.region.as_str(),
        cluster_id: meta.id.as_str(),
        cluster_name: &meta.name,
    });
    Ok(json(StatusCode::OK, JSON, &ClusterList { clusters: clusters.collect() }))
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
        (status = 200, description = "The cluster after the poll, successful or not",
            body = OneCluster),
        (status = 404, description = "No cluster with this id is configured"),
        (status = 429, description = "The cluster was polled in the last 5 s, or too many requests \
             without a valid token came from this address"),
    ),
)]
pub(super) async fn poll_now(
    State(admin): State<Admin>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Refused> {
    query(&uri, None)?;
    let unknown = || problem(StatusCode::NOT_FOUND, "no cluster with this id is configured");
    let id = path.ok().and_then(|Path(id)| ClusterId::parse(&id).ok()).ok_or_else(unknown)?;
    admin.parts.polls.poll_now(&id).await.map_err(|error| match error {
        PollNowError::UnknownCluster => unknown(),
        PollNowError::TooSoon => {
            let detail = "the cluster was polled moments ago";
            let refusal = problem(StatusCode::TOO_MANY_REQUESTS, detail);
            with_header(refusal, header::RETRY_AFTER, POLL_NOW_AT_MOST_EVERY.as_secs())
        }
        PollNowError::Stopping => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "the exporter is shutting down")
        }
    })?;
    let (snapshot, now) = (admin.parts.board.snapshot(), admin.parts.clock.now());
    let stale_after = admin.access.borrow().stale_after;
    let cluster = OneCluster::find(&snapshot, id.as_str(), now, stale_after);
    Ok(json(StatusCode::OK, JSON, &cluster.ok_or_else(unknown)?))
}
