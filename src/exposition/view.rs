//! A cluster as it is shown: which of its data, and until when.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Settings, families::CLUSTER_LABELS, text::push_escaped};
use crate::{
    board::{ClusterMeta, ClusterState, Freshness, Observation},
    model::Connection,
};

/// A cluster as it stands at one moment.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) state: Arc<ClusterState>,
    pub(super) freshness: Freshness,
    /// The first moment at which the data are too old; none without data.
    pub(super) expiry: Option<Timestamp>,
}

impl Shown {
    pub(super) fn new(state: Arc<ClusterState>, stale_after: Duration, now: Timestamp) -> Self {
        // What would be too old only after the end of time never is.
        let expiry = state
            .observation
            .as_ref()
            .map(|data| data.at.saturating_add(stale_after).unwrap_or(Timestamp::MAX));
        Self { freshness: state.freshness(now, stale_after), state, expiry }
    }

    /// Whether there are data that are not too old.
    pub(super) fn has_data(&self) -> bool {
        matches!(self.freshness, Freshness::Fresh | Freshness::Failing)
    }

    pub(super) fn view(&self, settings: &Settings) -> View<'_> {
        let data = self.state.observation.as_deref().filter(|_| self.has_data());
        let count = data.map_or(0, |data| data.list.connections.len());
        let suppressed = settings.per_connection && count > settings.per_connection_limit;
        let rows = data.filter(|_| settings.per_connection && !suppressed);
        View { state: &self.state, data, rows, suppressed }
    }
}

/// What there is to show of a cluster.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    state: &'a ClusterState,
    data: Option<&'a Observation>,
    rows: Option<&'a Observation>,
    suppressed: bool,
}

impl<'a> View<'a> {
    pub(super) fn state(&self) -> &'a ClusterState {
        self.state
    }

    /// The data, unless they are too old.
    pub(super) fn data(&self) -> Option<&'a Observation> {
        self.data
    }

    /// Whether there are too many connections for series of their own; none without data.
    pub(super) fn suppressed(&self) -> Option<bool> {
        self.data.map(|_| self.suppressed)
    }

    /// The connections, unless they have no series of their own.
    pub(super) fn rows(
        &self,
    ) -> impl Iterator<Item = (&'a Connection, Option<Timestamp>)> + use<'a> {
        self.rows.into_iter().flat_map(Observation::connections)
    }

    pub(super) fn row_count(&self) -> usize {
        self.rows.map_or(0, |data| data.list.connections.len())
    }

    /// Whether the two show the same data; only their age may differ. Quick: it may miss an equality.
    pub(super) fn has_data_of(&self, other: &Self) -> bool {
        let same = match (self.data, other.data) {
            (Some(one), Some(other)) => one.found_the_same(other),
            (None, None) => true,
            _ => false,
        };
        same && self.rows.is_some() == other.rows.is_some()
    }

    /// Whether samples of the two have the same labels.
    pub(super) fn has_labels_of(&self, other: &Self) -> bool {
        let (one, other) = (&self.state.meta, &other.state.meta);
        Arc::ptr_eq(one, other) || label_values(one) == label_values(other)
    }

    /// A line up to the end of the cluster's labels.
    pub(super) fn line_start(&self, name: &str) -> String {
        // Room for a usual one, and for the labels that follow.
        let mut start = String::with_capacity(320);
        start.extend([name, "{"]);
        for (place, (label, value)) in
            CLUSTER_LABELS.into_iter().zip(label_values(&self.state.meta)).enumerate()
        {
            start.extend([if place > 0 { "," } else { "" }, label, "=\""]);
            push_escaped(&mut start, value, true);
            start.push('"');
        }
        start
    }
}

fn label_values(meta: &ClusterMeta) -> [&str; 4] {
    [meta.region.as_str(), &meta.project, meta.id.as_str(), &meta.name]
}
