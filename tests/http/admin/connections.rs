//! Connections: the API, and the `connection` command.

use css_vpcep_exporter::change::{ConnectionChange, DecisionRequest, Seen, validate_decision};
use css_vpcep_exporter::model::{Decision, EndpointId};

use super::{
    command::{Ran, run_command},
    *,
};

const PATH: &str = "/api/v1/clusters/8189d3c2-8882-4871-a3c2-d380272eed88/connections";

fn seen(id: &str, status: Status) -> Seen {
    Seen { endpoint_id: EndpointId::new(id), status }
}

/// Every connection ends so, or is as wanted.
fn ends(outcome: Outcome) -> impl Fn(&ChangeRequest) -> Result<Report, Refusal> {
    move |request| {
        let Wanted::Connections { decision, .. } = &request.wanted else { panic!("{request:?}") };
        let outcome = if request.dry_run { Outcome::Planned } else { outcome };
        let to = decision.action.status();
        let changes: Vec<_> = decision
            .connections
            .iter()
            .map(|seen| ConnectionChange {
                endpoint_id: seen.endpoint_id.clone(),
                from: Some(seen.status),
                to,
                outcome: if seen.status == to { Outcome::Unchanged } else { outcome },
            })
            .collect();
        let is_unchanged = changes.iter().all(|one| one.outcome == Outcome::Unchanged);
        Ok(Report {
            outcome: if is_unchanged { Outcome::Unchanged } else { outcome },
            effect: Effect::Connections(changes),
            ..report(request)
        })
    }
}

impl Admin {
    async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        self.ask("POST", path, Some(token), &[("Content-Type", "application/json")], body).await
    }
}

const BODY: &str =
    r#"{"action":"accept","connections":[{"endpoint_id":"e2","status":"rejected"}]}"#;

#[tokio::test]
async fn connections_are_read_and_decided_on() {
    let admin = Admin::start_with(Box::new(ends(Outcome::Applied))).await;
    for path in [PATH, "/api/v1/clusters/prod%2Fsearch/connections"] {
        let read = admin.ask("GET", path, Some(VIEWER), &[], "").await;
        let json = read.json();
        assert_eq!((read.status, &json["cluster_name"]), (200, &json!("search")));
        assert_eq!((&json["project"], &json["region_id"]), (&json!("prod"), &json!("cn-north-4")));
        assert_eq!(json["connections"][1]["endpoint_id"], "e2");
        assert_eq!(json["connections"][1]["status"], "rejected");
        let answer = admin.post(path, EDITOR, BODY).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let json = answer.json();
        let change = json!(
            {"endpoint_id": "e2", "from": "rejected", "to": "accepted", "outcome": "applied"}
        );
        assert_eq!(json["connections"], json!([change]));
        let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected =
            ["change_id", "outcome", "sent", "safe_to_retry", "connections", "cloud", "warnings"];
        expected.sort_unstable();
        assert_eq!(members, expected);
        let asked = admin.asked.lock().unwrap().pop().unwrap();
        let Wanted::Connections { cluster, decision } = asked.wanted else { panic!() };
        assert_eq!(cluster.as_str(), SEARCH);
        let connections = vec![seen("e2", Status::Rejected)];
        assert_eq!(decision, DecisionRequest { action: Decision::Accept, connections });
        assert_eq!((&*asked.actor, asked.dry_run), ("editor", false));
    }
    let plan = admin.post(&format!("{PATH}?dry_run=true"), VIEWER, BODY).await;
    assert_eq!((plan.status, &plan.json()["outcome"]), (200, &json!("planned")));
}

