//! How a world begins: the same seed, sizes and start time always make the same world.
//!
//! Owns the first state of clusters and connections and the making of a new connection. It does not
//! move them: that is `evolve`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::REGION;
use super::clock::{shifted, whole_seconds};
use super::rng::Rng;
use super::service::Service;
use super::world::{
    ACCEPTED, CREATING, Cluster, Connection, Field, PENDING, Permission, REJECTED, World,
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

const NAMES: [&str; 8] =
    ["logs", "search", "orders", "metrics", "catalog", "audit", "traces", "shop"];

/// Streams of chance, one per purpose, so that more clusters do not change the first ones.
const STREAM_DOMAINS: u64 = 1 << 40;
const STREAM_STEPS: u64 = 2 << 40;

impl World {
    /// The world at its start.
    pub(crate) fn new(seed: u64, clusters: usize, connections: usize, start: Timestamp) -> World {
        let start = whole_seconds(start);
        let mut rng = Rng::new(seed, STREAM_DOMAINS);
        let domains: Vec<Arc<str>> = (0..8).map(|_| Arc::from(rng.hex32())).collect();
        let mut world = World {
            start,
            step: 0,
            clusters: Vec::with_capacity(clusters),
            services: Vec::with_capacity(clusters),
            by_id: HashMap::with_capacity(clusters),
            domains,
            rng: Rng::new(seed, STREAM_STEPS),
        };
        for index in 0..clusters {
            let mut rng = Rng::new(seed, index as u64);
            let cluster = new_cluster(&mut rng, index, connections, start, &world.domains);
            world.by_id.insert(cluster.id.clone(), index);
            world.services.push(Service::behind(&cluster, index, seed));
            world.clusters.push(cluster);
        }
        world.keep_one_rejected(start);
        world
    }

    /// A connection that has just been asked for in the cluster at this index.
    pub(crate) fn new_connection(&mut self, cluster: usize, now: Timestamp) -> Connection {
        let number = self.clusters.get_mut(cluster).map_or(0, |cluster| {
            cluster.made += 1;
            cluster.made
        });
        let now = whole_seconds(now);
        let mut connection = bare_connection(&mut self.rng, cluster, number, now, &self.domains);
        connection.status = Cow::Borrowed(CREATING);
        connection.update_at = Field::Null;
        connection.was_accepted = false;
        connection
    }
}

fn new_cluster(
    rng: &mut Rng,
    index: usize,
    target: usize,
    start: Timestamp,
    domains: &[Arc<str>],
) -> Cluster {
    let id = rng.uuid();
    let kind = NAMES[index % NAMES.len()];
    let created = shifted(start, -(400 * DAY) - rng.below(300 * DAY as u64) as i64);
    let service_name = format!("{REGION}.css-{kind}-{}.{}", index + 1, rng.uuid());
    // The first cluster is never odd: a world of one reads plainly.
    let mut odd = || rng.below(12) == 0 && index > 0;
    // The first draw is no longer used, but without it a seed would make a different world than before.
    let (_, update_always_null) = (odd(), odd());
    let update_switch = Value::from(rng.chance(30));
    let permissions = (0..=rng.index(3))
        .map(|number| Permission {
            id: rng.uuid(),
            permission: format!("iam:domain::{}", domains[number % domains.len()]),
            created_at: shifted(created, HOUR + rng.below(DAY as u64) as i64),
        })
        .collect();
    let mut cluster = Cluster {
        id,
        name: format!("{kind}-{:02}", index + 1),
        created,
        datastore: if rng.chance(75) { "elasticsearch" } else { "opensearch" },
        vpcep_enabled: true,
        update_switch,
        service_name,
        permissions,
        connections: Vec::with_capacity(target),
        target,
        update_always_null,
        made: target as u32,
        deleted: false,
    };
    for number in 1..=target {
        let connection = first_connection(rng, &cluster, index, number, start, domains);
        cluster.connections.push(connection);
    }
    cluster
}

/// A connection of the first hour: the oldest stands first, the newest is an hour old or more.
fn first_connection(
    rng: &mut Rng,
    cluster: &Cluster,
    index: usize,
    number: usize,
    start: Timestamp,
    domains: &[Arc<str>],
) -> Connection {
    let gap = (399 * DAY) / cluster.target.max(1) as i64;
    let younger = (cluster.target - number) as i64;
    let age = HOUR + younger * gap + rng.below(gap.max(1) as u64) as i64;
    let created_at = shifted(start, -age);
    let mut connection = bare_connection(rng, index, number as u32, created_at, domains);
    connection.status = Cow::Borrowed(match rng.below(100) {
        0..80 => ACCEPTED,
        80..91 => REJECTED,
        91..97 => PENDING,
        _ => CREATING,
    });
    connection.was_accepted = !matches!(&*connection.status, PENDING | CREATING);
    connection.update_at = match rng.below(3) {
        _ if cluster.update_always_null => Field::Null,
        0 => Field::Null,
        1 => Field::Absent,
        _ => Field::Value(shifted(created_at, rng.below(age as u64) as i64)),
    };
    connection
}

fn bare_connection(
    rng: &mut Rng,
    cluster: usize,
    number: u32,
    created_at: Timestamp,
    domains: &[Arc<str>],
) -> Connection {
    let id: Box<str> = rng.uuid().into();
    let (net, host) = (number / 250 % 256, number % 250 + 2);
    let ip = format!("10.{}.{net}.{host}", cluster % 256);
    // IPv6 addresses only with dual stack, a name only where DNS was enabled
    // (CSS API Reference, Obtaining an Endpoint Connection, Function).
    let ipv6 = match rng.below(8) {
        0 => Field::Value(format!("fd00:{:x}::{:x}", cluster % 0xffff + 1, number + 1).into()),
        1 => Field::Null,
        _ => Field::Absent,
    };
    let dns_name = match rng.below(4) {
        0 => Field::Absent,
        1 => Field::Null,
        _ => Field::Value(format!("vpcep-{id}.{REGION}.sim.internal").into()),
    };
    Connection {
        status: Cow::Borrowed(ACCEPTED),
        max_sessions: if rng.chance(90) { 3_000 } else { 1_000 },
        specification_name: Cow::Borrowed("default"),
        created_at,
        update_at: Field::Absent,
        domain_id: Arc::clone(&domains[rng.index(domains.len())]),
        was_accepted: true,
        ip: Field::Value(ip.into()),
        ipv6,
        dns_name,
        id,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn start() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        let (mut a, mut b) = (World::new(5, 4, 7, start()), World::new(5, 4, 7, start()));
        for step in 0..50 {
            assert_eq!(a.clusters, b.clusters);
            let now = shifted(start(), step * 2);
            a.step(now);
            b.step(now);
        }
        assert_ne!(World::new(6, 4, 7, start()).clusters, World::new(5, 4, 7, start()).clusters);
    }

    #[test]
    fn times_are_relative_to_the_start() {
        let (a, b) = (World::new(5, 2, 3, start()), World::new(5, 2, 3, shifted(start(), 100)));
        for (one, other) in a.clusters.iter().zip(&b.clusters) {
            assert_eq!(shifted(one.created, 100), other.created);
            for (x, y) in one.connections.iter().zip(&other.connections) {
                assert_eq!((&x.id, &x.status), (&y.id, &y.status));
                assert_eq!(shifted(x.created_at, 100), y.created_at);
            }
        }
    }

    #[test]
    fn more_clusters_leave_the_first_ones_alone() {
        let (few, many) = (World::new(9, 2, 5, start()), World::new(9, 40, 5, start()));
        assert_eq!(few.clusters[0].id, many.clusters[0].id);
        assert_eq!(few.clusters[1].id, many.clusters[1].id);
    }

    #[test]
    fn a_world_has_every_oddity_of_the_api() {
        let world = World::new(1, 60, 20, start());
        let all = || world.clusters.iter().flat_map(|cluster| &cluster.connections);
        for value in [true, false] {
            assert!(world.clusters.iter().any(|cluster| cluster.update_switch == value));
        }
        // In a world without faults, clients that are strict about types can read everything.
        assert!(world.clusters.iter().all(|cluster| cluster.update_switch.is_boolean()));
        assert!(world.clusters.iter().any(|cluster| cluster.update_always_null));
        assert!(all().any(|one| one.update_at == Field::Null));
        assert!(all().any(|one| one.update_at == Field::Absent));
        assert!(all().any(|one| one.update_at.value().is_some()));
        assert!(
            all().any(|one| one.dns_name == Field::Null)
                && all().any(|one| one.ipv6 == Field::Absent)
        );
        assert!(
            all().all(|one| one.created_at < start() && one.update_at.value() <= Some(&start()))
        );
    }
}
