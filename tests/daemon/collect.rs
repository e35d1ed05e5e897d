//! `collect`: every cluster once, printed; the document's example and a thousand clusters.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::{
    cloud::Cloud,
    daemon::configuration,
    page::Page,
    process::{Ended, Folder, exporter, run},
};

const PREFIX: &str = "huaweicloud_css_vpcep_";

async fn collect(folder: &Folder, configuration: &Value) -> Ended {
    let file = folder.write("config.yml", configuration.to_string());
    run(exporter(&["collect", "--config.file", file.to_str().expect("a plain path")])).await
}

/// CSS API Reference, "Obtaining an Endpoint Connection", Example Responses.
const EXAMPLE: &[u8] = include_bytes!("../data/css-connections-example.json");

#[tokio::test]
async fn the_example_of_the_document_comes_out_as_metrics() {
    let folder = Folder::new("the_example_of_the_document_comes_out_as_metrics");
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let request = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", EXAMPLE.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(EXAMPLE).await.unwrap();
        String::from_utf8(request).unwrap()
    });

    let collected = collect(
        &folder,
        &json!({"projects": [{
            "name": "prod",
            "region": "cn-north-4",
            "project_id": "6e9dfd51d1124e8d8498dce894923a0d",
            "credentials": {"static": {"access_key": "AK", "secret_key": "SK"}},
            "api_endpoints": {"css": url, "vpcep": url, "iam": url},
            "clusters": [{"id": "4f3deec3-efa8-4598-bf91-560aad1377a3", "name": "logs"}],
        }]}),
    )
    .await;

    assert_eq!(collected.code, Some(0), "{collected:?}");
    let request = request.await.unwrap();
    let path = "GET /v1.0/6e9dfd51d1124e8d8498dce894923a0d/clusters/\
                4f3deec3-efa8-4598-bf91-560aad1377a3/vpcepservice/connections?";
    assert!(request.starts_with(path), "{request}");
    assert!(request.contains("limit=1000") && request.contains("offset=0"), "{request}");

    Page::parse(&collected.out).unwrap();
    let expected = expected_lines();
    let cluster = r#"cluster_id="4f3deec3-efa8-4598-bf91-560aad1377a3""#;
    let of_this_poll = ["last_success", "last_attempt", "poll_duration"];
    let data: Vec<&str> = collected
        .out
        .lines()
        .filter(|line| line.contains(cluster))
        .filter(|line| !of_this_poll.iter().any(|name| line.contains(name)))
        .collect();
    assert_eq!(data, expected.iter().map(String::as_str).collect::<Vec<_>>());
}

