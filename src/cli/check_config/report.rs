//! The findings about a project at the cloud, as text and as JSON.

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::CloudError;

/// The findings about a project.
#[derive(Debug, Serialize)]
pub(super) struct Online {
    pub(super) credentials: Credentials,
    pub(super) project_id: FoundId,
    pub(super) calls: Vec<Call>,
    pub(super) discovery: Option<Discovery>,
    pub(super) clusters: Vec<Cluster>,
}

#[derive(Debug, Serialize)]
pub(super) struct Credentials {
    /// The kind of the source, as the configuration names it.
    pub(super) provider: &'static str,
    /// Why the sources before it in a chain have none.
    pub(super) tried: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) error: Option<Failure>,
}

#[derive(Debug, Serialize)]
pub(super) struct FoundId {
    pub(super) id: Option<String>,
    /// IAM was asked for it.
    pub(super) looked_up: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    pub(super) service: &'static str,
    pub(super) path: String,
    pub(super) actions: &'static [&'static str],
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Outcome {
    Ok,
    Failed { error: Failure },
    NotTried { why: &'static str },
}

impl Outcome {
    /// The end of a call that was made.
    pub(super) fn of(error: Option<&CloudError>) -> Self {
        error.map_or(Self::Ok, |error| Self::Failed { error: error.into() })
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Discovery {
    pub(super) listed: usize,
    pub(super) wanted: usize,
    pub(super) new: usize,
    pub(super) error: Option<Failure>,
}

#[derive(Debug, Serialize)]
pub(super) struct Cluster {
    pub(super) cluster_id: String,
    pub(super) cluster_name: String,
    pub(super) discovered: bool,
    pub(super) service_enabled: Option<bool>,
    pub(super) complete: Option<bool>,
    /// Connections that were read.
    pub(super) connections: Option<usize>,
    pub(super) error: Option<Failure>,
}

/// An error, as `/api/v1/clusters` has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failure {
    reason: &'static str,
    status: Option<u16>,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl From<&CloudError> for Failure {
    fn from(error: &CloudError) -> Self {
        let CloudError { reason, status, code, message, request_id, .. } = error.clone();
        Self { reason: reason.as_str(), status, code, message, request_id }
    }
}

impl Failure {
    /// The reason and the cloud's code: the message is told once, among the errors.
    fn short(&self) -> String {
        let code = self.code.clone().or_else(|| Some(format!("HTTP {}", self.status?)));
        code.map_or_else(|| self.reason.to_owned(), |code| format!("{}, {code}", self.reason))
    }
}

impl Online {
    /// The lines about the project, its name first.
    pub(super) fn lines(&self, project: &str) -> Vec<String> {
        let mut lines = vec![format!("project {project}"), self.credentials.line()];
        let tried = self.credentials.tried.iter();
        lines.extend(tried.map(|why| format!("    not in a source before it: {why}")));
        let FoundId { id, looked_up } = &self.project_id;
        let origin = if *looked_up { "looked up at IAM" } else { "configured" };
        lines.push(match id {
            Some(id) => format!("  project id: {id}, {origin}"),
            None => "  project id: not found".to_owned(),
        });
        lines.extend(self.calls.iter().map(Call::line));
        lines.extend(self.discovery.as_ref().map(Discovery::line));
        lines.extend(self.clusters.iter().map(Cluster::line));
        lines
    }
}

impl Credentials {
    fn line(&self) -> String {
        let Self { provider, name, expires, error, .. } = self;
        let of = match (error, name) {
            (Some(error), _) => format!("failed: {}", error.short()),
            (None, name) => name.clone().unwrap_or_default(),
        };
        let end = match expires {
            Some(end) => format!(", until {end}"),
            None => String::new(),
        };
        format!("  credentials: {provider}, {of}{end}")
    }
}

impl Call {
    fn line(&self) -> String {
        let Self { method, service, path, actions, outcome, .. } = self;
        let (word, more) = match outcome {
            Outcome::Ok => ("ok", String::new()),
            Outcome::Failed { error } => ("failed", format!(": {}", error.short())),
            Outcome::NotTried { why } => ("not tried", format!(": {why}")),
        };
        let actions = match actions {
            [] => String::new(),
            actions => format!(" ({})", actions.join(", ")),
        };
        format!("  {word:9}  {method} {service} {path}{actions}{more}")
    }
}

impl Discovery {
    fn line(&self) -> String {
        let Self { listed, wanted, new, error } = self;
        let error = error.as_ref().map(|error| format!("; failed: {}", error.short()));
        let error = error.unwrap_or_default();
        format!("  discovery: {listed} clusters listed, {wanted} wanted, {new} new{error}")
    }
}

impl Cluster {
    fn line(&self) -> String {
        let Self {
            cluster_id, cluster_name, connections, complete, service_enabled, error, ..
        } = self;
        let found = match (error, connections) {
            (Some(error), _) => format!("failed: {}", error.short()),
            (None, _) if *service_enabled == Some(false) => "ok, no endpoint service".to_owned(),
            (None, Some(count)) if *complete == Some(true) => format!("ok, {count} connections"),
            (None, count) => format!("incomplete, {} connections", count.unwrap_or_default()),
        };
        format!("  cluster {cluster_name} ({cluster_id}): {found}")
    }
}
