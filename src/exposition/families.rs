//! The metrics about clusters: name, help, and the samples of each.
//!
//! Three kinds of presence: **D** (data) and **C** (connections) from the first success until the
//! data are too old; **L** (life) for as long as the cluster is configured. Names are frozen: people
//! have alerts on them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    sample::{Family, Per, Sample, family},
    text::push_label,
};
use crate::{
    board::{ClusterMeta, ClusterState, Freshness, Observation},
    clock::unix_seconds,
    model::{Connection, EndpointId, Status},
    stats::{Definition, Kind},
};

/// The choice of data that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Older data leave the page.
    pub stale_after: Duration,
    /// True if connections have series of their own.
    pub per_connection: bool,
    /// A cluster with more connections has only its per-cluster series.
    pub per_connection_limit: usize,
}

/// The labels that every metric about a cluster begins with.
pub const CLUSTER_LABELS: [&str; 4] = ["region_id", "project", "cluster_id", "cluster_name"];

/// The help of a gauge of cached data.
macro_rules! cached {
    ($help:literal) => {
        concat!(
            $help,
            ". Cached; huaweicloud_css_vpcep_last_success_timestamp_seconds tells its age."
        )
    };
}

/// The metrics about clusters, in the order of the page.
///
/// A row has the number of samples for a cluster, the type, the name, the presence and the help. Then come
/// two closures: of a cluster, the items that have a sample; and of an item, the labels in brackets and the
/// value, an `Option`.
pub const FAMILIES: &[Family<Shown>] = &[
    family!(
        Status, Gauge, "huaweicloud_css_vpcep_connections", "D",
        cached!("VPC endpoint connections by status"),
        |cluster| by_status(cluster.data().map(|data| data.list.counts())),
        |(status, count)| ["status" = status.as_str()] Some(count)
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_connections_reported", "D, if sent",
        cached!("Connections that the API reports (total_count)"),
        |cluster| cluster.data(), |data| [] data.list.reported
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_update_switch", "D, if sent",
        cached!("vpcepUpdateSwitch: 1 if the API says true"),
        |cluster| cluster.data(), |data| [] data.list.update_switch
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_service_enabled", "D",
        cached!("0 if the API says that the cluster has no VPC endpoint service (CSS.5182)"),
        |cluster| cluster.data(), |data| [] Some(data.list.service_enabled)
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_permissions", "D, if sent",
        cached!("Entries of the whitelist of the cluster's endpoint service"),
        |cluster| cluster.data(), |data| [] data.list.permissions
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_complete", "D",
        cached!("1 if every connection that the API reports was read, 0 if some cannot be"),
        |cluster| cluster.data(), |data| [] Some(data.list.complete)
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_service_info", "D, if sent",
        cached!("The endpoint service behind the cluster"),
        |cluster| cluster.data().and_then(|data| data.list.service_name.as_ref()),
        |service| ["vpc_service_name" = service.as_str(), "service_id" = service.service_id()]
        Some(true)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_status", "C",
        cached!("1 for the present status of each connection"),
        |cluster| cluster.connections(),
        |(row, _)| ["endpoint_id" = row.endpoint_id(), "status" = row.status.as_str()] Some(true)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_status_since_timestamp_seconds",
        "C, if known",
        cached!("Since when the connection has its status: seen to change, else update_at"),
        |cluster| cluster.connections(),
        |(row, since)| ["endpoint_id" = row.endpoint_id()] since.map(unix_seconds)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_max_sessions", "C, if parsable",
        cached!("maxSession: connections that the endpoint may have at most"),
        |cluster| cluster.connections(),
        |(row, _)| ["endpoint_id" = row.endpoint_id()] row.max_sessions.map(|most| most as f64)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_info", "C",
        cached!("What does not change of a connection"),
        |cluster| cluster.connections(),
        |(row, _)| [
            "endpoint_id" = row.endpoint_id(),
            "specification_name" = row.specification_name(),
            "domain_id" = row.domain_id(),
            "ip" = row.ip(),
            "ipv6" = row.ipv6(),
            "dns_name" = row.dns_name()
        ] Some(true)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_created_timestamp_seconds",
        "C, if sent",
        cached!("When the connection was created (created_at)"),
        |cluster| cluster.connections(),
        |(row, _)| ["endpoint_id" = row.endpoint_id()] row.created().map(unix_seconds)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_updated_timestamp_seconds",
        "C, if sent",
        cached!("When the connection was updated, as the API says (update_at)"),
        |cluster| cluster.connections(),
        |(row, _)| ["endpoint_id" = row.endpoint_id()] row.updated().map(unix_seconds)
    ),
    family!(
        Connection, Gauge, "huaweicloud_css_vpcep_connection_rejected_here", "C, if so",
        cached!("1 if the connection was rejected through the admin listener, and still is"),
        |cluster| cluster.rejected_here(), |id| ["endpoint_id" = id.as_str()] Some(true)
    ),
    Family {
        definition: Definition {
            name: "huaweicloud_css_vpcep_cluster_labels",
            kind: Kind::Gauge,
            labels: &[],
            help: "Labels of the configuration and tags of the cluster, as label_….",
        },
        presence: "L, if any",
        per: Per::Target,
        samples: |cluster| {
            let labels = cluster.state.meta.labels.as_slice();
            Box::new((!labels.is_empty()).then(|| Sample::of_labels(labels)).into_iter())
        },
    },
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_cluster_info", "L, if known",
        "What the list of clusters says of a discovered cluster.",
        |cluster| &cluster.state.meta.listed,
        |row| [
            "engine" = &row.engine,
            "engine_version" = &row.engine_version,
            "enterprise_project_id" = &row.enterprise_project_id
        ] Some(true)
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_connections_suppressed", "D",
        cached!(
            "1 if the cluster has more connections than poll.per_connection_limit, so that they have no series of their own"
        ),
        |cluster| cluster.data().map(|_| cluster.is_suppressed), |yes| [] Some(yes)
    ),
    family!(
        Status, Counter, "huaweicloud_css_vpcep_connection_transitions_total", "L",
        "Status changes that were seen, by the new status; a connection that appears or disappears is not counted.",
        |cluster| by_status(Some(cluster.state.transitions)),
        |(status, count)| ["to" = status.as_str()] Some(count)
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_up", "L, from the first attempt",
        "1 if the last poll of the cluster succeeded.",
        |cluster| [&cluster.state], |state| [] state.up()
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_last_success_timestamp_seconds",
        "L, once there is one",
        "When the last successful poll ended: all cached values of the cluster are as of then.",
        |cluster| &cluster.state.observation, |data| [] Some(unix_seconds(data.at))
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_last_attempt_timestamp_seconds",
        "L, once there is one",
        "When the last poll ended, successful or not.",
        |cluster| cluster.state.last_poll(), |poll| [] Some(unix_seconds(poll.at))
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_poll_interval_seconds", "L",
        "How often the cluster is polled, as configured.",
        |cluster| [&cluster.state.meta], |meta| [] Some(meta.interval.as_secs_f64())
    ),
    family!(
        Target, Gauge, "huaweicloud_css_vpcep_poll_duration_seconds", "L, once there is one",
        "How long the last poll took, from its first token of the rate limit.",
        |cluster| cluster.state.last_poll(), |poll| [] Some(poll.duration.as_secs_f64())
    ),
];

