//! Outside witnesses: what the official Huawei Cloud SDK for Python, a real Prometheus and curl say.
//!
//! They need parts that cargo does not bring, so plain `cargo test` leaves this target out.
//! `tests/run` installs the parts, names them in the environment and runs it; a part that is
//! missing is then a failure. Everything runs on loopback, against the finished binary.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "witnesses/curl.rs"]
mod curl;
#[path = "witnesses/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(60);
const REGION: &str = "cn-north-4";
const PROJECT: &str = "witness";
const PREFIX: &str = "huaweicloud_css_vpcep_";

// ---------------------------------------------------------------------------------------------
// The official SDK

#[tokio::test]
async fn sdk_reads_the_simulator() {
    let folder = Folder::new("sdk_reads_the_simulator");
    let cloud = Simulator::start(&folder, 1, 1_203).await;
    let cluster = &cloud.world().await[0];
    assert_eq!(cluster.connections.len(), 1_203);

    let read = show_connections(&cloud, &cluster.id, &cloud.secret_key).await;
    assert!(read.status.success(), "{}", said(&read));
    let read: Value = serde_json::from_slice(&read.stdout).expect("the script prints JSON");

    assert_eq!(read["pages"], 2);
    assert_eq!(read["total_count"], 1_203);
    assert_eq!(read["vpc_service_name"], json!(cluster.service_name));
    assert_eq!(read["vpcep_update_switch"], json!(cluster.update_switch));
    let rows: Vec<Value> =
        cluster.connections.iter().map(Connection::as_the_sdk_shows_it).collect();
    assert_eq!(read["connections"], json!(rows));
    let permissions: Vec<Value> =
        cluster.permissions.iter().map(Permission::as_the_sdk_shows_it).collect();
    assert_eq!(read["permissions"], json!(permissions));
}

#[tokio::test]
async fn sdk_is_refused_with_a_wrong_secret_key() {
    let folder = Folder::new("sdk_is_refused_with_a_wrong_secret_key");
    let cloud = Simulator::start(&folder, 1, 10).await;
    let cluster = &cloud.world().await[0];

    let refused = show_connections(&cloud, &cluster.id, "not-the-secret-key").await;
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    let refusal: Value = serde_json::from_slice(&refused.stdout).expect("the script prints JSON");

    assert_eq!(refusal["status_code"], 401);
    assert_eq!(refusal["error_code"], "APIGW.0301");
    assert!(!refusal["request_id"].as_str().unwrap_or_default().is_empty(), "{refusal}");
}

async fn show_connections(cloud: &Simulator, cluster_id: &str, secret_key: &str) -> Output {
    let mut script = python("show_connections.py");
    script.args([&cloud.url, &cloud.project_id, cluster_id, "1000"]);
    script.env("HUAWEICLOUD_SDK_AK", &cloud.access_key).env("HUAWEICLOUD_SDK_SK", secret_key);
    output(script).await
}

#[tokio::test]
async fn exporter_signs_as_the_sdk_does() {
    let folder = Folder::new("exporter_signs_as_the_sdk_does");
    let keys = Keys { access_key: "AKWITNESS", secret_key: "sk/Witness+", security_token: None };
    let secret_key_file = folder.write("secret_key", keys.secret_key);
    let credentials = format!(
        "{{ static: {{ access_key: {:?}, secret_key_file: {secret_key_file:?} }} }}",
        keys.access_key
    );

    let judge = Judge::start(&folder, keys).await;
    let config = judge.configuration(&folder, &credentials);
    let collected = output(collect(&config)).await;

    assert!(collected.status.success(), "{}", said(&collected));
    let page = String::from_utf8(collected.stdout).expect("a page is UTF-8");
    assert_shows_both_pages(&page);
    judge.assert_accepted_two_pages().await;
}

