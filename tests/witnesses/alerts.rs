//! From a rejected connection to the page, and from the command that accepts it to the page's end: the exporter,
//! a real Prometheus and a real Alertmanager with the shipped files, and a webhook. And what must not page.

use std::{
    fs,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{Router, http::StatusCode, routing::post};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    binary::{PROJECT, REGION, Simulator, configuration},
    parts::{fetch, fetch_json, listening, part, said},
    prometheus::Prometheus,
    support::{
        daemon::sha256,
        eventually, here,
        process::{Folder, Process, exporter, run},
        serve::Serve,
    },
};

const ALERT: &str = "HuaweiCssVpcepConnectionNewlyRejected";
const RULES: &str = "rules/css-vpcep-exporter.yml";
/// In seconds.
const POLL_INTERVAL: u32 = 2;
const STATUS: &str = "huaweicloud_css_vpcep_connection_status";
const REJECTED_HERE: &str = "huaweicloud_css_vpcep_connection_rejected_here";
const REMEMBERED: &str =
    "huaweicloud_css_vpcep:connection_last_seen_newly_rejected:data_timestamp_seconds";
const RUNBOOKS: &str = "https://git.example.com/css-vpcep-exporter/blob/main/";
const TOKEN: &str = "the-editor-of-the-witnesses";

/// The files are the shipped ones, but for addresses, for the front of the runbooks' addresses, which
/// the documents say to replace, and for **times**: scrapes, rules and groups of alerts come each second,
/// and an alert goes on for 6 s after its reason has ended, where the shipped file says 5 min.
#[tokio::test]
async fn a_rejected_connection_is_paged_about_until_the_command_accepts_it() {
    let folder = Folder::new("a_rejected_connection_is_paged_about");
    let exporter = Exporter::start(&folder).await;
    let webhook = Webhook::start().await;
    let alertmanager = Alertmanager::telling(&folder, &webhook.url).await;
    let prometheus = watching(&folder, &exporter.serve.public, &alertmanager.address).await;
    let [meant, connection] = exporter.accepted().await;
    let rejected_here = format!("{REJECTED_HERE}{{endpoint_id={:?}}}", meant.id);

    // A rejection through the admin listener comes first, so whatever it caused has come before the page.
    prometheus.comes_to_hold(&meant.has_status("accepted")).await;
    exporter.decide("reject", &meant).await;
    prometheus.comes_to_hold(&meant.has_status("rejected")).await;
    prometheus.comes_to_hold(&rejected_here).await;
    prometheus.comes_to_hold(&connection.has_status("accepted")).await;
    assert!(!webhook.has_heard_of(&connection), "nobody has rejected it yet");

    let before = exporter.now().await;
    exporter.set(&connection, "rejected").await;
    let page = webhook.comes_to_tell(&connection, "firing").await;
    let after = exporter.now().await;
    assert_page(&page, &connection, [before, after]).await;

    exporter.decide("accept", &connection).await;
    let end = webhook.comes_to_tell(&connection, "resolved").await;
    assert_eq!(end["labels"], page["labels"]);
    assert_eq!(end["fingerprint"], page["fingerprint"]);
    // The connection that was rejected on purpose still is, and nobody has heard of it.
    assert!(!prometheus.ask(&rejected_here).await.expect("an answer").is_empty());
    assert!(!webhook.has_heard_of(&meant));
    let alerts = format!("last_over_time(ALERTS{{endpoint_id={:?}}}[1h])", meant.id);
    assert_eq!(prometheus.ask(&alerts).await, Ok(Vec::new()));
}

/// The page names the connection, its cluster, owner and time, and leads to the status page and the runbook.
async fn assert_page(page: &Value, connection: &Watched, [before, after]: [Timestamp; 2]) {
    assert_eq!(page["labels"]["alertname"], ALERT);
    assert_eq!(page["labels"]["severity"], "critical");
    assert_eq!(page["labels"]["endpoint_id"], *connection.id);
    assert_eq!(page["labels"]["cluster_name"], *connection.cluster_name);
    let annotations = &page["annotations"];
    let name = &connection.cluster_name;
    assert_eq!(
        annotations["summary"],
        format!("Endpoint {} of cluster {name} was rejected within the last day.", connection.id)
    );
    let status_url = annotations["status_url"].as_str().unwrap_or_default();
    let status_page = fetch(status_url).await.expect("the link leads to the status page");
    assert!(status_page.contains(&connection.id), "{status_url} does not show {}", connection.id);
    let runbook = annotations["runbook_url"].as_str().unwrap_or_default();
    let path = runbook.strip_prefix(RUNBOOKS).unwrap_or_else(|| panic!("{page}"));
    let runbook = text_of(path);
    assert!(runbook.contains(ALERT), "{path} is about something else");
    assert!(runbook.contains("connection accept"), "{path} lacks the command");
    let words = annotations["description"].as_str().unwrap_or_default();
    let start = format!(
        "Endpoint {} of cluster {name} ({}, project {PROJECT}, {REGION}) has been rejected since ",
        connection.id, connection.cluster_id
    );
    let rest = words.strip_prefix(&start).unwrap_or_else(|| panic!("{words}"));
    let (since, rest) = rest.split_once(", as of ").unwrap_or_else(|| panic!("{words}"));
    let (as_of, rest) = rest.split_once(". ").unwrap_or_else(|| panic!("{words}"));
    let [since, as_of] = [since, as_of].map(time);
    assert!(before <= since && since <= as_of && as_of <= after, "{before} to {after}: {words}");
    let (owner, _) =
        rest.split_once(". Its clients cannot reach").unwrap_or_else(|| panic!("{words}"));
    let owner = owner.strip_prefix("Account ").and_then(|owner| owner.split_once(", address "));
    let (account, address) = owner.unwrap_or_else(|| panic!("{words}"));
    assert!(account.len() == 32 && address.parse::<IpAddr>().is_ok(), "{words}");
}

