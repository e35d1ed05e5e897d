//! What `check-config` says: goldens offline, and the simulated cloud online.

use reqwest::Method;
use serde_json::{Value, json};

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
    let mut project = project("prod", cloud);
    project["credentials"] = json!({ "environment": {} });
    project["clusters"] = clusters.iter().map(|id| json!({ "id": id })).collect();
    online_by(cloud, &json!({ "projects": [project] }), secret_key, &[]).await
}

/// Checks a configuration with keys in the environment.
async fn online_by(
    cloud: &Cloud,
    configuration: &Value,
    secret_key: &str,
    flags: &[&str],
) -> (Option<i32>, String) {
    let folder = Folder::new("online");
    let path = folder.write("config.yml", configuration.to_string());
    let mut command = exporter(&["check-config", "--online", "--log.level", "error"]);
    command.args(flags);
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
    assert!(stdout.starts_with("valid\nproject prod\n"), "{stdout}");
    assert!(stdout.contains("\nread 3 of 3 clusters\n"), "{stdout}");
    assert!(!stdout.contains("assumed"), "{stdout}");
}

#[tokio::test]
async fn online_each_cluster_that_cannot_be_read_is_named() {
    let cloud = Cloud::start(2, 7).await;
    let foreign = "00000000-0000-4000-8000-000000000000";
    let clusters = [ids(&cloud), vec![foreign]].concat();
    let (code, stdout) = online(&cloud, &clusters, &cloud.secret_key).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.starts_with("valid\nproject prod\n"), "{stdout}");
    assert!(stdout.contains("\nread 2 of 3 clusters\n"), "{stdout}");
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
    assert!(stdout.starts_with("valid\nproject prod\n"), "{stdout}");
    assert!(stdout.contains("\nread 0 of 40 clusters\n"), "{stdout}");
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
    assert!(stdout.starts_with("valid\nproject prod\n"), "{stdout}");
    assert!(stdout.contains("\nread 2 of 2 clusters\n"), "{stdout}");
    assert!(stdout.contains("\nerror: the list of connections is incomplete\n"), "{stdout}");
    assert!(stdout.contains("\n  project prod: 2 of 2 clusters: "), "{stdout}");
    assert!(stdout.contains("\n  to do: check paging.parameter and paging.first"), "{stdout}");
}

/// A project whose id is looked up: the first of three clusters is written, two are wanted. An editor may
/// change its endpoint service and every connection.
fn discovering(cloud: &Cloud) -> Value {
    let mut project = project("prod", cloud);
    project["project_id"] = Value::Null;
    project["credentials"] = json!("chain");
    let (id, name) = &cloud.clusters[0];
    project["clusters"] = json!([{ "id": id, "name": name }]);
    project["discovery"] = json!({ "include": [name, cloud.clusters[1].1] });
    project["rate_limit"]["vpcep"] = json!({ "requests_per_second": 1000, "burst": 1000 });
    json!({
        "projects": [project],
        "admin": {
            "listen": "127.0.0.1:0",
            "audit_log": "audit.jsonl",
            "tokens": [{
                "name": "oncall",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "role": "editor",
                "clusters": ["prod/*"],
            }],
        },
    })
}

