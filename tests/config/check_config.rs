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
    faulty_cloud(clusters, 7, &[]).await
}

async fn faulty_cloud(clusters: usize, connections: usize, faults: &[&str]) -> Sim {
    let settings = Settings {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        clusters,
        connections,
        seed: 1,
        pace: Pace::Explicit,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
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
    assert!(stdout.starts_with("valid\nread 3 of 3 clusters\n"), "{stdout}");
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
    assert!(stdout.starts_with("valid\nread 2 of 3 clusters\n"), "{stdout}");
    let error = stdout.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.starts_with("error: not_found, request id "), "{error}");
    let place = format!("\n  project prod: 1 of 3 clusters: {foreign} ({foreign})\n");
    assert!(stdout.contains(&place), "{stdout}");
    assert!(stdout.contains("\n  to do: check the cluster's id"), "{stdout}");
    assert!(stdout.contains("assumed: 10 connections"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_a_wrong_key_is_told() {
    let sim = cloud(40).await;
    let clusters = sim.cluster_ids();
    let (code, stdout) = online(sim, &clusters, CANARY).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.starts_with("valid\nread 0 of 40 clusters\n"), "{stdout}");
    // One cause is one error, however many clusters it keeps from being read.
    let errors: Vec<_> = stdout.lines().filter(|line| line.starts_with("error: ")).collect();
    let [error] = errors[..] else { panic!("{stdout}") };
    assert!(error.starts_with("error: auth, request id "), "{error}");
    assert_eq!(error.matches("APIGW.0301").count(), 1, "{error}");
    assert!(stdout.contains("to do: check the credentials"), "{stdout}");
    assert!(!stdout.contains(CANARY), "{stdout}");
}

/// A region that counts otherwise than configured shows only the first page.
#[tokio::test(flavor = "multi_thread")]
async fn online_a_list_that_is_not_whole_is_an_error() {
    let sim = faulty_cloud(2, 1_500, &["start-parameter"]).await;
    let (secret_key, clusters) = (sim.secret_key().to_owned(), sim.cluster_ids());
    let (code, stdout) = online(sim, &clusters, &secret_key).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.starts_with("valid\nread 2 of 2 clusters\n"), "{stdout}");
    assert!(stdout.contains("\nerror: the list of connections is incomplete\n"), "{stdout}");
    assert!(stdout.contains("\n  project prod: 2 of 2 clusters: "), "{stdout}");
    assert!(stdout.contains("\n  to do: check paging.parameter and paging.first"), "{stdout}");
}

/// A configuration for a machine that has none of the files and variables that it names.
const FAR_FROM_HOME: &str = "\
shard: { from: hostname-ordinal, count: 2 }
state_file: /nowhere/state
projects:
  - name: a
    region: cn-north-4
    credentials: { static: { access_key: AK, secret_key_file: /nowhere/sk, security_token_file: /nowhere/st } }
    clusters: [{ id: 5c77b71c-5b35-4f50-8984-76387e42451a }]
  - { name: b, region: cn-north-4, credentials: { password: { domain: d, user: u, password_file: /nowhere/p } } }
  - { name: c, region: cn-north-4, credentials: { token: { file: /nowhere/token } } }
  - { name: d, region: cn-north-4, credentials: { profile: { file: /nowhere/profile } } }
  - { name: e, region: cn-north-4, credentials: { profile: {} } }
  - { name: f, region: cn-north-4, credentials: { environment: {} } }
  - name: g
    region: cn-north-4
    credentials: chain
    clusters: [{ id: 4f3deec3-efa8-4598-bf91-560aad1377a3 }]
admin:
  listen: 0.0.0.0:10068
  web_config_file: /nowhere/web.yml
  audit_log: /nowhere/audit.jsonl
  tokens: [{ name: a, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, role: viewer }]
";

#[test]
fn a_text_is_checked_without_anything_that_it_names() {
    let folder = Folder::new("syntax-only");
    let config = folder.write("config.yml", FAR_FROM_HOME, 0o600);
    let web = "tls_server_config: { cert_file: /nowhere/c, key_file: /nowhere/k }\n";
    let web = folder.write("web.yml", web, 0o600);
    let check = |flags: &[&str]| {
        let mut command = program();
        command.env_clear().arg("check-config").args(flags).arg("--config.file").arg(&config);
        output(command.arg("--web.config.file").arg(&web))
    };
    let (code, stdout, stderr) = check(&["--syntax-only"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.starts_with("valid\n"), "{stdout}");
    // Which shard this will be is not in the text: the cost is that of the whole fleet.
    let rows: Vec<_> = stdout.lines().filter(|line| line.contains('%')).collect();
    let clusters: u32 =
        rows.iter().map(|row| row.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()).sum();
    assert_eq!((rows.len(), clusters), (7, 2), "{stdout}");
    assert!(!stdout.contains("shard "), "{stdout}");
    // With all that it names, there is something wrong in every part.
    let (code, _, stderr) = check(&[]);
    assert_eq!(code, Some(64));
    for word in ["shard.from", "secret_key_file", "password_file", "token.file", "profile.file"] {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
    for word in
        ["[5].credentials.environment", "[6].credentials: ", "web_config_file", "web.yml:1:"]
    {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
    let (code, _, stderr) = check(&["--syntax-only", "--online"]);
    assert_eq!(code, Some(64), "{stderr}");

    // The texts themselves are still checked.
    folder.write("config.yml", FAR_FROM_HOME.replace("audit_log", "audit"), 0o600);
    let (code, _, stderr) = check(&["--syntax-only"]);
    assert!(code == Some(64) && stderr.contains("config.yml:20:3: unknown field"), "{stderr}");
    folder.write("config.yml", FAR_FROM_HOME.replace("viewer", "owner"), 0o600);
    folder.write("web.yml", "tls_server_config: { cert_file: c }\n", 0o600);
    let (code, _, stderr) = check(&["--syntax-only"]);
    assert_eq!(code, Some(64));
    for mistake in [
        "config.yml:21:97: admin.tokens[0].role: found \"owner\", expected viewer or editor",
        "web.yml:1:1: tls_server_config.key: found nothing, expected key or key_file",
    ] {
        assert!(stderr.contains(mistake), "{mistake}: {stderr}");
    }
}
