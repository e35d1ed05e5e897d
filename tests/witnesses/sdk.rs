//! What the official Huawei Cloud SDK for Python reads from the simulated cloud.

use serde_json::{Value, json};

use super::{
    binary::Simulator,
    parts::{python, said},
    support::process::{Ended, Folder, run},
    world::{Connection, Permission},
};

#[tokio::test]
async fn sdk_reads_the_simulator() {
    let folder = Folder::new("sdk_reads_the_simulator");
    let cloud = Simulator::start(&folder, 1, 1_203).await;
    let cluster = &cloud.world().await[0];
    assert_eq!(cluster.connections.len(), 1_203);

    let read = show_connections(&cloud, &cluster.id, &cloud.secret_key).await;
    assert!(read.code == Some(0), "{}", said(&read));
    let read: Value = serde_json::from_str(&read.out).expect("the script prints JSON");

    assert_eq!(read["pages"], 2);
    assert_eq!(read["total_count"], 1_203);
    assert_eq!(read["vpc_service_name"], json!(cluster.service_name));
    assert_eq!(read["vpcep_update_switch"], json!(cluster.update_switch));
    let rows: Vec<Value> =
        cluster.connections.iter().map(Connection::as_the_sdk_shows_it).collect();
    assert_eq!(read["connections"], json!(rows));
    let permissions: Vec<Value> =
        cluster.permissions.iter().map(Permission::as_the_sdk_shows_it).collect();
    assert_eq!(read["permissions"], json!(permissions));
}

#[tokio::test]
async fn sdk_is_refused_with_a_wrong_secret_key() {
    let folder = Folder::new("sdk_is_refused_with_a_wrong_secret_key");
    let cloud = Simulator::start(&folder, 1, 10).await;
    let cluster = &cloud.world().await[0];

    let refused = show_connections(&cloud, &cluster.id, "not-the-secret-key").await;
    assert_eq!(refused.code, Some(3), "{}", said(&refused));
    let refusal: Value = serde_json::from_str(&refused.out).expect("the script prints JSON");

    assert_eq!(refusal["status_code"], 401);
    assert_eq!(refusal["error_code"], "APIGW.0301");
    assert!(!refusal["request_id"].as_str().unwrap_or_default().is_empty(), "{refusal}");
}

async fn show_connections(cloud: &Simulator, cluster_id: &str, secret_key: &str) -> Ended {
    let mut script = python("show_connections.py");
    script.args([&cloud.url, &cloud.project_id, cluster_id, "1000"]);
    script.env("HUAWEICLOUD_SDK_AK", &cloud.access_key).env("HUAWEICLOUD_SDK_SK", secret_key);
    run(script).await
}
