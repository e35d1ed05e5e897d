//! The official Huawei Cloud SDKs for Go and Python against the simulated cloud: lists, reads, updates and
//! refusals, each with the SDK's own call.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    binary::Simulator,
    parts::{fetch_json, part, python, said},
    support::process::{Folder, run},
    world::{Cluster, Connection, Permission},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    Go,
    Python,
}

impl Sdk {
    const ALL: [Sdk; 2] = [Sdk::Go, Sdk::Python];

    fn program(self) -> Command {
        match self {
            Sdk::Go => part("WITNESS_GO_SDK"),
            Sdk::Python => python("sdk.py"),
        }
    }
}

/// A client of a simulated cloud; empty fields are not given to the SDK.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    sdk: Sdk,
    cloud: &'a Simulator,
    access_key: &'a str,
    secret_key: &'a str,
    security_token: &'a str,
    project_id: &'a str,
}

impl<'a> Client<'a> {
    pub(crate) fn new(sdk: Sdk, cloud: &'a Simulator) -> Client<'a> {
        Client {
            sdk,
            cloud,
            access_key: &cloud.access_key,
            secret_key: &cloud.secret_key,
            security_token: "",
            project_id: &cloud.project_id,
        }
    }

    /// Makes calls, pairs of a name and a request, in one run of the SDK; returns the result of each.
    async fn outcomes(&self, calls: &Value) -> Vec<Value> {
        let mut program = self.sdk.program();
        program.args([&self.cloud.url, &self.cloud.region, &calls.to_string()]);
        for (variable, value) in [
            ("HUAWEICLOUD_SDK_AK", self.access_key),
            ("HUAWEICLOUD_SDK_SK", self.secret_key),
            ("HUAWEICLOUD_SDK_SECURITY_TOKEN", self.security_token),
            ("HUAWEICLOUD_SDK_PROJECT_ID", self.project_id),
        ] {
            if !value.is_empty() {
                program.env(variable, value);
            }
        }
        let ended = run(program).await;
        assert!(ended.code == Some(0), "{:?}: {}", self.sdk, said(&ended));
        let outcomes: Vec<Value> = serde_json::from_str(&ended.out).expect("it prints JSON");
        assert_eq!(Some(outcomes.len()), calls.as_array().map(Vec::len));
        outcomes
    }

    /// The answers to calls, all of which succeed.
    pub(crate) async fn answers(&self, calls: &Value) -> Vec<Value> {
        let outcomes = self.outcomes(calls).await;
        let answer = |(at, outcome): (usize, &Value)| match outcome.get("answer") {
            Some(answer) => answer.clone(),
            None => panic!("{:?}: {} got {outcome}", self.sdk, calls[at]),
        };
        outcomes.iter().enumerate().map(answer).collect()
    }

    /// The refusal of a call.
    async fn refusal(&self, name: &str, request: &Value) -> Value {
        let outcome = self.outcomes(&json!([[name, request]])).await.remove(0);
        match outcome.get("refusal") {
            Some(refusal) => refusal.clone(),
            None => panic!("{:?}: {name} {request} got {outcome}", self.sdk),
        }
    }
}

/// The endpoint services as they are.
async fn services(cloud: &Simulator) -> Vec<Value> {
    let all = fetch_json(&format!("{}/__sim/services", cloud.url)).await.expect("services");
    all["services"].as_array().expect("a list").clone()
}

/// Asserts that an answer has these fields of what it is about.
fn assert_same(answer: &Value, truth: &Value, fields: &[&str]) {
    for field in fields {
        assert_eq!(answer[field], truth[field], "{field} of {answer}");
    }
}

#[tokio::test]
async fn sdks_read_all_pages_of_connections() {
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_read_all_pages_of_connections_{sdk:?}"));
        let cloud = Simulator::start(&folder, 1, 1_203).await;
        let cluster = &cloud.world().await[0];
        assert_eq!(cluster.connections.len(), 1_203);

        let page = |offset| json!({"cluster_id": cluster.id, "offset": offset, "limit": 1_000});
        let calls = [0, 1_000].map(|offset| json!(["ShowVpcepConnection", page(offset)]));
        let pages = Client::new(sdk, &cloud).answers(&json!(calls)).await;

        let mut rows = Vec::new();
        for page in &pages {
            assert_eq!(page["total_count"], 1_203);
            assert_eq!(page["vpcServiceName"], json!(cluster.service_name));
            assert_eq!(page["vpcepUpdateSwitch"], json!(cluster.update_switch));
            let permissions = cluster.permissions.iter().map(Permission::as_the_sdks_show_it);
            assert_eq!(page["permissions"], permissions.collect::<Value>());
            rows.extend(page["connections"].as_array().expect("rows").iter().cloned());
        }
        let wanted = cluster.connections.iter().map(Connection::as_the_sdks_show_it);
        assert_eq!(rows, wanted.collect::<Vec<_>>());
    }
}