#[tokio::test]
async fn online_everything_about_a_project_is_said() {
    let cloud = Cloud::start(3, 7).await;
    let configuration = discovering(&cloud);
    let (code, stdout) = online_by(&cloud, &configuration, &cloud.secret_key, &[]).await;
    assert_eq!(code, Some(0), "{stdout}");
    let key = &cloud.access_key;
    assert!(!stdout.contains(&**key) && !stdout.contains(&cloud.secret_key), "{stdout}");
    let name = match key.len() < 16 {
        true => "…".to_owned(),
        false => format!("{}…{}", &key[..4], &key[key.len() - 4..]),
    };
    let [(first_id, first), (second_id, second), _] = &cloud.clusters[..] else { panic!("three") };
    let mut rows = [(first_id, first), (second_id, second)];
    rows.sort_by_key(|(id, _)| *id);
    let [one, other] = rows.map(|(id, name)| format!("  cluster {name} ({id}): ok, 7 connections"));
    let expected = [
        "valid",
        "project prod",
        &format!("  credentials: environment, access key {name}"),
        &format!("  project id: {}, looked up at IAM", cloud.project_id),
        "  ok         GET IAM /v3/projects (iam:projects:list)",
        "  ok         GET CSS /v1.0/{project_id}/clusters/{cluster_id}/vpcepservice/connections \
         (css:VPCEndpoint:listConnection, vpcep:endpoints:get)",
        "  ok         GET CSS /v1.0/{project_id}/clusters (css:cluster:list)",
        "  not tried  POST CSS /v1.0/{project_id}/clusters/{cluster_id}/vpcepservice/connections \
         (css:VPCEndpoint:manageConnection): it changes something",
        "  discovery: 3 clusters listed, 2 wanted, 1 new",
        &one,
        &other,
        "read 2 of 2 clusters",
    ];
    let said: Vec<_> = stdout.lines().take(expected.len()).collect();
    assert_eq!(said, expected, "{stdout}");
    // The cost is that of the discovered cluster, too.
    let row = stdout.lines().find(|line| line.starts_with("prod ")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("2"), "{stdout}");
    assert!(!stdout.contains("assumed"), "{stdout}");
    for purpose in ["reading", "discovering", "changing"] {
        assert!(
            stdout.contains(&format!("\npolicy for {purpose}, needed by prod:\n{{\n")),
            "{stdout}"
        );
    }
    assert!(stdout.contains("\"Version\": \"5.0\""), "{stdout}");
}

#[tokio::test]
async fn online_the_same_is_said_to_a_machine() {
    let cloud = Cloud::start(3, 7).await;
    let configuration = discovering(&cloud);
    let (code, stdout) = online_by(&cloud, &configuration, &cloud.secret_key, &["--json"]).await;
    assert_eq!(code, Some(0), "{stdout}");
    let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}"));
    let online = &document["projects"][0]["online"];
    let values = [
        (&document["valid"], json!(true)),
        (&document["assumed_connections"], json!(null)),
        (&document["projects"][0]["project"], json!("prod")),
        (&document["projects"][0]["clusters"], json!(2)),
        (&online["credentials"]["provider"], json!("environment")),
        (&online["credentials"]["error"], json!(null)),
        (&online["project_id"], json!({ "id": cloud.project_id, "looked_up": true })),
        (
            &online["calls"][2],
            json!({
                "operation": "css_clusters",
                "method": "GET",
                "service": "CSS",
                "path": "/v1.0/{project_id}/clusters",
                "actions": ["css:cluster:list"],
                "outcome": "ok",
            }),
        ),
        (&online["calls"][3]["outcome"], json!("not_tried")),
        (&online["calls"][3]["why"], json!("it changes something")),
        (&online["discovery"], json!({ "listed": 3, "wanted": 2, "new": 1, "error": null })),
        (&online["clusters"][0]["connections"], json!(7)),
        (&online["clusters"][0]["error"], json!(null)),
        (
            &document["policies"][2],
            json!({
                "purpose": "changing",
                "projects": ["prod"],
                "policy": {
                    "Version": "5.0",
                    "Statement": [{
                        "Effect": "Allow",
                        "Action": ["css:VPCEndpoint:manageConnection"],
                    }],
                },
            }),
        ),
    ];
    for (found, expected) in values {
        assert_eq!(*found, expected, "{stdout}");
    }
    let discovered = online["clusters"].as_array().unwrap();
    let discovered: Vec<_> = discovered.iter().filter(|one| one["discovered"] == true).collect();
    assert_eq!(discovered.len(), 1, "{stdout}");
    assert_eq!(discovered[0]["cluster_id"], cloud.clusters[1].0, "{stdout}");
}

