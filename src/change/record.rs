//! The seam to the audit log, and the records of a change.

use std::{future::Future, net::IpAddr, sync::Arc};

use super::{Effect, Outcome, Report, json::value, subject::Subject};
use crate::audit::{Audit, AuditError, ChangeId, Content, Kind};

/// The caller who requests a change.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) dry_run: bool,
    pub(super) actor: Arc<str>,
    pub(super) remote: IpAddr,
}

/// The audit log, or the stand-in of a test.
pub trait Recorder: Send + Sync + 'static {
    /// Records what is about to be sent; it ends within seconds.
    ///
    /// # Errors
    /// If the record is not on the disk; then nothing may be sent.
    fn intent(&self, intent: Content) -> impl Future<Output = Result<(), AuditError>> + Send;

    /// Records how a change ended; it ends within seconds.
    ///
    /// # Errors
    /// If the record is not on the disk yet.
    fn outcome(&self, outcome: Content) -> impl Future<Output = Result<(), AuditError>> + Send;
}

/// Without a log no change is made.
impl Recorder for Option<Audit> {
    async fn intent(&self, intent: Content) -> Result<(), AuditError> {
        let log = self.as_ref().ok_or_else(not_configured)?;
        log.intent(intent).await.map(drop)
    }

    async fn outcome(&self, outcome: Content) -> Result<(), AuditError> {
        let log = self.as_ref().ok_or_else(not_configured)?;
        log.outcome(outcome).await.map(drop)
    }
}

fn not_configured() -> AuditError {
    AuditError::Unavailable("admin.audit_log is not configured".to_owned())
}

/// The record of what is about to be sent.
pub(super) fn intent(
    change_id: ChangeId,
    request: &Asker,
    subject: &impl Subject,
    effect: &Effect,
) -> Content {
    subject.named(Content {
        change_id: Some(change_id),
        actor: Some((&*request.actor).into()),
        remote: Some(request.remote.to_string().into()),
        before: Some(effect.before()),
        request: Some(subject.requested()),
        diff: Some(effect.diff()),
        ..Content::empty(Kind::Intent)
    })
}

/// The record of the outcome. `diff` has all changes that were found, requested or not.
pub(super) fn outcome(intent: &Content, report: &Report) -> Content {
    Content {
        diff: report.effect.found(),
        cloud: report.cloud.as_ref().map(value),
        ..intent.ended(report.outcome.as_str())
    }
}

/// The record of a request that already matched. There is no intent with the rest.
pub(super) fn unchanged(intent: Content) -> Content {
    let outcome = Some(Outcome::Unchanged.as_str().into());
    Content { kind: Kind::Outcome, outcome, ..intent }
}
