//! The page for Prometheus: what is asked for and what comes.

use std::{collections::BTreeMap, io::Read as _, sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::{Board, ClusterMeta},
    clock::Clock,
    model::{ClusterId, RegionId},
    web::Limits,
};
use flate2::read::GzDecoder;
use reqwest::{Method, Response, header::HeaderMap};

use super::Server;
use crate::support::HTTP;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What Prometheus 2.42 sends.
const PROMETHEUS: [(&str, &str); 2] = [
    (
        "accept",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    ),
    ("accept-encoding", "gzip"),
];

/// An exporter that has not polled anything yet.
async fn exporter(clusters: u32) -> Server {
    let meta = |number: u32| ClusterMeta {
        id: ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap(),
        name: format!("cluster \"{number}\"").into(),
        project: "prod".into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    };
    let board = Board::new((0..clusters).map(meta));
    Server::showing(board, Clock::system(), Limits::PUBLIC).await
}

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = HTTP.request(method, format!("http://{}{path}", server.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_prometheus_gets_openmetrics_and_gzip() {
    let server = exporter(3).await;
    let answer = ask(&server, Method::GET, "/metrics", &PROMETHEUS).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(answer.headers(), "content-type"), OPENMETRICS);
    assert_eq!(header(answer.headers(), "content-encoding"), "gzip");
    assert_eq!(header(answer.headers(), "vary"), "Accept, Accept-Encoding");
    let mut page = String::new();
    let body = answer.bytes().await.unwrap();
    GzDecoder::new(&body[..]).read_to_string(&mut page).unwrap();
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    assert!(page.contains("\n# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "));
}

#[tokio::test]
async fn who_asks_for_nothing_gets_plain_text() {
    let server = exporter(3).await;
    for headers in [&[][..], &[("accept", "application/json")], &[("accept-encoding", "br")]] {
        let answer = ask(&server, Method::GET, "/metrics?name=x", headers).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(answer.headers(), "content-type"), TEXT);
        assert_eq!(header(answer.headers(), "content-encoding"), "");
        assert_eq!(header(answer.headers(), "vary"), "Accept, Accept-Encoding");
        let page = answer.text().await.unwrap();
        assert!(page.contains("\n# TYPE process_cpu_seconds_total counter\n"), "{page}");
        assert!(!page.contains("# EOF"));
    }
}

#[tokio::test]
async fn head_tells_what_get_would_say_and_nothing_else_is_allowed() {
    let server = exporter(3).await;
    let head = ask(&server, Method::HEAD, "/metrics", &[]).await;
    assert_eq!(head.status(), 200);
    assert_eq!(header(head.headers(), "content-type"), TEXT);
    assert!(header(head.headers(), "content-length").parse::<u32>().unwrap() > 1000);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = ask(&server, method, "/metrics", &[]).await;
        assert_eq!(answer.status(), 405);
        assert_eq!(header(answer.headers(), "allow"), "GET,HEAD");
    }
    assert_eq!(ask(&server, Method::GET, "/metrics/", &[]).await.status(), 404);
}

/// Everyone gets an answer at once, be it that there are too many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_forty_scrapes_at_a_time_are_told_to_come_back() {
    let server = Arc::new(exporter(3000).await);
    let scrapes: Vec<_> = (0..120)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move {
                let answer = ask(&server, Method::GET, "/metrics", &PROMETHEUS).await;
                let retry_after = header(answer.headers(), "retry-after").to_owned();
                (answer.status().as_u16(), retry_after)
            })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for scrape in scrapes {
        *answers.entry(scrape.await.unwrap()).or_insert(0) += 1;
    }
    let expected = [(200, String::new()), (503, "1".to_owned())];
    assert_eq!(answers.keys().cloned().collect::<Vec<_>>(), expected, "{answers:?}");
    assert!(answers[&expected[0]] >= 40, "{answers:?}");
    assert_eq!(ask(&server, Method::GET, "/metrics", &[]).await.status(), 200);
}
