//! Clusters that come, are renamed and go.

use jiff::Timestamp;

use super::{Cluster, World, first};
use crate::sim::rng::Rng;

impl World {
    /// Makes a cluster, the newest of all. Its connections are still being created.
    pub(crate) fn create_cluster(&mut self, connections: usize, now: Timestamp) -> &mut Cluster {
        let at = self.clusters.len();
        let rng = Rng::new(self.rng.next(), at as u64);
        let cluster = first::newcomer(rng, at, now, &self.domains);
        self.by_id.insert(cluster.id.clone(), at);
        self.clusters.push(cluster);
        let made = (0..connections).map(|_| self.new_connection(at, now)).collect();
        let cluster = &mut self.clusters[at];
        (cluster.target, cluster.connections) = (connections, made);
        cluster
    }

    /// Takes a cluster out of the world.
    pub(crate) fn delete_cluster(&mut self, id: &str) -> bool {
        let Some(cluster) = self.cluster_mut(id) else { return false };
        cluster.deleted = true;
        // No one can see them any more, and a world may run for weeks.
        cluster.connections = Vec::new();
        true
    }

    /// Makes, renames or deletes a cluster. The clusters of the start stay as they are, and there are at most as
    /// many others.
    pub(super) fn churn(&mut self, now: Timestamp) {
        let later =
            self.clusters.iter().skip(self.first_clusters).filter(|cluster| !cluster.deleted);
        let ids: Vec<String> = later.map(|cluster| cluster.id.clone()).collect();
        let connections = self.clusters.first().map_or(0, |first| first.target);
        let at = self.rng.index(ids.len());
        match (self.rng.below(3), ids.get(at).cloned()) {
            (0, Some(id)) => drop(self.delete_cluster(&id)),
            (1, Some(id)) => {
                let number = self.step;
                if let Some(cluster) = self.cluster_mut(&id) {
                    let stem = cluster.name.split("-v").next().unwrap_or_default();
                    cluster.name = format!("{stem}-v{number}");
                }
            }
            _ if ids.len() < self.first_clusters => drop(self.create_cluster(connections, now)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::step::advance, *};

    fn names(world: &World) -> BTreeMap<String, String> {
        world.live().map(|cluster| (cluster.id.clone(), cluster.name.clone())).collect()
    }

    #[test]
    fn clusters_come_are_renamed_and_go_while_their_number_stays_about_the_same() {
        let start: Timestamp = "2024-06-11T09:36:24Z".parse().expect("a time");
        let mut world = first::world(3, 6, 4, start);
        world.churn = 2;
        let (mut come, mut gone, mut renamed) = (0, 0, 0);
        for _ in 0..400 {
            let before = names(&world);
            advance(&mut world, start);
            let after = names(&world);
            come += after.keys().filter(|id| !before.contains_key(*id)).count();
            gone += before.keys().filter(|id| !after.contains_key(*id)).count();
            renamed += before
                .iter()
                .filter(|(id, name)| after.get(*id).is_some_and(|now| now != *name))
                .count();
            assert!((6..=12).contains(&after.len()), "{after:?}");
        }
        assert!(come > 20 && gone > 20 && renamed > 20, "{come} {gone} {renamed}");
        assert!(world.clusters.iter().all(|cluster| !cluster.service.id.is_empty()));
    }
}
