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
    serve::{Scraper, Serve},
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

#[tokio::test]
async fn a_reload_brings_clusters_renames_them_and_ends_them_and_a_configured_one_has_no_gap() {
    let folder = Folder::new("a_reload_brings_clusters");
    let cloud = Cloud::start(3, 2).await;
    let (mine, other) = (cloud.id(0).to_owned(), cloud.id(1).to_owned());
    let mut configuration = configuration(&cloud);
    configuration["projects"][0]["clusters"] = json!([{"id": mine, "name": "mine"}]);
    let mut serve = Serve::start(&folder, "serve", &configuration, &[]).await;
    serve.page_where("the first poll", |page| page.value(UP, &[]) == Some(1.0)).await;
    let scraper = Scraper::start(&serve.public, |_, page, _| {
        let up = page.value(UP, &[("cluster_name", "mine")]);
        if up == Some(1.0) { Ok(()) } else { Err(format!("a gap: {up:?}")) }
    });
    configuration["projects"][0]["discovery"] = json!({});
    serve.write(&configuration.to_string());
    serve.hang_up().await;
    let page = serve.page_where("the others", |page| names(page).len() == 3).await;
    assert!(names(&page).contains(&cloud.clusters[1].1) && names(&page).contains(&"mine".into()));
    let renamed = json!({"name": "renamed"});
    cloud.control(Method::PUT, &format!("clusters/{other}"), &renamed).await;
    // Another configuration reads the list anew.
    configuration["projects"][0]["discovery"] = json!({"limit": 10});
    serve.write(&configuration.to_string());
    serve.hang_up().await;
    serve.page_where("the new name", |page| names(page).contains(&"renamed".into())).await;
    configuration["projects"][0]["discovery"] = Value::Null;
    serve.write(&configuration.to_string());
    serve.hang_up().await;
    let page = serve.metrics().await;
    assert_eq!(names(&page), ["mine"]);
    assert!(page.all("css_vpcep_exporter_discovery_clusters", &[]).is_empty());
    assert!(scraper.stop().await > 0);
    serve.process.terminate().await;
    serve.process.end().await;
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
