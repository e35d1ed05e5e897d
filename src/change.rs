//! Changes of endpoint services: planned, applied once, verified by reading back, recorded.
//!
//! [`Changes`] is what the admin listener holds; behind it the [`Engine`] owns every change, so that
//! a change ends even if whoever asked for it hangs up. `validate` takes a body apart (`json` reads
//! it), `fields` turns what can be changed into JSON and back, `plan` compares, `record` tells
//! the auditor, `apply` is one change from its reading to its reading back, `readback` reads
//! until it is so, `engine` holds one writer per service, `dangling` ends what a crash cut short.

mod apply;
mod dangling;
mod engine;
mod fields;
mod json;
mod parts;
mod plan;
mod readback;
mod record;
mod validate;

#[cfg(test)]
mod tests;

use std::{net::IpAddr, sync::Arc};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::{
    audit::NOT_SENT,
    cloud::CloudError,
    model::{EndpointService, ServiceFields, ServiceId},
};

pub use self::{
    apply::LONGEST_CHANGE,
    engine::{Engine, MOST_CHANGES, MOST_READS},
    fields::{cloud_to_json, diff_to_json, fields_to_json, service_to_json},
    parts::{Parts, PollBehind, Project, Projects},
    plan::{Plan, etag, plan},
    record::Recorder,
    validate::{BodyError, RULES, validate},
};

/// Requests that may wait for the engine; it takes them within microseconds, but a hundred may come
/// at the same one.
const QUEUE: usize = 128;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// Configured name of the project.
    pub project: Arc<str>,
    /// Which service; it is on the service board.
    pub service: ServiceId,
    /// What shall change: validated, at least one field.
    pub update: ServiceFields,
    /// `If-Match`.
    pub condition: Condition,
    /// Only plan it.
    pub dry_run: bool,
    /// The name of the token, for the record.
    pub actor: Arc<str>,
    /// Where the request came from, for the record.
    pub remote: IpAddr,
}

/// `If-Match` of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There was none.
    None,
    /// `*`: whatever the state is.
    Any,
    /// One of these entity tags, without their quotes.
    Tags(Vec<String>),
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A dry run.
    Planned,
    /// Everything was as wanted already; nothing was sent.
    Unchanged,
    /// Reading back shows what was wanted.
    Applied,
    /// Reading back shows what was before.
    NotApplied,
    /// Reading back shows a part of what was wanted.
    Partial,
    /// It was sent, and nobody knows what became of it.
    Unknown,
    /// The cloud refused it.
    Rejected,
    /// Nothing was sent.
    NotSent,
}

impl Outcome {
    /// All outcomes, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Unchanged,
        Self::Applied,
        Self::NotApplied,
        Self::Partial,
        Self::Unknown,
        Self::Rejected,
        Self::NotSent,
    ];

    /// The word for it, in answers, the audit log and the label of the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Unchanged => "unchanged",
            Self::Applied => "applied",
            Self::NotApplied => "not_applied",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::NotSent => NOT_SENT,
        }
    }
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its name; one of [`ServiceFields::NAMES`].
    pub field: &'static str,
    /// What it is.
    pub from: Value,
    /// What it shall be.
    pub to: Value,
}

/// What whoever asked is told.
#[derive(Clone, Debug)]
pub struct Report {
    /// The id under which it is recorded.
    pub change_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the change went to the cloud.
    pub sent: bool,
    /// Whether the same request may be made again without harm.
    pub safe_to_retry: bool,
    /// The service before.
    pub before: EndpointService,
    /// The service as it was read afterwards, if it was.
    pub after: Option<EndpointService>,
    /// What differs between before and wanted.
    pub diff: Vec<FieldChange>,
    /// What the cloud answered to the change, where it was a refusal or a failure.
    pub failure: Option<CloudError>,
    /// The cloud's status and request id of the change, where it answered.
    pub answered: Option<Answered>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

/// An answer of the cloud that was a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// The cloud's id of the request.
    pub request_id: Option<String>,
}

/// Why there was no change, and no report of one.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The service is not configured (any more).
    UnknownService,
    /// Another change of the service is under way.
    InProgress,
    /// There is something to change, and the request has no `If-Match`.
    ConditionRequired(Box<Current>),
    /// `If-Match` names another state than the present one.
    ConditionFailed(Box<Current>),
    /// The audit log does not take records.
    AuditUnavailable(String),
    /// The present state cannot be read.
    Unreadable(Box<CloudError>),
    /// Too many changes are under way.
    TooMany,
    /// The exporter is shutting down.
    Stopping,
}

/// The present state of a service.
#[derive(Clone, Debug)]
pub struct Current {
    /// What was read.
    pub service: EndpointService,
    /// The entity tag of its fields.
    pub etag: String,
}

/// Asks for changes, and for the present state of services. Clones ask the same engine.
#[derive(Clone, Debug)]
pub struct Changes(mpsc::Sender<Command>);

/// What the engine is asked.
#[derive(Debug)]
pub enum Command {
    /// Make, or plan, a change.
    Change(Box<ChangeRequest>, oneshot::Sender<Result<Report, Refusal>>),
    /// Read a service now.
    Read {
        /// Configured name of the project.
        project: Arc<str>,
        /// Which service.
        service: ServiceId,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Current, Refusal>>,
    },
}

impl Changes {
    /// A handle, and the end where its commands arrive.
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Makes or plans a change, and waits for its end. It ends even if nobody waits.
    ///
    /// # Errors
    /// Why there is no report.
    pub async fn change(&self, request: ChangeRequest) -> Result<Report, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Change(Box::new(request), answer), answered).await
    }

    /// Reads a service from the cloud.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn read(&self, project: Arc<str>, service: ServiceId) -> Result<Current, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Read { project, service, answer }, answered).await
    }

    async fn ask<T>(
        &self,
        command: Command,
        answered: oneshot::Receiver<Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        self.0.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::TooMany,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        answered.await.unwrap_or(Err(Refusal::Stopping))
    }
}

/// A rule of the document that a body breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the value.
    pub pointer: String,
    /// The rule, as one of a closed list of words.
    pub rule: &'static str,
    /// What was found and what was expected.
    pub message: String,
}
