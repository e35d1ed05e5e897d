//! Changes of endpoint services, and decisions about connections: planned, applied once, verified by
//! reading back, recorded.
//!
//! The admin listener has [`Changes`]; behind it the [`Engine`] owns every change, so that a change
//! ends even if its caller hangs up. It is one engine for both kinds: `subject` is the seam, on whose other
//! side `service` (with `plan`, which compares) and `connections` implement the two kinds, and `effect` has what
//! each does. `validate` checks a body, which `strict_json` reads; `record` writes to the audit log; `apply`
//! is one change from its reading to its reading back; `verify` reads until the change shows;
//! `engine` allows one writer per subject, behind the `gates`; `recovery` ends the changes that a crash cut
//! short. `json` has the documents that are written and read.

mod apply;
mod connections;
mod effect;
mod engine;
mod env;
mod gates;
mod json;
mod plan;
mod record;
mod recovery;
mod service;
mod strict_json;
mod subject;
mod timings;
mod validate;
mod verify;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use crate::{
    audit::NOT_SENT,
    cloud::CloudError,
    label::{Label as _, labels},
    model::{ClusterId, ConnectionList, EndpointService, ServiceFields, ServiceId},
};

pub use self::{
    connections::{DecisionRequest, Seen},
    effect::{Effect, Kind, ServiceEffect},
    engine::{Engine, MOST_CHANGES, MOST_READS},
    env::{Env, PacedCloud, PollSoon, Projects},
    json::{
        ChangeView, CloudAnswer, ConnectionChange, ConnectionsView, Difference, ServiceChangeView,
        ServiceView,
    },
    plan::{Plan, etag, plan},
    record::Recorder,
    subject::Changeable,
    timings::{LONGEST_CHANGE, Timings},
    validate::{BodyError, Rule, validate, validate_decision},
};

/// Requests that may wait for the engine. It takes them within microseconds, but a hundred may arrive
/// at once.
const QUEUE: usize = 128;

/// A requested change.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// The subject, and the requested change of it.
    pub wanted: Wanted,
    /// Only plan it.
    pub dry_run: bool,
    /// The name of the token, for the record.
    pub actor: Arc<str>,
    /// The address of the client, for the record.
    pub remote: IpAddr,
}

/// The subject of a change, and the requested change.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Other fields of an endpoint service.
    Service {
        /// Configured name of the project.
        project: Arc<str>,
        /// The service; it is on the service board.
        service: ServiceId,
        /// The fields to change: validated, at least one.
        update: ServiceFields,
        /// `If-Match`.
        condition: Condition,
    },
    /// A decision about connections.
    Connections {
        /// The cluster; it is on the board.
        cluster: ClusterId,
        /// The decision: validated, about at least one connection.
        decision: DecisionRequest,
    },
}

impl Wanted {
    /// The kind of the change.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Service { .. } => Kind::Service,
            Self::Connections { .. } => Kind::Connections,
        }
    }
}

/// `If-Match` of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There was none.
    None,
    /// `*`: any state.
    Any,
    /// Any of these entity tags, without their quotes.
    Tags(Vec<String>),
}

labels! {
    /// The end of a change.
    #[derive(Serialize, Deserialize)]
    #[serde(into = "&'static str", from = "String")]
    pub enum Outcome {
        /// A dry run.
        Planned = "planned",
        /// Everything already matched; nothing was sent.
        Unchanged = "unchanged",
        /// Reading back confirms the change.
        Applied = "applied",
        /// Reading back shows the old state.
        NotApplied = "not_applied",
        /// Reading back confirms a part of the change.
        Partial = "partial",
        /// It was sent, and its outcome is unknown. A word of a later version is read as this.
        Unknown = "unknown",
        /// The cloud refused it.
        Rejected = "rejected",
        /// Nothing was sent.
        NotSent = NOT_SENT,
    }
}

impl From<Outcome> for &'static str {
    fn from(outcome: Outcome) -> Self {
        outcome.as_str()
    }
}

impl From<String> for Outcome {
    fn from(word: String) -> Self {
        Self::from_str(&word).unwrap_or(Self::Unknown)
    }
}

/// The end of a change, for its caller.
pub type Report = ChangeView<Effect>;

/// The reason why there was no change, and no report of one.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The service or the cluster is not configured (any more).
    Unknown,
    /// Another change of the same service or cluster is under way.
    InProgress,
    /// There is something to change, and the request has no `If-Match`.
    ConditionRequired(Box<Current>),
    /// `If-Match` names another state than the present one.
    ConditionFailed(Box<Current>),
    /// Connections have another status than the caller saw; all of them as they are now.
    StatusMoved(Box<Effect>),
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
    /// The service as it was read.
    pub service: EndpointService,
    /// The entity tag of its fields.
    pub etag: String,
}

impl Current {
    fn of(service: EndpointService) -> Self {
        Self { etag: etag(&service), service }
    }
}

/// Asks for changes, and for the present state of services. Clones ask the same engine.
#[derive(Clone, Debug)]
pub struct Changes(mpsc::Sender<Command>);

/// A request to the engine.
#[derive(Debug)]
pub enum Command {
    /// Make, or plan, a change.
    Change(Box<ChangeRequest>, oneshot::Sender<Result<Report, Refusal>>),
    /// Read a service now.
    Read {
        /// Configured name of the project.
        project: Arc<str>,
        /// The service.
        service: ServiceId,
        /// The way back for the answer.
        answer: oneshot::Sender<Result<Current, Refusal>>,
    },
    /// Read the connections of a cluster now.
    ReadConnections {
        /// The cluster.
        cluster: ClusterId,
        /// The way back for the answer.
        answer: oneshot::Sender<Result<Arc<ConnectionList>, Refusal>>,
    },
}

impl Changes {
    /// A handle, and the end where its commands arrive.
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Makes or plans a change, and waits for its end. It ends even if no one waits.
    ///
    /// # Errors
    /// The reason why there is no report.
    pub async fn change(&self, request: ChangeRequest) -> Result<Report, Refusal> {
        self.ask(|answer| Command::Change(Box::new(request), answer)).await
    }

    /// Reads a service from the cloud.
    ///
    /// # Errors
    /// The reason why it could not be read.
    pub async fn read(&self, project: Arc<str>, service: ServiceId) -> Result<Current, Refusal> {
        self.ask(|answer| Command::Read { project, service, answer }).await
    }

    /// Reads the connections of a cluster from the cloud.
    ///
    /// # Errors
    /// The reason why they could not be read.
    pub async fn read_connections(
        &self,
        cluster: ClusterId,
    ) -> Result<Arc<ConnectionList>, Refusal> {
        self.ask(|answer| Command::ReadConnections { cluster, answer }).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(command(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::TooMany,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })?;
        answered.await.unwrap_or(Err(Refusal::Stopping))
    }
}

/// A rule that a body breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BrokenRule)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the value.
    #[schema(example = "/ports/0/client_port")]
    pub pointer: String,
    /// The word of a [`Rule`].
    pub rule: Cow<'static, str>,
    /// The value found, and the value expected.
    pub message: String,
}
