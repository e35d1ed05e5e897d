//! The audit trail, as far as a token may see it.

use std::net::IpAddr;

use axum::{
    Extension,
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    super::problem::{JSON, json, problem},
    Admin,
    documents::ProblemDocument,
    gate::Caller,
    requests::query,
};
use crate::{
    audit::{self, Audit, ChangeId, Denial, MAX_RECENT, Record},
    board::ServiceMeta,
};

/// Changes that are listed where nobody says how many.
const USUAL_LIMIT: usize = 100;
/// Changes that are listed at most: as many as the log remembers.
const MOST: usize = MAX_RECENT;

/// The audit log, as the admin listener needs it. Nothing here waits for the disk.
pub trait ChangeLog: Send + Sync + 'static {
    /// The newest of the remembered changes, newest first, of the services that `sees` accepts by project and
    /// id; `None` if there is no log.
    fn newest(&self, limit: usize, sees: &dyn Fn(&str, &str) -> bool) -> Option<Vec<LoggedChange>>;

    /// One of them.
    fn find(&self, change_id: &str) -> Option<LoggedChange>;

    /// Takes note of a request that was turned away.
    fn denied(&self, denied: &Denied<'_>);
}

/// Without one there is nothing to show, and refusals are only counted.
impl ChangeLog for Option<Audit> {
    fn newest(&self, limit: usize, sees: &dyn Fn(&str, &str) -> bool) -> Option<Vec<LoggedChange>> {
        self.as_ref()?.newest(limit, sees)
    }

    fn find(&self, change_id: &str) -> Option<LoggedChange> {
        self.as_ref()?.find(change_id)
    }

    fn denied(&self, denied: &Denied<'_>) {
        self.iter().for_each(|audit| audit.denied(denied));
    }
}

impl ChangeLog for Audit {
    fn newest(&self, limit: usize, sees: &dyn Fn(&str, &str) -> bool) -> Option<Vec<LoggedChange>> {
        let changes = self.recent(MAX_RECENT);
        let seen = changes.iter().filter(|change| {
            subject(change).is_some_and(|(_, project, service_id)| sees(project, service_id))
        });
        Some(seen.take(limit).filter_map(|change| logged(change)).collect())
    }

    fn find(&self, change_id: &str) -> Option<LoggedChange> {
        logged(&*self.change(&ChangeId::parse(change_id)?)?)
    }

    fn denied(&self, denied: &Denied<'_>) {
        self.deny(&Denial {
            reason: denied.reason,
            remote: &denied.remote.to_string(),
            actor: denied.actor,
            project: denied.service.map(|meta| &*meta.project),
            service_id: denied.service.map(|meta| &meta.id),
            service_name: denied.service.map(|meta| &*meta.name),
        });
    }
}

/// A record of a change with its project and service. `None` if the records do not say which service it
/// changed; such a change is shown to nobody.
fn subject(change: &audit::Change) -> Option<(&audit::Content, &str, &str)> {
    let content = &change.intent.as_ref().or(change.outcome.as_ref())?.content;
    Some((content, content.project.as_deref()?, content.service_id.as_ref()?.as_str()))
}

fn logged(change: &audit::Change) -> Option<LoggedChange> {
    let (content, project, service_id) = subject(change)?;
    let json = |record: &Option<Record>| {
        record.as_ref().and_then(|record| serde_json::to_value(record).ok())
    };
    Some(LoggedChange {
        change_id: change.id.as_str().to_owned(),
        project: project.to_owned(),
        service_id: service_id.to_owned(),
        service_name: content.service_name.as_deref().map(str::to_owned),
        intent: json(&change.intent),
        outcome: json(&change.outcome),
    })
}

/// A change, by its records in the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoggedChange {
    /// Its id.
    pub change_id: String,
    /// Configured name of the project.
    pub project: String,
    /// The endpoint service.
    pub service_id: String,
    /// The configured name of the service at that time; null in records of older versions.
    pub service_name: Option<String>,
    /// The record before it was sent; null where nothing had to be sent.
    #[schema(value_type = Option<Object>)]
    pub intent: Option<Value>,
    /// The record of how it ended; null while that is not known.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
}

/// A request that was turned away.
#[derive(Clone, Copy, Debug)]
pub struct Denied<'a> {
    /// Why; one of the words of the metric.
    pub reason: &'static str,
    /// Where it came from.
    pub remote: IpAddr,
    /// The name of the token, where one was good.
    pub actor: Option<&'a str>,
    /// The configured service that it was about, if it was about one.
    pub service: Option<&'a ServiceMeta>,
}

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
) -> Response {
    let limit = match query(&uri, Some("limit")) {
        Ok(None) => USUAL_LIMIT,
        Ok(Some(text)) => match text.parse() {
            Ok(limit @ 1..=MOST) if text.bytes().all(|byte| byte.is_ascii_digit()) => limit,
            _ => {
                let expected = format!("limit is a number from 1 to {MOST}");
                return problem(StatusCode::BAD_REQUEST, &expected);
            }
        },
        Err(refusal) => return *refusal,
    };
    let sees = |project: &str, service_id: &str| admin.may_see(&caller, project, service_id);
    let Some(changes) = admin.changing.log.newest(limit, &sees) else {
        let detail = "there is no audit log: admin.audit_log is not configured";
        return problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    };
    json(StatusCode::OK, JSON, &ChangeList { changes })
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
) -> Response {
    if let Err(refusal) = query(&uri, None) {
        return *refusal;
    }
    let found = path.ok().and_then(|Path(id)| admin.changing.log.find(&id));
    match found.filter(|change| admin.may_see(&caller, &change.project, &change.service_id)) {
        Some(change) => json(StatusCode::OK, JSON, &change),
        None => problem(StatusCode::NOT_FOUND, "there is no such change"),
    }
}

impl Admin {
    fn may_see(&self, caller: &Caller, project: &str, service_id: &str) -> bool {
        let found = self.shared.services.find(project, service_id);
        // Another service may be called like the id of this one.
        match found.filter(|state| state.meta.id.as_str() == service_id) {
            Some(state) => caller.token.sees(&state.meta),
            // One that is no longer configured is known by its id alone.
            None => caller.token.sees_one_of(project, &[service_id]),
        }
    }
}
