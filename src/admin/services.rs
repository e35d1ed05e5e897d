//! Endpoint services: the list, one read from the cloud, and its change.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};

use super::{
    changing::{body_refused, make, may_change, not_begun, with_tag},
    documents::{ReadService, ServiceList, Update},
    extract::{json_body, query},
    if_match::if_match,
    openapi::{Changing, Reading},
    state::{Caller, ServicePath},
};
use crate::{
    change::{ChangeView, Kind, ServiceChangeView, Wanted, validate},
    web::answers::{JSON, Refused, json, problem},
};

/// The endpoint services that the token may see, as they were last read
#[utoipa::path(
    get,
    operation_id = "list_endpoint_services",
    path = "/api/v1/endpoint-services",
    tag = "endpoint services",
    responses((status = 200, description = "The services, by project and name", body = ServiceList)),
)]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Refused> {
    query(&uri, None)?;
    let services = caller.admin.parts.services.snapshot();
    let visible = services.iter().map(Arc::as_ref).filter(|state| caller.token.sees(&state.meta));
    Ok(json(StatusCode::OK, JSON, &ServiceList::new(visible)))
}

/// One endpoint service, read from the cloud now
#[utoipa::path(
    get,
    operation_id = "read_endpoint_service",
    path = "/api/v1/endpoint-services/{project}/{service}",
    tag = "endpoint services",
    params(
        ("project" = String, Path, description = "Configured name of the project", example = "prod"),
        ("service" = String, Path, description = "Id or configured name of the service",
            example = "logs-endpoint"),
    ),
    responses(
        (status = 200, description = "The service", body = ReadService,
            headers(("ETag" = String, description = "A digest of the fields that can be changed"))),
        Reading,
    ),
)]
pub(super) async fn read(caller: Caller, path: ServicePath, uri: Uri) -> Result<Response, Refused> {
    query(&uri, None)?;
    let state = caller.service(path)?;
    let (project, service) = (state.meta.project.clone(), state.meta.id.clone());
    let read = caller.admin.parts.changes.read(project, service).await;
    let current = read.map_err(|refusal| not_begun(&refusal, Kind::Service))?;
    let answer = json(StatusCode::OK, JSON, &ReadService::new(&state, &current));
    Ok(with_tag(answer, &current.etag))
}

/// Change an endpoint service, or plan it
///
/// A change needs an editor; a viewer may plan it, with `dry_run=true`.
#[utoipa::path(
    put,
    operation_id = "change_endpoint_service",
    path = "/api/v1/endpoint-services/{project}/{service}",
    tag = "endpoint services",
    params(
        ("project" = String, Path, description = "Configured name of the project", example = "prod"),
        ("service" = String, Path, description = "Id or configured name of the service",
            example = "logs-endpoint"),
        ("dry_run" = Option<bool>, Query, description = "Only plan it: nothing is sent"),
        ("If-Match" = Option<String>, Header, description =
            "The entity tag of the state that the change is based on, or `*` for any state. \
             Required where there is something to change, but for a dry run"),
    ),
    request_body(content = Update, examples(
        ("document" = (summary = "The example of the API reference", value = json!({
            "approval_enabled": true,
            "service_name": "test",
            "ports": [
                {"client_port": 8081, "server_port": 22, "protocol": "TCP"},
                {"client_port": 8082, "server_port": 23, "protocol": "TCP"},
            ],
        }))),
        ("description" = (summary = "One field", value = json!({"description": "logs of the shop"}))),
    )),
    responses(
        (status = 200, description = "`applied`: reading back confirms the change. `unchanged`: it \
             was so already, and nothing was sent. `planned`: a dry run", body = ChangeView<ServiceChangeView>),
        (status = 412, description = "The service is not in the state that `If-Match` names; `current` \
             is its state", headers(("ETag" = String, description = "The tag of its state"))),
        (status = 428, description = "There is something to change, and no `If-Match`",
            headers(("ETag" = String, description = "The tag of its state"))),
        Changing,
    ),
)]
pub(super) async fn change(
    caller: Caller,
    path: ServicePath,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let dry_run = may_change(&caller, &uri)?;
    let state = caller.service(path)?;
    let body = json_body(&headers, body).await?;
    let condition = if_match(&headers).ok_or_else(|| {
        let expected = "If-Match must be * or a list of entity tags, in quotes";
        problem(StatusCode::BAD_REQUEST, expected)
    })?;
    let allow_proxy_vni = caller.admin.access.borrow().allow_proxy_vni;
    let update = validate(&body, allow_proxy_vni).map_err(body_refused)?;
    let (project, service) = (state.meta.project.clone(), state.meta.id.clone());
    let wanted = Wanted::Service { project, service, update, condition };
    make(&caller, wanted, dry_run).await
}
