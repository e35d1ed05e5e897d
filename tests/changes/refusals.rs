//! P9 to P15: PUTs that the cloud, or the gateway before it, refuses.

use reqwest::Method;
use serde_json::json;

use super::{
    front::{Puts, Reads, Says},
    ledger::But,
    world::{Place, World, kind, told, wanted},
};
use crate::support::Answer;

fn error(code: &str) -> String {
    json!({"error_code": code, "error_msg": "in the words of the cloud"}).to_string()
}

/// Each PUT is answered so in turn, and never reaches the service; the caller is told this.
async fn refused(world: &World, says: Says, status: u16, kind_of_it: &str) -> Answer {
    let shown = format!("{says:?}");
    let code = says.body.contains("error_code");
    let said = says.status;
    world.place.front.set(Puts::Answered(says), Reads::PassedOn);
    let before = world.place.truth(0).await;
    let answer = world.change().await;
    let safe_to_retry = kind_of_it == "throttled";
    told(&answer, status, "rejected", true, safe_to_retry);
    assert_eq!(kind(&answer), kind_of_it, "{shown}");
    let cloud = answer.json()["cloud"].clone();
    assert_eq!(cloud["status"], said, "{shown}");
    assert_eq!(cloud["code"].is_string(), code, "{shown}");
    assert_eq!(cloud["request_id"].as_str().map(str::len), Some(32), "{shown}");
    assert_eq!(world.place.truth(0).await, before);
    answer
}

/// All of these, one after the other; then the books balance.
async fn all_refused(test: &str, rows: &[(u16, &str, u16, &str)]) {
    let world = World::new(test, 1).await;
    for &(said, code, status, kind) in rows {
        let body = if code.is_empty() { String::new() } else { error(code) };
        refused(&world, Says::new(said, body), status, kind).await;
    }
    let records = world.place.balance(But::default()).await;
    assert_eq!(world.place.puts().await.len(), rows.len());
    assert_eq!(records.len(), 1 + 2 * rows.len());
    assert_eq!(world.counted("rejected").await, rows.len() as f64);
}

#[tokio::test]
async fn fault_p09_clashes_are_conflicts() {
    let rows = [(400, "EndPoint.3044", 409, "conflict"), (400, "EndPoint.3046", 409, "conflict")];
    all_refused("fault_p09", &rows).await;
}

