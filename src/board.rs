//! The board: the newest observation of every cluster, and what was seen to change.
//!
//! One writer, the scheduler, records how each poll ended; readers take an immutable [`Snapshot`]
//! and never wait. How a poll changes a cluster's state is the pure function `ClusterState::after`.
//! Endpoint services have a board of their own, the `ServiceBoard`.
//! A reload changes what is on the board; a restart brings back what the [`state_file`] holds.

pub mod document;
mod services;
mod state;
pub mod state_file;

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::model::ClusterId;

use state_file::Restored;

pub use services::{Attribution, SeenService, ServiceBoard, ServiceMeta, ServiceState};
pub use state::{
    Attempt, ClusterMeta, ClusterState, Freshness, Observation, PollRecord, Transition,
};

/// Where all clusters stand at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By project name, then cluster id.
    clusters: Vec<Arc<ClusterState>>,
    index: Arc<HashMap<ClusterId, usize>>,
    generation: u64,
}

impl Snapshot {
    fn of(mut clusters: Vec<Arc<ClusterState>>) -> Self {
        clusters.sort_by(|a, b| (&a.meta.project, &a.meta.id).cmp(&(&b.meta.project, &b.meta.id)));
        let index = clusters.iter().enumerate().map(|(i, state)| (state.meta.id.clone(), i));
        Self { index: Arc::new(index.collect()), clusters, generation: 0 }
    }

    /// All clusters, in a stable order: by project name, then cluster id.
    pub fn clusters(&self) -> &[Arc<ClusterState>] {
        &self.clusters
    }

    /// Grows with every change of its board: whoever remembers it can tell without holding on to the
    /// snapshot whether there is a newer one.
    pub fn generation(&self) -> u64 {
        self.generation
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
        let clusters = clusters.into_iter().map(|meta| Arc::new(ClusterState::new(meta)));
        Self(Arc::new(watch::Sender::new(Arc::new(Snapshot::of(clusters.collect())))))
    }

    /// Puts these clusters, and no others, on the board, in one step for every reader. One that was
    /// there, in the same project and region, keeps all that is known of it.
    pub fn reconfigure(&self, clusters: impl IntoIterator<Item = ClusterMeta>) {
        // Outside the lock that readers wait for.
        let clusters: Vec<_> = clusters.into_iter().collect();
        self.0.send_modify(|snapshot| {
            let stay = |meta: ClusterMeta| match snapshot.cluster(&meta.id) {
                Some(known) if *known.meta == meta => known.clone(),
                Some(known) if known.meta.is_same_cluster(&meta) => {
                    Arc::new(ClusterState { meta: Arc::new(meta), ..ClusterState::clone(known) })
                }
                _ => Arc::new(ClusterState::new(meta)),
            };
            let mut next = Snapshot::of(clusters.into_iter().map(stay).collect());
            next.generation = snapshot.generation + 1;
            *snapshot = Arc::new(next);
        });
    }

    /// Takes over what was known before a restart, of the clusters that are still configured in the
    /// same project and region and were not polled since. Returns how many these are.
    pub fn restore(&self, restored: Restored) -> usize {
        let mut count = 0;
        self.0.send_if_modified(|snapshot| {
            let snapshot = Arc::make_mut(snapshot);
            for old in restored.clusters {
                let Some(&index) = snapshot.index.get(&old.meta.id) else { continue };
                let state = &mut snapshot.clusters[index];
                if state.last_poll().is_none() && state.meta.is_same_cluster(&old.meta) {
                    let (meta, next_poll) = (state.meta.clone(), state.next_poll);
                    *state = Arc::new(ClusterState { meta, next_poll, ..old });
                    count += 1;
                }
            }
            snapshot.generation += 1;
            count > 0
        });
        count
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
            snapshot.generation += 1;
            true
        });
    }
}

#[cfg(test)]
mod tests;
