//! The rules of change: who may go, what is recorded, and in which order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    fake::{Fake, Put, Reads, id},
    log::Log,
    rig::{Ask, Rig, cluster, meta, request, update},
    service,
};
use crate::{
    audit::Kind,
    board::{Attribution, ServiceMeta},
    change::{
        Condition, MOST_CHANGES, MOST_READS, Outcome, PacedCloud, Refusal, ServiceView, etag,
        json::value,
    },
    cloud::Reason,
    model::{EndpointService, Field, ServiceFields, ServiceId},
    pacing::{Pacer, Priority, RateLimit},
};

fn as_it_is() -> ServiceFields {
    ServiceFields {
        approval_enabled: Some(true),
        service_name: Some("logs".into()),
        ..ServiceFields::default()
    }
}

fn with(condition: Condition) -> Ask {
    Ask { condition, ..request(update()) }
}

fn tags(tags: &[&str]) -> Condition {
    Condition::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

fn nothing_was_sent(rig: &Rig) {
    assert_eq!(rig.fake.state().puts.len(), 0);
    assert_eq!(rig.log.of(Kind::Intent), []);
    assert_eq!(rig.fake.truth(), service().fields);
    assert!(rig.polled.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_as_wanted_already_sends_nothing_whatever_the_tag() {
    for condition in [Condition::None, Condition::Any, tags(&["stale"]), tags(&[])] {
        let rig = Rig::new();
        let request = Ask { condition, ..request(as_it_is()) };
        let report = rig.changes.change(request.into()).await.unwrap();
        assert_eq!((report.outcome, report.sent), (Outcome::Unchanged, false));
        assert!(report.safe_to_retry && report.service().diff.is_empty());
        nothing_was_sent(&rig);
        let recorded = rig.log.of(Kind::Outcome);
        assert_eq!(recorded[0].outcome, Some(Outcome::Unchanged), "the auditor sees who asked");
        assert!(recorded[0].content.request.is_some() && recorded[0].content.before.is_some());
        assert_eq!(rig.count(Outcome::Unchanged), 1);
    }
    // It needs no record.
    let rig = Rig::new();
    rig.log.refuses.lock().unwrap().extend([Kind::Intent, Kind::Outcome]);
    assert_eq!(rig.ask(as_it_is()).await.unwrap().outcome, Outcome::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_the_diff_and_leaves_no_trace() {
    let rig = Rig::new();
    let plan = Ask { dry_run: true, ..with(Condition::None) };
    let report = rig.changes.change(plan.into()).await.unwrap();
    assert_eq!((report.outcome, report.sent), (Outcome::Planned, false));
    let fields: Vec<_> = report.service().diff.iter().map(|change| change.field).collect();
    assert_eq!(fields, [Field::ServiceName, Field::Ports]);
    assert_eq!(report.service().after, None);
    assert!(!report.warnings.is_empty());
    nothing_was_sent(&rig);
    assert_eq!(rig.log.entries.lock().unwrap().len(), 0);
    assert_eq!(rig.count(Outcome::Planned), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_needs_a_tag_that_matches_or_a_star() {
    let rig = Rig::new();
    match rig.changes.change(with(Condition::None).into()).await {
        Err(Refusal::ConditionRequired(current)) => {
            assert_eq!((current.etag, current.service), (etag(&service()), service()));
        }
        other => panic!("{other:?}"),
    }
    match rig.changes.change(with(tags(&["stale", "older"])).into()).await {
        Err(Refusal::ConditionFailed(current)) => assert_eq!(current.etag, etag(&service())),
        other => panic!("{other:?}"),
    }
    nothing_was_sent(&rig);
    let tag = rig.changes.read("prod".into(), id()).await.unwrap().etag;
    let report = rig.changes.change(with(tags(&["stale", &tag])).into()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(
        rig.log.of(Kind::Intent)[0].content.request.as_ref().unwrap()["if_match"],
        json!(["stale", tag])
    );
    // The tag is used up.
    let back = Ask { update: as_it_is(), ..with(tags(&[&tag])) };
    assert!(matches!(rig.changes.change(back.into()).await, Err(Refusal::ConditionFailed(_))));
    rig.check_ledger();
}

#[tokio::test(start_paused = true)]
async fn the_record_says_who_what_from_and_to() {
    let rig = Rig::new();
    let report = rig.change().await;
    let (intents, outcomes) = (rig.log.of(Kind::Intent), rig.log.of(Kind::Outcome));
    let (intent, outcome) = (&intents[0], &outcomes[0]);
    for entry in [intent, outcome] {
        let content = &entry.content;
        assert_eq!(entry.change_id(), report.change_id);
        assert_eq!(
            (content.actor.as_deref(), content.project.as_deref()),
            (Some("oncall"), Some("prod"))
        );
        assert_eq!(content.remote.as_deref(), Some("127.0.0.1"));
        assert_eq!(content.service_id, Some(id()));
        assert_eq!(content.service_name.as_deref(), Some(&*format!("name of {}", id())));
        let diff = content.diff.as_ref().unwrap();
        let name = json!({ "field": "service_name", "from": "logs", "to": "test" });
        assert!(diff[0] == name && diff[1]["field"] == "ports", "{diff}");
    }
    assert_eq!(intent.content.before, Some(value(&ServiceView::from(&service()))));
    let request = json!({ "if_match": "*", "update": value(&update()) });
    assert_eq!(intent.content.request, Some(request));
    assert_eq!(outcome.outcome, Some(Outcome::Applied));
    assert_eq!(outcome.content.cloud.as_ref().unwrap()["request_id"], "request-of-the-put");
}

#[tokio::test(start_paused = true)]
async fn without_an_intent_nothing_is_sent() {
    let rig = Rig::new();
    rig.log.refuses.lock().unwrap().push(Kind::Intent);
    let refused = rig.ask(update()).await;
    assert!(matches!(refused, Err(Refusal::AuditUnavailable(why)) if why.contains("disk is full")));
    nothing_was_sent(&rig);
    rig.log.refuses.lock().unwrap().clear();
    assert_eq!(rig.change().await.outcome, Outcome::Applied, "the gate is open again");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_not_recorded_is_told() {
    let rig = Rig::new();
    rig.log.refuses.lock().unwrap().push(Kind::Outcome);
    let report = rig.change().await;
    assert_eq!(report.outcome, Outcome::Applied);
    let warning = report.warnings.last().unwrap();
    assert!(warning.starts_with("applied, but the record of the outcome"), "{warning}");
    assert!(warning.contains("disk is full"));
}

#[tokio::test(start_paused = true)]
async fn after_a_change_the_board_knows_and_takes_it_for_ours() {
    let rig = Rig::new();
    rig.change().await;
    let state = rig.board.find("prod", id().as_str()).unwrap();
    assert_eq!(state.seen.as_ref().unwrap().service.fields, rig.fake.truth());
    assert_eq!(state.unattributed_changes, 0);
    assert_eq!(*rig.polled.lock().unwrap(), [cluster()], "the one behind it");
    // Someone else's change is found by the next reading.
    let other = rig.fake.state().services.get_mut(&id()).map(|service| {
        service.fields.description = Some("moved".into());
    });
    assert!(other.is_some());
    rig.changes.read("prod".into(), id()).await.unwrap();
    let state = rig.board.find("prod", id().as_str()).unwrap();
    assert_eq!(state.unattributed_changes, 1);
}

/// A reading that a change of ours overtook tells nothing of others.
#[tokio::test(start_paused = true)]
async fn a_reading_beside_a_change_blames_nobody() {
    let rig = Rig::new();
    rig.changes.read("prod".into(), id()).await.unwrap();
    rig.put(Put { after: Some(Duration::from_secs(5)), ..Put::ok() });
    let changes = rig.changes.clone();
    let change = tokio::spawn(async move { changes.change(request(update()).into()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.changes.read("prod".into(), id()).await.unwrap();
    change.await.unwrap().unwrap();
    assert_eq!(rig.board.find("prod", id().as_str()).unwrap().unattributed_changes, 0);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_configured_is_touched() {
    let rig = Rig::new();
    let elsewhere = Ask { project: "test".into(), ..request(update()) };
    let other = ServiceId::parse("00000000-8882-4871-a3c2-d380272eed88").unwrap();
    let another = Ask { service: other.clone(), ..request(update()) };
    for request in [elsewhere, another] {
        assert!(matches!(rig.changes.change(request.into()).await, Err(Refusal::Unknown)));
    }
    let read = rig.changes.read("prod".into(), other).await;
    assert!(matches!(read, Err(Refusal::Unknown)));
    // A reload takes it away, and gives it back.
    let projects = rig.projects.send_replace(Arc::new(HashMap::new()));
    assert!(matches!(rig.ask(update()).await, Err(Refusal::Unknown)));
    rig.projects.send_replace(projects);
    rig.board.reconfigure([]);
    assert!(matches!(rig.ask(update()).await, Err(Refusal::Unknown)));
    assert_eq!(rig.fake.state().read, 0);
    nothing_was_sent(&rig);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_not_changed() {
    for (reads, limit) in [(Reads::Fail, 1), (Reads::Hang, 12)] {
        let rig = Rig::new();
        rig.fake.state().reads = reads;
        let started = tokio::time::Instant::now();
        match rig.ask(update()).await {
            Err(Refusal::Unreadable(error)) => assert_eq!(error.reason, Reason::Timeout),
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(limit));
        nothing_was_sent(&rig);
        assert_eq!(rig.board.find("prod", id().as_str()).unwrap().up, Some(false));
        let read = rig.changes.read("prod".into(), id()).await;
        assert!(matches!(read, Err(Refusal::Unreadable(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_has_one_writer_whatever_its_project_is_called() {
    let rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(5), ..Put::ok() });
    let changes = rig.changes.clone();
    let change = tokio::spawn(async move { changes.change(request(update()).into()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // A reload calls the project something else.
    rig.projects.send_modify(|projects| {
        let project = projects["prod"].clone();
        *projects = Arc::new(HashMap::from([(Arc::from("renamed"), project)]));
    });
    let renamed = ServiceMeta { project: "renamed".into(), ..meta(id(), "logs") };
    rig.board.reconfigure([renamed]);
    let another = Ask { project: "renamed".into(), ..request(update()) };
    let refused = rig.changes.change(another.clone().into()).await;
    assert!(matches!(refused, Err(Refusal::InProgress)), "{refused:?}");
    assert_eq!(change.await.unwrap().unwrap().outcome, Outcome::Applied);
    let after = rig.changes.change(another.into()).await.unwrap();
    assert_eq!(after.outcome, Outcome::Unchanged, "the gate is open again");
}

#[tokio::test(start_paused = true)]
async fn a_plan_waits_for_no_gate() {
    let rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(5), ..Put::ok() });
    let changes = rig.changes.clone();
    let change = tokio::spawn(async move { changes.change(request(update()).into()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(rig.ask(update()).await, Err(Refusal::InProgress)));
    let plan = Ask { dry_run: true, ..request(update()) };
    assert_eq!(rig.changes.change(plan.into()).await.unwrap().outcome, Outcome::Planned);
    assert_eq!(change.await.unwrap().unwrap().outcome, Outcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn there_is_a_limit_to_what_is_under_way() {
    let many = (0..=MOST_CHANGES).map(|number| EndpointService {
        id: ServiceId::parse(&format!("{number:08x}-8882-4871-a3c2-d380272eed88")).unwrap(),
        ..service()
    });
    let fake = Fake::new(many);
    let ids: Vec<_> = fake.state().services.keys().cloned().collect();
    fake.state().reads = Reads::Hang;
    let rig = Rig::with(fake, Log::default(), Vec::new());
    let ask = |service: &ServiceId| {
        let request = Ask { service: service.clone(), ..request(update()) };
        let changes = rig.changes.clone();
        tokio::spawn(async move { changes.change(request.into()).await })
    };
    let asked: Vec<_> = ids[..MOST_CHANGES].iter().map(ask).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let one_more = ask(&ids[MOST_CHANGES]).await.unwrap();
    assert!(matches!(one_more, Err(Refusal::TooMany)), "{one_more:?}");
    for caller in asked {
        assert!(matches!(caller.await.unwrap(), Err(Refusal::Unreadable(_))));
    }
    assert!(matches!(ask(&ids[MOST_CHANGES]).await.unwrap(), Err(Refusal::Unreadable(_))));
}

#[tokio::test(start_paused = true)]
async fn there_is_a_limit_to_readings_too() {
    let rig = Rig::new();
    rig.fake.state().reads = Reads::Hang;
    let read = || {
        let changes = rig.changes.clone();
        tokio::spawn(async move { changes.read("prod".into(), id()).await })
    };
    let asked: Vec<_> = (0..MOST_READS).map(|_| read()).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(read().await.unwrap(), Err(Refusal::TooMany)));
    for caller in asked {
        assert!(matches!(caller.await.unwrap(), Err(Refusal::Unreadable(_))));
    }
}

/// A viewer may plan, and must not keep an editor from a change by it.
#[tokio::test(start_paused = true)]
async fn plans_count_with_the_readings_and_not_with_the_changes() {
    let rig = Rig::new();
    rig.fake.state().reads = Reads::Hang;
    let ask = |dry_run| {
        let (changes, request) = (rig.changes.clone(), request(update()));
        tokio::spawn(async move { changes.change(Ask { dry_run, ..request }.into()).await })
    };
    let plans: Vec<_> = (0..MOST_READS.max(MOST_CHANGES)).map(|_| ask(true)).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let change = ask(false);
    assert!(matches!(ask(true).await.unwrap(), Err(Refusal::TooMany)));
    let read = rig.changes.read("prod".into(), id()).await;
    assert!(matches!(read, Err(Refusal::TooMany)), "{read:?}");
    let change = change.await.unwrap();
    assert!(matches!(change, Err(Refusal::Unreadable(_))), "it had its turn: {change:?}");
    for caller in plans {
        assert!(matches!(caller.await.unwrap(), Err(Refusal::Unreadable(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_limit_is_the_pace_of_changes() {
    let rig = Rig::new();
    let project = rig.projects.borrow()["prod"].clone();
    project.vpcep.throttled(Some(Duration::from_secs(60)));
    let report = rig.change().await;
    assert_eq!((report.outcome, report.sent), (Outcome::NotSent, false));
    assert!(report.safe_to_retry);
    let failure = report.failure.clone().unwrap().to_string();
    assert!(failure.contains("the exporter's own rate limit"), "{failure}");
    rig.check_ledger();
    assert_eq!(rig.fake.truth(), service().fields);
    let state = rig.board.find("prod", id().as_str()).unwrap();
    let seen = state.seen.as_ref().unwrap();
    rig.board.record(&state.meta, Ok(service()), seen.at, Attribution::Nobody);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.change().await.outcome, Outcome::Applied);
}

/// Plans that came later do not delay a change that has begun.
#[tokio::test(start_paused = true)]
async fn a_change_that_was_begun_goes_before_those_that_were_not() {
    let rig = Rig::new();
    let pacer = Pacer::new(RateLimit { requests_per_second: 1.0, burst: 1 });
    rig.projects.send_modify(|projects| {
        let project = PacedCloud { vpcep: pacer.clone(), ..projects["prod"].clone() };
        *projects = Arc::new(HashMap::from([(Arc::from("prod"), project)]));
    });
    let _first = pacer.acquire(Priority::Admin).await;
    let others: Vec<_> = (0..30)
        .map(|_| {
            let pacer = pacer.clone();
            tokio::spawn(async move { pacer.acquire(Priority::Admin).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(rig.change().await.outcome, Outcome::Applied);
    assert!(!others.last().unwrap().is_finished());
}

#[tokio::test(start_paused = true)]
async fn whoever_only_looks_waits_behind_those_who_change() {
    let rig = Rig::new();
    rig.changes.read("prod".into(), id()).await.unwrap();
    assert_eq!(rig.fake.state().priority, Some(Priority::Begun));
    let plan = Ask { dry_run: true, ..request(update()) };
    rig.changes.change(plan.into()).await.unwrap();
    assert_eq!(rig.fake.state().priority, Some(Priority::Begun));
    rig.fake.state().reads = Reads::Fail;
    assert!(rig.ask(update()).await.is_err());
    assert_eq!(rig.fake.state().priority, Some(Priority::Admin));
    rig.fake.state().reads = Reads::Answer;
    rig.change().await;
    assert_eq!(rig.fake.state().priority, Some(Priority::Change));
}
