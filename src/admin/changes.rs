//! The audit trail, as far as a token may see it.

use axum::{
    extract::{Path, rejection::PathRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{extract::query, state::Caller};
use crate::{
    audit::{self, ChangeId, MAX_RECENT, Record},
    web::answers::{JSON, Refused, json, problem},
};

/// Number of changes that are listed by default.
const USUAL_LIMIT: usize = 100;
/// Changes that are listed at most: as many as the log remembers.
const MOST: usize = MAX_RECENT;

/// A change, by its records in the audit log.
#[derive(Debug, Serialize, ToSchema)]
struct LoggedChange {
    /// Its id.
    change_id: String,
    /// Configured name of the project.
    project: String,
    /// The endpoint service; null where it is about connections.
    service_id: Option<String>,
    /// The configured name of the service at that time; null in records of older versions.
    service_name: Option<String>,
    /// The cluster, where the change is about its connections.
    cluster_id: Option<String>,
    /// The name of the cluster at that time.
    cluster_name: Option<String>,
    /// The record before it was sent; null where nothing had to be sent.
    #[schema(value_type = Option<Object>)]
    intent: Option<Value>,
    /// The record of how it ended; null while that is not known.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
}

impl LoggedChange {
    /// `None` if the records name neither a service nor a cluster, or one that the caller may not see.
    fn seen_by(caller: &Caller, change: &audit::Change) -> Option<Self> {
        let content = &change.intent.as_ref().or(change.outcome.as_ref())?.content;
        let project = content.project.as_deref()?;
        let is_seen = match (&content.service_id, &content.cluster_id) {
            (Some(id), _) => caller.may_see(project, id.as_str()),
            (None, Some(id)) => caller.may_see_cluster(project, id),
            (None, None) => false,
        };
        let json = |record: &Option<Record>| {
            record.as_ref().and_then(|record| serde_json::to_value(record).ok())
        };
        is_seen.then(|| Self {
            change_id: change.id.as_str().to_owned(),
            project: project.to_owned(),
            service_id: content.service_id.as_ref().map(ToString::to_string),
            service_name: content.service_name.as_deref().map(str::to_owned),
            cluster_id: content.cluster_id.as_ref().map(ToString::to_string),
            cluster_name: content.cluster_name.as_deref().map(str::to_owned),
            intent: json(&change.intent),
            outcome: json(&change.outcome),
        })
    }
}

/// Changes, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangeList {
    changes: Vec<LoggedChange>,
}

/// The newest changes of the services and clusters that the token may see
#[utoipa::path(
    get,
    operation_id = "list_changes",
    path = "/api/v1/changes",
    tag = "changes",
    params(("limit" = Option<u32>, Query, description = "The largest number of changes in the answer; 100 by default",
        minimum = 1, maximum = 1000)),
    responses((status = 200, description = "Changes with their records in the audit log, newest first",
        body = ChangeList)),
)]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Refused> {
    let limit = match query(&uri, Some("limit"))? {
        None => USUAL_LIMIT,
        Some(text) => limit(&text).ok_or_else(|| {
            problem(StatusCode::BAD_REQUEST, &format!("limit is a number from 1 to {MOST}"))
        })?,
    };
    let audit = caller.admin.parts.audit.as_ref().ok_or_else(|| {
        let detail = "there is no audit log: admin.audit_log is not configured";
        problem(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let recent = audit.recent(MAX_RECENT);
    let seen = recent.iter().filter_map(|change| LoggedChange::seen_by(&caller, change));
    let changes = seen.take(limit).collect();
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
        (status = 404, description = "There is no such change, or the token may not see it"),
    ),
)]
pub(super) async fn one(
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Refused> {
    query(&uri, None)?;
    let id = path.ok().and_then(|Path(id)| ChangeId::parse(&id));
    let change =
        caller.admin.parts.audit.as_ref().zip(id).and_then(|(audit, id)| audit.change(&id));
    let change = change.and_then(|change| LoggedChange::seen_by(&caller, &change));
    let change = change.ok_or_else(|| problem(StatusCode::NOT_FOUND, "there is no such change"))?;
    Ok(json(StatusCode::OK, JSON, &change))
}
