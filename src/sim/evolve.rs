//! How the world moves, step by step: connections appear, are accepted or rejected, and go.
//!
//! Owns the size and the kinds of change. A small world changes visibly at every step, a big one by
//! about one connection in a hundred, and the number of connections stays around the one asked for.

use std::borrow::Cow;

use jiff::Timestamp;

use super::clock::whole_seconds;
use super::world::{ACCEPTED, CREATING, Cluster, DELETING, PENDING, REJECTED, World};

impl World {
    /// Advances the world by one step and returns the number of steps made so far.
    pub(crate) fn step(&mut self, now: Timestamp) -> u64 {
        let now = whole_seconds(now);
        self.step += 1;
        let moving: Vec<usize> = (0..self.clusters.len())
            .filter(|&at| {
                let cluster = &self.clusters[at];
                !cluster.deleted && cluster.vpcep_enabled
            })
            .collect();
        if moving.is_empty() {
            return self.step;
        }
        let total: usize = moving.iter().map(|&at| self.clusters[at].connections.len()).sum();
        let small = total < 200;
        for _ in 0..(total / 100).max(1) {
            let at = moving[self.rng.index(moving.len())];
            if small || self.rng.chance(60) {
                self.change_somewhere(&moving, at, now);
            } else {
                self.come_or_go(at, now);
            }
        }
        if small && self.rng.chance(50) {
            let at = moving[self.rng.index(moving.len())];
            self.come_or_go(at, now);
        }
        self.keep_one_rejected(now);
        self.step
    }

    /// A world without a rejected connection shows nothing of what the exporter is for.
    pub(crate) fn keep_one_rejected(&mut self, now: Timestamp) {
        if self.live().any(|cluster| cluster.count(REJECTED) > 0) {
            return;
        }
        let candidates: Vec<(usize, usize)> = self
            .clusters
            .iter()
            .enumerate()
            .filter(|(_, cluster)| !cluster.deleted && cluster.vpcep_enabled)
            .flat_map(|(at, cluster)| {
                indices(cluster, &[ACCEPTED, PENDING]).into_iter().map(move |row| (at, row))
            })
            .collect();
        if !candidates.is_empty() {
            let (at, row) = candidates[self.rng.index(candidates.len())];
            self.clusters[at].set_status(row, Cow::Borrowed(REJECTED), now);
        }
    }

    /// One change of status in the cluster at `first`, or in the next one that can change.
    fn change_somewhere(&mut self, moving: &[usize], first: usize, now: Timestamp) {
        let begin = moving.iter().position(|&at| at == first).unwrap_or(0);
        for &at in moving.iter().cycle().skip(begin).take(moving.len().min(16)) {
            if self.change_status(at, now) {
                return;
            }
        }
    }

    fn change_status(&mut self, at: usize, now: Timestamp) -> bool {
        let cluster = &self.clusters[at];
        let waiting = indices(cluster, &[CREATING, PENDING]);
        let rejected = indices(cluster, &[REJECTED]);
        let accepted = indices(cluster, &[ACCEPTED]);
        let many_rejected = rejected.len() * 5 > cluster.connections.len();
        let rng = &mut self.rng;
        let (row, status) = if !waiting.is_empty() && (accepted.is_empty() || rng.chance(60)) {
            let row = waiting[rng.index(waiting.len())];
            let status = match &*cluster.connections[row].status {
                CREATING => PENDING,
                _ if rng.chance(70) => ACCEPTED,
                _ => REJECTED,
            };
            (row, status)
        } else if !rejected.is_empty() && (many_rejected || accepted.is_empty() || rng.chance(60)) {
            (rejected[rng.index(rejected.len())], ACCEPTED)
        } else if !accepted.is_empty() {
            (accepted[rng.index(accepted.len())], REJECTED)
        } else {
            return false;
        };
        self.clusters[at].set_status(row, Cow::Borrowed(status), now);
        true
    }

