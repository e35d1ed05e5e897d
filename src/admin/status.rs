//! The HTTP status of an outcome: pure, as a table.
//!
//! The exporter's own credentials are its own affair: the cloud refusing them is never a 401 or 403
//! of this API, whose caller did nothing wrong.

use std::time::Duration;

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use serde::Serialize;

use crate::{
    change::{Kind, Outcome, Refusal, Report},
    cloud::{self, CloudError, Reason},
    web::answers::{problem_with, with_header},
};

/// The wait if the cloud throttles and does not say for how long: it counts by the minute.
const THROTTLED: Duration = Duration::from_secs(60);
/// The wait after our own rate limit did not admit a request: as long again.
const NO_TURN: Duration = Duration::from_secs(10);
/// The wait for a change under way to end; most take about a second.
const BUSY: Duration = Duration::from_secs(5);

/// The kinds of problems, the last part of their `type`.
pub(super) mod kind {
    pub(in crate::admin) const AUDIT_UNAVAILABLE: &str = "/problems/audit_unavailable";
    pub(in crate::admin) const CLUSTER_NOT_FOUND: &str = "/problems/cluster_not_found";
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
        let answer = problem_with(self.status, self.kind, &self.detail, members);
        match self.retry_after {
            Some(wait) => with_header(answer, header::RETRY_AFTER, wait.as_secs().max(1)),
            None => answer,
        }
    }
}

/// `None` where the report is a success.
pub(super) fn of_report(report: &Report) -> Option<Verdict> {
    let (bad, words) = (StatusCode::BAD_GATEWAY, words(report.effect.kind()));
    let verdict = match (report.outcome, &report.failure) {
        (Outcome::Planned | Outcome::Unchanged | Outcome::Applied, _) => return None,
        (Outcome::Partial, _) => Verdict::new(bad, kind::PARTIAL, words.partial),
        (Outcome::NotApplied, _) => Verdict::new(
            bad,
            kind::NOT_APPLIED,
            "the change was sent, and reading back shows the old state",
        ),
        (Outcome::Unknown, _) => Verdict::new(
            StatusCode::GATEWAY_TIMEOUT,
            kind::UNKNOWN,
            format!(
                "the change was sent, and what became of it could not be read; read the {} before \
                 trying again",
                words.noun
            ),
        ),
        (Outcome::Rejected | Outcome::NotSent, Some(error)) => {
            of_error(error, words.to_change, words)
        }
        (Outcome::Rejected, None) => {
            Verdict::new(bad, kind::UPSTREAM, "the cloud refused the change")
        }
        (Outcome::NotSent, None) => Verdict::new(bad, kind::NOT_SENT, "nothing was sent"),
    };
    Some(Verdict { safe_to_retry: report.safe_to_retry, ..verdict })
}