/// The texts under a key of each row, sorted.
fn sorted(rows: &Value, key: &str) -> Vec<String> {
    let rows = rows.as_array().expect("rows");
    let mut texts: Vec<_> =
        rows.iter().map(|row| row[key].as_str().expect("a text").to_owned()).collect();
    texts.sort();
    texts
}

/// A world with everything that the simulator generates at random.
#[tokio::test]
async fn sdks_read_clusters() {
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_read_clusters_{sdk:?}"));
        let cloud = Simulator::start(&folder, 25, 6).await;
        let world = cloud.world().await;

        let mut calls = vec![
            json!(["ListClustersDetails", {"offset": 1, "limit": 20}]),
            json!(["ListClustersDetails", {"offset": 21, "limit": 20}]),
            json!(["ShowClusterDetail", {"cluster_id": world[0].id}]),
        ];
        let connections =
            |cluster: &Cluster| json!(["ShowVpcepConnection", {"cluster_id": cluster.id}]);
        calls.extend(world.iter().map(connections));
        let answers = Client::new(sdk, &cloud).answers(&json!(calls)).await;

        let mut listed = Vec::new();
        for (page, rows) in answers[..2].iter().zip([20, 5]) {
            assert_eq!(page["totalSize"], 25);
            assert_eq!(page["clusters"].as_array().map(Vec::len), Some(rows));
            listed.extend(sorted(&page["clusters"], "id"));
        }
        listed.sort();
        let wanted: Value = world.iter().map(|one| json!({"id": one.id})).collect();
        assert_eq!(listed, sorted(&wanted, "id"));
        assert_eq!(answers[2]["name"], json!(world[0].name));
        assert_eq!(answers[2]["vpcepIp"], json!(world[0].connections[0].ip));
        for (answer, cluster) in answers[3..].iter().zip(&world) {
            assert_eq!(answer["total_count"], cluster.connections.len());
            assert_eq!(answer["vpcepUpdateSwitch"], cluster.update_switch);
        }
    }
}

#[tokio::test]
async fn sdks_read_services() {
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_read_services_{sdk:?}"));
        let cloud = Simulator::start(&folder, 3, 12).await;
        let cluster = cloud.world().await.remove(0);
        let services = services(&cloud).await;
        let (service, id, name) = (&services[0], &services[0]["id"], &services[0]["service_name"]);

        let of_service = json!({"vpc_endpoint_service_id": id, "limit": 500});
        let calls = json!([
            ["ListEndpointService", {"sort_key": "create_at", "sort_dir": "asc", "limit": 1_000}],
            ["ListEndpointService", {"id": id, "status": "available"}],
            // A blank and a plus are signed as they are sent.
            ["ListEndpointService", {"endpoint_service_name": "no such+name", "offset": 0}],
            ["ListServiceDetails", {"vpc_endpoint_service_id": id}],
            ["ListServiceConnections", of_service],
            ["ListServicePermissionsDetails", of_service],
            ["ListServiceDescribeDetails", {"id": id}],
            ["ListServiceDescribeDetails", {"endpoint_service_name": name}],
            ["ListServicePublicDetails", {"limit": 10}],
            ["ListQuotaDetails", {"type": "endpoint_service"}],
        ]);
        let answers = Client::new(sdk, &cloud).answers(&calls).await;
        let [all, found, none, detail, connections, permissions, by_id, by_name, public, quotas] =
            &answers[..]
        else {
            panic!("{answers:?}")
        };

        assert_eq!((&all["total_count"], &none["total_count"]), (&json!(3), &json!(0)));
        let rows = &all["endpoint_services"];
        assert_eq!(sorted(rows, "id"), sorted(&json!(services), "id"));
        let created = rows.as_array().expect("rows").iter().map(|row| row["created_at"].as_str());
        assert!(created.is_sorted());
        let fields = ["id", "service_name", "created_at", "enable_policy"];
        assert_same(by_id, service, &fields);
        assert_eq!(by_id, by_name);
        let more =
            ["server_type", "approval_enabled", "status", "updated_at", "ports", "tcp_proxy"];
        for one in [detail, &found["endpoint_services"][0]] {
            assert_same(one, service, &[&fields[..], &more].concat());
        }

        let wanted = cluster.connections.iter().map(Connection::as_the_sdks_show_it);
        assert_eq!(sorted(&connections["connections"], "id"), sorted(&wanted.collect(), "id"));
        assert!(connections["connections"][0]["marker_id"].is_number());
        let wanted = cluster.permissions.iter().map(Permission::as_the_sdks_show_it);
        let [shown, wanted] =
            [&permissions["permissions"], &wanted.collect()].map(|rows| sorted(rows, "permission"));
        assert_eq!(shown, wanted);
        assert_eq!(public["endpoint_services"][0]["owner"], "system");
        let resources = json!([{"type": "endpoint_service", "used": 3, "quota": 20}]);
        assert_eq!(quotas["quotas"]["resources"], resources);
    }
}

