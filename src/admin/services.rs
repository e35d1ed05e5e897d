//! Endpoint services: the list, one read from the cloud, and its change.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::Response,
};

use super::{
    documents::{NoChange, ProblemDocument, ReadService, ServiceList, Update, Violations},
    extract::{Refused, json_body, query},
    if_match::if_match,
    settings::Role,
    state::{Admin, Caller, ServicePath, Subject},
    status::{self, kind},
};
use crate::{
    change::{
        BodyError, ChangeRequest, ChangeView, CloudAnswer, EffectView, Kind, Outcome, Refusal,
        Report, ServiceChangeView, Wanted, validate, view,
    },
    stats,
    web::answers::{JSON, json, problem, problem_with},
};

/// The endpoint services that the token may see, as they were last read
#[utoipa::path(
    get,
    operation_id = "list_endpoint_services",
    path = "/api/v1/endpoint-services",
    tag = "endpoint services",
    responses((status = 200, description = "The services, by project and name", body = ServiceList)),
)]
pub(super) async fn list(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Refused> {
    query(&uri, None)?;
    let services = admin.parts.services.snapshot();
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
        (status = 404, description = "The cloud does not know the service",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The cloud says that the service is in use by something else",
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
    path: ServicePath,
    uri: Uri,
) -> Result<Response, Refused> {
    query(&uri, None)?;
    let state = admin.service(&caller, path)?;
    let meta = &state.meta;
    let current = admin
        .parts
        .changes
        .read(meta.project.clone(), meta.id.clone())
        .await
        .map_err(|refusal| change_refused(&refusal, Kind::Service))?;
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
        (status = 404, description = "The cloud does not know the service",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Another change is under way, or the cloud says that the change \
             clashes with something",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "The service is not in the state that `If-Match` names; `current` \
             is its state", body = ProblemDocument, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The tag of its state"))),
        (status = 422, description = "The body breaks rules, all of which are in `errors`; or the \
             cloud calls it invalid",
            body = ProblemDocument, content_type = "application/problem+json"),
        (status = 428, description = "There is something to change, and no `If-Match`",
            body = ProblemDocument, content_type = "application/problem+json",
            headers(("ETag" = String, description = "The tag of its state"))),
        (status = 502, description = "`partial`, `not_applied`, `not_sent` or `rejected`: see `outcome` \
             and `type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "`unknown`: it was sent, and its outcome is unknown; or \
             the state before could not be read in time",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn change(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    path: ServicePath,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    validated_change(&admin, &caller, path, &uri, &headers, body).await
}

async fn validated_change(
    admin: &Admin,
    caller: &Caller,
    path: ServicePath,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let dry_run = dry_run(uri)?;
    may_change(admin, caller, dry_run)?;
    let state = admin.service(caller, path)?;
    let body = json_body(headers, body).await?;
    let condition = if_match(headers).ok_or_else(|| {
        let expected = "If-Match must be * or a list of entity tags, in quotes";
        problem(StatusCode::BAD_REQUEST, expected)
    })?;
    let allow_proxy_vni = admin.access.borrow().allow_proxy_vni;
    let update = validate(&body, allow_proxy_vni).map_err(body_refused)?;
    let (project, service) = (state.meta.project.clone(), state.meta.id.clone());
    let request = ChangeRequest {
        wanted: Wanted::Service { project, service, update, condition },
        dry_run,
        actor: caller.token.name.as_str().into(),
        remote: caller.remote,
    };
    let report = admin.parts.changes.change(request).await;
    ended(&report.map_err(|refusal| change_refused(&refusal, Kind::Service))?)
}

/// Refuses a viewer who wants more than a plan.
pub(super) fn may_change(admin: &Admin, caller: &Caller, dry_run: bool) -> Result<(), Refused> {
    if caller.token.role < Role::Editor && !dry_run {
        admin.deny(stats::Denied::Role, caller.remote, Some(caller), Subject::None);
        let detail = "only an editor may change something; a viewer may plan, with dry_run=true";
        return Err(problem(StatusCode::FORBIDDEN, detail).into());
    }
    Ok(())
}

/// The answer to a body that asks for no change.
pub(super) fn body_refused(error: BodyError) -> Response {
    match error {
        BodyError::Syntax { message } => {
            problem(StatusCode::BAD_REQUEST, &format!("the body is not JSON: {message}"))
        }
        BodyError::Violations(violations) => problem_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            kind::INVALID,
            "the body breaks the rules in errors; nothing was sent",
            &Violations { errors: violations },
        ),
    }
}

/// The answer to a change that has ended.
pub(super) fn ended(report: &Report) -> Result<Response, Refused> {
    match status::of_report(report) {
        None => Ok(json(StatusCode::OK, JSON, &view(report))),
        Some(verdict) => Err(verdict.answer(&view(report)).into()),
    }
}

/// The answer to a change or a reading of this kind that the engine did not begin.
pub(super) fn change_refused(refusal: &Refusal, kind: Kind) -> Response {
    let verdict = status::of_refusal(refusal, kind);
    let (error, current, moved) = match refusal {
        Refusal::Unreadable(error) => (Some(&**error), None, None),
        Refusal::ConditionRequired(current) | Refusal::ConditionFailed(current) => {
            (None, Some(&**current), None)
        }
        Refusal::StatusMoved(moved) => (None, None, Some(EffectView::from(&**moved))),
        _ => (None, None, None),
    };
    let members = NoChange {
        outcome: Outcome::NotSent,
        sent: false,
        safe_to_retry: verdict.safe_to_retry,
        cloud: error.and_then(CloudAnswer::of),
        etag: current.map(|current| current.etag.clone()),
        current: current.map(|current| (&current.service).into()),
        moved,
    };
    let answer = verdict.answer(&members);
    match current {
        Some(current) => with_tag(answer, &current.etag),
        None => answer,
    }
}

pub(super) fn dry_run(uri: &Uri) -> Result<bool, Refused> {
    match query(uri, Some("dry_run"))?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(problem(StatusCode::BAD_REQUEST, "dry_run is true or false").into()),
    }
}

fn with_tag(mut answer: Response, etag: &str) -> Response {
    // A digest in hexadecimal digits is always a valid value.
    if let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\"")) {
        answer.headers_mut().insert(header::ETAG, value);
    }
    answer
}
