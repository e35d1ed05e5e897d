//! Discovery in the finished program: what the simulated cloud lists is on the page, in the files and in
//! what `collect` prints.

use css_vpcep_exporter::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    cloud::Cloud,
    daemon::{Daemon, configuration},
    eventually,
    page::Page,
    process::{Ended, Folder, exporter, run},
    serve::Serve,
};

const LABELS: &str = "huaweicloud_css_vpcep_cluster_labels";
const INFO: &str = "huaweicloud_css_vpcep_cluster_info";
const UP: &str = "huaweicloud_css_vpcep_up";

/// A configuration that names no cluster.
fn discovering(cloud: &Cloud) -> Value {
    let mut configuration = configuration(cloud);
    let project = &mut configuration["projects"][0];
    project["clusters"] = json!([]);
    project["labels"] = json!({"owner": "platform"});
    project["discovery"] = json!({"tag_labels": ["team"], "exclude": ["*-test"]});
    configuration
}

fn names(page: &Page) -> Vec<String> {
    let mut names: Vec<_> =
        page.all(UP, &[]).iter().map(|sample| sample.labels["cluster_name"].clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_clusters_of_the_list_are_on_the_page_with_their_labels() {
    let cloud = Cloud::start(3, 2).await;
    let new = json!({"name": "new-test", "connections": 1});
    cloud.control(Method::POST, "clusters", &new).await;
    let daemon = Daemon::start(&discovering(&cloud), &Clock::system()).await;
    let page = eventually("all clusters", async || {
        let page = daemon.metrics().await;
        if names(&page).len() == 3 { Ok(page) } else { Err(format!("{:?}", names(&page))) }
    })
    .await;
    let mut expected: Vec<_> = cloud.clusters.iter().map(|(_, name)| name.clone()).collect();
    expected.sort();
    assert_eq!(names(&page), expected);
    let (id, name) = &cloud.clusters[0];
    let of_first = [("cluster_id", &**id), ("cluster_name", name)];
    let labels = [("label_owner", "platform"), ("label_team", "search")];
    assert_eq!(page.value(LABELS, &[&of_first[..], &labels].concat()), Some(1.0));
    let info = [("engine_version", "7.10.2"), ("enterprise_project_id", "0")];
    assert_eq!(page.value(INFO, &[&of_first[..], &info].concat()), Some(1.0));
    let of_project = [("project", "prod")];
    assert_eq!(page.value("css_vpcep_exporter_discovery_clusters", &of_project), Some(3.0));
    assert_eq!(page.sum("css_vpcep_exporter_discovery_failures_total", &of_project), 0.0);
    eventually("readiness", async || match daemon.get("/-/ready").await {
        ready if ready.status == 200 => Ok(()),
        other => Err(other.text),
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_restart_shows_what_was_discovered_while_the_cloud_cannot_be_asked() {
    let folder = Folder::new("a_restart_shows_what_was_discovered");
    let cloud = Cloud::start(3, 2).await;
    let mut configuration = discovering(&cloud);
    configuration["state_file"] = json!(folder.file("state"));
    let mut before = Serve::start(&folder, "before", &configuration, &[]).await;
    let page = before.page_where("all clusters", |page| names(page).len() == 3).await;
    before.process.terminate().await;
    before.process.end().await;
    cloud.stop().await;
    let mut after = Serve::start(&folder, "after", &configuration, &[]).await;
    let restored = after.metrics().await;
    assert_eq!(names(&restored), names(&page));
    for name in [LABELS, INFO, "huaweicloud_css_vpcep_connections"] {
        assert_eq!(restored.all(name, &[]), page.all(name, &[]));
    }
    after.process.terminate().await;
    after.process.end().await;
}

async fn collect(folder: &Folder, cloud: &Cloud) -> Ended {
    let file = folder.write("config.yml", discovering(cloud).to_string());
    run(exporter(&["collect", "--config.file", file.to_str().expect("a plain path")])).await
}

#[tokio::test]
async fn collect_polls_what_it_discovers_and_fails_where_it_may_not_list() {
    let folder = Folder::new("collect_polls_what_it_discovers");
    let cloud = Cloud::start(3, 2).await;
    let collected = collect(&folder, &cloud).await;
    assert_eq!(collected.code, Some(0), "{collected:?}");
    assert_eq!(names(&Page::parse(&collected.out).unwrap()).len(), 3);
    let actions = json!({"actions": ["css:VPCEndpoint:listConnection", "vpcep:endpoints:get"]});
    cloud.control(Method::PUT, "credentials", &actions).await;
    let refused = collect(&folder, &cloud).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("discovery fails: "), "{refused:?}");
    cloud.stop().await;
}
