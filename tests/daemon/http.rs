//! What the two listeners answer, whoever asks.

use std::collections::BTreeSet;

use css_vpcep_exporter::clock::Clock;
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    Answer, DEADLINE, ask,
    cloud::Cloud,
    daemon::{Daemon, TOKEN, configuration},
    eventually,
};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn daemon() -> (Cloud, Daemon) {
    let cloud = Cloud::start(1, 3).await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    daemon.poll(cloud.id(0)).await;
    (cloud, daemon)
}

async fn send(
    address: impl ToString,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let url = format!("http://{}{path}", address.to_string());
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    ask(method, &url, headers, String::new()).await.expect("an answer")
}

/// All that comes back for some bytes, until the other side closes.
async fn raw(address: impl ToString, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address.to_string()).await.expect("it listens");
    stream.write_all(request).await.expect("it reads");
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("it closes");
    // A reset is an end too: the other side had not read all of it.
    let _ = read;
    answer
}

#[tokio::test]
async fn public_routes_are_read_only() {
    let (cloud, daemon) = daemon().await;
    let cluster = format!("/api/v1/clusters/{}", cloud.id(0));
    let cluster_page = format!("/clusters/{}", cloud.id(0));
    let routes = [
        ("/metrics", METRICS),
        ("/", HTML),
        (&cluster_page, HTML),
        ("/config", "application/yaml"),
        ("/-/healthy", TEXT),
        ("/-/ready", TEXT),
        ("/api/v1/clusters", JSON),
        (&cluster, JSON),
    ];
    for (path, content_type) in routes {
        let got = daemon.get(path).await;
        assert_eq!((got.status, got.header("content-type")), (200, content_type), "{path}");
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!got.text.is_empty(), "{path}");

        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let head = String::from_utf8(raw(daemon.public, request.as_bytes()).await).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert!(head.contains(&format!("content-type: {content_type}\r\n")), "{path}: {head}");
        assert!(
            head.ends_with("\r\n\r\n") && head.matches("\r\n\r\n").count() == 1,
            "{path}: {head}"
        );

        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            let refused = send(daemon.public, method, path, &[]).await;
            assert_eq!(refused.status, 405, "{method} {path}");
            let allow: BTreeSet<_> = refused.header("allow").split(',').map(str::trim).collect();
            assert_eq!(allow, ["GET", "HEAD"].into(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_and_no_label() {
    let (cloud, daemon) = daemon().await;
    let id = cloud.id(0);
    let poll = format!("/api/v1/clusters/{id}/poll");
    let upper = format!("/api/v1/clusters/{}", id.to_uppercase());
    let cases = [
        ("/no-such-path-canary", TEXT),
        ("/metrics/", TEXT),
        ("/Metrics", TEXT),
        ("//metrics", TEXT),
        ("/__sim/world", TEXT),
        (&poll, TEXT),
        ("/api/v1/clusters/", TEXT),
        ("/api/v1/clusters/5c77b71c-5b35-4f50-8984-76387e42451a", PROBLEM),
        ("/api/v1/clusters/canary", PROBLEM),
        ("/api/v1/clusters/%2e%2e%2f", PROBLEM),
        (&upper, PROBLEM),
    ];
    for (path, content_type) in cases {
        let missing = daemon.get(path).await;
        assert_eq!((missing.status, missing.header("content-type")), (404, content_type), "{path}");
        assert!(!missing.text.contains("canary"), "{path}: {}", missing.text);
        assert_eq!(send(daemon.public, "POST", &poll, &[]).await.status, 404);
    }
    let page = daemon.metrics().await;
    let requests = page.all("css_vpcep_exporter_http_requests_total", &[]);
    let handlers: BTreeSet<_> = requests.iter().map(|sample| &*sample.labels["handler"]).collect();
    let expected = ["/api/v1/clusters/{cluster_id}", "/api/v1/clusters/{cluster_id}/poll", "other"];
    assert_eq!(handlers, expected.into());
}

#[tokio::test]
async fn the_admin_listener_wants_its_host_and_a_token() {
    let (cloud, daemon) = daemon().await;
    let id = cloud.id(0);
    let poll = &*format!("/api/v1/clusters/{id}/poll");
    let unknown = "/api/v1/clusters/5c77b71c-5b35-4f50-8984-76387e42451a/poll";
    let good = &*format!("Bearer {TOKEN}");
    let lower = &*format!("bearer {TOKEN}");
    let basic = &*format!("Basic {TOKEN}");
    let longer = &*format!("Bearer {TOKEN}x");
    let localhost = &*format!("localhost:{}", daemon.admin.port());
    let cases = [
        ("GET", "/", vec![], 200),
        ("GET", "/-/healthy", vec![], 200),
        ("GET", "/-/healthy", vec![("host", localhost)], 200),
        ("GET", "/-/healthy", vec![("host", "evil.example")], 421),
        ("GET", "/-/healthy", vec![("host", "localhost")], 421),
        ("GET", "/-/healthy", vec![("host", localhost), ("host", localhost)], 421),
        ("GET", "/no-such-path", vec![], 404),
        ("GET", "/metrics", vec![], 404),
        ("POST", "/-/healthy", vec![], 405),
        ("POST", poll, vec![], 401),
        ("POST", poll, vec![("authorization", basic)], 401),
        ("POST", poll, vec![("authorization", longer)], 401),
        ("POST", poll, vec![("authorization", "Bearer ")], 401),
        ("POST", poll, vec![("authorization", good), ("host", "evil.example")], 421),
        ("POST", unknown, vec![], 401),
        ("POST", unknown, vec![("authorization", good)], 404),
        ("POST", poll, vec![("authorization", good)], 429),
        ("POST", poll, vec![("authorization", lower)], 429),
        ("GET", poll, vec![("authorization", good)], 405),
    ];
    for (method, path, headers, status) in &cases {
        let answer = send(daemon.admin, method, path, headers).await;
        assert_eq!(answer.status, *status, "{method} {path} {headers:?}: {}", answer.text);
        match status {
            401 => assert_eq!(answer.header("www-authenticate"), "Bearer"),
            405 => assert!(!answer.header("allow").is_empty(), "{method} {path}"),
            429 => assert_eq!(answer.header("retry-after"), "5"),
            _ => {}
        }
        if [401, 404, 421, 429].contains(status) {
            assert_eq!(answer.header("content-type"), PROBLEM, "{method} {path} {headers:?}");
            assert_eq!(answer.json()["status"], *status);
        }
    }
    let page = daemon.metrics().await;
    for (reason, status) in [("host", 421), ("token", 401)] {
        let denied = page.value("css_vpcep_exporter_admin_denied_total", &[("reason", reason)]);
        let expected = cases.iter().filter(|case| case.3 == status).count();
        assert_eq!(denied, Some(expected as f64), "{reason}");
    }
}

#[tokio::test]
async fn ready_is_when_every_cluster_was_tried() {
    let cloud = Cloud::start(2, 3).await;
    cloud.set_faults(json!([{"name": "hang"}])).await;
    let (daemon, _) = Daemon::begin(&configuration(&cloud), &Clock::system()).await;
    let polls = async {
        tokio::join!(daemon.poll(cloud.id(0)), daemon.poll(cloud.id(1)));
    };
    let watch = async {
        eventually("both polls hang", async || {
            let requests = cloud.requests().await;
            if requests["total"] == 2 { Ok(()) } else { Err(requests.to_string()) }
        })
        .await;
        let not_yet = daemon.get("/-/ready").await;
        assert_eq!((not_yet.status, not_yet.header("content-type")), (503, TEXT), "{not_yet:?}");
        assert_eq!(daemon.get("/-/healthy").await.status, 200);
        assert_eq!(daemon.get("/metrics").await.status, 200);
        // One of them fails for good; tried is tried.
        let forbidden = json!([{"name": "forbidden", "clusters": [cloud.id(1)]}]);
        cloud.set_faults(forbidden).await;
    };
    tokio::join!(polls, watch);
    assert_eq!(daemon.cluster(cloud.id(1)).await["up"], false);
    let ready = daemon.get("/-/ready").await;
    assert_eq!((ready.status, &*ready.text), (200, "ready\n"));
}

#[tokio::test]
async fn http_2_is_not_spoken_on_a_clear_port() {
    let (_cloud, daemon) = daemon().await;
    // The preface, and an empty SETTINGS frame.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for address in [daemon.public, daemon.admin] {
        let answer = raw(address, preface).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1.1 400 "), "{text:?}");
    }
    // The same way of asking, with something that is answered.
    let answer = raw(daemon.public, b"GET /-/healthy HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.0 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let (_cloud, daemon) = daemon().await;
    // The second is small enough for any server, and shows that it is the size that is refused.
    for (size, refused) in [(100_000, true), (1_000, false)] {
        let filler = "x".repeat(size);
        let request = format!("GET / HTTP/1.0\r\nHost: {}\r\nX: {filler}\r\n\r\n", daemon.admin);
        for address in [daemon.public, daemon.admin] {
            let answer = raw(address, request.as_bytes()).await;
            let text = String::from_utf8_lossy(&answer);
            let accepted = text.starts_with("HTTP/1.0 200 ");
            assert_eq!(accepted, !refused, "{size} at {address}: {text:?}");
            assert!(accepted || text.is_empty() || text.contains(" 431 "), "{text:?}");
        }
    }
}
