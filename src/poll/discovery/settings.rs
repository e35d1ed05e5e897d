//! The settings of the discovery of a project's clusters.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    globs::fits,
    model::{Labels, ListedCluster},
    poll::shard::Shard,
};

/// An account without enterprise projects has everything in the default one, and names none.
const DEFAULT_ENTERPRISE_PROJECT: &str = "0";

/// Which clusters of a project's list are polled, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// Time between two readings of the list.
    pub interval: Duration,
    /// Patterns of names; a cluster that fits one of them is wanted. Empty: all.
    pub include: Vec<String>,
    /// Patterns of names that are not wanted.
    pub exclude: Vec<String>,
    /// Tags that a cluster must have.
    pub tags: BTreeMap<String, String>,
    /// The enterprise projects whose clusters are wanted. Empty: all.
    pub enterprise_project_ids: Vec<String>,
    /// The tags that become labels.
    pub tag_labels: Vec<String>,
    /// More clusters than this are a mistake, not a fleet.
    pub limit: usize,
    /// The interval at which discovered clusters are polled.
    pub poll_interval: Duration,
    /// The labels of all clusters of the project.
    pub labels: Labels,
    /// The part of the clusters that this process polls.
    pub shard: Shard,
}

impl DiscoverySettings {
    /// True if a cluster is wanted, be it of this shard or of another.
    pub(super) fn wants(&self, cluster: &ListedCluster) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, &cluster.name));
        let is_in = match &*cluster.enterprise_project_id {
            "" => DEFAULT_ENTERPRISE_PROJECT,
            id => id,
        };
        let (names, places) = (&self.include, &self.enterprise_project_ids);
        (names.is_empty() || any(names))
            && !any(&self.exclude)
            && self.tags.iter().all(|(key, value)| {
                cluster.tags.get(key.as_str()).is_some_and(|found| **found == **value)
            })
            && (places.is_empty() || places.iter().any(|place| place == is_in))
    }

    /// The tags that become labels.
    pub(super) fn labels_of<'a>(
        &'a self,
        cluster: &'a ListedCluster,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let label = |key: &'a String| Some((&**key, &**cluster.tags.get(key.as_str())?));
        self.tag_labels.iter().filter_map(label)
    }
}
