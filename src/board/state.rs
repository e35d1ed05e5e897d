//! The state of one cluster, and how a poll changes it. Pure: dates come in with the attempt.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cloud::{CloudError, Trace, Traced},
    label::{self, labels},
    model::{ByStatus, ClusterId, Connection, ConnectionList, EndpointId, RegionId, Status},
};

/// Enough to see a pattern on the status page; the metrics hold the history.
const POLLS_KEPT: usize = 10;
/// A day of an uneasy cluster.
const TRANSITIONS_KEPT: usize = 50;

/// What is configured of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMeta {
    /// Region id.
    pub region: RegionId,
    /// Configured name of the project.
    pub project: Arc<str>,
    /// Cluster id.
    pub id: ClusterId,
    /// Configured name; the id where there is none.
    pub name: Arc<str>,
    /// How often it is polled.
    pub interval: Duration,
}

impl ClusterMeta {
    /// Whether what is known of the one is true of the other: name and interval may differ.
    pub(super) fn is_same_cluster(&self, other: &Self) -> bool {
        (&self.id, &self.project, &self.region) == (&other.id, &other.project, &other.region)
    }
}

/// How a poll ended.
#[derive(Debug)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// From its first token of the rate limit to its end.
    pub duration: Duration,
    /// What came out and what it took.
    pub outcome: Traced<Arc<ConnectionList>>,
}

/// A list of connections with the time it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the poll that made it ended.
    pub at: Timestamp,
    /// What was found; whoever finds the same again may give the same list.
    pub list: Arc<ConnectionList>,
    /// For each connection of the list: when its status was seen to change to what it is.
    pub(super) seen_changed: Arc<[Option<Timestamp>]>,
}

impl Observation {
    /// The connections, each with the time since when it has its status: when that was seen to
    /// change, else when the cloud says it was updated, else unknown.
    pub fn connections(&self) -> impl Iterator<Item = (&Connection, Option<Timestamp>)> {
        self.list
            .connections
            .iter()
            .zip(&*self.seen_changed)
            .map(|(connection, seen)| (connection, seen.or(connection.updated)))
    }

    /// Whether this shares what was found with another observation, so that only the time differs.
    /// Quick; two that do not share may still be equal.
    pub fn found_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) && Arc::ptr_eq(&self.seen_changed, &other.seen_changed)
    }
}

/// One past poll, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRecord {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Pages, retries and request ids.
    #[serde(flatten)]
    pub trace: Trace,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CloudError>,
}

/// A status change that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When it was seen.
    pub at: Timestamp,
    /// Which connection.
    pub endpoint_id: EndpointId,
    /// The status before.
    #[serde(with = "label::serde")]
    pub from: Status,
    /// The status after.
    #[serde(with = "label::serde")]
    pub to: Status,
}

labels! {
    /// How much the shown data can be trusted.
    pub enum Freshness {
        /// The last poll succeeded.
        Fresh = "fresh",
        /// The last poll failed; the data shown are older.
        Failing = "failing",
        /// The data are too old to be shown.
        Stale = "stale",
        /// No poll has succeeded yet.
        Never = "never",
    }
}

/// Everything known of one cluster. Serialized, it is the cluster's line of the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// What is configured.
    #[serde(flatten)]
    pub meta: Arc<ClusterMeta>,
    /// Status changes seen so far, by the status they led to.
    pub transitions: ByStatus<u64>,
    /// The latest changes, oldest first.
    pub recent_transitions: VecDeque<Transition>,
    /// The latest polls, oldest first.
    pub polls: VecDeque<Arc<PollRecord>>,
    /// The newest successful poll.
    pub observation: Option<Arc<Observation>>,
    /// When the endpoint service was last seen to be switched on or off; `None` if it has not changed since
    /// the cluster was first read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_switched: Option<Timestamp>,
    /// When the present run of failed polls began; `None` if the last poll did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When the next poll is due. Not in the file: after a restart the schedule is laid out anew.
    #[serde(skip)]
    pub next_poll: Option<Timestamp>,
}

impl ClusterState {
    /// A cluster that was never polled.
    pub fn new(meta: ClusterMeta) -> Self {
        Self {
            meta: Arc::new(meta),
            observation: None,
            service_switched: None,
            failing_since: None,
            transitions: ByStatus::default(),
            recent_transitions: VecDeque::new(),
            polls: VecDeque::new(),
            next_poll: None,
        }
    }

    /// The newest poll, good or bad.
    pub fn last_poll(&self) -> Option<&PollRecord> {
        self.polls.back().map(|poll| &**poll)
    }

    /// Whether the newest poll succeeded; `None` before the first.
    pub fn up(&self) -> Option<bool> {
        self.last_poll().map(|poll| poll.error.is_none())
    }

    /// Why the newest poll failed, if it did.
    pub fn last_error(&self) -> Option<&CloudError> {
        self.last_poll()?.error.as_ref()
    }

    /// Whether the newest observation has every connection that the cloud reports.
    pub fn is_whole(&self) -> bool {
        self.observation.as_ref().is_some_and(|observation| observation.list.complete)
    }

