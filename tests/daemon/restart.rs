//! Restarts of the finished binary with a state file: what was known is shown at once, with its true
//! age, while the cloud cannot be asked.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ask,
    cloud::Cloud,
    daemon::{TOKEN, configuration, sha256},
    eventually,
    page::{Page, Sample},
    process::{Folder, Process, exporter, run},
    serve::{Serve, unix_now},
};

const DATA: &str = "huaweicloud_css_vpcep_";
const SECRET_TOKEN: &str = "canarySecurityToken0123456789==";

fn data(name: &str) -> String {
    format!("{DATA}{name}")
}

fn of_clusters(page: &Page) -> Vec<Sample> {
    let ours = page.samples.iter().filter(|sample| sample.name.starts_with(DATA));
    ours.cloned().collect()
}

/// Polls a cluster, as soon as the daemon lets somebody ask again.
async fn poll(serve: &mut Serve, id: &str) {
    let admin = serve.process.address("admin").await;
    let url = format!("http://{admin}/api/v1/clusters/{id}/poll");
    let token = format!("Bearer {TOKEN}");
    eventually("a forced poll", async || {
        let headers = [("authorization", &*token)];
        let answer = ask(Method::POST, &url, &headers, String::new()).await?;
        match answer.status {
            200 => Ok(()),
            429 => Err(answer.text),
            _ => panic!("{answer:?}"),
        }
    })
    .await;
}

/// A daemon that has seen a connection change and, after its first round, does not poll by itself for
/// hours.
struct Watched {
    folder: Folder,
    cloud: Cloud,
    configuration: Value,
    state: PathBuf,
    serve: Serve,
    /// All it shows of clusters.
    shown: Vec<Sample>,
    cluster: Value,
}

impl Watched {
    async fn start(test: &str) -> Watched {
        let folder = Folder::new(test);
        let cloud = Cloud::start(2, 4).await;
        let valid = json!({ "security_token": SECRET_TOKEN });
        cloud.control(Method::PUT, "credentials", &valid).await;
        let state = folder.path.join("state");
        let mut configuration = configuration(&cloud);
        configuration["state_file"] = json!(state);
        configuration["projects"][0]["credentials"]["static"] = json!({
            "access_key": cloud.access_key,
            "secret_key_file": folder.write("secret_key", &cloud.secret_key),
            "security_token_file": folder.write("security_token", SECRET_TOKEN),
        });
        let mut serve = Serve::start(&folder, "first", &configuration, &[]).await;
        let id = cloud.id(0).to_owned();
        poll(&mut serve, cloud.id(1)).await;
        poll(&mut serve, &id).await;
        assert!(!state.exists(), "it is written before there is anything to tell");
        let before = serve.cluster(&id).await["items"].clone();
        let accepted = before.as_array().expect("a list").iter();
        let mut accepted = accepted.filter(|one| one["status"] == "accepted");
        let endpoint = accepted.next().expect("one is accepted")["endpoint_id"].clone();
        let endpoint = endpoint.as_str().expect("an id");
        let path = format!("clusters/{id}/connections/{endpoint}");
        cloud.control(Method::POST, &path, &json!({"status": "rejected"})).await;
        poll(&mut serve, &id).await;
        let page = serve.metrics().await;
        let counted = [("cluster_id", &*id), ("to", "rejected")];
        assert_eq!(page.value(&data("connection_transitions_total"), &counted), Some(1.0));
        let since = data("connection_status_since_timestamp_seconds");
        let changed = page.value(&since, &[("endpoint_id", endpoint)]).expect("it changed");
        assert!((unix_now() - changed).abs() < 20.0, "{changed}");
        assert_eq!(page.sum(&data("up"), &[]), 2.0);
        let shown = of_clusters(&page);
        let cluster = serve.cluster(&id).await;
        Watched { folder, cloud, configuration, state, serve, shown, cluster }
    }

    async fn written(&self) {
        eventually("the state is written", async || {
            if self.state.exists() { Ok(()) } else { Err(self.serve.process.err()) }
        })
        .await;
    }

