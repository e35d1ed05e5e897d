//! The state of one cluster, and how a poll changes it. Pure: dates come in with the attempt.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::own_change::{OwnChanges, RejectedHere, Rejection};
use crate::{
    cloud::{CloudError, Trace, Traced},
    label::{self, labels},
    model::{
        ByStatus, ClusterId, Connection, ConnectionList, EndpointId, Labels, ListedCluster,
        RegionId, Status,
    },
};

/// Enough to see a pattern on the status page; the metrics hold the history.
const POLLS_KEPT: usize = 10;
/// A day of an uneasy cluster.
const TRANSITIONS_KEPT: usize = 50;

/// The configuration of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMeta {
    /// Region id.
    pub region: RegionId,
    /// Configured name of the project.
    pub project: Arc<str>,
    /// Cluster id.
    pub id: ClusterId,
    /// Configured name, else that of the list of clusters, else the id.
    pub name: Arc<str>,
    /// Time between two polls.
    pub interval: Duration,
    /// Labels of the configuration and of tags.
    #[serde(skip)]
    pub labels: Labels,
    /// Its row in the list of clusters, if discovery found it. It is in the state file, so that a restart
    /// polls what was discovered before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Arc<ListedCluster>>,
}

impl ClusterMeta {
    /// True if both are the same cluster in the same place; name and interval may differ.
    pub(super) fn is_same_cluster(&self, other: &Self) -> bool {
        (&self.id, &self.project, &self.region) == (&other.id, &other.project, &other.region)
    }
}

/// The end of a poll.
#[derive(Debug)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// From its first token of the rate limit to its end.
    pub duration: Duration,
    /// The result, and the effort that it took.
    pub outcome: Traced<Arc<ConnectionList>>,
}

/// A list of connections with the time it was read.
///
/// This is where the exporter decides whether a poll found the same as the one before. If it did, the
/// new observation shares `list` and `seen_changed` with the old one and differs only in its time, so
/// that everyone behind the board asks [`Observation::found_the_same`] and compares nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the poll that made it ended.
    pub at: Timestamp,
    /// The connections, shared by all observations in a row that found the same.
    pub list: Arc<ConnectionList>,
    /// For each connection of the list: when its status was seen to change to what it is.
    pub(super) seen_changed: Arc<[Option<Timestamp>]>,
    /// The rejected connections that are so by a change through the admin listener.
    pub rejected_here: RejectedHere,
}

impl Observation {
    /// The connections, each with the time since when it has its status: when that was seen to
    /// change, else when the cloud says it was updated, else unknown.
    pub fn connections(&self) -> impl Iterator<Item = (&Connection, Option<Timestamp>)> {
        self.list
            .connections
            .iter()
            .zip(&*self.seen_changed)
            .map(|(connection, seen)| (connection, seen.or_else(|| connection.updated())))
    }

    /// The rejection through the admin listener, if a connection is rejected because of one.
    pub fn rejection(&self, connection: &Connection) -> Option<&Rejection> {
        // Most clusters have none.
        let any = Some(&*self.rejected_here).filter(|all| !all.is_empty())?;
        any.get(&EndpointId::new(connection.endpoint_id()))
    }

    /// True if two observations of a cluster differ only in their time. Compares two addresses: of
    /// observations with others in between, equal ones may be taken for different.
    pub fn found_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) && Arc::ptr_eq(&self.seen_changed, &other.seen_changed)
    }
}

/// A past poll, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRecord {
    /// When it ended.
    pub at: Timestamp,
    /// From its first token of the rate limit to its end.
    pub duration: Duration,
    /// Pages, retries and request ids.
    #[serde(flatten)]
    pub trace: Trace,
    /// The failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CloudError>,
}

/// A status change that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When it was seen.
    pub at: Timestamp,
    /// The connection.
    pub endpoint_id: EndpointId,
    /// The status before.
    #[serde(with = "label::serde")]
    pub from: Status,
    /// The status after.
    #[serde(with = "label::serde")]
    pub to: Status,
    /// The change of ours that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<Arc<str>>,
}

