use std::time::Duration;

use super::*;
use crate::{model::Labels, poll::Shard};

fn settings() -> DiscoverySettings {
    DiscoverySettings {
        interval: Duration::from_secs(300),
        include: Vec::new(),
        exclude: Vec::new(),
        tags: BTreeMap::new(),
        enterprise_project_ids: Vec::new(),
        tag_labels: Vec::new(),
        limit: 10,
        poll_interval: Duration::from_secs(60),
        labels: Labels::default(),
        shard: Shard::ONLY,
    }
}

fn id(number: u32) -> ClusterId {
    ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap()
}

fn row(number: u32, name: &str) -> ListedCluster {
    ListedCluster {
        id: id(number),
        name: name.into(),
        engine: "elasticsearch".into(),
        engine_version: "7.10.2".into(),
        enterprise_project_id: "".into(),
        tags: BTreeMap::new(),
    }
}

fn whole(numbers: impl IntoIterator<Item = u32>) -> ClusterList {
    let clusters = numbers.into_iter().map(|number| row(number, "logs")).collect();
    ClusterList { clusters, incomplete: None }
}

fn incomplete(numbers: impl IntoIterator<Item = u32>) -> ClusterList {
    ClusterList { incomplete: Some("it is not".into()), ..whole(numbers) }
}

fn known(numbers: impl IntoIterator<Item = u32>) -> Known {
    Known::default().after(whole(numbers), &settings()).known
}

fn ids(known: &Known) -> Vec<ClusterId> {
    known.0.keys().cloned().collect()
}

fn reason(outcome: &Outcome) -> Option<Reason> {
    outcome.failure.as_ref().map(|error| error.reason)
}

#[test]
fn a_cluster_is_gone_after_two_whole_lists_without_it_in_a_row() {
    // The lists in their order, and whether the second cluster is still known after each.
    let (with, without) = (whole([1, 2]), whole([1]));
    let (part, part_with) = (incomplete([1]), incomplete([1, 2]));
    let cases: [&[(&ClusterList, bool)]; 4] = [
        &[(&without, true), (&without, false)],
        &[(&without, true), (&with, true), (&without, true), (&without, false)],
        &[(&part, true), (&part, true), (&without, true), (&part, true), (&without, false)],
        &[(&without, true), (&part_with, true), (&without, true)],
    ];
    for (case, lists) in cases.into_iter().enumerate() {
        let mut now = known([1, 2]);
        for (number, (list, stays)) in lists.iter().enumerate() {
            let outcome = now.after((*list).clone(), &settings());
            assert_eq!(outcome.gone.is_empty(), *stays, "case {case}, list {number}");
            now = outcome.known;
            assert_eq!(now.row(&id(2)).is_some(), *stays, "case {case}, list {number}");
        }
    }
}

#[test]
fn a_list_that_is_empty_or_too_long_changes_nothing() {
    let before = known([1, 2]);
    for (list, expected) in [
        (whole([]), Reason::NotFound),
        (incomplete([]), Reason::NotFound),
        (whole(5..16), Reason::TooLarge),
    ] {
        let outcome = before.after(list, &settings());
        assert_eq!((reason(&outcome), &outcome.known), (Some(expected), &before));
    }
    // As many as the limit are fine, and so is nothing where nothing was.
    assert_eq!(reason(&before.after(whole(1..11), &settings())), None);
    assert_eq!(reason(&Known::default().after(whole([]), &settings())), None);
    // So is an empty list of a shard that has none of the clusters.
    let of_others = DiscoverySettings { shard: Shard { index: 1, count: 2 }, ..settings() };
    let zero = DiscoverySettings { shard: Shard { index: 0, count: 2 }, ..settings() };
    let mine = |settings: &DiscoverySettings| Known::default().after(whole(1..11), settings).known;
    let (a, b) = (mine(&of_others), mine(&zero));
    assert!(a.len() > 0 && b.len() > 0);
    assert_eq!(a.len() + b.len(), 10, "each cluster has one shard");
}

#[test]
fn an_incomplete_list_adds_and_renames_and_is_a_failure() {
    let list = ClusterList { clusters: vec![row(2, "new name"), row(3, "logs")], ..incomplete([]) };
    let outcome = known([1, 2]).after(list, &settings());
    assert_eq!(reason(&outcome), Some(Reason::BadShape));
    assert_eq!(ids(&outcome.known), [id(1), id(2), id(3)]);
    assert_eq!((outcome.come, outcome.renamed, outcome.gone), (vec![id(3)], vec![id(2)], vec![]));
}

#[test]
fn lists_that_are_never_whole_do_not_grow_without_end() {
    let mut now = Known::default();
    for round in 0..100 {
        let outcome = now.after(incomplete(round * 8..round * 8 + 8), &settings());
        now = outcome.known;
        assert!(now.len() <= 20);
    }
}

#[test]
fn an_unchanged_list_changes_nothing_and_shares_its_rows() {
    let before = known([1, 2]);
    let outcome = before.after(whole([1, 2]), &settings());
    assert_eq!((&outcome.known, outcome.failure), (&before, None));
    assert!(Arc::ptr_eq(before.row(&id(1)).unwrap(), outcome.known.row(&id(1)).unwrap()));
}

#[test]
fn every_filter_must_let_a_cluster_through() {
    let mut cluster = row(1, "logs-prod");
    cluster.tags = [("env".into(), "prod".into()), ("team".into(), "search".into())].into();
    cluster.enterprise_project_id = "ep".into();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let tags = |tags: &[(&str, &str)]| {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let cases = [
        (settings(), true),
        (DiscoverySettings { include: texts(&["x", "logs-*"]), ..settings() }, true),
        (DiscoverySettings { include: texts(&["x"]), ..settings() }, false),
        (DiscoverySettings { exclude: texts(&["*-prod"]), ..settings() }, false),
        (DiscoverySettings { exclude: texts(&["*-test"]), ..settings() }, true),
        (
            DiscoverySettings { tags: tags(&[("env", "prod"), ("team", "search")]), ..settings() },
            true,
        ),
        (DiscoverySettings { tags: tags(&[("env", "prod"), ("team", "x")]), ..settings() }, false),
        (DiscoverySettings { tags: tags(&[("tier", "")]), ..settings() }, false),
        (DiscoverySettings { enterprise_project_ids: texts(&["0", "ep"]), ..settings() }, true),
        (DiscoverySettings { enterprise_project_ids: texts(&["0"]), ..settings() }, false),
    ];
    for (settings, wanted) in cases {
        assert_eq!(settings.wants(&cluster), wanted, "{settings:?}");
    }
    // Where enterprise projects are off, everything is in the default one.
    let default = DiscoverySettings { enterprise_project_ids: texts(&["0"]), ..settings() };
    assert!(default.wants(&row(1, "logs")));
}