    /// Ends it in order.
    async fn end(&mut self) {
        self.serve.process.terminate().await;
        let status = self.serve.process.end().await;
        assert_eq!(status.code(), Some(0), "{}", self.serve.process.err());
    }

    /// The first page of the next process, while there is no cloud, is the last one of the old.
    async fn assert_survives(self) {
        let Watched { folder, cloud, configuration, shown, cluster, .. } = self;
        let id = cloud.id(0).to_owned();
        cloud.stop().await;
        let mut serve = Serve::start(&folder, "second", &configuration, &[]).await;
        let page = serve.metrics().await;
        assert_eq!(of_clusters(&page), shown);
        assert_eq!(page.value("css_vpcep_exporter_targets", &[("state", "fresh")]), Some(2.0));
        assert_eq!(serve.get("/-/ready").await.status, 200);
        let restored = serve.cluster(&id).await;
        let keys =
            ["items", "connections", "last_success", "last_attempt", "up", "complete", "state"];
        for key in keys {
            assert_eq!(restored[key], cluster[key], "{key}");
        }

        // The cloud is really down, and that takes nothing away.
        poll(&mut serve, &id).await;
        let page = serve.metrics().await;
        assert_eq!(page.value(&data("up"), &[("cluster_id", &id)]), Some(0.0));
        let poll = ["up", "last_attempt_timestamp_seconds", "poll_duration_seconds"].map(data);
        let kept = |samples: Vec<Sample>| {
            let kept = samples.into_iter().filter(|sample| !poll.contains(&sample.name));
            kept.collect::<Vec<_>>()
        };
        assert_eq!(kept(of_clusters(&page)), kept(shown));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_forgets_nothing() {
    let mut watched = Watched::start("an_orderly_end").await;
    watched.end().await;
    let file = fs::read_to_string(&watched.state).expect("it is text");
    let mode = fs::metadata(&watched.state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let digest = sha256(TOKEN);
    for secret in [&*watched.cloud.secret_key, SECRET_TOKEN, TOKEN, &digest, "Signature"] {
        assert!(!file.contains(&secret[..8]), "{secret}");
    }
    // What is no secret is found by the same search.
    assert!(file.contains(watched.cloud.id(0)));
    let names = fs::read_dir(&watched.folder.path).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.starts_with("state.") && name != "state.lock"));
    watched.assert_survives().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_forgets_nothing_that_was_written() {
    let mut watched = Watched::start("a_kill").await;
    watched.written().await;
    watched.serve.signal("KILL", 1).await;
    assert_eq!(watched.serve.process.end().await.code(), None);
    watched.assert_survives().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_set_aside() {
    let mut watched = Watched::start("a_damaged_file").await;
    watched.end().await;
    let good = fs::read(&watched.state).unwrap();
    let body = good.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    let damages = [0, body - 2, body, good.len() / 2, good.len() - 2, good.len() - 1];
    for (number, at) in damages.into_iter().enumerate() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&watched.state, &bad).unwrap();
        let name = format!("damaged-{number}");
        let mut serve = Serve::start(&watched.folder, &name, &watched.configuration, &[]).await;
        let page = serve.metrics().await;
        assert_eq!(page.sum(&data("connection_transitions_total"), &[]), 0.0);
        let err = serve.process.err();
        let lines: Vec<_> = err.lines().filter(|line| line.contains(" is damaged ")).collect();
        assert_eq!(lines.len(), 1, "{at}: {err}");
        assert!(!err.contains("state restored"), "{at}: nothing of it is used: {err}");
        let moved = set_aside(&watched.folder.path);
        let [moved] = &*moved else { panic!("{at}: {moved:?}") };
        assert!(lines[0].contains(moved.to_str().unwrap()), "{at}: {}", lines[0]);
        assert_eq!(fs::read(moved).unwrap(), bad, "{at}");
        assert_eq!(fs::metadata(moved).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(moved).unwrap();
        // It goes on as after a first start, and keeps what it finds.
        poll(&mut serve, watched.cloud.id(1)).await;
        serve.process.terminate().await;
        assert_eq!(serve.process.end().await.code(), Some(0));
        assert!(fs::read_to_string(&watched.state).unwrap().contains(watched.cloud.id(1)));
    }
}

fn set_aside(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).expect("it is there").flatten().map(|entry| entry.path());
    let is_damaged = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("state.damaged-"))
    };
    all.filter(is_damaged).collect()
}

