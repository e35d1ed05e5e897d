//! The clusters of a project that discovery knows, and how a reading of the list changes them. Pure.

use std::{collections::BTreeMap, sync::Arc};

use super::settings::DiscoverySettings;
use crate::{
    cloud::{CloudError, Reason},
    model::{ClusterId, ClusterList, ListedCluster},
};

/// Lists that are never whole add clusters and take none away: known clusters are at most so many times
/// the configured limit.
const MOST_TIMES_THE_LIMIT: usize = 2;

/// The clusters of this shard, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(BTreeMap<ClusterId, Seen>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    row: Arc<ListedCluster>,
    /// The last whole list did not have it.
    is_missed: bool,
}

/// The effect of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) known: Known,
    pub(super) come: Vec<ClusterId>,
    pub(super) gone: Vec<ClusterId>,
    pub(super) renamed: Vec<ClusterId>,
    /// Why the list is not to be trusted, or not in all it says.
    pub(super) failure: Option<CloudError>,
}

impl Known {
    /// The clusters among these that are wanted and this shard's: those of before a restart or a reload.
    pub(super) fn of(
        rows: impl IntoIterator<Item = Arc<ListedCluster>>,
        settings: &DiscoverySettings,
    ) -> Self {
        let own =
            rows.into_iter().filter(|row| settings.wants(row) && settings.shard.owns(&row.id));
        Self(own.map(|row| (row.id.clone(), Seen { row, is_missed: false })).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Arc<ListedCluster>> {
        self.0.values().map(|seen| &seen.row)
    }

    pub(super) fn row(&self, cluster: &ClusterId) -> Option<&Arc<ListedCluster>> {
        self.0.get(cluster).map(|seen| &seen.row)
    }

    /// A list adds and renames clusters. Only a whole one takes some away, and only those that the
    /// whole list before lacked too.
    pub(super) fn after(&self, list: ClusterList, settings: &DiscoverySettings) -> Outcome {
        let mut wanted = list.clusters;
        wanted.retain(|row| settings.wants(row));
        let (count, limit) = (wanted.len(), settings.limit);
        if count > limit {
            let message = format!(
                "{count} clusters of the list are wanted, and discovery.limit is {limit}: all stays as \
                 it was"
            );
            return self.unchanged(CloudError::new(Reason::TooLarge, message));
        }
        if count == 0 && !self.0.is_empty() {
            let message = "no cluster of the list is wanted, where there were some before: all stays as \
                           it was";
            return self.unchanged(CloudError::new(Reason::NotFound, message));
        }
        wanted.retain(|row| settings.shard.owns(&row.id));
        let failure = list.incomplete.map(|why| {
            let message = format!("the list of clusters is not whole: {why}");
            CloudError::new(Reason::BadShape, message)
        });
        let mut outcome = Outcome { failure, ..self.unchanged_quietly() };
        outcome.take(wanted);
        if outcome.known.len() > MOST_TIMES_THE_LIMIT * limit {
            let message = "the lists are never whole, and name more and more clusters";
            return self.unchanged(CloudError::new(Reason::TooLarge, message));
        }
        outcome
    }

    fn unchanged_quietly(&self) -> Outcome {
        let (come, gone, renamed) = Default::default();
        Outcome { known: self.clone(), come, gone, renamed, failure: None }
    }

    /// The outcome of a list that cannot be used: the clusters stay as they are known.
    pub(super) fn unchanged(&self, failure: CloudError) -> Outcome {
        Outcome { failure: Some(failure), ..self.unchanged_quietly() }
    }
}

impl Outcome {
    fn take(&mut self, rows: Vec<ListedCluster>) {
        let before = std::mem::take(&mut self.known.0);
        let mut after: BTreeMap<ClusterId, Seen> = BTreeMap::new();
        for row in rows {
            let known = before.get(&row.id).map(|seen| &seen.row);
            match known {
                None => self.come.push(row.id.clone()),
                Some(known) if known.name != row.name => self.renamed.push(row.id.clone()),
                Some(_) => {}
            }
            let row = known.filter(|known| ***known == row).cloned().unwrap_or_else(|| row.into());
            after.insert(row.id.clone(), Seen { row, is_missed: false });
        }
        let is_whole = self.failure.is_none();
        for (cluster, seen) in before {
            if after.contains_key(&cluster) {
                continue;
            }
            if is_whole && seen.is_missed {
                self.gone.push(cluster);
            } else {
                let is_missed = seen.is_missed || is_whole;
                after.insert(cluster, Seen { is_missed, ..seen });
            }
        }
        self.known.0 = after;
    }
}

#[cfg(test)]
mod tests;
