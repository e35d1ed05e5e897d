//! The list of clusters, whose pages count from one.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

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

/// Answers what asks for a thousand rows with this, and everything else with one cluster.
async fn served(refusal: &'static str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let row = r#"{"totalSize":1,"clusters":[{"id":"5c77b71c-5b35-4f50-8984-76387e42451a"}]}"#;
    let page = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{row}", row.len());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let is_large = String::from_utf8(request).unwrap().contains("limit=1000");
            let answer = if is_large { refusal } else { &page };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let world = world(0, 0).await;
    let mut settings = world.settings("p", keys(inline("secret")));
    settings.project_id = ProjectId::parse("0123456789abcdef0123456789abcdef").ok();
    settings.endpoints =
        Endpoints { css: url.clone(), vpcep: url.clone(), iam: url.clone(), sts: url };
    Client::new(settings, &world.common, pacers())
}

#[tokio::test]
async fn a_thousand_rows_that_are_too_much_become_a_hundred() {
    for refusal in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 44\r\n\r\n\
         {\"errCode\":\"CSS.0001\",\"externalMessage\":\"x\"}",
    ] {
        let project = served(refusal).await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let budget = Budget { deadline, first_token: None, priority: Priority::Begun };
        let listed = project.clusters(budget).await;
        let found = listed.result.unwrap();
        assert_eq!((found.clusters.len(), found.incomplete), (1, None), "{refusal}");
        assert_eq!(listed.trace.requests, 2);
    }
}