/// As in a rolling update that starts the new process before it ends the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_waits_for_the_end_of_the_one_before() {
    let mut watched = Watched::start("the_next_process_waits").await;
    let file = watched.folder.write("next.yml", watched.configuration.to_string());
    let serve = |folder: &Folder, name: &str| {
        let mut command = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
        command.arg("--config.file").arg(&file);
        Process::start(folder, name, command)
    };
    let mut next = serve(&watched.folder, "next");
    let owner = format!("belongs to process {} on ", watched.serve.process.id());
    let said = next.line(Process::err, |line| line.contains(&owner).then(|| line.to_owned())).await;
    assert!(said.contains("waiting up to 60 s for it to end"), "{said}");
    // It is alive but not ready.
    let address = next.address("public").await;
    let get = async |path: &str| {
        let url = format!("http://{address}{path}");
        ask(Method::GET, &url, &[], String::new()).await.expect("it answers").status
    };
    for (path, status) in [("/-/healthy", 200), ("/-/ready", 503), ("/metrics", 503), ("/", 503)] {
        assert_eq!(get(path).await, status, "{path}");
    }
    // A third process is told to end while it waits. `check-config` takes no lock.
    let mut third = serve(&watched.folder, "third");
    third.line(Process::err, |line| line.contains(&owner).then(|| line.to_owned())).await;
    third.terminate().await;
    assert_eq!(third.end().await.code(), Some(0), "{}", third.err());
    let mut check = exporter(&["check-config", "--config.file"]);
    check.arg(&file);
    assert_eq!(run(check).await.code, Some(0));

    watched.end().await;
    let is_restored = |line: &str| line.contains("state restored").then(String::new);
    next.line(Process::err, is_restored).await;
    let listens = |line: &str| {
        let is_it = line.contains("listening") && !line.contains("during the start");
        is_it.then(String::new)
    };
    next.line(Process::err, listens).await;
    let restored = next.err();
    assert_eq!(restored.matches("waiting up to").count(), 1, "{restored}");
    assert_eq!(get("/-/healthy").await, 200);
    // The line is written before the routes of the start give way to those of the daemon.
    eventually("it is ready", async || match get("/-/ready").await {
        200 => Ok(()),
        status => Err(format!("{status}")),
    })
    .await;
    // A killed process releases the lock as well.
    next.signal("KILL").await;
    next.end().await;
    let mut last = serve(&watched.folder, "last");
    last.address("public").await;
    assert!(!last.err().contains("belongs to"), "{}", last.err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_a_renamed_project_is_not_restored() {
    let mut watched = Watched::start("a_renamed_project_restarts").await;
    watched.end().await;
    watched.configuration["projects"][0]["name"] = json!("renamed");
    let Watched { folder, cloud, configuration, .. } = watched;
    cloud.stop().await;
    let serve = Serve::start(&folder, "second", &configuration, &[]).await;
    let page = serve.metrics().await;
    assert_eq!(page.all(&data("connections"), &[]), Vec::<&Sample>::new());
    assert_eq!(page.value("css_vpcep_exporter_targets", &[("state", "never")]), Some(2.0));
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_exit_code_64() {
    let folder = Folder::new("a_place_that_cannot_be_written");
    let cloud = Cloud::start(1, 1).await;
    let plain = folder.write("plain", "x");
    let places = [
        folder.path.join("missing/state"),
        plain.join("state"),
        folder.path.clone(),
        // Not even root may write there.
        "/proc/css-vpcep-exporter-state".into(),
    ];
    for place in places {
        let mut configuration = configuration(&cloud);
        configuration["state_file"] = json!(place);
        let file = folder.write("config.yml", configuration.to_string());
        let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
        serve.args(["--log.level", "error"]).arg("--config.file").arg(file);
        let ended = run(serve).await;
        assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{place:?}: {ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        for word in ["state_file", place.to_str().unwrap()] {
            assert!(ended.err.contains(word), "{word} is not in {}", ended.err);
        }
    }
}
