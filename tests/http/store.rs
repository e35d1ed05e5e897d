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
use fastrand::Rng;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};

use crate::random_tests::check;

const START: Timestamp = Timestamp::constant(1_700_000_000, 0);
const SETTINGS: Settings = Settings {
    stale_after: Duration::from_secs(900),
    per_connection: true,
    per_connection_limit: 150,
};

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

fn connection(number: u64, random: &mut Rng) -> Connection {
    let date = |random: &mut Rng| START + Duration::from_millis(random.u64(..5_000) * 250);
    Connection::from(ConnectionFields {
        endpoint_id: &format!("endpoint-{number}"),
        status: Status::ALL[random.usize(..7)],
        max_sessions: maybe(random, |random| random.u64(..3) * 3_000_000_000_000_000_000),
        created: maybe(random, date),
        updated: maybe(random, date),
        specification_name: "default",
        domain_id: "d\\",
        ip: &format!("10.0.0.{}", random.u8(..3)),
        ipv6: "",
        dns_name: "two\nlines",
    })
}

fn maybe<T>(random: &mut Rng, some: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (random.u8(..3) > 0).then(|| some(random))
}

/// A list that is always the same for a seed, and may have hundreds of connections: to choose each of their
/// values one by one would take longer than the tests.
fn list(connections: u64, seed: u64) -> ConnectionList {
    let random = &mut Rng::with_seed(seed);
    let name = || ServiceName::new("a.cf072729-b076-49db-83d3-020dc9f589bd");
    ConnectionList {
        service_enabled: random.bool(),
        complete: random.bool(),
        reported: maybe(random, |_| u64::MAX),
        update_switch: maybe(random, Rng::bool),
        permissions: maybe(random, |random| random.u64(..9)),
        service_name: maybe(random, |_| name()),
        connections: (0..connections).map(|number| connection(number, random)).collect(),
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

/// Something that happens to a board or its page. Clusters are counted around, so that there is one of any number.
#[derive(Clone, Debug)]
enum Step {
    Later(Duration),
    /// The clock is set back.
    Earlier(Duration),
    /// The answers of some clusters.
    Polls(Vec<(u64, Poll)>),
    /// So many of the clusters are left, with this name.
    Reconfigure(u64, &'static str),
    SwitchConnections,
    ConnectionLimit(usize),
    StaleAfter(Duration),
}

#[derive(Clone, Debug)]
enum Poll {
    Fails,
    /// It finds what was found before.
    Repeats,
    Finds {
        connections: u64,
        seed: u64,
    },
}

/// The use of the store after a step.
#[derive(Clone, Copy, Debug)]
enum Use {
    Page,
    Prepare,
    PrepareAndPage,
}

fn step() -> impl Strategy<Value = Step> {
    let connections = prop_oneof![0..4_u64, 0..40_u64, 0..400_u64];
    let poll = prop_oneof![
        1 => Just(Poll::Fails),
        1 => Just(Poll::Repeats),
        2 => (connections, any::<u64>())
            .prop_map(|(connections, seed)| Poll::Finds { connections, seed }),
    ];
    let seconds = |most: u64| (0..most).prop_map(Duration::from_secs);
    prop_oneof![
        1 => (0..400_000_u64).prop_map(|millis| Step::Later(Duration::from_millis(millis))),
        1 => seconds(300).prop_map(Step::Earlier),
        6 => vec((0..63_u64, poll), 0..8).prop_map(Step::Polls),
        1 => (0..63_u64, select(vec!["name", "name+", "other \"name\"+"]))
            .prop_map(|(kept, name)| Step::Reconfigure(kept, name)),
        1 => Just(Step::SwitchConnections),
        1 => (20..220_usize).prop_map(Step::ConnectionLimit),
        1 => seconds(1800).prop_map(Step::StaleAfter),
    ]
}

#[test]
fn after_whatever_happens_the_page_is_as_rendered_whole() {
    let uses = select(vec![Use::Page, Use::PrepareAndPage, Use::Prepare]);
    check(6, &(3..63_u64, vec((step(), uses), 1..120)), |(clusters, steps)| {
        let (store, mut settings, mut now) = (Store::default(), SETTINGS, START);
        let board = Board::new((0..clusters).map(|number| meta(number, "name")));
        for (at, (step, used)) in steps.into_iter().enumerate() {
            match step {
                Step::Later(time) => now += time,
                Step::Earlier(time) => now -= time,
                Step::Polls(polls) => {
                    for (number, found) in polls {
                        let number = number % clusters;
                        poll(&board, number, now, result(&board, number, found));
                    }
                }
                Step::Reconfigure(kept, name) => {
                    board.reconfigure((0..=kept % clusters).map(|number| meta(number, name)));
                }
                Step::SwitchConnections => settings.per_connection = !settings.per_connection,
                Step::ConnectionLimit(most) => settings.per_connection_limit = most,
                Step::StaleAfter(time) => settings.stale_after = time,
            }
            if matches!(used, Use::Prepare | Use::PrepareAndPage) {
                store.prepare(&board, &settings, now);
            }
            if matches!(used, Use::Page | Use::PrepareAndPage) {
                let page = store.page(&board, &settings, now);
                let when = format!("step {at}");
                same(&identity(&page), &plain(&board, &settings, now), &when);
            }
        }
    });
}

fn result(board: &Board, number: u64, found: Poll) -> Result<ConnectionList, CloudError> {
    match found {
        Poll::Fails => Err(CloudError::new(Reason::Timeout, "no")),
        Poll::Repeats => {
            let snapshot = board.snapshot();
            let known = snapshot.cluster(&meta(number, "").id);
            let data = known.and_then(|state| state.observation.as_ref());
            let again = data.map(|data| ConnectionList::clone(&data.list));
            Ok(again.unwrap_or_else(|| list(1, 1)))
        }
        Poll::Finds { connections, seed } => Ok(list(connections, seed)),
    }
}

/// A board of clusters that were polled at second 0, and its store.
fn polled(clusters: u64, connections: u64) -> (Board, Store) {
    let board = Board::new((0..clusters).map(|number| meta(number, "name")));
    for number in 0..clusters {
        poll(&board, number, START, Ok(list(connections, number + 1)));
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
    poll(&board, 7, after(1), Ok(list(120, 8)));
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
    poll(&board, 7, after(1), Ok(list(120, 99)));
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
    poll(&board, 1, after(10), Ok(list(5, 1)));
    let clusters = |seconds| {
        let page = identity(&store.page(&board, &SETTINGS, after(seconds)));
        page.lines().filter(|line| line.starts_with("huaweicloud_css_vpcep_complete{")).count()
    };
    assert_eq!([899, 900, 909, 910, 909, 899].map(clusters), [3, 1, 1, 0, 1, 3]);
}
