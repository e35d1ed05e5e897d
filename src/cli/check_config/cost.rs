//! The cost of a configuration: calls against the rate limit, and the size of a page.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    board::ClusterMeta,
    config::{LONGEST_INTERVAL, ProjectSettings},
    exposition,
    huawei::paging::LARGEST_OFFSET,
    model::{ClusterId, Label},
    poll::DiscoverySettings,
};

/// Series of a cluster that was read.
const CLUSTER_SERIES: usize = 26;
/// Series of a connection.
const CONNECTION_SERIES: usize = 6;
/// Bytes of the help texts, which are there once.
const PAGE_BYTES: usize = 4980;
/// Bytes of a cluster's series and of a connection's, without the labels that each series begins with.
/// Measured on connections as the API documents show them.
const CLUSTER_BYTES: usize = 2962;
const CONNECTION_BYTES: usize = 1186;
/// Bytes of a line of `cluster_labels` without labels and their values, and of what stands around a label.
const LABELS_BYTES: usize = 92;
const LABEL_BYTES: usize = 4;

/// The number of connections of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    /// As many as the API reports: they decide how many pages there are.
    pub(super) reported: u64,
    /// As many as can be read: they have series.
    pub(super) read: u64,
}

/// The numbers of connections of the clusters.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) known: HashMap<ClusterId, Count>,
    /// For a cluster of which nothing is known.
    pub(super) default: u64,
    /// True if there is such a cluster.
    pub(super) any_assumed: bool,
}

impl Expected {
    /// The same number for every cluster.
    pub(super) fn all(default: u64) -> Self {
        Self { known: HashMap::new(), default, any_assumed: true }
    }

    fn of_cluster(&self, cluster: &ClusterId) -> Count {
        let default = Count { reported: self.default, read: self.default };
        self.known.get(cluster).copied().unwrap_or(default)
    }
}

/// Calls of one poll that meets no failure.
fn calls(connections: u64, rows_per_call: u32) -> u64 {
    let reachable = u64::from(LARGEST_OFFSET) + u64::from(rows_per_call);
    let pages = connections.min(reachable).div_ceil(u64::from(rows_per_call)).max(1);
    // A list that cannot be read whole is walked twice: rows might only have moved.
    if connections > reachable { 2 * pages } else { pages }
}

/// The cost of polling a project.
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
    pub(super) fn of(project: &ProjectSettings, expected: &Expected) -> Self {
        let (mut calls_per_minute, mut calls_per_round) = (0.0, 0);
        let rows_per_call = project.cloud.paging.limit;
        for cluster in &project.clusters {
            let calls = calls(expected.of_cluster(&cluster.id).reported, rows_per_call);
            calls_per_minute += calls as f64 * per_minute(cluster.interval);
            calls_per_round += calls;
        }
        if let Some(discovery) = &project.discovery {
            calls_per_minute += per_minute(discovery.interval);
            calls_per_round += 1;
        }
        Self {
            project: project.cloud.name.clone(),
            clusters: project.clusters.len(),
            calls_per_minute,
            limit_per_minute: project.css_rate_limit.requests_per_second * 60.0,
            burst: project.css_rate_limit.burst,
            calls_per_round,
        }
    }

    /// The part of the rate limit that is used; more than 1 cannot be.
    pub(super) fn share(&self) -> f64 {
        self.calls_per_minute / self.limit_per_minute
    }

    /// Time until every cluster was read once after a start: a burst of calls at once, the others at the
    /// rate limit.
    pub(super) fn first_round(&self) -> Duration {
        self.time_of(self.calls_per_round.saturating_sub(self.burst.into()))
    }

    /// Time that these calls take at the rate limit, once the burst is used up.
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

fn per_minute(interval: Duration) -> f64 {
    60.0 / interval.as_secs_f64()
}