fn by_status(counts: Option<[u64; 7]>) -> impl Iterator<Item = (Status, u64)> {
    Status::ALL.into_iter().zip(counts.into_iter().flatten())
}

/// A cluster as the page shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    state: Arc<ClusterState>,
    freshness: Freshness,
    /// The first moment at which the data are too old; none without data.
    expiry: Option<Timestamp>,
    /// The number of connections that have series of their own.
    rows: usize,
    /// True if there are too many connections for series of their own.
    is_suppressed: bool,
}

/// The difference between the samples of a cluster and those of a moment before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// It was polled, and its connections were found the same.
    Poll,
    /// Its connections may have changed.
    Data,
    /// All samples have other labels.
    Labels,
}

impl Shown {
    pub(super) fn new(state: Arc<ClusterState>, settings: &Settings, now: Timestamp) -> Self {
        // Data that would be too old only after the end of time never are.
        let expire = |at: Timestamp| at.saturating_add(settings.stale_after).ok();
        let data = state.observation.as_ref();
        let expiry = data.map(|data| expire(data.at).unwrap_or(Timestamp::MAX));
        let freshness = state.freshness(now, settings.stale_after);
        let mut shown = Self { state, freshness, expiry, rows: 0, is_suppressed: false };
        let count = shown.data().map_or(0, |data| data.list.connections.len());
        if settings.per_connection {
            shown.is_suppressed = count > settings.per_connection_limit;
            shown.rows = if shown.is_suppressed { 0 } else { count };
        }
        shown
    }

