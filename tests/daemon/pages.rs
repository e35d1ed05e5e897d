//! The pages for people: what needs attention comes first, and no text becomes markup.

use css_vpcep_exporter::clock::Clock;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    cloud::Cloud,
    daemon::{Daemon, configuration},
};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";

#[tokio::test]
async fn the_status_page_shows_trouble_first_and_what_changed() {
    let cloud = Cloud::start(3, 4).await;
    let accepted = json!({"connections": [{"id": HOSTILE, "status": "accepted"}]});
    for cluster in 0..3 {
        let path = format!("clusters/{}", cloud.id(cluster));
        cloud.control(Method::PUT, &path, &accepted).await;
    }
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    let rejected = json!({"connections": [{"id": HOSTILE, "status": "rejected"}]});
    cloud.control(Method::PUT, &format!("clusters/{}", cloud.id(1)), &rejected).await;
    cloud.break_clusters(&[(cloud.id(2), "server-error")]).await;
    daemon.poll(cloud.id(1)).await;
    daemon.poll(cloud.id(2)).await;

    let page = daemon.get("/").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("'none'"));
    let text = page.text;
    let place = |cluster: usize| text.find(&format!("/clusters/{}\"", cloud.id(cluster))).unwrap();
    assert!(place(1) < place(2) && place(2) < place(0), "rejected, then failing, then the others");
    assert!(text.contains("1 failing") && text.contains("http_5xx"), "{text}");
    assert!(text.contains("accepted → rejected"), "{text}");
    assert_eq!(text.matches("<script>").count(), 1, "its own");
    assert!(text.contains("&lt;script&gt;alert(1)"), "{text}");
}

#[tokio::test]
async fn the_page_of_a_cluster_has_its_connections_changes_and_polls() {
    let cloud = Cloud::start(1, 3).await;
    cloud.set_faults(json!([{"name": "forbidden"}])).await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    let path = format!("/clusters/{}", cloud.id(0));
    let page = daemon.get(&path).await.text;
    assert!(page.contains("There are no data yet") && page.contains("CSS.0015"), "{page}");
    let status = daemon.get("/").await.text;
    assert!(status.contains("1 never") && status.contains("no data"), "{status}");
    cloud.set_faults(json!([])).await;
    let polled = daemon.poll(cloud.id(0)).await;
    let page = daemon.get(&path).await;
    assert_eq!(page.status, 200);
    for item in polled["items"].as_array().unwrap() {
        assert!(page.text.contains(item["endpoint_id"].as_str().unwrap()));
    }
    let request_id = polled["polls"][0]["request_ids"][0].as_str().unwrap();
    assert!(page.text.contains(request_id), "{}", page.text);
    assert!(page.text.contains("No change of a status was seen"));
    assert_eq!(daemon.get("/clusters/00000000-0000-4000-8000-000000000000").await.status, 404);
    assert_eq!(daemon.get("/clusters/x").await.status, 404);
}