fn expected_lines() -> Vec<String> {
    let labels = r#"region_id="cn-north-4",project="prod",cluster_id="4f3deec3-efa8-4598-bf91-560aad1377a3",cluster_name="logs""#;
    let first = r#"endpoint_id="54b7f739-31a1-40d0-862b-ac85b83ab2da""#;
    let second = r#"endpoint_id="e88ad0bc-c2c7-419c-bd9b-a961111f0a42""#;
    let info = r#"specification_name="default",domain_id="db9b76a0d9ae431f8e85e89da2ca867c""#;
    let service = r#"vpc_service_name="cn-north-4.css-op-no-delete.cf072729-b076-49db-83d3-020dc9f589bd",service_id="cf072729-b076-49db-83d3-020dc9f589bd""#;
    let accepted = r#"status="accepted""#;
    let statuses =
        ["accepted", "rejected", "pendingAcceptance", "creating", "failed", "deleting", "unknown"];
    let mut lines = Vec::new();
    let mut line = |name: &str, more: &str, value: &str| {
        let comma = if more.is_empty() { "" } else { "," };
        lines.push(format!("{PREFIX}{name}{{{labels}{comma}{more}}} {value}"));
    };
    for (status, value) in statuses.iter().zip(["2", "0", "0", "0", "0", "0", "0"]) {
        line("connections", &format!("status=\"{status}\""), value);
    }
    line("connections_reported", "", "2");
    line("update_switch", "", "0");
    line("service_enabled", "", "1");
    line("permissions", "", "1");
    line("complete", "", "1");
    line("service_info", service, "1");
    line("connection_status", &format!("{first},{accepted}"), "1");
    line("connection_status", &format!("{second},{accepted}"), "1");
    line("connection_max_sessions", first, "3000");
    line("connection_max_sessions", second, "3000");
    for (id, ip) in [(first, "192.168.0.122"), (second, "192.168.0.133")] {
        let more = format!(r#"{id},{info},ip="{ip}",ipv6="",dns_name="""#);
        line("connection_info", &more, "1");
    }
    // 2024-06-11T09:36:24Z and 2023-10-12T07:33:16Z.
    line("connection_created_timestamp_seconds", first, "1718098584");
    line("connection_created_timestamp_seconds", second, "1697095996");
    line("connections_suppressed", "", "0");
    for status in statuses {
        line("connection_transitions_total", &format!("to=\"{status}\""), "0");
    }
    line("up", "", "1");
    line("poll_interval_seconds", "", "60");
    lines
}

/// Rule 3: one request for each cluster of up to 1,000 connections, and no more than 1 % on top.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clusters_take_a_thousand_requests() {
    let folder = Folder::new("a_thousand_clusters_take_a_thousand_requests");
    let cloud = Cloud::start(1_000, 10).await;
    let mut configuration = configuration(&cloud);
    // The time they take is not what this is about.
    configuration["poll"]["per_connection"] = json!(false);
    configuration["poll"]["timeout"] = json!("5m");

    let collected = collect(&folder, &configuration).await;

    assert_eq!(collected.code, Some(0), "{}", collected.err);
    let requests = cloud.requests().await;
    assert!((1_000..=1_010).contains(&requests["total"].as_u64().unwrap()), "{requests}");
    let page = Page::parse(&collected.out).unwrap();
    let connections = |status| page.sum(&format!("{PREFIX}connections"), status);
    assert_eq!(connections(&[]), 10_000.0);
    assert_eq!(page.all(&format!("{PREFIX}up"), &[]).len(), 1_000);
    assert_eq!(page.sum(&format!("{PREFIX}complete"), &[]), 1_000.0);
    let world = cloud.control(reqwest::Method::GET, "world", &json!({})).await;
    let rejected = world["clusters"].as_array().unwrap().iter().flat_map(|cluster| {
        let rows = cluster["connections"].as_array().unwrap().iter();
        rows.filter(|row| row["status"] == "rejected")
    });
    assert_eq!(connections(&[("status", "rejected")]), rejected.count() as f64);
}

#[tokio::test]
async fn one_cluster_that_cannot_be_read_fails_the_command_and_hides_no_other() {
    let folder = Folder::new("one_cluster_that_cannot_be_read_fails_the_command");
    let cloud = Cloud::start(3, 4).await;
    cloud.break_clusters(&[(cloud.id(1), "forbidden")]).await;

    let collected = collect(&folder, &configuration(&cloud)).await;

    assert_eq!(collected.code, Some(1), "{collected:?}");
    let page = Page::parse(&collected.out).unwrap();
    for (cluster, up) in [(0, 1.0), (1, 0.0), (2, 1.0)] {
        let labels = [("cluster_id", cloud.id(cluster))];
        assert_eq!(page.value(&format!("{PREFIX}up"), &labels), Some(up));
        let rows = page.all(&format!("{PREFIX}connection_status"), &labels).len();
        assert_eq!(rows, if up == 1.0 { 4 } else { 0 });
    }
    let told: Vec<&str> =
        collected.err.lines().filter(|line| line.contains("cannot be read")).collect();
    assert_eq!(told.len(), 1, "{}", collected.err);
    assert!(told[0].contains(cloud.id(1)) && told[0].contains("reason=not_found"), "{}", told[0]);
}

/// Errors without a code are told apart by what they say, those of one kind are told together.
#[tokio::test]
async fn each_cause_is_told_once() {
    let folder = Folder::new("each_cause_is_told_once");
    let cloud = Cloud::start(4, 1).await;
    let faults = [(0, "junk"), (1, "empty-body"), (2, "empty-body")];
    cloud.break_clusters(&faults.map(|(cluster, name)| (cloud.id(cluster), name))).await;

    let collected = collect(&folder, &configuration(&cloud)).await;

    assert_eq!(collected.code, Some(1), "{collected:?}");
    let told = collected.err.lines().filter(|line| line.contains("clusters cannot be read"));
    let told: Vec<_> = told.filter(|line| line.contains("reason=bad_json")).collect();
    let of = |clusters: &str| told.iter().filter(|line| line.contains(clusters)).count();
    assert_eq!(
        (told.len(), of(" clusters=1 "), of(" clusters=2 ")),
        (2, 1, 1),
        "{}",
        collected.err
    );
}