/// By the rules of the simulator: the state of the service forbids it.
#[tokio::test]
async fn fault_p10_a_state_that_forbids_changes_is_a_conflict() {
    let world = World::new("fault_p10", 1).await;
    world.place.modes(json!([{"name": "forbidden-state"}])).await;
    let answer = world.change().await;
    told(&answer, 409, "rejected", true, false);
    assert_eq!(kind(&answer), "service_state");
    assert_eq!(answer.json()["cloud"]["code"], "EndPoint.3045");
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p11_other_codes_are_told_apart() {
    let invalid = ["3003", "3042", "3055", "3063", "3074", "1003", "0002"];
    let invalid = invalid.map(|number| format!("EndPoint.{number}"));
    let mut rows: Vec<_> = invalid.iter().map(|code| (400, &**code, 422, "invalid")).collect();
    rows.extend([
        (400, "EndPoint.9999", 422, "invalid"),
        (400, "", 422, "invalid"),
        (400, "EndPoint.2018", 409, "service_state"),
        (404, "APIGW.0101", 502, "misconfigured_endpoint"),
        (405, "", 502, "misconfigured_endpoint"),
        (414, "", 502, "misconfigured_endpoint"),
        (302, "", 502, "upstream_redirect"),
    ]);
    all_refused("fault_p11", &rows).await;
}

/// The gateway's 401 proves that nothing was done: a new token, and once more.
#[tokio::test]
async fn fault_p12_a_401_of_the_gateway_is_sent_once_more_with_a_new_token() {
    let mut place = Place::new("fault_p12_gateway", 1).await;
    let known = place.cloud.control(Method::GET, "credentials", &json!({})).await;
    let password = place.folder.write("password", known["password"].as_str().expect("a text"));
    place.configuration["projects"][0]["credentials"] = json!({"password": {
        "domain": known["domain"], "user": known["user"], "password_file": password,
    }});
    let world = World::of(place).await;
    // Reading the service is the last request that the token is good for.
    let path = format!("/api/v1/endpoint-services/prod/{}", world.place.services[0]);
    assert_eq!(world.place.desk.get(&path).await.status, 200);
    let end = json!({"tokens_end_after": 1});
    world.place.cloud.control(Method::PUT, "credentials", &end).await;
    told(&world.change().await, 200, "applied", true, false);
    assert_eq!(world.place.puts().await.len(), 2);
    world.place.balance(But { stopped_at_the_gateway: 1, ..But::default() }).await;
}

/// The service's own 401 proves nothing of that kind.
#[tokio::test]
async fn fault_p12_a_401_is_never_the_callers() {
    let world = World::new("fault_p12_service", 1).await;
    world.place.modes(json!([{"name": "service-unauthorized", "operation": "vpcep_update"}])).await;
    let answer = world.change().await;
    told(&answer, 502, "rejected", true, false);
    assert_eq!(kind(&answer), "exporter_credentials");
    assert_eq!(world.place.puts().await.len(), 1);
    world.place.balance(But::default()).await;
    // Nor is that of a gateway to which there is no better answer.
    let world = World::new("fault_p12_keys", 1).await;
    world.place.faults(&["unauthorized"]).await;
    let answer = world.change().await;
    told(&answer, 502, "rejected", true, false);
    assert_eq!(kind(&answer), "exporter_credentials");
    assert_eq!(world.place.puts().await.len(), 1);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p13_a_service_that_is_forbidden_or_not_there_is_rejected() {
    let rows = [
        ("not-allowed", 502, "exporter_forbidden", "EndPoint.0004"),
        ("not-there", 404, "service_not_found", "EndPoint.2003"),
        ("not-yours", 404, "service_not_found", "EndPoint.0005"),
    ];
    let world = World::new("fault_p13", 1).await;
    for (mode, status, kind_of_it, code) in rows {
        world.place.modes(json!([{"name": mode, "operation": "vpcep_update"}])).await;
        let answer = world.change().await;
        told(&answer, status, "rejected", true, false);
        assert_eq!((&*kind(&answer), &answer.json()["cloud"]["code"]), (kind_of_it, &json!(code)));
    }
    assert_eq!(world.place.puts().await.len(), rows.len());
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p14_conflicts_are_conflicts() {
    let rows = [(409, "", 409, "conflict"), (412, "EndPoint.9998", 409, "conflict")];
    all_refused("fault_p14", &rows).await;
}

#[tokio::test]
async fn fault_p15_throttling_is_handed_on_and_nothing_waits() {
    let world = World::new("fault_p15", 1).await;
    let gateway = error("APIGW.0308");
    let hinted = Says { headers: "retry-after: 7\r\n", ..Says::new(429, gateway.clone()) };
    let rows = [
        (hinted, "7"),
        (Says::new(429, gateway), "60"),
        (Says::new(400, error("EndPoint.0022")), "60"),
    ];
    let count = rows.len();
    for (says, seconds) in rows {
        let answer = refused(&world, says, 503, "throttled").await;
        assert_eq!(answer.header("retry-after"), seconds);
    }
    assert_eq!(world.place.puts().await.len(), count);
    world.place.balance(But::default()).await;
    // What was not sent again by itself may be sent again.
    world.place.front.set(Puts::PassedOn, Reads::PassedOn);
    let answer = world.place.desk.change(&world.place.services[0], &wanted()).await;
    told(&answer, 200, "applied", true, false);
    world.place.balance(But::default()).await;
}
