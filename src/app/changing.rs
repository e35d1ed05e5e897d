//! What the admin routes for endpoint services are made of.

use std::sync::Arc;

use crate::{
    board::{ServiceBoard, ServiceMeta},
    change::Changes,
    config::{Config, Project},
    http::{ChangeLog, Changing, Denied, LoggedChange},
};

/// The parts, as configured.
pub(super) fn changing(config: &Config, changes: Changes) -> Changing {
    Changing {
        services: ServiceBoard::new(services(config)),
        changes,
        log: Arc::new(NoLog),
        allow_proxy_vni: config.changes.as_ref().is_some_and(|changes| changes.allow_proxy_vni),
    }
}

/// The configured endpoint services.
pub(super) fn services(config: &Config) -> Vec<ServiceMeta> {
    let projects = config.projects.iter();
    let of_project = |project: &Project| {
        let (region, name) = (project.cloud.region.clone(), project.cloud.name.clone());
        let services = project.endpoint_services.iter();
        let metas = services.map(move |service| ServiceMeta {
            region: region.clone(),
            project: name.clone(),
            id: service.id.clone(),
            name: service.name.clone(),
        });
        metas.collect::<Vec<_>>()
    };
    projects.flat_map(of_project).collect()
}

/// There is no `admin.audit_log`.
#[derive(Debug)]
struct NoLog;

impl ChangeLog for NoLog {
    fn newest(&self) -> Option<Vec<LoggedChange>> {
        None
    }

    fn find(&self, _: &str) -> Option<LoggedChange> {
        None
    }

    fn denied(&self, _: &Denied<'_>) {}
}
