//! Endpoint services and their changes as JSON. Field names are the contract; times are RFC 3339 in
//! UTC.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    board::ServiceState,
    change::{Current, Report, Violation, cloud_to_json, diff_to_json, service_to_json},
    cloud::CloudError,
};

/// The configured endpoint services that the token may see.
#[derive(Serialize, ToSchema)]
pub(super) struct ServiceList {
    endpoint_services: Vec<KnownService>,
}

/// A configured endpoint service, as it was last read.
#[derive(Serialize, ToSchema)]
pub(super) struct KnownService {
    /// Configured name of the project.
    project: String,
    region_id: String,
    service_id: String,
    /// Configured name; the id where there is none.
    name: String,
    /// Whether the last reading succeeded; null before the first.
    up: Option<bool>,
    /// When `service` was read.
    #[schema(format = DateTime)]
    last_success: Option<String>,
    last_error: Option<Failure>,
    /// How often its fields were found changed by somebody else.
    unattributed_changes: u64,
    /// Null where it was never read.
    #[schema(value_type = Option<Service>)]
    service: Option<Value>,
}

/// A configured endpoint service, read now.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadService {
    /// Configured name of the project.
    project: String,
    region_id: String,
    service_id: String,
    /// Configured name; the id where there is none.
    name: String,
    /// The entity tag without its quotes, as in the header `ETag`.
    etag: String,
    #[schema(value_type = Service)]
    service: Value,
}

/// An endpoint service. Every member is there; what the cloud does not say is null.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `service_to_json` writes")]
pub(super) struct Service {
    id: String,
    /// The full name, `<region>.<name>.<id>`.
    service_name: String,
    /// `creating`, `available`, `failed`, `deleting` or `unknown`.
    status: String,
    approval_enabled: Option<bool>,
    ports: Option<Vec<Port>>,
    port_id: Option<String>,
    tcp_proxy: Option<String>,
    description: Option<String>,
    ip: Option<String>,
    /// Connected endpoints.
    connection_count: Option<u64>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// A port of the endpoint and where it leads.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `service_to_json` writes")]
pub(super) struct Port {
    client_port: u16,
    server_port: u16,
    protocol: String,
}

/// Why the last reading failed.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    reason: &'static str,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

/// How a change ended, or what a dry run found.
#[derive(Serialize, ToSchema)]
pub(super) struct Change {
    /// The id under which it is recorded.
    change_id: String,
    /// `planned`, `unchanged`, `applied`, `not_applied`, `partial`, `unknown`, `rejected` or `not_sent`.
    outcome: &'static str,
    /// Whether a request went to the cloud that may have changed something.
    sent: bool,
    /// Whether the same request may be made again without harm.
    safe_to_retry: bool,
    #[schema(value_type = Service)]
    before: Value,
    /// As it was read afterwards; null where it was not.
    #[schema(value_type = Option<Service>)]
    after: Option<Value>,
    #[schema(value_type = Vec<Difference>)]
    diff: Value,
    #[schema(value_type = Option<CloudAnswer>)]
    cloud: Value,
    warnings: Vec<String>,
}

/// A field that differs. `ports` is a list that is replaced as a whole.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `diff_to_json` writes")]
pub(super) struct Difference {
    field: String,
    from: Value,
    to: Value,
}

/// What the cloud answered; what it did not say is null.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `cloud_to_json` writes")]
pub(super) struct CloudAnswer {
    status: u16,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

/// What is known where there was no change to report of.
#[derive(Serialize)]
pub(super) struct NoChange {
    pub(super) outcome: &'static str,
    pub(super) sent: bool,
    pub(super) safe_to_retry: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) cloud: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<Value>,
}

/// The rules that a body breaks, all at once.
#[derive(Serialize)]
pub(super) struct Violations {
    errors: Vec<BrokenRule>,
}

/// A rule that a body breaks.
#[derive(Serialize, ToSchema)]
pub(super) struct BrokenRule {
    /// JSON pointer (RFC 6901) to the value.
    #[schema(example = "/ports/0/client_port")]
    pointer: String,
    rule: &'static str,
    /// What was found and what was expected.
    message: String,
}

/// What shall change: at least one field; what is left out stays as it is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `validate` reads")]
#[schema(min_properties = 1)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    /// Whether the owner must approve each connection.
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
    /// How client addresses are handed to the backend.
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
            service: state.seen.as_ref().map(|seen| service_to_json(&seen.service)),
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
            service: service_to_json(&current.service),
        }
    }
}

impl Failure {
    fn new(error: &CloudError) -> Self {
        Self {
            reason: error.reason.as_str(),
            code: error.code.clone(),
            message: error.message.clone(),
            request_id: error.request_id.clone(),
        }
    }
}

impl Change {
    pub(super) fn new(report: &Report) -> Self {
        Self {
            change_id: report.change_id.clone(),
            outcome: report.outcome.as_str(),
            sent: report.sent,
            safe_to_retry: report.safe_to_retry,
            before: service_to_json(&report.before),
            after: report.after.as_ref().map(service_to_json),
            diff: diff_to_json(&report.diff),
            cloud: cloud_to_json(report.failure.as_ref(), report.answered.as_ref()),
            warnings: report.warnings.clone(),
        }
    }
}

impl Violations {
    pub(super) fn new(violations: Vec<Violation>) -> Self {
        let broken = |Violation { pointer, rule, message }| BrokenRule { pointer, rule, message };
        Self { errors: violations.into_iter().map(broken).collect() }
    }
}
