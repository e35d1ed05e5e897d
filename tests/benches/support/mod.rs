//! Boards of made-up clusters, for whatever measures pages of them.
#![allow(dead_code, unreachable_pub, reason = "not every program that measures uses all of it")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use std::{cell::Cell, fs, sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta},
    clock::Clock,
    cloud::{Trace, Traced},
    exposition::{Page, Settings, Sources, Store},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, RegionId, ServiceName, Status,
    },
    stats::Stats,
};
use jiff::Timestamp;
use serde_json::json;

/// When everything was polled.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_700_000_000, 123_000_000);

/// Series of a cluster beside those of its connections, once it was polled.
pub(crate) const SERIES_A_CLUSTER: usize = 26;
/// Series of a connection that has every date.
pub(crate) const SERIES_A_CONNECTION: usize = 6;

/// What is usual, but for the number of connections that have series.
pub(crate) const SETTINGS: Settings = Settings {
    stale_after: Duration::from_secs(900),
    per_connection: true,
    per_connection_limit: 20_000,
};

/// A board, its size, and how often it was polled.
pub(crate) struct World {
    pub(crate) board: Board,
    pub(crate) store: Store,
    pub(crate) sources: Sources,
    clusters: usize,
    connections: usize,
    /// When everything was polled first.
    began: Timestamp,
    /// Decides the statuses; grows where something is to change.
    round: Cell<u64>,
    /// Grows with every poll: no two end at the same time.
    polls: Cell<u64>,
}

impl World {
    /// So many clusters with so many connections each, all polled once.
    pub(crate) fn new(clusters: usize, connections: usize) -> Self {
        Self::since(NOW, clusters, connections)
    }

    fn since(began: Timestamp, clusters: usize, connections: usize) -> Self {
        let board = Board::new((0..clusters).map(meta));
        let sources = Sources::own(Arc::new(Stats::default()));
        let (store, round, polls) = (Store::default(), Cell::default(), Cell::default());
        let world = Self { board, store, sources, clusters, connections, began, round, polls };
        world.poll(0..clusters, false);
        world
    }

    /// So many clusters that have about so many series together.
    pub(crate) fn of_series(clusters: usize, series: usize) -> Self {
        Self::new(clusters, connections(clusters, series))
    }

    /// The same, polled just now.
    pub(crate) fn recent(clusters: usize, series: usize) -> Self {
        Self::since(Clock::system().now(), clusters, connections(clusters, series))
    }

    /// What a poll of a cluster finds next, if it changed.
    pub(crate) fn changed(&self, cluster: usize) -> ConnectionList {
        self.round.update(|round| round + 1);
        list(cluster, self.connections, self.round.get())
    }

    /// Polls some clusters. Where something changed, it is the status of every tenth connection.
    pub(crate) fn poll(&self, clusters: impl IntoIterator<Item = usize>, changed: bool) {
        self.round.update(|round| round + u64::from(changed));
        for cluster in clusters {
            let list = list(cluster, self.connections, self.round.get());
            self.record(cluster, list);
        }
    }

    /// Records a list that was made before.
    pub(crate) fn record(&self, cluster: usize, list: ConnectionList) {
        let outcome = Traced { result: Ok(Arc::new(list)), trace: Trace::default() };
        self.polls.update(|polls| polls + 1);
        let at = self.began + Duration::from_millis(self.polls.get());
        let attempt = Attempt { at, duration: Duration::from_micros(123_456), outcome };
        self.board.record(&id(cluster), attempt, at);
    }

    /// The page as it is now.
    pub(crate) fn page(&self) -> Arc<Page> {
        self.store.page(&self.board, &SETTINGS, self.began)
    }

    /// The work ahead of a scrape.
    pub(crate) fn prepare(&self) {
        self.store.prepare(&self.board, &SETTINGS, self.began);
    }

    pub(crate) fn clusters(&self) -> usize {
        self.clusters
    }
}

/// How many connections each of the clusters has.
fn connections(clusters: usize, series: usize) -> usize {
    (series / clusters).saturating_sub(SERIES_A_CLUSTER).div_ceil(SERIES_A_CONNECTION)
}

/// Resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

pub(crate) fn id(number: usize) -> ClusterId {
    ClusterId::parse(&format!(
        "{:08x}-5b35-4f50-8984-{number:012x}",
        scattered(number as u64) as u32
    ))
    .unwrap()
}

pub(crate) fn meta(number: usize) -> ClusterMeta {
    ClusterMeta {
        id: id(number),
        name: format!("cluster-{number}").into(),
        project: "production".into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }
}

pub(crate) fn list(cluster: usize, connections: usize, round: u64) -> ConnectionList {
    let service = "cn-north-4.css-op-no-delete.cf072729-b076-49db-83d3-020dc9f589bd";
    ConnectionList {
        service_enabled: true,
        reported: Some(connections as u64),
        update_switch: Some(false),
        permissions: Some(1),
        service_name: Some(ServiceName::new(service)),
        connections: (0..connections).map(|number| connection(cluster, number, round)).collect(),
        ..ConnectionList::service_not_enabled()
    }
}

fn connection(cluster: usize, number: usize, round: u64) -> Connection {
    let key = scattered((cluster as u64) << 24 | number as u64);
    let [a, b, c] = [key as u32, (key >> 32) as u32, scattered(key) as u32];
    let id = format!(
        "{a:08x}-{:04x}-4{:03x}-8{:03x}-{b:08x}{:04x}",
        c >> 16,
        c & 0xfff,
        b & 0xfff,
        c & 0xffff
    );
    let statuses = [Status::Accepted, Status::Rejected];
    let date = |seconds| Timestamp::from_second(1_690_000_000 + seconds).unwrap();
    Connection::from(ConnectionFields {
        status: statuses[if number.is_multiple_of(10) { round as usize % 2 } else { 0 }],
        max_sessions: Some(3000),
        created: Some(date(i64::from(a % 5_000_000))),
        updated: Some(date(i64::from(b % 5_000_000))),
        specification_name: "default",
        domain_id: "db9b76a0d9ae431f8e85e89da2ca867c",
        ip: &format!("192.168.{}.{}", a % 256, b % 256),
        ipv6: "",
        dns_name: &format!("vpcep-{id}.cn-north-4.huaweicloud.com"),
        endpoint_id: &id,
    })
}

/// A page with all fields of the document; in each round every tenth connection has another status.
pub fn body(cluster: usize, connections: usize, round: u64) -> Vec<u8> {
    let list = list(cluster, connections, round);
    let rows: Vec<_> = list
        .connections
        .iter()
        .map(|row| {
            json!({
                "id": row.endpoint_id(),
                "status": row.status.as_str(),
                "maxSession": "3000",
                "specificationName": row.specification_name(),
                "created_at": row.created().map(|date| date.to_string()),
                "update_at": null,
                "domain_id": row.domain_id(),
                "vpcepIp": row.ip(),
                "vpcepIpv6Address": "",
                "vpcepDnsName": "",
            })
        })
        .collect();
    let body = json!({
        "connections": rows,
        "vpcepUpdateSwitch": false,
        "total_count": connections,
        "vpcServiceName": "cn-north-4.css-op-no-delete.cf072729-b076-49db-83d3-020dc9f589bd",
        "permissions": [{
            "id": "432a6429-f377-4168-8b24-feb5885af08c",
            "permission": "iam:domain::db9b76a0d9ae431f8e85e89da2ca867c",
            "permission_type": "domainId",
            "created_at": "2023-10-12T07:33:11Z",
        }],
    });
    body.to_string().into_bytes()
}

/// Ids are random; these are the same in every run (SplitMix64's finalizer).
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
