//! The connections of clusters: read, accepted, rejected.

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};

use super::{
    connection_documents::{Decide, ReadConnections},
    documents::ProblemDocument,
    extract::{Refused, json_body, query},
    services::{body_refused, change_refused, dry_run, ended, may_change},
    state::{Admin, Caller, ClusterPath},
};
use crate::{
    change::{ChangeRequest, ChangeView, ConnectionsView, Kind, Wanted, validate_decision},
    web::answers::{JSON, json},
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
        (status = 404, description = "The cloud does not know the cluster",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The cloud says that the cluster is in use by something else",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The cloud calls the request invalid",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "The cloud failed, or refuses the exporter",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "The cloud did not answer in time",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn read(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    path: ClusterPath,
    uri: Uri,
) -> Result<Response, Refused> {
    query(&uri, None)?;
    let cluster = admin.cluster(&caller, path)?;
    let read = admin.parts.changes.read_connections(cluster.meta.id.clone()).await;
    let list = read.map_err(|refusal| change_refused(&refusal, Kind::Connections))?;
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
        (status = 404, description = "The cloud does not know the cluster, or a connection",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Another change is under way, or the cloud says that the state of \
             the cluster or of a connection does not allow it now",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "A connection has another status than the request says; \
             `connections` has all of them as they are",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules, all of which are in `errors`; or the \
             cloud calls it invalid",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "`partial`, `not_applied`, `not_sent` or `rejected`: see `outcome`, \
             `connections` and `type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "`unknown`: it was sent, and its outcome is unknown; or \
             the state before could not be read in time",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn decide(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    path: ClusterPath,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let dry_run = dry_run(&uri)?;
    may_change(&admin, &caller, dry_run)?;
    let cluster = admin.cluster(&caller, path)?;
    let body = json_body(&headers, body).await?;
    let decision = validate_decision(&body).map_err(body_refused)?;
    let wanted = Wanted::Connections { cluster: cluster.meta.id.clone(), decision };
    let actor = caller.token.name.as_str().into();
    let request = ChangeRequest { wanted, dry_run, actor, remote: caller.remote };
    let report = admin.parts.changes.change(request).await;
    ended(&report.map_err(|refusal| change_refused(&refusal, Kind::Connections))?)
}