pub(super) fn of_refusal(refusal: &Refusal, about: Kind) -> Verdict {
    use StatusCode as S;
    let words = words(about);
    match refusal {
        // Configured when the request came in, and not any more.
        Refusal::Unknown => not_yours(),
        Refusal::InProgress => Verdict::new(
            S::CONFLICT,
            kind::IN_PROGRESS,
            format!("another change of this {} is under way", words.noun),
        )
        .after(BUSY)
        .safe(),
        Refusal::ConditionRequired(_) => Verdict::new(
            S::PRECONDITION_REQUIRED,
            kind::CONDITION_REQUIRED,
            "there is something to change: name the state that it is based on with If-Match",
        ),
        Refusal::ConditionFailed(_) => Verdict::new(
            S::PRECONDITION_FAILED,
            kind::CONDITION_FAILED,
            "the service is not in the state that If-Match names; current is its state now",
        ),
        Refusal::StatusMoved(_) => Verdict::new(
            S::PRECONDITION_FAILED,
            kind::CONDITION_FAILED,
            "a connection has another status than the request says; connections has all as they are",
        ),
        Refusal::AuditUnavailable(why) => Verdict::new(
            S::SERVICE_UNAVAILABLE,
            kind::AUDIT_UNAVAILABLE,
            format!("a change needs a record, and the audit log cannot be written: {why}"),
        )
        .safe(),
        Refusal::Unreadable(error) => of_error(error, words.to_read, words).safe(),
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

/// Everything in which the answers about the two kinds of change differ.
struct Words {
    noun: &'static str,
    partial: &'static str,
    /// The cloud's permission for reading.
    to_read: &'static str,
    /// The cloud's permission for the change.
    to_change: &'static str,
    /// The key of the configuration with the address of the API.
    address: &'static str,
    /// The type of the problem that there is no such service or cluster.
    missing: &'static str,
}

const SERVICE: Words = Words {
    noun: "service",
    partial: "reading back confirms only a part of the change; compare after with diff",
    to_read: "vpcep:endpointServices:get",
    to_change: "vpcep:endpointServices:update",
    address: "api_endpoints.vpcep",
    missing: kind::NOT_FOUND,
};

const CONNECTIONS: Words = Words {
    noun: "cluster",
    partial: "reading back confirms the change for some connections only; connections says which",
    to_read: "css:VPCEndpoint:listConnection",
    to_change: "css:VPCEndpoint:manageConnection",
    address: "api_endpoints.css",
    missing: kind::CLUSTER_NOT_FOUND,
};

const fn words(about: Kind) -> &'static Words {
    match about {
        Kind::Service => &SERVICE,
        Kind::Connections => &CONNECTIONS,
    }
}

/// The one answer for what is not configured and for what the token may not see.
pub(super) fn not_yours() -> Verdict {
    Verdict::new(
        StatusCode::FORBIDDEN,
        "about:blank",
        "it is not configured, or not among those of this token",
    )
}

/// `permission`: the one that the failed request needs.
fn of_error(error: &CloudError, permission: &str, words: &Words) -> Verdict {
    use StatusCode as S;
    use cloud::Refusal as R;
    let bad = |kind, what: &str| Verdict::new(S::BAD_GATEWAY, kind, format!("{what}: {error}"));
    let refused = |status, kind| Verdict::new(status, kind, format!("the cloud says: {error}"));
    match error.refusal {
        _ if error.own_limit => {
            let detail = format!("nothing was sent: {error}");
            Verdict::new(S::SERVICE_UNAVAILABLE, kind::OWN_LIMIT, detail).after(NO_TURN).safe()
        }
        Some(R::Throttled) => refused(S::SERVICE_UNAVAILABLE, kind::THROTTLED)
            .after(error.retry_after.unwrap_or(THROTTLED))
            .safe(),
        Some(R::ClockSkew) => {
            bad(kind::CLOCK_SKEW, "the clock of the exporter and that of the cloud differ")
        }
        Some(R::Credentials) => {
            bad(kind::CREDENTIALS, "the cloud refuses the credentials of the exporter")
        }
        Some(R::Forbidden) => {
            bad(kind::FORBIDDEN, &format!("the user of the exporter lacks {permission}"))
        }
        Some(R::Redirected) => bad(kind::REDIRECT, "the cloud redirects, which is not followed"),
        Some(R::WrongEndpoint) => {
            bad(kind::MISCONFIGURED, &format!("{} of the configuration is wrong", words.address))
        }
        Some(R::Missing) => refused(S::NOT_FOUND, words.missing),
        Some(R::Conflict) => refused(S::CONFLICT, kind::CONFLICT),
        Some(R::State) => refused(S::CONFLICT, kind::SERVICE_STATE).after(THROTTLED),
        Some(R::Invalid) => refused(S::UNPROCESSABLE_ENTITY, kind::INVALID),
        None if error.never_sent
            || matches!(error.reason, Reason::Dns | Reason::Connect | Reason::Tls) =>
        {
            bad(kind::NOT_SENT, "the cloud cannot be reached").safe()
        }
        None if error.reason == Reason::Timeout => Verdict::new(
            S::GATEWAY_TIMEOUT,
            kind::UPSTREAM_TIMEOUT,
            format!("the cloud did not answer in time: {error}"),
        ),
        None => bad(kind::UPSTREAM, "the cloud failed"),
    }
}

#[cfg(test)]
mod tests;
