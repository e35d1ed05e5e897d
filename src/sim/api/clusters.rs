//! Querying the Cluster List, and Querying Details About a Cluster (CSS API Reference).
//!
//! The list's paging counts from one, and times have no zone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::request::{Answer, Request};
use crate::sim::{
    clock::shifted,
    cloud::State,
    errors::no_such_cluster,
    query::{Query, Range},
    reply::Reply,
    world::{Cluster, World},
};

const OFFSET: Range = Range { low: 1, high: 1_000, default: 1 };
const LIMIT: Range = Range { low: 1, high: 1_000, default: 10 };
const DATASTORES: [&str; 3] = ["elasticsearch", "logstash", "opensearch"];

/// Answers with one page of the project's clusters, the newest first.
pub(super) fn list(state: &State, request: &Request<'_>) -> Answer {
    Ok(Reply::json(200, &page(&state.world, &request.query)?))
}

fn page(world: &World, query: &Query) -> Result<Value, Reply> {
    // `start` is the older name of `offset`.
    let name = if query.text("offset")?.is_some() { "offset" } else { "start" };
    let first = query.number(name, OFFSET)? as usize - 1;
    let limit = query.number("limit", LIMIT)? as usize;
    let kind = query.among("datastoreType", &DATASTORES)?;
    let all = world.clusters.iter();
    let mut clusters: Vec<&Cluster> =
        all.filter(|cluster| kind.is_none_or(|kind| cluster.datastore == kind)).collect();
    clusters.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    let rows = clusters.iter().skip(first).take(limit);
    let rows: Vec<Value> = rows.map(|cluster| written(cluster)).collect();
    Ok(json!({"totalSize": clusters.len(), "clusters": rows}))
}

/// Answers with one cluster. Only this answer has the addresses of the cluster's own endpoint.
pub(super) fn detail(state: &State, request: &Request<'_>) -> Answer {
    let cluster = state.world.cluster(request.cluster()).ok_or_else(no_such_cluster)?;
    let own = cluster.connections.first().filter(|_| cluster.vpcep_enabled);
    let mut body = written(cluster);
    body["vpcepIp"] = json!(own.and_then(|one| one.ip.as_ref()));
    body["vpcepIpv6Address"] = json!(own.and_then(|one| one.ipv6.as_ref()));
    body["supportVpcep"] = json!(true);
    body["orderId"] = Value::Null;
    Ok(Reply::json(200, &body))
}

fn written(cluster: &Cluster) -> Value {
    let part = |number: usize| cluster.id.split('-').nth(number).unwrap_or_default();
    let id = &cluster.id;
    let address = format!("10.{}.0.9", u8::from_str_radix(&id[..2], 16).unwrap_or_default());
    let version = if cluster.datastore == "opensearch" { "2.19.0" } else { "7.10.2" };
    let instance = json!({
        "id": format!("{}-{}-4000-8000-{}", part(0), part(1), part(4)),
        "name": format!("{}-ess-esn-1-1", cluster.name),
        "type": "ess",
        "status": "200",
        "specCode": "ess.spec-4u8g",
        "azCode": "sim-region-1a",
        "ip": &address,
        "volume": {"type": "HIGH", "size": 40},
    });
    json!({
        "id": id,
        "name": &cluster.name,
        "status": "200",
        "datastore": {
            "type": cluster.datastore,
            "version": version,
            "subVersion": "",
            "isEosCluster": false,
            "supportSecuritymode": false,
        },
        "instances": [instance],
        "created": without_zone(cluster.created),
        "updated": without_zone(shifted(cluster.created, 900)),
        "endpoint": format!("{address}:9200"),
        "vpcId": format!("{}-0000-4000-8000-000000000001", part(0)),
        "subnetId": format!("{}-0000-4000-8000-000000000002", part(0)),
        "securityGroupId": format!("{}-0000-4000-8000-000000000003", part(0)),
        "httpsEnable": false,
        "authorityEnable": false,
        "diskEncrypted": false,
        "cmkId": null,
        "backupAvailable": false,
        "actionProgress": {},
        "actions": [],
        "enterpriseProjectId": &cluster.enterprise_project_id,
        "tags": cluster.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Value>(),
        "failedReason": null,
        "period": false,
        "publicIp": null,
        "bandwidthSize": 0,
        "bandwidthResourceId": null,
        "publicKibanaResp": null,
        "elbWhiteList": null,
        "snapshotPolicy": null,
    })
}

fn without_zone(time: Timestamp) -> String {
    time.to_string().trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::first;

    fn ask(query: &str) -> (u16, Value) {
        let start = "2024-06-11T09:36:24Z".parse().expect("a time");
        let outcome = page(&first::world(1, 25, 0, start), &Query::parse(query));
        outcome.map_or_else(|refused| (refused.status, Value::Null), |body| (200, body))
    }

    #[test]
    fn pages_count_from_one() {
        let ids = |query: &str| {
            let (status, body) = ask(query);
            assert_eq!((status, &body["totalSize"]), (200, &json!(25)), "{query}");
            let rows = body["clusters"].as_array().expect("rows").iter();
            rows.map(|row| row["id"].clone()).collect::<Vec<_>>()
        };
        let all = ids("limit=1000");
        assert_eq!(all.len(), 25);
        assert_eq!(ids(""), all[..10]);
        assert_eq!(ids("offset=11"), all[10..20]);
        assert_eq!(ids("start=21&limit=10"), all[20..]);
        assert!(ids("offset=26").is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        for query in ["offset=0", "start=0", "limit=0", "limit=1001", "datastoreType=x"] {
            assert_eq!(ask(query).0, 400, "{query}");
        }
    }

    #[test]
    fn times_have_no_zone() {
        let (_, body) = ask("limit=1");
        let created = body["clusters"][0]["created"].as_str().expect("a text");
        assert_eq!(created.len(), "2023-10-09T02:07:13".len());
    }
}
