//! What a configuration costs: calls against the rate limit, and the size of a page, which is
//! measured on a page of made-up connections.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    board::{Attempt, Board, ClusterMeta},
    cloud::{Trace, Traced},
    config::{LONGEST_INTERVAL, Project},
    exposition::{self, Format, Store, Sum},
    huawei::paging::LARGEST_OFFSET,
    model::{ClusterId, Connection, ConnectionFields, ConnectionList, ServiceName, Status},
    pacing::RateLimit,
};

/// What is rendered at once: a page of 100,000 clusters would not fit into the memory of a laptop.
const ROWS_AT_ONCE: u64 = 10_000;

/// What is known of a cluster's connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    /// As many as the API reports: they decide how many pages there are.
    pub(super) reported: u64,
    /// As many as can be read: they have series.
    pub(super) read: u64,
}

/// How many connections the clusters have.
#[derive(Debug)]
pub(super) struct Expected {
    known: HashMap<ClusterId, Count>,
    /// For a cluster of which nothing is known.
    pub(super) default: u64,
    /// Whether there is such a cluster.
    pub(super) any_assumed: bool,
}

impl Expected {
    /// The same number for every cluster.
    pub(super) fn all(default: u64) -> Self {
        Self { known: HashMap::new(), default, any_assumed: true }
    }

    /// What was read, and a number for the others.
    pub(super) fn of(known: HashMap<ClusterId, Count>, default: u64, any_assumed: bool) -> Self {
        Self { known, default, any_assumed }
    }

    fn of_cluster(&self, cluster: &ClusterId) -> Count {
        let default = Count { reported: self.default, read: self.default };
        self.known.get(cluster).copied().unwrap_or(default)
    }
}

/// The clusters of a project, and what limits how fast they are read.
#[derive(Debug)]
pub(super) struct Clusters {
    project: Arc<str>,
    limit: RateLimit,
    rows_per_call: u32,
    pub(super) clusters: Vec<ClusterMeta>,
}

impl Clusters {
    pub(super) fn of(project: &Project) -> Self {
        Self {
            project: project.cloud.name.clone(),
            limit: project.css_rate_limit,
            rows_per_call: project.cloud.paging.limit,
            clusters: project.clusters.clone(),
        }
    }

    /// The project, and its number of clusters.
    pub(super) fn size(&self) -> (Arc<str>, usize) {
        (self.project.clone(), self.clusters.len())
    }

    pub(super) fn cost(&self, expected: &Expected) -> Cost {
        let (mut calls_per_minute, mut calls_per_round) = (0.0, 0);
        for cluster in &self.clusters {
            let calls = calls(expected.of_cluster(&cluster.id).reported, self.rows_per_call);
            calls_per_minute += calls as f64 * 60.0 / cluster.interval.as_secs_f64();
            calls_per_round += calls;
        }
        Cost {
            project: self.project.clone(),
            clusters: self.clusters.len(),
            calls_per_minute,
            limit_per_minute: self.limit.requests_per_second * 60.0,
            burst: self.limit.burst,
            calls_per_round,
        }
    }
}

/// Calls of one poll that meets no failure.
fn calls(connections: u64, rows_per_call: u32) -> u64 {
    let reachable = u64::from(LARGEST_OFFSET) + u64::from(rows_per_call);
    let pages = connections.min(reachable).div_ceil(u64::from(rows_per_call)).max(1);
    // A list that cannot be read whole is walked twice: rows might only have moved.
    if connections > reachable { 2 * pages } else { pages }
}

/// What polling a project costs.
#[derive(Debug)]
pub(super) struct Cost {
    pub(super) project: Arc<str>,
    pub(super) clusters: usize,
    pub(super) calls_per_minute: f64,
    pub(super) limit_per_minute: f64,
    burst: u32,
    calls_per_round: u64,
}

impl Cost {
    /// The part of the rate limit that is used; more than 1 cannot be.
    pub(super) fn share(&self) -> f64 {
        self.calls_per_minute / self.limit_per_minute
    }

    /// How long a start takes to read every cluster once: a burst of calls at once, the others at the
    /// rate limit.
    pub(super) fn first_round(&self) -> Duration {
        self.time_of(self.calls_per_round.saturating_sub(self.burst.into()))
    }

    /// How long these calls take at the rate limit, once the burst is used up.
    fn time_of(&self, calls: u64) -> Duration {
        Duration::from_secs_f64(calls as f64 * 60.0 / self.limit_per_minute)
    }

    /// The shortest interval, of those that people write, at which all clusters can be polled.
    pub(super) fn interval_that_fits(&self) -> Option<Duration> {
        let seconds = self.time_of(self.calls_per_round).as_secs_f64().ceil() as u64;
        let step = match seconds {
            0..=120 => 5,
            121..=1200 => 30,
            1201..=7200 => 300,
            _ => 3600,
        };
        let seconds = seconds.next_multiple_of(step);
        (seconds <= LONGEST_INTERVAL.as_secs()).then(|| Duration::from_secs(seconds))
    }
}

/// The part of a page that is about clusters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Page {
    pub(super) series: usize,
    pub(super) bytes: usize,
}

