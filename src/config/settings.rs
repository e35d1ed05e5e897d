//! The settings of the program: every text is a type of the module that uses it.

use std::path::PathBuf;

use super::poll::Poll;
use crate::{
    admin::AdminSettings,
    board::{ClusterMeta, ServiceMeta},
    exposition, huawei,
    pacing::RateLimit,
    poll::{DiscoverySettings, Shard},
    web::WebSettings,
};

/// Everything that is configured.
#[derive(Debug)]
pub struct Config {
    /// The data that are shown, and for how long.
    pub exposition: exposition::Settings,
    /// The file that keeps the board over a restart, if there is one.
    pub state_file: Option<PathBuf>,
    /// The part of the clusters that this process polls.
    pub shard: Shard,
    /// The projects in the order of the file, each with this shard's part of it.
    pub projects: Vec<ProjectSettings>,
    /// The number of clusters in the file, those of other shards included.
    pub clusters_of_all_shards: usize,
    /// The admin listener, if there is one.
    pub admin: Option<AdminSettings>,
    /// TLS and users of the public listener; [`super::load`] fills it.
    pub web: WebSettings,
    /// The record of changes, if there is an admin listener; without a record none is made.
    pub audit_log: Option<PathBuf>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The file as YAML, with every default filled in and every secret left out. What identifies an
    /// account (access keys) is left out too: the page that shows this can be open to everyone in
    /// the network.
    pub effective: String,
    /// Warnings.
    pub warnings: Vec<String>,
    /// The polling of clusters.
    pub poll: Poll,
}

/// A project, and the part of it that belongs to this shard.
#[derive(Clone, Debug)]
pub struct ProjectSettings {
    /// The settings for calls of its APIs.
    pub cloud: huawei::Settings,
    /// The rate limit of this shard at CSS.
    pub css_rate_limit: RateLimit,
    /// The rate limit of this shard at VPCEP.
    pub vpcep_rate_limit: RateLimit,
    /// The clusters to poll that the file names.
    pub clusters: Vec<ClusterMeta>,
    /// Which others are found by the list of clusters, if any.
    pub discovery: Option<DiscoverySettings>,
    /// The only endpoint services that may be changed. Shard 0 has them all.
    pub endpoint_services: Vec<ServiceMeta>,
}

impl Config {
    /// The clusters of all projects that the file names.
    pub fn own_clusters(&self) -> impl Iterator<Item = &ClusterMeta> {
        self.projects.iter().flat_map(|project| &project.clusters)
    }

    /// The endpoint services of all projects.
    pub fn own_services(&self) -> impl Iterator<Item = ServiceMeta> {
        self.projects.iter().flat_map(|project| &project.endpoint_services).cloned()
    }
}