#[tokio::test]
async fn a_failure_says_what_became_of_each_connection() {
    let cases = [
        (Outcome::Partial, 502, "/problems/partial"),
        (Outcome::NotApplied, 502, "/problems/not_applied"),
        (Outcome::Unknown, 504, "/problems/outcome_unknown"),
        (Outcome::NotSent, 502, "/problems/not_sent"),
        (Outcome::Rejected, 502, "/problems/upstream_failed"),
    ];
    for (outcome, status, kind) in cases {
        let admin = Admin::start_with(Box::new(ends(outcome))).await;
        let answer = admin.post(PATH, EDITOR, BODY).await;
        let json = answer.json();
        assert_eq!((answer.status, json["type"].as_str()), (status, Some(kind)), "{json}");
        assert_eq!(json["connections"][0]["outcome"], outcome.as_str());
        assert!(json["change_id"].is_string() && json["outcome"] == outcome.as_str());
        assert!(json["before"].is_null() && json["diff"].is_null(), "{json}");
    }
}

#[tokio::test]
async fn a_status_that_moved_is_412_with_the_present_ones() {
    let moved = ConnectionChange {
        endpoint_id: EndpointId::new("e2"),
        from: None,
        to: Status::Accepted,
        outcome: Outcome::NotSent,
    };
    let says = move |_: &ChangeRequest| {
        Err(Refusal::StatusMoved(Box::new(Effect::Connections(vec![moved.clone()]))))
    };
    let admin = Admin::start_with(Box::new(says)).await;
    let answer = admin.post(PATH, EDITOR, BODY).await;
    answer.expect_problem("moved");
    let json = answer.json();
    assert_eq!((answer.status, json["type"].as_str()), (412, Some("/problems/condition_failed")));
    let now = json!({"endpoint_id": "e2", "from": null, "to": "accepted", "outcome": "not_sent"});
    assert_eq!(json["connections"], json!([now]));
    assert_eq!((&json["sent"], &json["outcome"]), (&json!(false), &json!("not_sent")));
    let ran = connection(&admin, EDITOR, &["accept", "prod/search", "e2"], true).await;
    assert!(ran.code == 1 && ran.err.contains("no such connection"), "{}", ran.err);
    assert!(ran.err.contains("Someone else changed it meanwhile"), "{}", ran.err);
}

