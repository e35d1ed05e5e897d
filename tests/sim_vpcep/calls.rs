//! Calls that the exporter does not make, but other clients of the cloud do.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Cloud, cloud, json_of, keys};
use crate::support::HTTP;

impl Cloud {
    /// Sends a request to an address below the base URL.
    async fn ask(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let request = HTTP.request(method, format!("{}{path}", self.sim.url));
        let request = request.header("X-Auth-Token", &self.token).body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        (status, body)
    }

    /// The first cluster, or a part of it.
    async fn cluster(&self) -> Value {
        self.sim.control(Method::GET, "world", &json!({})).await["clusters"][0].clone()
    }

    /// The address of something of the first cluster.
    async fn of_cluster(&self, below: &str) -> String {
        let id = self.cluster().await["id"].as_str().unwrap().to_owned();
        format!("/v1.0/{}/clusters/{id}{below}", self.sim.project_id)
    }

    async fn post(&self, below: &str, body: &Value) -> (u16, Value) {
        let path = self.of_cluster(below).await;
        self.ask(Method::POST, &path, &body.to_string()).await
    }
}

fn code(body: &Value) -> &str {
    let code = body.get("error_code").or_else(|| body.get("errCode"));
    code.and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn a_wrong_method_is_no_api() {
    let cloud = cloud().await;
    let (project, service) = (&cloud.sim.project_id, &cloud.id);
    let cluster = cloud.of_cluster("").await;
    for (method, path) in [
        (Method::GET, "/v3/auth/tokens".to_owned()),
        (Method::POST, "/v3/projects".to_owned()),
        (Method::DELETE, format!("/v1/{project}/vpc-endpoint-services/{service}")),
        (Method::PUT, format!("/v1/{project}/vpc-endpoint-services")),
        (Method::PUT, format!("{cluster}/vpcepservice/connections")),
        (Method::GET, format!("{cluster}/vpcepservice/permissions")),
        (Method::POST, cluster),
    ] {
        let (status, body) = cloud.ask(method.clone(), &path, "{}").await;
        assert_eq!((status, code(&body)), (404, "APIGW.0101"), "{method} {path}");
    }
}

#[tokio::test]
async fn words_after_the_services_are_calls_and_no_ids() {
    let cloud = cloud().await;
    let truth = cloud.truth(0).await;
    let (status, described) = cloud.get(&format!("/describe?id={}", cloud.id)).await;
    assert_eq!(status, 200, "{described}");
    let expected = json!({
        "id": cloud.id, "service_name": truth["service_name"], "service_type": "interface",
        "created_at": truth["created_at"], "is_charge": true, "public_border_group": "center",
        "enable_policy": false,
    });
    assert_eq!(described, expected);
    let name = truth["service_name"].as_str().unwrap();
    let by_name = cloud.get(&format!("/describe?endpoint_service_name={name}")).await;
    assert_eq!(by_name, (200, expected));
    for (query, status, wanted) in [
        ("", 400, "EndPoint.0002"),
        ("?id=4189d3c2-8882-4871-a3c2-d380272eed88&endpoint_service_name=x", 400, "EndPoint.0002"),
        ("?id=x", 400, "EndPoint.3062"),
        ("?id=4189d3c2-8882-4871-a3c2-d380272eed88", 404, "EndPoint.0005"),
    ] {
        let (found, body) = cloud.get(&format!("/describe{query}")).await;
        assert_eq!((found, code(&body)), (status, wanted), "{query}");
    }
    let (status, public) = cloud.get("/public?endpoint_service_name=OBS").await;
    assert_eq!((status, &public["total_count"]), (200, &json!(1)), "{public}");
    let row = &public["endpoint_services"][0];
    for key in ["id", "owner", "service_name", "service_type", "created_at", "is_charge"] {
        assert!(keys(row).contains(&key), "{key} in {row}");
    }
    let quotas = format!("/v1/{}/quotas", cloud.sim.project_id);
    let (status, both) = cloud.ask(Method::GET, &quotas, "").await;
    assert_eq!((status, both["quotas"]["resources"].as_array().unwrap().len()), (200, 2));
    let (_, one) = cloud.ask(Method::GET, &format!("{quotas}?type=endpoint_service"), "").await;
    let resource = json!([{"type": "endpoint_service", "used": 13, "quota": 20}]);
    assert_eq!(one, json!({"quotas": {"resources": resource}}));
    let (status, body) = cloud.ask(Method::GET, &format!("{quotas}?type=x"), "").await;
    assert_eq!((status, code(&body)), (400, "EndPoint.0002"));
}

#[tokio::test]
async fn connections_and_the_whitelist_of_a_service_are_lists() {
    let cloud = cloud().await;
    let cluster = cloud.cluster().await;
    let (status, all) = cloud.get(&format!("/{}/connections?sort_dir=asc", cloud.id)).await;
    assert_eq!(status, 200, "{all}");
    let rows = all["connections"].as_array().unwrap();
    assert_eq!((rows.len(), &all["total_count"]), (4, &json!(4)));
    assert!(rows.is_sorted_by_key(|row| row["created_at"].as_str().unwrap().to_owned()));
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].to_string()).collect::<HashSet<_>>();
    assert_eq!(ids(rows), ids(cluster["connections"].as_array().unwrap()));
    let for_go = |row: &Value| row["marker_id"].as_i64().is_some_and(|id| id <= i32::MAX.into());
    assert!(rows.iter().all(for_go), "{rows:?}");
    let marker = &rows[2]["marker_id"];
    let one = format!("/{}/connections?marker_id={marker}", cloud.id);
    assert_eq!(cloud.get(&one).await.1["connections"], json!([rows[2]]));
    let path = format!("clusters/{}", cluster["id"].as_str().unwrap());
    let failed = json!({"connections": [{"status": "failed"}, {}]});
    cloud.sim.control(Method::PUT, &path, &failed).await;
    let (_, failed) = cloud.get(&format!("/{}/connections?status=failed", cloud.id)).await;
    assert_eq!(failed["total_count"], 1);
    assert!(failed["connections"][0]["error"][0]["error_code"].is_string(), "{failed}");
    let (status, whitelist) = cloud.get(&format!("/{}/permissions", cloud.id)).await;
    let known = cluster["permissions"].as_array().unwrap();
    assert_eq!((status, &whitelist["total_count"]), (200, &json!(known.len())));
    assert_eq!(whitelist["permissions"][0]["permission_type"], "domainId");
    for (query, wanted) in [
        ("connections?status=creating", "EndPoint.0019"),
        ("connections?marker_id=x", "EndPoint.0021"),
        ("connections?limit=1001", "EndPoint.0006"),
        ("connections?offset=-1", "EndPoint.0010"),
        ("permissions?limit=501", "EndPoint.0006"),
        ("permissions?sort_key=permission", "EndPoint.0017"),
        ("permissions?sort_dir=down", "EndPoint.0018"),
    ] {
        let (status, body) = cloud.get(&format!("/{}/{query}", cloud.id)).await;
        assert_eq!((status, code(&body)), (400, wanted), "{query}");
    }
    let unknown = "/00000000-0000-4000-8000-000000000000/connections";
    assert_eq!(code(&cloud.get(unknown).await.1), "EndPoint.0005");
}

