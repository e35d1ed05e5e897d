//! What a real Prometheus asks for, and what it then holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    binary::{Demo, PREFIX, Simulator, serving},
    parts::{fetch_json, listening, part},
    samples::{Samples, WORLD_METRICS, difference, expected, without},
    support::{
        eventually,
        process::{Folder, Process},
    },
    world::{Cluster, world},
};

#[tokio::test]
async fn prometheus_scrapes_the_demo() {
    let folder = Folder::new("prometheus_scrapes_the_demo");
    let demo = Demo::start(&folder).await;
    let prometheus = Prometheus::scraping(&folder, &demo.address).await;

    eventually("the target is up", async || {
        let targets = prometheus.get("targets", &[]).await?;
        let target = &targets["activeTargets"][0];
        if target["health"] == "up" { Ok(()) } else { Err(target.to_string()) }
    })
    .await;

    // The demo's world moves on by itself, and what Prometheus holds is a scrape of a poll of it.
    // So the states of each cluster are written down, and what Prometheus holds must be one of
    // them; for one cluster at least, one that it took on while we watched.
    let mut history: BTreeMap<String, Vec<Samples>> = BTreeMap::new();
    eventually("the samples equal the world, and follow it", async || {
        for cluster in world(&demo.cloud).await? {
            let state = without(&["region_id", "project", "cluster_name"], expected([&cluster]));
            let states = history.entry(cluster.id).or_default();
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        let held = prometheus.world_samples().await?;
        let held = without(&["region_id", "project", "cluster_name"], held);
        let mut follows = false;
        for (cluster_id, states) in &history {
            let mut held = held.clone();
            held.retain(|(_, labels), _| labels.get("cluster_id") == Some(cluster_id));
            match states.iter().position(|state| *state == held) {
                Some(position) => follows |= position > 0,
                None => return Err(difference(&held, &states[states.len() - 1])),
            }
        }
        if follows { Ok(()) } else { Err("every cluster is still as we first saw it".into()) }
    })
    .await;
}

#[tokio::test]
async fn prometheus_samples_equal_the_world() {
    let folder = Folder::new("prometheus_samples_equal_the_world");
    let cloud = Simulator::start(&folder, 3, 25).await;
    let exporter = serving(&folder, &cloud, &[]).await;
    let prometheus = Prometheus::scraping(&folder, &exporter.public).await;

    let mut before = cloud.world().await;
    prometheus.assert_comes_to_hold(&before).await;
    for _ in 0..2 {
        let after = cloud.step_until_changed(&before).await;
        prometheus.assert_comes_to_hold(&after).await;
        before = after;
    }

    // What the world does not do by itself: a status of tomorrow, a cluster whose endpoint service
    // is switched off, and the text of a boolean.
    let [first, second, third] = before.as_slice() else { panic!("there are three clusters") };
    let row = format!("clusters/{}/connections/{}", first.id, first.connections[0].id);
    let row_after = json!({ "status": "frozen", "max_sessions": 7, "ip": null });
    cloud.control(Method::POST, &row, &row_after).await;
    let cluster = |id| format!("clusters/{id}");
    cloud.control(Method::PUT, &cluster(&second.id), &json!({ "vpcep_enabled": false })).await;
    cloud.control(Method::PUT, &cluster(&third.id), &json!({ "update_switch": "true" })).await;
    prometheus.assert_comes_to_hold(&cloud.world().await).await;
}

#[tokio::test]
async fn prometheus_asks_for_openmetrics_and_gets_it_compressed() {
    let folder = Folder::new("prometheus_asks_for_openmetrics");
    let cloud = Simulator::start(&folder, 2, 25).await;
    let exporter = serving(&folder, &cloud, &[]).await;
    let wire = Wire::before(&exporter.public).await;
    let prometheus = Prometheus::scraping(&folder, &wire.address).await;

    prometheus.assert_comes_to_hold(&cloud.world().await).await;
    let up = prometheus.get("query", &[("query", "up")]).await.expect("it answers");
    assert_eq!(up["result"][0]["value"][1], "1", "{up}");
    let heads = wire.heads.lock().expect("not poisoned").clone();
    let [asked, answered] = heads.map(|head| head.to_lowercase());
    let line = |head: &str, name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
    };
    // Nobody told Prometheus to.
    let accept = line(&asked, "accept").expect("it says what it takes");
    assert!(accept.starts_with("application/openmetrics-text;version=1.0.0"), "{accept}");
    assert_eq!(line(&asked, "accept-encoding").as_deref(), Some("gzip"));
    assert!(answered.starts_with("http/1.1 200 ok\r\n"), "{answered}");
    assert_eq!(
        line(&answered, "content-type").as_deref(),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert_eq!(line(&answered, "content-encoding").as_deref(), Some("gzip"));
}

/// A wire between two parties that notes how their first request and its answer begin.
struct Wire {
    address: String,
    heads: Arc<Mutex<[String; 2]>>,
}

impl Wire {
    async fn before(target: &str) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens").to_string();
        let heads = Arc::new(Mutex::new([String::new(), String::new()]));
        let (target, noted) = (target.to_owned(), heads.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.expect("it listens");
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass_on(from_client, to_server, 0, noted.clone()));
                tokio::spawn(pass_on(from_server, to_client, 1, noted.clone()));
            }
        });
        Wire { address, heads }
    }
}

