//! The cloud's API: the checks before every operation, in their order, and the dispatch.

mod clusters;
mod connection_changes;
mod connections;
mod exchange;
mod iam;
mod ids;
mod listing;
mod metadata;
mod request;
mod service_body;
mod service_lists;
mod service_rules;
mod service_update;
mod services;

use hyper::HeaderMap;

use self::{ids::is_uuid, request::Request};
use super::{
    account::PROJECT_ID,
    cloud::{Cloud, State},
    errors::{bad_parameter, gateway, no_such_api, not_permitted, vpcep},
    faults::transport,
    operations::{Operation, Route, route},
    put_log::{Effect, Put},
    query::Query,
    reply::Reply,
    request_log::Entry,
    signature::{Received, sha256},
};

/// Judges a request that was received whole. Returns its id with the answer.
pub(super) fn answer(cloud: &Cloud, received: &Received<'_>) -> (Reply, String) {
    let request = Request {
        route: route(received.method, received.path),
        query: Query::parse(received.query),
        body: received.body,
        now: cloud.now(),
        now_ms: cloud.uptime_ms(),
        base_url: &cloud.base_url,
    };
    let (route, query) = (&request.route, &request.query);
    let mut state = cloud.state();
    let request_id = state.next_request_id();
    state.requests.begin(Entry {
        operation: route.operation,
        cluster_id: route.cluster.map(str::to_owned),
        service_id: route.service.map(str::to_owned),
        offset: query.noted("offset").or_else(|| query.noted("start")),
        limit: query.noted("limit"),
        status: None,
        request_id: request_id.clone(),
        at_ms: request.now_ms,
    });
    let mut effect = Effect::default();
    let reply = match admitted(&mut state, received, &request) {
        Err(refused) => refused,
        Ok(()) => judged(&mut state, received, &request, &mut effect),
    };
    if matches!(route.operation, Operation::VpcepUpdate | Operation::CssUpdateConnections) {
        state.puts.note(Put {
            request_id: request_id.clone(),
            service_id: route.service.map(str::to_owned),
            cluster_id: route.cluster.map(str::to_owned),
            body_sha256: sha256(received.body),
            body_bytes: received.body.len(),
            effect,
            status: reply.status,
            answered: reply.is_sent(),
            at_ms: request.now_ms,
        });
    }
    (reply, request_id)
}

/// Checks address, credentials and permissions.
fn admitted(
    state: &mut State,
    received: &Received<'_>,
    request: &Request<'_>,
) -> Result<(), Reply> {
    let Route { operation, project, .. } = request.route;
    match operation {
        Operation::Unknown => return Err(no_such_api()),
        // Asking for credentials is how one comes by them.
        operation if operation.is_its_own_door() => return Ok(()),
        _ => {}
    }
    state.gate.admit(received, project, request.now)?;
    let allowed = state.gate.credentials.actions.as_ref();
    match allowed.and_then(|allowed| operation.lacks(allowed)) {
        Some(action) => Err(not_permitted(operation, action)),
        None => Ok(()),
    }
}

/// Answers a request that was let in: its faults first, then the operation.
fn judged(
    state: &mut State,
    received: &Received<'_>,
    request: &Request<'_>,
    effect: &mut Effect,
) -> Reply {
    let hits = state.faults.draw(&request.route);
    effect.faults.extend(hits.names());
    let reply = transport::answer(&hits, request.base_url).unwrap_or_else(|| {
        let operated = known_path(&request.route).and_then(|()| match request.route.operation {
            Operation::CssClusters => clusters::list(state, request),
            Operation::CssCluster => clusters::detail(state, request),
            Operation::CssConnections => connections::list(state, request, &hits),
            Operation::CssUpdateConnections => connection_changes::statuses(state, request, effect),
            Operation::CssUpdateWhitelist => connection_changes::whitelist(state, request),
            Operation::VpcepServices => services::list(state, request),
            Operation::VpcepService => services::detail(state, request),
            Operation::VpcepUpdate => service_update::update(state, request, effect),
            Operation::VpcepConnections => service_lists::connections(state, request),
            Operation::VpcepPermissions => service_lists::permissions(state, request),
            Operation::VpcepDescribe => service_lists::describe(state, request),
            Operation::VpcepPublic => service_lists::public(state, request),
            Operation::VpcepQuotas => service_lists::quotas(state, request),
            Operation::IamProjects => iam::projects(request),
            Operation::IamDomains => Ok(iam::domains(request)),
            Operation::IamToken => Ok(iam::token(state, request)),
            Operation::IamIdToken => exchange::id_token(state, received, request.now),
            Operation::IamSecurityTokens => exchange::security_tokens(state, received, request.now),
            Operation::StsAssume => exchange::assume(state, request),
            Operation::StsAssumeWithOidc => exchange::assume_with_oidc(state, request),
            Operation::StsCaller => Ok(exchange::caller()),
            Operation::MetadataToken => metadata::token(state, received),
            Operation::MetadataKeys => metadata::keys(state, received, request.now),
            Operation::PodIdentity => metadata::pod_identity(state, received, request.now),
            Operation::Unknown => Err(no_such_api()),
        });
        operated.unwrap_or_else(|refused| refused)
    });
    transport::sent_badly(reply, &hits)
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

/// Limits of the gateway on the request line and the headers (signing guide, constraints).
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

/// A body beyond the gateway's 12 MB.
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
