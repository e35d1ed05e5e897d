//! What `check-config` says: goldens offline, and the simulated cloud online.

use serde_json::json;

use super::*;
use crate::support::{
    cloud::Cloud,
    daemon::project,
    process::{Ended, exporter, run},
};

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
fn clusters_that_discovery_will_find() {
    golden("discovery", &[]);
}

#[test]
fn the_part_of_a_shard() {
    golden("everything", &[]);
}

/// Checks a configuration of these clusters of a cloud.
async fn online(cloud: &Cloud, clusters: &[&str], secret_key: &str) -> (Option<i32>, String) {
    let folder = Folder::new("online");
    let mut project = project("prod", cloud);
    project["credentials"] = json!({ "environment": {} });
    project["clusters"] = clusters.iter().map(|id| json!({ "id": id })).collect();
    let path = folder.write("config.yml", json!({ "projects": [project] }).to_string());
    let mut command = exporter(&["check-config", "--online", "--log.level", "error"]);
    command.env("HUAWEICLOUD_SDK_AK", &cloud.access_key).env("HUAWEICLOUD_SDK_SK", secret_key);
    command.arg("--config.file").arg(path);
    let Ended { code, out, .. } = run(command).await;
    (code, out)
}

/// The ids of all clusters of a cloud.
fn ids(cloud: &Cloud) -> Vec<&str> {
    cloud.clusters.iter().map(|(id, _)| id.as_str()).collect()
}

#[tokio::test]
async fn online_the_true_counts_replace_the_assumption() {
    let cloud = Cloud::start(3, 7).await;
    let (code, stdout) = online(&cloud, &ids(&cloud), &cloud.secret_key).await;
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.starts_with("valid\nread 3 of 3 clusters\n"), "{stdout}");
    assert!(!stdout.contains("assumed"), "{stdout}");
}

#[tokio::test]
async fn online_each_cluster_that_cannot_be_read_is_named() {
    let cloud = Cloud::start(2, 7).await;
    let foreign = "00000000-0000-4000-8000-000000000000";
    let clusters = [ids(&cloud), vec![foreign]].concat();
    let (code, stdout) = online(&cloud, &clusters, &cloud.secret_key).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.starts_with("valid\nread 2 of 3 clusters\n"), "{stdout}");
    let error = stdout.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.starts_with("error: not_found, request id "), "{error}");
    let place = format!("\n  project prod: 1 of 3 clusters: {foreign} ({foreign})\n");
    assert!(stdout.contains(&place), "{stdout}");
    assert!(stdout.contains("\n  to do: check the cluster's id"), "{stdout}");
    assert!(stdout.contains("assumed: 10 connections"), "{stdout}");
}

#[tokio::test]
async fn online_a_wrong_key_is_told() {
    let cloud = Cloud::start(40, 7).await;
    let (code, stdout) = online(&cloud, &ids(&cloud), CANARY).await;
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
#[tokio::test]
async fn online_a_list_that_is_not_whole_is_an_error() {
    let cloud = Cloud::faulty(2, 1_500, &["start-parameter"]).await;
    let (code, stdout) = online(&cloud, &ids(&cloud), &cloud.secret_key).await;
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
    let config = folder.write("config.yml", FAR_FROM_HOME);
    let web = "tls_server_config: { cert_file: /nowhere/c, key_file: /nowhere/k }\n";
    let web = folder.write("web.yml", web);
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
    for word in ["[5].credentials.environment", "web_config_file", "web.yml:1:"] {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
    let (code, _, stderr) = check(&["--syntax-only", "--online"]);
    assert_eq!(code, Some(64), "{stderr}");

    // The texts themselves are still checked.
    folder.write("config.yml", FAR_FROM_HOME.replace("audit_log", "audit"));
    let (code, _, stderr) = check(&["--syntax-only"]);
    assert!(code == Some(64) && stderr.contains("config.yml:20:3: unknown field"), "{stderr}");
    folder.write("config.yml", FAR_FROM_HOME.replace("viewer", "owner"));
    folder.write("web.yml", "tls_server_config: { cert_file: c }\n");
    let (code, _, stderr) = check(&["--syntax-only"]);
    assert_eq!(code, Some(64));
    for mistake in [
        "config.yml:21:97: admin.tokens[0].role: found \"owner\", expected viewer or editor",
        "web.yml:1:1: tls_server_config.key: found nothing, expected key or key_file",
    ] {
        assert!(stderr.contains(mistake), "{mistake}: {stderr}");
    }
}
