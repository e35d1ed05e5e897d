//! The store of blocks against a plain rendering of the whole page, made here in other words.

use std::{collections::BTreeMap, fmt::Write as _, io::Read as _, sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta, ClusterState},
    clock::unix_seconds,
    cloud::{CloudError, Reason, Trace, Traced},
    exposition::{Encoding, Format, Page, PageBytes, Settings, Sources, Store, families::FAMILIES},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, Labels, ListedCluster, RegionId,
        ServiceName, Status,
    },
    stats::Stats,
};
use flate2::read::GzDecoder;
use jiff::Timestamp;

const START: Timestamp = Timestamp::constant(1_700_000_000, 0);
const SETTINGS: Settings = Settings {
    stale_after: Duration::from_secs(900),
    per_connection: true,
    per_connection_limit: 150,
};

/// Numbers that are the same in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| some(self))
    }
}

fn after(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

/// A `+` at the end of the name stands for labels and a row in the list of clusters.
fn meta(number: u64, name: &str) -> ClusterMeta {
    let (name, is_more) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    let labels = [("team", "a \"b\""), ("env", "prod")];
    let listed = |id| ListedCluster {
        id,
        name: name.into(),
        engine: "opensearch".into(),
        engine_version: "2.19.0".into(),
        enterprise_project_id: "".into(),
        tags: BTreeMap::new(),
    };
    let id = ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap();
    ClusterMeta {
        name: name.into(),
        project: format!("project \"{}\"", number % 3).into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        interval: Duration::from_secs(60 + number),
        labels: Labels::of(labels.into_iter().filter(|_| is_more)),
        listed: is_more.then(|| Arc::new(listed(id.clone()))),
        id,
    }
}

fn connection(number: u64, chance: &mut Chance) -> Connection {
    let date = |chance: &mut Chance| START + Duration::from_millis(chance.below(5_000) * 250);
    Connection::from(ConnectionFields {
        endpoint_id: &format!("endpoint-{number}"),
        status: Status::ALL[chance.below(7) as usize],
        max_sessions: chance.maybe(|chance| chance.below(3) * 3_000_000_000_000_000_000),
        created: chance.maybe(date),
        updated: chance.maybe(date),
        specification_name: "default",
        domain_id: "d\\",
        ip: &format!("10.0.0.{}", chance.below(3)),
        ipv6: "",
        dns_name: "two\nlines",
    })
}

fn list(connections: u64, chance: &mut Chance) -> ConnectionList {
    ConnectionList {
        service_enabled: chance.below(2) == 0,
        complete: chance.below(2) == 0,
        reported: chance.maybe(|_| u64::MAX),
        update_switch: chance.maybe(|chance| chance.below(2) == 0),
        permissions: chance.maybe(|chance| chance.below(9)),
        service_name: chance.maybe(|_| ServiceName::new("a.cf072729-b076-49db-83d3-020dc9f589bd")),
        connections: (0..connections).map(|number| connection(number, chance)).collect(),
    }
}

fn poll(board: &Board, number: u64, at: Timestamp, result: Result<ConnectionList, CloudError>) {
    let outcome = Traced { result: result.map(Into::into), trace: Trace::default() };
    let attempt = Attempt { at, duration: Duration::from_millis(1234), outcome };
    board.record(&meta(number, "").id, attempt, at);
}

/// The lines about clusters, each made from what is known of its cluster.
fn plain(board: &Board, settings: &Settings, now: Timestamp) -> String {
    let mut page = String::new();
    for family in FAMILIES {
        let definition = &family.definition;
        let _ = writeln!(page, "# HELP {} {}", definition.name, definition.help);
        let _ = writeln!(page, "# TYPE {} {}", definition.name, definition.kind.as_str());
        for state in board.snapshot().clusters() {
            for (labels, value) in samples(definition.name, state, settings, now) {
                let meta = &state.meta;
                let mut all = vec![
                    ("region_id", meta.region.as_str()),
                    ("project", &*meta.project),
                    ("cluster_id", meta.id.as_str()),
                    ("cluster_name", &*meta.name),
                ];
                all.extend(definition.labels.iter().copied().zip(labels));
                if definition.name.ends_with("_cluster_labels") {
                    let name = |key| if key == "team" { "label_team" } else { "label_env" };
                    all.extend(meta.labels.pairs().map(|(key, value)| (name(key), value)));
                }
                let labels: Vec<_> = all
                    .iter()
                    .map(|(name, value)| {
                        let value = value.replace('\\', "\\\\").replace('\n', "\\n");
                        format!("{name}=\"{}\"", value.replace('"', "\\\""))
                    })
                    .collect();
                let _ = writeln!(page, "{}{{{}}} {value}", definition.name, labels.join(","));
            }
        }
    }
    page
}

fn samples<'a>(
    name: &str,
    state: &'a ClusterState,
    settings: &Settings,
    now: Timestamp,
) -> Vec<(Vec<&'a str>, String)> {
    let one = |value: Option<String>| value.map(|value| (vec![], value)).into_iter().collect();
    let by_status = |values: [u64; 7]| {
        let statuses = Status::ALL.map(|status| vec![status.as_str()]);
        statuses.into_iter().zip(values.map(|value| value.to_string())).collect()
    };
    let data = state.shown(now, settings.stale_after);
    let list = data.map(|data| &data.list);
    let flag = |value: bool| u8::from(value).to_string();
    let text = |value: f64| value.to_string();
    let too_many = list.is_some_and(|list| list.connections.len() > settings.per_connection_limit);
    let rows = data.filter(|_| settings.per_connection && !too_many);
    let last = state.last_poll();
    match name.strip_prefix("huaweicloud_css_vpcep_").unwrap() {
        "connections" => list.map(|list| by_status(list.counts())).unwrap_or_default(),
        "connections_reported" => one(list.and_then(|list| list.reported).map(|n| n.to_string())),
        "update_switch" => one(list.and_then(|list| list.update_switch).map(flag)),
        "service_enabled" => one(list.map(|list| flag(list.service_enabled))),
        "permissions" => one(list.and_then(|list| list.permissions).map(|n| n.to_string())),
        "complete" => one(list.map(|list| flag(list.complete))),
        "service_info" => {
            let name = list.and_then(|list| list.service_name.as_ref());
            name.map(|name| (vec![name.as_str(), name.service_id()], "1".to_owned()))
                .into_iter()
                .collect()
        }
        "cluster_labels" => {
            let has_labels = state.meta.labels.pairs().next().is_some();
            one(has_labels.then(|| "1".to_owned()))
        }
        "cluster_info" => {
            let row = state.meta.listed.iter();
            let labels =
                row.map(|row| [&row.engine, &row.engine_version, &row.enterprise_project_id]);
            labels.map(|all| (all.map(|text| &**text).to_vec(), "1".to_owned())).collect()
        }
        "connections_suppressed" => one(list.map(|_| flag(settings.per_connection && too_many))),
        "connection_transitions_total" => by_status(state.transitions),
        "up" => one(last.map(|poll| flag(poll.error.is_none()))),
        "last_success_timestamp_seconds" => {
            one(state.observation.as_ref().map(|data| text(unix_seconds(data.at))))
        }
        "last_attempt_timestamp_seconds" => one(last.map(|poll| text(unix_seconds(poll.at)))),
        "poll_interval_seconds" => one(Some(text(state.meta.interval.as_secs_f64()))),
        "poll_duration_seconds" => one(last.map(|poll| text(poll.duration.as_secs_f64()))),
        "connection_rejected_here" => rows
            .iter()
            .flat_map(|data| data.rejected_here.keys())
            .map(|id| (vec![id.as_str()], "1".to_owned()))
            .collect(),
        name => rows
            .iter()
            .flat_map(|data| data.connections())
            .filter_map(|(row, since)| {
                let info = [row.specification_name(), row.domain_id(), row.ip(), row.ipv6()];
                let (labels, value) = match name {
                    "connection_status" => (vec![row.status.as_str()], 1.0),
                    "connection_info" => ([&info[..], &[row.dns_name()]].concat(), 1.0),
                    "connection_status_since_timestamp_seconds" => (vec![], unix_seconds(since?)),
                    "connection_max_sessions" => (vec![], row.max_sessions? as f64),
                    "connection_created_timestamp_seconds" => {
                        (vec![], unix_seconds(row.created()?))
                    }
                    "connection_updated_timestamp_seconds" => {
                        (vec![], unix_seconds(row.updated()?))
                    }
                    other => panic!("{other} is not known here"),
                };
                Some(([&[row.endpoint_id()], &labels[..]].concat(), text(value)))
            })
            .collect(),
    }
}