/// Prometheus scrapes once in ten polls, and its rules see each sample grow old. The data were fresh when they
/// were scraped, so no alert says that the cluster cannot be read.
#[tokio::test]
async fn fresh_data_that_are_seldom_scraped_are_not_called_old() {
    let folder = Folder::new("fresh_data_that_are_seldom_scraped");
    let exporter = Exporter::start(&folder).await;
    write_rules(&folder);
    let config = format!(
        "global: {{ scrape_interval: {}s, evaluation_interval: 1s }}\n\
         rule_files: [{RULES}]\n\
         scrape_configs:\n\
         - {{ job_name: css-vpcep, static_configs: [{{ targets: [{:?}] }}] }}\n",
        10 * POLL_INTERVAL,
        exporter.serve.public
    );
    let [connection, _] = exporter.accepted().await;
    let rejected = format!(r#"endpoint_id="{}",status="rejected""#, connection.id);
    exporter.set(&connection, "rejected").await;
    eventually("the exporter has seen a rejection", async || {
        let page = exporter.serve.get("/metrics").await.text;
        if page.contains(&rejected) { Ok(()) } else { Err(page) }
    })
    .await;

    let prometheus = Prometheus::start(&folder, &config).await;
    eventually("two scrapes, and rules that looked at the first one again and again", async || {
        let scrapes = prometheus.ask("count_over_time(up[1h]) >= 2").await?;
        let looks = prometheus.ask(&format!("count_over_time({REMEMBERED}[1h]) > 5")).await?;
        if scrapes.is_empty() || looks.is_empty() {
            return Err(format!("{scrapes:?}, {looks:?}"));
        }
        Ok(())
    })
    .await;
    // Pending alerts are included here.
    let told = r#"last_over_time(ALERTS{alertname=~".*(Blind|NeverPolled).*"}[1h])"#;
    assert_eq!(prometheus.ask(told).await, Ok(Vec::new()));
}

/// Prometheus with the shipped configuration and rules.
async fn watching(folder: &Folder, exporter: &str, alertmanager: &str) -> Prometheus {
    let config = shipped(
        "deploy/compose/prometheus.yml",
        &[
            ("scrape_interval: 5s", "scrape_interval: 1s"),
            ("evaluation_interval: 5s", "evaluation_interval: 1s"),
            ("alertmanager:9093", alertmanager),
            ("exporter:10067", exporter),
            ("localhost:10067", exporter),
        ],
    );
    write_rules(folder);
    Prometheus::start(folder, &config).await
}

/// The shipped rules, where the compose file has them.
fn write_rules(folder: &Folder) {
    let rules = shipped(
        "deploy/prometheus/rules.yml",
        &[
            ("    interval: 1m\n", "    interval: 1s\n"),
            ("keep_firing_for: 5m", "keep_firing_for: 6s"),
            ("deploy/runbooks/", &format!("{RUNBOOKS}deploy/runbooks/")),
        ],
    );
    fs::create_dir(folder.path.join("rules")).expect("the folder can be written");
    folder.write(RULES, &rules);
}

struct Alertmanager {
    _process: Process,
    address: String,
}

impl Alertmanager {
    /// With the shipped configuration, whose receiver gets the webhook.
    async fn telling(folder: &Folder, webhook: &str) -> Alertmanager {
        let receiver = "  - name: nobody\n";
        let config = shipped(
            "deploy/compose/alertmanager.yml",
            &[
                ("group_wait: 10s", "group_wait: 1s"),
                ("group_interval: 1m", "group_interval: 1s"),
                (receiver, &format!("{receiver}    webhook_configs: [{{ url: {webhook:?} }}]\n")),
            ],
        );
        let mut alertmanager = part("WITNESS_ALERTMANAGER");
        alertmanager.arg("--config.file").arg(folder.write("alertmanager.yml", &config));
        alertmanager.arg("--storage.path").arg(folder.path.join("alertmanager-data"));
        alertmanager.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        let mut process = Process::start(folder, "alertmanager", alertmanager);
        let address = process.line(Process::err, listening).await;
        Alertmanager { _process: process, address }
    }
}

fn text_of(path: &str) -> String {
    let path = here(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A shipped file with other words in some places; each must be there.
fn shipped(path: &str, others: &[(&str, &str)]) -> String {
    others.iter().fold(text_of(path), |text, (shipped, other)| {
        assert!(text.contains(shipped), "{path} has no {shipped:?}");
        text.replace(shipped, other)
    })
}

/// Reads what the templates of Prometheus write.
fn time(text: &str) -> Timestamp {
    let rfc_3339 = text.replace(" +0000 UTC", "Z").replace(' ', "T");
    rfc_3339.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A receiver that keeps every notification.
struct Webhook {
    url: String,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    async fn start() -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("it listens"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        let keep = async move |body: String| {
            let notification = serde_json::from_str(&body).expect("Alertmanager sends JSON");
            kept.lock().expect("not poisoned").push(notification);
            StatusCode::OK
        };
        let router = Router::new().route("/", post(keep));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Webhook { url, received }
    }

    fn received(&self) -> Vec<Value> {
        self.received.lock().expect("not poisoned").clone()
    }

    fn has_heard_of(&self, connection: &Watched) -> bool {
        Value::from(self.received()).to_string().contains(&connection.id)
    }

    /// Waits for the newest alert with this status about a rejected connection.
    async fn comes_to_tell(&self, connection: &Watched, status: &str) -> Value {
        eventually(&format!("the receiver is told that the page is {status}"), async || {
            let received = self.received();
            let alerts = received.iter().rev().filter_map(|one| one["alerts"].as_array()).flatten();
            let is_it = |alert: &&Value| {
                let labels = &alert["labels"];
                labels["alertname"] == ALERT
                    && labels["endpoint_id"] == *connection.id
                    && alert["status"] == status
            };
            alerts.into_iter().find(is_it).cloned().ok_or_else(|| format!("{received:#?}"))
        })
        .await
    }
}

/// The daemon with an admin listener, on a cloud that moves only when it is told to.
struct Exporter {
    cloud: Simulator,
    serve: Serve,
    admin: String,
    token_file: PathBuf,
}

impl Exporter {
    async fn start(folder: &Folder) -> Exporter {
        let cloud = Simulator::start(folder, 2, 8).await;
        let world = cloud.world().await;
        let clusters: Vec<_> = world.iter().map(|one| (&*one.id, &*one.name)).collect();
        let keys = json!({ "static": {
            "access_key": cloud.access_key,
            "secret_key_file": folder.write("secret_key", &cloud.secret_key),
        } });
        let mut config = configuration(&cloud.url, &cloud.project_id, &keys, &clusters);
        config["poll"] = json!({ "interval": format!("{POLL_INTERVAL}s"), "timeout": "1s" });
        config["admin"] = json!({
            "listen": "127.0.0.1:0",
            "audit_log": folder.path.join("audit.jsonl"),
            "tokens": [
                {"name": "oncall", "sha256": sha256(TOKEN), "role": "editor", "clusters": ["*"]},
            ],
        });
        let mut serve = Serve::start(folder, "serve", &config, &[]).await;
        let admin = format!("http://{}", serve.process.address("admin").await);
        let token_file = folder.write("token", TOKEN);
        Exporter { cloud, serve, admin, token_file }
    }

    /// Two connections that are accepted.
    async fn accepted(&self) -> [Watched; 2] {
        let world = self.cloud.world().await;
        let all = world.iter().flat_map(|one| one.connections.iter().map(move |row| (one, row)));
        let accepted = all.filter(|(_, row)| row.status == "accepted").map(|(one, row)| Watched {
            cluster_id: one.id.clone(),
            cluster_name: one.name.clone(),
            id: row.id.clone(),
        });
        let two: Vec<_> = accepted.take(2).collect();
        two.try_into().unwrap_or_else(|_| panic!("fewer than two are accepted"))
    }

    /// The cloud's time.
    async fn now(&self) -> Timestamp {
        let world = fetch_json(&format!("{}/__sim/world", self.cloud.url)).await.expect("a world");
        world["now"].as_str().expect("a time").parse().expect("a time of RFC 3339")
    }

    /// Sets a status in the cloud, as someone at its console does.
    async fn set(&self, Watched { cluster_id, id, .. }: &Watched, status: &str) {
        let path = format!("clusters/{cluster_id}/connections/{id}");
        self.cloud.control(Method::POST, &path, &json!({ "status": status })).await;
    }

    /// Accepts or rejects it with the command that the runbook names.
    async fn decide(&self, action: &str, Watched { cluster_id, id, .. }: &Watched) {
        let mut command = exporter(&["connection", action, cluster_id, id, "--yes"]);
        command.args(["--admin.url", &self.admin, "--admin.token-file"]).arg(&self.token_file);
        let ended = run(command).await;
        assert!(ended.code == Some(0), "{}", said(&ended));
    }
}

struct Watched {
    cluster_id: String,
    cluster_name: String,
    id: String,
}

impl Watched {
    /// A query for its series with this status.
    fn has_status(&self, status: &str) -> String {
        format!("{STATUS}{{endpoint_id={:?},status={status:?}}}", self.id)
    }
}
