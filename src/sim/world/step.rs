//! One step of the world: connections appear, are accepted or rejected, and go, and so do clusters.
//!
//! A small world changes visibly at every step, a big one by about one connection in a hundred, and the
//! number of connections stays around the one asked for.

use jiff::Timestamp;

use super::{
    Cluster, World,
    connection::{ACCEPTED, CREATING, DELETING, PENDING, REJECTED},
};

/// Advances the world by one step.
pub(crate) fn advance(world: &mut World, now: Timestamp) {
    world.step += 1;
    if world.churn > 0 && world.step.is_multiple_of(world.churn) {
        churn(world, now);
    }
    let moving: Vec<usize> =
        (0..world.clusters.len()).filter(|&at| world.clusters[at].vpcep_enabled).collect();
    if moving.is_empty() {
        return;
    }
    let total: usize = moving.iter().map(|&at| world.clusters[at].connections.len()).sum();
    let small = total < 200;
    for _ in 0..(total / 100).max(1) {
        let begin = world.rng.index(moving.len());
        if small || world.rng.chance(60) {
            // In this cluster, or in the next one that can change.
            let mut some = moving.iter().cycle().skip(begin).take(moving.len().min(16));
            some.any(|&at| change_status(world, at, now));
        } else {
            come_or_go(world, moving[begin], now);
        }
    }
    if small && world.rng.chance(50) {
        let at = moving[world.rng.index(moving.len())];
        come_or_go(world, at, now);
    }
    keep_one_rejected(world, now);
}

/// Makes, renames or deletes a cluster. The clusters of the start stay as they are, and there are at most as
/// many others.
fn churn(world: &mut World, now: Timestamp) {
    let later = world.clusters.iter().filter(|cluster| cluster.number >= world.first_clusters);
    let ids: Vec<String> = later.map(|cluster| cluster.id.clone()).collect();
    let connections = world.clusters.first().map_or(0, |first| first.target);
    let at = world.rng.index(ids.len());
    match (world.rng.below(3), ids.get(at)) {
        (0, Some(id)) => drop(world.delete_cluster(id)),
        (1, Some(id)) => {
            let number = world.step;
            if let Some(cluster) = world.cluster_mut(id) {
                let stem = cluster.name.split("-v").next().unwrap_or_default();
                cluster.name = format!("{stem}-v{number}");
            }
        }
        _ if ids.len() < world.first_clusters => drop(world.create_cluster(connections, now)),
        _ => {}
    }
}

/// Rejects a connection if none is: a rejected connection is what the exporter is there to show.
pub(crate) fn keep_one_rejected(world: &mut World, now: Timestamp) {
    if world.clusters.iter().any(|cluster| cluster.count(REJECTED) > 0) {
        return;
    }
    let serving = world.clusters.iter().enumerate().filter(|(_, one)| one.vpcep_enabled);
    let candidates: Vec<(usize, usize)> = serving
        .flat_map(|(at, one)| {
            rows_of(one, &[ACCEPTED, PENDING]).into_iter().map(move |row| (at, row))
        })
        .collect();
    if !candidates.is_empty() {
        let (at, row) = candidates[world.rng.index(candidates.len())];
        world.clusters[at].set_status(row, REJECTED, now);
    }
}

/// Changes the status of one connection of a cluster. False if there is none to change.
fn change_status(world: &mut World, at: usize, now: Timestamp) -> bool {
    let (cluster, rng) = (&mut world.clusters[at], &mut world.rng);
    let waiting = rows_of(cluster, &[CREATING, PENDING]);
    let rejected = rows_of(cluster, &[REJECTED]);
    let accepted = rows_of(cluster, &[ACCEPTED]);
    let many_rejected = rejected.len() * 5 > cluster.connections.len();
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
    cluster.set_status(row, status, now);
    true
}

/// Makes a connection, starts to delete one or removes one.
fn come_or_go(world: &mut World, at: usize, now: Timestamp) {
    let (cluster, rng) = (&mut world.clusters[at], &mut world.rng);
    let target = cluster.target;
    if target == 0 {
        return;
    }
    let deleting = rows_of(cluster, &[DELETING]);
    let staying = cluster.connections.len() - deleting.len();
    let margin = (target / 10).max(1);
    if !deleting.is_empty() && rng.chance(60) {
        cluster.connections.remove(deleting[rng.index(deleting.len())]);
    } else if staying + margin <= target || (staying < target + margin && rng.chance(50)) {
        let new = cluster.new_connection(rng, &world.domains, now);
        cluster.connections.push(new);
    } else {
        let settled = rows_of(cluster, &[ACCEPTED, REJECTED]);
        if !settled.is_empty() {
            cluster.set_status(settled[rng.index(settled.len())], DELETING, now);
        }
    }
}

/// The indices of the connections that have one of these statuses.
fn rows_of(cluster: &Cluster, statuses: &[&str]) -> Vec<usize> {
    let rows = cluster.connections.iter().enumerate();
    rows.filter(|(_, row)| statuses.contains(&&*row.status)).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::{
        super::{super::clock::shifted, first},
        *,
    };

    fn start() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    fn statuses(world: &World) -> HashMap<String, String> {
        let all = world.clusters.iter().flat_map(|cluster| &cluster.connections);
        all.map(|one| (one.id.to_string(), one.status.to_string())).collect()
    }

    fn names(world: &World) -> BTreeMap<String, String> {
        world.clusters.iter().map(|cluster| (cluster.id.clone(), cluster.name.clone())).collect()
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
            let mut world = first::world(42, clusters, connections, start());
            let (mut changed, mut rejected) = (0, 0);
            for step in 1..=500 {
                let before = statuses(&world);
                advance(&mut world, shifted(start(), step * 2));
                changed += usize::from(changes(&before, &statuses(&world)) > 0);
                rejected += usize::from(world.clusters.iter().any(|one| one.count(REJECTED) > 0));
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
            let mut world = first::world(7, clusters, connections, start());
            for step in 1..=steps {
                advance(&mut world, shifted(start(), step * 2));
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
        let mut world = first::world(3, 100, 100, start());
        for step in 1..=20 {
            let before = statuses(&world);
            advance(&mut world, shifted(start(), step));
            let count = changes(&before, &statuses(&world));
            assert!((1..=101).contains(&count), "{count}");
        }
    }

    #[test]
    fn an_empty_world_stays_empty() {
        let mut world = first::world(3, 2, 0, start());
        for step in 1..=20 {
            advance(&mut world, shifted(start(), step));
            assert_eq!(world.step, step as u64);
        }
        assert!(world.clusters.iter().all(|cluster| cluster.connections.is_empty()));
        let mut nothing = first::world(3, 0, 5, start());
        advance(&mut nothing, start());
        assert_eq!(nothing.step, 1);
    }

    #[test]
    fn clusters_come_are_renamed_and_go_while_their_number_stays_about_the_same() {
        let mut world = first::world(3, 6, 4, start());
        world.churn = 2;
        let (mut come, mut gone, mut renamed) = (0, 0, 0);
        for _ in 0..400 {
            let before = names(&world);
            advance(&mut world, start());
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