#[tokio::test]
async fn sdks_change_connections_whitelists_and_services() {
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_change_connections_{sdk:?}"));
        let cloud = Simulator::start(&folder, 1, 8).await;
        let client = Client::new(sdk, &cloud);
        let cluster = cloud.world().await.remove(0);
        let id = &cluster.id;
        let patch = json!({"connections": [
            {"id": "one", "status": "accepted"}, {"id": "two", "status": "pendingAcceptance"},
        ]});
        cloud.control(Method::PUT, &format!("clusters/{id}"), &patch).await;

        for (action, wanted) in [("reject", "rejected"), ("receive", "accepted")] {
            let body = json!({"action": action, "endpoint_id_list": ["one", "two"]});
            let calls = json!([
                ["UpdateVpcepConnection", {"cluster_id": id, "body": body}],
                ["ShowVpcepConnection", {"cluster_id": id}],
            ]);
            let answers = client.answers(&calls).await;
            let statuses = sorted(&answers[1]["connections"], "status");
            assert_eq!(statuses, [wanted, wanted], "{sdk:?}");
        }

        let account = "0123456789abcdef0123456789abcdef";
        let whitelist = json!({"vpc_permissions": [account, "*"]});
        let calls = json!([
            ["UpdateVpcepWhitelist", {"cluster_id": id, "body": whitelist}],
            ["ShowVpcepConnection", {"cluster_id": id}],
        ]);
        let answers = client.answers(&calls).await;
        let permissions = sorted(&answers[1]["permissions"], "permission");
        assert_eq!(permissions, ["*".to_owned(), format!("iam:domain::{account}")]);

        let before = services(&cloud).await.remove(0);
        let body = json!({
            "approval_enabled": false,
            "service_name": "by-an-sdk",
            "ports": [{"client_port": 9_200, "server_port": 9_201, "protocol": "TCP"}],
            "tcp_proxy": "proxy_open",
            "description": "by an SDK, 由 SDK",
        });
        let id = &before["id"];
        let calls = json!([
            ["UpdateEndpointService", {"vpc_endpoint_service_id": id, "body": body}],
            ["ListServiceDetails", {"vpc_endpoint_service_id": id}],
        ]);
        let answers = client.answers(&calls).await;
        // The echo has the values from before, as the document's example.
        assert_same(&answers[0], &before, &["id", "ports", "approval_enabled"]);
        assert_same(&answers[1], &body, &["approval_enabled", "ports", "tcp_proxy", "description"]);
        let name = format!("{}.by-an-sdk.{}", cloud.region, id.as_str().expect("a text"));
        assert_eq!(answers[1]["service_name"], name);
    }
}

