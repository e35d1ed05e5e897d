//! Every cluster once, as fast as the rate limit lets: for `collect`, which has no schedule.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    report,
    target::{Shared, Target},
};
use crate::{
    board::Board,
    clock::Clock,
    cloud::{Cloud, CloudError},
    model::ClusterId,
    pacing::Priority,
    stats::Stats,
};

/// Polls all clusters of all targets and records each on the board. Calls `ended` for every poll as it
/// ends, with its error if it failed.
pub async fn once<C: Cloud>(
    targets: Vec<Target<C>>,
    board: &Board,
    clock: &Clock,
    stats: &Arc<Stats>,
    mut ended: impl FnMut(&ClusterId, Option<&CloudError>),
) {
    let mut polls = JoinSet::new();
    for mut target in targets {
        let clusters = std::mem::take(&mut target.clusters);
        let shared = Arc::new(Shared::new(target, None));
        for (cluster, _) in clusters {
            let turn = (Priority::Poll, Arc::default());
            let poll = shared.clone().poll(cluster.clone(), turn, clock.clone(), stats.clone());
            let name = shared.name().clone();
            polls.spawn(async move { (cluster, name, poll.await) });
        }
    }
    while let Some(joined) = polls.join_next().await {
        // A poll that panicked leaves its cluster without an attempt, which the caller sees.
        let Ok((cluster, project, attempt)) = joined else { continue };
        let error = attempt.outcome.result.as_ref().err();
        stats.poll_ended(&project, attempt.duration, error.map(|error| error.reason));
        ended(&cluster, error);
        if let Some(state) = board.snapshot().cluster(&cluster) {
            report::ended(&state.meta, &attempt);
        }
        let at = attempt.at;
        board.record(&cluster, attempt, at);
    }
}
