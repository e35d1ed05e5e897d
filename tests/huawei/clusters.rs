//! The list of clusters, whose pages count from one.

use css_vpcep_exporter::{cloud::Directory, model::ClusterList};

use super::*;

async fn list(world: &World) -> Traced<ClusterList> {
    let project = world.project(keys(inline(&world.cloud.secret_key)));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    project.clusters(Budget { deadline, first_token: None, priority: Priority::Begun }).await
}

#[tokio::test]
async fn every_cluster_is_listed_once_however_many_pages_there_are() {
    for (clusters, pages) in [(0, 1), (25, 1), (1000, 1), (1500, 2), (1999, 2)] {
        let world = world(clusters, 0).await;
        let listed = list(&world).await;
        let found = listed.result.unwrap();
        assert_eq!((found.incomplete, listed.trace.pages), (None, pages), "{clusters}");
        let found: Vec<_> = found.clusters.iter().map(|cluster| &cluster.id).collect();
        let mut all: Vec<_> = world.clusters.iter().collect();
        all.sort();
        assert_eq!(found, all);
        assert_eq!(world.sent("css_clusters").await, u64::from(pages));
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_reached_whole_says_so() {
    let world = world(2100, 0).await;
    let found = list(&world).await.result.unwrap();
    assert_eq!(found.clusters.len(), 1999);
    let why = found.incomplete.unwrap();
    assert_eq!(why, "it has 1999 clusters, and the API counts 2100");
}

#[tokio::test]
async fn a_cluster_comes_with_its_name_its_engine_its_tags_and_its_enterprise_project() {
    let world = world(3, 0).await;
    let new = json!({"name": "orders", "datastore": "opensearch", "tags": {"team": "search"}});
    let new = world.control("POST", "clusters", new).await;
    let found = list(&world).await.result.unwrap().clusters;
    let cluster = found.iter().find(|cluster| new["id"] == cluster.id.as_str()).unwrap();
    let tags: Vec<_> = cluster.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!((&*cluster.name, &tags[..]), ("orders", &[("team", "search")][..]));
    assert_eq!((&*cluster.engine, &*cluster.engine_version), ("opensearch", "2.19.0"));
    assert_eq!(
        cluster.enterprise_project_id,
        new["enterprise_project_id"].as_str().unwrap().into()
    );
}