#[tokio::test]
async fn nobody_learns_which_clusters_there_are() {
    let admin = Admin::start().await;
    let mut answers = Vec::new();
    for cluster in [SEARCH, "prod%2Fsearch", "prod%2Fno-such", GONE, "search", "%2e%2e"] {
        let path = format!("/api/v1/clusters/{cluster}/connections");
        for method in ["GET", "POST"] {
            answers.push(admin.ask(method, &path, Some(NOWHERE), &[], BODY).await.body);
        }
        admin.until_a_denial_is_recorded().await;
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(admin.denials("service"), 12.0);
}

/// Every rule of the body, with what it is broken by.
#[tokio::test]
async fn every_rule_of_a_decision_is_told_at_once() {
    let one = r#"{"endpoint_id":"a","status":"rejected"}"#;
    let with = |list: &str| format!(r#"{{"action":"accept","connections":[{list}]}}"#);
    let many = |count: usize| {
        let id = |number| format!(r#"{{"endpoint_id":"e{number}","status":"rejected"}}"#);
        with(&(0..count).map(id).collect::<Vec<_>>().join(","))
    };
    let long = "a".repeat(65);
    let cases = [
        ("[]".to_owned(), vec![("", "type")]),
        ("{}".to_owned(), vec![("", "required"), ("", "required")]),
        (with(""), vec![("/connections", "not_empty")]),
        (many(101), vec![("/connections", "max_items")]),
        (with(&format!("{one},{one}")), vec![("/connections/1/endpoint_id", "unique")]),
        (with(&one.replace("rejected", "Rejected")), vec![("/connections/0/status", "one_of")]),
        (with(&one.replace("\"a\"", "\"\"")), vec![("/connections/0/endpoint_id", "length")]),
        (
            with(&one.replace("\"a\"", "\"../x\"")),
            vec![("/connections/0/endpoint_id", "characters")],
        ),
        (with(&one.replace("\"a\"", "null")), vec![("/connections/0/endpoint_id", "null")]),
        (with(one).replace("accept", "receive"), vec![("/action", "one_of")]),
        (with(one).replace("\"action\"", "\"x\":1,\"action\""), vec![("/x", "unknown_field")]),
    ];
    let admin = Admin::start().await;
    for (body, expected) in cases {
        let answer = admin.post(PATH, EDITOR, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        let json = answer.json();
        let errors = json["errors"].as_array().unwrap();
        let found: Vec<_> = errors
            .iter()
            .map(|one| (one["pointer"].as_str().unwrap(), one["rule"].as_str().unwrap()))
            .collect();
        assert_eq!(found, expected, "{body}");
    }
    let too_long = with(&one.replace("\"a\"", &format!("{long:?}")));
    assert_eq!(admin.post(PATH, EDITOR, &too_long).await.status, 422);
    assert!(validate_decision(many(100).as_bytes()).is_ok());
    assert_eq!(admin.post(PATH, EDITOR, "{").await.status, 400);
    assert!(admin.asked.lock().unwrap().is_empty());
}

/// Runs `connection`; with `yes` it is not asked.
async fn connection(admin: &Admin, token: &str, arguments: &[&str], yes: bool) -> Ran {
    let arguments = [arguments, if yes { &["--yes"][..] } else { &[] }].concat();
    let url = format!("http://{}", admin.address);
    run_command("connection", &url, Some(token), &arguments, "").await
}

#[tokio::test]
async fn the_command_lists_and_decides_by_name() {
    let admin = Admin::start_with(Box::new(ends(Outcome::Applied))).await;
    let list = connection(&admin, VIEWER, &["list", "prod/search"], false).await;
    assert_eq!((list.code, &*list.err), (0, ""));
    assert!(
        list.out.starts_with("ENDPOINT") && list.out.contains("e2        rejected"),
        "{}",
        list.out
    );
    let accept = ["accept", "prod/search", "e2"];
    // Nobody can be asked, so nothing is done.
    let refused = connection(&admin, EDITOR, &accept, false).await;
    assert_eq!(refused.code, 64, "{}", refused.err);
    assert!(admin.asked.lock().unwrap().is_empty());
    let plan = connection(&admin, VIEWER, &[&accept[..], &["--dry-run"]].concat(), false).await;
    assert_eq!((plan.code, &*plan.out), (2, "  e2  rejected -> accepted  planned\n"));
    let done = connection(&admin, EDITOR, &accept, true).await;
    assert_eq!((done.code, &*done.err), (0, ""));
    assert!(done.out.contains("  e2  rejected -> accepted  applied\n"), "{}", done.out);
    assert!(done.out.contains("Outcome: applied. Reading back"), "{}", done.out);
    assert!(done.out.contains(&format!("Change: {CHANGE_OF_LOGS}")), "{}", done.out);
    let dry: Vec<_> = admin.asked.lock().unwrap().drain(..).map(|one| one.dry_run).collect();
    assert_eq!(dry, [true, true, false]);
    // What is so already is not asked for.
    let same = connection(&admin, EDITOR, &["reject", SEARCH, "e2"], true).await;
    assert_eq!(same.code, 0);
    assert_eq!(admin.asked.lock().unwrap().len(), 1);
    let unknown = connection(&admin, EDITOR, &["reject", SEARCH, "e9"], true).await;
    assert!(unknown.code == 64 && unknown.err.contains("has no connection e9"), "{}", unknown.err);
    let json = connection(&admin, EDITOR, &["accept", SEARCH, "e2", "--json"], true).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["connections"][0]["outcome"], "applied");
}

#[tokio::test]
async fn the_command_fails_where_the_decision_did() {
    for outcome in [Outcome::NotApplied, Outcome::Partial, Outcome::Unknown, Outcome::Rejected] {
        let admin = Admin::start_with(Box::new(ends(outcome))).await;
        let ran = connection(&admin, EDITOR, &["accept", SEARCH, "e2"], true).await;
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains(&format!("Outcome: {}", outcome.as_str())), "{}", ran.err);
        assert!(ran.err.contains("  e2  rejected -> accepted  "), "{}", ran.err);
    }
    let admin = Admin::start().await;
    let ran = connection(&admin, ELSEWHERE, &["list", SEARCH], false).await;
    assert!(ran.code == 1 && ran.err.contains("not among those"), "{}", ran.err);
}
