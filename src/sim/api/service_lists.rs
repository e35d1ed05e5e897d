//! VPCEP beside the services themselves: their connections and whitelists, the basic information that
//! other accounts may see, public services, and quotas (VPCEP API Reference).
//!
//! Owns these answers. Connections and whitelist are those of the cluster that the service is behind.

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
use crate::sim::service::Service;
use crate::sim::world::{Cluster, Connection, World};

/// Statuses by which connections can be asked for; they take more (Table 2).
const STATUSES: [&str; 4] = ["pendingAcceptance", "accepted", "rejected", "failed"];
const LARGEST_PAGE: i64 = 1_000;
const LARGEST_PAGE_OF_WHITELIST: i64 = 500;
/// Of a project, unless more was asked for (VPCEP User Guide, Quotas).
const SERVICES: usize = 20;
const ENDPOINTS: usize = 50;

/// Querying Connections of a VPC Endpoint Service.
pub(super) fn connections(state: &mut State, id: &str, query: &Query) -> Reply {
    listed(state, Operation::VpcepConnections, id, |cluster| {
        let listing = Listing::read(query, LARGEST_PAGE)?;
        let endpoint = text(query, "id", "2017")?;
        let status = among(query, "status", "0019", &STATUSES)?;
        let number = |marker: &str| marker.parse::<i64>().map_err(|_| "0021");
        let marker = text(query, "marker_id", "0021")?.map(number).transpose()?;
        let rows: Vec<&Connection> = cluster
            .connections
            .iter()
            .filter(|one| {
                endpoint.is_none_or(|id| *one.id == *id)
                    && status.is_none_or(|status| one.status == status)
                    && marker.is_none_or(|marker| marker_of(one) == marker)
            })
            .collect();
        let total = rows.len();
        let page = listing.page(rows, |one| (one.created_at, updated(one)));
        Ok(json!({"connections": page.map(connection).collect::<Vec<_>>(), "total_count": total}))
    })
}

/// Querying Whitelist Records of a VPC Endpoint Service.
pub(super) fn permissions(state: &mut State, id: &str, query: &Query) -> Reply {
    listed(state, Operation::VpcepPermissions, id, |cluster| {
        let listing = Listing::read(query, LARGEST_PAGE_OF_WHITELIST)?;
        let part = text(query, "permission", "0002")?.unwrap_or_default();
        let rows = cluster.permissions.iter().filter(|one| one.permission.contains(part));
        let rows: Vec<_> = rows.collect();
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
    })
}

/// The answer about the cluster behind a service, unless a mode, or the lack of it, refuses that.
fn listed(
    state: &mut State,
    operation: Operation,
    id: &str,
    answer: impl FnOnce(&Cluster) -> Result<Value, &'static str>,
) -> Reply {
    if let Some((_, code)) = state.modes.refusal(operation, Some(id)) {
        return vpcep(code);
    }
    let Some((_, cluster)) = find(&state.world, |service| service.id == id) else {
        return vpcep("0005");
    };
    answer(cluster).map_or_else(vpcep, |body| Reply::json(200, &body))
}

fn find(world: &World, wanted: impl Fn(&Service) -> bool) -> Option<(&Service, &Cluster)> {
    world.services().find(|(service, _)| wanted(service))
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

/// Some of the documents' examples are wider, but the SDK for Go reads no more than a positive `i32`.
fn marker_of(one: &Connection) -> i64 {
    let part = one.id.split('-').next().unwrap_or_default();
    i64::from(u32::from_str_radix(part, 16).unwrap_or_default() >> 1)
}

/// Querying Basic Information About a VPC Endpoint Service: by its id or its name, whoever owns it.
pub(super) fn describe(world: &World, query: &Query) -> Reply {
    let asked = || Ok((text(query, "id", "0002")?, text(query, "endpoint_service_name", "0002")?));
    let found = match asked() {
        Ok((Some(id), None)) if !is_uuid(id) => return vpcep("3062"),
        Ok((Some(id), None)) => find(world, |service| service.id == id),
        Ok((None, Some(name))) => find(world, |service| service.service_name == name),
        Ok(_) => return vpcep("0002"),
        Err(code) => return vpcep(code),
    };
    let Some((service, _)) = found else { return vpcep("0005") };
    Reply::json(
        200,
        &json!({
            "id": service.id,
            "service_name": service.service_name,
            "service_type": services::TYPE,
            "created_at": service.created_at.to_string(),
            "is_charge": true,
            "public_border_group": services::BORDER_GROUP,
            "enable_policy": service.enable_policy,
        }),
    )
}

/// Querying Public VPC Endpoint Services: those that the cloud itself offers, whose names have no id.
pub(super) fn public(world: &World, query: &Query) -> Reply {
    let asked = || {
        let listing = Listing::read(query, LARGEST_PAGE)?;
        let part = text(query, "endpoint_service_name", "1003")?.unwrap_or_default();
        Ok((listing, part.to_lowercase(), text(query, "id", "3062")?))
    };
    let (listing, part, id) = match asked() {
        Ok(asked) => asked,
        Err(code) => return vpcep(code),
    };
    // The name, the type, an id, and the age in days.
    let all = [
        ("obs", "gateway", "0b5d5e52-7c3a-4a35-9d0c-6f3f5b0f0001", 900),
        ("dns", services::TYPE, "0b5d5e52-7c3a-4a35-9d0c-6f3f5b0f0002", 800),
    ];
    let rows = all.map(|(name, kind, id, days)| {
        let created = shifted(world.start, -86_400 * days);
        let row = json!({
            "id": id,
            "owner": "system",
            "service_name": format!("com.sim.{REGION}.{name}"),
            "service_type": kind,
            "created_at": created.to_string(),
            "is_charge": false,
            "enable_policy": false,
        });
        (created, row)
    });
    let fits = |row: &Value| {
        let name = row["service_name"].as_str().unwrap_or_default();
        name.contains(&part) && id.is_none_or(|id| row["id"] == id)
    };
    let rows: Vec<_> = rows.into_iter().filter(|(_, row)| fits(row)).collect();
    let total = rows.len();
    let page = listing.page(rows, |(created, _)| (*created, *created)).map(|(_, row)| row);
    Reply::json(200, &json!({"endpoint_services": page.collect::<Vec<_>>(), "total_count": total}))
}

/// Querying the Quota.
pub(super) fn quotas(world: &World, query: &Query) -> Reply {
    let kind = match among(query, "type", "0002", &["endpoint_service", "endpoint"]) {
        Ok(kind) => kind,
        Err(code) => return vpcep(code),
    };
    let services = world.services().count();
    let all = [("endpoint_service", services, SERVICES.max(services)), ("endpoint", 0, ENDPOINTS)];
    let resources: Vec<Value> = all
        .into_iter()
        .filter(|(name, ..)| kind.is_none_or(|kind| kind == *name))
        .map(|(name, used, quota)| json!({"type": name, "used": used, "quota": quota}))
        .collect();
    Reply::json(200, &json!({"quotas": {"resources": resources}}))
}
