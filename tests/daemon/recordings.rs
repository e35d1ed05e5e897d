//! Recordings: `collect --record` makes them, `simulate --replay` answers from them, and each one of the real
//! cloud under tests/data/recordings still gives the metrics beside it.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use css_vpcep_exporter::sim::Sim;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::{
    cloud::Cloud,
    daemon::project,
    here,
    page::{Page, Sample},
    process::{Ended, Folder, Process, exporter, run},
};

/// The samples that say something of the poll rather than of the cloud.
const OF_THE_POLL: [&str; 3] = ["last_success", "last_attempt", "poll_duration"];

async fn collect(folder: &Folder, configuration: &Value, record: Option<&Path>) -> Ended {
    let mut command = exporter(&["collect", "--config.file"]);
    command.arg(folder.write("config.yml", configuration.to_string()));
    if let Some(file) = record {
        command.arg("--record").arg(file);
    }
    run(command).await
}

fn lines(recording: &str) -> Vec<Value> {
    recording.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The projects and clusters of a recording, polled at this address.
fn configuration(recording: &str, url: &str) -> Value {
    let lines = lines(recording);
    let region = lines[0]["regions"][0].as_str().expect("the head names a region");
    let mut discovered = Vec::new();
    let mut projects: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for path in lines.iter().filter_map(|line| line["path"].as_str()) {
        let segments: Vec<&str> = path.split('/').collect();
        if let ["", _, project, "clusters", cluster, ..] = segments[..] {
            projects.entry(project).or_default().insert(cluster, json!({ "id": cluster }));
        } else if let ["", _, project, "clusters"] = segments[..] {
            discovered.push(project);
        }
    }
    let projects = projects.into_iter().enumerate().map(|(number, (id, clusters))| {
        json!({
            "name": format!("project-{number}"),
            "region": region,
            "project_id": id,
            "discovery": discovered.contains(&id).then(|| json!({})),
            "credentials": {"static": {"access_key": "AK", "secret_key": "SK"}},
            "api_endpoints": {"css": url, "vpcep": url, "iam": url},
            "rate_limit": {"css": {"requests_per_second": 1000, "burst": 1000}},
            "clusters": clusters.into_values().collect::<Vec<_>>(),
        })
    });
    json!({ "projects": projects.collect::<Vec<_>>() })
}

/// The samples of a page that are about the cloud.
fn data(page: &str) -> String {
    let data = page.lines().filter(|line| line.starts_with("huaweicloud_"));
    let fixed = data.map(|line| match line.rsplit_once(' ') {
        Some((series, _)) if OF_THE_POLL.iter().any(|name| series.contains(name)) => {
            format!("{series} *\n")
        }
        _ => format!("{line}\n"),
    });
    fixed.collect()
}

/// The directory has at least the example of the API document.
#[tokio::test]
async fn every_recording_gives_the_metrics_beside_it() {
    let folder = Folder::new("every_recording_gives_the_metrics_beside_it");
    let files = fs::read_dir(here("tests/data/recordings")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let recordings: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")).collect();
    assert!(!recordings.is_empty());
    for file in recordings {
        let recording = fs::read_to_string(&file).unwrap();
        let sim = Sim::replay(([127, 0, 0, 1], 0).into(), &recording).await;
        let sim = sim.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let configuration = configuration(&recording, &sim.url());
        let (stop, stopped) = oneshot::channel::<()>();
        let cloud = tokio::spawn(sim.run(async {
            stopped.await.ok();
        }));
        let ended = collect(&folder, &configuration, None).await;
        let actual = data(&ended.out);
        let golden = file.with_extension("prom");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &actual).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        let hint = "UPDATE_GOLDEN=1 takes over what differs";
        assert!(actual == expected, "{}: {hint}:\n{actual}\n{}", golden.display(), ended.err);
        stop.send(()).unwrap();
        cloud.await.unwrap().unwrap();
    }
}

/// Two projects: one whose id is looked up, and one with a password.
async fn two_projects(cloud: &Cloud, folder: &Folder) -> Value {
    let [mut signed, mut logged_in] = ["prod", "test"].map(|name| project(name, cloud));
    signed.as_object_mut().unwrap().remove("project_id");
    (signed["discovery"], logged_in["discovery"]) = (json!({}), json!({}));
    let known = cloud.control(Method::GET, "credentials", &json!({})).await;
    let password = folder.write("password", known["password"].as_str().unwrap());
    logged_in["credentials"] = json!({"password": {
        "domain": known["domain"], "user": known["user"], "password_file": password,
    }});
    let clusters = signed["clusters"].as_array_mut().unwrap();
    logged_in["clusters"] = clusters.split_off(2).into();
    json!({ "projects": [signed, logged_in] })
}

/// Each string under a value that is an id, a name, an address or an account, and the parts of it.
fn personal(key: &str, value: &Value, found: &mut Vec<String>) {
    let of_api = ["status", "specification_name", "datastore", "permission_type", "region"];
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| personal(key, value, found)),
        Value::Array(values) => values.iter().for_each(|value| personal(key, value, found)),
        Value::String(text) if !of_api.contains(&key) && !text.starts_with("20") => {
            let parts = text.split([':', '.']);
            let of_api = |part: &&str| part.starts_with("sim-region") || *part == "domain";
            let parts = parts.filter(|part| part.len() > 4 && !of_api(part));
            found.extend(parts.map(str::to_owned));
            found.extend((text.len() > 2).then(|| text.clone()));
        }
        _ => {}
    }
}

/// True if a text is there, and not as a part of a longer word.
fn tells(recording: &str, text: &str) -> bool {
    recording.match_indices(text).any(|(at, _)| {
        let is_end = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = recording.as_bytes();
        is_end(bytes[..at].last()) && is_end(bytes[at + text.len()..].first())
    })
}

