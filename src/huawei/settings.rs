//! The parts that a client of the cloud is made of.

use std::sync::Arc;

use super::{
    auth::Metadata, credentials::Source, endpoints::Endpoints, key_guard::KeyGuard,
    network::Network, paging::Paging, transport::Transport,
};
use crate::{
    model::{ProjectId, RegionId},
    pacing::Pacer,
    stats::Stats,
};

/// The configuration of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The configured name, for metrics and logs.
    pub name: Arc<str>,
    /// The region.
    pub region: RegionId,
    /// The project id; `None`: IAM is asked for the project that is named like the region.
    pub project_id: Option<ProjectId>,
    /// The account's id, if the source of the credentials says it.
    pub domain_id: Option<Arc<str>>,
    /// The addresses of the services.
    pub endpoints: Endpoints,
    /// The source of the credentials.
    pub credentials: Source,
    /// The way to the cloud.
    pub network: Network,
    /// The paging of the region.
    pub paging: Paging,
}

/// The parts that the clients of all projects share.
#[derive(Clone, Debug)]
pub struct Common {
    /// Sends requests.
    pub transport: Arc<Transport>,
    /// Keeps access keys from being locked.
    pub guard: Arc<KeyGuard>,
    /// The ECS metadata service.
    pub metadata: Arc<Metadata>,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
}

/// The pace of calls to each service.
#[derive(Clone, Debug)]
pub struct Pacers {
    /// Every request to CSS draws from it.
    pub css: Pacer,
    /// Every request to VPCEP draws from it.
    pub vpcep: Pacer,
}
