//! The cloud's API: the checks before every operation, and the dispatch to the module that does the work.
//!
//! Owns the order of the checks: address, credentials, permissions, faults, path parameters, operation.
//! Addresses and permissions are listed in `calls`; the operations are in the modules below.

mod clusters;
mod connection_changes;
mod connections;
mod iam;
mod listing;
mod service_body;
mod service_lists;
mod service_rules;
mod service_update;
mod services;

use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use super::PROJECT_ID;
use super::calls::{Operation, Route, route};
use super::cloud::{Cloud, State};
use super::encoding::hex;
use super::errors::{Reply, bad_parameter, gateway, no_such_api, not_permitted, vpcep};
use super::faults::active::Hits;
use super::faults::transport::{self, Fate, Sending};
use super::puts::{Put, Trace};
use super::query::Query;
use super::requests::Arrival;
use super::signature::Received;

/// What came of an operation.
#[derive(Debug)]
struct Done {
    reply: Reply,
    fate: Fate,
    trace: Trace,
}

impl From<Reply> for Done {
    fn from(reply: Reply) -> Done {
        Done { reply, fate: Fate::Sent, trace: Trace::default() }
    }
}

/// An answer, and what the server needs to send it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) sending: Sending,
    pub(crate) request_id: String,
    /// Names the request in the log.
    pub(crate) number: u64,
}

/// Judges a request that was received whole.
pub(crate) fn answer(cloud: &Cloud, received: &Received<'_>) -> Answer {
    let route = route(received.method, received.path);
    let query = Query::parse(received.query);
    let mut state = cloud.state();
    let request_id = state.next_request_id();
    let number = state.log.begin(&Arrival {
        operation: route.operation,
        cluster_id: route.cluster,
        service_id: route.service,
        offset: query.noted("offset").or_else(|| query.noted("start")),
        limit: query.noted("limit"),
        request_id: &request_id,
        at_ms: cloud.uptime_ms(),
    });
    let (done, hits) = match admitted(cloud, &mut state, received, &route) {
        Err(refused) => (refused.into(), Hits::default()),
        Ok(()) => {
            let hits = state.faults.draw(route.operation, route.cluster);
            let done = match transport::answer(&hits, cloud.base_url()) {
                Some(reply) => reply.into(),
                None => operate(cloud, &mut state, received, &route, &query, &hits),
            };
            (done, hits)
        }
    };
    let mut sending = transport::sending(&hits);
    if done.fate != Fate::Sent {
        sending.fate = done.fate;
    }
    if route.operation == Operation::VpcepUpdate {
        let answered = !matches!(sending.fate, Fate::Hangs | Fate::Resets);
        state.puts.note(Put {
            request_id: request_id.clone(),
            service_id: route.service.unwrap_or_default().to_owned(),
            body_sha256: hex(&Sha256::digest(received.body)),
            body_bytes: received.body.len(),
            applied: done.trace.applied,
            changed: done.trace.changed,
            modes: done.trace.modes,
            status: done.reply.status,
            answered,
            at_ms: cloud.uptime_ms(),
        });
    }
    Answer { reply: done.reply, sending, request_id, number }
}

/// Checks address, credentials and permissions.
fn admitted(
    cloud: &Cloud,
    state: &mut State,
    received: &Received<'_>,
    route: &Route<'_>,
) -> Result<(), Reply> {
    match route.operation {
        Operation::Unknown => return Err(no_such_api()),
        // Asking for a token is how one comes by credentials.
        Operation::IamToken => return Ok(()),
        _ => {}
    }
    let admission = state.gate.admit(received, route.project, cloud.now());
    admission.map_err(|refusal| refusal.reply())?;
    let allowed = state.gate.credentials.actions.as_ref();
    match allowed.and_then(|allowed| route.operation.lacks(allowed)) {
        Some(action) => Err(not_permitted(route.operation, action)),
        None => Ok(()),
    }
}

