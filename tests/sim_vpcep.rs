//! The simulated VPCEP over a real socket: the PUT document, its rules and its faults.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{self, HTTP};

mod calls;
mod faults;

/// The simulated cloud and somebody who has logged in.
struct Cloud {
    sim: support::cloud::Cloud,
    token: String,
    /// The id of the first service.
    id: String,
}

async fn cloud() -> Cloud {
    let sim = support::cloud::Cloud::at_date(13, 4).await;
    let mut cloud = Cloud { token: sim.log_in().await, sim, id: String::new() };
    cloud.id = cloud.truth(0).await["id"].as_str().unwrap().to_owned();
    cloud
}

async fn json_of(answer: Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

impl Cloud {
    async fn faults(&self, faults: Value) {
        self.sim.set_faults(faults).await;
    }

    async fn truth(&self, at: usize) -> Value {
        self.sim.control(Method::GET, "services", &json!({})).await["services"][at].clone()
    }

    async fn set(&self, patch: Value) {
        self.sim.control(Method::PUT, &format!("services/{}", self.id), &patch).await;
    }

    async fn send(
        &self,
        method: Method,
        rest: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Response> {
        let Cloud { sim, .. } = self;
        let address = format!("{}/v1/{}/vpc-endpoint-services{rest}", sim.url, sim.project_id);
        let request = HTTP.request(method, address).header("X-Auth-Token", &self.token);
        request.body(body).send().await
    }

    async fn get(&self, rest: &str) -> (u16, Value) {
        let answer = self.send(Method::GET, rest, "").await.unwrap();
        (answer.status().as_u16(), json_of(answer).await)
    }

    async fn detail(&self) -> Value {
        self.get(&format!("/{}", self.id)).await.1
    }

    async fn put_raw(&self, body: String) -> reqwest::Result<Response> {
        self.send(Method::PUT, &format!("/{}", self.id), body).await
    }

    async fn put(&self, body: Value) -> (u16, Value) {
        let answer = self.put_raw(body.to_string()).await.unwrap();
        assert_eq!(answer.headers()["x-request-id"].len(), 32);
        (answer.status().as_u16(), json_of(answer).await)
    }

    async fn ledger(&self) -> Value {
        self.sim.control(Method::GET, "puts", &json!({})).await
    }
}

fn keys(of: &Value) -> Vec<&str> {
    of.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The request of the document, and its answer: the same keys, and the values from before.
#[tokio::test]
async fn the_example_of_the_document_goes_through() {
    let cloud = cloud().await;
    cloud.set(json!({"approval_enabled": false, "tcp_proxy": "proxy_open"})).await;
    let before = cloud.detail().await;
    let request = include_str!("data/vpcep-update-example-request.json");
    let answer = cloud.put_raw(request.to_owned()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let echo = json_of(answer).await;
    for key in [
        "id",
        "port_id",
        "vpc_id",
        "status",
        "approval_enabled",
        "service_name",
        "service_type",
        "server_type",
        "project_id",
        "created_at",
        "ports",
        "tcp_proxy",
    ] {
        assert_eq!(echo[key], before[key], "{key}");
    }
    assert_eq!(
        (&echo["approval_enabled"], &echo["service_type"]),
        (&json!(false), &json!("interface"))
    );
    let after = cloud.detail().await;
    let ports = json!([
        {"client_port": 8081, "server_port": 22, "protocol": "TCP"},
        {"client_port": 8082, "server_port": 23, "protocol": "TCP"},
    ]);
    assert_eq!((&after["approval_enabled"], &after["ports"]), (&json!(true), &ports));
    assert_eq!(after["service_name"], json!(format!("sim-region-1.test.{}", cloud.id)));
    for key in ["description", "tcp_proxy", "port_id", "created_at", "tags"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["updated_at"], "2024-06-11T09:36:24Z");
    let world = cloud.sim.control(Method::GET, "world", &json!({})).await;
    assert_eq!(world["clusters"][0]["service_name"], after["service_name"]);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let cloud = cloud().await;
    let (status, all) = cloud.get("?limit=1000").await;
    let rows = all["endpoint_services"].as_array().unwrap();
    assert_eq!((status, rows.len(), &all["total_count"]), (200, 13, &json!(13)));
    assert!(
        rows.iter().all(|row| row["connection_count"].is_number() && row.get("pool_id").is_none())
    );
    let count = async |query: &str| {
        let (status, body) = cloud.get(query).await;
        assert_eq!(status, 200, "{query} {body}");
        (body["endpoint_services"].as_array().unwrap().len(), body["total_count"].as_u64().unwrap())
    };
    assert_eq!(count("").await, (10, 13));
    assert_eq!(count("?limit=0").await, (0, 13));
    assert_eq!(count("?offset=12&sort_key=create_at&sort_dir=asc").await, (1, 13));
    assert_eq!(count("?offset=99999").await, (0, 13));
    assert_eq!(count(&format!("?id={}", cloud.id)).await, (1, 1));
    assert_eq!(count("?endpoint_service_name=CSS-LOGS-").await, (2, 2));
    assert_eq!(count("?status=failed").await, (0, 0));
    for (query, code) in [
        ("limit=1001", "0006"),
        ("limit=-1", "0006"),
        ("offset=-1", "0010"),
        ("offset=x", "0010"),
        ("sort_key=name", "0017"),
        ("sort_dir=up", "0018"),
        ("status=gone", "0019"),
    ] {
        let (status, body) = cloud.get(&format!("?{query}")).await;
        assert_eq!(
            (status, &body["error_code"]),
            (400, &json!(format!("EndPoint.{code}"))),
            "{query}"
        );
    }
    let detail = cloud.detail().await;
    for key in ["domain_id", "connection_count", "public_border_group", "pool_id", "spare_port_id"]
    {
        assert!(!keys(&detail).contains(&key), "{key}");
    }
    assert_eq!(detail["cidr_type"], "internal");
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let cloud = cloud().await;
    let before = cloud.truth(0).await;
    let other = cloud.truth(1).await["port_id"].clone();
    let many = vec![json!({"client_port": 1, "server_port": 1}); 201];
    for (body, status, code) in [
        (String::new(), 504, "EndPoint.0011"),
        ("{}".to_owned(), 400, "EndPoint.0002"),
        ("not json".to_owned(), 400, "EndPoint.0002"),
        (json!({"description": "<b>"}).to_string(), 400, "EndPoint.0002"),
        (json!({"service_name": "a b"}).to_string(), 400, "EndPoint.1003"),
        (json!({"ports": many}).to_string(), 400, "EndPoint.3074"),
        (json!({"port_id": other}).to_string(), 400, "EndPoint.3042"),
        (json!({"port_id": "nobodys"}).to_string(), 400, "EndPoint.3063"),
        (json!({"ip": "10.0.0.1"}).to_string(), 400, "EndPoint.3055"),
        (json!({"ip": "10.0.0.1", "port_id": "x"}).to_string(), 400, "EndPoint.3052"),
    ] {
        let answer = cloud.put_raw(body.clone()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let error = json_of(answer).await;
        assert_eq!(error["error_code"], code, "{body}");
        assert_eq!(keys(&error), ["error_code", "error_msg"]);
    }
    let unknown = "/00000000-0000-4000-8000-000000000000";
    for (path, status, code) in [(unknown, 404, "EndPoint.0005"), ("/a%20b", 400, "EndPoint.3062")]
    {
        for method in [Method::GET, Method::PUT] {
            let answer = cloud.send(method, path, r#"{"description":""}"#).await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(json_of(answer).await["error_code"], code);
        }
    }
    let answer = cloud.send(Method::DELETE, unknown, "").await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    let big = " ".repeat((12 << 20) + 1);
    assert_eq!(cloud.put_raw(big).await.unwrap().status().as_u16(), 413);
    assert_eq!(cloud.truth(0).await, before);
    cloud.set(json!({"status": "creating"})).await;
    let (_, body) = cloud.put(json!({"description": "x"})).await;
    assert_eq!(body["error_code"], "EndPoint.3045");
    let ledger = cloud.ledger().await;
    assert_eq!((&ledger["total"], &ledger["applied"]), (&json!(13), &json!(0)));
}

/// Faults of the gateway and of the wire hit these operations as they do all others.
#[tokio::test]
async fn faults_and_counters_know_the_operations() {
    let cloud = cloud().await;
    cloud.faults(json!([{"name": "throttled", "operation": "vpcep_update", "times": 1}])).await;
    let (status, body) = cloud.put(json!({"description": "one"})).await;
    assert_eq!((status, &body["error_code"]), (429, &json!("APIGW.0308")));
    let (status, _) = cloud.put(json!({"description": "two"})).await;
    assert_eq!(status, 200);
    cloud.get("").await;
    cloud.detail().await;
    let counted = cloud.sim.control(Method::GET, "requests", &json!({})).await;
    for (operation, count) in [("vpcep_services", 1), ("vpcep_service", 1), ("vpcep_update", 2)] {
        assert_eq!(counted["by_operation"][operation], count, "{operation}");
    }
    let ledger = cloud.ledger().await;
    assert_eq!((&ledger["total"], &ledger["applied"]), (&json!(2), &json!(1)));
    assert_eq!(ledger["puts"][1]["service_id"], json!(cloud.id));
    let sum = "5b790626b2047b937f78981e38022c93772f4a80e4dc8c036b6a3e1b2ba62aca";
    assert_eq!(ledger["puts"][1]["body_sha256"], sum);
    cloud.sim.control(Method::DELETE, "puts", &json!({})).await;
    assert_eq!(cloud.ledger().await["total"], 0);
}
