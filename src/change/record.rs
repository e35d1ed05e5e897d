//! The seam to the audit log, and the records of a change.

use std::future::Future;

use super::{
    ChangeRequest, Outcome, Report,
    json::{Requested, ServiceView, value},
    plan::differences,
};
use crate::audit::{self, Audit, AuditError, ChangeId, Intent, OutcomeEntry, Subject};

/// Where changes are recorded: the audit log, or what a test has in its place.
pub trait Recorder: Send + Sync + 'static {
    /// Records what is about to be sent; it ends within seconds.
    ///
    /// # Errors
    /// Where the record is not on the disk: nothing may be sent.
    fn intent(&self, intent: Intent) -> impl Future<Output = Result<(), AuditError>> + Send;

    /// Records what became of a change; it ends within seconds.
    ///
    /// # Errors
    /// Where the record is not on the disk yet.
    fn outcome(&self, entry: OutcomeEntry) -> impl Future<Output = Result<(), AuditError>> + Send;
}

/// Without a log no change is made.
impl Recorder for Option<Audit> {
    async fn intent(&self, intent: Intent) -> Result<(), AuditError> {
        let log = self.as_ref().ok_or_else(not_configured)?;
        log.intent(intent).await.map(drop)
    }

    async fn outcome(&self, entry: OutcomeEntry) -> Result<(), AuditError> {
        let log = self.as_ref().ok_or_else(not_configured)?;
        log.outcome(entry).await.map(drop)
    }
}

fn not_configured() -> AuditError {
    AuditError::Unavailable("admin.audit_log is not configured".to_owned())
}

pub(super) fn subject(change_id: ChangeId, request: &ChangeRequest, name: &str) -> Subject {
    Subject {
        change_id,
        actor: (&*request.actor).into(),
        remote: request.remote.to_string().into(),
        project: (&*request.project).into(),
        service_id: request.service.clone(),
        service_name: Some(name.into()),
    }
}

/// The record of what is about to be sent.
pub(super) fn intent(subject: Subject, request: &ChangeRequest, report: &Report) -> Intent {
    Intent {
        subject,
        before: value(&ServiceView::from(&report.before)),
        request: value(&Requested::new(&request.condition, &request.update)),
        diff: value(&report.diff),
    }
}

/// The record of how it ended. `diff` is what was found to have changed, asked for or not.
pub(super) fn outcome(subject: Subject, report: &Report) -> OutcomeEntry {
    let before = report.before.state();
    let found = report.after.as_ref().map(|after| differences(&before, after));
    OutcomeEntry {
        diff: found.map(|found| value(&found)),
        cloud: report.cloud.as_ref().map(value),
        ..bare_outcome(subject, report.outcome)
    }
}

/// The record of a request for what was so already. There is no intent that tells the rest.
pub(super) fn unchanged(intent: Intent) -> OutcomeEntry {
    let Intent { subject, before, request, diff } = intent;
    OutcomeEntry {
        before: Some(before),
        request: Some(request),
        diff: Some(diff),
        ..bare_outcome(subject, Outcome::Unchanged)
    }
}

/// An outcome of which only the word is known.
pub(super) fn bare_outcome(subject: Subject, outcome: Outcome) -> OutcomeEntry {
    let outcome = outcome.as_str().into();
    OutcomeEntry { subject, before: None, request: None, diff: None, cloud: None, outcome }
}

/// The intent that a record of the log holds.
pub(super) fn intent_of(record: audit::Record) -> Option<Intent> {
    let audit::Content { change_id, actor, remote, project, service_id, service_name, .. } =
        record.content;
    let subject = Subject {
        change_id: change_id?,
        actor: actor.unwrap_or_default(),
        remote: remote.unwrap_or_default(),
        project: project?,
        service_id: service_id?,
        service_name,
    };
    Some(Intent {
        subject,
        before: record.content.before.unwrap_or_default(),
        request: record.content.request.unwrap_or_default(),
        diff: record.content.diff.unwrap_or_default(),
    })
}