/// Temporary keys need their security token, which both SDKs sign.
#[tokio::test]
async fn sdks_use_temporary_keys() {
    const TOKEN: &str = "token+of/temporary=keys";
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_use_temporary_keys_{sdk:?}"));
        let cloud = Simulator::start(&folder, 1, 2).await;
        cloud.control(Method::PUT, "credentials", &json!({"security_token": TOKEN})).await;
        let client = Client { security_token: TOKEN, ..Client::new(sdk, &cloud) };
        let id = cloud.world().await.remove(0).id;

        let whitelist = json!({"cluster_id": id, "body": {"vpc_permissions": ["*"]}});
        let read = json!({"cluster_id": id});
        let calls = json!([["UpdateVpcepWhitelist", whitelist], ["ShowVpcepConnection", read]]);
        let answers = client.answers(&calls).await;
        assert_eq!(sorted(&answers[1]["permissions"], "permission"), ["*"]);

        for wrong in ["", "another"] {
            let client = Client { security_token: wrong, ..client };
            let refusal = client.refusal("ShowVpcepConnection", &read).await;
            assert_eq!(refusal["status_code"], 401, "{sdk:?} {wrong:?}: {refusal}");
            assert_eq!(refusal["error_code"], "APIGW.0301", "{sdk:?} {wrong:?}: {refusal}");
        }
    }
}

/// IAM, STS and what a platform gives, as the SDK for Python uses them; that for Go has not all of these.
#[tokio::test]
async fn the_sdk_reads_with_temporary_keys_of_every_kind() {
    let folder = Folder::new("the_sdk_reads_with_temporary_keys");
    let cloud = Simulator::start(&folder, 1, 4).await;
    let cluster = cloud.world().await.remove(0);
    let account =
        fetch_json(&format!("{}/__sim/credentials", cloud.url)).await.expect("an account");
    let file = |name: &str| {
        let token = account[name].as_str().unwrap_or_else(|| panic!("no {name} in {account}"));
        folder.write(name, token)
    };
    let (id_token, pod_token) = (file("id_token"), file("pod_token"));
    let domain = "d03a1a7edc1004d0b9c0ffee051a1e50";
    let oidc = json!({
        "kind": "oidc",
        "provider_urn": format!("iam::{domain}:oidc-provider:sim-idp"),
        "agency_urn": format!("iam::{domain}:agency:sim-agency"),
        "id_token_file": id_token,
        "agency_session_name": "witness",
    });
    let kinds = [
        json!({"kind": "metadata"}),
        json!({"kind": "pod_identity", "token_file": pod_token}),
        json!({"kind": "identity_provider", "idp_id": "sim-idp", "id_token_file": id_token}),
        oidc,
    ];
    let read = |kind: &Value| json!(["ReadAs", {"cluster_id": cluster.id, "credentials": kind}]);
    let mut calls: Vec<_> = kinds.iter().map(read).collect();
    calls.push(json!(["CallerIdentity", {}]));
    let mut answers = Client::new(Sdk::Python, &cloud).answers(&json!(calls)).await;

    let caller = answers.pop().expect("the last one");
    assert_eq!(caller["account_id"], domain);
    let wanted: Value = cluster.connections.iter().map(Connection::as_the_sdks_show_it).collect();
    for (kind, answer) in kinds.iter().zip(&answers) {
        assert_eq!(sorted(&answer["connections"], "id"), sorted(&wanted, "id"), "{kind}");
    }
    let log = fetch_json(&format!("{}/__sim/requests", cloud.url)).await.expect("a log");
    for operation in [
        "metadata_keys",
        "pod_identity",
        "iam_id_token",
        "iam_security_tokens",
        "sts_assume_with_oidc",
        "sts_caller",
    ] {
        assert!(log["by_operation"][operation].as_u64() > Some(0), "{operation}: {log}");
    }
}

/// If no ids are given, the SDKs ask IAM for them.
#[tokio::test]
async fn sdks_find_the_project_and_the_account() {
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_find_the_project_{sdk:?}"));
        let cloud = Simulator::start(&folder, 1, 2).await;
        let client = Client { project_id: "", ..Client::new(sdk, &cloud) };
        let calls = json!([["ProjectId", {}], ["DomainId", {}], ["ListClustersDetails", {}]]);
        let answers = client.answers(&calls).await;
        assert_eq!(answers[0], json!(cloud.project_id));
        assert_eq!(answers[1].as_str().map(str::len), Some(32), "{}", answers[1]);
        assert_eq!(answers[2]["totalSize"], 1);
    }
}