    /// A connection appears, starts to go or is gone.
    fn come_or_go(&mut self, at: usize, now: Timestamp) {
        let cluster = &self.clusters[at];
        let target = cluster.target;
        if target == 0 {
            return;
        }
        let deleting = indices(cluster, &[DELETING]);
        let staying = cluster.connections.len() - deleting.len();
        let margin = (target / 10).max(1);
        if !deleting.is_empty() && self.rng.chance(60) {
            let row = deleting[self.rng.index(deleting.len())];
            self.clusters[at].connections.remove(row);
        } else if staying + margin <= target || (staying < target + margin && self.rng.chance(50)) {
            let connection = self.new_connection(at, now);
            self.clusters[at].connections.push(connection);
        } else {
            let settled = indices(cluster, &[ACCEPTED, REJECTED]);
            if !settled.is_empty() {
                let row = settled[self.rng.index(settled.len())];
                self.clusters[at].set_status(row, Cow::Borrowed(DELETING), now);
            }
        }
    }
}

fn indices(cluster: &Cluster, statuses: &[&str]) -> Vec<usize> {
    let rows = cluster.connections.iter().enumerate();
    rows.filter(|(_, row)| statuses.contains(&&*row.status)).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::sim::clock::shifted;

    fn start() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    fn statuses(world: &World) -> HashMap<String, String> {
        let all = world.clusters.iter().flat_map(|cluster| &cluster.connections);
        all.map(|one| (one.id.to_string(), one.status.to_string())).collect()
    }

    fn changes(before: &HashMap<String, String>, after: &HashMap<String, String>) -> usize {
        after
            .iter()
            .filter(|(id, status)| before.get(*id).is_some_and(|old| old != *status))
            .count()
    }

    #[test]
    fn a_small_world_changes_at_nearly_every_step() {
        for (clusters, connections) in [(1, 5), (3, 5), (5, 8), (2, 2)] {
            let mut world = World::new(42, clusters, connections, start());
            let (mut changed, mut rejected) = (0, 0);
            for step in 1..=500 {
                let before = statuses(&world);
                world.step(shifted(start(), step * 2));
                changed += usize::from(changes(&before, &statuses(&world)) > 0);
                rejected += usize::from(world.live().any(|one| one.count(REJECTED) > 0));
            }
            assert!(changed >= 450, "{clusters}x{connections}: changed in {changed} of 500 steps");
            assert!(
                rejected >= 480,
                "{clusters}x{connections}: rejected in {rejected} of 500 steps"
            );
        }
    }

    #[test]
    fn the_population_stays_around_what_was_asked() {
        for (clusters, connections, steps) in [(3, 5, 3_000), (10, 100, 2_000), (4, 2, 3_000)] {
            let mut world = World::new(7, clusters, connections, start());
            for step in 1..=steps {
                world.step(shifted(start(), step * 2));
            }
            for cluster in &world.clusters {
                let count = cluster.connections.len();
                let (low, high) = (connections * 6 / 10 - 1, connections * 14 / 10 + 3);
                assert!((low..=high).contains(&count), "{count} of {connections}");
            }
        }
    }

    #[test]
    fn a_big_world_changes_little() {
        let mut world = World::new(3, 100, 100, start());
        for step in 1..=20 {
            let before = statuses(&world);
            world.step(shifted(start(), step));
            let count = changes(&before, &statuses(&world));
            assert!((1..=101).contains(&count), "{count}");
        }
    }

    #[test]
    fn an_empty_world_stays_empty() {
        let mut world = World::new(3, 2, 0, start());
        for step in 1..=20 {
            assert_eq!(world.step(shifted(start(), step)), step as u64);
        }
        assert!(world.clusters.iter().all(|cluster| cluster.connections.is_empty()));
        assert_eq!(World::new(3, 0, 5, start()).step(start()), 1);
    }
}