fn sources() -> Sources {
    Sources::own(Arc::new(Stats::default()))
}

fn pieces(page: &Arc<Page>, format: Format, encoding: Encoding) -> Vec<axum::body::Bytes> {
    PageBytes::new(page.clone(), &sources(), format, encoding).collect()
}

/// The part about clusters.
fn identity(page: &Arc<Page>) -> String {
    let all = pieces(page, Format::Text004, Encoding::Identity).concat();
    let all = String::from_utf8(all).unwrap();
    let end = all.find("# HELP css_vpcep_exporter_targets").unwrap();
    all[..end].to_owned()
}

fn same(seen: &str, expected: &str, when: &str) {
    let mut lines = seen.lines().zip(expected.lines());
    let difference = lines.find(|(seen, expected)| seen != expected);
    assert!(seen == expected, "{when}: {difference:?}, {} {}", seen.len(), expected.len());
}

#[test]
fn after_whatever_happens_the_page_is_as_rendered_whole() {
    for seed in 1..=6 {
        let chance = &mut Chance(seed * 0x9e37_79b9);
        let (store, mut settings, mut now) = (Store::default(), SETTINGS, START);
        let clusters = 3 + chance.below(60);
        let board = Board::new((0..clusters).map(|number| meta(number, "name")));
        for step in 0..60 {
            match chance.below(12) {
                0 => {
                    let kept = 1 + chance.below(clusters);
                    let name = ["name", "name+", "other \"name\"+"][chance.below(3) as usize];
                    board.reconfigure((0..kept).map(|number| meta(number, name)));
                }
                1 => settings.per_connection = !settings.per_connection,
                2 => settings.per_connection_limit = 20 + chance.below(200) as usize,
                3 => settings.stale_after = Duration::from_secs(60 * chance.below(30)),
                4 => now += Duration::from_millis(chance.below(400_000)),
                // The clock is set back.
                5 => now -= Duration::from_secs(chance.below(300)),
                _ => {
                    for _ in 0..chance.below(8) {
                        let number = chance.below(clusters);
                        let result = match chance.below(4) {
                            0 => Err(CloudError::new(Reason::Timeout, "no")),
                            1 => {
                                let snapshot = board.snapshot();
                                let known = snapshot.cluster(&meta(number, "").id);
                                let data = known.and_then(|state| state.observation.as_ref());
                                let again = data.map(|data| ConnectionList::clone(&data.list));
                                Ok(again.unwrap_or_else(|| list(1, chance)))
                            }
                            _ => {
                                let most = [4, 40, 400][chance.below(3) as usize];
                                let connections = chance.below(most);
                                Ok(list(connections, chance))
                            }
                        };
                        poll(&board, number, now, result);
                    }
                }
            }
            match chance.below(3) {
                0 => store.prepare(&board, &settings, now),
                1 => {
                    store.prepare(&board, &settings, now);
                    continue;
                }
                _ => {}
            }
            let page = store.page(&board, &settings, now);
            let when = format!("seed {seed}, step {step}");
            same(&identity(&page), &plain(&board, &settings, now), &when);
        }
    }
}

