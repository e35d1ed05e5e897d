//! From a rejected connection to the page, and from the accepted one to its end: the demo, a real
//! Prometheus and a real Alertmanager with the shipped files, and a webhook. And what must not page.

use std::{
    fs,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, http::StatusCode, routing::post};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    binary::{Demo, wait_until_whole},
    parts::{fetch, fetch_json, listening, part},
    prometheus::Prometheus,
    support::{
        ask, eventually, here,
        process::{Folder, Process},
    },
};

const ALERT: &str = "HuaweiCssVpcepConnectionNewlyRejected";
const RULES: &str = "rules/css-vpcep-exporter.yml";
const POLL_INTERVAL: &str = "huaweicloud_css_vpcep_poll_interval_seconds{";
const REMEMBERED: &str =
    "huaweicloud_css_vpcep:connection_last_seen_newly_rejected:data_timestamp_seconds";
const RUNBOOKS: &str = "https://git.example.com/css-vpcep-exporter/blob/main/";

/// The files are the shipped ones, but for addresses, for the front of the runbooks' addresses, which
/// the documents say to replace, and for **times**: scrapes, rules and groups of alerts come each second,
/// and an alert goes on for 6 s after its reason has ended, where the shipped file says 5 min.
#[tokio::test]
async fn a_rejected_connection_is_paged_about_until_it_is_accepted() {
    let folder = Folder::new("a_rejected_connection_is_paged_about");
    let demo = Demo::start(&folder).await;
    let webhook = Webhook::start().await;
    let alertmanager = Alertmanager::telling(&folder, &webhook.url).await;
    let prometheus = watching(&folder, &demo.address, &alertmanager.address).await;
    let connection = Watched::accepted(&demo.cloud).await;

    eventually("Prometheus holds it as accepted", async || {
        connection.set("accepted").await;
        let query = format!(
            r#"huaweicloud_css_vpcep_connection_status{{endpoint_id="{}",status="accepted"}}"#,
            connection.id
        );
        let held = prometheus.get("query", &[("query", &query)]).await?;
        if held["result"][0].is_null() { Err(held.to_string()) } else { Ok(()) }
    })
    .await;
    let about = |status: &str| webhook.about(&connection.id, status);
    assert_eq!(about("firing"), None, "nobody has rejected it yet");

    let before = connection.now().await;
    let page = eventually("the page", async || {
        connection.set("rejected").await;
        about("firing").ok_or_else(|| format!("{:#?}", webhook.received()))
    })
    .await;
    let after = connection.now().await;
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
    assert!(text_of(path).contains(ALERT), "{path} is about something else");
    let words = annotations["description"].as_str().unwrap_or_default();
    let start = format!(
        "Endpoint {} of cluster {} ({}, project demo, sim-region-1) has been rejected since ",
        connection.id, connection.cluster_name, connection.cluster_id
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

    let end = eventually("the end of the page", async || {
        connection.set("accepted").await;
        about("resolved").ok_or_else(|| format!("{:#?}", webhook.received()))
    })
    .await;
    assert_eq!(end["labels"], page["labels"]);
    assert_eq!(end["fingerprint"], page["fingerprint"]);
}

/// Prometheus scrapes once in ten polls, and its rules see each sample grow old. The data were fresh when they
/// were scraped, so no alert says that the cluster cannot be read.
#[tokio::test]
async fn fresh_data_that_are_seldom_scraped_are_not_called_old() {
    let folder = Folder::new("fresh_data_that_are_seldom_scraped");
    let demo = Demo::start(&folder).await;
    let page = wait_until_whole(&demo.address).await;
    let interval = page.lines().find_map(|line| line.strip_prefix(POLL_INTERVAL)?.rsplit_once(' '));
    let (_, interval) = interval.expect("the page has the interval");
    let interval: u32 = interval.parse().expect("whole seconds");
    write_rules(&folder);
    let config = format!(
        "global: {{ scrape_interval: {}s, evaluation_interval: 1s }}\n\
         rule_files: [{RULES}]\n\
         scrape_configs:\n\
         - {{ job_name: css-vpcep, static_configs: [{{ targets: [{:?}] }}] }}\n",
        10 * interval,
        demo.address
    );
    let connection = Watched::accepted(&demo.cloud).await;
    let rejected = format!(r#"endpoint_id="{}",status="rejected""#, connection.id);
    eventually("the exporter has seen a rejection", async || {
        connection.set("rejected").await;
        let page = fetch(&format!("http://{}/metrics", demo.address)).await?;
        if page.contains(&rejected) { Ok(()) } else { Err(page) }
    })
    .await;

    let prometheus = Prometheus::start(&folder, &config).await;
    let ask = async |query: &str| {
        let answer = prometheus.get("query", &[("query", query)]).await?;
        Ok::<_, String>(answer["result"].as_array().cloned().unwrap_or_default())
    };
    eventually("two scrapes, and rules that looked at the first one again and again", async || {
        connection.set("rejected").await;
        let scrapes = ask("count_over_time(up[1h]) >= 2").await?;
        let looks = ask(&format!("count_over_time({REMEMBERED}[1h]) > 5")).await?;
        if scrapes.is_empty() || looks.is_empty() {
            return Err(format!("{scrapes:?}, {looks:?}"));
        }
        Ok(())
    })
    .await;
    // Pending alerts are included here.
    let told = ask(r#"last_over_time(ALERTS{alertname=~".*(Blind|NeverPolled).*"}[1h])"#).await;
    assert_eq!(told, Ok(Vec::new()));
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

    /// The newest alert with this status about an endpoint that was rejected.
    fn about(&self, endpoint_id: &str, status: &str) -> Option<Value> {
        let received = self.received();
        let alerts = received.iter().rev().filter_map(|one| one["alerts"].as_array()).flatten();
        let is_it = |alert: &&Value| {
            let labels = &alert["labels"];
            labels["alertname"] == ALERT
                && labels["endpoint_id"] == endpoint_id
                && alert["status"] == status
        };
        alerts.into_iter().find(is_it).cloned()
    }
}

/// A connection of the demo. The demo's world moves on by itself, so its status is set again and again.
struct Watched {
    cloud: String,
    cluster_id: String,
    cluster_name: String,
    id: String,
}

impl Watched {
    /// The first one that is accepted.
    async fn accepted(cloud: &str) -> Watched {
        let world = fetch_json(&format!("{cloud}/__sim/world")).await.expect("a world");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let clusters = world["clusters"].as_array().into_iter().flatten();
        let found = clusters
            .flat_map(|one| {
                one["connections"].as_array().into_iter().flatten().map(move |c| (one, c))
            })
            .find(|(_, connection)| connection["status"] == "accepted");
        let (cluster, connection) = found.unwrap_or_else(|| panic!("none is accepted: {world}"));
        Watched {
            cloud: cloud.to_owned(),
            cluster_id: text(&cluster["id"]),
            cluster_name: text(&cluster["name"]),
            id: text(&connection["id"]),
        }
    }

    /// The cloud's time.
    async fn now(&self) -> Timestamp {
        let world = fetch_json(&format!("{}/__sim/world", self.cloud)).await.expect("a world");
        world["now"].as_str().expect("a time").parse().expect("a time of RFC 3339")
    }

    async fn set(&self, status: &str) {
        let cluster = format!("{}/__sim/clusters/{}", self.cloud, self.cluster_id);
        let one = format!("{cluster}/connections/{}", self.id);
        let body = json!({ "status": status }).to_string();
        let answer = ask(Method::POST, &one, &[], body).await.expect("the simulator answers");
        if answer.status == 404 {
            // The world has let it go: it comes back beside the others.
            let world = fetch_json(&format!("{}/__sim/world", self.cloud)).await.expect("a world");
            let clusters = world["clusters"].as_array().into_iter().flatten();
            let ours = clusters.filter(|cluster| cluster["id"] == *self.cluster_id);
            let others = ours.flat_map(|one| one["connections"].as_array().into_iter().flatten());
            let mut all: Vec<_> = others.map(|other| json!({ "id": other["id"] })).collect();
            all.push(json!({ "id": self.id, "status": status }));
            let body = json!({ "connections": all }).to_string();
            let answer = ask(Method::PUT, &cluster, &[], body).await;
            assert_eq!(answer.expect("the simulator answers").status, 200);
        }
    }
}