#[tokio::test]
async fn sdks_tell_why_they_are_refused() {
    const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
    const OTHER: &str = "ffffffffffffffffffffffffffffffff";
    for sdk in Sdk::ALL {
        let folder = Folder::new(&format!("sdks_tell_why_they_are_refused_{sdk:?}"));
        let cloud = Simulator::start(&folder, 2, 2).await;
        let client = Client::new(sdk, &cloud);
        let (world, service) = (cloud.world().await, services(&cloud).await.remove(0));
        let disabled = json!({"vpcep_enabled": false});
        cloud.control(Method::PUT, &format!("clusters/{}", world[1].id), &disabled).await;

        let of = |cluster: &str| json!({"cluster_id": cluster});
        let limit = json!({"cluster_id": world[0].id, "limit": 1_001});
        let action = json!({"action": "accept", "endpoint_id_list": [NOBODY]});
        let action = json!({"cluster_id": world[0].id, "body": action});
        let receive = json!({"action": "receive", "endpoint_id_list": [NOBODY]});
        let receive = json!({"cluster_id": world[0].id, "body": receive});
        let change = |body: Value| json!({"vpc_endpoint_service_id": service["id"], "body": body});
        let name = change(json!({"service_name": "more than sixteen"}));
        let two = change(json!({"port_id": "a", "ip": "192.168.0.1"}));
        let text = change(json!({"description": "<b>"}));

        let unknown_key = Client { access_key: "AKNOBODY", ..client };
        let wrong_key = Client { secret_key: "wrong", ..client };
        let other_project = Client { project_id: OTHER, ..client };
        const READ: &str = "ShowVpcepConnection";
        const CHANGE: &str = "UpdateEndpointService";
        let refusals = [
            (unknown_key, READ, of(&world[0].id), 401, "APIGW.0301", "ak AKNOBODY not exist"),
            (wrong_key, READ, of(&world[0].id), 401, "APIGW.0301", "verify aksk signature fail"),
            (other_project, READ, of(&world[0].id), 403, "APIGW.0310", "project is unavailable"),
            (client, READ, of(NOBODY), 403, "CSS.0015", "permission"),
            (client, READ, of(&world[1].id), 400, "CSS.5182", "service is not enabled."),
            (client, READ, limit, 400, "CSS.5038", "limit is out of range"),
            (client, "ShowClusterDetail", of(NOBODY), 403, "CSS.0015", "permission"),
            (client, "UpdateVpcepConnection", action, 400, "CSS.0001", "Incorrect parameters"),
            (client, "UpdateVpcepConnection", receive, 400, "CSS.0082", "does not exist"),
            (
                client,
                "ListServiceDetails",
                json!({"vpc_endpoint_service_id": NOBODY}),
                404,
                "EndPoint.0005",
                "does not exist",
            ),
            (
                client,
                "ListEndpointService",
                json!({"limit": 1_001}),
                400,
                "EndPoint.0006",
                "Invalid limit.",
            ),
            (client, CHANGE, name, 400, "EndPoint.1003", "Invalid service name."),
            (client, CHANGE, two, 400, "EndPoint.3052", "at the same time"),
            (client, CHANGE, text, 400, "EndPoint.0002", "Parameter error."),
        ];
        for (client, call, request, status, code, message) in refusals {
            let refusal = client.refusal(call, &request).await;
            let shown = format!("{sdk:?}: {call} {request}: {refusal}");
            assert_eq!(refusal["status_code"], status, "{shown}");
            let text = refusal["error_msg"].as_str().expect("a text");
            assert!(text.contains(message), "{shown}");
            // Neither SDK knows the format of CSS errors, so the message is the raw body.
            match (code.starts_with("CSS."), sdk) {
                (false, _) => assert_eq!(refusal["error_code"], code, "{shown}"),
                (true, Sdk::Go) => assert_eq!(refusal["error_code"], "", "{shown}"),
                (true, Sdk::Python) => {
                    assert_eq!(refusal["error_code"], status.to_string(), "{shown}");
                }
            }
            assert!(!code.starts_with("CSS.") || text.contains(code), "{shown}");
            let log = fetch_json(&format!("{}/__sim/requests", cloud.url)).await.expect("a log");
            let last = log["last"].as_array().and_then(|all| all.last()).expect("a request");
            assert_eq!(refusal["request_id"], last["request_id"], "{shown}");
        }
        let services = services(&cloud).await;
        assert_eq!(services[0], service, "{sdk:?}");

        cloud.control(Method::PUT, "clock", &json!({"skew_seconds": 1_000})).await;
        let refusal = client.refusal(READ, &of(&world[0].id)).await;
        assert!(refusal.to_string().contains("signature expired, signature time:"), "{refusal}");
    }
}
