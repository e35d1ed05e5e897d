//! Querying VPC Endpoint Services, and Querying Details About a VPC Endpoint Service (VPCEP API
//! Reference).
//!
//! The JSON of a service differs between the list, the details and the answer to a change.

use serde_json::{Value, json};

use super::{
    listing::{Listing, among, text},
    request::{Answer, Request},
};
use crate::sim::{
    account::{DOMAIN_ID, PROJECT_ID},
    cloud::State,
    errors::vpcep,
    reply::Reply,
    world::{
        Cluster, World,
        connection::{ACCEPTED, CREATING},
        service::Service,
    },
};

const LARGEST_PAGE: i64 = 1_000;
const STATUSES: [&str; 4] = ["creating", "available", "failed", "deleting"];
/// The type of every service that is not the cloud's own.
pub(super) const TYPE: &str = "interface";
pub(super) const BORDER_GROUP: &str = "center";

/// Answers with one page of the project's services.
pub(super) fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let query = &request.query;
    // A part of the full name, in any case.
    let name = text(query, "endpoint_service_name", "1003")?.unwrap_or_default().to_lowercase();
    let id = text(query, "id", "3062")?;
    let status = among(query, "status", "0019", &STATUSES)?;
    let listing = Listing::read(query, LARGEST_PAGE)?;
    let mut rows: Vec<(Service, &Cluster)> = Vec::new();
    for cluster in state.world.serving() {
        if state.faults.hides(&cluster.service.id) {
            continue;
        }
        let shown = state.faults.shown.of(&cluster.service, false, request.now_ms);
        if shown.service_name.to_lowercase().contains(&name)
            && id.is_none_or(|id| shown.id == id)
            && status.is_none_or(|status| shown.status == status)
        {
            rows.push((shown.clone(), cluster));
        }
    }
    let times = |(one, _): &(Service, &Cluster)| (one.created_at, one.updated_at);
    let written = |(one, cluster)| listed(&one, cluster);
    Ok(listing.reply("endpoint_services", rows, times, written))
}

/// Answers with one service.
pub(super) fn detail(state: &mut State, request: &Request<'_>) -> Answer {
    let service = &behind(&state.world, request)?.service;
    let shown = state.faults.shown.of(service, true, request.now_ms);
    let mut body = written(shown);
    body["supported_editions"] = json!(["basic"]);
    body["cidr_type"] = json!("internal");
    Ok(Reply::json(200, &body))
}

/// The cluster behind the service that the path names.
pub(super) fn behind<'a>(world: &'a World, request: &Request<'_>) -> Result<&'a Cluster, Reply> {
    // The list of error codes has two for this; this one also fits another project's id.
    world.behind(request.service()).ok_or_else(|| vpcep("0005"))
}

/// The answer to a change (Table 5), which alone names the pool.
pub(super) fn changed(service: &Service) -> Reply {
    let mut body = written(service);
    if let Some(pool) = &service.pool_id {
        body["pool_id"] = json!(pool);
    }
    Reply::json(200, &body)
}

fn listed(service: &Service, cluster: &Cluster) -> Value {
    let mut body = written(service);
    body["domain_id"] = json!(DOMAIN_ID);
    // Connections of any other status are not counted.
    body["connection_count"] = json!(cluster.count(CREATING) + cluster.count(ACCEPTED));
    body["supported_editions"] = json!(["basic"]);
    body["public_border_group"] = json!(BORDER_GROUP);
    body
}

/// The part that all three answers share.
fn written(service: &Service) -> Value {
    let mut body = json!(service);
    if let Some(body) = body.as_object_mut() {
        let hidden = |key: &str| key == "spare_port_id" || key == "pool_id";
        body.retain(|key, value| !hidden(key) && (key != "ip" || !value.is_null()));
    }
    body["service_type"] = json!(TYPE);
    body["project_id"] = json!(PROJECT_ID);
    body
}
