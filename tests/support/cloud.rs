//! The simulated cloud in the process of the test, spoken to over its socket.

use css_vpcep_exporter::sim::{Settings, Sim};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use super::ask;

/// The date at which a world stands still.
pub(crate) const DATE: &str = "2024-06-11T09:36:24Z";

/// A running cloud.
pub(crate) struct Cloud {
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) project_id: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// Ids with names.
    pub(crate) clusters: Vec<(String, String)>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Cloud {
    /// A world that only moves when it is told to, at the date of the machine.
    pub(crate) async fn start(clusters: usize, connections: usize) -> Cloud {
        Cloud::with(None, clusters, connections, &[]).await
    }

    /// The same with faults from the start.
    pub(crate) async fn faulty(clusters: usize, connections: usize, faults: &[&str]) -> Cloud {
        Cloud::with(None, clusters, connections, faults).await
    }

    /// A world that only moves when it is told to, at [`DATE`].
    pub(crate) async fn at_date(clusters: usize, connections: usize) -> Cloud {
        Cloud::with(Some(DATE), clusters, connections, &[]).await
    }

    async fn with(
        date: Option<&str>,
        clusters: usize,
        connections: usize,
        faults: &[&str],
    ) -> Cloud {
        let sim = Sim::bind(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            clusters,
            connections,
            seed: 11,
            step: None,
            churn: 0,
            faults: faults.iter().map(|fault| fault.parse().expect("a fault")).collect(),
            fixed_now: date.map(|date| date.parse().expect("a date")),
        })
        .await
        .expect("a free port");
        let (stop, stopped) = oneshot::channel();
        Cloud {
            url: sim.url(),
            region: sim.region().to_owned(),
            project_id: sim.project_id().to_owned(),
            access_key: sim.access_key().to_owned(),
            secret_key: sim.secret_key().to_owned(),
            clusters: sim.clusters(),
            stop,
            task: tokio::spawn(sim.run(async {
                stopped.await.ok();
            })),
        }
    }

    /// The id of a cluster.
    pub(crate) fn id(&self, cluster: usize) -> &str {
        &self.clusters[cluster].0
    }

    /// A token of the user that the cloud knows.
    pub(crate) async fn log_in(&self) -> String {
        let known = self.control(Method::GET, "credentials", &json!({})).await;
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": known["user"], "password": known["password"],
                "domain": {"name": known["domain"]},
            }}},
            "scope": {"project": {"name": known["region"]}},
        }});
        let url = format!("{}/v3/auth/tokens", self.url);
        let answer = ask(Method::POST, &url, &[], body.to_string()).await;
        answer.expect("the simulator answers").header("x-subject-token").to_owned()
    }

    /// Replaces the active faults by some that strike one cluster each.
    pub(crate) async fn break_clusters(&self, faults: &[(&str, &str)]) {
        let faults = faults.iter().map(|(id, name)| json!({"name": name, "clusters": [id]}));
        self.set_faults(faults.collect()).await;
    }

    pub(crate) async fn set_faults(&self, faults: Value) {
        self.control(Method::PUT, "faults", &json!({ "faults": faults })).await;
    }

    pub(crate) async fn requests(&self) -> Value {
        self.control(Method::GET, "requests", &json!({})).await
    }

    /// The status of every connection of a cluster, in the order in which the cloud lists them.
    pub(crate) async fn statuses(&self, cluster: usize) -> Vec<String> {
        let world = self.control(Method::GET, "world", &json!({})).await;
        let rows = world["clusters"][cluster]["connections"].as_array().expect("rows");
        let status = |row: &Value| row["status"].as_str().expect("a text").to_owned();
        rows.iter().map(status).collect()
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/__sim/{path}", self.url);
        let answer = ask(method, &url, &[], body.to_string()).await.expect("the simulator answers");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// From now on nobody listens at its address.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.task.await.expect("joined").expect("no part of it failed");
    }
}
