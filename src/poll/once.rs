//! Every cluster once, as fast as the rate limit lets: for `collect`, which has no schedule.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::JoinSet};

use super::{Poll, Project, report, roster::Shared};
use crate::{
    board::{Attempt, Board},
    clock::Clock,
    cloud::{Cloud, CloudError},
    model::ClusterId,
    pacing::Priority,
    stats::Stats,
};

/// Polls all clusters of all projects and records each on the board. `ended` is told of every poll as
/// it ends, with its error if it failed.
pub async fn once<C: Cloud>(
    projects: Vec<Project<C>>,
    board: &Board,
    clock: &Clock,
    stats: &Arc<Stats>,
    mut ended: impl FnMut(&ClusterId, Option<&CloudError>),
) {
    let mut polls: JoinSet<(ClusterId, Arc<str>, Attempt)> = JoinSet::new();
    for mut project in projects {
        let clusters = std::mem::take(&mut project.clusters);
        let slots = Arc::new(Semaphore::new(project.concurrency));
        let project = Shared::new(project, slots);
        for (cluster, _) in clusters {
            let poll = Poll::new(cluster.clone(), &project, clock, stats);
            let name = project.name.clone();
            polls.spawn(
                async move { (cluster, name, poll.run(Priority::Poll, Arc::default()).await) },
            );
        }
    }
    while let Some(joined) = polls.join_next().await {
        // A poll that panicked leaves its cluster without an attempt, which the caller sees.
        let Ok((cluster, project, attempt)) = joined else { continue };
        let error = attempt.outcome.result.as_ref().err();
        let reason = error.map(|error| error.reason.as_str());
        stats.poll_ended(&project, attempt.duration, reason);
        ended(&cluster, error);
        if let Some(state) = board.snapshot().cluster(&cluster) {
            report::ended(&state.meta, &attempt);
        }
        let at = attempt.at;
        board.record(&cluster, attempt, at);
    }
}
