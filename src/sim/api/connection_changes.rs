//! Updating an Endpoint Connection, and Modifying the VPCEP Service Whitelist of a Cluster (CSS API
//! Reference).
//!
//! Both changes take effect before the answer, and completely or not at all. Their answers have no body.

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    connections::enabled,
    request::{Answer, Request},
};
use crate::sim::{
    clock::whole_seconds,
    cloud::State,
    errors::{bad_parameter, css},
    faults::{Group, Kind, transport},
    reply::{JSON, Reply},
    world::{
        Cluster, Permission,
        connection::{ACCEPTED, PENDING, REJECTED},
    },
};

/// The most characters of a `domainId`.
const ACCOUNT: usize = 64;

#[derive(Deserialize)]
struct Update {
    action: String,
    /// The name used before August 2025 is accepted too.
    #[serde(alias = "endpointIdList")]
    endpoint_id_list: Vec<String>,
}

/// Accepts or rejects connections.
pub(super) fn statuses(state: &mut State, request: &Request<'_>) -> Answer {
    let Update { action, endpoint_id_list: ids } = read(request.received.body)?;
    let wanted = match &*action {
        "receive" => ACCEPTED,
        "reject" => REJECTED,
        _ => return Err(bad_parameter("Incorrect parameters.")),
    };
    if ids.is_empty() {
        return Err(bad_parameter("The parameter endpoint_id_list is empty."));
    }
    let places = places(enabled(&mut state.world, request.cluster())?, &ids)?;
    let hits = state.struck(&request.route, Group::is_of_changes);
    if !transport::is_lost(&hits) {
        let cluster = enabled(&mut state.world, request.cluster())?;
        let count = if hits.has(Kind::Partial) { 1 } else { places.len() };
        let due = places.iter().filter(|at| cluster.connections[**at].status != wanted);
        // All are judged before one is changed, so that a connection that is named twice is logged twice.
        let due: Vec<usize> = due.take(count).copied().collect();
        due.iter().for_each(|at| cluster.set_status(*at, wanted, request.now));
        let changed = due.iter().map(|at| cluster.connections[*at].id.to_string());
        state.effect.changed = changed.collect();
        state.effect.applied = true;
    }
    Ok(transport::of_change(Reply::new(200, JSON, ""), &hits))
}

/// The positions of the connections with these ids, if all of them may be accepted and rejected now.
fn places(cluster: &Cluster, ids: &[String]) -> Result<Vec<usize>, Reply> {
    let place = |id: &String| {
        let at = cluster.connections.iter().position(|one| *one.id == **id);
        let at = at.ok_or_else(|| css(400, "CSS.0082", "The record does not exist."))?;
        match &*cluster.connections[at].status {
            ACCEPTED | REJECTED | PENDING => Ok(at),
            _ => Err(css(400, "CSS.5090", "The operation is not allowed in the current state.")),
        }
    };
    ids.iter().map(place).collect()
}

#[derive(Deserialize)]
struct Whitelist {
    /// The name used before August 2025 is accepted too.
    #[serde(alias = "vpcPermissions")]
    vpc_permissions: Option<Vec<String>>,
}

/// Replaces the whitelist.
pub(super) fn whitelist(state: &mut State, request: &Request<'_>) -> Answer {
    let (world, id) = (&mut state.world, request.cluster());
    let accounts = read::<Whitelist>(request.received.body)?.vpc_permissions;
    let accounts = accounts.ok_or_else(|| css(400, "CSS.5181", "The whitelist does not exist."))?;
    let valid = |account: &String| {
        let usual = account.bytes().all(|byte| byte.is_ascii_alphanumeric());
        account == "*" || (usual && (1..=ACCOUNT).contains(&account.len()))
    };
    if !accounts.iter().all(valid) {
        return Err(bad_parameter("An account ID of the whitelist is invalid."));
    }
    let known = std::mem::take(&mut enabled(world, id)?.permissions);
    let created_at = whole_seconds(request.now);
    let rows = accounts.iter().map(|account| {
        let permission = match &**account {
            "*" => "*".to_owned(),
            account => format!("iam:domain::{account}"),
        };
        let same = known.iter().find(|one| one.permission == permission).cloned();
        same.unwrap_or_else(|| Permission::new(world.new_id(), permission, created_at))
    });
    let rows: Vec<Permission> = rows.collect();
    enabled(world, id)?.permissions = rows;
    Ok(Reply::new(200, JSON, ""))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    let body = body.trim_ascii();
    if body.is_empty() {
        let message = "The request is null. Enter the request parameters.";
        return Err(css(400, "CSS.0006", message));
    }
    // The derived reader also takes an array with the values in the order of the keys.
    let object = if body.starts_with(b"{") { serde_json::from_slice(body).ok() } else { None };
    object.ok_or_else(|| bad_parameter("Incorrect parameters."))
}