/// A board of clusters that were polled at second 0, and its store.
fn polled(clusters: u64, connections: u64) -> (Board, Store) {
    let board = Board::new((0..clusters).map(|number| meta(number, "name")));
    for number in 0..clusters {
        poll(&board, number, START, Ok(list(connections, &mut Chance(number + 1))));
    }
    (board, Store::default())
}

#[test]
fn gzip_is_the_same_page_and_its_length_is_told_before() {
    let (board, store) = polled(20, 100);
    let page = store.page(&board, &SETTINGS, START);
    for format in [Format::Text004, Format::OpenMetrics100] {
        // The process's own figures move.
        let own = sources();
        let body = |encoding| {
            let bytes = PageBytes::new(page.clone(), &own, format, encoding);
            (bytes.length(), bytes.collect::<Vec<_>>().concat())
        };
        let ((_, identity), (gzip_length, gzip)) = (body(Encoding::Identity), body(Encoding::Gzip));
        assert_eq!(gzip_length, gzip.len());
        let mut inflated = String::new();
        let mut member = GzDecoder::new(&gzip[..]);
        member.read_to_string(&mut inflated).unwrap();
        assert!(member.into_inner().is_empty(), "nothing follows the only member");
        let fixed = |page: &str| {
            let lines = page.lines().filter(|line| !line.starts_with("process_"));
            lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
        };
        same(&fixed(&inflated), &fixed(std::str::from_utf8(&identity).unwrap()), "gzip");
        let length = body(Encoding::Identity).0;
        assert!(length.abs_diff(identity.len()) < 50, "{length}");
    }
}

