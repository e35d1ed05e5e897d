//! The cloud's API: which address is which operation, and what comes before every operation.
//!
//! Owns routing and the order of judgement: address, credentials, faults, path parameters, operation.
//! The operations themselves are in `connections`, `clusters`, `iam`, `services` and `service_update`.

mod clusters;
mod connections;
mod iam;
mod service_body;
mod service_rules;
mod service_update;
mod services;

use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use super::PROJECT_ID;
use super::cloud::{Cloud, State};
use super::encoding::hex;
use super::errors::{Reply, bad_parameter, gateway, no_such_api, vpcep, wrong_method};
use super::faults::active::Hits;
use super::faults::transport::{self, Fate, Sending};
use super::puts::{Put, Trace};
use super::query::Query;
use super::requests::Arrival;
use super::signature::Received;

/// What can be asked of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    CssConnections,
    CssClusters,
    VpcepServices,
    VpcepService,
    VpcepUpdate,
    IamProjects,
    IamToken,
    Unknown,
}

impl Operation {
    /// All that exist.
    pub(crate) const ALL: [Operation; 7] = [
        Operation::CssConnections,
        Operation::CssClusters,
        Operation::VpcepServices,
        Operation::VpcepService,
        Operation::VpcepUpdate,
        Operation::IamProjects,
        Operation::IamToken,
    ];

    /// The name in the request log and in faults.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::CssConnections => "css_connections",
            Operation::CssClusters => "css_clusters",
            Operation::VpcepServices => "vpcep_services",
            Operation::VpcepService => "vpcep_service",
            Operation::VpcepUpdate => "vpcep_update",
            Operation::IamProjects => "iam_projects",
            Operation::IamToken => "iam_token",
            Operation::Unknown => "unknown",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Operation::IamToken => "POST",
            Operation::VpcepUpdate => "PUT",
            _ => "GET",
        }
    }

    fn is_vpcep(self) -> bool {
        use Operation::{VpcepService, VpcepServices, VpcepUpdate};
        matches!(self, VpcepServices | VpcepService | VpcepUpdate)
    }
}

/// An operation and what its path names.
#[derive(Debug, PartialEq, Eq)]
struct Route<'a> {
    operation: Operation,
    project: Option<&'a str>,
    cluster: Option<&'a str>,
    service: Option<&'a str>,
}

fn route<'a>(method: &str, path: &'a str) -> Route<'a> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (operation, project, cluster, service) = match segments[..] {
        ["v1.0", project, "clusters"] => (Operation::CssClusters, Some(project), None, None),
        ["v1.0", project, "clusters", cluster, "vpcepservice", "connections"] => {
            (Operation::CssConnections, Some(project), Some(cluster), None)
        }
        ["v1", project, "vpc-endpoint-services"] => {
            (Operation::VpcepServices, Some(project), None, None)
        }
        ["v1", project, "vpc-endpoint-services", service] => {
            let put = method == "PUT";
            let operation = if put { Operation::VpcepUpdate } else { Operation::VpcepService };
            (operation, Some(project), None, Some(service))
        }
        ["v3", "projects"] => (Operation::IamProjects, None, None, None),
        ["v3", "auth", "tokens"] => (Operation::IamToken, None, None, None),
        _ => (Operation::Unknown, None, None, None),
    };
    Route { operation, project, cluster, service }
}

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

/// Address, method and credentials.
fn admitted(
    cloud: &Cloud,
    state: &mut State,
    received: &Received<'_>,
    route: &Route<'_>,
) -> Result<(), Reply> {
    match route.operation {
        Operation::Unknown => return Err(no_such_api()),
        operation if operation.method() != received.method => return Err(wrong_method()),
        // Asking for a token is how one comes by credentials.
        Operation::IamToken => return Ok(()),
        _ => {}
    }
    let admission = state.gate.admit(received, route.project, cloud.now());
    admission.map_err(|refusal| refusal.reply())
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
    match (route.operation, route.cluster.or(route.service)) {
        (Operation::VpcepUpdate, Some(service)) => {
            return service_update::update(state, service, received.body, now, now_ms);
        }
        (Operation::VpcepServices, _) => services::list(state, query, now_ms),
        (Operation::VpcepService, Some(service)) => services::detail(state, service, now_ms),
        (Operation::CssConnections, Some(cluster)) => {
            connections::list(state, cluster, query, hits, now)
        }
        (Operation::CssClusters, _) => clusters::list(&state.world, query),
        (Operation::IamProjects, _) => iam::projects(query, cloud.base_url()),
        (Operation::IamToken, _) => iam::token(state, received.body, now),
        _ => no_such_api(),
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
    fn addresses_are_exact() {
        let operation = |path| route("GET", path).operation;
        assert_eq!(operation("/v1.0/p/clusters"), Operation::CssClusters);
        assert_eq!(
            route("GET", "/v1.0/p/clusters/c/vpcepservice/connections"),
            Route {
                operation: Operation::CssConnections,
                project: Some("p"),
                cluster: Some("c"),
                service: None
            }
        );
        assert_eq!(operation("/v1/p/vpc-endpoint-services"), Operation::VpcepServices);
        let one = |method| route(method, "/v1/p/vpc-endpoint-services/s");
        assert_eq!(one("PUT").operation, Operation::VpcepUpdate);
        assert_eq!(
            (one("DELETE").operation, one("GET").service),
            (Operation::VpcepService, Some("s"))
        );
        assert_eq!(operation("/v3/projects"), Operation::IamProjects);
        assert_eq!(operation("/v3/auth/tokens"), Operation::IamToken);
        for path in
            ["/", "", "/v1.0/p/clusters/", "/v1.0/p/clusters/c", "//v3/projects", "/V3/projects"]
        {
            assert_eq!(operation(path), Operation::Unknown, "{path}");
        }
    }

    #[test]
    fn ids_are_judged_before_they_are_looked_up() {
        let id = "5c77b71c-5b35-4f50-8984-76387e42451a";
        let other = "0123456789abcdef0123456789abcdef";
        let upper = id.to_uppercase();
        let status = |project, cluster| {
            let route =
                Route { operation: Operation::CssConnections, project, cluster, service: None };
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
