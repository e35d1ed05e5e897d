//! The parts that the admin routes use, and what a caller may see of them.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension,
    extract::{
        FromRequestParts, Path,
        rejection::{ExtensionRejection, PathRejection},
    },
    http::request,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    failed_logins::Limiter,
    settings::{Access, AdminToken},
    status,
};
use crate::{
    audit::{Audit, Content},
    board::{Board, ClusterMeta, ClusterState, ServiceBoard, ServiceMeta, ServiceState},
    change::Changes,
    clock::Clock,
    model::ClusterId,
    poll::PollHandle,
    stats::{self, Stats},
    web::answers::Refused,
};

/// The project and the service in a path, as far as the path can be read.
pub(super) type ServicePath = Result<Path<(String, String)>, PathRejection>;

/// The cluster in a path, likewise.
pub(super) type ClusterPath = Result<Path<String>, PathRejection>;

/// The subject of a request, where one was named that is configured.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    None,
    Service(&'a ServiceMeta),
    Cluster(&'a ClusterMeta),
}

/// The parts of the exporter that the admin routes use.
#[derive(Clone)]
pub struct Parts {
    /// The clusters.
    pub board: Board,
    /// The endpoint services.
    pub services: ServiceBoard,
    /// Polls clusters on demand.
    pub polls: PollHandle,
    /// Makes the changes.
    pub changes: Changes,
    /// The records of changes and of refusals; `None` if the log is not configured.
    pub audit: Option<Audit>,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// The date.
    pub clock: Clock,
}

/// The state of the admin routes. Clones share it.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) parts: Parts,
    pub(super) access: watch::Receiver<Access>,
    pub(super) failed_logins: Arc<Mutex<Limiter>>,
}

impl Admin {
    /// Counts a request that was turned away, and records it where there is a log.
    pub(super) fn deny(
        &self,
        reason: stats::Denied,
        remote: IpAddr,
        actor: Option<&str>,
        subject: Subject<'_>,
    ) {
        self.parts.stats.admin_denied(reason);
        let Some(audit) = &self.parts.audit else { return };
        let denied = Content::denied(reason.as_str(), &remote.to_string());
        let denied = Content { actor: actor.map(Into::into), ..denied };
        audit.deny(match subject {
            Subject::None => denied,
            Subject::Service(meta) => denied.of_service(&meta.project, &meta.id, &meta.name),
            Subject::Cluster(meta) => denied.of_cluster(&meta.project, &meta.id, &meta.name),
        });
    }
}

/// The client of a request whose token was accepted, and what it may see.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) admin: Admin,
    pub(super) token: AdminToken,
    pub(super) remote: IpAddr,
}

/// Only behind the check of tokens is there a caller.
impl FromRequestParts<Admin> for Caller {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(
        parts: &mut request::Parts,
        admin: &Admin,
    ) -> Result<Self, Self::Rejection> {
        Extension::from_request_parts(parts, admin).await.map(|Extension(caller)| caller)
    }
}

impl Caller {
    /// Counts and records that it was turned away.
    pub(super) fn deny(&self, reason: stats::Denied, subject: Subject<'_>) {
        self.admin.deny(reason, self.remote, Some(&self.token.name), subject);
    }

    /// The service of a path, if the caller may see it.
    pub(super) fn service(&self, path: ServicePath) -> Result<Arc<ServiceState>, Refused> {
        let services = &self.admin.parts.services;
        let found =
            path.ok().and_then(|Path((project, service))| services.find(&project, &service));
        self.seen(found, |state| Subject::Service(&state.meta))
    }

    /// The cluster of a path, if the caller may see its connections.
    pub(super) fn cluster(&self, path: ClusterPath) -> Result<Arc<ClusterState>, Refused> {
        let found = path.ok().and_then(|Path(cluster)| self.find_cluster(&cluster));
        self.seen(found, |state| Subject::Cluster(&state.meta))
    }

    /// A subject that was found and that the caller may see. There is one answer for what is not there and for
    /// what the token may not see.
    fn seen<T>(
        &self,
        found: Option<Arc<T>>,
        subject: impl Fn(&T) -> Subject<'_>,
    ) -> Result<Arc<T>, Refused> {
        let named = found.as_deref().map_or(Subject::None, subject);
        let is_seen = match named {
            Subject::None => false,
            Subject::Service(meta) => self.token.sees(meta),
            Subject::Cluster(meta) => self.token.sees_cluster(meta),
        };
        if !is_seen {
            self.deny(stats::Denied::Service, named);
        }
        let refusal = || status::not_yours().answer(&serde_json::Map::new()).into();
        found.filter(|_| is_seen).ok_or_else(refusal)
    }

    /// The cluster of that id, or of `project/name`; none where several are called so.
    fn find_cluster(&self, id_or_name: &str) -> Option<Arc<ClusterState>> {
        let snapshot = self.admin.parts.board.snapshot();
        let Some((project, word)) = id_or_name.split_once('/') else {
            return snapshot.cluster(&ClusterId::parse(id_or_name).ok()?).cloned();
        };
        let of_project = snapshot.clusters().iter().filter(|it| *it.meta.project == *project);
        let mut called =
            of_project.filter(|state| *state.meta.name == *word || state.meta.id.as_str() == word);
        called.next().filter(|_| called.next().is_none()).cloned()
    }

    /// True if the caller may see a change of this cluster's connections, which may no longer be polled.
    pub(super) fn may_see_cluster(&self, project: &str, id: &ClusterId) -> bool {
        let snapshot = self.admin.parts.board.snapshot();
        let found = snapshot.cluster(id).filter(|state| *state.meta.project == *project);
        let former = || self.token.sees_former_cluster(project, id.as_str());
        found.map_or_else(former, |state| self.token.sees_cluster(&state.meta))
    }

    /// True if the caller may see a change of this service, which may no longer be configured.
    pub(super) fn may_see(&self, project: &str, service_id: &str) -> bool {
        let found = self.admin.parts.services.find(project, service_id);
        // Another service may be called like the id of this one.
        let found = found.filter(|state| state.meta.id.as_str() == service_id);
        // A service that is no longer configured is known by its id alone.
        let former = || self.token.sees_former(project, service_id);
        found.map_or_else(former, |state| self.token.sees(&state.meta))
    }
}
