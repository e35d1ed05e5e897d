//! What the log says of a cluster's polls: the first failure, then silence while it lasts, then the
//! recovery. A thousand clusters behind a dead region would else drown everything.

use crate::{
    board::{Attempt, ClusterMeta},
    cloud::{CloudError, Reason},
    model::ConnectionList,
};

/// The run of failures that a cluster is in.
#[derive(Debug, Default)]
pub(super) struct Report {
    outage: Option<Outage>,
    was_incomplete: bool,
}

#[derive(Debug)]
struct Outage {
    reason: Reason,
    since: jiff::Timestamp,
    failures: u64,
    was_told: bool,
}

impl Report {
    /// Logs what is new about a poll.
    pub(super) fn poll_ended(&mut self, cluster: &ClusterMeta, attempt: &Attempt) {
        match &attempt.outcome.result {
            Err(error) => self.failed(cluster, attempt, error),
            Ok(list) => {
                self.recovered(cluster);
                if !list.complete && !self.was_incomplete {
                    incomplete(cluster, list, &attempt.outcome.trace.request_ids);
                }
                self.was_incomplete = !list.complete;
            }
        }
    }

    fn failed(&mut self, cluster: &ClusterMeta, attempt: &Attempt, error: &CloudError) {
        let before = self.outage.take();
        let is_new = before.as_ref().is_none_or(|outage| outage.reason != error.reason);
        // Credentials in back-off are told once where the back-off begins, not for each cluster.
        let is_told = is_new && error.retry_at.is_none();
        if is_told {
            tracing::warn!(
                project = &*cluster.project,
                cluster_id = cluster.id.as_str(),
                cluster_name = &*cluster.name,
                reason = error.reason.as_str(),
                status = error.status,
                code = error.code,
                request_id = error.request_id,
                "a cluster cannot be read: {error}"
            );
        }
        self.outage = Some(Outage {
            reason: error.reason,
            since: before.as_ref().map_or(attempt.at, |outage| outage.since),
            failures: before.as_ref().map_or(0, |outage| outage.failures) + 1,
            was_told: is_told || before.is_some_and(|outage| outage.was_told),
        });
    }

    fn recovered(&mut self, cluster: &ClusterMeta) {
        if let Some(outage) = self.outage.take().filter(|outage| outage.was_told) {
            tracing::info!(
                project = &*cluster.project,
                cluster_id = cluster.id.as_str(),
                cluster_name = &*cluster.name,
                failed_polls = outage.failures,
                since = %outage.since,
                "a cluster can be read again"
            );
        }
    }
}

fn incomplete(cluster: &ClusterMeta, list: &ConnectionList, request_ids: &[String]) {
    let read = list.connections.len();
    tracing::warn!(
        project = &*cluster.project,
        cluster_id = cluster.id.as_str(),
        cluster_name = &*cluster.name,
        read,
        reported = list.reported,
        ?request_ids,
        "the connections of a cluster are incomplete: it has more than the API lets anybody read \
         (about 2000), or its pages are counted otherwise than configured (paging.parameter and \
         paging.first of the project)"
    );
}
