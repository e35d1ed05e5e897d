//! The world at its start, which is always the same for the same seed, sizes and start time.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use serde_json::json;

use super::{
    Cluster, Permission, World,
    connection::{ACCEPTED, CREATING, Connection, PENDING, REJECTED},
    service::{AVAILABLE, Port, Service, tcp},
    step::keep_one_rejected,
};
use crate::sim::{
    account::REGION,
    clock::{shifted, whole_seconds},
    rng::Rng,
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

const NAMES: [&str; 8] =
    ["logs", "search", "orders", "metrics", "catalog", "audit", "traces", "shop"];

const TEAMS: [&str; 3] = ["search", "billing", "platform"];

/// An enterprise project beside the default one, which is `0`.
const OTHER_ENTERPRISE_PROJECT: &str = "5f1b7e8c-3c1a-4f0e-9a52-6d1f0c7b2e34";

/// Each purpose has a stream of chance of its own, so that more clusters do not change the first ones.
const STREAM_DOMAINS: u64 = 1 << 40;
const STREAM_STEPS: u64 = 2 << 40;
/// The stream of the first service; each further service has the next stream.
const STREAM_SERVICES: u64 = 6 << 40;

/// The world at its start.
pub(crate) fn world(seed: u64, clusters: usize, connections: usize, start: Timestamp) -> World {
    let start = whole_seconds(start);
    let mut rng = Rng::new(seed, STREAM_DOMAINS);
    let domains: Vec<Box<str>> = (0..8).map(|_| rng.hex32().into()).collect();
    let cluster = |index| {
        let mut rng = Rng::new(seed, index as u64);
        let mut cluster = cluster_of(&mut rng, index, start, connections, &domains);
        let of_service = Rng::new(seed, STREAM_SERVICES + index as u64);
        cluster.service = service_of(&cluster, index, of_service);
        cluster
    };
    let clusters: Vec<Cluster> = (0..clusters).map(cluster).collect();
    let mut world = World {
        start,
        step: 0,
        churn: 0,
        first_clusters: clusters.len(),
        made: clusters.len(),
        clusters,
        domains,
        rng: Rng::new(seed, STREAM_STEPS),
    };
    keep_one_rejected(&mut world, start);
    world
}

/// A cluster without connections that was made just now.
pub(crate) fn newcomer(
    mut rng: Rng,
    index: usize,
    now: Timestamp,
    domains: &[Box<str>],
) -> Cluster {
    let of_service = Rng::new(rng.next(), STREAM_SERVICES);
    let mut cluster = cluster_of(&mut rng, index, now, 0, domains);
    cluster.created = whole_seconds(now);
    cluster.service = service_of(&cluster, index, of_service);
    cluster
}

/// A cluster, but for its endpoint service.
fn cluster_of(
    rng: &mut Rng,
    index: usize,
    start: Timestamp,
    target: usize,
    domains: &[Box<str>],
) -> Cluster {
    let id = rng.uuid();
    let kind = NAMES[index % NAMES.len()];
    let created = shifted(start, -(400 * DAY) - rng.below(300 * DAY as u64) as i64);
    let service_name = format!("{REGION}.css-{kind}-{}.{}", index + 1, rng.uuid());
    // The first cluster is never odd, so that a world of one is plain.
    let mut odd = || rng.below(12) == 0 && index > 0;
    // The first draw has no use any more, but without it a seed would make a different world.
    let (_, update_always_null) = (odd(), odd());
    let update_switch = json!(rng.chance(30));
    let permissions = 1 + rng.index(3);
    let permission = |number| {
        let (id, account) = (rng.uuid(), &domains[number % domains.len()]);
        let created_at = shifted(created, HOUR + rng.below(DAY as u64) as i64);
        Permission::new(id, format!("iam:domain::{account}"), created_at)
    };
    let permissions = (0..permissions).map(permission).collect();
    let mut cluster = Cluster {
        id,
        name: format!("{kind}-{:02}", index + 1),
        created,
        datastore: Cow::Borrowed(if rng.chance(75) { "elasticsearch" } else { "opensearch" }),
        enterprise_project_id: if index % 3 == 2 { OTHER_ENTERPRISE_PROJECT } else { "0" }.into(),
        tags: tags(index),
        vpcep_enabled: true,
        update_switch,
        service_name,
        permissions,
        connections: Vec::new(),
        target,
        update_always_null,
        made: target as u32,
        number: index,
        service: Service::default(),
    };
    cluster.connections =
        (1..=target).map(|number| connection(rng, &cluster, number, start, domains)).collect();
    cluster
}

/// A connection of the start. They are in the order of their age; the newest is at least an hour old.
fn connection(
    rng: &mut Rng,
    cluster: &Cluster,
    number: usize,
    start: Timestamp,
    domains: &[Box<str>],
) -> Connection {
    let gap = (399 * DAY) / cluster.target.max(1) as i64;
    let younger = (cluster.target - number) as i64;
    let age = HOUR + younger * gap + rng.below(gap.max(1) as u64) as i64;
    let created_at = shifted(start, -age);
    let mut connection = Connection::new(rng, cluster.number, number as u32, created_at, domains);
    let status = match rng.below(100) {
        0..80 => ACCEPTED,
        80..91 => REJECTED,
        91..97 => PENDING,
        _ => CREATING,
    };
    connection.status = Cow::Borrowed(status);
    if !matches!(status, PENDING | CREATING) {
        connection.show_addresses();
    }
    connection.update_at = match rng.below(3) {
        _ if cluster.update_always_null => Some(None),
        0 => Some(None),
        1 => None,
        _ => Some(Some(shifted(created_at, rng.below(age as u64) as i64))),
    };
    connection
}

/// The tags of a cluster: every fourth one is for tests, and the teams take turns.
fn tags(index: usize) -> BTreeMap<String, String> {
    let env = if index % 4 == 3 { "test" } else { "prod" };
    let team = TEAMS[index % TEAMS.len()];
    [("env", env), ("team", team)].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The endpoint service behind a cluster.
fn service_of(cluster: &Cluster, index: usize, mut rng: Rng) -> Service {
    let id = cluster.service_name.rsplit('.').next().unwrap_or_default();
    let part = cluster.id.split('-').next().unwrap_or_default();
    let created_at = shifted(cluster.created, 600);
    let mapping = |port| Port { client_port: port, server_port: port, protocol: tcp() };
    // As with clusters, the first is never odd.
    let mut odd = |percent| rng.chance(percent) && index > 0;
    let server_type = if odd(25) { "VM" } else { "LB" };
    let ip = odd(30).then(|| format!("172.16.{}.{}", index / 250 % 256, index % 250 + 2));
    let tcp_proxy = if odd(20) { "proxy_open" } else { "close" };
    let approval_enabled = !odd(30);
    Service {
        id: id.to_owned(),
        port_id: rng.uuid(),
        spare_port_id: rng.uuid(),
        service_name: cluster.service_name.clone(),
        server_type: server_type.to_owned(),
        // The same VPC that the list of clusters names.
        vpc_id: format!("{part}-0000-4000-8000-000000000001"),
        pool_id: rng.chance(50).then(|| rng.uuid()),
        approval_enabled,
        status: AVAILABLE.to_owned(),
        created_at,
        updated_at: shifted(created_at, rng.below(86_400) as i64),
        ip,
        ports: [9200, 5601, 9300].into_iter().take(1 + rng.index(3)).map(mapping).collect(),
        tcp_proxy: tcp_proxy.to_owned(),
        description: format!("Made by CSS for {}", cluster.name),
        tags: json!([{"key": "cluster", "value": cluster.name}]),
        enable_policy: false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::step::advance, *};

    fn start() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        let (mut a, mut b) = (world(5, 4, 7, start()), world(5, 4, 7, start()));
        for step in 0..50 {
            assert_eq!(a.clusters, b.clusters);
            let now = shifted(start(), step * 2);
            advance(&mut a, now);
            advance(&mut b, now);
        }
        assert_ne!(world(6, 4, 7, start()).clusters, world(5, 4, 7, start()).clusters);
    }

    #[test]
    fn times_are_relative_to_the_start() {
        let (a, b) = (world(5, 2, 3, start()), world(5, 2, 3, shifted(start(), 100)));
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
        let (few, many) = (world(9, 2, 5, start()), world(9, 40, 5, start()));
        assert_eq!(few.clusters[0].id, many.clusters[0].id);
        assert_eq!(few.clusters[1].id, many.clusters[1].id);
    }

    #[test]
    fn a_world_has_every_oddity_of_the_api() {
        let whole = world(1, 60, 20, start());
        let all = || whole.clusters.iter().flat_map(|cluster| &cluster.connections);
        for value in [true, false] {
            assert!(whole.clusters.iter().any(|cluster| cluster.update_switch == value));
        }
        // In a world without faults, clients that are strict about types can read everything.
        assert!(whole.clusters.iter().all(|cluster| cluster.update_switch.is_boolean()));
        assert!(whole.clusters.iter().any(|cluster| cluster.update_always_null));
        assert!(all().any(|one| one.update_at == Some(None)));
        assert!(all().any(|one| one.update_at.is_none()));
        assert!(all().any(|one| one.update_at.flatten().is_some()));
        assert!(all().any(|one| one.dns_name == Some(None)) && all().any(|one| one.ipv6.is_none()));
        assert!(
            all().all(|one| one.created_at < start() && one.update_at.flatten() <= Some(start()))
        );
    }
}
