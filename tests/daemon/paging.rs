//! Sizes of clusters, and regions that count otherwise, over the wire.

use css_vpcep_exporter::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    cloud::Cloud,
    daemon::{Daemon, configuration},
};

const PREFIX: &str = "huaweicloud_css_vpcep_";

/// At most 2,000 can be read: an offset ends at 1,000, and a page has 1,000 rows.
#[tokio::test]
async fn every_connection_that_can_be_reached_is_read_and_no_more_is_claimed() {
    let sizes = [0, 1, 999, 1_000, 1_001, 1_999, 2_000, 2_001, 3_500];
    let cloud = Cloud::start(sizes.len(), 0).await;
    for (cluster, size) in sizes.into_iter().enumerate() {
        let rows: Value = (0..size).map(|_| json!({})).collect();
        let path = format!("clusters/{}", cloud.id(cluster));
        cloud.control(Method::PUT, &path, &json!({ "connections": rows })).await;
    }
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;

    for (cluster, size) in sizes.into_iter().enumerate() {
        let id = cloud.id(cluster);
        cloud.control(Method::DELETE, "requests", &json!({})).await;
        let polled = daemon.poll(id).await;
        let requests = cloud.requests().await;
        let reachable = size.min(2_000);
        // Where not all can be read, a second walk makes sure of it.
        let expected_requests = match size {
            0..=1_000 => 1,
            1_001..=2_000 => 2,
            _ => 4,
        };
        assert_eq!(requests["total"], expected_requests, "{size}");
        assert!(requests["max_offset"].as_i64() <= Some(1_000), "{size}: {requests}");
        assert_eq!(polled["connections"]["accepted"], reachable, "{size}");
        assert_eq!(polled["connections_reported"], size, "{size}");
        assert_eq!(polled["complete"], reachable == size, "{size}");
        assert_eq!(polled["items"].as_array().map(Vec::len), Some(reachable), "{size}");

        let page = daemon.metrics().await;
        let value = |name: &str| page.value(&format!("{PREFIX}{name}"), &[("cluster_id", id)]);
        assert_eq!(value("connections_suppressed"), Some(f64::from(u8::from(size > 1_000))));
        let rows = page.all(&format!("{PREFIX}connection_status"), &[("cluster_id", id)]);
        assert_eq!(rows.len(), if size > 1_000 { 0 } else { size }, "{size}");
    }
    daemon.stop().await;
}

/// Older regions count from 1, and some call the parameter `start`.
#[tokio::test]
async fn a_region_that_counts_from_one_is_read_whole_where_the_configuration_says_so() {
    let regions = [
        ("offset-one-based", json!({"parameter": "offset", "first": 1})),
        ("start-parameter", json!({"parameter": "start", "first": 1})),
    ];
    for (fault, paging) in regions {
        for (size, limit) in [(1_500, 1_000), (250, 100), (250, 250), (1, 1_000)] {
            let cloud = Cloud::start(1, size).await;
            cloud.set_faults(json!([{ "name": fault }])).await;
            let mut configuration = configuration(&cloud);
            configuration["projects"][0]["paging"] = paging.clone();
            configuration["projects"][0]["paging"]["limit"] = json!(limit);
            let daemon = Daemon::start(&configuration, &Clock::system()).await;
            let polled = daemon.cluster(cloud.id(0)).await;
            assert_eq!(polled["up"], true, "{fault} {size} {limit}: {polled}");
            assert_eq!(polled["complete"], true, "{fault} {size} {limit}");
            assert_eq!(polled["items"].as_array().map(Vec::len), Some(size), "{fault} {limit}");
            assert_eq!(cloud.requests().await["total"], size.div_ceil(limit), "{fault} {limit}");
            daemon.stop().await;
        }
    }
}

/// An answer for one cluster says nothing about the others.
#[tokio::test]
async fn a_refused_limit_is_remembered_for_the_cluster() {
    let cloud = Cloud::start(2, 150).await;
    cloud.set_faults(json!([{"name": "limit-refused", "clusters": [cloud.id(0)]}])).await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    // One is refused, then gives two pages; the other is read at once.
    assert_eq!(cloud.requests().await["total"], 3 + 1);
    for (cluster, requests) in [(0, 2), (1, 1)] {
        let polled = daemon.poll(cloud.id(cluster)).await;
        assert_eq!(
            (&polled["complete"], &polled["connections_reported"]),
            (&json!(true), &json!(150))
        );
        assert_eq!(polled["polls"][0]["requests"], requests, "{polled}");
    }
    daemon.stop().await;
}

/// A service that is switched off, or a refusal that has nothing to do with the limit, must not hide
/// behind the larger limit that was refused before.
#[tokio::test]
async fn what_a_smaller_limit_is_answered_counts() {
    let cloud = Cloud::start(2, 150).await;
    let (off, forbidden) = (cloud.id(0), cloud.id(1));
    let switched_off = json!({"vpcep_enabled": false});
    cloud.control(Method::PUT, &format!("clusters/{off}"), &switched_off).await;
    let second_is_forbidden = json!({"name": "forbidden", "clusters": [forbidden], "after": 1});
    cloud.set_faults(json!([{"name": "limit-refused"}, second_is_forbidden])).await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    // The limit that was taken is remembered.
    for (polled, requests) in [(daemon.cluster(off).await, 2), (daemon.poll(off).await, 1)] {
        let of_service = (&polled["up"], &polled["complete"], &polled["service_enabled"]);
        assert_eq!(of_service, (&json!(true), &json!(true), &json!(false)), "{polled}");
        assert_eq!(polled["polls"][0]["requests"], requests, "{polled}");
    }
    let forbidden = daemon.cluster(forbidden).await;
    assert_eq!(forbidden["last_error"]["reason"], "not_found", "{forbidden}");
    daemon.stop().await;
}

/// Where another parameter is wrong, a smaller limit helps nobody and is tried once.
#[tokio::test]
async fn a_refusal_that_stays_costs_one_request_for_each_poll() {
    let cloud = Cloud::start(1, 150).await;
    cloud.set_faults(json!([{"name": "offset-one-based"}])).await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    let first = daemon.cluster(cloud.id(0)).await;
    assert_eq!(first["polls"][0]["requests"], 2, "{first}");
    for _ in 0..2 {
        let polled = daemon.poll(cloud.id(0)).await;
        assert_eq!(polled["last_error"]["code"], "CSS.5038", "{polled}");
        assert_eq!(polled["polls"][0]["requests"], 1, "{polled}");
    }
    daemon.stop().await;
}

/// An answer that contradicts the page before it is no state of the cluster.
#[tokio::test]
async fn a_service_that_is_not_enabled_after_its_first_page_fails_the_poll() {
    let cloud = Cloud::start(2, 1500).await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    assert_eq!(daemon.poll(cloud.id(0)).await["connections"]["unknown"], 0);
    let fault =
        |id: &str, after: u32| json!({"name": "not-enabled", "clusters": [id], "after": after});
    cloud.set_faults(json!([fault(cloud.id(0), 1), fault(cloud.id(1), 0)])).await;
    let contradicted = daemon.poll(cloud.id(0)).await;
    assert_eq!(contradicted["up"], false);
    assert_eq!(contradicted["last_error"]["code"], "CSS.5182");
    assert_eq!(contradicted["connections_reported"], 1500, "the data before stay");
    let not_enabled = daemon.poll(cloud.id(1)).await;
    assert_eq!(
        (&not_enabled["up"], &not_enabled["service_enabled"]),
        (&json!(true), &json!(false))
    );
}
