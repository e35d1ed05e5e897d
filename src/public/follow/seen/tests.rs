use serde_json::Value;

use super::*;
use crate::{
    board::{Attempt, Board, ClusterMeta, OwnChange},
    cloud::{CloudError, Trace, Traced},
    model::{Connection, ConnectionList, RegionId, Status},
};

const STALE_AFTER: Duration = Duration::from_secs(900);

fn id(number: u32) -> ClusterId {
    ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

fn meta(number: u32) -> ClusterMeta {
    ClusterMeta {
        id: id(number),
        name: format!("c{number}").into(),
        project: "p".into(),
        region: RegionId::parse("r").unwrap(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn polled(board: &Board, seconds: i64, result: Result<&[Status], Reason>) {
    let list = |statuses: &[Status]| ConnectionList {
        service_enabled: true,
        connections: (0..)
            .zip(statuses)
            .map(|(number, status)| Connection::bare(&format!("e{number}"), *status))
            .collect(),
        ..ConnectionList::service_not_enabled()
    };
    let result = result
        .map(|statuses| Arc::new(list(statuses)))
        .map_err(|reason| CloudError::new(reason, "no"));
    let outcome = Traced { result, trace: Trace::default() };
    let attempt = Attempt { at: at(seconds), duration: Duration::ZERO, outcome };
    board.record(&id(1), attempt, at(seconds + 60));
}

/// The kinds of the events of a look, and the last one's data.
fn look(seen: &mut Seen, board: &Board, seconds: i64) -> (Vec<&'static str>, Value) {
    let events = seen.events(&board.snapshot(), at(seconds), STALE_AFTER);
    let data = events.last().map(|event| serde_json::from_str(&event.data).unwrap());
    (events.iter().map(|event| event.kind).collect(), data.unwrap_or_default())
}

#[test]
fn only_what_moves_is_an_event() {
    use Status::{Accepted, Rejected};
    let board = Board::new([meta(1), meta(2)]);
    let mut seen = Seen::default();
    assert_eq!(look(&mut seen, &board, 0).0, ["cluster", "cluster"]);
    assert!(look(&mut seen, &board, 1).0.is_empty());

    polled(&board, 10, Ok(&[Accepted, Accepted]));
    let (kinds, data) = look(&mut seen, &board, 10);
    assert_eq!(kinds, ["cluster"]);
    assert_eq!(data["state"], "fresh");
    assert_eq!(data["connections"]["accepted"], 2);

    polled(&board, 20, Ok(&[Accepted, Accepted]));
    assert!(look(&mut seen, &board, 20).0.is_empty(), "it found the same, later");

    polled(&board, 30, Ok(&[Accepted, Rejected]));
    let events = seen.events(&board.snapshot(), at(30), STALE_AFTER);
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["transition", "cluster"]);
    let transition: Value = serde_json::from_str(&events[0].data).unwrap();
    let expected = serde_json::json!({
        "at": "1970-01-01T00:00:30Z",
        "project": "p",
        "region_id": "r",
        "cluster_id": id(1).as_str(),
        "cluster_name": "c1",
        "endpoint_id": "e1",
        "from": "accepted",
        "to": "rejected",
        "change_id": null,
    });
    assert_eq!(transition, expected);

    // A transition that follows a change of ours names it.
    let ours =
        OwnChange { change_id: "ours".into(), actor: "oncall".into(), at: at(31), decided: None };
    board.change_begins(&[id(1)], &ours);
    polled(&board, 35, Ok(&[Accepted, Accepted]));
    let events = seen.events(&board.snapshot(), at(35), STALE_AFTER);
    let transition: Value = serde_json::from_str(&events[0].data).unwrap();
    assert_eq!(transition["change_id"], "ours");
    polled(&board, 36, Ok(&[Accepted, Rejected]));
    look(&mut seen, &board, 36);

    // As many of each as before, but others.
    polled(&board, 40, Ok(&[Rejected, Accepted]));
    assert_eq!(look(&mut seen, &board, 40).0, ["transition", "transition"]);

    polled(&board, 50, Err(Reason::Timeout));
    assert_eq!(look(&mut seen, &board, 50).1["state"], "failing");
    polled(&board, 60, Err(Reason::Timeout));
    assert!(look(&mut seen, &board, 60).0.is_empty(), "the same failure");
    polled(&board, 70, Err(Reason::Tls));
    assert_eq!(look(&mut seen, &board, 70).1["last_error"]["reason"], "tls");
    let (kinds, data) = look(&mut seen, &board, 40 + 900);
    assert_eq!((kinds.as_slice(), &data["state"]), (&["cluster"][..], &"stale".into()));
}

#[test]
fn clusters_come_and_go() {
    let board = Board::new([meta(1), meta(2)]);
    let mut seen = Seen::default();
    look(&mut seen, &board, 0);
    board.reconfigure([meta(2), meta(3)]);
    let events = seen.events(&board.snapshot(), at(1), STALE_AFTER);
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["gone", "cluster"]);
    assert!(events[0].data.contains(id(1).as_str()) && events[1].data.contains(id(3).as_str()));
    board.reconfigure([ClusterMeta { name: "other".into(), ..meta(2) }, meta(3)]);
    assert_eq!(look(&mut seen, &board, 2).1["cluster_name"], "other");
}
