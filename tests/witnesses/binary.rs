//! The binary: the simulated cloud, the daemon and the demo, each as a process.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    parts::{fetch, printed},
    samples::WORLD_METRICS,
    support::{
        HTTP, eventually,
        process::{Folder, Process, exporter},
        serve::Serve,
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

/// The daemon, polling the simulator often, so that a test does not wait long.
pub(crate) async fn serving(folder: &Folder, cloud: &Simulator, flags: &[&str]) -> Serve {
    let world = cloud.world().await;
    let clusters: Vec<_> = world.iter().map(|cluster| (&*cluster.id, &*cluster.name)).collect();
    let credentials = json!({ "static": {
        "access_key": cloud.access_key,
        "secret_key_file": folder.write("secret_key", &cloud.secret_key),
    } });
    let configuration = configuration(&cloud.url, &cloud.project_id, &credentials, &clusters);
    Serve::start(folder, "serve", &configuration, flags).await
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

/// A configuration with one project.
pub(crate) fn configuration(
    cloud: &str,
    project_id: &str,
    credentials: &Value,
    clusters: &[(&str, &str)],
) -> Value {
    let clusters = clusters.iter().map(|(id, name)| json!({ "id": id, "name": name }));
    json!({
        "poll": { "interval": "3s", "timeout": "2500ms" },
        "projects": [{
            "name": PROJECT,
            "region": REGION,
            "project_id": project_id,
            "credentials": credentials,
            "api_endpoints": { "css": cloud, "vpcep": cloud, "iam": cloud },
            "clusters": clusters.collect::<Value>(),
        }],
    })
}
