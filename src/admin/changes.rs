//! The audit trail, as far as a token may see it.

use axum::{
    Extension,
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    change_log::LoggedChange,
    documents::ProblemDocument,
    extract::{Refused, query},
    state::{Admin, Caller},
};
use crate::{
    audit::MAX_RECENT,
    web::answers::{JSON, json, problem},
};

/// Changes that are listed where nobody says how many.
const USUAL_LIMIT: usize = 100;
/// Changes that are listed at most: as many as the log remembers.
const MOST: usize = MAX_RECENT;

/// Changes, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangeList {
    changes: Vec<LoggedChange>,
}

/// The newest changes of the services that the token may see
#[utoipa::path(
    get,
    operation_id = "list_changes",
    path = "/api/v1/changes",
    tag = "changes",
    params(("limit" = Option<u32>, Query, description = "How many at most; 100 if it is left out",
        minimum = 1, maximum = 1000)),
    responses((status = 200, description = "Changes with their records in the audit log, newest first",
        body = ChangeList)),
)]
pub(super) async fn list(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Refused> {
    let limit = match query(&uri, Some("limit"))? {
        None => USUAL_LIMIT,
        Some(text) => limit(&text).ok_or_else(|| {
            problem(StatusCode::BAD_REQUEST, &format!("limit is a number from 1 to {MOST}"))
        })?,
    };
    let sees = |project: &str, service_id: &str| admin.may_see(&caller, project, service_id);
    let Some(changes) = admin.parts.log.newest(limit, &sees) else {
        let detail = "there is no audit log: admin.audit_log is not configured";
        return Err(problem(StatusCode::SERVICE_UNAVAILABLE, detail).into());
    };
    Ok(json(StatusCode::OK, JSON, &ChangeList { changes }))
}

fn limit(text: &str) -> Option<usize> {
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// One change
#[utoipa::path(
    get,
    operation_id = "read_change",
    path = "/api/v1/changes/{change_id}",
    tag = "changes",
    params(("change_id" = String, Path, description = "The id that its answer had",
        example = "0190b1f2-7c3e-7a41-8c21-5f0c9b7a4d10")),
    responses(
        (status = 200, description = "The change with its records in the audit log", body = LoggedChange),
        (status = 404, description = "There is no such change, or the token may not see it",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Refused> {
    query(&uri, None)?;
    let found = path.ok().and_then(|Path(id)| admin.parts.log.find(&id));
    match found.filter(|change| admin.may_see(&caller, &change.project, &change.service_id)) {
        Some(change) => Ok(json(StatusCode::OK, JSON, &change)),
        None => Err(problem(StatusCode::NOT_FOUND, "there is no such change").into()),
    }
}