fn operate(
    cloud: &Cloud,
    state: &mut State,
    received: &Received<'_>,
    route: &Route<'_>,
    query: &Query,
    hits: &Hits,
) -> Done {
    if let Err(refused) = known_path(route) {
        return refused.into();
    }
    let (now, now_ms) = (cloud.now(), cloud.uptime_ms());
    // If a path has no id of this kind, the operation does not use it.
    let cluster = route.cluster.unwrap_or_default();
    let service = route.service.unwrap_or_default();
    let (body, base_url) = (received.body, cloud.base_url());
    match route.operation {
        Operation::CssClusters => clusters::list(&state.world, query),
        Operation::CssCluster => clusters::detail(&state.world, cluster),
        Operation::CssConnections => connections::list(state, cluster, query, hits, now),
        Operation::CssUpdateConnections => {
            connection_changes::statuses(&mut state.world, cluster, body, now)
        }
        Operation::CssUpdateWhitelist => {
            connection_changes::whitelist(&mut state.world, cluster, body, now)
        }
        Operation::VpcepServices => services::list(state, query, now_ms),
        Operation::VpcepService => services::detail(state, service, now_ms),
        Operation::VpcepUpdate => return service_update::update(state, service, body, now, now_ms),
        Operation::VpcepDescribe
        | Operation::VpcepPublic
        | Operation::VpcepConnections
        | Operation::VpcepPermissions
        | Operation::VpcepQuotas => service_lists::answer(state, route.operation, service, query),
        Operation::IamProjects => iam::projects(query, base_url),
        Operation::IamDomains => iam::domains(base_url),
        Operation::IamToken => iam::token(state, body, now),
        Operation::Unknown => no_such_api(),
    }
    .into()
}

/// The ids of the path are well formed, and the project is ours.
fn known_path(route: &Route<'_>) -> Result<(), Reply> {
    let Some(project) = route.project else { return Ok(()) };
    let lower = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    if project.len() != 32 || !project.bytes().all(lower) {
        let css = || bad_parameter("The project ID is invalid.");
        return Err(if route.operation.is_vpcep() { vpcep("0014") } else { css() });
    }
    // The document's own example has a blank within the id.
    if route.service.is_some_and(|service| !is_uuid(service)) {
        return Err(vpcep("3062"));
    }
    if route.cluster.is_some_and(|cluster| !is_uuid(cluster)) {
        return Err(bad_parameter("The cluster ID is invalid."));
    }
    if project != PROJECT_ID {
        return Err(gateway(403, "APIGW.0310", "The project is unavailable."));
    }
    Ok(())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// Limits of the gateway on the request line and the headers (signing guide, constraints).
pub(crate) fn oversized(uri_length: usize, headers: &HeaderMap) -> Option<Reply> {
    const KIB: usize = 1 << 10;
    let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let (largest, all) = sizes.fold((0, 0), |(most, sum), size| (most.max(size), sum + size));
    if uri_length > 32 * KIB {
        return Some(gateway(414, "APIGW.0201", "Request URI too long"));
    }
    if largest > 32 * KIB || all > 128 * KIB {
        return Some(gateway(494, "APIGW.0201", "Request headers too large"));
    }
    None
}

/// A body beyond the gateway's 12 MB.
pub(crate) fn body_too_big() -> Reply {
    gateway(413, "APIGW.0201", "Request body too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_judged_before_they_are_looked_up() {
        let id = "5c77b71c-5b35-4f50-8984-76387e42451a";
        let other = "0123456789abcdef0123456789abcdef";
        let upper = id.to_uppercase();
        let status = |project, cluster| {
            let route = Route { project, cluster, ..Route::default() };
            known_path(&route).err().map(|reply| reply.status)
        };
        assert_eq!(status(Some(PROJECT_ID), Some(id)), None);
        assert_eq!(status(Some(other), Some(id)), Some(403));
        assert_eq!(status(Some("P"), Some(id)), Some(400));
        assert_eq!(status(Some(PROJECT_ID), Some("x")), Some(400));
        assert_eq!(status(Some(PROJECT_ID), Some(&*upper)), Some(400));
        assert_eq!(status(None, None), None);
    }
}
