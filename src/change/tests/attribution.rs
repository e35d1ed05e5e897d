//! The attribution of changes of a service: ours, or someone else's.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    fake::{Acts, Fake, Put, id, take},
    log::Log,
    mapping,
    rig::{Rig, meta, request, update},
    service,
};
use crate::{
    audit::{ChangeId, Content, Hash, Kind, Record},
    board::ServiceMeta,
    change::{Outcome, ServiceView, json::value},
    model::{Field, ServiceFields},
};

async fn read(rig: &Rig, project: &str) -> u64 {
    rig.changes.read(project.into(), id()).await.expect("it can be read");
    rig.board.find(project, id().as_str()).unwrap().unattributed_changes
}

/// Someone else, or a late request of ours, changes the service to this.
fn becomes(rig: &Rig, fields: &ServiceFields) {
    let mut state = rig.fake.state();
    take(&mut state.services.get_mut(&id()).unwrap().fields, fields, &Field::ALL);
}

fn described(text: &str) -> ServiceFields {
    ServiceFields { description: Some(text.into()), ..ServiceFields::default() }
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_shows_after_the_reading_back_is_ours() {
    let rig = Rig::new();
    rig.fake.state().lag = Duration::from_secs(60);
    assert_eq!(rig.change().await.outcome, Outcome::NotApplied);
    assert_eq!(read(&rig, "prod").await, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(read(&rig, "prod").await, 0);
    // The effect was seen, so undoing it and doing it again is someone else's work.
    becomes(&rig, &service().fields);
    assert_eq!(read(&rig, "prod").await, 1);
    becomes(&rig, &update());
    assert_eq!(read(&rig, "prod").await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_other_part_of_a_partial_change_is_ours() {
    let rig = Rig::new();
    rig.put(Put::acts(Acts::Partly(&[Field::ServiceName])));
    assert_eq!(rig.change().await.outcome, Outcome::Partial);
    becomes(&rig, &described("by somebody else"));
    assert_eq!(read(&rig, "prod").await, 1);
    becomes(&rig, &update());
    assert_eq!(read(&rig, "prod").await, 1, "the ports that were asked for");
    let ports = Some(vec![mapping(1, 1)]);
    becomes(&rig, &ServiceFields { ports, ..ServiceFields::default() });
    assert_eq!(read(&rig, "prod").await, 2, "other ports");
}

#[tokio::test(start_paused = true)]
async fn beside_our_effect_that_of_others_is_seen() {
    let rig = Rig::new();
    rig.put(Put::acts(Acts::NotAtAll));
    assert_eq!(rig.change().await.outcome, Outcome::NotApplied);
    becomes(&rig, &update());
    becomes(&rig, &described("by somebody else"));
    assert_eq!(read(&rig, "prod").await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_long_ago_or_often_explains_nothing() {
    let rig = Rig::new();
    rig.put(Put::acts(Acts::NotAtAll));
    assert_eq!(rig.change().await.outcome, Outcome::NotApplied);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    becomes(&rig, &update());
    assert_eq!(read(&rig, "prod").await, 1);
    let rig = Rig::new();
    rig.put(Put::acts(Acts::NotAtAll));
    for number in 0..17 {
        let report = rig.ask(described(&number.to_string())).await.unwrap();
        assert_eq!(report.outcome, Outcome::NotApplied);
    }
    becomes(&rig, &described("1"));
    assert_eq!(read(&rig, "prod").await, 0);
    becomes(&rig, &described("0"));
    assert_eq!(read(&rig, "prod").await, 1, "as many are remembered");
}

/// A cloud may leave out what is empty, and has no order of ports.
#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_empty_and_an_order_is_no_change() {
    let rig = Rig::new();
    assert_eq!(read(&rig, "prod").await, 0);
    let change = |change: fn(&mut ServiceFields)| {
        change(&mut rig.fake.state().services.get_mut(&id()).unwrap().fields);
    };
    change(|fields| fields.description = None);
    assert_eq!(read(&rig, "prod").await, 1, "somebody cleared it");
    change(|fields| fields.description = Some("".into()));
    assert_eq!(read(&rig, "prod").await, 1, "it is empty still");
    change(|fields| fields.ports.as_mut().unwrap().reverse());
    assert_eq!(read(&rig, "prod").await, 1, "the same ports");
    // These have a value in every service, so that an absent one is only not told.
    change(|fields| (fields.approval_enabled, fields.tcp_proxy) = (None, None));
    assert_eq!(read(&rig, "prod").await, 1);
    change(|fields| fields.service_name = None);
    assert_eq!(read(&rig, "prod").await, 1, "the full name tells it");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_we_cleared_late_is_ours_though_the_cloud_leaves_it_out() {
    let rig = Rig::new();
    rig.put(Put::acts(Acts::NotAtAll));
    let cleared = ServiceFields { description: Some("".into()), ..ServiceFields::default() };
    assert_eq!(rig.ask(cleared).await.unwrap().outcome, Outcome::NotApplied);
    rig.fake.state().services.get_mut(&id()).unwrap().fields.description = None;
    assert_eq!(read(&rig, "prod").await, 0);
    becomes(&rig, &described("by somebody else"));
    assert_eq!(read(&rig, "prod").await, 1);
    rig.fake.state().services.get_mut(&id()).unwrap().fields.description = None;
    assert_eq!(read(&rig, "prod").await, 2, "ours was seen before");
}

/// Gives the project a second name, and maybe takes the first one away.
fn known_as(rig: &Rig, names: &[&str]) {
    rig.projects.send_modify(|projects| {
        let project = projects.values().next().expect("there is one").clone();
        let named = |name: &&str| (Arc::from(*name), project.clone());
        *projects = Arc::new(names.iter().map(named).collect::<HashMap<_, _>>());
    });
    let named = |name: &&str| ServiceMeta { project: (*name).into(), ..meta(id(), "logs") };
    rig.board.reconfigure(names.iter().map(named).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_ours_under_every_name_of_its_project() {
    let rig = Rig::new();
    known_as(&rig, &["prod", "twin"]);
    assert_eq!((read(&rig, "prod").await, read(&rig, "twin").await), (0, 0));
    assert_eq!(rig.change().await.outcome, Outcome::Applied);
    assert_eq!((read(&rig, "prod").await, read(&rig, "twin").await), (0, 0));
    becomes(&rig, &described("by somebody else"));
    assert_eq!((read(&rig, "prod").await, read(&rig, "twin").await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_change_is_ours_where_its_project_is_renamed_meanwhile() {
    let rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(5), ..Put::ok() });
    let changes = rig.changes.clone();
    let change = tokio::spawn(async move { changes.change(request(update()).into()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    known_as(&rig, &["renamed"]);
    assert_eq!(read(&rig, "renamed").await, 0);
    assert_eq!(change.await.unwrap().unwrap().outcome, Outcome::Applied);
    assert_eq!(read(&rig, "renamed").await, 0);
}

pub(super) fn dangling(project: &str) -> Record {
    let content = Content {
        kind: Kind::Intent,
        change_id: ChangeId::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
        actor: Some("oncall".into()),
        remote: Some("127.0.0.1".into()),
        project: Some(project.into()),
        service_id: Some(id()),
        service_name: Some("logs".into()),
        cluster_id: None,
        cluster_name: None,
        before: Some(value(&ServiceView::from(&service()))),
        request: Some(json!({ "if_match": "*", "update": value(&update()) })),
        diff: None,
        cloud: None,
        outcome: None,
    };
    let time = "2026-10-31T23:59:00Z".parse().unwrap();
    Record { seq: 7, time, content, prev: Hash::ZERO, hash: Hash::ZERO }
}

/// An intent found at the start has the project's old name: the service is still the same.
#[tokio::test(start_paused = true)]
async fn a_change_that_was_cut_short_is_found_out_under_the_new_name_of_its_project() {
    for (acts, outcome) in [(true, Outcome::Applied), (false, Outcome::NotApplied)] {
        let mut is = service();
        if acts {
            take(&mut is.fields, &update(), &Field::ALL);
        }
        let rig = Rig::with(Fake::new([is]), Log::default(), vec![dangling("old name")]);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let entries = rig.log.of(Kind::Outcome);
        assert_eq!(entries.first().and_then(|entry| entry.outcome), Some(outcome));
        assert_eq!(entries[0].content.project.as_deref(), Some("old name"), "as its intent has it");
        // Its effect may still show.
        becomes(&rig, &update());
        assert_eq!(read(&rig, "prod").await, 0);
    }
}
