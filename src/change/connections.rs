//! A decision about connections of a cluster: they are accepted or rejected.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ConnectionChange, Effect, Outcome, Refusal,
    env::{Env, PacedCloud},
    json::value,
    plan::Verdict,
    service::read_record,
    subject::{Changeable, Key, Planned, Subject},
};
use crate::{
    audit::Content,
    board::{Attribution, ClusterMeta},
    cloud::{Budget, CloudError, Traced},
    model::{ClusterId, ConnectionList, Decision, EndpointId, Status},
    pacing::Pacer,
};

/// A connection as the caller saw it: the precondition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The status that it had.
    pub status: Status,
}

/// The decisions about connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRequest {
    /// The decision.
    pub action: Decision,
    /// The connections, each once.
    pub connections: Vec<Seen>,
}

/// Connections of a cluster, and the decision about them.
#[derive(Clone)]
pub(super) struct Connections {
    meta: Arc<ClusterMeta>,
    request: DecisionRequest,
    /// Those that do not have the requested status yet, with their present one.
    due: Vec<Seen>,
}

impl Connections {
    pub(super) fn new(meta: Arc<ClusterMeta>, request: DecisionRequest) -> Self {
        Self { meta, request, due: Vec::new() }
    }

    /// It is only read.
    pub(super) fn to_read(meta: Arc<ClusterMeta>) -> Self {
        let request = DecisionRequest { action: Decision::Accept, connections: Vec::new() };
        Self::new(meta, request)
    }

    /// The decision of an intent; `None` if the record is not of the shape that this program writes.
    pub(super) fn recalled(meta: Arc<ClusterMeta>, intent: &Content) -> Option<Self> {
        let request: DecisionRequest = read_record(&intent.request)?;
        let due: Vec<ConnectionChange> = read_record(&intent.diff)?;
        let seen = |ConnectionChange { endpoint_id, from, .. }: ConnectionChange| {
            Some(Seen { endpoint_id, status: from? })
        };
        let due: Vec<_> = due.into_iter().filter_map(seen).collect();
        (!due.is_empty()).then_some(Self { meta, request, due })
    }

    fn wanted(&self) -> Status {
        self.request.action.status()
    }

    fn due_ids(&self) -> Vec<EndpointId> {
        self.due.iter().map(|seen| seen.endpoint_id.clone()).collect()
    }

    /// Judges one connection that was due by a state after the decision.
    fn judge_one(&self, seen: &Seen, is: Option<Status>) -> Outcome {
        match is {
            Some(is) if is == self.wanted() => Outcome::Applied,
            Some(is) if is == seen.status => Outcome::NotApplied,
            _ => Outcome::Unknown,
        }
    }

    fn changes(&self, is: &HashMap<&str, Status>) -> Vec<ConnectionChange> {
        let change = |seen: &Seen| {
            let from = is.get(seen.endpoint_id.as_str()).copied();
            let is_wanted = from == Some(self.wanted());
            ConnectionChange {
                endpoint_id: seen.endpoint_id.clone(),
                from,
                to: self.wanted(),
                outcome: if is_wanted { Outcome::Unchanged } else { Outcome::Planned },
            }
        };
        self.request.connections.iter().map(change).collect()
    }
}

fn statuses(list: &ConnectionList) -> HashMap<&str, Status> {
    list.connections.iter().map(|one| (one.endpoint_id(), one.status)).collect()
}

fn warning(change: &ConnectionChange) -> Option<String> {
    let id = &change.endpoint_id;
    match change.from {
        _ if change.outcome == Outcome::Unchanged => None,
        None => Some(format!("the cluster has no connection {id}")),
        Some(Status::Accepted | Status::Rejected | Status::PendingAcceptance) => None,
        Some(other) => {
            let word = other.as_str();
            Some(format!("{id} is {word}, in which state the cloud may not take a decision"))
        }
    }
}