    /// True if a state would still be shown like this.
    pub(super) fn is_current(&self, state: &Arc<ClusterState>, now: Timestamp) -> bool {
        Arc::ptr_eq(&self.state, state)
            && self.expiry.is_none_or(|expiry| (now < expiry) == self.has_data())
    }

    /// True if a later state of the same cluster has the same data. Their age is not compared.
    pub(super) fn has_same_data(&self, state: &ClusterState) -> bool {
        Arc::ptr_eq(&self.state.meta, &state.meta)
            && match (&state.observation, &self.state.observation) {
                (Some(data), Some(before)) => data.found_the_same(before),
                (data, before) => data.is_none() && before.is_none(),
            }
    }

    pub(super) fn freshness(&self) -> Freshness {
        self.freshness
    }

    pub(super) fn change_since(&self, before: &Self) -> Change {
        let is_same_choice = (self.rows, self.is_suppressed) == (before.rows, before.is_suppressed);
        let is_same_data = match (self.data(), before.data()) {
            (Some(data), Some(before)) => is_same_choice && data.found_the_same(before),
            (data, before) => data.is_none() && before.is_none(),
        };
        let (meta, meta_before) = (&self.state.meta, &before.state.meta);
        if !Arc::ptr_eq(meta, meta_before) && label_values(meta) != label_values(meta_before) {
            Change::Labels
        } else if !is_same_data {
            Change::Data
        } else if Arc::ptr_eq(&self.state, &before.state) {
            Change::Nothing
        } else {
            Change::Poll
        }
    }

    /// About as many lines as the cluster has in a family.
    pub(super) fn lines(&self, per: Per) -> usize {
        match per {
            Per::Target => 1,
            Per::Status => Status::ALL.len(),
            Per::Connection => self.rows,
        }
    }

    /// The labels of all samples of the cluster.
    pub(super) fn labels(&self) -> String {
        let mut labels = String::with_capacity(200);
        for (name, value) in CLUSTER_LABELS.into_iter().zip(label_values(&self.state.meta)) {
            push_label(&mut labels, name, value);
        }
        labels
    }

    fn has_data(&self) -> bool {
        matches!(self.freshness, Freshness::Fresh | Freshness::Failing)
    }

    /// The data, unless they are too old.
    fn data(&self) -> Option<&Observation> {
        self.state.observation.as_deref().filter(|_| self.has_data())
    }

    /// The connections that have series of their own.
    fn connections(&self) -> impl Iterator<Item = (&Connection, Option<Timestamp>)> {
        let data = self.data().filter(|_| self.rows > 0);
        data.into_iter().flat_map(Observation::connections)
    }

    /// Those of them that were rejected through the admin listener.
    fn rejected_here(&self) -> impl Iterator<Item = &EndpointId> {
        let data = self.data().filter(|_| self.rows > 0);
        data.into_iter().flat_map(|data| data.rejected_here.keys())
    }
}

fn label_values(meta: &ClusterMeta) -> [&str; 4] {
    [meta.region.as_str(), &meta.project, meta.id.as_str(), &meta.name]
}
