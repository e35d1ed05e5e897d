//! VPCEP's other lists: the connections and whitelists of services, their basic information for other
//! accounts, public services, and quotas (VPCEP API Reference).
//!
//! Owns these answers. Connections and whitelist are those of the cluster that the service belongs to.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::listing::{Listing, among, text};
use super::{is_uuid, services};
use crate::sim::REGION;
use crate::sim::calls::Operation;
use crate::sim::clock::shifted;
use crate::sim::cloud::State;
use crate::sim::errors::{Reply, vpcep};
use crate::sim::query::Query;
use crate::sim::world::{Cluster, Connection, Permission, World};

/// The statuses that the filter of connections accepts; connections can have more (Table 2).
const STATUSES: [&str; 4] = ["pendingAcceptance", "accepted", "rejected", "failed"];
const LARGEST_PAGE: i64 = 1_000;
const LARGEST_PAGE_OF_WHITELIST: i64 = 500;
/// The quota of a project, unless it was raised (VPCEP User Guide, Quotas).
const SERVICES: usize = 20;
const ENDPOINTS: usize = 50;
/// In seconds before the start of the world.
const AGE_OF_PUBLIC: i64 = -900 * 86_400;

/// A body, or an error code.
type Outcome = Result<Value, &'static str>;

/// Answers one of these calls; `id` is the service's, where the path has one.
pub(super) fn answer(state: &mut State, operation: Operation, id: &str, query: &Query) -> Reply {
    let service = Some(id).filter(|id| !id.is_empty());
    if let Some((_, code)) = state.modes.refusal(operation, service) {
        return vpcep(code);
    }
    let outcome = match operation {
        Operation::VpcepDescribe => describe(&state.world, query),
        Operation::VpcepPublic => public(&state.world, query),
        Operation::VpcepQuotas => quotas(&state.world, query),
        _ => behind(state, operation, id, query),
    };
    outcome.map_or_else(vpcep, |body| Reply::json(200, &body))
}

fn behind(state: &State, operation: Operation, id: &str, query: &Query) -> Outcome {
    let found = state.world.services().find(|(service, _)| service.id == id);
    let (_, cluster) = found.ok_or("0005")?;
    if operation == Operation::VpcepConnections {
        connections(cluster, query)
    } else {
        permissions(cluster, query)
    }
}

/// Querying Connections of a VPC Endpoint Service.
fn connections(cluster: &Cluster, query: &Query) -> Outcome {
    let listing = Listing::read(query, LARGEST_PAGE)?;
    let endpoint = text(query, "id", "2017")?;
    let status = among(query, "status", "0019", &STATUSES)?;
    let number = |marker: &str| marker.parse::<i64>().map_err(|_| "0021");
    let marker = text(query, "marker_id", "0021")?.map(number).transpose()?;
    let mut rows: Vec<&Connection> = cluster.connections.iter().collect();
    rows.retain(|one| {
        endpoint.is_none_or(|id| *one.id == *id)
            && status.is_none_or(|status| one.status == status)
            && marker.is_none_or(|marker| marker_of(one) == marker)
    });
    let total = rows.len();
    let page = listing.page(rows, |one| (one.created_at, updated(one)));
    Ok(json!({"connections": page.map(connection).collect::<Vec<_>>(), "total_count": total}))
}

fn connection(one: &Connection) -> Value {
    let mut row = json!({
        "id": one.id,
        "marker_id": marker_of(one),
        "created_at": one.created_at.to_string(),
        "updated_at": updated(one).to_string(),
        "domain_id": &*one.domain_id,
        "status": one.status,
        "description": "",
    });
    if one.status == "failed" {
        row["error"] = json!([{"error_code": "EndPoint.0001", "error_message": "System error."}]);
    }
    row
}

fn updated(one: &Connection) -> Timestamp {
    one.update_at.value().copied().unwrap_or(one.created_at)
}

/// Some examples in the documents are larger, but the SDK for Go reads only a positive `i32`.
fn marker_of(one: &Connection) -> i64 {
    let part = one.id.split('-').next().unwrap_or_default();
    i64::from(u32::from_str_radix(part, 16).unwrap_or_default() >> 1)
}

/// Querying Whitelist Records of a VPC Endpoint Service.
fn permissions(cluster: &Cluster, query: &Query) -> Outcome {
    let listing = Listing::read(query, LARGEST_PAGE_OF_WHITELIST)?;
    let part = text(query, "permission", "0002")?.unwrap_or_default();
    let mut rows: Vec<&Permission> = cluster.permissions.iter().collect();
    rows.retain(|one| one.permission.contains(part));
    let total = rows.len();
    let page = listing.page(rows, |one| (one.created_at, one.created_at)).map(|one| {
        json!({
            "id": one.id,
            "permission": one.permission,
            "permission_type": "domainId",
            "created_at": one.created_at.to_string(),
            "description": "",
        })
    });
    Ok(json!({"permissions": page.collect::<Vec<_>>(), "total_count": total}))
}

/// Querying Basic Information About a VPC Endpoint Service, by its id or by its name.
fn describe(world: &World, query: &Query) -> Outcome {
    let id = text(query, "id", "0002")?;
    let name = text(query, "endpoint_service_name", "0002")?;
    if id.is_some() == name.is_some() {
        return Err("0002");
    }
    if id.is_some_and(|id| !is_uuid(id)) {
        return Err("3062");
    }
    let mut services = world.services().map(|(service, _)| service);
    let found = services.find(|one| id == Some(&*one.id) || name == Some(&*one.service_name));
    let service = found.ok_or("0005")?;
    Ok(json!({
        "id": service.id,
        "service_name": service.service_name,
        "service_type": services::TYPE,
        "created_at": service.created_at.to_string(),
        "is_charge": true,
        "public_border_group": services::BORDER_GROUP,
        "enable_policy": service.enable_policy,
    }))
}

/// Querying Public VPC Endpoint Services: the cloud's own services, whose names do not end in an id.
fn public(world: &World, query: &Query) -> Outcome {
    let listing = Listing::read(query, LARGEST_PAGE)?;
    let part = text(query, "endpoint_service_name", "1003")?.unwrap_or_default().to_lowercase();
    let wanted = text(query, "id", "3062")?;
    let row = |name: &str, kind: &str, id: &str| {
        json!({
            "id": id,
            "owner": "system",
            "service_name": format!("com.sim.{REGION}.{name}"),
            "service_type": kind,
            "created_at": shifted(world.start, AGE_OF_PUBLIC).to_string(),
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
    let total = rows.len();
    let page = listing.page(rows, |_| (world.start, world.start));
    Ok(json!({"endpoint_services": page.collect::<Vec<_>>(), "total_count": total}))
}

/// Querying the Quota.
fn quotas(world: &World, query: &Query) -> Outcome {
    let kind = among(query, "type", "0002", &["endpoint_service", "endpoint"])?;
    let services = world.services().count();
    let mut all =
        vec![("endpoint_service", services, SERVICES.max(services)), ("endpoint", 0, ENDPOINTS)];
    all.retain(|(name, ..)| kind.is_none_or(|kind| kind == *name));
    let resource = |(name, used, quota)| json!({"type": name, "used": used, "quota": quota});
    Ok(json!({"quotas": {"resources": all.into_iter().map(resource).collect::<Vec<_>>()}}))
}
