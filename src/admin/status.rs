//! What an outcome means to whoever asked over HTTP: pure, as a table.
//!
//! The exporter's own credentials are its own affair: the cloud refusing them is never a 401 or 403
//! of this API, whose caller did nothing wrong.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;

use crate::{
    change::{Outcome, Refusal, Report},
    cloud::{CloudError, Reason},
    web::answers::problem_with,
};

/// How long to wait where the cloud throttles and does not say for how long: it counts by the minute.
const THROTTLED: Duration = Duration::from_secs(60);
/// How long to wait after our own rate limit did not admit a request: as long again.
const NO_TURN: Duration = Duration::from_secs(10);
/// How long to wait for a change under way to end; most take about a second.
const BUSY: Duration = Duration::from_secs(5);

/// The kinds of problems, the last part of their `type`.
pub(super) mod kind {
    pub(in crate::admin) const AUDIT_UNAVAILABLE: &str = "/problems/audit_unavailable";
    pub(in crate::admin) const CLOCK_SKEW: &str = "/problems/clock_skew";
    pub(in crate::admin) const CONDITION_FAILED: &str = "/problems/condition_failed";
    pub(in crate::admin) const CONDITION_REQUIRED: &str = "/problems/condition_required";
    pub(in crate::admin) const CONFLICT: &str = "/problems/conflict";
    pub(in crate::admin) const CREDENTIALS: &str = "/problems/exporter_credentials";
    pub(in crate::admin) const FORBIDDEN: &str = "/problems/exporter_forbidden";
    pub(in crate::admin) const IN_PROGRESS: &str = "/problems/in_progress";
    pub(in crate::admin) const INVALID: &str = "/problems/invalid";
    pub(in crate::admin) const MISCONFIGURED: &str = "/problems/misconfigured_endpoint";
    pub(in crate::admin) const NOT_APPLIED: &str = "/problems/not_applied";
    pub(in crate::admin) const NOT_FOUND: &str = "/problems/service_not_found";
    pub(in crate::admin) const NOT_SENT: &str = "/problems/not_sent";
    pub(in crate::admin) const OWN_LIMIT: &str = "/problems/own_rate_limit";
    pub(in crate::admin) const PARTIAL: &str = "/problems/partial";
    pub(in crate::admin) const REDIRECT: &str = "/problems/upstream_redirect";
    pub(in crate::admin) const SERVICE_STATE: &str = "/problems/service_state";
    pub(in crate::admin) const STOPPING: &str = "/problems/stopping";
    pub(in crate::admin) const THROTTLED: &str = "/problems/throttled";
    pub(in crate::admin) const TOO_MANY: &str = "/problems/too_many_changes";
    pub(in crate::admin) const UNKNOWN: &str = "/problems/outcome_unknown";
    pub(in crate::admin) const UPSTREAM: &str = "/problems/upstream_failed";
    pub(in crate::admin) const UPSTREAM_TIMEOUT: &str = "/problems/upstream_timeout";
}

/// A refusal in the terms of HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) detail: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) safe_to_retry: bool,
}

impl Verdict {
    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), retry_after: None, safe_to_retry: false }
    }

    fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn safe(self) -> Self {
        Self { safe_to_retry: true, ..self }
    }

    /// The answer, with more members in its document.
    pub(super) fn answer(&self, members: &impl Serialize) -> Response {
        let mut answer = problem_with(self.status, self.kind, &self.detail, members);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().max(1);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// `None` where the report is a success.
pub(super) fn of_report(report: &Report) -> Option<Verdict> {
    let bad = StatusCode::BAD_GATEWAY;
    let verdict = match (report.outcome, &report.failure) {
        (Outcome::Planned | Outcome::Unchanged | Outcome::Applied, _) => return None,
        (Outcome::Partial, _) => Verdict::new(
            bad,
            kind::PARTIAL,
            "reading back shows only a part of what was wanted; compare after with diff",
        ),
        (Outcome::NotApplied, _) => Verdict::new(
            bad,
            kind::NOT_APPLIED,
            "the change was sent, and reading back shows the state from before it",
        ),
        (Outcome::Unknown, _) => Verdict::new(
            StatusCode::GATEWAY_TIMEOUT,
            kind::UNKNOWN,
            "the change was sent, and what became of it could not be read; read the service before \
             trying again",
        ),
        (Outcome::Rejected | Outcome::NotSent, Some(error)) => of_error(error, Call::Change),
        (Outcome::Rejected, None) => {
            Verdict::new(bad, kind::UPSTREAM, "the cloud refused the change")
        }
        (Outcome::NotSent, None) => Verdict::new(bad, kind::NOT_SENT, "nothing was sent"),
    };
    Some(Verdict { safe_to_retry: report.safe_to_retry, ..verdict })
}

pub(super) fn of_refusal(refusal: &Refusal) -> Verdict {
    use StatusCode as S;
    match refusal {
        // Configured when the request came in, and not any more.
        Refusal::UnknownService => not_yours(),
        Refusal::InProgress => Verdict::new(
            S::CONFLICT,
            kind::IN_PROGRESS,
            "another change of this service is under way",
        )
        .after(BUSY)
        .safe(),
        Refusal::ConditionRequired(_) => Verdict::new(
            S::PRECONDITION_REQUIRED,
            kind::CONDITION_REQUIRED,
            "there is something to change: say with If-Match on which state it is based",
        ),
        Refusal::ConditionFailed(_) => Verdict::new(
            S::PRECONDITION_FAILED,
            kind::CONDITION_FAILED,
            "the service is not in the state that If-Match names; current is its state now",
        ),
        Refusal::AuditUnavailable(why) => Verdict::new(
            S::SERVICE_UNAVAILABLE,
            kind::AUDIT_UNAVAILABLE,
            format!("nothing is changed without a record, and the audit log takes none: {why}"),
        )
        .safe(),
        Refusal::Unreadable(error) => of_error(error, Call::Read).safe(),
        Refusal::TooMany => {
            Verdict::new(S::SERVICE_UNAVAILABLE, kind::TOO_MANY, "too many changes are under way")
                .after(BUSY)
                .safe()
        }
        Refusal::Stopping => {
            Verdict::new(S::SERVICE_UNAVAILABLE, kind::STOPPING, "the exporter is shutting down")
                .after(BUSY)
                .safe()
        }
    }
}

/// The one answer for a service that is not configured and for one that the token may not see.
pub(super) fn not_yours() -> Verdict {
    Verdict::new(
        StatusCode::FORBIDDEN,
        "about:blank",
        "the service is not configured, or not among those of this token",
    )
}

#[derive(Clone, Copy)]
enum Call {
    Read,
    Change,
}

impl Call {
    const fn permission(self) -> &'static str {
        match self {
            Self::Read => "vpcep:endpointServices:get",
            Self::Change => "vpcep:endpointServices:update",
        }
    }
}

