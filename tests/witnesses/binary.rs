//! The binary: the simulated cloud, the daemon and the demo, each as a process.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    parts::{fetch, printed},
    samples::WORLD_METRICS,
    support::{
        HTTP, eventually,
        process::{Folder, Process, exporter},
    },
    world::{Cluster, world},
};

pub(crate) const REGION: &str = "cn-north-4";

pub(crate) const PROJECT: &str = "witness";

pub(crate) const PREFIX: &str = "huaweicloud_css_vpcep_";

/// The simulated cloud, whose world moves only when it is told to.
pub(crate) struct Simulator {
    _process: Process,
    pub(crate) url: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) project_id: String,
    pub(crate) region: String,
}

impl Simulator {
    pub(crate) async fn start(folder: &Folder, clusters: u32, connections: u32) -> Simulator {
        let mut simulate = exporter(&["simulate"]);
        simulate.args(["--listen", "127.0.0.1:0", "--pace", "explicit", "--seed", "11"]);
        simulate.args(["--clusters", &clusters.to_string()]);
        simulate.args(["--connections", &connections.to_string()]);
        let mut process = Process::start(folder, "simulate", simulate);
        Simulator {
            url: printed(&mut process, "cloud").await,
            access_key: printed(&mut process, "access_key").await,
            secret_key: printed(&mut process, "secret_key").await,
            project_id: printed(&mut process, "project_id").await,
            region: printed(&mut process, "region").await,
            _process: process,
        }
    }

    pub(crate) async fn world(&self) -> Vec<Cluster> {
        world(&self.url).await.expect("the simulator tells its world")
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: &Value) {
        let url = format!("{}/__sim/{path}", self.url);
        let answer = HTTP.request(method, url).body(body.to_string()).send().await;
        let answer = answer.expect("the simulator answers");
        assert_eq!(answer.status(), 200, "{path}: {:?}", answer.text().await);
    }

    pub(crate) async fn step_until_changed(&self, before: &[Cluster]) -> Vec<Cluster> {
        eventually("the world changes", async || {
            self.control(Method::POST, "step", &json!({})).await;
            let after = self.world().await;
            if after == before { Err("it is the same after a step".into()) } else { Ok(after) }
        })
        .await
    }
}

/// The daemon, polling the simulator.
pub(crate) struct Exporter {
    _process: Process,
    pub(crate) address: String,
}

impl Exporter {
    pub(crate) async fn serving(folder: &Folder, cloud: &Simulator) -> Exporter {
        Exporter::serving_with(folder, cloud, &[]).await
    }

    pub(crate) async fn serving_with(
        folder: &Folder,
        cloud: &Simulator,
        flags: &[&str],
    ) -> Exporter {
        let credentials = format!(
            "{{ static: {{ access_key: {:?}, secret_key_file: {:?} }} }}",
            cloud.access_key,
            folder.write("secret_key", &cloud.secret_key)
        );
        let world = cloud.world().await;
        let clusters: Vec<_> = world.iter().map(|cluster| (&*cluster.id, &*cluster.name)).collect();
        let config = configuration(folder, &cloud.url, &cloud.project_id, &credentials, &clusters);
        let mut serve = exporter(&["serve"]);
        serve.arg("--config.file").arg(config);
        serve.args(["--web.listen-address", "127.0.0.1:0", "--log.format", "json"]).args(flags);
        let mut process = Process::start(folder, "serve", serve);
        let address = process
            .line(Process::err, |line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let found = line["msg"] == "listening";
                found.then(|| line["public"].as_str().expect("an address is text").to_owned())
            })
            .await;
        Exporter { _process: process, address }
    }
}

pub(crate) struct Demo {
    _process: Process,
    pub(crate) address: String,
    pub(crate) cloud: String,
}

impl Demo {
    pub(crate) async fn start(folder: &Folder) -> Demo {
        let mut process = Process::start(folder, "demo", exporter(&["demo"]));
        let metrics = printed(&mut process, "metrics").await;
        let address =
            metrics.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("the demo's metrics are at {metrics}"));
        Demo {
            address: address.to_owned(),
            cloud: printed(&mut process, "cloud").await,
            _process: process,
        }
    }
}

/// Ready is when every cluster was tried once; the rows of connections need a success.
pub(crate) async fn wait_until_whole(address: &str) -> String {
    eventually("the page is whole", async || {
        fetch(&format!("http://{address}/-/ready")).await?;
        let page = fetch(&format!("http://{address}/metrics")).await?;
        if WORLD_METRICS.iter().all(|name| page.contains(&format!("\n{PREFIX}{name}{{"))) {
            Ok(page)
        } else {
            Err(page)
        }
    })
    .await
}

/// A configuration with one project. It polls often, so that a test does not wait long.
pub(crate) fn configuration(
    folder: &Folder,
    cloud: &str,
    project_id: &str,
    credentials: &str,
    clusters: &[(&str, &str)],
) -> PathBuf {
    let clusters = clusters.iter().map(|(id, name)| json!({ "id": id, "name": name }));
    let config = format!(
        "poll: {{ interval: 3s, timeout: 2500ms }}\n\
         projects:\n\
         - name: {PROJECT}\n  \
           region: {REGION}\n  \
           project_id: {project_id:?}\n  \
           credentials: {credentials}\n  \
           api_endpoints: {{ css: {cloud:?}, vpcep: {cloud:?}, iam: {cloud:?} }}\n  \
           clusters: {}\n",
        clusters.collect::<Value>()
    );
    folder.write("css-vpcep-exporter.yml", &config)
}
