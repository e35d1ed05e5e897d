//! A project as a target of polls (its cloud, rate limit and slots), and one poll of a cluster.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::Instant};

use super::{discovery::settings::DiscoverySettings, turn::Turn};
use crate::{
    board::Attempt,
    clock::Clock,
    cloud::{Budget, Cloud, CloudError, Reason, Trace, Traced},
    model::{ClusterId, ConnectionList, RegionId},
    pacing::{Pacer, Priority},
    stats::Stats,
};

/// The clusters of a project, and the cloud, the rate limit and the slots that they share.
#[derive(Clone, Debug)]
pub struct Target<C> {
    /// Configured name.
    pub name: Arc<str>,
    /// The region that the clusters are in.
    pub region: RegionId,
    /// The cloud that is polled.
    pub cloud: C,
    /// The rate limit of CSS.
    pub pacer: Pacer,
    /// Polls in flight at most.
    pub concurrency: usize,
    /// Time for a whole poll, from its first token on.
    pub timeout: Duration,
    /// Which of the project's clusters are found by its list, if any.
    pub discovery: Option<Arc<DiscoverySettings>>,
    /// The clusters, and how often each is polled.
    pub clusters: Vec<(ClusterId, Duration)>,
}

/// A target whose clusters are in the schedule, for the polls of them.
pub(super) struct Shared<C> {
    target: Target<C>,
    slots: Arc<Semaphore>,
}

impl<C> Shared<C> {
    pub(super) fn new(target: Target<C>, before: Option<&Self>) -> Self {
        let same = before.filter(|before| before.target.concurrency == target.concurrency);
        // Polls under way keep their slots over a reload.
        let slots = same.map(|same| same.slots.clone());
        Self {
            slots: slots.unwrap_or_else(|| Arc::new(Semaphore::new(target.concurrency))),
            target,
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.target.name
    }
}

impl<C: Cloud> Shared<C> {
    /// Waits for a token, then for a slot, then walks. The deadline runs from the token on.
    pub(super) async fn poll(
        self: Arc<Self>,
        cluster: ClusterId,
        (priority, turn): (Priority, Arc<Turn>),
        clock: Clock,
        stats: Arc<Stats>,
    ) -> Attempt {
        let queued = Instant::now();
        let (token, priority) = turn.draw(&self.target.pacer, priority).await;
        let started = Instant::now();
        stats.api_waited(self.name(), started - queued);
        let budget = Budget {
            deadline: started + self.target.timeout,
            first_token: Some(token),
            priority: priority.once_begun(),
        };
        let outcome = self.walk(&cluster, budget).await;
        Attempt { at: clock.now(), duration: started.elapsed(), outcome }
    }

    async fn walk(&self, cluster: &ClusterId, budget: Budget) -> Traced<Arc<ConnectionList>> {
        let slot = tokio::time::timeout_at(budget.deadline, self.slots.acquire()).await;
        if slot.is_err() {
            let message = "all polls in flight of the project were taken until the deadline";
            let error = CloudError::new(Reason::Timeout, message);
            return Traced { result: Err(error), trace: Trace::default() };
        }
        self.target.cloud.connections(cluster, budget).await
    }
}
