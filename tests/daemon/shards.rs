//! Several processes with one configuration over one cloud: together they are one exporter.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    ask,
    cloud::Cloud,
    daemon::configuration,
    eventually,
    page::Page,
    process::{Folder, Process, exporter},
};

const SHARDS: usize = 3;

#[tokio::test]
async fn the_shards_are_disjoint_and_their_union_is_the_whole() {
    let cloud = Cloud::start(30, 2).await;
    let folder = Folder::new("shards");
    let mut configuration = configuration(&cloud);
    configuration["poll"] = json!({"interval": "3s", "timeout": "2s"});
    configuration["shard"] = json!({"from": "hostname-ordinal", "count": SHARDS});
    let file = folder.write("config.yml", configuration.to_string());
    let mut pods = Vec::new();
    for ordinal in 0..SHARDS {
        let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
        serve.env("HOSTNAME", format!("exporter-{ordinal}")).arg("--config.file").arg(&file);
        let mut process = Process::start(&folder, &format!("shard-{ordinal}"), serve);
        let public = process.address("public").await;
        pods.push((process, public));
    }
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for (ordinal, (process, public)) in pods.iter().enumerate() {
        let page = ready(public).await;
        let shown = |name: &str| page.value(&format!("css_vpcep_exporter_{name}"), &[]);
        assert_eq!(shown("shard_index"), Some(ordinal as f64));
        assert_eq!(shown("shards"), Some(SHARDS as f64));
        let up = page.all("huaweicloud_css_vpcep_up", &[]);
        assert!(!up.is_empty(), "shard {ordinal} has clusters");
        for sample in up {
            let twice = owners.insert(sample.labels["cluster_id"].clone(), ordinal);
            assert_eq!(twice, None, "two shards show {:?}", sample.labels);
        }
        let has_admin = process.err().contains(" admin=");
        assert_eq!(has_admin, ordinal == 0, "the admin listener is of shard 0 alone");
    }
    let mut all: Vec<_> = cloud.clusters.iter().map(|(id, _)| id.clone()).collect();
    all.sort();
    assert_eq!(owners.into_keys().collect::<Vec<_>>(), all);

    // Each cluster is read by one of them: not more often than its interval allows.
    let requests = cloud.requests().await;
    let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for request in requests["last"].as_array().unwrap() {
        if let Some(cluster) = request["cluster_id"].as_str() {
            times.entry(cluster).or_default().push(request["at_ms"].as_u64().unwrap());
        }
    }
    assert_eq!(times.len(), all.len());
    for (cluster, times) in times {
        let intervals = (times[times.len() - 1] - times[0]).div_ceil(3_000) as usize;
        assert!(times.len() <= intervals + 1, "{cluster} was read at {times:?}");
    }
}

/// A page that has every cluster of its shard, tried once.
async fn ready(public: &str) -> Page {
    eventually("every cluster was tried", async || {
        let get = async |path: &str| {
            let url = format!("http://{public}{path}");
            ask(reqwest::Method::GET, &url, &[], String::new()).await
        };
        let page = Page::parse(&get("/metrics").await?.text)?;
        let listed: Value = get("/api/v1/clusters").await?.json();
        let expected = listed["clusters"].as_array().map_or(0, Vec::len);
        let up = page.all("huaweicloud_css_vpcep_up", &[]).len();
        if up == expected { Ok(page) } else { Err(format!("{up} of {expected}")) }
    })
    .await
}
