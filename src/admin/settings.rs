//! The settings of the admin listener: its names, its tokens, and what each token may see.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    board::{ClusterMeta, ServiceMeta},
    globs::fits,
    web::WebSettings,
};

/// The admin listener, as configured.
#[derive(Debug)]
pub struct AdminSettings {
    /// The address to listen on; a loopback address unless there is TLS.
    pub listen: SocketAddr,
    /// The `Host` values that are accepted.
    pub hosts: Vec<String>,
    /// The tokens that are accepted.
    pub tokens: Vec<AdminToken>,
    /// The settings of its web configuration file, such as TLS.
    pub web: WebSettings,
    /// Accept `proxy_vni` for `tcp_proxy`: the SDK knows it, the API document does not.
    pub allow_proxy_vni: bool,
}

/// An entry of the token list. It contains no secret: the digest cannot be reversed.
#[derive(Clone, Debug)]
pub struct AdminToken {
    /// The name of its holder, for the audit log.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// Its role.
    pub role: Role,
    /// The endpoint services that it may see and change, as `project/name` globs.
    pub services: Vec<String>,
    /// The clusters whose connections it may see and decide on, likewise.
    pub clusters: Vec<String>,
}

impl AdminToken {
    /// True if the token may see this service, by its name or by its id.
    pub(super) fn sees(&self, meta: &ServiceMeta) -> bool {
        one_fits(&self.services, &meta.project, &[&meta.name, meta.id.as_str()])
    }

    /// The same of a service that is no longer configured.
    pub(super) fn sees_former(&self, project: &str, service_id: &str) -> bool {
        one_fits(&self.services, project, &[service_id])
    }

    /// True if the token may see the connections of this cluster, by its name or by its id.
    pub(super) fn sees_cluster(&self, meta: &ClusterMeta) -> bool {
        one_fits(&self.clusters, &meta.project, &[&meta.name, meta.id.as_str()])
    }

    /// The same of a cluster that is no longer polled.
    pub(super) fn sees_former_cluster(&self, project: &str, cluster_id: &str) -> bool {
        one_fits(&self.clusters, project, &[cluster_id])
    }
}

fn one_fits(patterns: &[String], project: &str, words: &[&str]) -> bool {
    let mut paths = words.iter().map(|word| format!("{project}/{word}"));
    paths.any(|path| patterns.iter().any(|pattern| fits(pattern, &path)))
}

/// The role of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May read, plan changes, and ask for a poll.
    Viewer,
    /// Change things too.
    Editor,
}

/// The rules of access that a reload may change.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub(super) hosts: Arc<[String]>,
    pub(super) tokens: Arc<[AdminToken]>,
    pub(super) allow_proxy_vni: bool,
    pub(super) stale_after: Duration,
}

impl Access {
    /// The settings, for a listener that is bound to `address`: its own names change with the port that it
    /// got. Clusters whose data are older than `stale_after` are shown without them.
    pub fn of(settings: &AdminSettings, address: SocketAddr, stale_after: Duration) -> Self {
        let mut hosts = settings.hosts.clone();
        if address != settings.listen {
            hosts.extend([address.to_string(), format!("localhost:{}", address.port())]);
        }
        Self {
            hosts: hosts.into(),
            tokens: settings.tokens.as_slice().into(),
            allow_proxy_vni: settings.allow_proxy_vni,
            stale_after,
        }
    }
}
