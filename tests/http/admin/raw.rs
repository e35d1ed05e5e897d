//! Requests as bytes: shapes of Host, of lengths, of bodies.

use super::*;

#[tokio::test]
async fn one_exact_host_is_wanted() {
    let admin = Admin::start().await;
    let (host, port) = (admin.address.to_string(), admin.address.port());
    let cases = [
        (format!("Host: {host}\r\n"), "/-/healthy".to_owned(), 200),
        (format!("Host: localhost:{port}\r\n"), "/-/healthy".to_owned(), 200),
        (String::new(), "/-/healthy".to_owned(), 421),
        ("Host:\r\n".to_owned(), "/-/healthy".to_owned(), 421),
        (format!("Host: {host}\r\nHost: {host}\r\n"), "/-/healthy".to_owned(), 421),
        (format!("Host: {host}\r\nHost: evil.example\r\n"), "/-/healthy".to_owned(), 421),
        ("Host: evil.example\r\n".to_owned(), "/-/healthy".to_owned(), 421),
        (format!("Host: evil.example:{port}\r\n"), "/-/healthy".to_owned(), 421),
        (format!("Host: LOCALHOST:{port}\r\n"), "/-/healthy".to_owned(), 421),
        (format!("Host: localhost.:{port}\r\n"), "/-/healthy".to_owned(), 421),
        ("Host: localhost\r\n".to_owned(), "/-/healthy".to_owned(), 421),
        ("Host: 127.0.0.1\r\n".to_owned(), "/-/healthy".to_owned(), 421),
        (format!("Host: x@{host}\r\n"), "/-/healthy".to_owned(), 421),
        (format!("Host: {host}.evil.example\r\n"), "/-/healthy".to_owned(), 421),
        (format!("Host: {host}\r\n"), format!("http://{host}/-/healthy"), 421),
        (format!("Host: {host}\r\n"), "http://evil.example/-/healthy".to_owned(), 421),
    ];
    for (headers, target, status) in &cases {
        let request = format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let answer = admin.raw(&request).await;
        assert_eq!(answer.status, *status, "{request}");
        if *status != 200 {
            answer.expect_problem(&request);
        }
    }
    let refused = cases.iter().filter(|case| case.2 == 421).count();
    assert_eq!(admin.denials("host"), refused as f64);
}

/// Nothing can be changed by a request whose end two programs could see at different places.
#[tokio::test]
async fn ambiguous_lengths_are_refused() {
    let admin = Admin::start().await;
    let body = r#"{"description":"x"}"#;
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let cases = [
        (format!("Content-Length: {length}\r\n"), body, 200),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &*chunked, 411),
        (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &chunked, 411),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), &chunked, 411),
        ("Content-Length: 5\r\nContent-Length: 6\r\n".to_owned(), body, 400),
        ("Content-Length: +5\r\n".to_owned(), body, 400),
        ("Content-Length: 5,5\r\n".to_owned(), body, 400),
        ("Transfer-Encoding: gzip, chunked\r\n".to_owned(), &chunked, 411),
        ("Transfer-Encoding: chunked, gzip\r\n".to_owned(), &chunked, 400),
        ("Content-Length : 5\r\n".to_owned(), body, 400),
    ];
    for (headers, body, status) in cases {
        let request = format!(
            "PUT /api/v1/endpoint-services/prod/logs HTTP/1.1\r\nHost: {}\r\n\
             Authorization: Bearer {EDITOR}\r\nContent-Type: application/json\r\nIf-Match: *\r\n\
             Connection: close\r\n{headers}\r\n{body}",
            admin.address
        );
        let answer = admin.raw(&request).await;
        assert_eq!(answer.status, status, "{headers}: {}", answer.body);
    }
    assert_eq!(admin.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_may_have_64_kib() {
    let admin = Admin::start().await;
    let limit = Limits::ADMIN.body_bytes;
    assert_eq!(limit, 64 * 1024);
    for (length, status) in [(limit - 1, 200), (limit, 200), (limit + 1, 413), (4 * limit, 413)] {
        let field = r#"{"description":"x"}"#;
        let body = format!("{field}{}", " ".repeat(length - field.len()));
        let answer = admin.put("", &[("If-Match", "*")], &body).await;
        assert_eq!(answer.status, status, "{length}");
        if status == 413 {
            answer.expect_problem("too long");
        }
    }
}

/// What a page of a foreign site can send without asking first, and other types.
#[tokio::test]
async fn only_json_is_taken() {
    let admin = Admin::start().await;
    let path = "/api/v1/endpoint-services/prod/logs";
    let body = r#"{"description":"x"}"#;
    let cases: [(&[(&str, &str)], u16); 12] = [
        (&[("Content-Type", "application/json")], 200),
        (&[("Content-Type", "application/json; charset=utf-8")], 200),
        (&[("Content-Type", "Application/JSON;charset=UTF-8")], 200),
        (&[], 415),
        (&[("Content-Type", "text/plain")], 415),
        (&[("Content-Type", "text/plain;application/json")], 415),
        (&[("Content-Type", "application/x-www-form-urlencoded")], 415),
        (&[("Content-Type", "multipart/form-data; boundary=x")], 415),
        (&[("Content-Type", "application/json; charset=utf-16")], 415),
        (&[("Content-Type", "application/jsonp")], 415),
        (&[("Content-Type", "application/json"), ("Content-Type", "text/plain")], 415),
        (&[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], 415),
    ];
    for (types, status) in cases {
        let headers = [types, &[("If-Match", "*")]].concat();
        let answer = admin.ask("PUT", path, Some(EDITOR), &headers, body).await;
        assert_eq!(answer.status, status, "{types:?}: {}", answer.body);
        if status != 200 {
            answer.expect_problem(&format!("{types:?}"));
        }
    }
    // A form has no token, and neither has what a browser asks before.
    let origin = ("Origin", "http://evil.example");
    for (method, headers) in [
        ("POST", vec![origin, ("Content-Type", "text/plain")]),
        ("POST", vec![origin, ("Content-Type", "application/x-www-form-urlencoded")]),
        ("OPTIONS", vec![origin, ("Access-Control-Request-Method", "PUT")]),
    ] {
        let answer = admin.ask(method, path, None, &headers, body).await;
        assert_eq!(answer.status, 401, "{method} {headers:?}");
        assert!(!answer.head.to_lowercase().contains("access-control"), "{}", answer.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for_long() {
    let admin = Admin::start().await;
    let request = format!(
        "PUT /api/v1/endpoint-services/prod/logs HTTP/1.1\r\nHost: {}\r\n\
         Authorization: Bearer {EDITOR}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        admin.address
    );
    let answer = admin.raw(&request).await;
    // The listener may cut the connection before the handler can answer.
    assert!([0, 408].contains(&answer.status), "{}", answer.head);
    assert!(admin.asked.lock().unwrap().is_empty());
}

/// Else somebody who may only look could keep all connections busy with bodies that never come.
#[tokio::test]
async fn no_body_is_waited_for_that_would_be_refused() {
    let admin = Admin::start().await;
    let whose = [("", 401), (VIEWER, 403), (ELSEWHERE, 403)];
    for (token, status) in whose {
        let request = format!(
            "PUT /api/v1/endpoint-services/prod/logs HTTP/1.1\r\nHost: {}\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: 1000\r\n\r\n{{",
            admin.address
        );
        let answer = admin.raw(&request).await;
        assert_eq!(answer.status, status, "{token}: {}", answer.body);
    }
}
