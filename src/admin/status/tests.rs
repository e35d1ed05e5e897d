use super::*;
use crate::{
    change::{Current, Effect, ServiceEffect},
    model::{EndpointService, ServiceFields, ServiceId, ServiceName, ServiceStatus},
};

fn service() -> EndpointService {
    EndpointService {
        id: ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88").unwrap(),
        full_name: ServiceName::new("cn-north-4.logs.x"),
        status: ServiceStatus::Available,
        fields: ServiceFields::default(),
        connections: None,
        created: None,
        updated: None,
    }
}

fn report(outcome: Outcome, safe_to_retry: bool, failure: Option<CloudError>) -> Report {
    Report {
        change_id: "c".into(),
        outcome,
        sent: true,
        safe_to_retry,
        effect: Effect::Service(Box::new(ServiceEffect {
            before: service(),
            after: None,
            diff: Vec::new(),
        })),
        failure,
        cloud: None,
        warnings: Vec::new(),
    }
}

fn error(reason: Reason, status: u16) -> CloudError {
    CloudError { status: (status > 0).then_some(status), ..CloudError::new(reason, "no") }
}

#[test]
fn outcomes_have_their_status() {
    let cases = [
        (Outcome::Planned, None),
        (Outcome::Unchanged, None),
        (Outcome::Applied, None),
        (Outcome::NotApplied, Some((502, kind::NOT_APPLIED))),
        (Outcome::Partial, Some((502, kind::PARTIAL))),
        (Outcome::Unknown, Some((504, kind::UNKNOWN))),
        (Outcome::Rejected, Some((502, kind::UPSTREAM))),
        (Outcome::NotSent, Some((502, kind::NOT_SENT))),
    ];
    assert_eq!(cases.map(|case| case.0), Outcome::ALL);
    for (outcome, expected) in cases {
        for safe in [false, true] {
            let verdict = of_report(&report(outcome, safe, None));
            let found = verdict.as_ref().map(|verdict| (verdict.status.as_u16(), verdict.kind));
            assert_eq!(found, expected, "{outcome:?}");
            // The report knows better than its failure.
            assert!(verdict.is_none_or(|verdict| verdict.safe_to_retry == safe));
        }
    }
    // What is known of the service counts, not what the cloud said.
    let failure = || Some(error(Reason::Http5xx, 500));
    assert_eq!(of_report(&report(Outcome::Applied, false, failure())), None);
    let unknown = of_report(&report(Outcome::Unknown, false, failure())).unwrap();
    assert_eq!(unknown.status.as_u16(), 504);
}

/// Every refusal and failure of the cloud, and what it is to the caller.
#[test]
fn answers_of_the_cloud_have_their_status() {
    use Reason as R;
    use cloud::Refusal as F;
    let refused = |reason, refusal| CloudError { refusal: Some(refusal), ..error(reason, 400) };
    let cases = [
        (refused(R::Throttled, F::Throttled), 503, kind::THROTTLED, Some(60)),
        (refused(R::ClockSkew, F::ClockSkew), 502, kind::CLOCK_SKEW, None),
        (refused(R::Auth, F::Credentials), 502, kind::CREDENTIALS, None),
        (refused(R::Forbidden, F::Forbidden), 502, kind::FORBIDDEN, None),
        (refused(R::Redirect, F::Redirected), 502, kind::REDIRECT, None),
        (refused(R::NotFound, F::WrongEndpoint), 502, kind::MISCONFIGURED, None),
        (refused(R::NotFound, F::Missing), 404, kind::NOT_FOUND, None),
        (refused(R::Http4xx, F::Conflict), 409, kind::CONFLICT, None),
        (refused(R::Http4xx, F::State), 409, kind::SERVICE_STATE, Some(60)),
        (refused(R::Http4xx, F::Invalid), 422, kind::INVALID, None),
        // No answer, or none that the client of the cloud understands.
        (error(R::Auth, 0), 502, kind::CREDENTIALS, None),
        (error(R::NotFound, 0), 404, kind::NOT_FOUND, None),
        (error(R::Http4xx, 451), 502, kind::UPSTREAM, None),
        (error(R::Dns, 0), 502, kind::NOT_SENT, None),
        (error(R::Connect, 0), 502, kind::NOT_SENT, None),
        (error(R::Tls, 0), 502, kind::NOT_SENT, None),
        (error(R::Internal, 0).unsent(), 502, kind::NOT_SENT, None),
        (error(R::Timeout, 0), 504, kind::UPSTREAM_TIMEOUT, None),
        (error(R::Reset, 0), 502, kind::UPSTREAM, None),
        (error(R::Http5xx, 500), 502, kind::UPSTREAM, None),
        (error(R::BadJson, 200), 502, kind::UPSTREAM, None),
        (error(R::BadShape, 200), 502, kind::UPSTREAM, None),
        (error(R::TooLarge, 200), 502, kind::UPSTREAM, None),
        (error(R::Internal, 0), 502, kind::UPSTREAM, None),
    ];
    for (error, status, kind, wait) in cases {
        let expected = (status, kind, wait.map(Duration::from_secs));
        for outcome in [Outcome::Rejected, Outcome::NotSent] {
            let verdict = of_report(&report(outcome, false, Some(error.clone()))).unwrap();
            let found = (verdict.status.as_u16(), verdict.kind, verdict.retry_after);
            assert_eq!(found, expected, "{error:?}");
            assert!(verdict.detail.contains("no"), "it says what the cloud said: {verdict:?}");
        }
        let refusal = Refusal::Unreadable(Box::new(error));
        let verdict = of_refusal(&refusal, Kind::Service);
        let found = (verdict.status.as_u16(), verdict.kind, verdict.retry_after);
        assert_eq!((found, verdict.safe_to_retry), (expected, true), "{refusal:?}");
    }
}

