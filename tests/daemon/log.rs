//! What the log says, and how often.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ask,
    cloud::Cloud,
    daemon::configuration,
    eventually,
    process::{Folder, Process, exporter, run},
};

/// A daemon that polls every three seconds, and its log in JSON at debug.
async fn serve(folder: &Folder, cloud: &Cloud) -> Process {
    let mut config = configuration(cloud);
    config["poll"] = json!({"interval": "3s", "timeout": "3s", "stale_after": "1h"});
    folder.write("css-vpcep-exporter.yml", config.to_string());
    let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.args(["--log.format", "json", "--log.level", "debug"]);
    let mut process = Process::start(folder, "serve", serve);
    process.address("public").await;
    process
}

/// The lines whose message begins with this. Checks that every line of the log has the common keys.
fn lines(process: &Process, message: &str) -> Vec<Value> {
    let log = process.err();
    let whole = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let lines = whole.map(|line| {
        let parsed: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let keys = ["ts", "level", "target", "msg"];
        assert!(keys.iter().all(|key| parsed[key].is_string()), "{line}");
        parsed
    });
    lines.filter(|line| line["msg"].as_str().is_some_and(|msg| msg.starts_with(message))).collect()
}

/// Waits for this many of them.
async fn wait_for(process: &Process, message: &str, count: usize) -> Vec<Value> {
    eventually(message, async || {
        let found = lines(process, message);
        if found.len() >= count { Ok(found) } else { Err(process.err()) }
    })
    .await
}

async fn break_all(cloud: &Cloud, fault: &str) {
    let faults: Vec<_> = cloud.clusters.iter().map(|(id, _)| (id.as_str(), fault)).collect();
    cloud.break_clusters(&faults).await;
}

#[tokio::test]
async fn the_first_line_says_what_runs() {
    let folder = Folder::new("the_first_line_says_what_runs");
    let cloud = Cloud::start(3, 2).await;
    let process = serve(&folder, &cloud).await;
    // Only warnings about the configuration may come before it.
    let mut said = lines(&process, "").into_iter();
    let line = said.find(|line| line["level"] != "warn").expect("a line");
    assert_eq!(line["msg"], "listening");
    let text = |key: &str| line[key].as_str().expect("a text").to_owned();
    let version = run(exporter(&["--version"])).await.out;
    let expected =
        format!("css-vpcep-exporter {} (revision {})\n", text("version"), text("revision"));
    assert_eq!(version, expected);
    assert_eq!(
        (text("level"), text("config_file")),
        ("info".into(), "css-vpcep-exporter.yml".into())
    );
    assert_eq!((&line["clusters"], &line["public_tls"]), (&json!(3), &json!(false)));
    cloud.stop().await;
}

#[tokio::test]
async fn transitions_surprises_and_polls_are_logged() {
    let folder = Folder::new("transitions_surprises_and_polls_are_logged");
    let cloud = Cloud::start(2, 4).await;
    let process = serve(&folder, &cloud).await;
    let polls = wait_for(&process, "a poll has ended", 4).await;
    assert!(polls.iter().all(|line| line["level"] == "debug" && line["pages"] == 1), "{polls:?}");

    let step = format!("{}/__sim/step", cloud.url);
    let message = "the status of a connection has changed";
    let transition = eventually("a transition", async || {
        ask(Method::POST, &step, &[], "{}".into()).await?;
        lines(&process, message).pop().ok_or("none".to_owned())
    })
    .await;
    assert_eq!(transition["level"], "info");
    let keys = ["project", "region_id", "cluster_id", "cluster_name", "endpoint_id", "from", "to"];
    assert!(keys.iter().all(|key| transition[key].is_string()), "{transition}");

    break_all(&cloud, "unknown-status").await;
    let message = "the API answered something that is not documented";
    let surprise = wait_for(&process, message, 1).await.remove(0);
    let told = ["level", "kind", "field", "value", "project"].map(|key| surprise[key].clone());
    assert_eq!(told, ["info", "unknown_status", "status", "\"frozen\"", "prod"]);
    assert!(cloud.clusters.iter().any(|(id, _)| surprise["cluster_id"] == **id), "{surprise}");
    // It is met again and again, and logged once.
    let polled = lines(&process, "a poll has ended").len();
    wait_for(&process, "a poll has ended", polled + 4).await;
    assert_eq!(lines(&process, message).len(), 1, "{}", process.err());
    cloud.stop().await;
}

#[tokio::test]
async fn a_cause_is_one_line_whatever_it_breaks() {
    let folder = Folder::new("a_cause_is_one_line_whatever_it_breaks");
    let cloud = Cloud::start(5, 2).await;
    break_all(&cloud, "forbidden").await;
    let process = serve(&folder, &cloud).await;
    wait_for(&process, "a poll has ended", 15).await;
    let failed = lines(&process, "a cluster cannot be read");
    assert_eq!(failed.len(), 1, "{failed:?}");
    let told = ["level", "code"].map(|key| failed[0][key].clone());
    assert_eq!(told, ["warn", "CSS.0015"]);
    cloud.break_clusters(&[]).await;
    let again = wait_for(&process, "clusters can be read again", 1).await;
    assert_eq!((again.len(), &again[0]["clusters"]), (1, &json!(5)), "{again:?}");

    // The same for `collect`.
    break_all(&cloud, "forbidden").await;
    let mut collect = exporter(&["collect"]);
    collect.current_dir(&folder.path);
    let collected = run(collect).await.err;
    assert_eq!(collected.matches("level=error").count(), 1, "{collected}");
    assert!(collected.contains("clusters=5") && collected.contains("CSS.0015"), "{collected}");
    cloud.stop().await;
}

#[tokio::test]
async fn a_token_goes_into_a_file_alone() {
    let ended = run(exporter(&["token", "--name", "anna", "--role", "editor"])).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.starts_with("cssvpcep_") && ended.out.lines().count() == 1, "{ended:?}");
    assert!(ended.err.contains("name: \"anna\"") && !ended.err.contains("cssvpcep_"), "{ended:?}");
    // The output is a valid token file.
    let folder = Folder::new("a_token_goes_into_a_file_alone");
    let file = folder.write("token", &ended.out);
    let list = || {
        let mut list = exporter(&["service", "list", "--admin.url", "http://127.0.0.1:1"]);
        list.arg("--admin.token-file").arg(&file);
        list
    };
    let ended = run(list()).await;
    assert_eq!(ended.code, Some(1), "the token is taken, and nobody is there: {ended:?}");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("the file is ours");
    let ended = run(list()).await;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("every user of the machine can use it (mode 644)"), "{ended:?}");
}
