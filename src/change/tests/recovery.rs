//! Intents without outcome, found at the start.

use std::time::Duration;

use serde_json::json;

use super::{
    fake::{Fake, Reads, id, take},
    log::{Entry, Log},
    rig::{Rig, update},
    service,
};
use crate::{
    audit::{ChangeId, Content, Hash, Kind, Record},
    change::{Outcome, Refusal, ServiceView, json::value},
    model::{Field, ServiceFields, ServiceId},
};

const CHANGE: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

fn intent() -> Record {
    Record {
        seq: 7,
        time: "2026-10-31T23:59:00Z".parse().unwrap(),
        content: Content {
            kind: Kind::Intent,
            change_id: ChangeId::parse(CHANGE),
            actor: Some("oncall".into()),
            remote: Some("127.0.0.1".into()),
            project: Some("prod".into()),
            service_id: Some(id()),
            service_name: Some("logs".into()),
            cluster_id: None,
            cluster_name: None,
            before: Some(value(&ServiceView::from(&service()))),
            request: Some(json!({ "if_match": "*", "update": value(&update()) })),
            diff: Some(json!([])),
            cloud: None,
            outcome: None,
        },
        prev: Hash::ZERO,
        hash: Hash::ZERO,
    }
}

fn with(change: impl FnOnce(&mut Content)) -> Record {
    let mut record = intent();
    change(&mut record.content);
    record
}

/// A cloud in which so much of the change has happened.
fn cloud(happened: &[Field]) -> Fake {
    let mut service = service();
    take(&mut service.fields, &update(), happened);
    Fake::new([service])
}

async fn outcome_of(fake: Fake, intent: Record) -> (Entry, Duration) {
    let started = tokio::time::Instant::now();
    let rig = Rig::with(fake, Log::default(), vec![intent]);
    let outcome = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Some(outcome) = rig.log.of(Kind::Outcome).pop() {
            break outcome;
        }
        assert!(started.elapsed() < Duration::from_secs(600), "it is never resolved");
        assert!(matches!(rig.ask(update()).await, Err(Refusal::InProgress)));
    };
    let elapsed = started.elapsed();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.log.of(Kind::Outcome).len(), 1);
    assert_eq!(rig.fake.state().puts.len(), 0, "nothing is sent again");
    let next = rig.ask(update()).await;
    assert!(!matches!(next, Err(Refusal::InProgress)), "the gate is open");
    (outcome, elapsed)
}

#[tokio::test(start_paused = true)]
async fn a_dangling_intent_is_resolved_by_reading() {
    for (happened, outcome) in [
        (&Field::ALL[..], Outcome::Applied),
        (&[Field::Ports], Outcome::Partial),
        (&[], Outcome::NotApplied),
    ] {
        let (entry, _) = outcome_of(cloud(happened), intent()).await;
        assert_eq!(entry.outcome, Some(outcome));
        assert_eq!(entry.change_id(), CHANGE);
        assert_eq!(entry.content.actor.as_deref(), Some("oncall"));
        assert_eq!(entry.content.service_id, Some(id()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_was_empty_and_still_is_was_not_changed() {
    let wanted = ServiceFields { description: Some("wanted".into()), ..ServiceFields::default() };
    for empty in [None, Some("")] {
        let mut before = service();
        before.fields.description = empty.map(Into::into);
        let dangling = with(|content| {
            content.before = Some(value(&ServiceView::from(&before)));
            let update = value(&wanted);
            content.request = Some(json!({ "if_match": "*", "update": update }));
        });
        let (entry, _) = outcome_of(Fake::new([before]), dangling).await;
        assert_eq!(entry.outcome, Some(Outcome::NotApplied), "{empty:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_does_not_answer_is_waited_for_but_not_for_ever() {
    let fake = cloud(&Field::ALL);
    fake.state().reads = Reads::Fail;
    tokio::spawn({
        let fake = fake.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(120)).await;
            fake.state().reads = Reads::Answer;
        }
    });
    let (entry, elapsed) = outcome_of(fake, intent()).await;
    assert_eq!(entry.outcome, Some(Outcome::Applied));
    assert!((120..150).contains(&elapsed.as_secs()), "{elapsed:?}");

    let fake = cloud(&[]);
    fake.state().reads = Reads::Fail;
    let (entry, elapsed) = outcome_of(fake.clone(), intent()).await;
    assert_eq!(entry.outcome, Some(Outcome::Unknown));
    assert!((270..=320).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_up_is_unknown_at_once() {
    let elsewhere = "00000000-8882-4871-a3c2-d380272eed88";
    let gone = with(|content| content.service_id = ServiceId::parse(elsewhere).ok());
    let unreadable = with(|content| content.request = Some(json!("?")));
    for intent in [gone, unreadable] {
        let rig = Rig::with(cloud(&[]), Log::default(), vec![intent]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(rig.log.of(Kind::Outcome)[0].outcome, Some(Outcome::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_with_two_dangling_intents_waits_for_both() {
    let other = "017f22e2-79b0-7cc3-98c4-dc0c0c073990";
    let other = with(|content| content.change_id = ChangeId::parse(other));
    let rig = Rig::with(cloud(&Field::ALL), Log::default(), vec![intent(), other]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.log.of(Kind::Outcome).len(), 2);
    let state = rig.board.find("prod", id().as_str()).unwrap();
    assert_eq!(state.unattributed_changes, 0);
    assert_eq!(rig.change().await.outcome, Outcome::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_it_for_the_next_start() {
    let fake = cloud(&[]);
    fake.state().reads = Reads::Fail;
    let mut rig = Rig::with(fake, Log::default(), vec![intent()]);
    tokio::time::sleep(Duration::from_secs(20)).await;
    rig.shut_down();
    (&mut rig.task).await.unwrap();
    assert_eq!(rig.log.entries.lock().unwrap().len(), 0);
}