/// The cloud has no part in it.
#[test]
fn our_own_rate_limit_is_named() {
    let change = of_report(&report(Outcome::NotSent, true, Some(CloudError::no_turn()))).unwrap();
    let read = of_refusal(&Refusal::Unreadable(Box::new(CloudError::no_turn())), Kind::Service);
    for verdict in [change, read] {
        assert_eq!((verdict.status.as_u16(), verdict.kind), (503, kind::OWN_LIMIT));
        assert_eq!((verdict.retry_after, verdict.safe_to_retry), (Some(NO_TURN), true));
        let detail = verdict.detail;
        assert!(detail.contains("own rate limit") && !detail.contains("the cloud"), "{detail}");
    }
}

#[test]
fn the_missing_permission_is_named() {
    let error = || error(Reason::Forbidden, 403);
    let change = of_report(&report(Outcome::Rejected, false, Some(error()))).unwrap();
    assert!(change.detail.contains("vpcep:endpointServices:update"), "{change:?}");
    let read = of_refusal(&Refusal::Unreadable(Box::new(error())), Kind::Service);
    assert!(read.detail.contains("vpcep:endpointServices:get"), "{read:?}");
}

#[test]
fn the_cloud_says_how_long_to_wait() {
    let mut error = error(Reason::Throttled, 429);
    error.retry_after = Some(Duration::from_secs(7));
    let verdict = of_refusal(&Refusal::Unreadable(Box::new(error)), Kind::Service);
    assert_eq!(verdict.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn refusals_have_their_status() {
    let current = || Box::new(Current { service: service(), etag: "e".into() });
    let cases = [
        (Refusal::Unknown, 403, "about:blank", false),
        (Refusal::InProgress, 409, kind::IN_PROGRESS, true),
        (Refusal::ConditionRequired(current()), 428, kind::CONDITION_REQUIRED, false),
        (Refusal::ConditionFailed(current()), 412, kind::CONDITION_FAILED, false),
        (Refusal::AuditUnavailable("full".into()), 503, kind::AUDIT_UNAVAILABLE, true),
        (Refusal::TooMany, 503, kind::TOO_MANY, true),
        (Refusal::Stopping, 503, kind::STOPPING, true),
    ];
    for (refusal, status, kind, safe) in cases {
        let verdict = of_refusal(&refusal, Kind::Service);
        let found = (verdict.status.as_u16(), verdict.kind, verdict.safe_to_retry);
        assert_eq!(found, (status, kind, safe), "{refusal:?}");
        assert!(status != 403 || verdict == not_yours(), "one answer for both");
    }
}
