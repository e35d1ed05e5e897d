//! Connections and decisions about them as JSON documents. Field names are the contract; times are RFC 3339 in
//! UTC.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    board::ClusterMeta,
    model::{Connection, ConnectionList},
};

/// The connections of a cluster, read now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadConnections {
    /// Configured name of the project.
    pub project: String,
    /// The region of the project.
    pub region_id: String,
    /// The cluster's id.
    pub cluster_id: String,
    /// Its name.
    pub cluster_name: String,
    /// True if the cluster has an endpoint service.
    pub service_enabled: bool,
    /// True if these are all connections that the cloud reports.
    pub complete: bool,
    /// In the order of their ids.
    pub connections: Vec<ReadConnection>,
}

/// A connection; what the cloud does not say is null.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadConnection {
    /// The id of the VPC endpoint.
    pub endpoint_id: String,
    /// `accepted`, `rejected`, `pendingAcceptance`, `creating`, `failed`, `deleting` or `unknown`.
    pub status: String,
    /// `maxSession`.
    pub max_sessions: Option<u64>,
    /// `vpcepIp`.
    pub ip: Option<String>,
    /// `vpcepIpv6Address`.
    pub ipv6: Option<String>,
    /// `vpcepDnsName`.
    pub dns_name: Option<String>,
    /// The account that owns the endpoint.
    pub domain_id: Option<String>,
    /// `specificationName`.
    pub specification_name: Option<String>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created: Option<String>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub updated: Option<String>,
}

/// A decision about connections.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate_decision` reads")]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    #[schema(value_type = Action)]
    action: String,
    /// Each connection once.
    #[schema(min_items = 1, max_items = 100)]
    connections: Vec<SeenConnection>,
}

/// The decision.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate_decision` reads")]
#[schema(rename_all = "snake_case")]
pub(super) enum Action {
    Accept,
    Reject,
}

/// A connection with the status that the caller saw: the decision is based on it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate_decision` reads")]
#[serde(deny_unknown_fields)]
pub(super) struct SeenConnection {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    endpoint_id: String,
    #[schema(value_type = SeenStatus)]
    status: String,
}

/// The status of a connection.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate_decision` reads")]
#[schema(rename_all = "camelCase")]
pub(super) enum SeenStatus {
    Accepted,
    Rejected,
    PendingAcceptance,
    Creating,
    Failed,
    Deleting,
    Unknown,
}

impl ReadConnections {
    pub(super) fn new(meta: &ClusterMeta, list: &ConnectionList) -> Self {
        Self {
            project: meta.project.to_string(),
            region_id: meta.region.as_str().to_owned(),
            cluster_id: meta.id.as_str().to_owned(),
            cluster_name: meta.name.to_string(),
            service_enabled: list.service_enabled,
            complete: list.complete,
            connections: list.connections.iter().map(ReadConnection::new).collect(),
        }
    }
}

impl ReadConnection {
    fn new(connection: &Connection) -> Self {
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            endpoint_id: connection.endpoint_id().to_owned(),
            status: connection.status.as_str().to_owned(),
            max_sessions: connection.max_sessions,
            ip: present(connection.ip()),
            ipv6: present(connection.ipv6()),
            dns_name: present(connection.dns_name()),
            domain_id: present(connection.domain_id()),
            specification_name: present(connection.specification_name()),
            created: connection.created().map(|at| at.to_string()),
            updated: connection.updated().map(|at| at.to_string()),
        }
    }
}
