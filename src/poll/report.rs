//! What the log says of a cluster's polls: the first failure, then silence while it lasts, then the
//! recovery. A thousand clusters behind a dead region would else drown everything.

use crate::{
    board::Attempt,
    cloud::{CloudError, Reason},
    model::ClusterId,
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
}

impl Report {
    /// Logs what is new about a poll.
    pub(super) fn poll_ended(&mut self, project: &str, cluster: &ClusterId, attempt: &Attempt) {
        match &attempt.outcome.result {
            Err(error) => self.failed(project, cluster, attempt, error),
            Ok(list) => {
                self.recovered(project, cluster);
                if !list.complete && !self.was_incomplete {
                    tracing::warn!(
                        project,
                        cluster_id = cluster.as_str(),
                        read = list.connections.len(),
                        reported = list.reported,
                        request_ids = ?attempt.outcome.trace.request_ids,
                        "the connections of a cluster are incomplete: the pages do not add up to \
                         what the API reports; if that stays, check paging.parameter and \
                         paging.first of the project"
                    );
                }
                self.was_incomplete = !list.complete;
            }
        }
    }

    fn failed(
        &mut self,
        project: &str,
        cluster: &ClusterId,
        attempt: &Attempt,
        error: &CloudError,
    ) {
        let (since, failures) =
            self.outage.as_ref().map_or((attempt.at, 0), |outage| (outage.since, outage.failures));
        if self.outage.as_ref().is_none_or(|outage| outage.reason != error.reason) {
            tracing::warn!(
                project,
                cluster_id = cluster.as_str(),
                reason = error.reason.as_str(),
                status = error.status,
                code = error.code,
                request_id = error.request_id,
                "a cluster cannot be read: {error}"
            );
        }
        self.outage = Some(Outage { reason: error.reason, since, failures: failures + 1 });
    }

    fn recovered(&mut self, project: &str, cluster: &ClusterId) {
        if let Some(outage) = self.outage.take() {
            tracing::info!(
                project,
                cluster_id = cluster.as_str(),
                failed_polls = outage.failures,
                since = %outage.since,
                "a cluster can be read again"
            );
        }
    }
}