#[tokio::test]
async fn exporter_signs_the_security_token_as_the_sdk_does() {
    let folder = Folder::new("exporter_signs_the_security_token_as_the_sdk_does");
    let keys = Keys {
        access_key: "AKTEMPORARY",
        secret_key: "sk/Temporary+",
        security_token: Some("gQpjbi1ub3J0aC00=+/"),
    };

    let judge = Judge::start(&folder, keys).await;
    let config = judge.configuration(&folder, "{ environment: {} }");
    let mut collect = collect(&config);
    keys.put_into(&mut collect);
    let collected = output(collect).await;

    assert!(collected.status.success(), "{}", said(&collected));
    let page = String::from_utf8(collected.stdout).expect("a page is UTF-8");
    assert_shows_both_pages(&page);
    judge.assert_accepted_two_pages().await;
}

/// The judge is only a witness if it can say no.
#[tokio::test]
async fn exporter_is_refused_with_a_wrong_secret_key() {
    let folder = Folder::new("exporter_is_refused_with_a_wrong_secret_key");
    let keys = Keys { access_key: "AKWITNESS", secret_key: "sk/Witness+", security_token: None };

    let judge = Judge::start(&folder, keys).await;
    let config = judge.configuration(&folder, "{ environment: {} }");
    let mut collect = collect(&config);
    Keys { secret_key: "sk/Another+", ..keys }.put_into(&mut collect);
    let collected = output(collect).await;

    assert_eq!(collected.status.code(), Some(1), "{}", said(&collected));
    let verdict = judge.verdict().await;
    assert_eq!(verdict["accepted"], 0, "{verdict}");
    assert_eq!(verdict["reasons"][0], "verify aksk signature fail", "{verdict}");
}

fn collect(config: &Path) -> Command {
    let mut collect = exporter("collect");
    collect.arg("--config.file").arg(config);
    collect
}