/// Where the pieces of the gzip page are in memory, but for what is rendered for each scrape.
fn places(page: &Arc<Page>) -> Vec<*const u8> {
    let mut pieces = pieces(page, Format::Text004, Encoding::Gzip);
    // The end of the member and what is before it are of this scrape.
    pieces.truncate(pieces.len() - 2);
    pieces.iter().map(|piece| piece.as_ptr()).collect()
}

fn moved(before: &[*const u8], after: &[*const u8]) -> usize {
    after.iter().filter(|place| !before.contains(place)).count()
}

#[test]
fn a_poll_that_found_the_same_renders_only_the_lines_about_life() {
    let (board, store) = polled(10, 120);
    let before = store.page(&board, &SETTINGS, START);
    let first = places(&before);
    poll(&board, 7, after(1), Ok(list(120, &mut Chance(8))));
    // The pages are kept, so that no new block takes the place of an old one in memory.
    let page = store.page(&board, &SETTINGS, after(1));
    let second = places(&page);
    // When it succeeded and when it was tried; `up` and the duration are as before.
    assert_eq!((first.len(), moved(&first, &second)), (second.len(), 2));
    poll(&board, 7, after(2), Err(CloudError::new(Reason::Timeout, "no")));
    let third = places(&store.page(&board, &SETTINGS, after(2)));
    // `up` and when it was tried.
    assert_eq!(moved(&second, &third), 2);
    assert!(Arc::ptr_eq(
        &store.page(&board, &SETTINGS, after(2)),
        &store.page(&board, &SETTINGS, after(3)),
    ));
}

#[test]
fn one_changed_cluster_renders_only_its_group() {
    let (board, store) = polled(300, 120);
    let page = store.page(&board, &SETTINGS, START);
    let first = places(&page);
    poll(&board, 7, after(1), Ok(list(120, &mut Chance(99))));
    let second = places(&store.page(&board, &SETTINGS, after(1)));
    assert!(first.len() > 6 * 300);
    let moved = moved(&first, &second);
    assert!((8..=FAMILIES.len()).contains(&moved), "{moved}");
}

#[test]
fn many_small_clusters_share_blocks() {
    let [few, many] = [(100, 100), (1000, 10)].map(|(clusters, connections)| {
        let (board, store) = polled(clusters, connections);
        places(&store.page(&board, &SETTINGS, START)).len()
    });
    assert!(many < few * 2, "{many} {few}");
}

#[test]
fn data_leave_at_the_second_they_are_too_old_without_any_poll() {
    let (board, store) = polled(3, 5);
    poll(&board, 1, after(10), Ok(list(5, &mut Chance(1))));
    let clusters = |seconds| {
        let page = identity(&store.page(&board, &SETTINGS, after(seconds)));
        page.lines().filter(|line| line.starts_with("huaweicloud_css_vpcep_complete{")).count()
    };
    assert_eq!([899, 900, 909, 910, 909, 899].map(clusters), [3, 1, 1, 0, 1, 3]);
}
