//! Querying VPC Endpoint Services, and Querying Details About a VPC Endpoint Service (VPCEP API
//! Reference).
//!
//! Owns the list's filters and the JSON of a service, which differs between the list, the details and the
//! answer to a change.

use serde_json::{Map, Value, json};

use super::listing::{Listing, among, text};
use crate::sim::calls::Operation;
use crate::sim::cloud::State;
use crate::sim::errors::{Reply, vpcep};
use crate::sim::query::Query;
use crate::sim::service::Service;
use crate::sim::world::{ACCEPTED, CREATING, Cluster};
use crate::sim::{DOMAIN_ID, PROJECT_ID};

const LARGEST_PAGE: i64 = 1_000;
const STATUSES: [&str; 4] = ["creating", "available", "failed", "deleting"];
/// The type of every service that is not the cloud's own.
pub(super) const TYPE: &str = "interface";
pub(super) const BORDER_GROUP: &str = "center";

/// What is asked of the list.
struct Filter<'a> {
    /// A part of the full name, in any case.
    name: String,
    id: Option<&'a str>,
    status: Option<&'a str>,
    listing: Listing,
}

/// Answers with one page of the project's services.
pub(super) fn list(state: &mut State, query: &Query, now_ms: u64) -> Reply {
    if let Some((_, code)) = state.modes.refusal(Operation::VpcepServices, None) {
        return vpcep(code);
    }
    filter(query).map_or_else(vpcep, |filter| page(state, &filter, now_ms))
}

fn filter(query: &Query) -> Result<Filter<'_>, &'static str> {
    let name = text(query, "endpoint_service_name", "1003")?.unwrap_or_default();
    Ok(Filter {
        name: name.to_lowercase(),
        id: text(query, "id", "3062")?,
        status: among(query, "status", "0019", &STATUSES)?,
        listing: Listing::read(query, LARGEST_PAGE)?,
    })
}

fn page(state: &mut State, filter: &Filter<'_>, now_ms: u64) -> Reply {
    let modes = &mut state.modes;
    let mut rows: Vec<(Service, &Cluster)> = Vec::new();
    for (service, cluster) in state.world.services() {
        if modes.hides(&service.id) {
            continue;
        }
        let shown = modes.shown(service, false, now_ms);
        if shown.service_name.to_lowercase().contains(&filter.name)
            && filter.id.is_none_or(|id| shown.id == id)
            && filter.status.is_none_or(|status| shown.status == status)
        {
            rows.push((shown.clone(), cluster));
        }
    }
    let total = rows.len();
    let page = filter.listing.page(rows, |(one, _)| (one.created_at, one.updated_at));
    let page: Vec<Value> = page.map(|(service, cluster)| listed(&service, cluster)).collect();
    Reply::json(200, &json!({"endpoint_services": page, "total_count": total}))
}

/// Answers with one service.
pub(super) fn detail(state: &mut State, id: &str, now_ms: u64) -> Reply {
    if let Some((_, code)) = state.modes.refusal(Operation::VpcepService, Some(id)) {
        return vpcep(code);
    }
    // The list of error codes has two for this. A wrong id is most likely another project's.
    let Some(service) = state.world.service(id) else { return vpcep("0005") };
    let shown = state.modes.shown(service, true, now_ms);
    let mut body = written(shown);
    body.insert("supported_editions".to_owned(), json!(["basic"]));
    body.insert("cidr_type".to_owned(), json!("internal"));
    Reply::json(200, &Value::Object(body))
}

/// The answer to a change, Table 5: it alone names the pool.
pub(super) fn changed(service: &Service) -> Reply {
    let mut body = written(service);
    if let Some(pool) = &service.pool_id {
        body.insert("pool_id".to_owned(), json!(pool));
    }
    Reply::json(200, &Value::Object(body))
}

fn listed(service: &Service, cluster: &Cluster) -> Value {
    let mut body = written(service);
    // Only these two are counted, whatever else is connected.
    let count = cluster.count(CREATING) + cluster.count(ACCEPTED);
    for (key, value) in [
        ("domain_id", json!(DOMAIN_ID)),
        ("connection_count", json!(count)),
        ("supported_editions", json!(["basic"])),
        ("public_border_group", json!(BORDER_GROUP)),
    ] {
        body.insert(key.to_owned(), value);
    }
    Value::Object(body)
}

/// What all three answers share.
fn written(service: &Service) -> Map<String, Value> {
    let mut all = service.plain();
    let body = all.as_object_mut().map(std::mem::take).unwrap_or_default();
    let hidden = |key: &str, value: &Value| {
        key == "spare_port_id" || key == "pool_id" || (key == "ip" && value.is_null())
    };
    let mut body: Map<String, Value> =
        body.into_iter().filter(|(key, value)| !hidden(key, value)).collect();
    body.insert("service_type".to_owned(), json!(TYPE));
    body.insert("project_id".to_owned(), json!(PROJECT_ID));
    body
}
