//! Every route, method and kind of caller.

use super::*;

/// No token, a wrong one, a viewer, an editor, an editor of other services.
const CALLERS: [Option<&str>; 5] =
    [None, Some("wrong"), Some(VIEWER), Some(EDITOR), Some(ELSEWHERE)];
const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/// Methods, each with the status for every caller.
type Methods = &'static [(&'static str, [u16; 5])];

/// What every caller gets from a route; a method that is not named gets 405 where the token is good.
const ROUTES: &[(&str, Methods)] = &[
    ("/", &[("GET", [200; 5])]),
    ("/-/healthy", &[("GET", [200; 5])]),
    ("/openapi.json", &[("GET", [200; 5])]),
    ("/api/v1/endpoint-services", &[("GET", [401, 401, 200, 200, 200])]),
    (
        "/api/v1/endpoint-services/prod/logs",
        &[("GET", [401, 401, 200, 200, 403]), ("PUT", [401, 401, 403, 200, 403])],
    ),
    (
        "/api/v1/endpoint-services/prod/logs?dry_run=true",
        &[("GET", [401, 401, 400, 400, 400]), ("PUT", [401, 401, 200, 200, 403])],
    ),
    (
        "/api/v1/endpoint-services/prod/logs?dry_run=false",
        &[("GET", [401, 401, 400, 400, 400]), ("PUT", [401, 401, 403, 200, 403])],
    ),
    (
        "/api/v1/endpoint-services/test/other?dry_run=true",
        &[("GET", [401, 401, 400, 400, 400]), ("PUT", [401, 401, 403, 403, 200])],
    ),
    (
        "/api/v1/endpoint-services/prod/4189d3c2-8882-4871-a3c2-d380272eed88",
        &[("GET", [401, 401, 200, 200, 403]), ("PUT", [401, 401, 403, 200, 403])],
    ),
    (
        "/api/v1/endpoint-services/test/other",
        &[("GET", [401, 401, 403, 403, 200]), ("PUT", [401, 401, 403, 403, 200])],
    ),
    (
        "/api/v1/endpoint-services/prod/no-such",
        &[("GET", [401, 401, 403, 403, 403]), ("PUT", [401, 401, 403, 403, 403])],
    ),
    (
        "/api/v1/endpoint-services/%ff/logs",
        &[("GET", [401, 401, 403, 403, 403]), ("PUT", [401, 401, 403, 403, 403])],
    ),
    ("/api/v1/whoami", &[("GET", [401, 401, 200, 200, 200])]),
    ("/api/v1/clusters", &[("GET", [401, 401, 200, 200, 200])]),
    ("/api/v1/changes", &[("GET", [401, 401, 200, 200, 200])]),
    ("/api/v1/changes/0190b1f2-7c3e-7a41-8c21-000000000001", &[("GET", [401, 401, 200, 200, 404])]),
    ("/api/v1/changes/0190b1f2-7c3e-7a41-8c21-000000000002", &[("GET", [401, 401, 404, 404, 200])]),
    ("/api/v1/changes/%ff", &[("GET", [401, 401, 404, 404, 404])]),
    (
        "/api/v1/clusters/5c77b71c-5b35-4f50-8984-76387e42451a/poll",
        &[("POST", [401, 401, 404, 404, 404])],
    ),
    (
        "/api/v1/clusters/8189d3c2-8882-4871-a3c2-d380272eed88/connections",
        &[("GET", [401, 401, 200, 200, 403]), ("POST", [401, 401, 403, 422, 403])],
    ),
    (
        "/api/v1/clusters/prod%2Fsearch/connections?dry_run=true",
        &[("GET", [401, 401, 400, 400, 400]), ("POST", [401, 401, 422, 422, 403])],
    ),
    (
        "/api/v1/clusters/prod%2Fno-such/connections",
        &[("GET", [401, 401, 403, 403, 403]), ("POST", [401, 401, 403, 403, 403])],
    ),
    (
        "/api/v1/clusters/%ff/connections",
        &[("GET", [401, 401, 403, 403, 403]), ("POST", [401, 401, 403, 403, 403])],
    ),
    ("/api/v1/clusters/%ff/poll", &[("POST", [401, 401, 404, 404, 404])]),
];

#[tokio::test]
async fn every_route_has_its_answer_for_everybody() {
    for (path, methods) in ROUTES {
        // So that nobody is held up for failing too often.
        let admin = Admin::start().await;
        for method in METHODS {
            let known = match method {
                "HEAD" => methods.iter().find(|(known, _)| *known == "GET"),
                _ => methods.iter().find(|(known, _)| *known == method),
            };
            let expected = match known {
                Some((_, expected)) => *expected,
                None if path.starts_with("/api/") => [401, 401, 405, 405, 405],
                None => [405; 5],
            };
            for (caller, expected) in CALLERS.into_iter().zip(expected) {
                let headers = [("Content-Type", "application/json"), ("If-Match", "*")];
                let body = r#"{"description": "x"}"#;
                let answer = admin.ask(method, path, caller, &headers, body).await;
                let what = format!("{method} {path} {caller:?}: {} {}", answer.head, answer.body);
                // Beyond ten failures of one source it is 429.
                let limited = expected == 401 && answer.status == 429;
                assert!(limited || answer.status == expected, "{expected}: {what}");
                match answer.status {
                    401 => assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}"),
                    405 => {
                        let allow = answer.header("allow").expect(&what);
                        assert!(methods.iter().all(|(known, _)| allow.contains(known)), "{what}");
                    }
                    429 => assert!(answer.header("retry-after").is_some(), "{what}"),
                    _ => {}
                }
                if answer.status >= 400 {
                    assert_eq!(answer.header("connection"), Some("close"), "{what}");
                    if method != "HEAD" {
                        answer.expect_problem(&what);
                    }
                }
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
                assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
            }
        }
    }
}

