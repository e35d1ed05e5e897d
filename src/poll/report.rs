//! Logs polls: how each ended (debug), and what is new about it.

use super::causes::{Cause, Causes, Kind};
use crate::{
    board::{Attempt, ClusterMeta, ClusterState},
    cloud::{CloudError, Traced},
    model::{ClusterId, ConnectionList},
};

/// Logs what is new about a poll: a cause that begins or is over.
pub(super) fn news(causes: &mut Causes<ClusterId>, cluster: &ClusterMeta, attempt: &Attempt) {
    let Traced { result, trace } = &attempt.outcome;
    let project = &cluster.project;
    let cause = match result {
        Err(error) => Cause::of(project, error),
        Ok(list) => {
            (!list.complete).then(|| Cause { project: project.clone(), kind: Kind::Incomplete })
        }
    };
    let (is_news, over) = causes.update(&cluster.id, cause, attempt.at, cluster.interval);
    match result {
        Err(error) if is_news => failed(cluster, error),
        Ok(list) if is_news => incomplete(cluster, list, &trace.request_ids),
        _ => {}
    }
    if let Some((Cause { kind: Kind::Failed(reason, code), .. }, spread)) = over
        && result.is_ok()
    {
        tracing::info!(
            project = &**project,
            reason = reason.as_str(),
            code,
            clusters = spread.most_subjects,
            since = %spread.since,
            "clusters can be read again"
        );
    }
}

/// A line about a cluster, with the fields that name it.
macro_rules! line {
    ($level:ident, $meta:expr, $($rest:tt)*) => {
        tracing::$level!(
            project = &*$meta.project,
            region_id = $meta.region.as_str(),
            cluster_id = $meta.id.as_str(),
            cluster_name = &*$meta.name,
            $($rest)*
        )
    };
}

fn failed(cluster: &ClusterMeta, error: &CloudError) {
    line!(
        warn,
        cluster,
        reason = error.reason.as_str(),
        status = error.status,
        code = error.code,
        request_id = error.request_id,
        "a cluster cannot be read: {error}"
    );
}

fn incomplete(cluster: &ClusterMeta, list: &ConnectionList, request_ids: &[String]) {
    line!(
        warn,
        cluster,
        read = list.connections.len(),
        reported = list.reported,
        request_ids = request_ids.join(","),
        "the connections of a cluster are incomplete: it has more than the API lets anyone read \
         (about 2000), or its pages are counted otherwise than configured (paging.parameter and \
         paging.first of the project)"
    );
}

/// Logs that a poll has ended, good or bad.
pub(super) fn ended(cluster: &ClusterMeta, attempt: &Attempt) {
    let Traced { result, trace } = &attempt.outcome;
    let (list, error) = (result.as_ref().ok(), result.as_ref().err());
    line!(
        debug,
        cluster,
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
    let meta = &*after.meta;
    let is_on = |state: &ClusterState| Some(state.observation.as_ref()?.list.service_enabled);
    match (is_on(before), is_on(after)) {
        // Off cuts off every client of the cluster.
        (Some(true), Some(false)) => {
            line!(warn, meta, "the endpoint service of a cluster was switched off");
        }
        (Some(false), Some(true)) => {
            line!(info, meta, "the endpoint service of a cluster was switched on");
        }
        _ => {}
    }
    let count = |state: &ClusterState| state.transitions.iter().sum::<u64>();
    let new = count(after).saturating_sub(count(before));
    // The board keeps at most this many, so no more are logged for one poll.
    let kept = after.recent_transitions.len().min(usize::try_from(new).unwrap_or(usize::MAX));
    for transition in after.recent_transitions.range(after.recent_transitions.len() - kept..) {
        line!(
            info,
            meta,
            endpoint_id = transition.endpoint_id.as_str(),
            from = transition.from.as_str(),
            to = transition.to.as_str(),
            change_id = transition.change_id.as_deref(),
            "the status of a connection has changed"
        );
    }
    if new > kept as u64 {
        line!(
            info,
            meta,
            transitions = new - kept as u64,
            "more connections of the cluster have changed in the same poll"
        );
    }
}

#[cfg(test)]
mod tests;