/// Measures the page of these clusters, once each of them was read.
pub(super) fn page<'a>(
    clusters: impl Iterator<Item = &'a ClusterMeta>,
    expected: &Expected,
    settings: &exposition::Settings,
) -> Page {
    // What a page without clusters has, such as help texts, is there once.
    let bare = render(&[], settings);
    let mut total = bare;
    let mut add = |some: &[(ClusterMeta, u64)]| {
        let page = render(some, settings);
        total.series += page.series - bare.series;
        total.bytes += page.bytes - bare.bytes;
    };
    let (mut some, mut rows) = (Vec::new(), 0);
    for cluster in clusters {
        let count = expected.of_cluster(&cluster.id).read;
        some.push((cluster.clone(), count));
        // A cluster has some rows of its own.
        rows += count + 10;
        if rows >= ROWS_AT_ONCE {
            add(&some);
            (some, rows) = (Vec::new(), 0);
        }
    }
    add(&some);
    total
}

fn render(clusters: &[(ClusterMeta, u64)], settings: &exposition::Settings) -> Page {
    let now = Timestamp::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let board = Board::new(clusters.iter().map(|(meta, _)| meta.clone()));
    for (meta, count) in clusters {
        let outcome = Traced { result: Ok(list(meta, *count).into()), trace: Trace::default() };
        let attempt = Attempt { at: now, duration: Duration::from_micros(123_456), outcome };
        board.record(&meta.id, attempt, now);
    }
    let page = Store::default().page(&board, settings, now);
    let Sum { samples, text_bytes, .. } = page.sum(Format::Text004);
    Page { series: samples, bytes: text_bytes }
}

/// Connections as the documents show them, with every field that there can be.
fn list(cluster: &ClusterMeta, count: u64) -> ConnectionList {
    let service = "cf072729-b076-49db-83d3-020dc9f589bd";
    ConnectionList {
        service_enabled: true,
        complete: true,
        reported: Some(count),
        update_switch: Some(false),
        permissions: Some(1),
        service_name: Some(ServiceName::new(&format!(
            "{}.css-op-no-delete.{service}",
            cluster.region
        ))),
        connections: (0..count).map(|number| connection(cluster, number)).collect(),
    }
}

fn connection(cluster: &ClusterMeta, number: u64) -> Connection {
    let date = Timestamp::UNIX_EPOCH + Duration::from_secs(1_690_000_000);
    let id = format!("{number:08x}-31a1-40d0-862b-ac85b83ab2da");
    Connection::from(ConnectionFields {
        status: Status::Accepted,
        max_sessions: Some(3000),
        created: Some(date),
        updated: Some(date),
        specification_name: "default",
        domain_id: "db9b76a0d9ae431f8e85e89da2ca867c",
        ip: "192.168.100.122",
        ipv6: "",
        dns_name: &format!("vpcep-{id}.{}.huaweicloud.com", cluster.region),
        endpoint_id: &id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RegionId;

    fn cluster(number: u32) -> ClusterMeta {
        ClusterMeta {
            region: RegionId::parse("cn-north-4").unwrap(),
            project: "prod".into(),
            id: ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap(),
            name: "logs".into(),
            interval: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_poll_takes_a_call_for_each_page_it_can_reach() {
        let cases = [
            (0, 1000, 1),
            (1000, 1000, 1),
            (1001, 1000, 2),
            (2000, 1000, 2),
            (2001, 1000, 4),
            (1_000_000, 1000, 4),
            (1000, 100, 10),
            (1300, 300, 5),
            (5000, 100, 22),
        ];
        for (connections, rows, expected) in cases {
            assert_eq!(calls(connections, rows), expected, "{connections} by {rows}");
        }
    }

    #[test]
    fn an_interval_that_fits_is_one_that_people_write() {
        let cases = [
            (1, Some(5)),
            (100, Some(100)),
            (101, Some(105)),
            (121, Some(150)),
            (1201, Some(1500)),
            (7201, Some(10_800)),
            (86_400, Some(86_400)),
            (86_401, None),
        ];
        for (calls_per_round, expected) in cases {
            let cost = Cost {
                project: "prod".into(),
                clusters: 1,
                calls_per_minute: 1.0,
                limit_per_minute: 60.0,
                burst: 1,
                calls_per_round,
            };
            let expected = expected.map(Duration::from_secs);
            assert_eq!(cost.interval_that_fits(), expected, "{calls_per_round}");
        }
    }

    #[test]
    fn the_first_round_begins_with_a_burst() {
        for (calls_per_round, seconds) in [(0, 0), (1, 0), (10, 0), (11, 2), (110, 200)] {
            let cost = Cost {
                project: "prod".into(),
                clusters: 1,
                calls_per_minute: 1.0,
                limit_per_minute: 30.0,
                burst: 10,
                calls_per_round,
            };
            assert_eq!(cost.first_round(), Duration::from_secs(seconds), "{calls_per_round}");
        }
    }

    #[test]
    fn a_page_that_is_measured_in_parts_is_as_large_as_the_whole() {
        let settings = exposition::Settings {
            stale_after: Duration::from_secs(900),
            per_connection: true,
            per_connection_limit: 20_000,
        };
        let clusters: Vec<_> = (0..3).map(cluster).collect();
        let each = ROWS_AT_ONCE / 2;
        let whole: Vec<_> = clusters.iter().map(|meta| (meta.clone(), each)).collect();
        let whole = render(&whole, &settings);
        let parts = page(clusters.iter(), &Expected::all(each), &settings);
        assert_eq!((parts.series, parts.bytes), (whole.series, whole.bytes));
        assert!(whole.series as u64 > 3 * 6 * each);
    }
}