/// The table above has every route that the document has, and the document every one of the table.
#[tokio::test]
async fn the_walk_misses_no_route() {
    let admin = Admin::start().await;
    let document = admin.ask("GET", "/openapi.json", None, &[], "").await.json();
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.push((path.clone(), method.to_uppercase()));
        }
    }
    let fits = |pattern: &str, path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        let (pattern, path): (Vec<_>, Vec<_>) =
            (pattern.split('/').collect(), path.split('/').collect());
        let pair = |(pattern, path): (&&str, &&str)| pattern.starts_with('{') || pattern == path;
        pattern.len() == path.len() && pattern.iter().zip(&path).all(pair)
    };
    for (pattern, method) in &described {
        let walked = ROUTES.iter().any(|(path, methods)| {
            fits(pattern, path) && methods.iter().any(|(known, _)| known == method)
        });
        assert!(walked, "{method} {pattern} is not walked");
    }
    for (path, methods) in ROUTES {
        // The page for people and the document itself are not part of it.
        if ["/", "/openapi.json"].contains(path) {
            continue;
        }
        for (method, _) in *methods {
            let known = described.iter().any(|(pattern, of)| fits(pattern, path) && of == method);
            assert!(known, "{method} {path} is not described");
        }
    }
}

#[tokio::test]
async fn nobody_learns_which_services_there_are() {
    let admin = Admin::start().await;
    let mut answers = Vec::new();
    for service in ["prod/logs", "prod/no-such", "no-such/logs", "test/%2e%2e"] {
        let path = format!("/api/v1/endpoint-services/{service}");
        answers.push(admin.ask("GET", &path, Some(NOWHERE), &[], "").await.body);
        // The first is recorded at once, the others together.
        admin.until_a_denial_is_recorded().await;
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(admin.denials("service"), 4.0);
    let list = admin.ask("GET", "/api/v1/endpoint-services", Some(NOWHERE), &[], "").await;
    assert_eq!(list.json(), json!({"endpoint_services": []}));
    let list = admin.ask("GET", "/api/v1/endpoint-services", Some(VIEWER), &[], "").await.json();
    let names: Vec<_> = list["endpoint_services"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["name"], "logs");
    for path in ["/api/v1/changes", "/api/v1/changes?limit=1"] {
        let changes = admin.ask("GET", path, Some(VIEWER), &[], "").await.json();
        let ids: Vec<_> =
            changes["changes"].as_array().unwrap().iter().map(|one| &one["change_id"]).collect();
        let expected = [CHANGE_OF_LOGS, OLDER_CHANGE_OF_LOGS];
        assert_eq!(ids, expected[..if path.contains('?') { 1 } else { 2 }]);
    }
    let row = |name: Option<&str>| {
        [Some("service"), Some("127.0.0.1"), Some("nowhere"), name].map(|text| text.map(Box::from))
    };
    assert_eq!(admin.denied().await, [row(Some("logs")), row(None)]);
}

#[tokio::test]
async fn a_token_learns_what_it_is_and_which_clusters_it_covers() {
    let admin = Admin::start().await;
    let json = async |path: &str, token| admin.ask("GET", path, Some(token), &[], "").await.json();
    assert_eq!(json("/api/v1/whoami", VIEWER).await["role"], "viewer");
    assert_eq!(json("/api/v1/whoami", EDITOR).await["role"], "editor");
    let clusters = json("/api/v1/clusters", EDITOR).await;
    assert_eq!(clusters["clusters"][0]["cluster_name"], "search");
    assert_eq!(json("/api/v1/clusters", NOWHERE).await, json!({"clusters": []}));
}

/// A service may be called as the id of one that was removed; it is another one all the same.
#[tokio::test]
async fn a_name_shows_no_changes_of_the_service_with_that_id() {
    let admin = Admin::start().await;
    let list = admin.ask("GET", "/api/v1/changes", Some(OF_HEIR), &[], "").await;
    assert_eq!(list.json(), json!({"changes": []}));
    let path = format!("/api/v1/changes/{CHANGE_OF_GONE}");
    assert_eq!(admin.ask("GET", &path, Some(OF_HEIR), &[], "").await.status, 404);
}

/// Whoever guesses is held up, and whoever knows is not.
#[tokio::test]
async fn guessing_is_limited_and_knowing_is_not() {
    let admin = Admin::start().await;
    let list = "/api/v1/endpoint-services";
    let mut first = None;
    for _ in 0..10 {
        let answer = admin.ask("GET", list, Some("guess"), &[], "").await;
        assert_eq!(answer.status, 401);
        let first = first.get_or_insert_with(|| answer.body.clone());
        assert_eq!(*first, answer.body, "one answer for all");
    }
    for token in [None, Some("guess")] {
        let answer = admin.ask("GET", list, token, &[], "").await;
        assert_eq!(answer.status, 429);
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(admin.ask("GET", list, Some(VIEWER), &[], "").await.status, 200);
    assert_eq!((admin.denials("token"), admin.denials("limit")), (10.0, 2.0));
    let twice = [("Authorization", "Bearer x")];
    assert_eq!(admin.ask("GET", list, Some(VIEWER), &twice, "").await.status, 429);
}
