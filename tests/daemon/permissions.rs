//! The policies under "Permissions" in the manual: they are sufficient, and each of their actions is needed.

use css_vpcep_exporter::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, ask,
    cloud::Cloud,
    daemon::{Daemon, configuration, sha256},
    eventually,
    process::Folder,
};

const PAGE: &str = include_str!("../../deploy/manual/huawei-cloud.md");

/// The actions of the two policies: for reading, and additionally for changes.
fn documented() -> [Vec<String>; 2] {
    policies(section("\n## Permissions\n", "\n## ")).try_into().expect("two policies")
}

fn policies(text: &str) -> Vec<Vec<String>> {
    let blocks = text.split("```json\n").skip(1).map(|block| block.split("```").next());
    blocks
        .map(|block| {
            let policy: Value = serde_json::from_str(block.expect("it has an end")).expect("JSON");
            let statements = policy["Statement"].as_array().expect("a list");
            assert!(statements.iter().all(|one| one["Effect"] == "Allow"));
            let actions =
                statements.iter().flat_map(|one| one["Action"].as_array().expect("a list"));
            actions.map(|action| action.as_str().expect("a text").to_owned()).collect()
        })
        .collect()
}

fn section(begin: &str, end: &str) -> &'static str {
    let rest = PAGE.split(begin).nth(1).expect("a section");
    rest.split(end).next().expect("it has an end")
}

#[test]
fn the_table_of_calls_names_the_permissions_of_the_policies() {
    let mut named: Vec<_> = section("# The real cloud\n", "\n## ")
        .lines()
        .filter_map(|line| line.trim_end_matches(" |").rsplit_once("| "))
        .flat_map(|(_, permission)| permission.split('`').skip(1).step_by(2))
        .filter(|action| action.contains(':'))
        .collect();
    let policies = documented().concat();
    let mut policies: Vec<_> = policies.iter().map(String::as_str).collect();
    named.sort_unstable();
    policies.sort_unstable();
    assert_eq!(named, policies);
}

/// The README's first configuration has no endpoint services, no discovery and no project id.
#[test]
fn the_policy_of_the_readme_is_enough_for_its_configuration() {
    let [reading, _] = documented();
    let readme = policies(include_str!("../../README.md"));
    let reading = without(&reading, "vpcep:endpointServices:list");
    assert_eq!(readme, [without(&reading, "css:cluster:list")]);
}

fn without(actions: &[String], one: &str) -> Vec<String> {
    actions.iter().filter(|action| *action != one).cloned().collect()
}

async fn allow(cloud: &Cloud, actions: &[String]) {
    cloud.control(Method::PUT, "credentials", &json!({ "actions": actions })).await;
}

/// A configuration that needs every permission: the project id is looked up, clusters are listed, and a
/// service is read.
async fn configured(cloud: &Cloud) -> Value {
    let services = cloud.control(Method::GET, "services", &json!({})).await;
    let mut configuration = configuration(cloud);
    let project = &mut configuration["projects"][0];
    project.as_object_mut().expect("a map").remove("project_id");
    project["endpoint_services"] = json!([{"id": services["services"][0]["id"], "name": "s"}]);
    project["discovery"] = json!({});
    configuration
}

/// Whether the cluster, the endpoint service and the list of clusters could be read, and the error about the
/// cluster.
async fn read(cloud: &Cloud) -> ([bool; 3], Value) {
    let daemon = Daemon::start(&configured(cloud).await, &Clock::system()).await;
    let cluster = daemon.poll(cloud.id(0)).await;
    let service = eventually("the services are read", async || {
        let page = daemon.metrics().await;
        page.value("huaweicloud_vpcep_service_up", &[]).ok_or_else(|| format!("{page:?}"))
    })
    .await;
    let list = eventually("the list is read", async || {
        let page = daemon.metrics().await;
        let failed = page.sum("css_vpcep_exporter_discovery_failures_total", &[]) > 0.0;
        let name = "css_vpcep_exporter_discovery_last_success_timestamp_seconds";
        let is_read = page.value(name, &[]).is_some();
        if failed || is_read { Ok(is_read) } else { Err(format!("{page:?}")) }
    })
    .await;
    daemon.stop().await;
    ([cluster["up"] == true, service > 0.0, list], cluster["last_error"].clone())
}

