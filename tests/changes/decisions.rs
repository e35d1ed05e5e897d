//! Connections are accepted and rejected over real sockets: the rows of "Faults of changes" for this kind,
//! each by its id.

use serde_json::{Value, json};

use super::{
    front::{Puts, Reads, Says},
    kills::{kill, outcomes, until_at},
    ledger::But,
    world::{Place, World, kind, page, told, warns},
};
use crate::support::{Answer, eventually, page::Page};

/// A cluster whose connections are all rejected, and a front before its CSS.
async fn place(test: &str) -> Place {
    let mut place = Place::with(test, 1, 3).await;
    place.configuration["projects"][0]["api_endpoints"]["css"] = json!(place.front.url);
    for id in ids(&place).await {
        let path = format!("clusters/{}/connections/{id}", place.cloud.id(0));
        place.cloud.control(reqwest::Method::POST, &path, &json!({"status": "rejected"})).await;
    }
    place
}

async fn ids(place: &Place) -> Vec<String> {
    let world = place.cloud.control(reqwest::Method::GET, "world", &json!({})).await;
    let rows = world["clusters"][0]["connections"].as_array().expect("rows");
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

async fn decide(place: &Place, action: &str, seen: &[(&str, &str)]) -> Result<Answer, String> {
    place.desk.ask_to_decide(place.cloud.id(0), action, seen).await
}

/// Accepts the first two connections.
async fn accept(place: &Place) -> Result<Answer, String> {
    let ids = ids(place).await;
    decide(place, "accept", &[(&ids[0], "rejected"), (&ids[1], "rejected")]).await
}

fn faults(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "operation": "css_update_connections"})).collect()
}

fn per_connection(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let all = json["connections"].as_array().unwrap_or_else(|| panic!("{json}"));
    all.iter().map(|one| one["outcome"].as_str().expect("a word").to_owned()).collect()
}

async fn metric(world: &World, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    page(world.daemon.public).await.value(name, labels)
}

async fn counted(world: &World, outcome: &str) -> f64 {
    let labels = [("kind", "connections"), ("outcome", outcome)];
    metric(world, "css_vpcep_exporter_admin_changes_total", &labels).await.expect("it is counted")
}

