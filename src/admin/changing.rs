//! The parts that a change of a service and a decision about connections have in common: who may ask for
//! them, and what is answered.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderValue, StatusCode, Uri, header},
    response::Response,
};

use super::{
    documents::NoChange,
    extract::query,
    settings::Role,
    state::{Caller, Subject},
    status::{self, kind},
};
use crate::{
    change::{BodyError, ChangeRequest, CloudAnswer, Kind, Outcome, Refusal, Wanted},
    stats::Denied,
    web::answers::{JSON, Refused, json, problem, problem_with, with_header},
};

/// Refuses a viewer who wants more than a plan. Returns true where only a plan is wanted.
pub(super) fn may_change(caller: &Caller, uri: &Uri) -> Result<bool, Refused> {
    let dry_run = match query(uri, Some("dry_run"))?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(problem(StatusCode::BAD_REQUEST, "dry_run is true or false").into());
        }
    };
    if caller.token.role < Role::Editor && !dry_run {
        caller.deny(Denied::Role, Subject::None);
        let detail = "only an editor may change something; a viewer may plan, with dry_run=true";
        return Err(problem(StatusCode::FORBIDDEN, detail).into());
    }
    Ok(dry_run)
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
            &BTreeMap::from([("errors", violations)]),
        ),
    }
}

/// Makes or plans a change, and answers when it has ended.
pub(super) async fn make(
    caller: &Caller,
    wanted: Wanted,
    dry_run: bool,
) -> Result<Response, Refused> {
    let kind = wanted.kind();
    let (actor, remote) = (caller.token.name.as_str().into(), caller.remote);
    let request = ChangeRequest { wanted, dry_run, actor, remote };
    let report = caller.admin.parts.changes.change(request).await;
    let report = report.map_err(|refusal| not_begun(&refusal, kind))?;
    match status::of_report(&report) {
        None => Ok(json(StatusCode::OK, JSON, &report)),
        Some(verdict) => Err(verdict.answer(&report).into()),
    }
}

/// The answer to a change or a reading of this kind that the engine did not begin.
pub(super) fn not_begun(refusal: &Refusal, kind: Kind) -> Response {
    let verdict = status::of_refusal(refusal, kind);
    let (error, current, moved) = match refusal {
        Refusal::Unreadable(error) => (Some(&**error), None, None),
        Refusal::ConditionRequired(current) | Refusal::ConditionFailed(current) => {
            (None, Some(&**current), None)
        }
        Refusal::StatusMoved(moved) => (None, None, Some(&**moved)),
        _ => (None, None, None),
    };
    let members = NoChange {
        outcome: Outcome::NotSent,
        sent: false,
        safe_to_retry: verdict.safe_to_retry,
        cloud: error.and_then(CloudAnswer::of),
        etag: current.map(|current| &*current.etag),
        current: current.map(|current| (&current.service).into()),
        moved,
    };
    let answer = verdict.answer(&members);
    match current {
        Some(current) => with_tag(answer, &current.etag),
        None => answer,
    }
}

pub(super) fn with_tag(answer: Response, etag: &str) -> Response {
    // A digest in hexadecimal digits is always a valid value.
    match HeaderValue::from_str(&format!("\"{etag}\"")) {
        Ok(value) => with_header(answer, header::ETAG, value),
        Err(_) => answer,
    }
}
