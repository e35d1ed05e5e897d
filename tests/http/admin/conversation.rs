//! What is asked of the engine, and what its answers look like.

use css_vpcep_exporter::{
    change::{CloudAnswer, Difference, Wanted},
    cloud::{self, CloudError, Reason},
    model::{Field, FieldValue},
};

use super::*;

type Headers<'a> = &'a [(&'a str, &'a str)];

const BODY: &str = r#"{"description": "x"}"#;

#[tokio::test]
async fn a_service_is_shown_with_its_tag() {
    let admin = Admin::start().await;
    let path = "/api/v1/endpoint-services/prod/logs";
    let answer = admin.ask("GET", path, Some(VIEWER), &[], "").await;
    assert_eq!(answer.header("etag"), Some("\"state-1\""));
    let json = answer.json();
    assert_eq!((&json["project"], &json["name"]), (&json!("prod"), &json!("logs")));
    assert_eq!(json["etag"], ETAG);
    assert_eq!(json["service"]["ports"][0]["client_port"], 9200);
}

#[tokio::test]
async fn a_request_says_what_it_says() {
    let admin = Admin::start().await;
    let tags = |tags: &[&str]| Condition::Tags(tags.iter().map(|&tag| tag.to_owned()).collect());
    let cases: [(&str, Headers<'_>, u16, bool, Condition); 8] = [
        ("", &[("If-Match", "*")], 200, false, Condition::Any),
        ("", &[("If-Match", "\"state-1\"")], 200, false, tags(&["state-1"])),
        ("", &[("If-Match", "\"a\", \"b\"")], 412, false, tags(&["a", "b"])),
        ("", &[("If-Match", "W/\"state-1\"")], 412, false, tags(&[])),
        ("", &[], 428, false, Condition::None),
        ("?dry_run=true", &[], 200, true, Condition::None),
        ("?dry_run=false", &[], 428, false, Condition::None),
        ("?dry_run=true", &[("If-Match", "\"a\"")], 200, true, tags(&["a"])),
    ];
    for (query, headers, status, dry_run, condition) in cases {
        let answer = admin.put(query, headers, BODY).await;
        assert_eq!(answer.status, status, "{query} {headers:?}: {}", answer.body);
        let request = admin.asked.lock().unwrap().pop().expect("the engine is asked");
        let Wanted::Service { project, service, update, condition: said } = &request.wanted else {
            panic!("{request:?}");
        };
        assert_eq!((request.dry_run, said), (dry_run, &condition));
        assert_eq!((&**project, service.as_str()), ("prod", LOGS));
        assert_eq!((&*request.actor, request.remote), ("editor", [127, 0, 0, 1].into()));
        assert_eq!(update.description.as_deref(), Some("x"));
        if status >= 400 {
            answer.expect_problem(query);
            assert_eq!(answer.header("etag"), Some("\"state-1\""));
            let json = answer.json();
            assert_eq!(json["current"]["id"], LOGS);
            assert_eq!((&json["etag"], &json["sent"]), (&json!(ETAG), &json!(false)));
        } else {
            let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
            let mut expected = [
                "change_id",
                "outcome",
                "sent",
                "safe_to_retry",
                "before",
                "after",
                "diff",
                "cloud",
                "warnings",
            ];
            expected.sort_unstable();
            assert_eq!(members, expected);
            assert_eq!(answer.json()["outcome"], if dry_run { "planned" } else { "applied" });
        }
    }
}

#[tokio::test]
async fn what_cannot_be_understood_never_reaches_the_engine() {
    let admin = Admin::start().await;
    let any = ("If-Match", "*");
    let cases: [(&str, Headers<'_>, &str, u16); 16] = [
        ("?dry_run=maybe", &[any], BODY, 400),
        ("?dry_run=", &[any], BODY, 400),
        ("?dry_run=true&dry_run=true", &[any], BODY, 400),
        ("?dryrun=true", &[any], BODY, 400),
        ("", &[("If-Match", "state-1")], BODY, 400),
        ("", &[("If-Match", "")], BODY, 400),
        ("", &[any], "", 400),
        ("", &[any], "{", 400),
        ("", &[any], "{\"description\": \"x\"} {}", 400),
        ("", &[any], "{}", 422),
        ("", &[any], "[]", 422),
        ("", &[any], "null", 422),
        ("", &[any], r#"{"description": null}"#, 422),
        ("", &[any], r#"{"descripton": "x"}"#, 422),
        ("", &[any], r#"{"description": "x", "description": "y"}"#, 422),
        ("", &[any], r#"{"tcp_proxy": "proxy_vni"}"#, 422),
    ];
    for (query, headers, body, status) in cases {
        let answer = admin.put(query, headers, body).await;
        assert_eq!(answer.status, status, "{query} {headers:?} {body}: {}", answer.body);
        answer.expect_problem(body);
    }
    let body = r#"{"ports":[{"client_port":0}],"ip":"x","port_id":"y z"}"#;
    let json = admin.put("", &[any], body).await.json();
    let pointers: Vec<_> =
        json["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert!(pointers.len() >= 3, "all of them at once: {json}");
    assert!(pointers.contains(&&json!("/ports/0/client_port")), "{json}");
    let bad = ["limit=-1", "limit=0", "limit=1001", "limit=+1", "limit=x", "limit=", "Limit=1"];
    for query in bad {
        let path = format!("/api/v1/changes?{query}");
        let answer = admin.ask("GET", &path, Some(VIEWER), &[], "").await;
        assert_eq!(answer.status, 400, "{query}");
        answer.expect_problem(query);
    }
    assert!(admin.asked.lock().unwrap().is_empty());
}

/// A failure has the members of an answer as well, so that nobody has to guess what happened.
#[tokio::test]
async fn a_failure_says_what_became_of_the_change() {
    let says = |request: &ChangeRequest| {
        let mut error = CloudError::new(Reason::Http4xx, "the ports clash");
        error.status = Some(400);
        error.code = Some("EndPoint.3044".into());
        error.refusal = Some(cloud::Refusal::Conflict);
        error.request_id = Some("r-1".into());
        let mut report = report(request);
        report.outcome = Outcome::Rejected;
        report.safe_to_retry = false;
        effect(&mut report).after = None;
        report.cloud = CloudAnswer::of(&error);
        report.failure = Some(error);
        let text = |text: &str| Some(FieldValue::Text(text.into()));
        let (from, to) = (text("before"), text("x"));
        effect(&mut report).diff = vec![Difference { field: Field::Description, from, to }];
        Ok(report)
    };
    let admin = Admin::start_with(Box::new(says)).await;
    let answer = admin.put("", &[("If-Match", "*")], BODY).await;
    assert_eq!(answer.status, 409);
    answer.expect_problem("a clash");
    let json = answer.json();
    assert_eq!(json["type"], "/problems/conflict");
    assert_eq!((&json["outcome"], &json["sent"]), (&json!("rejected"), &json!(true)));
    assert_eq!((&json["safe_to_retry"], &json["after"]), (&json!(false), &Value::Null));
    assert_eq!(json["change_id"], CHANGE_OF_LOGS);
    assert_eq!(json["before"]["id"], LOGS);
    assert_eq!(json["diff"][0]["to"], "x");
    assert_eq!(json["cloud"]["code"], "EndPoint.3044");
    assert_eq!(json["cloud"]["request_id"], "r-1");
    assert_eq!(json["warnings"], json!([]));
}

#[tokio::test]
async fn refusals_say_when_to_come_back() {
    let admin = Admin::start_with(Box::new(|_| Err(Refusal::InProgress))).await;
    let answer = admin.put("", &[("If-Match", "*")], BODY).await;
    assert_eq!((answer.status, answer.header("retry-after")), (409, Some("5")));
    let json = answer.json();
    assert_eq!((&json["outcome"], &json["sent"]), (&json!("not_sent"), &json!(false)));
    assert_eq!(json["safe_to_retry"], true);
}

/// Nothing of a token comes back, nor anything that is not the page's own.
#[tokio::test]
async fn the_console_is_the_same_for_everybody() {
    let admin = Admin::start().await;
    let page = admin.ask("GET", "/", Some(EDITOR), &[], "").await;
    assert_eq!(page.body, admin.ask("GET", "/", None, &[], "").await.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for secret in [EDITOR, "logs", LOGS] {
        assert!(!page.body.contains(secret), "{secret}");
    }
}