labels! {
    /// The state of the data, as in `css_vpcep_exporter_targets`.
    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    #[schema(as = State)]
    pub enum Freshness {
        /// The last poll succeeded.
        Fresh = "fresh",
        /// The last poll failed, and older data are shown.
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
    /// Its configuration.
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
    /// Not in the file either: the polls after a start find them in time, or never.
    #[serde(skip)]
    pub own_changes: OwnChanges,
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
            own_changes: OwnChanges::default(),
        }
    }

    /// The newest poll, good or bad.
    pub fn last_poll(&self) -> Option<&PollRecord> {
        self.polls.back().map(|poll| &**poll)
    }

    /// True if the newest poll succeeded; `None` before the first.
    pub fn up(&self) -> Option<bool> {
        self.last_poll().map(|poll| poll.error.is_none())
    }

    /// The failure of the newest poll, if it failed.
    pub fn last_error(&self) -> Option<&CloudError> {
        self.last_poll()?.error.as_ref()
    }

    /// True if the newest observation has every connection that the cloud reports.
    pub fn is_whole(&self) -> bool {
        self.observation.as_ref().is_some_and(|observation| observation.list.complete)
    }

    /// The observation, unless it is as old as `stale_after`.
    pub fn shown(&self, now: Timestamp, stale_after: Duration) -> Option<&Observation> {
        let observation = self.observation.as_deref()?;
        let age = Duration::try_from(now.duration_since(observation.at)).unwrap_or_default();
        (age < stale_after).then_some(observation)
    }

    /// The state of the data at a moment.
    pub fn freshness(&self, now: Timestamp, stale_after: Duration) -> Freshness {
        match (&self.observation, self.shown(now, stale_after), self.up()) {
            (None, ..) => Freshness::Never,
            (_, None, _) => Freshness::Stale,
            (.., Some(true)) => Freshness::Fresh,
            _ => Freshness::Failing,
        }
    }

    /// Drops every fact with a later date than this.
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
                let began = attempt.at.saturating_sub(attempt.duration).unwrap_or(attempt.at);
                next.own_changes.shown(began, attempt.at);
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

    /// Takes over a list that was read, with the changes between it and the list before.
    fn observe(&mut self, at: Timestamp, list: Arc<ConnectionList>) {
        let previous = self.observation.take();
        let rejected_here = self
            .own_changes
            .rejected_here(previous.as_ref().map(|before| &before.rejected_here), &list);
        let is_same = |previous: &&Arc<Observation>| {
            previous.list == list && previous.rejected_here == rejected_here
        };
        // The same question is not asked again further on: see `Observation`.
        if let Some(same) = previous.as_ref().filter(is_same) {
            self.observation = Some(Arc::new(Observation { at, ..Observation::clone(same) }));
            return;
        }
        if let Some(previous) = &previous
            && previous.list.service_enabled != list.service_enabled
        {
            self.service_switched = Some(at);
        }
        // Lists have up to thousands of rows, so looking each one up by a search would be quadratic.
        let known: HashMap<&str, (Status, Option<Timestamp>)> = previous
            .iter()
            .flat_map(|previous| previous.list.connections.iter().zip(&*previous.seen_changed))
            .map(|(known, seen)| (known.endpoint_id(), (known.status, *seen)))
            .collect();
        let mut seen_changed = Vec::with_capacity(list.connections.len());
        for connection in &list.connections {
            let seen = match known.get(connection.endpoint_id()) {
                Some((status, seen)) if *status == connection.status => *seen,
                Some(&(from, _)) => {
                    let count = &mut self.transitions[connection.status as usize];
                    *count = count.saturating_add(1);
                    let transition = Transition {
                        at,
                        endpoint_id: EndpointId::new(connection.endpoint_id()),
                        from,
                        to: connection.status,
                        change_id: self.own_changes.cause(
                            at,
                            connection.endpoint_id(),
                            connection.status,
                        ),
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
        self.observation = Some(Arc::new(Observation { at, list, seen_changed, rejected_here }));
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    // A loop: a state file may come from a version that kept more.
    while queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests;