/// The judge shows 1,003 connections: those accepted fill the first page, those rejected follow.
fn assert_shows_both_pages(page: &str) {
    let value = |metric: &str, status: &str| {
        let start = format!("{PREFIX}{metric}{{");
        page.lines()
            .find(|line| line.starts_with(&start) && line.contains(status))
            .and_then(|line| line.rsplit(' ').next())
    };
    assert_eq!(value("connections", r#"status="accepted""#), Some("1000"), "{page}");
    assert_eq!(value("connections", r#"status="rejected""#), Some("3"), "{page}");
    assert_eq!(value("connections_reported", ""), Some("1003"), "{page}");
    assert_eq!(value("complete", ""), Some("1"), "{page}");
}

#[derive(Clone, Copy)]
struct Keys {
    access_key: &'static str,
    secret_key: &'static str,
    security_token: Option<&'static str>,
}

impl Keys {
    fn put_into(self, command: &mut Command) {
        command.env("HUAWEICLOUD_SDK_AK", self.access_key);
        command.env("HUAWEICLOUD_SDK_SK", self.secret_key);
        command.envs(self.security_token.map(|token| ("HUAWEICLOUD_SDK_SECURITY_TOKEN", token)));
    }
}

/// The server that gives each `Authorization` to the SDK's own signer.
struct Judge {
    _process: Process,
    url: String,
}

impl Judge {
    async fn start(folder: &Folder, keys: Keys) -> Judge {
        let mut script = python("verify_signatures.py");
        keys.put_into(&mut script);
        let mut process = Process::start(folder, "verify_signatures", script);
        let url = process.prints("cloud").await;
        Judge { _process: process, url }
    }

    fn configuration(&self, folder: &Folder, credentials: &str) -> PathBuf {
        let project_id = "6e9dfd51d1124e8d8498dce894923a0d";
        let cluster_id = "5c77b71c-5b35-4f50-8984-76387e42451a";
        folder.configuration(&self.url, project_id, credentials, &[(cluster_id, "logs")])
    }

    async fn verdict(&self) -> Value {
        fetch_json(&format!("{}/__verdict", self.url)).await.expect("the judge answers")
    }

    async fn assert_accepted_two_pages(&self) {
        let verdict = self.verdict().await;
        assert_eq!(verdict["rejected"], 0, "{verdict}");
        assert_eq!(verdict["accepted"], 2, "{verdict}");
    }
}

// ---------------------------------------------------------------------------------------------
// The admin API and its description

/// The validator takes the document, and schemathesis finds nothing in what the listener answers to
/// some hundred requests, good ones and bad ones.
#[tokio::test]
async fn the_admin_api_is_as_it_is_described() {
    const EXAMPLES: &str = "20";
    let folder = Folder::new("the_admin_api_is_as_it_is_described");
    let mut demo = Process::start(&folder, "demo", exporter("demo"));
    let admin = demo.prints("admin").await;
    let token = demo.prints("token").await;
    let cluster = world(&demo.prints("cloud").await).await.expect("a world")[0].id.clone();
    let get = async |path: &str| {
        let answer = HTTP
            .get(format!("{admin}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await;
        let text = answer.expect("the listener answers").text().await.expect("a text");
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let document = folder.write("openapi.json", &get("openapi.json").await.to_string());
    let mut validator = part("WITNESS_PYTHON");
    validator.args(["-m", "openapi_spec_validator"]).arg(&document);
    let judged = output(validator).await;
    assert!(judged.status.success(), "{}", said(&judged));

    let services = get("api/v1/endpoint-services").await;
    let service = &services["endpoint_services"][0];
    let word = |name: &str| service[name].as_str().unwrap_or_else(|| panic!("{services}"));
    let settings = include_str!("witnesses/schemathesis.toml")
        .replace("PROJECT", word("project"))
        .replace("SERVICE", word("service_id"))
        .replace("CLUSTER", &cluster);
    let settings = folder.write("schemathesis.toml", &settings);
    let mut schemathesis = part("WITNESS_PYTHON");
    schemathesis
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(settings)
        .args(["run", &format!("{admin}openapi.json"), "--header"])
        .arg(format!("Authorization: Bearer {token}"))
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES])
        .args(["--seed", "1"])
        .current_dir(&folder.path);
    let judged = output(schemathesis).await;
    assert!(judged.status.success(), "{}", said(&judged));
}

// ---------------------------------------------------------------------------------------------
// The audit log, by its documented rule alone

#[tokio::test]
async fn another_program_reads_the_same_chain() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audit.golden.jsonl");
    let mut verify = exporter("audit");
    verify.arg("verify").arg(&golden);
    let ours = output(verify).await;
    assert!(ours.status.success(), "{}", said(&ours));

    let mut script = python("audit_chain.py");
    script.arg(&golden);
    let theirs = output(script).await;
    assert!(theirs.status.success(), "{}", said(&theirs));
    let theirs: Value = serde_json::from_slice(&theirs.stdout).expect("the script prints JSON");

    let ours = String::from_utf8(ours.stdout).expect("output is UTF-8");
    let first = ours.lines().next().unwrap_or_default();
    assert!(first.contains(&format!("{} records", theirs["records"])), "{ours}");
    assert!(first.ends_with(theirs["head"].as_str().expect("a hash")), "{ours}");

    let folder = Folder::new("another_program_reads_the_same_chain");
    let text = fs::read_to_string(&golden).expect("the golden log is there");
    let mut script = python("audit_chain.py");
    script.arg(folder.write("changed", &text.replace("oncall", "nobody")));
    assert!(!output(script).await.status.success(), "it can say no");
}

// ---------------------------------------------------------------------------------------------
// A real Prometheus

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
    let exporter = Exporter::serving(&folder, &cloud).await;
    let prometheus = Prometheus::scraping(&folder, &exporter.address).await;

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
async fn promtool_is_silent_on_the_whole_page() {
    let folder = Folder::new("promtool_is_silent_on_the_whole_page");
    let cloud = Simulator::start(&folder, 3, 25).await;
    let exporter = Exporter::serving(&folder, &cloud).await;
    let demo = Demo::start(&folder).await;

    for (name, address) in [("serve", &exporter.address), ("demo", &demo.address)] {
        let page = wait_until_whole(address).await;

        let page = File::open(folder.write(name, &page)).expect("the page was just written");
        let mut promtool = part("WITNESS_PROMTOOL");
        promtool.args(["check", "metrics"]).stdin(page);
        let verdict = output(promtool).await;
        assert!(verdict.status.success(), "{name}: {}", said(&verdict));
        assert_eq!(said(&verdict), said(&silence(verdict.status)), "{name}");
    }
}

/// Metrics that the scraping itself moves, or that the machine moves.
const MOVING: [&str; 4] = [
    "process_",
    "css_vpcep_exporter_http_requests",
    "css_vpcep_exporter_http_request_duration_seconds",
    "css_vpcep_exporter_exposition_",
];

#[tokio::test]
async fn official_parsers_read_the_same_in_both_formats() {
    let folder = Folder::new("official_parsers_read_the_same_in_both_formats");
    let cloud = Simulator::start(&folder, 3, 25).await;
    // One that is read well, one that has no endpoint service, and one that cannot be read.
    let world = cloud.world().await;
    let cluster = |at: usize| format!("clusters/{}", world[at].id);
    cloud.control(Method::PUT, &cluster(1), &json!({ "vpcep_enabled": false })).await;
    let fault = json!({ "faults": [{ "name": "server-error", "clusters": [world[2].id] }] });
    cloud.control(Method::PUT, "faults", &fault).await;
    let exporter = Exporter::serving(&folder, &cloud).await;
    let url = format!("http://{}/metrics", exporter.address);
    wait_until_whole(&exporter.address).await;

    // A poll may come between two scrapes; then the pages before and after it differ.
    let (text, openmetrics) = eventually("no poll between three scrapes", async || {
        let before = parsed(&folder, "text", &url).await?;
        let between = parsed(&folder, "openmetrics", &url).await?;
        let after = parsed(&folder, "text", &url).await?;
        if before == after { Ok((before, between)) } else { Err("there was one".into()) }
    })
    .await;
    assert_eq!(openmetrics.families, text.families);
    assert_eq!(openmetrics.samples.len(), text.samples.len());
    for (one, other) in openmetrics.samples.iter().zip(&text.samples) {
        assert_eq!(one, other);
    }
    let of_cluster = |name: &str, id: &str| {
        let ours = |sample: &&Sample| sample.0 == name && sample.1["cluster_id"] == id;
        openmetrics.samples.iter().filter(ours).count()
    };
    let rows = world[0].connections.len();
    assert_eq!(of_cluster(&format!("{PREFIX}connection_status"), &world[0].id), rows);
    assert_eq!(of_cluster(&format!("{PREFIX}up"), &world[2].id), 1);
    for (name, kind) in &openmetrics.families {
        let is_counter = ["_transitions", "_polls", "_requests"].iter();
        let is_counter = is_counter.clone().any(|end| name.ends_with(end));
        assert!(!is_counter || kind == "counter", "{name} is a {kind}");
        // What is of type info in the conventions of others stays a gauge.
        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name}: {kind}");
    }
}

#[tokio::test]
async fn official_parsers_read_the_demo() {
    let folder = Folder::new("official_parsers_read_the_demo");
    let demo = Demo::start(&folder).await;
    wait_until_whole(&demo.address).await;
    let url = format!("http://{}/metrics", demo.address);
    let text = parsed(&folder, "text", &url).await.expect("a page");
    let openmetrics = parsed(&folder, "openmetrics", &url).await.expect("a page");
    let [text, openmetrics] = [&text, &openmetrics].map(|page| {
        let ours = page.families.iter().filter(|(name, _)| name.starts_with(PREFIX));
        ours.collect::<Vec<_>>()
    });
    assert_eq!(text, openmetrics);
    assert!(text.len() > WORLD_METRICS.len(), "{text:?}");
}

/// Ready is when every cluster was tried once; the rows of connections need a success.
async fn wait_until_whole(address: &str) -> String {
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

/// A name, the labels, the value as Python writes it.
type Sample = (String, BTreeMap<String, String>, String);

/// What the parser of the official client understood, without what moves by itself.
#[derive(Deserialize, PartialEq)]
struct Parsed {
    families: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

/// Asks for a page in a format and has it read.
async fn parsed(folder: &Folder, format: &str, url: &str) -> Result<Parsed, String> {
    let (accept, media_type) = match format {
        "openmetrics" => (
            "application/openmetrics-text;version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        _ => ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
    };
    let answer = HTTP.get(url).header("accept", accept).send().await;
    let answer = answer.map_err(|error| error.to_string())?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], media_type);
    let page = answer.text().await.map_err(|error| error.to_string())?;
    let mut script = python("openmetrics.py");
    script.arg(format).arg(folder.write(&format!("page.{format}"), &page));
    let read = output(script).await;
    assert!(read.status.success(), "{}\n{page}", said(&read));
    let mut read: Parsed = serde_json::from_slice(&read.stdout).expect("the script prints JSON");
    read.samples.retain(|sample| !MOVING.iter().any(|start| sample.0.starts_with(start)));
    read.families.retain(|name, _| !MOVING.iter().any(|start| name.starts_with(start)));
    Ok(read)
}

#[tokio::test]
async fn prometheus_asks_for_openmetrics_and_gets_it_compressed() {
    let folder = Folder::new("prometheus_asks_for_openmetrics");
    let cloud = Simulator::start(&folder, 2, 25).await;
    let exporter = Exporter::serving(&folder, &cloud).await;
    let wire = Wire::before(&exporter.address).await;
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
    assert!(accept.starts_with("application/openmetrics-text;version=1.0.0,"), "{accept}");
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

fn silence(status: ExitStatus) -> Output {
    Output { status, stdout: Vec::new(), stderr: Vec::new() }
}

struct Prometheus {
    _process: Process,
    url: String,
}

impl Prometheus {
    async fn scraping(folder: &Folder, target: &str) -> Prometheus {
        Prometheus::scraping_with(folder, target, "").await
    }

    /// With more lines for its job, the further ones indented.
    async fn scraping_with(folder: &Folder, target: &str, more: &str) -> Prometheus {
        let config = format!(
            "global: {{ scrape_interval: 1s }}\n\
             scrape_configs:\n\
             - job_name: exporter\n  \
               static_configs: [{{ targets: [\"{target}\"] }}]\n  {more}\n"
        );
        let mut prometheus = part("WITNESS_PROMETHEUS");
        prometheus.arg("--config.file").arg(folder.write("prometheus.yml", &config));
        prometheus.arg("--storage.tsdb.path").arg(folder.path.join("prometheus-data"));
        prometheus.arg("--web.listen-address=127.0.0.1:0");
        let mut process = Process::start(folder, "prometheus", prometheus);
        let address = process
            .logs(|line| {
                let (_, address) = line.split_once("address=")?;
                line.contains(r#"msg="Listening on""#).then(|| address.to_owned())
            })
            .await;
        Prometheus { _process: process, url: format!("http://{address}/api/v1/") }
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), parameters);
        let mut answer = fetch_json(url.expect("a fixed URL").as_str()).await?;
        Ok(answer["data"].take())
    }

    /// The newest sample of every series that tells about the cloud's world.
    async fn world_samples(&self) -> Result<Samples, String> {
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

    async fn assert_comes_to_hold(&self, world: &[Cluster]) {
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

/// A metric's name and its labels.
type Series = (String, BTreeMap<String, String>);
type Samples = BTreeMap<Series, f64>;

/// The metrics whose values are the cloud's and not the exporter's.
const WORLD_METRICS: [&str; 13] = [
    "connections",
    "connections_reported",
    "update_switch",
    "service_enabled",
    "permissions",
    "complete",
    "service_info",
    "connection_status",
    "connection_max_sessions",
    "connection_info",
    "connection_created_timestamp_seconds",
    "connection_updated_timestamp_seconds",
    "connections_suppressed",
];

/// What a scrape must hold while the cloud is in this state.
fn expected<'a>(world: impl IntoIterator<Item = &'a Cluster>) -> Samples {
    let mut samples = Samples::new();
    for cluster in world {
        let mut put = |metric: &str, more: &[(&str, &str)], value: f64| {
            let own = [
                ("region_id", REGION),
                ("project", PROJECT),
                ("cluster_id", &cluster.id),
                ("cluster_name", &cluster.name),
            ];
            // To Prometheus an empty label is none.
            let labels = own.iter().chain(more).filter(|(_, value)| !value.is_empty());
            let labels = labels.map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
            samples.insert((format!("{PREFIX}{metric}"), labels.collect()), value);
        };

        put("service_enabled", &[], cluster.vpcep_enabled.into());
        put("complete", &[], 1.0);
        put("connections_suppressed", &[], 0.0);
        let connections: &[Connection] = if cluster.vpcep_enabled {
            let service_id = cluster.service_name.rsplit('.').next().unwrap_or_default();
            put(
                "service_info",
                &[("vpc_service_name", &cluster.service_name), ("service_id", service_id)],
                1.0,
            );
            put("update_switch", &[], cluster.switched_on().into());
            put("permissions", &[], cluster.permissions.len() as f64);
            put("connections_reported", &[], cluster.connections.len() as f64);
            &cluster.connections
        } else {
            &[]
        };
        for status in STATUSES {
            let count = connections.iter().filter(|row| row.exported_status() == status).count();
            put("connections", &[("status", status)], count as f64);
        }
        for row in connections {
            let id = ("endpoint_id", row.id.as_str());
            put("connection_status", &[id, ("status", row.exported_status())], 1.0);
            put(
                "connection_info",
                &[
                    id,
                    ("specification_name", &row.specification_name),
                    ("domain_id", &row.domain_id),
                    ("ip", row.ip.as_deref().unwrap_or_default()),
                    ("ipv6", row.ipv6.as_deref().unwrap_or_default()),
                    ("dns_name", row.dns_name.as_deref().unwrap_or_default()),
                ],
                1.0,
            );
            put("connection_max_sessions", &[id], row.max_sessions.into());
            put("connection_created_timestamp_seconds", &[id], seconds(&row.created_at));
            if let Some(updated_at) = &row.update_at {
                put("connection_updated_timestamp_seconds", &[id], seconds(updated_at));
            }
        }
    }
    samples
}

fn seconds(time: &str) -> f64 {
    let time: jiff::Timestamp = time.parse().expect("the simulator writes RFC 3339");
    time.as_second() as f64
}

/// The same samples without some labels.
fn without(names: &[&str], samples: Samples) -> Samples {
    let strip = |((name, mut labels), value): (Series, f64)| {
        labels.retain(|label, _| !names.contains(&label.as_str()));
        ((name, labels), value)
    };
    samples.into_iter().map(strip).collect()
}

fn difference(held: &Samples, expected: &Samples) -> String {
    let only_in = |these: &Samples, those: &Samples| {
        let only = these.iter().filter(|(series, value)| those.get(*series) != Some(value));
        only.take(5).map(|sample| format!("\n  {sample:?}")).collect::<String>()
    };
    format!("missing:{}\nsurplus:{}", only_in(expected, held), only_in(held, expected))
}

// ---------------------------------------------------------------------------------------------
// The binary

fn exporter(command: &str) -> Command {
    let mut exporter = bare(env!("CARGO_BIN_EXE_css-vpcep-exporter"));
    exporter.arg(command);
    exporter
}

/// The simulated cloud, whose world moves only when it is told to.
struct Simulator {
    _process: Process,
    url: String,
    access_key: String,
    secret_key: String,
    project_id: String,
}

impl Simulator {
    async fn start(folder: &Folder, clusters: u32, connections: u32) -> Simulator {
        let mut simulate = exporter("simulate");
        simulate.args(["--listen", "127.0.0.1:0", "--pace", "explicit", "--seed", "11"]);
        simulate.args(["--clusters", &clusters.to_string()]);
        simulate.args(["--connections", &connections.to_string()]);
        let mut process = Process::start(folder, "simulate", simulate);
        Simulator {
            url: process.prints("cloud").await,
            access_key: process.prints("access_key").await,
            secret_key: process.prints("secret_key").await,
            project_id: process.prints("project_id").await,
            _process: process,
        }
    }

    async fn world(&self) -> Vec<Cluster> {
        world(&self.url).await.expect("the simulator tells its world")
    }

    async fn control(&self, method: Method, path: &str, body: &Value) {
        let url = format!("{}/__sim/{path}", self.url);
        let answer = HTTP.request(method, url).body(body.to_string()).send().await;
        let answer = answer.expect("the simulator answers");
        assert_eq!(answer.status(), 200, "{path}: {:?}", answer.text().await);
    }

    async fn step_until_changed(&self, before: &[Cluster]) -> Vec<Cluster> {
        eventually("the world changes", async || {
            self.control(Method::POST, "step", &json!({})).await;
            let after = self.world().await;
            if after == before { Err("it is the same after a step".into()) } else { Ok(after) }
        })
        .await
    }
}

/// The daemon, polling the simulator.
struct Exporter {
    _process: Process,
    address: String,
}

impl Exporter {
    async fn serving(folder: &Folder, cloud: &Simulator) -> Exporter {
        Exporter::serving_with(folder, cloud, &[]).await
    }

    async fn serving_with(folder: &Folder, cloud: &Simulator, flags: &[&str]) -> Exporter {
        let credentials = format!(
            "{{ static: {{ access_key: {:?}, secret_key_file: {:?} }} }}",
            cloud.access_key,
            folder.write("secret_key", &cloud.secret_key)
        );
        let world = cloud.world().await;
        let clusters: Vec<_> = world.iter().map(|cluster| (&*cluster.id, &*cluster.name)).collect();
        let config = folder.configuration(&cloud.url, &cloud.project_id, &credentials, &clusters);
        let mut serve = exporter("serve");
        serve.arg("--config.file").arg(config);
        serve.args(["--web.listen-address", "127.0.0.1:0", "--log.format", "json"]).args(flags);
        let mut process = Process::start(folder, "serve", serve);
        let address = process
            .logs(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let found = line["message"] == "listening" && line["listener"] == "public";
                found.then(|| line["address"].as_str().expect("an address is text").to_owned())
            })
            .await;
        Exporter { _process: process, address }
    }
}

struct Demo {
    _process: Process,
    address: String,
    cloud: String,
}

impl Demo {
    async fn start(folder: &Folder) -> Demo {
        let mut process = Process::start(folder, "demo", exporter("demo"));
        let metrics = process.prints("metrics").await;
        let address =
            metrics.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("the demo's metrics are at {metrics}"));
        Demo {
            address: address.to_owned(),
            cloud: process.prints("cloud").await,
            _process: process,
        }
    }
}

/// What the simulator tells about itself, without a signature, at `/__sim/world`.
#[derive(Clone, Deserialize, PartialEq)]
struct Cluster {
    id: String,
    name: String,
    vpcep_enabled: bool,
    /// A boolean, or the text of one: the API sends both.
    update_switch: Value,
    service_name: String,
    permissions: Vec<Permission>,
    connections: Vec<Connection>,
}

#[derive(Clone, Deserialize, PartialEq)]
struct Connection {
    id: String,
    status: String,
    max_sessions: u32,
    specification_name: String,
    domain_id: String,
    created_at: String,
    update_at: Option<String>,
    ip: Option<String>,
    ipv6: Option<String>,
    dns_name: Option<String>,
}

#[derive(Clone, Deserialize, PartialEq)]
struct Permission {
    id: String,
    permission: String,
    created_at: String,
}

const STATUSES: [&str; 7] =
    ["accepted", "rejected", "pendingAcceptance", "creating", "failed", "deleting", "unknown"];

impl Cluster {
    fn switched_on(&self) -> bool {
        self.update_switch == true || self.update_switch == "true"
    }
}

impl Connection {
    fn exported_status(&self) -> &str {
        if STATUSES.contains(&self.status.as_str()) { &self.status } else { "unknown" }
    }

    fn as_the_sdk_shows_it(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status,
            "max_session": self.max_sessions.to_string(),
            "specification_name": self.specification_name,
            "created_at": self.created_at,
            "update_at": self.update_at,
            "domain_id": self.domain_id,
            "vpcep_ip": self.ip,
            "vpcep_ipv6_address": self.ipv6,
            "vpcep_dns_name": self.dns_name,
        })
    }
}

impl Permission {
    fn as_the_sdk_shows_it(&self) -> Value {
        json!({
            "id": self.id,
            "permission": self.permission,
            "permission_type": "domainId",
            "created_at": self.created_at,
        })
    }
}

async fn world(cloud: &str) -> Result<Vec<Cluster>, String> {
    let world = fetch_json(&format!("{cloud}/__sim/world")).await?;
    Vec::deserialize(&world["clusters"]).map_err(|error| error.to_string())
}

// ---------------------------------------------------------------------------------------------
// Processes, files, waiting

/// A command whose path `tests/run` has put into the environment.
fn part(variable: &str) -> Command {
    match std::env::var_os(variable) {
        Some(program) => bare(program),
        None => {
            panic!("{variable} is not set: run `tests/run`, which installs what these tests need")
        }
    }
}

fn python(script: &str) -> Command {
    let mut python = part("WITNESS_PYTHON");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witnesses").join(script));
    python
}

/// A command that does not see the keys, settings and proxies of whoever runs the tests.
fn bare(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        let ours = ["HUAWEICLOUD_", "CLOUD_SDK_", "CSS_VPCEP_EXPORTER_"];
        if ours.iter().any(|prefix| upper.starts_with(prefix)) || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Output {
    let ended = timeout(DEADLINE, command.output()).await;
    let ended = ended.unwrap_or_else(|_| panic!("{command:?} did not end within {DEADLINE:?}"));
    ended.unwrap_or_else(|error| panic!("{command:?} did not start ({error}): run `tests/run`"))
}

/// All that an ended process said, for people to read.
fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{}\nstdout:\n{out}\nstderr:\n{err}", output.status)
}

/// A process in the background; it ends with the test.
struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    fn start(folder: &Folder, name: &str, mut command: Command) -> Process {
        // Files, because nobody has to keep emptying them.
        let [out, err] = ["out", "err"].map(|kind| folder.path.join(format!("{name}.{kind}")));
        let create = |path: &Path| File::create(path).expect("the folder can be written");
        command.stdout(create(&out)).stderr(create(&err)).env("TMPDIR", &folder.path);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} did not start ({error}): run `tests/run`"));
        Process { child, out, err }
    }

    /// The value on the first line of standard output that starts with this word.
    async fn prints(&mut self, word: &str) -> String {
        let path = self.out.clone();
        self.line(&path, |line| Some(line.strip_prefix(word)?.strip_prefix(' ')?.to_owned())).await
    }

    /// What `find` makes of the first line of standard error that it knows.
    async fn logs(&mut self, find: impl Fn(&str) -> Option<String>) -> String {
        let path = self.err.clone();
        self.line(&path, find).await
    }

    async fn line(&mut self, path: &Path, find: impl Fn(&str) -> Option<String>) -> String {
        let what = format!("a line in {}", path.display());
        eventually(&what, async || {
            let ended = self.child.try_wait().expect("a child can be asked");
            let text = fs::read_to_string(path).expect("output is UTF-8");
            // The last line may be half written.
            let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some(found) = lines.find_map(&find) {
                return Ok(found);
            }
            let err = fs::read_to_string(&self.err).unwrap_or_default();
            assert!(ended.is_none(), "{what}: the process ended, {ended:?}: {err}");
            Err(err)
        })
        .await
    }
}

/// A folder for one test. It stays if the test fails: it has what every process said.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new(test: &str) -> Folder {
        let name = format!("{test}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Folder { path }
    }

    /// A file for nobody else's eyes: the exporter insists on that where it holds a secret.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("the folder can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the file is ours");
        path
    }

    /// A configuration with one project. It polls often, so that a test does not wait long.
    fn configuration(
        &self,
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
        self.write("css-vpcep-exporter.yml", &config)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Asks again and again until there is an answer; fails with the last reason why there was none.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) if Instant::now() > deadline => {
                panic!("{what}: not within {DEADLINE:?}: {why}")
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One client for all tests. Each test has a runtime of its own, and a connection does not
/// outlive the runtime it was made in, so none is kept.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.timeout(Duration::from_secs(10)).build().expect("a plain client can be built")
});

async fn fetch(url: &str) -> Result<String, String> {
    let answer = HTTP.get(url).send().await.map_err(|error| format!("{url}: {error}"))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| format!("{url}: {error}"))?;
    if status == 200 { Ok(text) } else { Err(format!("{url}: {status}: {text}")) }
}

async fn fetch_json(url: &str) -> Result<Value, String> {
    serde_json::from_str(&fetch(url).await?).map_err(|error| format!("{url}: {error}"))
}