#[tokio::test]
async fn reading_works_under_the_documented_policy_and_needs_each_of_its_actions() {
    let cloud = Cloud::start(1, 2).await;
    let [reading, _] = documented();
    allow(&cloud, &reading).await;
    assert_eq!(read(&cloud).await, ([true; 3], Value::Null));
    let calls = cloud.requests().await["by_operation"].clone();
    let calls: Vec<_> = calls.as_object().expect("a map").keys().collect();
    assert_eq!(calls, ["css_clusters", "css_connections", "iam_projects", "vpcep_services"]);
    for action in &reading {
        allow(&cloud, &without(&reading, action)).await;
        let (read, error) = read(&cloud).await;
        let (works, code) = match &**action {
            "css:VPCEndpoint:listConnection" => ([false, true, true], json!("CSS.0051")),
            "vpcep:endpoints:get" => ([false, true, true], json!("CSS.5313")),
            "css:cluster:list" => ([true, true, false], Value::Null),
            "vpcep:endpointServices:list" => ([true, false, true], Value::Null),
            "iam:projects:list" => ([false; 3], json!("403")),
            other => panic!("{other} is needed for nothing that is tried here"),
        };
        assert_eq!((read, &error["code"]), (works, &code), "{action}: {error}");
        assert!(read[0] || error["reason"] == "forbidden", "{action}: {error}");
    }
}

#[tokio::test]
async fn changes_work_under_the_documented_policies_and_need_each_action_of_the_second() {
    let cloud = Cloud::start(1, 2).await;
    let [reading, changing] = documented();
    let all = [&*reading, &changing].concat();
    allow(&cloud, &all).await;
    let folder = Folder::new("changes_work_under_the_documented_policies");
    let mut configuration = configured(&cloud).await;
    configuration["projects"][0]["rate_limit"]["vpcep"] =
        json!({"requests_per_second": 1000, "burst": 1000});
    let token = "the-editor-of-the-tests";
    configuration["admin"]["audit_log"] = json!(folder.path.join("audit.jsonl"));
    configuration["admin"]["tokens"] = json!([{
        "name": "editor", "sha256": sha256(token), "role": "editor", "services": ["*"], "clusters": ["*"],
    }]);
    let daemon = Daemon::start(&configuration, &Clock::system()).await;
    let change = async |description: &str| -> Answer {
        let url = format!("http://{}/api/v1/endpoint-services/prod/s", daemon.admin);
        let token = format!("Bearer {token}");
        let headers =
            [("authorization", &*token), ("content-type", "application/json"), ("if-match", "*")];
        let body = json!({ "description": description }).to_string();
        ask(Method::PUT, &url, &headers, body).await.expect("the daemon answers")
    };
    let decide = async |status: &str| -> Answer {
        let url = format!("http://{}/api/v1/clusters/{}/connections", daemon.admin, cloud.id(0));
        let token = format!("Bearer {token}");
        let headers = [("authorization", &*token), ("content-type", "application/json")];
        let listed = ask(Method::GET, &url, &headers[..1], String::new()).await;
        let listed = listed.expect("the daemon answers").json();
        let endpoint_id = &listed["connections"][0]["endpoint_id"];
        let path = format!(
            "clusters/{}/connections/{}",
            cloud.id(0),
            endpoint_id.as_str().expect("an id")
        );
        cloud.control(Method::POST, &path, &json!({ "status": status })).await;
        let seen = json!({ "endpoint_id": endpoint_id, "status": status });
        let body = json!({ "action": "accept", "connections": [seen] }).to_string();
        ask(Method::POST, &url, &headers, body).await.expect("the daemon answers")
    };
    let answer = decide("rejected").await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (200, &json!("applied")), "{answer:?}");
    let answer = change("allowed").await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (200, &json!("applied")), "{answer:?}");
    for action in &changing {
        allow(&cloud, &without(&all, action)).await;
        let answer = match &**action {
            "css:VPCEndpoint:manageConnection" => decide("rejected").await,
            action => change(action).await,
        };
        assert_eq!(answer.status, 502, "{action}: {answer:?}");
        assert!(answer.text.contains(&**action), "the missing action is named: {answer:?}");
        let truth = cloud.control(Method::GET, "services", &json!({})).await;
        assert_eq!(truth["services"][0]["description"], "allowed", "{action}");
    }
    daemon.stop().await;
}
