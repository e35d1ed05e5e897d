//! The clusters as JSON. Field names are the contract; times are RFC 3339 in UTC.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ClusterState, Freshness, PollRecord, Snapshot};
use crate::{
    cloud::CloudError,
    model::{ClusterId, Connection, Status},
};

/// `GET /api/v1/clusters`.
#[derive(Serialize)]
pub struct Clusters<'a> {
    clusters: Vec<Cluster<'a>>,
}

/// A cluster's entry in it.
#[derive(Serialize, ToSchema)]
pub struct Cluster<'a> {
    project: &'a str,
    region_id: &'a str,
    cluster_id: &'a str,
    cluster_name: &'a str,
    state: Freshness,
    /// True if the last poll succeeded; false before the first.
    up: bool,
    /// True if `state` is `fresh`.
    fresh: bool,
    complete: Option<bool>,
    service_enabled: Option<bool>,
    update_switch: Option<bool>,
    connections: BTreeMap<&'static str, u64>,
    connections_reported: Option<u64>,
    last_success: Option<String>,
    last_attempt: Option<String>,
    next_poll: Option<String>,
    last_error: Option<LastError<'a>>,
}

/// The cause of a failed poll.
#[derive(Serialize, ToSchema)]
struct PollError<'a> {
    reason: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    request_id: Option<&'a str>,
}

/// The cause of the last failure.
#[derive(Serialize, ToSchema)]
struct LastError<'a> {
    #[serde(flatten)]
    error: PollError<'a>,
    /// When the present run of failures began.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// When refused credentials are tried again.
    #[schema(format = DateTime)]
    retry_at: Option<String>,
}

/// `GET /api/v1/clusters/{cluster_id}`.
#[derive(Serialize, ToSchema)]
pub struct OneCluster<'a> {
    #[serde(flatten)]
    cluster: Cluster<'a>,
    items: Vec<Item<'a>>,
    polls: Vec<Poll<'a>>,
}

#[derive(Serialize, ToSchema)]
struct Item<'a> {
    endpoint_id: &'a str,
    status: &'static str,
    max_sessions: Option<u64>,
    status_since: Option<String>,
    ip: Option<&'a str>,
    ipv6: Option<&'a str>,
    dns_name: Option<&'a str>,
    domain_id: Option<&'a str>,
    specification_name: Option<&'a str>,
    created: Option<String>,
    updated: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Poll<'a> {
    ended: String,
    duration_seconds: f64,
    pages: u32,
    requests: u32,
    retries: u32,
    request_ids: &'a [String],
    error: Option<PollError<'a>>,
}

impl<'a> Clusters<'a> {
    /// All clusters of a snapshot. Data older than `stale_after` are left out.
    pub fn new(snapshot: &'a Snapshot, now: Timestamp, stale_after: Duration) -> Self {
        let clusters = snapshot.clusters().iter();
        Self { clusters: clusters.map(|state| Cluster::new(state, now, stale_after)).collect() }
    }
}

impl<'a> OneCluster<'a> {
    /// The cluster with this id, if it is configured. Data older than `stale_after` are left out.
    pub fn find(
        snapshot: &'a Snapshot,
        id: &str,
        now: Timestamp,
        stale_after: Duration,
    ) -> Option<Self> {
        let id = ClusterId::parse(id).ok()?;
        snapshot.cluster(&id).map(|state| Self::new(state, now, stale_after))
    }

    fn new(state: &'a ClusterState, now: Timestamp, stale_after: Duration) -> Self {
        let shown = state.shown(now, stale_after);
        Self {
            cluster: Cluster::new(state, now, stale_after),
            items: shown
                .into_iter()
                .flat_map(|data| data.connections())
                .map(|(connection, since)| Item::new(connection, since))
                .collect(),
            polls: state.polls.iter().rev().map(|poll| Poll::new(poll)).collect(),
        }
    }
}

impl<'a> Cluster<'a> {
    /// The entry of a cluster. Data older than `stale_after` are left out.
    pub fn new(state: &'a ClusterState, now: Timestamp, stale_after: Duration) -> Self {
        let meta = &state.meta;
        let list = state.shown(now, stale_after).map(|data| &data.list);
        let freshness = state.freshness(now, stale_after);
        let counts = list.map(|list| Status::ALL.into_iter().zip(list.counts()));
        Self {
            project: &meta.project,
            region_id: meta.region.as_str(),
            cluster_id: meta.id.as_str(),
            cluster_name: &meta.name,
            up: state.up().unwrap_or(false),
            fresh: freshness == Freshness::Fresh,
            state: freshness,
            complete: list.map(|list| list.complete),
            service_enabled: list.map(|list| list.service_enabled),
            update_switch: list.and_then(|list| list.update_switch),
            connections: counts
                .into_iter()
                .flatten()
                .map(|(status, count)| (status.as_str(), count))
                .collect(),
            connections_reported: list.and_then(|list| list.reported),
            last_success: state.observation.as_ref().map(|data| data.at.to_string()),
            last_attempt: state.last_poll().map(|poll| poll.at.to_string()),
            next_poll: state.next_poll.map(|at| at.to_string()),
            last_error: state.last_error().map(|error| LastError {
                error: error.into(),
                since: state.failing_since.map(|at| at.to_string()),
                retry_at: error.retry_at.map(|at| at.to_string()),
            }),
        }
    }
}

impl<'a> From<&'a CloudError> for PollError<'a> {
    fn from(error: &'a CloudError) -> Self {
        Self {
            reason: error.reason.as_str(),
            code: error.code.as_deref(),
            message: &error.message,
            request_id: error.request_id.as_deref(),
        }
    }
}

impl<'a> Item<'a> {
    fn new(connection: &'a Connection, since: Option<Timestamp>) -> Self {
        Self {
            endpoint_id: connection.endpoint_id(),
            status: connection.status.as_str(),
            max_sessions: connection.max_sessions,
            status_since: since.map(|at| at.to_string()),
            ip: present(connection.ip()),
            ipv6: present(connection.ipv6()),
            dns_name: present(connection.dns_name()),
            domain_id: present(connection.domain_id()),
            specification_name: present(connection.specification_name()),
            created: connection.created().map(|at| at.to_string()),
            updated: connection.updated().map(|at| at.to_string()),
        }
    }
}

impl<'a> Poll<'a> {
    fn new(poll: &'a PollRecord) -> Self {
        Self {
            ended: poll.at.to_string(),
            duration_seconds: poll.duration.as_secs_f64(),
            pages: poll.trace.pages,
            requests: poll.trace.requests,
            retries: poll.trace.retries,
            request_ids: &poll.trace.request_ids,
            error: poll.error.as_ref().map(Into::into),
        }
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
