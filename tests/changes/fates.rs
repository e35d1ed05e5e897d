//! P1 to P8 and P16 to P19: a PUT whose fate must be found out.

use std::collections::BTreeSet;

use css_vpcep_exporter::change::Timings;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::{
    front::{Puts, Reads, Says},
    ledger::But,
    world::{Place, QUICK, World, kind, page, told, wanted, warns},
};
use crate::support::{Answer, eventually};

/// The books balance, and one change ended so.
async fn balance(world: &World, outcome: &str) {
    world.place.balance(But::default()).await;
    assert_eq!(world.counted(outcome).await, 1.0);
    assert_eq!(world.place.puts().await.len(), usize::from(outcome != "not_sent"));
}

async fn description(world: &World) -> Value {
    world.place.truth(0).await["description"].clone()
}

/// One change that this mode of the cloud strikes.
async fn struck(test: &str, modes: Value) -> (World, Answer) {
    let world = World::new(test, 1).await;
    world.place.modes(modes).await;
    let answer = world.change().await;
    (world, answer)
}

#[tokio::test]
async fn fault_p01_a_refused_connection_is_not_sent() {
    let world = World::new("fault_p01", 1).await;
    let before = description(&world).await;
    world.place.front.set(Puts::PassedOn, Reads::Last);
    let answer = world.change().await;
    told(&answer, 502, "not_sent", false, true);
    assert_eq!(answer.json()["cloud"]["status"], Value::Null);
    balance(&world, "not_sent").await;
    assert_eq!(description(&world).await, before);
}

#[tokio::test]
async fn fault_p02_silence_after_it_was_done_is_applied() {
    let began = Instant::now();
    let (world, answer) = struck("fault_p02_applied", json!([{"name": "applied-then-hang"}])).await;
    assert!(began.elapsed() >= QUICK.update, "{:?}", began.elapsed());
    told(&answer, 200, "applied", true, false);
    balance(&world, "applied").await;
}

#[tokio::test]
async fn fault_p02_silence_before_it_was_done_is_not_applied() {
    let modes = json!([{"name": "not-applied-then-hang"}]);
    let (world, answer) = struck("fault_p02_not_applied", modes).await;
    told(&answer, 502, "not_applied", true, true);
    warns(&answer, "may take effect later");
    balance(&world, "not_applied").await;
}

#[tokio::test]
async fn fault_p03_a_reset_after_it_was_done_is_applied() {
    let (world, answer) = struck("fault_p03", json!([{"name": "applied-then-reset"}])).await;
    told(&answer, 200, "applied", true, false);
    assert_eq!(description(&world).await, "wanted");
    balance(&world, "applied").await;
}

#[tokio::test]
async fn fault_p04_a_reset_before_it_was_done_is_not_applied() {
    let (world, answer) = struck("fault_p04", json!([{"name": "not-applied-then-reset"}])).await;
    told(&answer, 502, "not_applied", true, true);
    balance(&world, "not_applied").await;
}

#[tokio::test]
async fn fault_p05_a_truncated_or_garbled_success_is_read_back() {
    for fault in ["cut-body", "cut-chunked"] {
        let world = World::new(&format!("fault_p05_{fault}"), 1).await;
        world.place.faults(&[fault]).await;
        told(&world.change().await, 200, "applied", true, false);
        balance(&world, "applied").await;
    }
    for body in ["", "{\"id\":", "<html>", "[]"] {
        let world = World::new("fault_p05_garbled", 1).await;
        world.place.front.set(Puts::DoneAndAnswered(Says::new(200, body)), Reads::PassedOn);
        told(&world.change().await, 200, "applied", true, false);
        world.place.balance(But::default()).await;
    }
}

#[tokio::test]
async fn fault_p05_a_garbled_success_that_did_nothing_is_not_applied() {
    let world = World::new("fault_p05_not_applied", 1).await;
    world.place.front.set(Puts::Answered(Says::new(200, "{\"id\":")), Reads::PassedOn);
    told(&world.change().await, 502, "not_applied", true, true);
    balance(&world, "not_applied").await;
}

/// The simulator always answers with the old values, as the document's example does.
#[tokio::test]
async fn fault_p06_an_echo_of_old_values_is_not_believed() {
    let (world, answer) = struck("fault_p06", json!([])).await;
    told(&answer, 200, "applied", true, false);
    let json = answer.json();
    assert_eq!(json["after"]["description"], "wanted");
    assert_eq!(json["diff"][0]["to"], "wanted");
    assert_eq!(json["warnings"], json!([]));
    balance(&world, "applied").await;
}

