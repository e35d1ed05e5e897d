//! The connections of clusters: read, accepted, rejected.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};

use super::{
    changing::{body_refused, make, may_change, not_begun},
    connection_documents::{Decide, ReadConnections},
    extract::{json_body, query},
    openapi::{Changing, Reading},
    state::{Caller, ClusterPath},
};
use crate::{
    change::{ChangeView, ConnectionsView, Kind, Wanted, validate_decision},
    web::answers::{JSON, Refused, json},
};

/// The connections of a cluster, read from the cloud now
#[utoipa::path(
    get,
    operation_id = "read_connections",
    path = "/api/v1/clusters/{cluster_id}/connections",
    tag = "clusters",
    params(("cluster_id" = String, Path,
        description = "The id of a polled cluster, or `project/name` with its slash as `%2F`",
        example = "5c77b71c-5b35-4f50-8984-76387e42451a")),
    responses(
        (status = 200, description = "The connections", body = ReadConnections),
        Reading,
    ),
)]
pub(super) async fn read(caller: Caller, path: ClusterPath, uri: Uri) -> Result<Response, Refused> {
    query(&uri, None)?;
    let cluster = caller.cluster(path)?;
    let read = caller.admin.parts.changes.read_connections(cluster.meta.id.clone()).await;
    let list = read.map_err(|refusal| not_begun(&refusal, Kind::Connections))?;
    Ok(json(StatusCode::OK, JSON, &ReadConnections::new(&cluster.meta, &list)))
}

/// Accept or reject connections of a cluster, or plan it
///
/// A decision needs an editor; a viewer may plan it, with `dry_run=true`.
#[utoipa::path(
    post,
    operation_id = "decide_connections",
    path = "/api/v1/clusters/{cluster_id}/connections",
    tag = "clusters",
    params(
        ("cluster_id" = String, Path,
            description = "The id of a polled cluster, or `project/name` with its slash as `%2F`",
            example = "5c77b71c-5b35-4f50-8984-76387e42451a"),
        ("dry_run" = Option<bool>, Query, description = "Only plan it: nothing is sent"),
    ),
    request_body(content = Decide, example = json!({
        "action": "accept",
        "connections": [
            {"endpoint_id": "705290f3-0d00-41f2-aedc-71f09844e879", "status": "rejected"},
        ],
    })),
    responses(
        (status = 200, description = "`applied`: reading back confirms the change. `unchanged`: it \
             was so already, and nothing was sent. `planned`: a dry run",
            body = ChangeView<ConnectionsView>),
        (status = 412, description = "A connection has another status than the request says; \
             `connections` has all of them as they are"),
        Changing,
    ),
)]
pub(super) async fn decide(
    caller: Caller,
    path: ClusterPath,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let dry_run = may_change(&caller, &uri)?;
    let cluster = caller.cluster(path)?;
    let body = json_body(&headers, body).await?;
    let decision = validate_decision(&body).map_err(body_refused)?;
    let wanted = Wanted::Connections { cluster: cluster.meta.id.clone(), decision };
    make(&caller, wanted, dry_run).await
}