    /// The observation, unless it is as old as `stale_after`.
    pub fn shown(&self, now: Timestamp, stale_after: Duration) -> Option<&Observation> {
        let observation = self.observation.as_deref()?;
        let age = Duration::try_from(now.duration_since(observation.at)).unwrap_or_default();
        (age < stale_after).then_some(observation)
    }

    /// How much the data can be trusted.
    pub fn freshness(&self, now: Timestamp, stale_after: Duration) -> Freshness {
        match (&self.observation, self.shown(now, stale_after), self.up()) {
            (None, ..) => Freshness::Never,
            (_, None, _) => Freshness::Stale,
            (.., Some(true)) => Freshness::Fresh,
            _ => Freshness::Failing,
        }
    }

    /// Forgets what is dated later than this.
    pub(super) fn forget_after(&mut self, latest: Timestamp) {
        if self.observation.as_ref().is_some_and(|observation| observation.at > latest) {
            self.observation = None;
        }
        self.polls.retain(|poll| poll.at <= latest);
        self.service_switched = self.service_switched.filter(|&at| at <= latest);
        self.failing_since = self.failing_since.filter(|&at| at <= latest);
    }

    /// The state after a poll: a success replaces the observation whole, a failure leaves it alone.
    pub(super) fn after(&self, attempt: Attempt, next_poll: Timestamp) -> Self {
        let mut next = Self { next_poll: Some(next_poll), ..self.clone() };
        let error = match attempt.outcome.result {
            Ok(list) => {
                next.observe(attempt.at, list);
                next.failing_since = None;
                None
            }
            Err(error) => {
                next.failing_since.get_or_insert(attempt.at);
                Some(error)
            }
        };
        push_bounded(
            &mut next.polls,
            Arc::new(PollRecord {
                at: attempt.at,
                duration: attempt.duration,
                trace: attempt.outcome.trace,
                error,
            }),
            POLLS_KEPT,
        );
        next
    }

    fn observe(&mut self, at: Timestamp, list: Arc<ConnectionList>) {
        let previous = self.observation.take();
        let is_same = |previous: &&Arc<Observation>| {
            Arc::ptr_eq(&previous.list, &list) || previous.list == list
        };
        if let Some(same) = previous.as_ref().filter(is_same) {
            // Of two equal lists the new one stays: who found it knows it by its address.
            let seen_changed = same.seen_changed.clone();
            self.observation = Some(Arc::new(Observation { at, list, seen_changed }));
            return;
        }
        let was_enabled = previous.as_ref().map(|previous| previous.list.service_enabled);
        if was_enabled.is_some_and(|was_enabled| was_enabled != list.service_enabled) {
            self.service_switched = Some(at);
        }
        let mut known = Known::of(previous.as_deref(), &list);
        let mut seen_changed = Vec::with_capacity(list.connections.len());
        for connection in &list.connections {
            let seen = match known.take(connection.endpoint_id()) {
                Some((status, seen)) if status == connection.status => seen,
                Some((from, _)) => {
                    let count = &mut self.transitions[connection.status as usize];
                    *count = count.saturating_add(1);
                    let transition = Transition {
                        at,
                        endpoint_id: EndpointId::new(connection.endpoint_id()),
                        from,
                        to: connection.status,
                    };
                    push_bounded(&mut self.recent_transitions, transition, TRANSITIONS_KEPT);
                    Some(at)
                }
                // A connection that appears has not been seen to change.
                None => None,
            };
            seen_changed.push(seen);
        }
        let seen_changed = seen_changed.into();
        self.observation = Some(Arc::new(Observation { at, list, seen_changed }));
    }
}

/// What was known of connections, to be asked once for each of a newer list, in its order.
enum Known<'a> {
    /// Both lists are in the order of the ids: one way through both.
    InOrder {
        connections: &'a [Connection],
        seen_changed: &'a [Option<Timestamp>],
    },
    ById(HashMap<&'a str, (Status, Option<Timestamp>)>),
}

impl<'a> Known<'a> {
    fn of(previous: Option<&'a Observation>, newer: &ConnectionList) -> Self {
        let Some(previous) = previous else { return Self::ById(HashMap::new()) };
        let (connections, seen_changed) = (&*previous.list.connections, &*previous.seen_changed);
        let in_order = |connections: &[Connection]| {
            connections.is_sorted_by(|a, b| a.endpoint_id() < b.endpoint_id())
        };
        if in_order(connections) && in_order(&newer.connections) {
            return Self::InOrder { connections, seen_changed };
        }
        let known = connections.iter().zip(seen_changed);
        let known = known.map(|(known, seen)| (known.endpoint_id(), (known.status, *seen)));
        Self::ById(known.collect())
    }

    fn take(&mut self, id: &str) -> Option<(Status, Option<Timestamp>)> {
        match self {
            Self::InOrder { connections, seen_changed } => {
                let gone = connections.iter().take_while(|known| known.endpoint_id() < id).count();
                (*connections, *seen_changed) = (&connections[gone..], &seen_changed[gone..]);
                let known = connections.first().filter(|known| known.endpoint_id() == id)?;
                Some((known.status, seen_changed[0]))
            }
            Self::ById(known) => known.get(id).copied(),
        }
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    // A loop, as a state file may come from a program that kept more.
    while queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests;
