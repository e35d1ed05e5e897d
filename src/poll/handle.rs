//! Requests to the scheduler's loop: a poll on demand, other clusters, a sign of life.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::target::Target;
use crate::{board::ClusterMeta, model::ClusterId};

/// A poll on demand of the same cluster is possible again after this time.
pub const POLL_NOW_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// Requests that may wait for the loop, which takes them within microseconds.
pub(super) const COMMAND_QUEUE: usize = 16;

/// Reports to a waiting caller that the poll has ended, or why there was none.
pub(super) type Waiter = oneshot::Sender<Result<(), PollNowError>>;

pub(super) enum Command {
    PollNow { cluster: ClusterId, done: Waiter },
    PollSoon(Vec<ClusterId>),
    Answer(oneshot::Sender<()>),
}

/// Requests polls on demand from the scheduler.
#[derive(Clone, Debug)]
pub struct PollHandle(pub(super) mpsc::Sender<Command>);

/// The reason why there was no poll on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollNowError {
    /// The cluster is not configured.
    UnknownCluster,
    /// A poll was made in the last five seconds, or too many people wait for one already.
    TooSoon,
    /// The exporter is shutting down.
    Stopping,
}

impl PollHandle {
    /// Polls a cluster now, or joins the poll that is under way, and waits for its end. The board shows
    /// how it ended.
    pub async fn poll_now(&self, cluster: &ClusterId) -> Result<(), PollNowError> {
        let (done, ended) = oneshot::channel();
        let command = Command::PollNow { cluster: cluster.clone(), done };
        self.0.send(command).await.map_err(|_| PollNowError::Stopping)?;
        ended.await.unwrap_or(Err(PollNowError::Stopping))
    }

    /// Has clusters polled by polls that begin after this moment, and waits for nothing. False if the
    /// scheduler is busy or has ended; they are then polled in their turn.
    pub fn poll_soon(&self, clusters: Vec<ClusterId>) -> bool {
        self.0.try_send(Command::PollSoon(clusters)).is_ok()
    }

    /// Waits for an answer of the scheduler's loop: true if the loop runs, false if it has ended.
    pub async fn answers(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.0.send(Command::Answer(answer)).await.is_ok() && answered.await.is_ok()
    }
}

/// Gives the scheduler other clusters.
#[derive(Debug)]
pub struct RosterHandle<C>(pub(super) mpsc::Sender<NewRoster<C>>);

#[derive(Debug)]
pub(super) struct NewRoster<C> {
    pub(super) targets: Vec<Target<C>>,
    pub(super) clusters: Vec<ClusterMeta>,
    pub(super) taken: oneshot::Sender<()>,
}

impl<C> RosterHandle<C> {
    /// Polls these clusters from now on, and returns once that is in effect. `clusters` is the same list for
    /// the board, which takes it in the same step, so that no poll of the old cluster is shown under the new
    /// one. A cluster that stays in its project and region keeps its place in the schedule and a poll under
    /// way; polls of removed clusters are given up.
    pub async fn replace(&self, targets: Vec<Target<C>>, clusters: Vec<ClusterMeta>) {
        let (taken, is_taken) = oneshot::channel();
        // A scheduler that has ended polls nothing any more.
        let _ = self.0.send(NewRoster { targets, clusters, taken }).await;
        let _ = is_taken.await;
    }
}
