//! Endpoint services and their changes as JSON documents. Field names are the contract; times are RFC
//! 3339 in UTC.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    board::ServiceState,
    change::{
        CloudAnswer, ConnectionChange, Current, Difference, Effect, Outcome, ServiceView, Violation,
    },
    cloud::CloudError,
};

/// The configured endpoint services that the token may see.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// By project and name.
    pub endpoint_services: Vec<KnownService>,
}

/// A configured endpoint service, as it was last read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KnownService {
    /// Configured name of the project.
    pub project: String,
    /// The region of the project.
    pub region_id: String,
    /// The service's id.
    pub service_id: String,
    /// Configured name; the id where there is none.
    pub name: String,
    /// True if the last reading succeeded; null before the first.
    pub up: Option<bool>,
    /// When `service` was read.
    #[schema(format = DateTime)]
    pub last_success: Option<String>,
    /// The cause of the last reading's failure; null if it succeeded.
    pub last_error: Option<Failure>,
    /// Number of readings that found its fields changed by someone else.
    pub unattributed_changes: u64,
    /// Null if it was never read.
    pub service: Option<ServiceView>,
}

/// A configured endpoint service, read now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadService {
    /// Configured name of the project.
    pub project: String,
    /// The region of the project.
    pub region_id: String,
    /// The service's id.
    pub service_id: String,
    /// Configured name; the id where there is none.
    pub name: String,
    /// The entity tag without its quotes, as in the header `ETag`.
    pub etag: String,
    /// Its present state.
    pub service: ServiceView,
}

/// The cause of the last reading's failure.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// One of a closed list of words.
    pub reason: String,
    /// The cloud's error code.
    pub code: Option<String>,
    /// The cloud's error message.
    pub message: String,
    /// The cloud's id of the request.
    pub request_id: Option<String>,
}

/// A refusal (RFC 9457).
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// A relative reference that names the kind of problem, or `about:blank`.
    #[schema(required = true)]
    #[serde(default)]
    pub r#type: String,
    /// The status in words.
    #[schema(required = true)]
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    #[schema(required = true, minimum = 400, maximum = 599)]
    pub status: u16,
    /// The mistake, in a sentence.
    #[schema(required = true)]
    #[serde(default)]
    pub detail: String,
    /// The rules that the body breaks.
    #[schema(nullable = false)]
    pub errors: Option<Vec<Violation>>,
    /// The id under which a change is recorded.
    #[schema(nullable = false)]
    pub change_id: Option<String>,
    /// The outcome of the change.
    #[schema(nullable = false, value_type = Option<String>)]
    pub outcome: Option<Outcome>,
    /// True if a request went to the cloud that may have changed something.
    #[schema(nullable = false)]
    pub sent: Option<bool>,
    /// True if the same request may be made again without harm.
    #[schema(nullable = false)]
    pub safe_to_retry: Option<bool>,
    /// The outcome for each connection, or its present status.
    #[schema(nullable = false)]
    pub connections: Option<Vec<ConnectionChange>>,
    /// The state before the change.
    #[schema(nullable = false)]
    pub before: Option<ServiceView>,
    /// The state after the change, if it was read.
    pub after: Option<ServiceView>,
    /// The differences between the state before and the requested one.
    #[schema(nullable = false)]
    pub diff: Option<Vec<Difference>>,
    /// The answer of the cloud.
    pub cloud: Option<CloudAnswer>,
    /// Warnings for the caller.
    #[schema(nullable = false)]
    pub warnings: Option<Vec<String>>,
    /// The entity tag of the present state, without its quotes.
    #[schema(nullable = false)]
    pub etag: Option<String>,
    /// The present state.
    #[schema(nullable = false)]
    pub current: Option<ServiceView>,
}

/// The members of a problem document where there was no change to report of.
#[derive(Serialize)]
pub(super) struct NoChange<'a> {
    pub(super) outcome: Outcome,
    pub(super) sent: bool,
    pub(super) safe_to_retry: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cloud: Option<CloudAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<ServiceView>,
    #[serde(flatten)]
    pub(super) moved: Option<&'a Effect>,
}

/// The fields to change, at least one; a field that is left out keeps its value.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate` reads")]
#[schema(min_properties = 1)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    /// True if the owner must approve each connection.
    #[schema(nullable = false)]
    approval_enabled: Option<bool>,
    /// The short name.
    #[schema(nullable = false, min_length = 1, max_length = 16, pattern = "^[A-Za-z0-9_-]+$")]
    service_name: Option<String>,
    /// All port mappings: the list replaces the one that is there. No client port may stand in it
    /// twice.
    #[schema(nullable = false, max_items = 200)]
    ports: Option<Vec<UpdatePort>>,
    /// The port of the backend. Not together with `ip`.
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9-]+$")]
    port_id: Option<String>,
    /// The way in which client addresses reach the backend.
    #[schema(nullable = false, required = false, value_type = UpdateTcpProxy)]
    tcp_proxy: Option<String>,
    /// Free text, without control characters, line breaks and what changes the direction of text.
    #[schema(
        nullable = false,
        max_length = 512,
        pattern = r"^[^<>\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
    )]
    description: Option<String>,
    /// IPv4 address or domain name of a VLAN service. Not together with `port_id`.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 253,
        pattern = "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
    )]
    ip: Option<String>,
}

/// A port of the endpoint and where it leads.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate` reads")]
#[serde(deny_unknown_fields)]
pub(super) struct UpdatePort {
    #[schema(minimum = 1, maximum = 65535)]
    client_port: u16,
    #[schema(minimum = 1, maximum = 65535)]
    server_port: u16,
    #[schema(nullable = false, required = false, value_type = UpdateProtocol, default = "TCP")]
    protocol: Option<String>,
}

/// The protocol of a mapping.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate` reads")]
pub(super) enum UpdateProtocol {
    #[schema(rename = "TCP")]
    Tcp,
}

/// A word for `tcp_proxy`. `proxy_vni` needs `admin.allow_proxy_vni` in the configuration.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate` reads")]
#[schema(rename_all = "snake_case")]
pub(super) enum UpdateTcpProxy {
    Close,
    ToaOpen,
    ProxyOpen,
    Open,
    ProxyVni,
}

impl ServiceList {
    pub(super) fn new<'a>(services: impl Iterator<Item = &'a ServiceState>) -> Self {
        Self { endpoint_services: services.map(KnownService::new).collect() }
    }
}

impl KnownService {
    fn new(state: &ServiceState) -> Self {
        let meta = &state.meta;
        Self {
            project: meta.project.to_string(),
            region_id: meta.region.as_str().to_owned(),
            service_id: meta.id.as_str().to_owned(),
            name: meta.name.to_string(),
            up: state.up,
            last_success: state.seen.as_ref().map(|seen| seen.at.to_string()),
            last_error: state.last_error.as_ref().map(Failure::new),
            unattributed_changes: state.unattributed_changes,
            service: state.seen.as_ref().map(|seen| (&seen.service).into()),
        }
    }
}

impl ReadService {
    pub(super) fn new(state: &ServiceState, current: &Current) -> Self {
        let meta = &state.meta;
        Self {
            project: meta.project.to_string(),
            region_id: meta.region.as_str().to_owned(),
            service_id: meta.id.as_str().to_owned(),
            name: meta.name.to_string(),
            etag: current.etag.clone(),
            service: (&current.service).into(),
        }
    }
}

impl Failure {
    fn new(error: &CloudError) -> Self {
        Self {
            reason: error.reason.as_str().to_owned(),
            code: error.code.clone(),
            message: error.message.clone(),
            request_id: error.request_id.clone(),
        }
    }
}