/// Calls a minute and series of each cluster that discovery will find: no one knows how many these are.
pub(super) fn of_each_found(
    discovery: &DiscoverySettings,
    rows_per_call: u32,
    expected: &Expected,
    settings: &exposition::Settings,
) -> (f64, usize) {
    let calls = calls(expected.default, rows_per_call) as f64 * per_minute(discovery.poll_interval);
    let has_labels = !discovery.labels.as_slice().is_empty() || !discovery.tag_labels.is_empty();
    let more = 1 + usize::from(has_labels);
    (calls, CLUSTER_SERIES + more + shown(expected.default, settings) * CONNECTION_SERIES)
}

/// The number of connections that have series of their own.
fn shown(read: u64, settings: &exposition::Settings) -> usize {
    let is_shown = settings.per_connection && read as usize <= settings.per_connection_limit;
    if is_shown { read as usize } else { 0 }
}

/// The part of a page that is about clusters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Page {
    pub(super) series: usize,
    pub(super) bytes: usize,
}

/// The size of the page once each of these clusters was read.
pub(super) fn page<'a>(
    clusters: impl Iterator<Item = &'a ClusterMeta>,
    expected: &Expected,
    settings: &exposition::Settings,
) -> Page {
    let mut page = Page { series: 0, bytes: PAGE_BYTES };
    for cluster in clusters {
        let connections = shown(expected.of_cluster(&cluster.id).read, settings);
        let own_labels = cluster.labels.as_slice();
        let more = usize::from(!own_labels.is_empty());
        let series = CLUSTER_SERIES + more + connections * CONNECTION_SERIES;
        let of_label = |label: &Label| label.name.len() + label.value.len() + LABEL_BYTES;
        let ClusterMeta { region, project, id, name, .. } = cluster;
        let labels = region.as_str().len() + project.len() + id.as_str().len() + name.len();
        page.series += series;
        page.bytes += series * labels + CLUSTER_BYTES + connections * CONNECTION_BYTES;
        page.bytes += more * LABELS_BYTES + own_labels.iter().map(of_label).sum::<usize>();
    }
    page
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        board::{Attempt, Board},
        cloud::{Trace, Traced},
        exposition::{Format, Store, Sum},
        model::{
            Connection, ConnectionFields, ConnectionList, Labels, RegionId, ServiceName, Status,
        },
    };

    fn cluster(number: u32) -> ClusterMeta {
        ClusterMeta {
            region: RegionId::parse("cn-north-4").unwrap(),
            project: "prod".into(),
            id: ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap(),
            name: "logs".into(),
            interval: Duration::from_secs(60),
            labels: Default::default(),
            listed: None,
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
    fn a_page_is_as_large_as_a_real_one() {
        let settings = |per_connection, per_connection_limit| exposition::Settings {
            stale_after: Duration::from_secs(900),
            per_connection,
            per_connection_limit,
        };
        let cases = [
            (0, 10, settings(true, 1000)),
            (1, 0, settings(true, 1000)),
            (1, 1, settings(true, 1000)),
            (3, 10, settings(true, 1000)),
            (3, 10, settings(false, 1000)),
            (100, 1000, settings(true, 1000)),
            (20, 2500, settings(true, 1000)),
        ];
        let labels = Labels::of([("team", "search"), ("tier", "gold")]);
        let labels = [Labels::default(), labels];
        let cases = cases.into_iter().flat_map(|case| labels.iter().map(move |of| (case, of)));
        for ((clusters, each, settings), labels) in cases {
            let labelled = |number| ClusterMeta { labels: labels.clone(), ..cluster(number) };
            let clusters: Vec<_> = (0..clusters).map(labelled).collect();
            let counted: Vec<_> = clusters.iter().map(|meta| (meta.clone(), each)).collect();
            let real = render(&counted, &settings);
            let page = page(clusters.iter(), &Expected::all(each), &settings);
            assert_eq!(page.series, real.series);
            assert!(page.bytes.abs_diff(real.bytes) * 20 <= real.bytes, "{page:?} {real:?}");
        }
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
}
