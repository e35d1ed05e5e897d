//! The parts that the admin routes use, and what a caller may see of them.

use std::{net::IpAddr, sync::Arc};

use axum::extract::{Path, rejection::PathRejection};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    extract::Refused,
    failed_logins::Limiter,
    settings::{Access, AdminToken},
    status,
};
use crate::{
    audit::{Audit, Denial},
    board::{Board, ServiceBoard, ServiceMeta, ServiceState},
    change::Changes,
    clock::Clock,
    poll::PollHandle,
    stats::{self, Stats},
};

/// The project and the service in a path, as far as the path can be read.
pub(super) type ServicePath = Result<Path<(String, String)>, PathRejection>;

/// The parts of the exporter that the admin routes use.
#[derive(Clone)]
pub struct Parts {
    /// The clusters.
    pub board: Board,
    /// The endpoint services.
    pub services: ServiceBoard,
    /// Polls clusters out of turn.
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

/// The client of a request whose token was accepted.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) token: AdminToken,
    pub(super) remote: IpAddr,
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
        caller: Option<&Caller>,
        service: Option<&ServiceMeta>,
    ) {
        self.parts.stats.admin_denied(reason);
        let Some(audit) = &self.parts.audit else { return };
        audit.deny(&Denial {
            reason: reason.as_str(),
            remote: &remote.to_string(),
            actor: caller.map(|caller| caller.token.name.as_str()),
            project: service.map(|meta| &*meta.project),
            service_id: service.map(|meta| &meta.id),
            service_name: service.map(|meta| &*meta.name),
        });
    }

    /// The service of a path, if the caller may see it.
    pub(super) fn service(
        &self,
        caller: &Caller,
        path: ServicePath,
    ) -> Result<Arc<ServiceState>, Refused> {
        let found = path
            .ok()
            .and_then(|Path((project, service))| self.parts.services.find(&project, &service));
        match found {
            Some(state) if caller.token.sees(&state.meta) => Ok(state),
            other => {
                let meta = other.as_ref().map(|state| &*state.meta);
                self.deny(stats::Denied::Service, caller.remote, Some(caller), meta);
                Err(status::not_yours().answer(&serde_json::Map::new()).into())
            }
        }
    }

    /// True if the caller may see a change of this service, which may no longer be configured.
    pub(super) fn may_see(&self, caller: &Caller, project: &str, service_id: &str) -> bool {
        let found = self.parts.services.find(project, service_id);
        // Another service may be called like the id of this one.
        match found.filter(|state| state.meta.id.as_str() == service_id) {
            Some(state) => caller.token.sees(&state.meta),
            // A service that is no longer configured is known by its id alone.
            None => caller.token.sees_one_of(project, &[service_id]),
        }
    }
}