/// The outcome of all: unknown if any is, else partial unless all are the same.
fn over_all(outcomes: &[Outcome]) -> Outcome {
    match outcomes {
        all if all.contains(&Outcome::Unknown) => Outcome::Unknown,
        [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
        _ => Outcome::Partial,
    }
}

impl Subject for Connections {
    type State = Arc<ConnectionList>;

    fn key(&self) -> Key {
        Key::Cluster(self.meta.id.clone())
    }

    fn pacer<C>(cloud: &PacedCloud<C>) -> &Pacer {
        &cloud.css
    }

    fn named(&self, record: Content) -> Content {
        record.of_cluster(&self.meta.project, &self.meta.id, &self.meta.name)
    }

    fn requested(&self) -> Value {
        value(&self.request)
    }

    async fn read<C: Changeable>(&self, cloud: &C, budget: Budget) -> Traced<Self::State> {
        cloud.connections(&self.meta.id, budget).await
    }

    async fn send<C: Changeable>(&self, cloud: &C, budget: Budget) -> Traced<()> {
        cloud.decide(&self.meta.id, self.request.action, &self.due_ids(), budget).await
    }

    fn plan(&mut self, current: &Self::State) -> Planned {
        let changes = self.changes(&statuses(current));
        let is_due = |change: &&ConnectionChange| change.outcome == Outcome::Planned;
        let seen = |ConnectionChange { endpoint_id, from, .. }: &ConnectionChange| {
            Some(Seen { endpoint_id: endpoint_id.clone(), status: (*from)? })
        };
        self.due = changes.iter().filter(is_due).filter_map(seen).collect();
        let warnings = changes.iter().filter_map(warning).collect();
        Planned { effect: Effect::Connections(changes), warnings }
    }

    /// A connection that already has the requested status may have had any status before.
    fn check(&self, current: &Self::State) -> Result<(), Refusal> {
        let changes = self.changes(&statuses(current));
        let mut asked = changes.iter().zip(&self.request.connections);
        let is_as_seen = |(change, seen): (&ConnectionChange, &Seen)| {
            change.outcome == Outcome::Unchanged || change.from == Some(seen.status)
        };
        if asked.all(is_as_seen) {
            return Ok(());
        }
        let mut moved = Effect::Connections(changes);
        moved.end_as(Outcome::NotSent);
        Err(Refusal::StatusMoved(Box::new(moved)))
    }

    fn judge(&self, after: &Self::State) -> Verdict {
        let is = statuses(after);
        let found: Vec<_> = self
            .due
            .iter()
            .map(|seen| {
                let is = is.get(seen.endpoint_id.as_str()).copied();
                (seen, is, self.judge_one(seen, is))
            })
            .collect();
        let outcomes: Vec<_> = found.iter().map(|(.., outcome)| *outcome).collect();
        let warning = |(seen, is, outcome): &(&Seen, Option<Status>, Outcome)| {
            let (id, is) = (&seen.endpoint_id, is.map_or("gone", Status::as_str));
            (*outcome != Outcome::Applied).then(|| format!("{id} is {is}"))
        };
        let warnings = found.iter().filter_map(warning).collect();
        Verdict { outcome: over_all(&outcomes), warnings }
    }

    fn conclude(&self, effect: &mut Effect, outcome: Outcome, after: Option<Self::State>) {
        let was_judged = matches!(
            outcome,
            Outcome::Applied | Outcome::NotApplied | Outcome::Partial | Outcome::Unknown
        );
        if let (Effect::Connections(changes), Some(after), true) =
            (&mut *effect, &after, was_judged)
        {
            let is = statuses(after);
            for seen in &self.due {
                let judged = self.judge_one(seen, is.get(seen.endpoint_id.as_str()).copied());
                // Too early to conclude that it stays as before.
                let is_early = outcome == Outcome::Unknown && judged == Outcome::NotApplied;
                let same = changes.iter_mut().filter(|one| one.endpoint_id == seen.endpoint_id);
                same.for_each(|one| one.outcome = if is_early { Outcome::Unknown } else { judged });
            }
        }
        effect.end_as(outcome);
    }

    /// The polls keep the board: one follows at once.
    fn was_read<R>(&self, _: &Env<R>, _: Result<Self::State, CloudError>, _: Attribution) {}

    fn begins<R>(&self, _: &Env<R>) {}

    fn ends<R>(&self, _: &Env<R>, _: bool) {}

    fn clusters<R>(&self, _: &Env<R>) -> Vec<ClusterId> {
        vec![self.meta.id.clone()]
    }

    fn decided(&self) -> Option<(Decision, Vec<EndpointId>)> {
        Some((self.request.action, self.due_ids()))
    }
}