/// A sample in which ids, names, addresses and accounts are only there or not.
fn without_names(Sample { name, labels, value }: &Sample) -> String {
    let words = ["status", "to", "region_id", "specification_name"];
    let label = |(name, value): (&String, &String)| {
        let shown = words.contains(&name.as_str()) || value.is_empty();
        format!("{name}={}", if shown { value } else { "…" })
    };
    format!("{name} {} {value}", labels.iter().map(label).collect::<Vec<_>>().join(","))
}

fn sorted(page: &str) -> Vec<String> {
    let page = Page::parse(page).unwrap();
    let data = page.samples.iter().filter(|sample| {
        sample.name.starts_with("huaweicloud_")
            && !OF_THE_POLL.iter().any(|name| sample.name.contains(name))
    });
    let mut lines: Vec<_> = data.map(without_names).collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_has_no_secret_and_no_name_of_its_cloud_and_plays_back_alike() {
    let folder = Folder::new("a_recording_has_no_secret_and_no_name_of_its_cloud");
    let cloud = Cloud::start(4, 30).await;
    // A message with an id, and a page that is no JSON.
    cloud.break_clusters(&[(cloud.id(1), "forbidden"), (cloud.id(3), "junk")]).await;
    let file = folder.file("recording.jsonl");
    let recorded = collect(&folder, &two_projects(&cloud, &folder).await, Some(&file)).await;
    assert_eq!(recorded.code, Some(1), "{recorded:?}");
    assert!(recorded.err.contains("Read it before you send it."), "{}", recorded.err);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let recording = fs::read_to_string(&file).unwrap();

    let mut personal_texts = vec![cloud.url.trim_start_matches("http://").to_owned()];
    for place in ["world", "credentials"] {
        let all = cloud.control(Method::GET, place, &json!({})).await;
        personal("", &all, &mut personal_texts);
    }
    assert!(personal_texts.len() > 400, "{personal_texts:?}");
    for text in [&*cloud.project_id, &*cloud.secret_key, cloud.id(0), &*cloud.clusters[0].1] {
        assert!(personal_texts.iter().any(|known| known == text), "{text}");
    }
    let token = cloud.log_in().await;
    personal_texts.extend(["Signature".to_owned(), token]);
    let told: Vec<_> = personal_texts.iter().filter(|text| tells(&recording, text)).collect();
    assert!(told.is_empty(), "{told:?} in\n{recording}");

    let lines = lines(&recording);
    let operations = lines.iter().filter_map(|line| line["operation"].as_str());
    let mut operations: Vec<_> = operations.collect();
    operations.sort_unstable();
    operations.dedup();
    assert_eq!(operations, ["css_clusters", "css_connections", "iam_projects", "iam_token"]);
    let token = lines.iter().find(|line| line["operation"] == "iam_token").unwrap();
    assert!(
        token["status"] == 201 && token["path"].is_null() && token["body"].is_null(),
        "{token}"
    );
    assert!(lines.iter().any(|line| line["status"] == 403 && line["body"].is_string()));
    assert!(
        lines
            .iter()
            .any(|line| line["left_out"].as_str().is_some_and(|text| text.contains("bytes")))
    );

    let mut simulate = exporter(&["simulate", "--listen", "127.0.0.1:0", "--replay"]);
    simulate.arg(&file);
    let mut replay = Process::start(&folder, "replay", simulate);
    let said =
        replay.line(Process::out, |line| line.strip_prefix("region ").map(str::to_owned)).await;
    assert_eq!(said, cloud.region);
    let url =
        replay.line(Process::out, |line| line.strip_prefix("cloud ").map(str::to_owned)).await;
    let configuration = configuration(&recording, &url);
    let project_id = configuration["projects"][0]["project_id"].as_str().unwrap();
    assert!(replay.out().contains(&format!("project_id {project_id}\n")), "{}", replay.out());
    let replayed = collect(&folder, &configuration, None).await;
    let (before, after) = (sorted(&recorded.out), sorted(&replayed.out));
    assert!(before.len() > 100 && before == after, "{before:#?}\n{after:#?}\n{}", replayed.err);
    replay.terminate().await;
    assert_eq!(replay.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_recording_needs_a_new_file_and_leaves_none_without_a_round() {
    let folder = Folder::new("a_recording_needs_a_new_file");
    let cloud = Cloud::start(1, 1).await;
    let configuration = json!({ "projects": [project("prod", &cloud)] });
    let file = folder.write("recording.jsonl", "kept");
    let refused = collect(&folder, &configuration, Some(&file)).await;
    assert_eq!((refused.code, &*refused.out), (Some(64), ""), "{refused:?}");
    let said = format!("{}: a recording needs a new file: File exists", file.display());
    assert!(refused.err.contains(&said), "{}", refused.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    assert_eq!(cloud.requests().await["total"], 0);

    // A cloud that never answers.
    cloud.break_clusters(&[(cloud.id(0), "hang")]).await;
    let file = folder.file("new.jsonl");
    let mut command = exporter(&["collect", "--log.level", "debug", "--config.file"]);
    command.arg(folder.write("config.yml", configuration.to_string())).arg("--record").arg(&file);
    let mut process = Process::start(&folder, "collect", command);
    crate::support::eventually("the round has begun", async || {
        let total = cloud.requests().await["total"].clone();
        if total == 1 && file.exists() { Ok(()) } else { Err(total.to_string()) }
    })
    .await;
    process.terminate().await;
    assert_eq!(process.end().await.code(), Some(1));
    assert!(!file.exists(), "{}", process.err());
}