/// The document's example as it is printed: the request arrives at the cloud as the same bytes, but
/// for the blanks between its words, and the answer, whose values are none of those that were sent, is
/// taken for what it is.
#[tokio::test]
async fn the_example_of_the_document_goes_through_byte_for_byte() {
    let request = include_str!("../data/vpcep-update-example-request.json");
    let answer = include_str!("../data/vpcep-update-example-answer.json");
    let world = World::new("example", 1).await;
    world.place.front.set(Puts::DoneAndAnswered(Says::new(200, answer)), Reads::PassedOn);
    let told_back = world.place.desk.send(&world.place.services[0], "*", request).await.unwrap();
    told(&told_back, 200, "applied", true, false);
    let wanted: Value = serde_json::from_str(request).unwrap();
    let after = told_back.json()["after"].clone();
    assert_eq!((&after["ports"], &after["approval_enabled"]), (&wanted["ports"], &json!(true)));
    let arrived = world.place.front.last_put();
    // No word of the example has a blank in it.
    let printed: String = request.split_ascii_whitespace().collect();
    assert_eq!(arrived, printed);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p07_a_part_of_it_is_partial() {
    let world = World::new("fault_p07", 1).await;
    world.place.modes(json!([{"name": "partial"}])).await;
    let update = json!({"service_name": "other", "description": "wanted"});
    let answer = world.place.desk.change(&world.place.services[0], &update).await;
    told(&answer, 502, "partial", true, false);
    warns(&answer, "description is as before");
    balance(&world, "partial").await;
}

#[tokio::test]
async fn fault_p08_a_field_that_nobody_asked_for_is_told() {
    let world = World::new("fault_p08", 1).await;
    world.place.set(0, &json!({"approval_enabled": false})).await;
    world.place.modes(json!([{"name": "approval-reset"}])).await;
    let answer = world.change().await;
    told(&answer, 200, "applied", true, false);
    warns(
        &answer,
        "approval_enabled was changed from false to true although the request does not contain it",
    );
    balance(&world, "applied").await;
}

/// Of every server that answers with an error, half did it.
#[tokio::test]
async fn fault_p16_errors_of_servers_that_did_it_are_applied() {
    for status in [500, 502, 503, 504] {
        let world = World::new(&format!("fault_p16_{status}"), 1).await;
        world.place.front.set(Puts::DoneAndAnswered(Says::new(status, "")), Reads::PassedOn);
        let answer = world.change().await;
        told(&answer, 200, "applied", true, false);
        assert_eq!(answer.json()["cloud"]["status"], status);
        world.place.balance(But::default()).await;
    }
}

#[tokio::test]
async fn fault_p16_errors_of_servers_that_did_nothing_are_not_applied() {
    let world = World::new("fault_p16_not_applied", 4).await;
    let faults = ["server-error", "bad-gateway", "unavailable", "gateway-timeout"];
    let once = |name| json!({"name": name, "operation": "vpcep_update", "times": 1});
    let mut changes = tokio::task::JoinSet::new();
    let world = std::sync::Arc::new(world);
    for (service, fault) in faults.into_iter().enumerate() {
        world.place.cloud.set_faults(json!([once(fault)])).await;
        let id = world.place.services[service].clone();
        let own = world.clone();
        changes.spawn(async move { own.place.desk.change(&id, &wanted()).await });
        eventually("the PUT is seen", async || {
            let seen = world.place.puts().await.len();
            if seen > service { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    }
    let mut statuses: Vec<_> = changes.join_all().await.iter().map(not_applied).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [500, 502, 503, 504]);
    world.place.balance(But::default()).await;
    assert_eq!(world.counted("not_applied").await, 4.0);
}

/// An empty description is a known value.
#[tokio::test]
async fn fault_p16_a_field_that_stays_empty_is_not_applied() {
    let world = World::new("fault_p16_empty", 1).await;
    world.place.set(0, &json!({"description": ""})).await;
    world.place.modes(json!([{"name": "not-applied-then-500"}])).await;
    told(&world.change().await, 502, "not_applied", true, true);
    balance(&world, "not_applied").await;
    world.place.modes(json!([{"name": "applied-then-500"}])).await;
    let other = json!({"description": "other"});
    let answer = world.place.desk.change(&world.place.services[0], &other).await;
    told(&answer, 200, "applied", true, false);
    world.place.balance(But::default()).await;
}

/// Texts written by others are compared unchanged; a text that a change may not contain is refused.
#[tokio::test]
async fn line_breaks_in_texts_of_others_are_told_apart() {
    let world = World::new("line_breaks", 1).await;
    let path = format!("/api/v1/endpoint-services/prod/{}", world.place.services[0]);
    let mut tags = Vec::new();
    for text in ["a\nb", "a\u{2028}b", "a\u{2029}b", "a\u{9b}b", "a\u{FFFD}b"] {
        world.place.set(0, &json!({"description": text})).await;
        let answer = world.place.desk.get(&path).await;
        assert_eq!(answer.json()["service"]["description"], text);
        assert_eq!(answer.text.lines().count(), 1);
        assert!(!answer.text.contains(['\u{2028}', '\u{2029}', '\u{9b}']), "{}", answer.text);
        tags.push(answer.header("etag").to_owned());
    }
    let different: BTreeSet<_> = tags.iter().collect();
    assert_eq!(different.len(), 5, "{tags:?}");
    let first = &tags[0];
    let answer = world.place.desk.change_if(&world.place.services[0], first, &wanted()).await;
    assert_eq!(answer.status, 412);
    for text in ["a\u{2028}b", "a\u{2029}b"] {
        let update = json!({"description": text});
        let answer = world.place.desk.change(&world.place.services[0], &update).await;
        assert_eq!((answer.status, &*kind(&answer)), (422, "invalid"));
    }
    told(&world.change().await, 200, "applied", true, false);
    balance(&world, "applied").await;
}

fn not_applied(answer: &Answer) -> u64 {
    told(answer, 502, "not_applied", true, true);
    answer.json()["cloud"]["status"].as_u64().expect("a status")
}

#[tokio::test]
async fn fault_p17_what_cannot_be_read_back_is_unknown() {
    let world = World::new("fault_p17", 1).await;
    let failed = Puts::DoneAndAnswered(Says::new(500, ""));
    world.place.front.set(failed, Reads::FailingAfterPut);
    let answer = world.change().await;
    told(&answer, 504, "unknown", true, false);
    assert_eq!(answer.json()["after"], Value::Null);
    warns(&answer, "reading back did not show the outcome");
    balance(&world, "unknown").await;
    // How to check: by its id, and by reading the service.
    world.place.front.set(Puts::PassedOn, Reads::PassedOn);
    let id = answer.json()["change_id"].as_str().expect("an id").to_owned();
    let change = world.place.desk.get(&format!("/api/v1/changes/{id}")).await.json();
    assert_eq!(change["outcome"]["outcome"], "unknown");
    let path = format!("/api/v1/endpoint-services/prod/{}", world.place.services[0]);
    assert_eq!(world.place.desk.get(&path).await.json()["service"]["description"], "wanted");
}

#[tokio::test]
async fn fault_p18_another_writer_is_seen() {
    for (mode, change) in [
        ("second-writer", json!({"tcp_proxy": "open"})),
        ("second-writer-after", json!({"tcp_proxy": "open"})),
    ] {
        let modes = json!([{"name": mode, "change": change}]);
        let (world, answer) = struck(&format!("fault_p18_{mode}"), modes).await;
        told(&answer, 200, "applied", true, false);
        warns(&answer, "tcp_proxy was changed from");
        balance(&world, "applied").await;
    }
}

/// A late effect of our own change is not attributed to others.
#[tokio::test]
async fn fault_p19_an_effect_that_shows_too_late_is_ours() {
    let modes = json!([{"name": "delayed", "ms": 2 * QUICK.read_back.as_millis() as u64}]);
    let (world, answer) = struck("fault_p19_ours", modes).await;
    told(&answer, 502, "not_applied", true, true);
    let path = format!("/api/v1/endpoint-services/prod/{}", world.place.services[0]);
    eventually("the effect shows", async || {
        let service = world.place.desk.get(&path).await.json()["service"].clone();
        if service["description"] == "wanted" { Ok(()) } else { Err(service.to_string()) }
    })
    .await;
    let name = "huaweicloud_vpcep_service_unattributed_changes_total";
    assert_eq!(page(world.daemon.public).await.value(name, &[]), Some(0.0));
    world.place.set(0, &json!({"description": "by somebody else"})).await;
    assert_eq!(world.place.desk.get(&path).await.status, 200);
    assert_eq!(page(world.daemon.public).await.value(name, &[]), Some(1.0));
}

#[tokio::test]
async fn fault_p19_an_effect_that_shows_late_is_applied() {
    let modes = json!([{"name": "delayed", "ms": QUICK.read_back.as_millis() as u64 / 2}]);
    let (world, answer) = struck("fault_p19", modes).await;
    told(&answer, 200, "applied", true, false);
    assert_eq!(answer.json()["after"]["description"], "wanted");
    balance(&world, "applied").await;
}

/// If our own rate limit stops a change, the refusal is not blamed on the cloud.
#[tokio::test]
async fn a_turn_that_our_own_rate_limit_does_not_leave() {
    let mut place = Place::new("own_rate_limit", 1).await;
    // Reading all services and reading this one use up the rate limit.
    let scarce = json!({"requests_per_second": 0.02, "burst": 2});
    place.configuration["projects"][0]["rate_limit"]["vpcep"] = scarce;
    let short = Duration::from_secs(2);
    let world = World::with(place, Timings { read: short, token: short, ..QUICK }).await;
    eventually("the services are read", async || {
        let requests = world.place.cloud.requests().await;
        let read = requests["by_operation"]["vpcep_services"].as_u64() > Some(0);
        if read { Ok(()) } else { Err(requests.to_string()) }
    })
    .await;
    let answer = world.change().await;
    told(&answer, 503, "not_sent", false, true);
    let path = format!("/api/v1/endpoint-services/prod/{}", world.place.services[0]);
    let read = world.place.desk.get(&path).await;
    for answer in [&answer, &read] {
        assert_eq!((answer.status, &*kind(answer)), (503, "own_rate_limit"));
        let json = answer.json();
        let detail = json["detail"].as_str().expect("a text");
        assert!(detail.contains("own rate limit") && !detail.contains("the cloud"), "{detail}");
        assert_eq!(answer.header("retry-after"), "10");
    }
    balance(&world, "not_sent").await;
}
