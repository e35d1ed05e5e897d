//! Decisions about connections: the rules, and the rows P1 to P21 of "Faults of changes" as the engine meets
//! them for this kind.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    fake::{Acts, Fake, Put, Reads, error},
    log::Log,
    rig::{Rig, cluster, decision},
};
use crate::{
    audit::{Audit, AuditError, ChangeId, Content, Hash, Kind, Record},
    change::{ConnectionChange, Effect, Outcome, Recorder, Refusal, Report},
    cloud::{CloudError, Reason},
    model::{Decision, Status},
    pacing::Priority,
};
use Decision::{Accept, Reject};
use Status::{Accepted, Deleting, Rejected};

const BOTH: &[(&str, Status)] = &[("a", Rejected), ("b", Rejected)];

impl Rig {
    async fn accept(&self, connections: &[(&str, Status)]) -> Result<Report, Refusal> {
        self.changes.change(decision(Accept, connections, false)).await
    }

    fn decided(&self) -> usize {
        self.fake.state().decisions.len()
    }

    fn status(&self, id: &str) -> Option<Status> {
        self.fake.state().connections.get(id).copied()
    }
}

fn changes(effect: &Effect) -> Vec<(&str, Option<Status>, Status, Outcome)> {
    let Effect::Connections(all) = effect else { panic!("{effect:?}") };
    let parts = |one: &ConnectionChange| (one.from, one.to, one.outcome);
    all.iter()
        .map(|one| {
            let (from, to, outcome) = parts(one);
            (one.endpoint_id.as_str(), from, to, outcome)
        })
        .collect()
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    changes(&report.effect).into_iter().map(|(.., outcome)| outcome).collect()
}

/// Two connections are accepted, and this becomes of it; the ledger holds.
async fn meet(put: Put) -> (Rig, Report) {
    let rig = Rig::new();
    rig.put(put);
    let report = rig.accept(BOTH).await.expect("a report");
    rig.check_ledger();
    assert_eq!(rig.count(report.outcome), 1);
    let did_nothing = [Outcome::Rejected, Outcome::NotSent].contains(&report.outcome);
    assert_eq!(rig.polled.lock().unwrap().len(), usize::from(!did_nothing), "{report:?}");
    (rig, report)
}

fn expect(report: &Report, outcome: Outcome, sent: bool, safe_to_retry: bool) {
    let found = (report.outcome, report.sent, report.safe_to_retry);
    assert_eq!(found, (outcome, sent, safe_to_retry), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_are_accepted_by_one_request_and_recorded() {
    let (rig, report) = meet(Put::ok()).await;
    expect(&report, Outcome::Applied, true, false);
    assert_eq!(
        changes(&report.effect),
        [
            ("a", Some(Rejected), Accepted, Outcome::Applied),
            ("b", Some(Rejected), Accepted, Outcome::Applied),
        ]
    );
    assert_eq!(rig.fake.state().decisions[0].1, json!({"action": "accept", "ids": ["a", "b"]}));
    assert_eq!(*rig.polled.lock().unwrap(), [cluster()]);
    let intent = rig.log.of(Kind::Intent).remove(0).content;
    assert_eq!(intent.cluster_id, Some(cluster()));
    assert_eq!((intent.cluster_name.as_deref(), intent.service_id), (Some("logs"), None));
    assert_eq!(intent.before, Some(json!({"a": "rejected", "b": "rejected"})));
    assert_eq!(
        intent.request,
        Some(json!({"action": "accept", "connections": [
            {"endpoint_id": "a", "status": "rejected"},
            {"endpoint_id": "b", "status": "rejected"},
        ]}))
    );
    let outcome = rig.log.of(Kind::Outcome).remove(0).content;
    let diff =
        |id| json!({"endpoint_id": id, "from": "rejected", "to": "accepted", "outcome": "applied"});
    assert_eq!(outcome.diff, Some(json!([diff("a"), diff("b")])));
}

#[tokio::test(start_paused = true)]
async fn what_is_as_wanted_is_not_sent_whatever_was_seen() {
    let rig = Rig::new();
    let report = rig.accept(&[("c", Rejected)]).await.unwrap();
    expect(&report, Outcome::Unchanged, false, true);
    assert_eq!(outcomes(&report), [Outcome::Unchanged]);
    assert_eq!((rig.decided(), rig.log.of(Kind::Intent).len()), (0, 0));
    assert_eq!(rig.log.of(Kind::Outcome)[0].outcome, Some(Outcome::Unchanged));
    // Of several, only those are sent that have another status.
    let report = rig.accept(&[("c", Rejected), ("a", Rejected)]).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unchanged, Outcome::Applied]);
    assert_eq!(rig.fake.state().decisions[0].1["ids"], json!(["a"]));
    rig.log.entries.lock().unwrap().remove(0);
    rig.check_ledger();
}

