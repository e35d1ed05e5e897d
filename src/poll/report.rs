//! Logs polls: one line for each cause when it begins, and one when it is over. Otherwise a thousand
//! clusters behind a dead region would drown everything.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use crate::{
    board::{Attempt, ClusterMeta, ClusterState},
    cloud::{CloudError, Reason, Traced},
    model::{ClusterId, ConnectionList},
};

/// The current causes, and the clusters that they affect.
#[derive(Debug, Default)]
pub(super) struct Report {
    troubles: HashMap<ClusterId, Cause>,
    causes: HashMap<Cause, Spread>,
}

/// One cause: the same failure in several clusters of a project.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cause {
    project: Arc<str>,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    Failed(Reason, Option<String>),
    Incomplete,
}

/// How far a cause has spread.
#[derive(Debug)]
struct Spread {
    since: jiff::Timestamp,
    /// When it reached the latest of its clusters.
    newest: Instant,
    clusters: usize,
    most_clusters: usize,
}

impl Report {
    /// Logs what is new about a poll.
    pub(super) fn poll_ended(&mut self, cluster: &ClusterMeta, attempt: &Attempt) {
        let outcome = &attempt.outcome;
        let what = match &outcome.result {
            // A back-off is logged once where it begins and once where it ends, not for each cluster.
            Err(error) if error.retry_at.is_some() => None,
            Err(error) => Some(What::Failed(error.reason, error.code.clone())),
            Ok(list) if !list.complete => Some(What::Incomplete),
            Ok(_) => None,
        };
        let cause = what.map(|what| Cause { project: cluster.project.clone(), what });
        if self.troubles.get(&cluster.id) == cause.as_ref() {
            return;
        }
        let over = self.leave(&cluster.id);
        let is_new = cause.is_some_and(|cause| self.join(cluster, cause, attempt.at));
        match &outcome.result {
            Err(error) if is_new => failed(cluster, error),
            Ok(list) if is_new => incomplete(cluster, list, &outcome.trace.request_ids),
            _ => {}
        }
        if let Some((Cause { what: What::Failed(reason, code), .. }, spread)) = over
            && outcome.result.is_ok()
        {
            tracing::info!(
                project = &*cluster.project,
                reason = reason.as_str(),
                code,
                clusters = spread.most_clusters,
                since = %spread.since,
                "clusters can be read again"
            );
        }
    }

    /// Forgets clusters that are not polled any more.
    pub(super) fn keep_only(&mut self, is_polled: impl Fn(&ClusterId) -> bool) {
        let gone: Vec<_> = self.troubles.keys().filter(|id| !is_polled(id)).cloned().collect();
        for cluster in gone {
            self.leave(&cluster);
        }
    }

    /// Removes a cluster from its cause, which is over if this was the last cluster.
    fn leave(&mut self, cluster: &ClusterId) -> Option<(Cause, Spread)> {
        let cause = self.troubles.remove(cluster)?;
        let spread = self.causes.get_mut(&cause)?;
        spread.clusters -= 1;
        if spread.clusters > 0 {
            return None;
        }
        self.causes.remove_entry(&cause)
    }

    /// Returns true if there is something to log. A cause reaches each of its clusters within their
    /// intervals; a cluster that fails with it later than that is logged on its own.
    fn join(&mut self, cluster: &ClusterMeta, cause: Cause, at: jiff::Timestamp) -> bool {
        let now = Instant::now();
        self.troubles.insert(cluster.id.clone(), cause.clone());
        let spread = self.causes.entry(cause).or_insert(Spread {
            since: at,
            newest: now,
            clusters: 0,
            most_clusters: 0,
        });
        let is_new = spread.clusters == 0 || now - spread.newest > cluster.interval * 2;
        spread.newest = now;
        spread.clusters += 1;
        spread.most_clusters = spread.most_clusters.max(spread.clusters);
        is_new
    }
}

fn failed(cluster: &ClusterMeta, error: &CloudError) {
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

fn incomplete(cluster: &ClusterMeta, list: &ConnectionList, request_ids: &[String]) {
    let read = list.connections.len();
    tracing::warn!(
        project = &*cluster.project,
        cluster_id = cluster.id.as_str(),
        cluster_name = &*cluster.name,
        read,
        reported = list.reported,
        request_ids = request_ids.join(","),
        "the connections of a cluster are incomplete: it has more than the API lets anybody read \
         (about 2000), or its pages are counted otherwise than configured (paging.parameter and \
         paging.first of the project)"
    );
}

/// Logs that a poll has ended, good or bad.
pub(super) fn ended(cluster: &ClusterMeta, attempt: &Attempt) {
    let Traced { result, trace } = &attempt.outcome;
    let (list, error) = (result.as_ref().ok(), result.as_ref().err());
    tracing::debug!(
        project = &*cluster.project,
        cluster_id = cluster.id.as_str(),
        cluster_name = &*cluster.name,
        duration_seconds = attempt.duration.as_secs_f64(),
        pages = trace.pages,
        requests = trace.requests,
        connections = list.map(|list| list.connections.len()),
        complete = list.map(|list| list.complete),
        reason = error.map(|error| error.reason.as_str()),
        error = error.map(tracing::field::display),
        "a poll has ended"
    );
}

/// Logs that the endpoint service of a cluster was switched, and the transitions of its connections,
/// which a poll has added to its state.
pub(super) fn transitions(before: &ClusterState, after: &ClusterState) {
    switched(before, after);
    let count = |state: &ClusterState| state.transitions.iter().sum::<u64>();
    let new = count(after).saturating_sub(count(before));
    if new == 0 {
        return;
    }
    let meta = &after.meta;
    // The board keeps at most this many, so no more are logged for one poll.
    let kept = after.recent_transitions.len().min(usize::try_from(new).unwrap_or(usize::MAX));
    for transition in after.recent_transitions.range(after.recent_transitions.len() - kept..) {
        tracing::info!(
            project = &*meta.project,
            region_id = meta.region.as_str(),
            cluster_id = meta.id.as_str(),
            cluster_name = &*meta.name,
            endpoint_id = transition.endpoint_id.as_str(),
            from = transition.from.as_str(),
            to = transition.to.as_str(),
            "the status of a connection has changed"
        );
    }
    if new > kept as u64 {
        tracing::info!(
            project = &*meta.project,
            cluster_id = meta.id.as_str(),
            cluster_name = &*meta.name,
            transitions = new - kept as u64,
            "more connections of the cluster have changed in the same poll"
        );
    }
}

/// Off cuts every client of the cluster off.
fn switched(before: &ClusterState, after: &ClusterState) {
    let is_on = |state: &ClusterState| Some(state.observation.as_ref()?.list.service_enabled);
    let ClusterMeta { region, project, id, name, .. } = &*after.meta;
    match (is_on(before), is_on(after)) {
        (Some(true), Some(false)) => tracing::warn!(
            project = &**project,
            region_id = region.as_str(),
            cluster_id = id.as_str(),
            cluster_name = &**name,
            "the endpoint service of a cluster was switched off"
        ),
        (Some(false), Some(true)) => tracing::info!(
            project = &**project,
            region_id = region.as_str(),
            cluster_id = id.as_str(),
            cluster_name = &**name,
            "the endpoint service of a cluster was switched on"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
