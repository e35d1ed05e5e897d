//! VPCEP's other lists: the connections and whitelists of services, their basic information for other
//! accounts, public services, and quotas (VPCEP API Reference).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    listing::{Listing, among, text},
    request::{Answer, Request, is_uuid},
    services,
};
use crate::sim::{
    account::REGION,
    clock::shifted,
    cloud::State,
    errors::vpcep,
    reply::Reply,
    world::{Permission, connection::Connection},
};

/// The statuses that the filter of connections accepts; connections can have more (Table 2).
const STATUSES: [&str; 4] = ["pendingAcceptance", "accepted", "rejected", "failed"];
const LARGEST_PAGE: i64 = 1_000;
const LARGEST_PAGE_OF_WHITELIST: i64 = 500;
/// The quota of a project, unless it was raised (VPCEP User Guide, Quotas).
const SERVICES: usize = 20;
const ENDPOINTS: usize = 50;
/// In seconds before the start of the world.
const AGE_OF_PUBLIC: i64 = -900 * 86_400;

/// Querying Connections of a VPC Endpoint Service.
pub(super) fn connections(state: &State, request: &Request<'_>) -> Answer {
    let (query, cluster) = (&request.query, services::behind(&state.world, request)?);
    let listing = Listing::read(query, LARGEST_PAGE)?;
    let endpoint = text(query, "id", "2017")?;
    let status = among(query, "status", "0019", &STATUSES)?;
    let number = |marker: &str| marker.parse::<i64>().map_err(|_| vpcep("0021"));
    let marker = text(query, "marker_id", "0021")?.map(number).transpose()?;
    let mut rows: Vec<&Connection> = cluster.connections.iter().collect();
    rows.retain(|one| {
        endpoint.is_none_or(|id| *one.id == *id)
            && status.is_none_or(|status| one.status == status)
            && marker.is_none_or(|marker| marker_of(one) == marker)
    });
    Ok(listing.reply("connections", rows, |one| (one.created_at, updated(one)), connection))
}

fn connection(one: &Connection) -> Value {
    let mut row = json!({
        "id": one.id,
        "marker_id": marker_of(one),
        "created_at": one.created_at,
        "updated_at": updated(one),
        "domain_id": one.domain_id,
        "status": one.status,
        "description": "",
    });
    if one.status == "failed" {
        row["error"] = json!([{"error_code": "EndPoint.0001", "error_message": "System error."}]);
    }
    row
}

fn updated(one: &Connection) -> Timestamp {
    one.update_at.flatten().unwrap_or(one.created_at)
}

/// The `marker_id` of a connection: a positive `i32`, because the SDK for Go reads no other. Some examples in
/// the documents are larger.
fn marker_of(one: &Connection) -> i64 {
    let part = one.id.split('-').next().unwrap_or_default();
    i64::from(u32::from_str_radix(part, 16).unwrap_or_default() >> 1)
}

/// Querying Whitelist Records of a VPC Endpoint Service.
pub(super) fn permissions(state: &State, request: &Request<'_>) -> Answer {
    let (query, cluster) = (&request.query, services::behind(&state.world, request)?);
    let listing = Listing::read(query, LARGEST_PAGE_OF_WHITELIST)?;
    let part = text(query, "permission", "0002")?.unwrap_or_default();
    let mut rows: Vec<&Permission> = cluster.permissions.iter().collect();
    rows.retain(|one| one.permission.contains(part));
    let written = |one: &Permission| {
        let mut row = json!(one);
        row["description"] = json!("");
        row
    };
    Ok(listing.reply("permissions", rows, |one| (one.created_at, one.created_at), written))
}

/// Querying Basic Information About a VPC Endpoint Service, by its id or by its name.
pub(super) fn describe(state: &State, request: &Request<'_>) -> Answer {
    let query = &request.query;
    let id = text(query, "id", "0002")?;
    let name = text(query, "endpoint_service_name", "0002")?;
    if id.is_some() == name.is_some() {
        return Err(vpcep("0002"));
    }
    if id.is_some_and(|id| !is_uuid(id)) {
        return Err(vpcep("3062"));
    }
    let mut services = state.world.serving().map(|cluster| &cluster.service);
    let found = services.find(|one| id == Some(&*one.id) || name == Some(&*one.service_name));
    let service = found.ok_or_else(|| vpcep("0005"))?;
    let body = json!({
        "id": service.id,
        "service_name": service.service_name,
        "service_type": services::TYPE,
        "created_at": service.created_at,
        "is_charge": true,
        "public_border_group": services::BORDER_GROUP,
        "enable_policy": service.enable_policy,
    });
    Ok(Reply::json(200, &body))
}

/// Querying Public VPC Endpoint Services: the cloud's own services, whose names do not end in an id.
pub(super) fn public(state: &State, request: &Request<'_>) -> Answer {
    let (query, start) = (&request.query, state.world.start);
    let listing = Listing::read(query, LARGEST_PAGE)?;
    let part = text(query, "endpoint_service_name", "1003")?.unwrap_or_default().to_lowercase();
    let wanted = text(query, "id", "3062")?;
    let row = |name: &str, kind: &str, id: &str| {
        json!({
            "id": id,
            "owner": "system",
            "service_name": format!("com.sim.{REGION}.{name}"),
            "service_type": kind,
            "created_at": shifted(start, AGE_OF_PUBLIC),
            "is_charge": false,
            "enable_policy": false,
        })
    };
    let mut rows = vec![
        row("dns", services::TYPE, "0b5d5e52-7c3a-4a35-9d0c-6f3f5b0f0001"),
        row("obs", "gateway", "0b5d5e52-7c3a-4a35-9d0c-6f3f5b0f0002"),
    ];
    rows.retain(|row| {
        let fits = row["service_name"].as_str().is_some_and(|name| name.contains(&part));
        fits && wanted.is_none_or(|id| row["id"] == id)
    });
    Ok(listing.reply("endpoint_services", rows, |_| (start, start), |row| row))
}

/// Querying the Quota.
pub(super) fn quotas(state: &State, request: &Request<'_>) -> Answer {
    let kind = among(&request.query, "type", "0002", &["endpoint_service", "endpoint"])?;
    let used = state.world.serving().count();
    let all = [("endpoint_service", used, SERVICES.max(used)), ("endpoint", 0, ENDPOINTS)];
    let wanted = all.into_iter().filter(|(name, ..)| kind.is_none_or(|kind| kind == *name));
    let resources: Vec<Value> = wanted
        .map(|(name, used, quota)| json!({"type": name, "used": used, "quota": quota}))
        .collect();
    Ok(Reply::json(200, &json!({"quotas": {"resources": resources}})))
}
