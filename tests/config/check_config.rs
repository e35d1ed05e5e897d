//! What `check-config` says: goldens offline, and the simulated cloud online.

use std::net::Ipv4Addr;

use css_vpcep_exporter::sim::{Pace, Settings, Sim};

use super::*;

/// `UPDATE_GOLDEN=1 cargo test` writes the goldens anew; look at what changed.
fn golden(name: &str, flags: &[&str]) {
    let mut command = program();
    command.current_dir(here("tests/data/config")).args(["check-config", "--config.file"]);
    let (code, stdout, stderr) = output(command.arg(format!("{name}.good.yml")).args(flags));
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let path = here(&format!("tests/data/config/{name}.cost.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &stdout).unwrap();
    }
    assert_eq!(stdout, fs::read_to_string(path).unwrap());
}

#[test]
fn a_configuration_within_its_limits() {
    golden("two-projects", &["--connections", "2500"]);
}

#[test]
fn a_configuration_over_its_limits() {
    golden("over-the-limit", &[]);
}

#[test]
fn the_part_of_a_shard() {
    golden("everything", &[]);
}

async fn cloud(clusters: usize) -> Sim {
    let settings = Settings {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        clusters,
        connections: 7,
        seed: 1,
        pace: Pace::Explicit,
        faults: Vec::new(),
        fixed_now: None,
    };
    Sim::bind(settings).await.unwrap()
}

/// Checks a configuration of these clusters while the cloud runs.
async fn online(sim: Sim, clusters: &[String], secret_key: &str) -> (Option<i32>, String) {
    let folder = Folder::new(&format!("online-{}", sim.url().rsplit_once(':').unwrap().1));
    let ids: Vec<_> = clusters.iter().map(|id| format!("{{ id: {id} }}")).collect();
    let text = format!(
        "projects: [{{ name: prod, region: {}, project_id: {}, \
         credentials: {{ environment: {{}} }}, api_endpoints: {{ css: \"{url}\", vpcep: \"{url}\", \
         iam: \"{url}\" }}, clusters: [{}] }}]",
        sim.region(),
        sim.project_id(),
        ids.join(", "),
        url = sim.url(),
    );
    let path = folder.write("config.yml", text, 0o600);
    let mut command = program();
    command.env("HUAWEICLOUD_SDK_AK", sim.access_key()).env("HUAWEICLOUD_SDK_SK", secret_key);
    command.args(["check-config", "--online", "--log.level", "error", "--config.file"]).arg(path);
    let checked = tokio::task::spawn_blocking(move || output(&mut command));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(sim.run(async {
        let _ = stopped.await;
    }));
    let (code, stdout, _) = checked.await.unwrap();
    drop(stop);
    running.await.unwrap().unwrap();
    (code, stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn online_the_true_counts_replace_the_assumption() {
    let sim = cloud(3).await;
    let (secret_key, clusters) = (sim.secret_key().to_owned(), sim.cluster_ids());
    let (code, stdout) = online(sim, &clusters, &secret_key).await;
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.starts_with("read 3 of 3 clusters\n"), "{stdout}");
    assert!(!stdout.contains("assumed"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_each_cluster_that_cannot_be_read_is_named() {
    let sim = cloud(2).await;
    let secret_key = sim.secret_key().to_owned();
    let foreign = "00000000-0000-4000-8000-000000000000".to_owned();
    let clusters = [sim.cluster_ids(), vec![foreign.clone()]].concat();
    let (code, stdout) = online(sim, &clusters, &secret_key).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.starts_with("read 2 of 3 clusters\n"), "{stdout}");
    let error = stdout.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains(&foreign) && error.contains("): not_found, code CSS.0015"), "{error}");
    assert!(error.contains(", request id "), "{error}");
    assert!(stdout.contains("\n  to do: check the cluster's id"), "{stdout}");
    assert!(stdout.contains("assumed: 10 connections"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_a_wrong_key_is_told() {
    let sim = cloud(2).await;
    let clusters = sim.cluster_ids();
    let (code, stdout) = online(sim, &clusters, CANARY).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.starts_with("read 0 of 2 clusters\n"), "{stdout}");
    // After the first refusal the key is in back-off, so the others need not have been sent.
    assert_eq!(stdout.matches("): auth").count(), 2, "{stdout}");
    assert!(stdout.contains("): auth, code APIGW.0301"), "{stdout}");
    assert_eq!(stdout.matches("to do: check the credentials").count(), 2, "{stdout}");
    assert!(!stdout.contains(CANARY), "{stdout}");
}