/// Copies until one side has enough; the first head in this direction is noted.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: usize,
    heads: Arc<Mutex<[String; 2]>>,
) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        {
            let mut heads = heads.lock().expect("not poisoned");
            let head = &mut heads[direction];
            if !head.contains("\r\n\r\n") {
                head.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        }
        to.write_all(&buffer[..length]).await?;
    }
}

pub(crate) struct Prometheus {
    _process: Process,
    url: String,
}

impl Prometheus {
    pub(crate) async fn scraping(folder: &Folder, target: &str) -> Prometheus {
        Prometheus::scraping_with(folder, target, "").await
    }

    /// With more lines for its job, the further ones indented.
    pub(crate) async fn scraping_with(folder: &Folder, target: &str, more: &str) -> Prometheus {
        let config = format!(
            "global: {{ scrape_interval: 1s }}\n\
             scrape_configs:\n\
             - job_name: exporter\n  \
               static_configs: [{{ targets: [\"{target}\"] }}]\n  {more}\n"
        );
        Prometheus::start(folder, &config).await
    }

    pub(crate) async fn start(folder: &Folder, config: &str) -> Prometheus {
        let mut prometheus = part("WITNESS_PROMETHEUS");
        prometheus.arg("--config.file").arg(folder.write("prometheus.yml", config));
        prometheus.arg("--storage.tsdb.path").arg(folder.path.join("prometheus-data"));
        prometheus.arg("--web.listen-address=127.0.0.1:0");
        let mut process = Process::start(folder, "prometheus", prometheus);
        let address = process.line(Process::err, listening).await;
        Prometheus { _process: process, url: format!("http://{address}/api/v1/") }
    }

    pub(crate) async fn get(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, String> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), parameters);
        let mut answer = fetch_json(url.expect("a fixed URL").as_str()).await?;
        Ok(answer["data"].take())
    }

    /// The series of an instant query.
    pub(crate) async fn ask(&self, query: &str) -> Result<Vec<Value>, String> {
        let mut answer = self.get("query", &[("query", query)]).await?;
        serde_json::from_value(answer["result"].take()).map_err(|error| error.to_string())
    }

    /// Waits until it has series for a query.
    pub(crate) async fn comes_to_hold(&self, query: &str) {
        eventually(query, async || {
            if self.ask(query).await?.is_empty() { Err("no series".into()) } else { Ok(()) }
        })
        .await;
    }

    /// The newest sample of every series that tells about the cloud's world.
    pub(crate) async fn world_samples(&self) -> Result<Samples, String> {
        let query = format!(r#"{{__name__=~"{PREFIX}({})"}}"#, WORLD_METRICS.join("|"));
        let found = self.get("query", &[("query", &query)]).await?;
        let found =
            Vec::<InstantSample>::deserialize(&found["result"]).map_err(|e| e.to_string())?;
        let samples = found.into_iter().map(|InstantSample { mut metric, value: (_, value) }| {
            let name = metric.remove("__name__").expect("a selected series has a name");
            ((name, metric), value.parse().expect("a sample is a number"))
        });
        Ok(without(&["job", "instance"], samples.collect()))
    }

    pub(crate) async fn assert_comes_to_hold(&self, world: &[Cluster]) {
        let expected = expected(world);
        eventually("every sample equals the world", async || {
            let held = self.world_samples().await?;
            if held == expected { Ok(()) } else { Err(difference(&held, &expected)) }
        })
        .await;
    }
}

#[derive(Deserialize)]
struct InstantSample {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}
