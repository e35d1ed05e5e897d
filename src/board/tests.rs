use std::time::Duration;

use super::*;
use crate::{
    cloud::{Trace, Traced},
    model::{ConnectionList, RegionId},
};

fn id(number: u32) -> ClusterId {
    ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap()
}

fn meta(project: &str, number: u32) -> ClusterMeta {
    ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: project.into(),
        id: id(number),
        name: format!("c{number}").into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// A board where each of the clusters was polled once.
fn polled(clusters: impl IntoIterator<Item = ClusterMeta>) -> Board {
    let board = Board::new(clusters);
    for state in board.snapshot().clusters() {
        let result = Ok(ConnectionList::service_not_enabled().into());
        let outcome = Traced { result, trace: Trace::default() };
        let attempt = Attempt { at: time(0), duration: Duration::from_millis(5), outcome };
        board.record(&state.meta.id, attempt, time(60));
    }
    board
}

/// The clusters in the order of the board: project, number in the id, whether it was polled. The
/// index is checked on the way.
fn standing(board: &Board) -> Vec<(String, u32, bool)> {
    let snapshot = board.snapshot();
    let row = |state: &Arc<ClusterState>| {
        let id = &state.meta.id;
        assert!(Arc::ptr_eq(state, snapshot.cluster(id).unwrap()));
        let number = u32::from_str_radix(&id.as_str()[..8], 16).unwrap();
        (state.meta.project.to_string(), number, state.observation.is_some())
    };
    let rows: Vec<_> = snapshot.clusters().iter().map(row).collect();
    assert_eq!(snapshot.index.len(), rows.len(), "who is gone is found no more");
    rows
}

fn renamed(meta: ClusterMeta) -> ClusterMeta {
    ClusterMeta { name: "new".into(), interval: Duration::from_secs(5), ..meta }
}

fn moved(meta: ClusterMeta) -> ClusterMeta {
    ClusterMeta { region: RegionId::parse("eu-de").unwrap(), ..meta }
}

type Rows = &'static [(&'static str, u32, bool)];

#[test]
fn a_reload_keeps_what_is_known_of_the_clusters_that_stay_and_only_of_those() {
    let cases: [(&str, Vec<ClusterMeta>, Rows); 9] = [
        ("same", vec![meta("b", 2), meta("b", 1)], &[("b", 1, true), ("b", 2, true)]),
        ("one gone", vec![meta("b", 2)], &[("b", 2, true)]),
        ("all gone", vec![], &[]),
        (
            "one new, before the others",
            vec![meta("b", 1), meta("b", 2), meta("a", 3)],
            &[("a", 3, false), ("b", 1, true), ("b", 2, true)],
        ),
        (
            "one new, between",
            vec![meta("c", 0), meta("b", 1), meta("b", 2)],
            &[("b", 1, true), ("b", 2, true), ("c", 0, false)],
        ),
        ("one replaced", vec![meta("b", 3), meta("b", 2)], &[("b", 2, true), ("b", 3, false)]),
        ("another name", vec![renamed(meta("b", 1))], &[("b", 1, true)]),
        ("another project", vec![meta("a", 1)], &[("a", 1, false)]),
        ("another region", vec![moved(meta("b", 1))], &[("b", 1, false)]),
    ];
    for (what, new, expected) in cases {
        let board = polled([meta("b", 1), meta("b", 2)]);
        let before = board.snapshot();
        let mut readers = board.subscribe();
        board.reconfigure(new.clone());
        let expected: Vec<_> =
            expected.iter().map(|&(project, n, known)| (project.to_owned(), n, known)).collect();
        assert_eq!(standing(&board), expected, "{what}");
        assert!(readers.has_changed().unwrap(), "{what}");
        for state in readers.borrow_and_update().clusters() {
            assert!(new.contains(&state.meta), "{what}: the new name and interval are shown");
            if state.observation.is_some() {
                let old = ClusterState::clone(before.cluster(&state.meta.id).unwrap());
                let expected = ClusterState { meta: state.meta.clone(), ..old };
                assert_eq!(**state, expected, "{what}: all is kept but the meta");
            }
        }
        assert_eq!(before.clusters().len(), 2, "{what}: a reader keeps its snapshot");
    }
}

#[test]
fn a_poll_that_ends_after_its_cluster_has_gone_is_none_of_the_boards_business() {
    let board = polled([meta("b", 1), meta("b", 2)]);
    board.reconfigure([meta("b", 1)]);
    board.schedule(&id(2), time(0));
    assert_eq!(standing(&board), [("b".to_owned(), 1, true)]);
}

#[test]
fn a_restart_brings_back_the_clusters_that_are_still_configured_and_were_not_polled_since() {
    let cases: [(&str, Vec<ClusterMeta>, usize); 6] = [
        ("same", vec![meta("b", 1), meta("b", 2)], 2),
        ("one gone, one new", vec![meta("b", 2), meta("b", 3)], 1),
        ("another name", vec![renamed(meta("b", 1))], 1),
        ("another project", vec![meta("a", 1)], 0),
        ("another region", vec![moved(meta("b", 1))], 0),
        ("nothing configured", vec![], 0),
    ];
    let old = polled([meta("b", 1), meta("b", 2)]).snapshot();
    let restored = || Restored {
        clusters: old.clusters().iter().map(|state| ClusterState::clone(state)).collect(),
        damaged: None,
    };
    for (what, configured, expected) in cases {
        let board = Board::new(configured.clone());
        for state in board.snapshot().clusters() {
            board.schedule(&state.meta.id, time(700));
        }
        let readers = board.subscribe();
        assert_eq!(board.restore(restored()), expected, "{what}");
        assert_eq!(readers.has_changed().unwrap(), expected > 0, "{what}");
        let snapshot = board.snapshot();
        let known = snapshot.clusters().iter().filter(|state| state.observation.is_some());
        assert_eq!(known.count(), expected, "{what}");
        for state in snapshot.clusters() {
            assert!(configured.contains(&state.meta), "{what}");
            assert_eq!(state.next_poll, Some(time(700)), "{what}: the schedule knows better");
        }
        assert_eq!(board.restore(restored()), 0, "{what}: nothing replaces what is newer");
    }
}
