//! The seam to the audit log, and what a change tells it.

use std::future::Future;

use serde_json::{Value, json};

use super::{
    ChangeRequest, Condition, FieldChange, Outcome, Report,
    fields::{cloud_to_json, diff_to_json, fields_to_json, service_to_json},
    plan::differences,
};
use crate::audit::{self, Audit, AuditError, ChangeId, Intent, Subject};

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
    fn outcome(
        &self,
        outcome: audit::Outcome,
    ) -> impl Future<Output = Result<(), AuditError>> + Send;
}

impl Recorder for Audit {
    async fn intent(&self, intent: Intent) -> Result<(), AuditError> {
        Self::intent(self, intent).await.map(drop)
    }

    async fn outcome(&self, outcome: audit::Outcome) -> Result<(), AuditError> {
        Self::outcome(self, outcome).await.map(drop)
    }
}

/// Without a log no change is made.
impl Recorder for Option<Audit> {
    async fn intent(&self, intent: Intent) -> Result<(), AuditError> {
        let log = self.as_ref().ok_or_else(not_configured)?;
        log.intent(intent).await.map(drop)
    }

    async fn outcome(&self, outcome: audit::Outcome) -> Result<(), AuditError> {
        let log = self.as_ref().ok_or_else(not_configured)?;
        log.outcome(outcome).await.map(drop)
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

/// What is about to be sent. `request` is `{"if_match": …, "update": …}`: the precondition (`"*"`, or
/// a list of tags) and the body.
pub(super) fn intent(subject: Subject, request: &ChangeRequest, report: &Report) -> Intent {
    let ChangeRequest { update, condition, .. } = request;
    Intent {
        subject,
        before: service_to_json(&report.before),
        request: json!({ "if_match": if_match(condition), "update": fields_to_json(update) }),
        diff: diff_to_json(&report.diff),
    }
}

/// What became of it. `diff` is what was found to have changed, asked for or not.
pub(super) fn outcome(subject: Subject, report: &Report) -> audit::Outcome {
    let before = report.before.state();
    let found = |after: &super::EndpointService| differences(&before, after);
    let found: Option<Vec<FieldChange>> = report.after.as_ref().map(found);
    let cloud = cloud_to_json(report.failure.as_ref(), report.answered.as_ref());
    audit::Outcome {
        subject,
        before: None,
        request: None,
        diff: found.map(|found| diff_to_json(&found)),
        cloud: Some(cloud).filter(|cloud| !cloud.is_null()),
        outcome: report.outcome.as_str().into(),
    }
}

/// Somebody asked for what was so already. There is no intent that tells the rest.
pub(super) fn unchanged(intent: Intent) -> audit::Outcome {
    let Intent { subject, before, request, diff } = intent;
    audit::Outcome {
        before: Some(before),
        request: Some(request),
        diff: Some(diff),
        ..bare_outcome(subject, Outcome::Unchanged)
    }
}

/// An outcome of which only the word is known.
pub(super) fn bare_outcome(subject: Subject, outcome: Outcome) -> audit::Outcome {
    let outcome = outcome.as_str().into();
    audit::Outcome { subject, before: None, request: None, diff: None, cloud: None, outcome }
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

fn if_match(condition: &Condition) -> Value {
    match condition {
        Condition::None => Value::Null,
        Condition::Any => "*".into(),
        Condition::Tags(tags) => tags.as_slice().into(),
    }
}