#[tokio::test(start_paused = true)]
async fn a_status_that_moved_is_told_and_nothing_is_sent() {
    let rig = Rig::new();
    let asked = [("a", Rejected), ("b", Status::PendingAcceptance), ("gone", Rejected)];
    let Err(Refusal::StatusMoved(moved)) = rig.accept(&asked).await else { panic!() };
    assert_eq!(
        changes(&moved),
        [
            ("a", Some(Rejected), Accepted, Outcome::NotSent),
            ("b", Some(Rejected), Accepted, Outcome::NotSent),
            ("gone", None, Accepted, Outcome::NotSent),
        ]
    );
    assert_eq!((rig.decided(), rig.log.entries.lock().unwrap().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_plan_sends_nothing_and_warns() {
    let rig = Rig::new();
    let asked = [("a", Rejected), ("c", Accepted), ("d", Deleting), ("gone", Rejected)];
    let report = rig.changes.change(decision(Reject, &asked, true)).await.unwrap();
    expect(&report, Outcome::Planned, false, true);
    let (planned, unchanged) = (Outcome::Planned, Outcome::Unchanged);
    assert_eq!(outcomes(&report), [unchanged, planned, planned, planned]);
    assert!(report.warnings[0].contains("d is deleting"), "{report:?}");
    assert!(report.warnings[1].contains("no connection gone"), "{report:?}");
    assert_eq!((rig.decided(), rig.log.entries.lock().unwrap().len()), (0, 0));
    assert_eq!(rig.fake.state().priority, Some(Priority::Begun));
    assert_eq!(rig.count(Outcome::Planned), 1);
}

#[tokio::test(start_paused = true)]
async fn fault_p01_no_connection_is_not_sent() {
    let failure = CloudError { never_sent: true, ..error(Reason::Connect, None, "") };
    let put = Put { leaves: false, ..Put::fails(failure, Acts::NotAtAll) };
    let (rig, report) = meet(put).await;
    expect(&report, Outcome::NotSent, false, true);
    assert_eq!(outcomes(&report), [Outcome::NotSent; 2]);
    assert_eq!(rig.decided(), 0);
}

#[tokio::test(start_paused = true)]
async fn fault_p02_to_p05_and_p16_what_is_unknown_is_read_back_and_never_sent_again() {
    let failures = [
        error(Reason::Reset, None, ""),
        error(Reason::BadJson, Some(200), ""),
        error(Reason::Http5xx, Some(500), "CSS.0005"),
        error(Reason::Http5xx, Some(504), "APIGW.0201"),
    ];
    let mut puts = vec![];
    for acts in [Acts::Wholly, Acts::NotAtAll] {
        puts.push(Put { after: None, ..Put::acts(acts.clone()) });
        puts.extend(failures.iter().map(|error| Put::fails(error.clone(), acts.clone())));
    }
    for put in puts {
        let applied = put.acts == Acts::Wholly;
        let (rig, report) = meet(put).await;
        let expected = if applied { Outcome::Applied } else { Outcome::NotApplied };
        expect(&report, expected, true, !applied);
        assert_eq!(outcomes(&report), [expected; 2]);
        assert_eq!(rig.decided(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p07_partial_names_which() {
    let (rig, report) = meet(Put::acts(Acts::Partly(&[]))).await;
    expect(&report, Outcome::Partial, true, false);
    assert_eq!(outcomes(&report), [Outcome::Applied, Outcome::NotApplied]);
    assert_eq!(report.warnings, ["b is rejected"]);
    assert_eq!((rig.status("a"), rig.status("b")), (Some(Accepted), Some(Rejected)));
}

#[tokio::test(start_paused = true)]
async fn fault_p09_to_p15_a_refused_decision_did_nothing() {
    for (reason, status, code, safe) in [
        (Reason::Http4xx, 400, "CSS.5090", false),
        (Reason::Http4xx, 400, "CSS.5182", false),
        (Reason::Auth, 401, "APIGW.0301", false),
        (Reason::NotFound, 403, "CSS.0015", false),
        (Reason::Forbidden, 400, "CSS.5313", false),
        (Reason::Http4xx, 409, "", false),
        (Reason::Http4xx, 412, "", false),
        (Reason::Throttled, 429, "APIGW.0308", true),
    ] {
        let (rig, report) =
            meet(Put::fails(error(reason, Some(status), code), Acts::NotAtAll)).await;
        expect(&report, Outcome::Rejected, true, safe);
        assert_eq!(outcomes(&report), [Outcome::Rejected; 2]);
        assert_eq!(rig.decided(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p17_a_reading_back_that_fails_is_unknown() {
    for reads in [Reads::FailAfterPut, Reads::Hang] {
        let rig = Rig::new();
        let task = tokio::spawn({
            let changes = rig.changes.clone();
            async move { changes.change(decision(Accept, BOTH, false)).await }
        });
        sleep(Duration::from_millis(1)).await;
        rig.fake.state().reads = reads;
        match task.await.unwrap() {
            Ok(report) => {
                expect(&report, Outcome::Unknown, true, false);
                assert_eq!(outcomes(&report), [Outcome::Unknown; 2]);
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::Unreadable(_)), "{refusal:?}"),
        }
        rig.check_ledger();
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p18_somebody_elses_change_is_not_taken_for_ours() {
    let (_, report) = meet(Put::acts(Acts::ThenGone)).await;
    expect(&report, Outcome::Unknown, true, false);
    assert_eq!(outcomes(&report), [Outcome::Unknown, Outcome::Applied]);
    assert_eq!(report.warnings, ["a is gone"]);
}

#[tokio::test(start_paused = true)]
async fn fault_p19_the_old_status_may_show_for_a_while() {
    let rig = Rig::new();
    rig.fake.state().lag = Duration::from_secs(5);
    expect(&rig.accept(BOTH).await.unwrap(), Outcome::Applied, true, false);
    let rig = Rig::new();
    rig.fake.state().lag = Duration::from_secs(60);
    expect(&rig.accept(BOTH).await.unwrap(), Outcome::NotApplied, true, true);
    assert_eq!(rig.decided(), 1);
}

#[tokio::test(start_paused = true)]
async fn fault_p20_a_decision_ends_without_its_caller() {
    let rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(2), ..Put::ok() });
    let hung_up = tokio::time::timeout(Duration::from_secs(1), rig.accept(BOTH)).await;
    assert!(hung_up.is_err());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.log.of(Kind::Outcome)[0].outcome, Some(Outcome::Applied));
    rig.check_ledger();
}

#[tokio::test(start_paused = true)]
async fn fault_p21_a_second_decision_about_the_cluster_is_refused_at_once() {
    let rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(2), ..Put::ok() });
    let changes = rig.changes.clone();
    let first = tokio::spawn(async move { changes.change(decision(Accept, BOTH, false)).await });
    sleep(Duration::from_secs(1)).await;
    let at = Instant::now();
    let second = rig.accept(&[("a", Rejected)]).await;
    assert!(matches!(second, Err(Refusal::InProgress)), "{second:?}");
    assert_eq!(at.elapsed(), Duration::ZERO);
    // The service behind it is another subject.
    rig.fake.state().put = Put::ok();
    assert_eq!(first.await.unwrap().unwrap().outcome, Outcome::Applied);
    rig.check_ledger();
}

#[tokio::test(start_paused = true)]
async fn fault_c09_without_an_intent_nothing_is_sent() {
    let rig = Rig::new();
    rig.log.refuses.lock().unwrap().push(Kind::Intent);
    assert!(matches!(rig.accept(BOTH).await, Err(Refusal::AuditUnavailable(_))));
    assert_eq!((rig.decided(), rig.status("a")), (0, Some(Rejected)));
}

#[tokio::test(start_paused = true)]
async fn fault_c10_an_outcome_that_cannot_be_recorded_is_told() {
    let rig = Rig::new();
    rig.log.refuses.lock().unwrap().push(Kind::Outcome);
    let report = rig.accept(BOTH).await.unwrap();
    expect(&report, Outcome::Applied, true, false);
    assert!(report.warnings[0].contains("could not be written"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn fault_c30_a_decision_that_dies_is_unknown_and_found_out() {
    let rig = Rig::new();
    rig.put(Put::acts(Acts::Panics));
    let report = rig.accept(BOTH).await.unwrap();
    expect(&report, Outcome::Unknown, true, false);
    assert_eq!(outcomes(&report), [Outcome::Unknown; 2]);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.log.of(Kind::Outcome)[0].outcome, Some(Outcome::Applied));
}

fn dangling() -> Record {
    let diff =
        |id| json!({"endpoint_id": id, "from": "rejected", "to": "accepted", "outcome": "planned"});
    let seen = |id| json!({"endpoint_id": id, "status": "rejected"});
    let content = Content {
        change_id: ChangeId::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
        actor: Some("oncall".into()),
        project: Some("prod".into()),
        cluster_id: Some(cluster()),
        cluster_name: Some("logs".into()),
        request: Some(json!({"action": "accept", "connections": [seen("a"), seen("b")]})),
        diff: Some(json!([diff("a"), diff("b")])),
        ..Content::empty(Kind::Intent)
    };
    let time = "2026-10-31T23:59:00Z".parse().unwrap();
    Record { seq: 7, time, content, prev: Hash::ZERO, hash: Hash::ZERO }
}

#[tokio::test(start_paused = true)]
async fn fault_c14_a_decision_that_was_cut_short_is_found_out_and_not_sent_again() {
    let mut strange = dangling();
    strange.content.request = Some(json!("junk"));
    for (happened, intent, outcome) in [
        (&["a", "b"][..], dangling(), Outcome::Applied),
        (&["a"][..], dangling(), Outcome::Partial),
        (&[][..], dangling(), Outcome::NotApplied),
        (&["a", "b"][..], strange, Outcome::Unknown),
    ] {
        let fake = Fake::new([super::service()]);
        for id in happened {
            fake.state().connections.insert(id, Accepted);
        }
        let rig = Rig::with(fake, Log::default(), vec![intent]);
        sleep(Duration::from_millis(1)).await;
        if outcome != Outcome::Applied && outcome != Outcome::Unknown {
            let meanwhile = rig.accept(BOTH).await;
            assert!(matches!(meanwhile, Err(Refusal::InProgress)), "{meanwhile:?}");
        }
        sleep(Duration::from_secs(30)).await;
        let ended = rig.log.of(Kind::Outcome);
        assert_eq!(ended.iter().map(|one| one.outcome).collect::<Vec<_>>(), [Some(outcome)]);
        assert_eq!(rig.decided(), 0);
        rig.accept(BOTH).await.expect("the gate is open");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_is_unknown_and_its_connections_can_be_read_while_it_is_there() {
    let rig = Rig::new();
    let list = rig.changes.read_connections(cluster()).await.unwrap();
    assert_eq!(list.connections.len(), 4);
    rig.fake.state().reads = Reads::Fail;
    let read = rig.changes.read_connections(cluster()).await;
    assert!(matches!(read, Err(Refusal::Unreadable(_))));
    assert!(matches!(rig.accept(BOTH).await, Err(Refusal::Unreadable(_))));
    rig.clusters.reconfigure([]);
    assert!(matches!(rig.accept(BOTH).await, Err(Refusal::Unknown)));
    let read = rig.changes.read_connections(cluster()).await;
    assert!(matches!(read, Err(Refusal::Unknown)));
}

/// The board is told before the request, because a poll may see its effect before we do.
#[tokio::test(start_paused = true)]
async fn the_board_knows_the_change_that_a_poll_will_see() {
    let change_ids = |rig: &Rig| {
        let state = rig.clusters.snapshot().cluster(&cluster()).cloned().unwrap();
        format!("{:?}", state.own_changes)
    };
    let rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(2), ..Put::ok() });
    let changes = rig.changes.clone();
    let under_way =
        tokio::spawn(async move { changes.change(decision(Accept, BOTH, false)).await });
    sleep(Duration::from_secs(1)).await;
    assert!(change_ids(&rig).contains("oncall"), "{}", change_ids(&rig));
    let report = under_way.await.unwrap().unwrap();
    assert!(change_ids(&rig).contains(&report.change_id));
    // One that did nothing explains nothing.
    let rig = Rig::new();
    rig.put(Put::fails(error(Reason::Http4xx, Some(409), ""), Acts::NotAtAll));
    let report = rig.accept(BOTH).await.unwrap();
    assert!(!change_ids(&rig).contains(&report.change_id));
    // A change of the service may show in the cluster behind it.
    let rig = Rig::new();
    let report = rig.change().await;
    assert!(change_ids(&rig).contains(&report.change_id));
}

/// Without a log nothing is changed.
#[tokio::test(start_paused = true)]
async fn a_listener_without_an_audit_log_takes_no_decision() {
    let rig: Rig<Option<Audit>> = Rig::with(Fake::new([super::service()]), None, Vec::new());
    let refused = rig.changes.change(decision(Accept, BOTH, false)).await;
    assert!(matches!(refused, Err(Refusal::AuditUnavailable(_))), "{refused:?}");
    let error = None::<Audit>.intent(Content::empty(Kind::Intent)).await;
    assert!(matches!(error, Err(AuditError::Unavailable(_))));
}
