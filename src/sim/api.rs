//! The cloud's API: the checks before every operation, in their order, and the dispatch.

mod clusters;
mod connection_changes;
mod connections;
mod iam;
mod listing;
mod request;
mod service_body;
mod service_lists;
mod service_rules;
mod service_update;
mod services;
mod temporary_keys;

use std::mem;

use hyper::HeaderMap;

use self::request::{Answer, Request, is_uuid};
use super::{
    account::PROJECT_ID,
    cloud::{Cloud, State},
    errors::{bad_parameter, gateway, no_such_api, not_permitted, vpcep},
    faults::{Hits, transport},
    logs::{Entry, Put},
    operations::{Operation, Route, route},
    query::Query,
    reply::Reply,
    signature::{Received, sha256},
};

/// Answers a request that was received whole. Returns the answer and the id of the request.
pub(super) fn answer(cloud: &Cloud, received: &Received<'_>) -> (Reply, String) {
    let (now, now_ms, base_url) = (cloud.clock.now(), cloud.clock.uptime_ms(), &*cloud.base_url);
    let (route, query) = (route(received.method, received.path), Query::parse(received.query));
    let mut request =
        Request { route, query, received, hits: Hits::default(), now, now_ms, base_url };
    let state = &mut *cloud.state();
    let request_id = state.next_request_id();
    let (cluster_id, service_id) =
        (route.cluster.map(str::to_owned), route.service.map(str::to_owned));
    state.requests.begin(Entry {
        operation: route.operation,
        cluster_id: cluster_id.clone(),
        service_id: service_id.clone(),
        offset: request.query.noted("offset").or_else(|| request.query.noted("start")),
        limit: request.query.noted("limit"),
        status: None,
        request_id: request_id.clone(),
        at_ms: now_ms,
    });
    let reply = match admitted(state, &request) {
        Err(refused) => refused,
        Ok(()) => {
            request.hits = state.struck(&route, |group| !group.is_of_changes());
            judged(state, &request)
        }
    };
    let effect = mem::take(&mut state.effect);
    if matches!(route.operation, Operation::VpcepUpdate | Operation::CssUpdateConnections) {
        state.puts.note(Put {
            request_id: request_id.clone(),
            service_id,
            cluster_id,
            body_sha256: sha256(received.body),
            body_bytes: received.body.len(),
            effect,
            status: reply.status,
            answered: reply.is_sent(),
            at_ms: now_ms,
        });
    }
    (reply, request_id)
}

/// Checks the address, the credentials and the permissions.
fn admitted(state: &mut State, request: &Request<'_>) -> Result<(), Reply> {
    let Route { operation, project, .. } = request.route;
    if operation == Operation::Unknown {
        return Err(no_such_api());
    }
    // A client that asks for credentials has none yet.
    if operation.admits_anyone() {
        return Ok(());
    }
    state.gate.admit(request.received, project, request.now)?;
    let allowed = state.gate.credentials.actions.as_ref();
    match allowed.and_then(|allowed| operation.lacks(allowed)) {
        Some(action) => Err(not_permitted(operation, action)),
        None => Ok(()),
    }
}

/// Answers a request that was let in: by its faults, otherwise by its operation.
fn judged(state: &mut State, request: &Request<'_>) -> Reply {
    let reply = transport::answer(&request.hits, request.base_url).unwrap_or_else(|| {
        let answer = known_path(&request.route).and_then(|()| operated(state, request));
        answer.unwrap_or_else(|refused| refused)
    });
    transport::sent_badly(reply, &request.hits)
}

fn operated(state: &mut State, request: &Request<'_>) -> Answer {
    match request.route.operation {
        Operation::CssClusters => clusters::list(state, request),
        Operation::CssCluster => clusters::detail(state, request),
        Operation::CssConnections => connections::list(state, request),
        Operation::CssUpdateConnections => connection_changes::statuses(state, request),
        Operation::CssUpdateWhitelist => connection_changes::whitelist(state, request),
        Operation::VpcepServices => services::list(state, request),
        Operation::VpcepService => services::detail(state, request),
        Operation::VpcepUpdate => service_update::update(state, request),
        Operation::VpcepConnections => service_lists::connections(state, request),
        Operation::VpcepPermissions => service_lists::permissions(state, request),
        Operation::VpcepDescribe => service_lists::describe(state, request),
        Operation::VpcepPublic => service_lists::public(state, request),
        Operation::VpcepQuotas => service_lists::quotas(state, request),
        Operation::IamProjects => iam::projects(request),
        Operation::IamDomains => iam::domains(request),
        Operation::IamToken => iam::token(state, request),
        Operation::IamIdToken => iam::id_token(state, request),
        Operation::IamSecurityTokens => temporary_keys::security_tokens(state, request),
        Operation::StsAssume => temporary_keys::assume(state, request),
        Operation::StsAssumeWithOidc => temporary_keys::assume_with_oidc(state, request),
        Operation::StsCaller => temporary_keys::caller(),
        Operation::MetadataToken => temporary_keys::metadata_token(state, request),
        Operation::MetadataKeys => temporary_keys::metadata_keys(state, request),
        Operation::PodIdentity => temporary_keys::pod_identity(state, request),
        Operation::Unknown => Err(no_such_api()),
    }
}

/// Refuses a path with an id that is not well formed, or with another project than ours.
fn known_path(route: &Route<'_>) -> Result<(), Reply> {
    let Some(project) = route.project else { return Ok(()) };
    let lower = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    if project.len() != 32 || !project.bytes().all(lower) {
        return Err(match route.operation.is_vpcep() {
            true => vpcep("0014"),
            false => bad_parameter("The project ID is invalid."),
        });
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

/// Refuses a request line or headers beyond the limits of the gateway (signing guide, constraints).
pub(super) fn oversized(uri_length: usize, headers: &HeaderMap) -> Option<Reply> {
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

/// Refuses a body beyond the gateway's 12 MB.
pub(super) fn body_too_big() -> Reply {
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
