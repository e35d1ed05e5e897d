//! Updating an Endpoint Connection, and Modifying the VPCEP Service Whitelist of a Cluster (CSS API
//! Reference).
//!
//! Both changes take effect before the answer, completely or not at all, and their answers have no body.

use serde::{Deserialize, de::DeserializeOwned};

use super::{request::Request, service_update};
use crate::sim::{
    clock::whole_seconds,
    cloud::State,
    errors::{bad_parameter, css, no_such_cluster, not_enabled},
    faults::{active::Hits, kind::Kind},
    put_log::Effect,
    reply::{JSON, Reply},
    world::{
        Cluster, Permission, World,
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
pub(super) fn statuses(
    state: &mut State,
    request: &Request<'_>,
    effect: &mut Effect,
) -> Result<Reply, Reply> {
    let Update { action, endpoint_id_list: ids } = read(request.body)?;
    let wanted = match &*action {
        "receive" => ACCEPTED,
        "reject" => REJECTED,
        _ => return Err(bad_parameter("Incorrect parameters.")),
    };
    if ids.is_empty() {
        return Err(bad_parameter("The parameter endpoint_id_list is empty."));
    }
    let places = places(enabled(&mut state.world, request.cluster())?, &ids)?;
    let hits = state.faults.draw_for_change(&request.route);
    effect.faults.extend(hits.names());
    if !service_update::is_lost(&hits) {
        effect.applied = true;
        let cluster = enabled(&mut state.world, request.cluster())?;
        effect.changed = decide(cluster, &places, wanted, &hits, request);
    }
    Ok(service_update::failed_as_told(done()?, &hits))
}

/// Changes the status of connections; only of the first one where the fault says so.
fn decide(
    cluster: &mut Cluster,
    places: &[usize],
    wanted: &'static str,
    hits: &Hits,
    request: &Request<'_>,
) -> Vec<String> {
    let count = if hits.has(Kind::Partial) { 1 } else { places.len() };
    let due = places.iter().filter(|at| cluster.connections[**at].status != wanted);
    let due: Vec<usize> = due.take(count).copied().collect();
    due.iter().for_each(|at| cluster.set_status(*at, wanted, request.now));
    due.iter().map(|at| cluster.connections[*at].id.to_string()).collect()
}

/// The connections of these ids, if all of them may be accepted and rejected now.
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
pub(super) fn whitelist(state: &mut State, request: &Request<'_>) -> Result<Reply, Reply> {
    let (world, id) = (&mut state.world, request.cluster());
    let accounts = read::<Whitelist>(request.body)?.vpc_permissions;
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
    done()
}

/// A cluster that exists and has an endpoint service.
fn enabled<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Cluster, Reply> {
    let cluster = world.cluster_mut(id).ok_or_else(no_such_cluster)?;
    if cluster.vpcep_enabled { Ok(cluster) } else { Err(not_enabled()) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    let body = body.trim_ascii();
    if body.is_empty() {
        let message = "The request is null. Enter the request parameters.";
        return Err(css(400, "CSS.0006", message));
    }
    // An array with the values in the order of the keys would be accepted as well.
    let object = if body.starts_with(b"{") { serde_json::from_slice(body).ok() } else { None };
    object.ok_or_else(|| bad_parameter("Incorrect parameters."))
}

fn done() -> Result<Reply, Reply> {
    Ok(Reply::new(200, JSON, ""))
}
