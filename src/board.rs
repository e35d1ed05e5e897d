//! The board: the newest observation of every cluster, and what was seen to change.
//!
//! One writer, the scheduler, records how each poll ended; readers take an immutable [`Snapshot`]
//! and never wait. How a poll changes a cluster's state is the pure function `ClusterState::after`.

mod state;

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::model::ClusterId;

pub use state::{
    Attempt, ClusterMeta, ClusterState, Freshness, Observation, PollRecord, Transition,
};

/// Where all clusters stand at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By project name, then cluster id.
    clusters: Vec<Arc<ClusterState>>,
    index: Arc<HashMap<ClusterId, usize>>,
}

impl Snapshot {
    /// All clusters, in a stable order: by project name, then cluster id.
    pub fn clusters(&self) -> &[Arc<ClusterState>] {
        &self.clusters
    }

    /// One cluster.
    pub fn cluster(&self, id: &ClusterId) -> Option<&Arc<ClusterState>> {
        self.index.get(id).map(|&index| &self.clusters[index])
    }
}

/// The writing side. Clones write to the same board.
#[derive(Clone, Debug)]
pub struct Board(Arc<watch::Sender<Arc<Snapshot>>>);

impl Board {
    /// A board of clusters that were never polled.
    pub fn new(clusters: impl IntoIterator<Item = ClusterMeta>) -> Self {
        let mut clusters: Vec<_> =
            clusters.into_iter().map(|meta| Arc::new(ClusterState::new(meta))).collect();
        clusters.sort_by(|a, b| (&a.meta.project, &a.meta.id).cmp(&(&b.meta.project, &b.meta.id)));
        let index = clusters.iter().enumerate().map(|(i, state)| (state.meta.id.clone(), i));
        let snapshot = Snapshot { index: Arc::new(index.collect()), clusters };
        Self(Arc::new(watch::Sender::new(Arc::new(snapshot))))
    }

    /// Records how a poll ended, and when the next one is due. A cluster that is not on the board is none of its business.
    pub fn record(&self, cluster: &ClusterId, attempt: Attempt, next_poll: Timestamp) {
        self.update(cluster, |state| state.after(attempt, next_poll));
    }

    /// Says when the first poll of a cluster is due.
    pub fn schedule(&self, cluster: &ClusterId, next_poll: Timestamp) {
        self.update(cluster, |state| ClusterState { next_poll: Some(next_poll), ..state.clone() });
    }

    /// The board as it is now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.borrow().clone()
    }

    /// Follows the board's changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.subscribe()
    }

    fn update(&self, cluster: &ClusterId, next: impl FnOnce(&ClusterState) -> ClusterState) {
        self.0.send_if_modified(|snapshot| {
            let Some(&index) = snapshot.index.get(cluster) else { return false };
            let snapshot = Arc::make_mut(snapshot);
            snapshot.clusters[index] = Arc::new(next(&snapshot.clusters[index]));
            true
        });
    }
}
