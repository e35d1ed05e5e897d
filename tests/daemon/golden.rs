//! A whole scrape of a fixed world, held against a file: a change of any name, label, help text or
//! value shows there and has to be meant.

use std::fs;

use css_vpcep_exporter::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    cloud::{Cloud, DATE},
    daemon::{Daemon, configuration, project},
    page::Page,
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/scrape.golden.prom");
const ACTUAL: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/scrape.actual.prom");

/// What a fixed world cannot fix: the start of a metric's name, and what is replaced of its samples.
const NOT_FIXED: &[(&str, Part)] = &[
    ("process_", Part::Value),
    ("css_vpcep_exporter_build_info", Part::Labels),
    // Of a file that names free ports.
    ("css_vpcep_exporter_config_info", Part::Labels),
    ("css_vpcep_exporter_api_rate_limit_wait_seconds_total", Part::Value),
    ("huaweicloud_css_vpcep_poll_duration_seconds", Part::Value),
    // How long things took decides the length of the text.
    ("css_vpcep_exporter_exposition_size_bytes", Part::Value),
    ("css_vpcep_exporter_poll_duration_seconds_bucket", Part::Value),
    ("css_vpcep_exporter_poll_duration_seconds_sum", Part::Value),
    ("css_vpcep_exporter_api_request_duration_seconds_bucket", Part::Value),
    ("css_vpcep_exporter_api_request_duration_seconds_sum", Part::Value),
    ("css_vpcep_exporter_http_request_duration_seconds_bucket", Part::Value),
    ("css_vpcep_exporter_http_request_duration_seconds_sum", Part::Value),
];

#[derive(Clone, Copy)]
enum Part {
    Value,
    Labels,
}

fn fixed(page: &str) -> String {
    page.lines().map(|line| fixed_line(line) + "\n").collect()
}

fn fixed_line(line: &str) -> String {
    let rule = NOT_FIXED.iter().find(|(start, _)| line.starts_with(start));
    match (rule, line.rsplit_once(' '), line.split_once('{')) {
        (Some((_, Part::Value)), Some((series, _)), _) => format!("{series} *"),
        (Some((_, Part::Labels)), Some((_, value)), Some((name, _))) => {
            format!("{name}{{*}} {value}")
        }
        _ => line.to_owned(),
    }
}

#[tokio::test]
async fn a_scrape_of_a_fixed_world_is_as_written_down() {
    let page = scrape().await;
    Page::parse(&page).unwrap();
    let actual = fixed(&page);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &actual).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    if actual != golden {
        fs::write(ACTUAL, &actual).unwrap();
        panic!(
            "the scrape differs from {GOLDEN}:\n{}\nThe whole of it is in {ACTUAL}; \
             UPDATE_GOLDEN=1 takes it over.",
            first_differences(&golden, &actual)
        );
    }
}

fn first_differences(golden: &str, actual: &str) -> String {
    let missing = |these: &str, those: &str, sign: &str| -> Vec<String> {
        let known: std::collections::HashSet<&str> = those.lines().collect();
        let only = these.lines().filter(|line| !known.contains(line));
        only.take(8).map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = missing(golden, actual, "-");
    lines.extend(missing(actual, golden, "+"));
    if lines.is_empty() { "the order of the lines".into() } else { lines.join("\n") }
}

/// Two projects and six clusters: one as it should be, whose connections move between two polls; one
/// that fails after it was read; one that was never read; one without an endpoint service; one with
/// more connections than have series; one that is incomplete.
async fn scrape() -> String {
    let cloud = Cloud::at_date(6, 4).await;
    let [moving, failing, never, disabled, large, incomplete] =
        [0, 1, 2, 3, 4, 5].map(|cluster| cloud.id(cluster));
    let start: Timestamp = DATE.parse().expect("a date");
    let clock = Clock::manual(start);
    let mut configuration = configuration(&cloud);
    configuration["poll"]["per_connection_limit"] = json!(10);
    let mut second = project("test", &cloud);
    let moved = second["clusters"].as_array_mut().expect("a list").split_off(4);
    configuration["projects"][0]["clusters"] = second["clusters"].take();
    second["clusters"] = moved.into();
    // A name that has to be escaped.
    second["clusters"][1]["name"] = json!("in\\complete \"6\"");
    configuration["projects"].as_array_mut().expect("a list").push(second);

    let rows: Value = (0..11).map(|_| json!({})).collect();
    let path = format!("clusters/{large}");
    cloud.control(Method::PUT, &path, &json!({ "connections": rows })).await;
    let mut faults =
        vec![(never, "forbidden"), (disabled, "not-enabled"), (incomplete, "total-wrong")];
    cloud.break_clusters(&faults).await;
    let daemon = Daemon::start(&configuration, &clock).await;

    faults.push((failing, "junk"));
    cloud.break_clusters(&faults).await;
    cloud.control(Method::POST, "step", &json!({"steps": 3})).await;
    let rows = cloud.control(Method::GET, "world", &json!({})).await;
    let first = rows["clusters"][0]["connections"][0]["id"].as_str().expect("a text");
    let path = format!("clusters/{moving}/connections/{first}");
    let odd = json!({"status": "frozen", "max_sessions": 7, "ip": null, "update_at": null});
    cloud.control(Method::POST, &path, &odd).await;
    clock.set(start + SignedDuration::from_millis(60_250));
    for id in [moving, failing, never] {
        assert_eq!(daemon.ask_to_poll(id).await.status, 200);
    }
    daemon.get("/metrics").await.text
}