/// What the numbers after `EndPoint.` mean (VPCEP API Reference, "Error Codes").
const CONFLICTS: [&str; 2] = ["3044", "3046"];
const STATES: [&str; 4] = ["3045", "2018", "2019", "2004"];
const MISSING: [&str; 3] = ["2003", "0005", "3062"];
const INVALID: [&str; 18] = [
    "3003", "3004", "3008", "3010", "3042", "3043", "3052", "3054", "3055", "3058", "3059", "3061",
    "3063", "3074", "3075", "1003", "3076", "0002",
];

fn of_error(error: &CloudError, call: Call) -> Verdict {
    use Reason as R;
    use StatusCode as S;
    if error.own_limit {
        let detail = format!("nothing was sent: {error}");
        return Verdict::new(S::SERVICE_UNAVAILABLE, kind::OWN_LIMIT, detail).after(NO_TURN).safe();
    }
    let bad = |kind, what: &str| Verdict::new(S::BAD_GATEWAY, kind, format!("{what}: {error}"));
    let refused = |status, kind| Verdict::new(status, kind, format!("the cloud says: {error}"));
    let own = error.code.as_deref().and_then(|code| {
        let (service, number) = code.split_once('.')?;
        service.eq_ignore_ascii_case("EndPoint").then_some(number)
    });
    let is_one_of = |numbers: &[&str]| own.is_some_and(|own| numbers.contains(&own));
    let is_throttled = error.reason == R::Throttled
        || error.status == Some(429)
        || is_one_of(&["0022"])
        || error.has_code("APIGW.0308");
    if is_throttled {
        return refused(S::SERVICE_UNAVAILABLE, kind::THROTTLED)
            .after(error.retry_after.unwrap_or(THROTTLED))
            .safe();
    }
    if error.reason == R::ClockSkew {
        return bad(kind::CLOCK_SKEW, "the clock of the exporter and that of the cloud differ");
    }
    if error.reason == R::Auth || error.status == Some(401) {
        return bad(kind::CREDENTIALS, "the cloud refuses the credentials of the exporter");
    }
    if is_one_of(&CONFLICTS) {
        return refused(S::CONFLICT, kind::CONFLICT);
    }
    if is_one_of(&STATES) {
        return refused(S::CONFLICT, kind::SERVICE_STATE).after(THROTTLED);
    }
    if is_one_of(&MISSING) {
        return refused(S::NOT_FOUND, kind::NOT_FOUND);
    }
    if is_one_of(&INVALID) {
        return refused(S::UNPROCESSABLE_ENTITY, kind::INVALID);
    }
    if error.has_code("APIGW.0101") {
        return bad(kind::MISCONFIGURED, "api_endpoints.vpcep of the configuration is wrong");
    }
    match (error.status, error.reason) {
        (Some(403), _) | (_, R::Forbidden) => {
            let what = format!("the user of the exporter lacks {}", call.permission());
            bad(kind::FORBIDDEN, &what)
        }
        (Some(300..=399), _) | (_, R::Redirect) => {
            bad(kind::REDIRECT, "the cloud redirects, which is not followed")
        }
        (Some(405 | 414), _) => {
            bad(kind::MISCONFIGURED, "api_endpoints.vpcep of the configuration is wrong")
        }
        (Some(404), _) | (_, R::NotFound) => refused(S::NOT_FOUND, kind::NOT_FOUND),
        (Some(409 | 412), _) => refused(S::CONFLICT, kind::CONFLICT),
        (Some(400), _) => refused(S::UNPROCESSABLE_ENTITY, kind::INVALID),
        _ if error.never_sent => bad(kind::NOT_SENT, "the cloud cannot be reached").safe(),
        (_, R::Dns | R::Connect | R::Tls) => {
            bad(kind::NOT_SENT, "the cloud cannot be reached").safe()
        }
        (_, R::Timeout) => Verdict::new(
            S::GATEWAY_TIMEOUT,
            kind::UPSTREAM_TIMEOUT,
            format!("the cloud did not answer in time: {error}"),
        ),
        _ => bad(kind::UPSTREAM, "the cloud failed"),
    }
}

#[cfg(test)]
mod tests;
