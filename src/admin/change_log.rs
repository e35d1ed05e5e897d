//! The audit log, as the admin listener reads it.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    audit::{self, Audit, ChangeId, Denial, MAX_RECENT, Record},
    board::ServiceMeta,
};

/// The audit log, as the admin listener needs it. Nothing here waits for the disk.
pub trait ChangeLog: Send + Sync + 'static {
    /// The newest of the remembered changes, newest first, of the services that `sees` accepts by project and
    /// id; `None` if there is no log.
    fn newest(&self, limit: usize, sees: &dyn Fn(&str, &str) -> bool) -> Option<Vec<LoggedChange>>;

    /// One of them.
    fn find(&self, change_id: &str) -> Option<LoggedChange>;

    /// Takes note of a request that was turned away.
    fn denied(&self, denied: &Denied<'_>);
}

/// Without a log there is nothing to show, and refusals are only counted.
impl ChangeLog for Option<Audit> {
    fn newest(&self, limit: usize, sees: &dyn Fn(&str, &str) -> bool) -> Option<Vec<LoggedChange>> {
        self.as_ref()?.newest(limit, sees)
    }

    fn find(&self, change_id: &str) -> Option<LoggedChange> {
        self.as_ref()?.find(change_id)
    }

    fn denied(&self, denied: &Denied<'_>) {
        self.iter().for_each(|audit| audit.denied(denied));
    }
}

impl ChangeLog for Audit {
    fn newest(&self, limit: usize, sees: &dyn Fn(&str, &str) -> bool) -> Option<Vec<LoggedChange>> {
        let changes = self.recent(MAX_RECENT);
        let seen = changes.iter().filter(|change| {
            subject(change).is_some_and(|(_, project, service_id)| sees(project, service_id))
        });
        Some(seen.take(limit).filter_map(|change| logged(change)).collect())
    }

    fn find(&self, change_id: &str) -> Option<LoggedChange> {
        logged(&*self.change(&ChangeId::parse(change_id)?)?)
    }

    fn denied(&self, denied: &Denied<'_>) {
        self.deny(&Denial {
            reason: denied.reason,
            remote: &denied.remote.to_string(),
            actor: denied.actor,
            project: denied.service.map(|meta| &*meta.project),
            service_id: denied.service.map(|meta| &meta.id),
            service_name: denied.service.map(|meta| &*meta.name),
        });
    }
}

/// A record of a change with its project and service. `None` if the records do not say which service it
/// changed; such a change is shown to nobody.
fn subject(change: &audit::Change) -> Option<(&audit::Content, &str, &str)> {
    let content = &change.intent.as_ref().or(change.outcome.as_ref())?.content;
    Some((content, content.project.as_deref()?, content.service_id.as_ref()?.as_str()))
}

fn logged(change: &audit::Change) -> Option<LoggedChange> {
    let (content, project, service_id) = subject(change)?;
    let json = |record: &Option<Record>| {
        record.as_ref().and_then(|record| serde_json::to_value(record).ok())
    };
    Some(LoggedChange {
        change_id: change.id.as_str().to_owned(),
        project: project.to_owned(),
        service_id: service_id.to_owned(),
        service_name: content.service_name.as_deref().map(str::to_owned),
        intent: json(&change.intent),
        outcome: json(&change.outcome),
    })
}

/// A change, by its records in the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoggedChange {
    /// Its id.
    pub change_id: String,
    /// Configured name of the project.
    pub project: String,
    /// The endpoint service.
    pub service_id: String,
    /// The configured name of the service at that time; null in records of older versions.
    pub service_name: Option<String>,
    /// The record before it was sent; null where nothing had to be sent.
    #[schema(value_type = Option<Object>)]
    pub intent: Option<Value>,
    /// The record of how it ended; null while that is not known.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
}

/// A request that was turned away.
#[derive(Clone, Copy, Debug)]
pub struct Denied<'a> {
    /// Why; one of the words of the metric.
    pub reason: &'static str,
    /// The address of the client.
    pub remote: IpAddr,
    /// The name of the token, where one was good.
    pub actor: Option<&'a str>,
    /// The configured service that it was about, if it was about one.
    pub service: Option<&'a ServiceMeta>,
}