#[tokio::test]
async fn online_a_call_that_is_refused_is_named_with_the_code_of_the_cloud() {
    let cloud = Cloud::start(3, 7).await;
    cloud.set_faults(json!([{ "name": "forbidden", "operation": "css_clusters" }])).await;
    let configuration = discovering(&cloud);
    let (code, stdout) = online_by(&cloud, &configuration, &cloud.secret_key, &[]).await;
    assert_eq!(code, Some(1), "{stdout}");
    for line in [
        "  failed     GET CSS /v1.0/{project_id}/clusters (css:cluster:list): not_found, CSS.0015",
        "  discovery: 0 clusters listed, 0 wanted, 0 new; failed: not_found, CSS.0015",
        "read 1 of 1 clusters",
        "  project prod: the list of clusters",
    ] {
        assert!(stdout.lines().any(|found| found == line), "{line:?} is not in\n{stdout}");
    }
    assert_eq!(stdout.matches("\nerror: ").count(), 1, "{stdout}");
}

#[tokio::test]
async fn online_credentials_that_cannot_be_obtained_are_told_once() {
    let cloud = Cloud::start(2, 7).await;
    let mut configuration = discovering(&cloud);
    configuration["projects"][0]["credentials"] =
        json!({ "password": { "domain": "nobody", "user": "nobody", "password": CANARY } });
    let (code, stdout) = online_by(&cloud, &configuration, &cloud.secret_key, &[]).await;
    assert_eq!(code, Some(1), "{stdout}");
    for begin in [
        "  credentials: password, failed: auth, ",
        "  project id: not found",
        "  failed     POST IAM /v3/auth/tokens: auth, ",
        "  not tried  GET CSS /v1.0/{project_id}/clusters (css:cluster:list): there are no credentials",
    ] {
        assert!(
            stdout.lines().any(|line| line.starts_with(begin)),
            "{begin:?} is not in\n{stdout}"
        );
    }
    assert_eq!(stdout.matches("\nerror: ").count(), 1, "{stdout}");
    assert!(!stdout.contains(CANARY), "{stdout}");
}

#[tokio::test]
async fn online_the_policies_are_enough_and_a_call_without_one_of_their_actions_is_named() {
    let cloud = Cloud::start(2, 2).await;
    let services = cloud.control(Method::GET, "services", &json!({})).await;
    let mut configuration = discovering(&cloud);
    let service = &services["services"][0]["id"];
    configuration["projects"][0]["endpoint_services"] = json!([{ "id": service, "name": "s" }]);
    configuration["admin"]["tokens"][0]["services"] = json!(["prod/s"]);
    let checked = async || {
        let (code, stdout) =
            online_by(&cloud, &configuration, &cloud.secret_key, &["--json"]).await;
        let document: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}"));
        (code, document)
    };
    let allow = async |actions: &[&str]| {
        cloud.control(Method::PUT, "credentials", &json!({ "actions": actions })).await;
    };
    let (_, document) = checked().await;
    let policies = document["policies"].as_array().unwrap().iter();
    let actions = policies.flat_map(|one| one["policy"]["Statement"][0]["Action"].as_array());
    let actions: Vec<_> = actions.flatten().map(|action| action.as_str().unwrap()).collect();
    assert_eq!(actions.len(), 8, "{actions:?}");
    allow(&actions).await;
    let (code, document) = checked().await;
    assert_eq!(code, Some(0), "{document}");
    let is_tried = |action: &&str| !action.ends_with(":update") && !action.contains(":manage");
    for missing in actions.iter().copied().filter(is_tried) {
        let others: Vec<_> = actions.iter().copied().filter(|one| *one != missing).collect();
        allow(&others).await;
        let (code, document) = checked().await;
        assert_eq!(code, Some(1), "{missing}: {document}");
        let calls = document["projects"][0]["online"]["calls"].as_array().unwrap();
        let failed: Vec<_> = calls.iter().filter(|call| call["outcome"] == "failed").collect();
        let [failed] = failed[..] else { panic!("{missing}: {document}") };
        assert!(failed["actions"].as_array().unwrap().contains(&json!(missing)), "{document}");
        assert_eq!(failed["error"]["reason"], "forbidden", "{missing}: {document}");
    }
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