#[tokio::test]
async fn the_list_of_services_is_sorted_as_asked() {
    let cloud = cloud().await;
    cloud.set(json!({"updated_at": "2024-06-11T09:36:23Z"})).await;
    let order = async |query: &str, key: &str| {
        let (_, body) = cloud.get(&format!("?limit=1000{query}")).await;
        let rows = body["endpoint_services"].as_array().unwrap().clone();
        rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let newest = order("", "created_at").await;
    assert!(newest.is_sorted_by(|a, b| a >= b));
    assert!(order("&sort_dir=asc", "created_at").await.is_sorted());
    for key in ["update_at", "updated_at"] {
        let ids = order(&format!("&sort_key={key}&sort_dir=desc"), "id").await;
        assert_eq!(ids[0], cloud.id, "{key}");
        let ids = order(&format!("&sort_key={key}&sort_dir=asc"), "id").await;
        assert_eq!(ids[12], cloud.id, "{key}");
    }
}

#[tokio::test]
async fn a_cluster_is_shown_alone_with_its_endpoint() {
    let cloud = cloud().await;
    let path = cloud.of_cluster("").await;
    let (status, shown) = cloud.ask(Method::GET, &path, "").await;
    assert_eq!(status, 200, "{shown}");
    let cluster = cloud.cluster().await;
    assert_eq!((&shown["id"], &shown["name"]), (&cluster["id"], &cluster["name"]));
    assert_eq!(shown["supportVpcep"], true);
    for key in ["vpcepIp", "vpcepIpv6Address", "orderId"] {
        assert!(keys(&shown).contains(&key), "{key}");
    }
    let list = format!("/v1.0/{}/clusters?limit=1000", cloud.sim.project_id);
    let (_, list) = cloud.ask(Method::GET, &list, "").await;
    assert!(!keys(&list["clusters"][0]).contains(&"supportVpcep"));
    for (id, status, wanted) in
        [("x", 400, "CSS.0001"), ("00000000-0000-4000-8000-000000000000", 403, "CSS.0015")]
    {
        let path = format!("/v1.0/{}/clusters/{id}", cloud.sim.project_id);
        let (found, body) = cloud.ask(Method::GET, &path, "").await;
        assert_eq!((found, code(&body)), (status, wanted), "{id}");
    }
}

#[tokio::test]
async fn connections_are_accepted_and_rejected_at_once() {
    let cloud = cloud().await;
    let path = cloud.of_cluster("/vpcepservice/connections").await;
    let control = format!("clusters/{}", cloud.cluster().await["id"].as_str().unwrap());
    let rows = json!({"connections": [
        {"id": "a", "status": "accepted"}, {"id": "p", "status": "pendingAcceptance"},
        {"id": "c", "status": "creating"},
    ]});
    cloud.sim.control(Method::PUT, &control, &rows).await;
    let read = async || {
        let (_, body) = cloud.ask(Method::GET, &path, "").await;
        body["connections"].as_array().unwrap().clone()
    };
    let statuses =
        async || read().await.into_iter().map(|row| row["status"].clone()).collect::<Value>();
    let before = read().await;
    assert!(before[0]["vpcepIp"].is_string(), "{before:?}");
    assert!(!keys(&before[1]).contains(&"vpcepIp"), "a pending one has no address: {before:?}");
    let post = async |body: Value| cloud.ask(Method::POST, &path, &body.to_string()).await;
    let reject = json!({"action": "reject", "endpoint_id_list": ["a", "p"]});
    assert_eq!(post(reject.clone()).await, (200, Value::Null));
    assert_eq!(statuses().await, json!(["rejected", "rejected", "creating"]));
    let after = read().await;
    assert_eq!(after[0]["update_at"], "2024-06-11T09:36:24Z");
    assert_eq!(after[0]["vpcepIp"], before[0]["vpcepIp"], "the address stays");
    assert!(!keys(&after[1]).contains(&"vpcepIp"), "it was never accepted: {after:?}");
    assert_eq!(post(reject).await, (200, Value::Null), "again");
    let old_name = json!({"action": "receive", "endpointIdList": ["p"]});
    assert_eq!(post(old_name).await, (200, Value::Null));
    assert_eq!(statuses().await, json!(["rejected", "accepted", "creating"]));
    assert!(read().await[1]["vpcepIp"].is_string(), "it appears with the acceptance");
    for (body, status, wanted) in [
        ("", 400, "CSS.0006"),
        ("[]", 400, "CSS.0001"),
        (r#"{"action":"receive"}"#, 400, "CSS.0001"),
        (r#"{"endpoint_id_list":["a"]}"#, 400, "CSS.0001"),
        (r#"{"action":"receive","endpoint_id_list":[]}"#, 400, "CSS.0001"),
        (r#"{"action":"accept","endpoint_id_list":["a"]}"#, 400, "CSS.0001"),
        (r#"{"action":"receive","endpoint_id_list":["a","x"]}"#, 400, "CSS.0082"),
        (r#"{"action":"receive","endpoint_id_list":["a","c"]}"#, 400, "CSS.5090"),
    ] {
        let (found, error) = cloud.ask(Method::POST, &path, body).await;
        assert_eq!((found, code(&error)), (status, wanted), "{body}");
    }
    assert_eq!(statuses().await, json!(["rejected", "accepted", "creating"]), "all or nothing");
    cloud.sim.control(Method::PUT, &control, &json!({"vpcep_enabled": false})).await;
    let (status, error) = post(json!({"action": "reject", "endpoint_id_list": ["p"]})).await;
    assert_eq!((status, code(&error)), (400, "CSS.5182"));
    assert_eq!(error["externalMessage"], "CSS.5182 : The VPC endpoint service is not enabled.");
    cloud.sim.control(Method::DELETE, &control, &json!({})).await;
    let (status, error) = post(json!({"action": "reject", "endpoint_id_list": ["p"]})).await;
    assert_eq!((status, code(&error)), (403, "CSS.0015"));
}

#[tokio::test]
async fn the_whitelist_is_replaced_under_both_of_its_names() {
    let cloud = cloud().await;
    let account = "0123456789abcdef0123456789abcdef";
    let permissions = async || {
        let listed = cloud.of_cluster("/vpcepservice/connections").await;
        let (_, body) = cloud.ask(Method::GET, &listed, "").await;
        let rows = body["permissions"].as_array().unwrap().clone();
        rows.into_iter().map(|row| row["permission"].clone()).collect::<Value>()
    };
    let path = "/vpcepservice/permissions";
    let done = cloud.post(path, &json!({"vpc_permissions": [account]})).await;
    assert_eq!(done, (200, Value::Null));
    assert_eq!(permissions().await, json!([format!("iam:domain::{account}")]));
    cloud.post(path, &json!({"vpcPermissions": [account, "*"]})).await;
    assert_eq!(permissions().await, json!([format!("iam:domain::{account}"), "*"]));
    for (body, wanted) in [
        (json!({}), "CSS.5181"),
        (json!({"vpc_permissions": "x"}), "CSS.0001"),
        (json!({"vpc_permissions": ["no account"]}), "CSS.0001"),
    ] {
        let (status, error) = cloud.post(path, &body).await;
        assert_eq!((status, code(&error)), (400, wanted), "{body}");
    }
    assert_eq!(permissions().await, json!([format!("iam:domain::{account}"), "*"]));
}

#[tokio::test]
async fn the_account_is_found_by_its_credentials() {
    let cloud = cloud().await;
    let (status, body) = cloud.ask(Method::GET, "/v3/auth/domains", "").await;
    let known = cloud.sim.control(Method::GET, "credentials", &json!({})).await;
    assert_eq!((status, &body["domains"][0]["name"]), (200, &known["domain"]), "{body}");
    assert_eq!(body["domains"][0]["id"].as_str().unwrap().len(), 32);
}

/// Permissions are checked for each call; the error names a missing permission if the API does.
#[tokio::test]
async fn a_permission_that_is_missing_is_refused_by_the_service_in_its_own_words() {
    let cloud = cloud().await;
    let allow = async |actions: Value| {
        cloud.sim.control(Method::PUT, "credentials", &json!({ "actions": actions })).await
    };
    let connections = cloud.of_cluster("/vpcepservice/connections").await;
    let services = format!("/v1/{}/vpc-endpoint-services", cloud.sim.project_id);
    let both = json!(["css:VPCEndpoint:listConnection", "vpcep:endpoints:get"]);
    for (path, actions, status, wanted) in [
        (&*connections, both, 200, ""),
        (&connections, json!(["vpcep:endpoints:get"]), 400, "CSS.0051"),
        (&connections, json!(["css:VPCEndpoint:listConnection"]), 400, "CSS.5313"),
        (&services, json!(["vpcep:endpointServices:get"]), 403, "EndPoint.0004"),
        (&services, json!(["vpcep:endpointServices:list"]), 200, ""),
        (&services, json!(["vpcep:epservices:list"]), 200, ""),
        ("/v3/projects", json!(["iam:projects:list"]), 200, ""),
        ("/v3/auth/domains", json!([]), 200, ""),
        (&services, Value::Null, 200, ""),
    ] {
        allow(actions.clone()).await;
        let (found, body) = cloud.ask(Method::GET, path, "").await;
        assert_eq!((found, code(&body)), (status, wanted), "{path} {actions}");
    }
    allow(json!([])).await;
    let (status, body) = cloud.ask(Method::GET, "/v3/projects", "").await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!(403)), "{body}");
    let (_, body) = cloud.ask(Method::GET, &connections, "").await;
    let named = "does not allow the css:VPCEndpoint:listConnection operation";
    assert!(body["externalMessage"].as_str().unwrap().contains(named), "{body}");
    let answer = cloud.send(Method::PUT, &format!("/{}", cloud.id), r#"{"description":""}"#).await;
    assert_eq!(json_of(answer.unwrap()).await["error_code"], "EndPoint.0004");
    assert_eq!(cloud.ledger().await["applied"], 0);
}
