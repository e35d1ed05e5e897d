//! What is shown while the cloud cannot be asked: the last good data with its true age, then none.

use css_vpcep_exporter::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;

use crate::support::{
    cloud::{Cloud, DATE},
    daemon::{Daemon, configuration},
    page::Page,
    process::Folder,
    serve::Serve,
};

const PREFIX: &str = "huaweicloud_css_vpcep_";

#[tokio::test]
async fn data_outlive_the_cloud_until_they_are_stale() {
    let cloud = Cloud::at_date(2, 5).await;
    let start: Timestamp = DATE.parse().unwrap();
    let clock = Clock::manual(start);
    let daemon = Daemon::start(&configuration(&cloud), &clock).await;
    let ids = [cloud.id(0).to_owned(), cloud.id(1).to_owned()];
    for id in &ids {
        daemon.poll(id).await;
    }
    let fresh = daemon.metrics().await;
    assert_eq!(states(&fresh), [2.0, 0.0, 0.0, 0.0]);
    cloud.stop().await;

    clock.set(start + SignedDuration::from_mins(7));
    for id in &ids {
        daemon.poll(id).await;
    }
    let failing = daemon.metrics().await;
    for name in ["connections", "connection_status", "complete", "last_success_timestamp_seconds"] {
        let name = format!("{PREFIX}{name}");
        assert!(!fresh.all(&name, &[]).is_empty(), "{name}");
        assert_eq!(failing.all(&name, &[]), fresh.all(&name, &[]));
    }
    assert_eq!(failing.sum(&format!("{PREFIX}up"), &[]), 0.0);
    let failures = [("project", "prod"), ("reason", "connect")];
    assert_eq!(failing.value("css_vpcep_exporter_poll_failures_total", &failures), Some(2.0));
    assert_eq!(states(&failing), [0.0, 2.0, 0.0, 0.0]);
    let cluster = daemon.cluster(&ids[0]).await;
    assert_eq!(cluster["last_error"]["reason"], "connect");
    assert_eq!(cluster["last_success"], DATE);
    assert_eq!(cluster["last_attempt"], "2024-06-11T09:43:24Z");

    let stale_after = SignedDuration::from_hours(40);
    clock.set(start + stale_after - SignedDuration::from_secs(1));
    assert_eq!(names(&daemon.metrics().await), names(&failing));

    clock.set(start + stale_after + SignedDuration::from_secs(1));
    let stale = daemon.metrics().await;
    let lasting = [
        "connection_transitions_total",
        "last_attempt_timestamp_seconds",
        "last_success_timestamp_seconds",
        "poll_duration_seconds",
        "poll_interval_seconds",
        "up",
    ];
    assert_eq!(names(&stale), lasting.map(|name| format!("{PREFIX}{name}")));
    for name in lasting.map(|name| format!("{PREFIX}{name}")) {
        assert_eq!(stale.all(&name, &[]), failing.all(&name, &[]));
    }
    assert_eq!(states(&stale), [0.0, 0.0, 2.0, 0.0]);
    let cluster = daemon.cluster(&ids[0]).await;
    assert_eq!((&cluster["fresh"], &cluster["complete"]), (&false.into(), &().into()));
    assert_eq!(
        (&cluster["last_success"], cluster["items"].as_array()),
        (&DATE.into(), Some(&vec![]))
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_one_line_in_the_log_and_shows_what_the_cloud_said() {
    let folder = Folder::new("a_wrong_key_is_one_line");
    let cloud = Cloud::start(4, 5).await;
    let mut configuration = configuration(&cloud);
    configuration["poll"] = json!({"interval": "3s", "timeout": "3s", "stale_after": "1h"});
    let wrong = json!({"access_key": cloud.access_key, "secret_key": "wrong"});
    configuration["projects"][0]["credentials"] = json!({ "static": wrong });
    let serve = Serve::start(&folder, "serve", &configuration, &["--web.enable-lifecycle"]).await;
    let up = |page: &Page| page.all(&format!("{PREFIX}up"), &[]).len();
    serve.page_where("all were tried", |page| up(page) == 4).await;
    let mut request_ids = Vec::new();
    for number in 0..4 {
        let error = serve.cluster(cloud.id(number)).await["last_error"].clone();
        assert_eq!((&error["reason"], &error["code"]), (&json!("auth"), &json!("APIGW.0301")));
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("verify aksk signature fail"), "{error}");
        assert!(error["retry_at"].is_string(), "of the refused one too: {error}");
        request_ids.push(error["request_id"].clone());
    }
    request_ids.dedup();
    assert_eq!(request_ids.len(), 1, "all show the one request that was refused");
    let lines = |serve: &Serve, text: &str| serve.process.err().matches(text).count();
    assert_eq!(lines(&serve, "the credentials are in back-off at this API host"), 1);
    assert_eq!(lines(&serve, "a cluster cannot be read"), 0, "{}", serve.process.err());

    // The cause was fixed in the cloud, not in a file: a reload ends the back-off.
    cloud.control(Method::PUT, "credentials", &json!({"secret_key": "wrong"})).await;
    assert_eq!(serve.reload().await.status, 200);
    serve.page_where("all are read", |page| page.sum(&format!("{PREFIX}up"), &[]) == 4.0).await;
    assert_eq!(lines(&serve, "the back-off has ended"), 1);
    assert_eq!(lines(&serve, "clusters can be read again"), 0);
    assert_eq!(cloud.requests().await["bad_signatures"], 1);
}

/// The names of the data metrics that have samples.
fn names(page: &Page) -> Vec<String> {
    let names = page.samples.iter().map(|sample| sample.name.clone());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(PREFIX)).collect();
    names.sort();
    names.dedup();
    names
}

/// How many clusters are fresh, failing, stale, never read.
fn states(page: &Page) -> [f64; 4] {
    ["fresh", "failing", "stale", "never"].map(|state| {
        let name = "css_vpcep_exporter_targets";
        page.value(name, &[("state", state)]).expect("every state has its sample")
    })
}
