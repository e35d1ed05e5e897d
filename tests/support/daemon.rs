//! The daemon in the process of the test, with sockets and requests as always.

use std::{net::SocketAddr, path::Path, sync::Arc};

use css_vpcep_exporter::{
    app::{App, Loader, Options, PartDied},
    board::Snapshot,
    change::Timings,
    clock::Clock,
    config,
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Duration, timeout},
};

use super::{Answer, DEADLINE, ask, cloud::Cloud, eventually, page::Page};

/// Opens the admin listener.
pub(crate) const TOKEN: &str = "the-token-of-the-tests";

/// A configuration (JSON is YAML) with one project that has all clusters of a cloud. After the first
/// round it polls so rarely that the tests decide when.
pub(crate) fn configuration(cloud: &Cloud) -> Value {
    json!({
        "poll": {"interval": "12h", "timeout": "6s", "stale_after": "40h", "concurrency": 64},
        "admin": {
            "listen": "127.0.0.1:0",
            "tokens": [{"name": "test", "sha256": sha256(TOKEN), "role": "viewer"}],
        },
        "projects": [project("prod", cloud)],
    })
}

/// A project that has all clusters of a cloud, and is never held up by its own rate limit.
pub(crate) fn project(name: &str, cloud: &Cloud) -> Value {
    let clusters = cloud.clusters.iter().map(|(id, name)| json!({"id": id, "name": name}));
    json!({
        "name": name,
        "region": cloud.region,
        "project_id": cloud.project_id,
        "credentials": {"static": {
            "access_key": cloud.access_key,
            "secret_key": cloud.secret_key,
        }},
        "api_endpoints": {"css": cloud.url, "vpcep": cloud.url, "iam": cloud.url},
        "rate_limit": {"css": {"requests_per_second": 1000, "burst": 1000}},
        "clusters": clusters.collect::<Value>(),
    })
}

pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), PartDied>>,
}

impl Daemon {
    /// A daemon that has finished its first round.
    pub(crate) async fn start(configuration: &Value, clock: &Clock) -> Daemon {
        Daemon::start_with(configuration, clock, Timings::DEFAULT).await
    }

    /// The same with other limits for the steps of a change.
    pub(crate) async fn start_with(
        configuration: &Value,
        clock: &Clock,
        changes: Timings,
    ) -> Daemon {
        let (daemon, mut board) = Daemon::begin_with(configuration, clock, changes).await;
        let all_tried = |board: &Arc<Snapshot>| {
            board.clusters().iter().all(|state| state.last_poll().is_some())
        };
        let tried = timeout(DEADLINE, board.wait_for(all_tried)).await;
        drop(tried.expect("a first round").expect("it runs"));
        daemon
    }

    /// A daemon in its first round, and its board, which shows when the round has ended.
    pub(crate) async fn begin(
        configuration: &Value,
        clock: &Clock,
    ) -> (Daemon, watch::Receiver<Arc<Snapshot>>) {
        Daemon::begin_with(configuration, clock, Timings::DEFAULT).await
    }

    async fn begin_with(
        configuration: &Value,
        clock: &Clock,
        changes: Timings,
    ) -> (Daemon, watch::Receiver<Arc<Snapshot>>) {
        let text = configuration.to_string();
        let load: Loader = Arc::new(move || config::parse(&text, Path::new("test.yml"), &|_| None));
        let config = load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let app = App::bind(
            config,
            Options {
                listen: vec![([127, 0, 0, 1], 0).into()],
                admin_fallback: None,
                telemetry_path: "/metrics".into(),
                lifecycle: false,
                load,
                metadata_url: "http://127.0.0.1:9".into(),
                clock: clock.clone(),
                changes,
            },
        )
        .await
        .expect("free ports");
        let board = app.board().subscribe();
        let (stop, stopped) = oneshot::channel();
        let daemon = Daemon {
            public: app.public_address(),
            admin: app.admin_address().expect("it is configured"),
            stop,
            task: tokio::spawn(app.run(async {
                stopped.await.ok();
            })),
        };
        (daemon, board)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.public);
        ask(Method::GET, &url, &[], String::new()).await.expect("the daemon answers")
    }

    /// A scrape; every one must be well formed.
    pub(crate) async fn metrics(&self) -> Page {
        Page::parse(&self.get("/metrics").await.text).unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    /// What the API says of a cluster.
    pub(crate) async fn cluster(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/clusters/{id}")).await.json()
    }

    pub(crate) async fn ask_to_poll(&self, id: &str) -> Answer {
        let url = format!("http://{}/api/v1/clusters/{id}/poll", self.admin);
        let token = format!("Bearer {TOKEN}");
        let headers = [("authorization", &*token)];
        ask(Method::POST, &url, &headers, String::new()).await.expect("the daemon answers")
    }

    /// Polls a cluster, as soon as the daemon lets somebody ask again.
    pub(crate) async fn poll(&self, id: &str) -> Value {
        eventually("a forced poll", async || {
            let answer = self.ask_to_poll(id).await;
            match answer.status {
                200 => Ok(answer.json()),
                429 => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Err(answer.text)
                }
                _ => panic!("{answer:?}"),
            }
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        let ended = timeout(DEADLINE, self.task).await.expect("it ends");
        ended.expect("joined").expect("no part of it died");
    }
}