#[tokio::test]
async fn a_rejection_made_here_is_meant_and_its_transitions_name_the_change() {
    const REJECTED_HERE: &str = "huaweicloud_css_vpcep_connection_rejected_here";
    let world = World::of(place("decisions_rejected_here").await).await;
    let ids = ids(&world.place).await;
    let answer = accept(&world.place).await.expect("an answer");
    told(&answer, 200, "applied", true, false);
    assert_eq!(world.place.cloud.statuses(0).await, ["accepted", "accepted", "rejected"]);
    // The cluster is polled at once, long before its turn.
    let until = async |what: &str, is_so: fn(&Page) -> bool| {
        eventually(what, async || {
            let page = page(world.daemon.public).await;
            if is_so(&page) { Ok(page) } else { Err(format!("{page:?}")) }
        })
        .await
    };
    let accepted = [("status", "accepted")];
    until("it is polled", |page| {
        page.value("huaweicloud_css_vpcep_connections", &[("status", "accepted")]) == Some(2.0)
    })
    .await;
    assert_eq!(metric(&world, REJECTED_HERE, &[]).await, None, "of the third nobody knows");
    let rejected = decide(&world.place, "reject", &[(&ids[0], "accepted")]).await.expect("one");
    told(&rejected, 200, "applied", true, false);
    let page =
        until("the rejection is seen", |page| page.value(REJECTED_HERE, &[]).is_some()).await;
    assert_eq!(page.value(REJECTED_HERE, &[("endpoint_id", &ids[0])]), Some(1.0));
    assert_eq!(page.value("huaweicloud_css_vpcep_connections", &accepted), Some(1.0));
    let change_id = rejected.json()["change_id"].as_str().expect("an id").to_owned();
    let url = format!("http://{}/clusters/{}", world.daemon.public, world.place.cloud.id(0));
    let html = crate::support::ask(reqwest::Method::GET, &url, &[], String::new()).await;
    let html = html.expect("the daemon answers").text;
    let named = format!("with change <code>{change_id}</code>");
    assert!(html.contains("rejected here by <b>test</b>") && html.contains(&named), "{html}");
    assert!(html.contains(&format!("accepted → rejected, by change <code>{change_id}</code>")));
    // Accepted again it is gone.
    let again = decide(&world.place, "accept", &[(&ids[0], "rejected")]).await.expect("one");
    told(&again, 200, "applied", true, false);
    until("the rejection is over", |page| page.value(REJECTED_HERE, &[]).is_none()).await;
    assert_eq!(counted(&world, "applied").await, 3.0);
    let changes = world.place.desk.changes().await;
    assert_eq!(changes[1]["cluster_id"], world.place.cloud.id(0));
    assert_eq!(
        (&changes[1]["service_id"], &changes[1]["change_id"]),
        (&Value::Null, &json!(change_id))
    );
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p02_to_p07_and_p16_the_fate_of_a_decision_is_found_out() {
    let cases = [
        ("applied-then-hang", 200, "applied"),
        ("applied-then-reset", 200, "applied"),
        ("applied-then-500", 200, "applied"),
        ("not-applied-then-hang", 502, "not_applied"),
        ("not-applied-then-reset", 502, "not_applied"),
        ("not-applied-then-500", 502, "not_applied"),
        ("cut-body", 200, "applied"),
        ("gateway-timeout", 502, "not_applied"),
    ];
    for (name, status, outcome) in cases {
        let world = World::of(place(&format!("decisions_{name}")).await).await;
        world.place.modes(faults(&[name])).await;
        let answer = accept(&world.place).await.expect("an answer");
        told(&answer, status, outcome, true, outcome == "not_applied");
        assert_eq!(per_connection(&answer), [outcome; 2], "{name}");
        assert_eq!(world.place.puts().await.len(), 1, "{name}");
        assert_eq!(counted(&world, outcome).await, 1.0);
        world.place.balance(But::default()).await;
    }
}

#[tokio::test]
async fn fault_p07_a_part_of_it_is_partial_and_names_which() {
    let world = World::of(place("decisions_p07").await).await;
    world.place.modes(faults(&["partial"])).await;
    let answer = accept(&world.place).await.expect("an answer");
    told(&answer, 502, "partial", true, false);
    assert_eq!(kind(&answer), "partial");
    assert_eq!(per_connection(&answer), ["applied", "not_applied"]);
    warns(&answer, "is rejected");
    assert_eq!(world.place.cloud.statuses(0).await, ["accepted", "rejected", "rejected"]);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p09_to_p15_a_refused_decision_did_nothing() {
    let cases = [
        ("forbidden", 404, "cluster_not_found", false),
        ("not-enabled", 409, "service_state", false),
        ("throttled", 503, "throttled", true),
        ("unauthorized", 502, "exporter_credentials", false),
    ];
    for (name, status, problem, safe) in cases {
        let world = World::of(place(&format!("decisions_{name}")).await).await;
        world.place.modes(faults(&[name])).await;
        let answer = accept(&world.place).await.expect("an answer");
        told(&answer, status, "rejected", true, safe);
        assert_eq!(kind(&answer), problem, "{name}");
        assert_eq!(per_connection(&answer), ["rejected"; 2]);
        assert_eq!(world.place.cloud.statuses(0).await, ["rejected"; 3]);
        assert_eq!(counted(&world, "rejected").await, 1.0);
    }
    let world = World::of(place("decisions_p14").await).await;
    let says = Says::new(409, r#"{"errCode": "CSS.0011", "externalMessage": "busy"}"#);
    world.place.front.set(Puts::Answered(says), Reads::PassedOn);
    let answer = accept(&world.place).await.expect("an answer");
    told(&answer, 409, "rejected", true, false);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p17_a_reading_back_that_fails_is_unknown() {
    let world = World::of(place("decisions_p17").await).await;
    world.place.front.set(Puts::PassedOn, Reads::FailingAfterPut);
    let answer = accept(&world.place).await.expect("an answer");
    told(&answer, 504, "unknown", true, false);
    assert_eq!(per_connection(&answer), ["unknown"; 2]);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn a_status_that_moved_is_told_and_nothing_is_sent() {
    let world = World::of(place("decisions_412").await).await;
    let ids = ids(&world.place).await;
    let seen = [(&*ids[0], "rejected"), (&*ids[1], "pendingAcceptance")];
    let answer = decide(&world.place, "accept", &seen).await.expect("an answer");
    told(&answer, 412, "not_sent", false, false);
    assert_eq!(answer.json()["connections"][1]["from"], "rejected");
    let unchanged = decide(&world.place, "reject", &seen[..1]).await.expect("an answer");
    told(&unchanged, 200, "unchanged", false, true);
    assert_eq!(world.place.puts().await.len(), 0);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_c14_killed_at_each_step_of_an_accept() {
    let cases = [
        ("reading before", Puts::PassedOn, Reads::Held, None),
        ("intent written", Puts::PassedOn, Reads::PassedOn, Some("not_applied")),
        ("sent", Puts::Swallowed, Reads::PassedOn, Some("not_applied")),
        ("done", Puts::DoneInSilence, Reads::PassedOn, Some("applied")),
        ("reading back", Puts::PassedOn, Reads::HeldAfterPut, Some("applied")),
        ("outcome written", Puts::PassedOn, Reads::PassedOn, Some("applied")),
    ];
    for (name, puts, reads, outcome) in cases {
        killed_at(name, puts, reads, outcome).await;
    }
}

async fn killed_at(name: &str, puts: Puts, reads: Reads, outcome: Option<&str>) {
    let mut place = place(&format!("decisions_c14_{}", name.replace(' ', "_"))).await;
    let limits = place.configuration["projects"][0]["rate_limit"]["css"].clone();
    if name == "intent written" {
        // The first poll and the reading before leave no turn for the change.
        let scarce = json!({"requests_per_second": 0.05, "burst": 2});
        place.configuration["projects"][0]["rate_limit"]["css"] = scarce;
    }
    let running = place.serve("first").await;
    eventually("the cluster is polled", async || {
        let page = running.metrics().await;
        page.value("huaweicloud_css_vpcep_up", &[]).ok_or_else(|| format!("{page:?}"))
    })
    .await;
    place.front.set(puts, reads);
    let killed = async {
        until_at(&place, name).await;
        kill(running).await;
    };
    let (heard, ()) = tokio::join!(accept(&place), killed);
    let seen = place.puts().await.len();
    place.configuration["projects"][0]["rate_limit"]["css"] = limits;

    // The next start finds out what became of it, and sends nothing again.
    place.front.set(Puts::PassedOn, Reads::PassedOn);
    let World { place, daemon } = World::of(place).await;
    assert_eq!(outcomes(&place).await, Vec::from_iter(outcome), "{name}");
    assert_eq!(place.puts().await.len(), seen, "{name}: nothing is sent again");
    let is_accepted = place.cloud.statuses(0).await[0] == "accepted";
    assert_eq!(is_accepted, outcome == Some("applied"), "{name}");
    let unheard = usize::from(outcome.is_some() && heard.is_err());
    let but = But { unheard, killed: true, ..But::default() };
    place.balance(but).await;
    // Whatever was, decisions go on, as soon as the outcome is recorded.
    let ids = ids(&place).await;
    let answer = eventually("the cluster is free", async || {
        let answer = decide(&place, "accept", &[(&ids[2], "rejected")]).await.expect("an answer");
        if answer.status == 409 { Err(answer.text) } else { Ok(answer) }
    })
    .await;
    told(&answer, 200, "applied", true, false);
    place.balance(but).await;
    daemon.stop().await;
}
