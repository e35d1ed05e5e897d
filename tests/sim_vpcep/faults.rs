//! Each fault of a change, and the entry in the log of PUTs.

use std::time::Duration;

use css_vpcep_exporter::sim::Fault;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use super::{cloud, json_of};
use crate::support::eventually;

#[tokio::test]
async fn false_and_empty_are_values() {
    let cloud = cloud().await;
    cloud.set(json!({"approval_enabled": true, "description": "old"})).await;
    cloud.put(json!({"approval_enabled": false})).await;
    let (status, _) = cloud.put(json!({"description": ""})).await;
    let after = cloud.truth(0).await;
    assert_eq!((status, &after["approval_enabled"]), (200, &json!(false)));
    assert_eq!(after["description"], "");
    cloud.faults(json!([{"name": "approval-reset", "times": 1}, {"name": "echo-new"}])).await;
    let (_, echo) = cloud.put(json!({"description": "x"})).await;
    assert_eq!((&echo["approval_enabled"], &echo["description"]), (&json!(true), &json!("x")));
    let ledger = cloud.ledger().await;
    assert_eq!(ledger["puts"][2]["changed"], json!(["approval_enabled", "description"]));
}

#[tokio::test]
async fn a_change_may_be_partial_or_late() {
    let cloud = cloud().await;
    cloud.set(json!({"approval_enabled": true, "description": "old"})).await;
    cloud.faults(json!([{"name": "partial"}])).await;
    cloud.put(json!({"approval_enabled": false, "description": "new"})).await;
    let after = cloud.truth(0).await;
    assert_eq!((&after["approval_enabled"], &after["description"]), (&json!(false), &json!("old")));
    cloud.faults(json!([{"name": "delayed", "gets": 2, "times": 1}])).await;
    cloud.put(json!({"description": "late"})).await;
    assert_eq!(cloud.truth(0).await["description"], "late");
    for shown in ["old", "old", "late"] {
        assert_eq!(cloud.detail().await["description"], shown);
    }
    cloud.faults(json!([{"name": "delayed", "ms": 2_000, "times": 1}])).await;
    cloud.put(json!({"description": "later"})).await;
    assert_eq!(cloud.detail().await["description"], "late");
    eventually("it is shown", async || match cloud.detail().await["description"].as_str() {
        Some("later") => Ok(()),
        shown => Err(format!("{shown:?}")),
    })
    .await;
}

#[tokio::test]
async fn the_fate_of_a_change_may_be_hidden() {
    let cloud = cloud().await;
    for (number, (fault, applied)) in [
        ("applied-then-hang", true),
        ("applied-then-reset", true),
        ("applied-then-500", true),
        ("not-applied-then-hang", false),
        ("not-applied-then-reset", false),
        ("not-applied-then-500", false),
    ]
    .into_iter()
    .enumerate()
    {
        cloud.faults(json!([{"name": fault, "times": 1, "services": [&cloud.id]}])).await;
        let text = format!("by {fault}");
        let sent = cloud.put_raw(json!({"description": text}).to_string());
        match timeout(Duration::from_millis(300), sent).await {
            Err(_) => assert!(fault.ends_with("hang"), "{fault}"),
            Ok(Err(_)) => assert!(fault.ends_with("reset"), "{fault}"),
            Ok(Ok(answer)) => {
                assert_eq!(answer.status().as_u16(), 500, "{fault}");
                assert_eq!(json_of(answer).await["error_code"], "EndPoint.0001");
            }
        }
        assert_eq!(cloud.truth(0).await["description"] == json!(text), applied, "{fault}");
        let put = cloud.ledger().await["puts"][number].clone();
        assert_eq!((&put["applied"], &put["faults"]), (&json!(applied), &json!([fault])));
        assert_eq!(put["answered"], json!(fault.ends_with("500")), "{fault}");
    }
}

#[tokio::test]
async fn somebody_else_may_write_too() {
    let cloud = cloud().await;
    let change = json!({"tcp_proxy": "open"});
    cloud.faults(json!([{"name": "second-writer", "times": 1, "change": change}])).await;
    let (_, echo) = cloud.put(json!({"description": "mine"})).await;
    let after = cloud.truth(0).await;
    assert_eq!((&after["tcp_proxy"], &after["description"]), (&json!("open"), &json!("mine")));
    assert_eq!(echo["tcp_proxy"], "open");
    cloud.faults(json!([{"name": "second-writer-after"}])).await;
    cloud.put(json!({"description": "mine again"})).await;
    assert_eq!(cloud.truth(0).await["description"], "changed by someone else");
}

#[tokio::test]
async fn a_change_may_be_refused_at_the_door() {
    let cloud = cloud().await;
    for (fault, status, code) in [
        ("forbidden-state", 400, "EndPoint.3045"),
        ("throttled-400", 400, "EndPoint.0022"),
        ("service-unauthorized", 401, "EndPoint.0003"),
        ("not-allowed", 403, "EndPoint.0004"),
        ("not-yours", 404, "EndPoint.0005"),
        ("not-there", 400, "EndPoint.2003"),
    ] {
        let operation = (fault == "throttled-400").then_some("vpcep_update");
        cloud.faults(json!([{"name": fault, "operation": operation}])).await;
        let (got, body) = cloud.put(json!({"description": "x"})).await;
        assert_eq!((got, &body["error_code"]), (status, &json!(code)), "{fault}");
        assert_eq!(body.get("request_id"), None);
        let seen = cloud.get(&format!("/{}", cloud.id)).await.0 == 200;
        assert_eq!(seen, fault != "not-yours", "{fault}");
    }
    for (operation, rest) in [
        ("vpcep_services", "".to_owned()),
        ("vpcep_describe", format!("/describe?id={}", cloud.id)),
        ("vpcep_public", "/public".to_owned()),
        ("vpcep_service", format!("/{}", cloud.id)),
        ("vpcep_connections", format!("/{}/connections", cloud.id)),
        ("vpcep_permissions", format!("/{}/permissions", cloud.id)),
        ("vpcep_quotas", "/../quotas".to_owned()),
    ] {
        cloud.faults(json!([{"name": "not-allowed", "operation": operation, "times": 1}])).await;
        let (status, body) = cloud.get(&rest).await;
        assert_eq!((status, &body["error_code"]), (403, &json!("EndPoint.0004")), "{operation}");
        assert_eq!(cloud.get(&rest).await.0, 200, "{operation}");
    }
    // What names no service is nobody's.
    cloud.faults(json!([{"name": "not-yours"}])).await;
    assert_eq!(cloud.get("/../quotas").await.0, 200);
    let only = json!([{"name": "not-yours", "services": [&cloud.id]}]);
    cloud.faults(only).await;
    assert_eq!(cloud.get("").await.1["total_count"], 12);
    let all = cloud.sim.control(Method::GET, "faults", &json!({})).await;
    let first = &all["active"][0];
    assert_eq!((&first["name"], &first["hits"]), (&json!("not-yours"), &json!(0)));
    assert_eq!(all["known"].as_array().unwrap().len(), Fault::NAMES.len());
}
