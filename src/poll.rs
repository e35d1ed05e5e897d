//! The scheduler: decides when each cluster is polled and records how it went.
//!
//! One loop owns all timing and starts every poll as a task of its own, so that a slow cluster, a
//! dead region or a panic delays nobody. A poll waits for its token of the rate limit, then for one
//! of its project's slots, then walks; its deadline runs from the token on. A poll never overlaps
//! itself: a beat that comes while the poll before still runs is skipped and counted. A cluster
//! without data is polled at once, again soon if that fails, and from then on at its place in the
//! interval. A poll that somebody wants now and that still waits for its token moves to the front.
//! Endpoint services have a small reader of their own, the `ServiceReader`.

mod once;
mod report;
mod roster;
mod schedule;
mod services;
mod shard;
mod turn;

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use self::{
    report::Report,
    roster::{EntryId, InFlight, Roster, Shared},
    turn::Turn,
};
use crate::{
    board::{Attempt, Board, ClusterMeta, ClusterState},
    clock::Clock,
    cloud::{Budget, Cloud, CloudError, Reason, Trace, Traced},
    model::{ClusterId, ConnectionList, RegionId},
    pacing::{Pacer, Priority},
    stats::Stats,
};

pub use once::once;
pub use services::ServiceReader;
pub use shard::Shard;

/// A person may ask for a poll again after this time.
pub const POLL_NOW_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// Requests that may wait for the loop; it takes them within microseconds.
const COMMAND_QUEUE: usize = 16;
/// People that may wait for the end of one poll.
const MAX_WAITERS: usize = 16;
/// Data older than this many intervals are as good as none: the alerts then say that the cluster cannot be
/// read.
const INTERVALS_OF_USE: u32 = 3;

/// A cluster without data that could not be read is tried again after this time, or at its beat if that
/// is sooner: as long as credentials are in back-off, so that a cause that has passed leaves no cluster
/// blind for an interval of hours.
const RETRY_WITHOUT_DATA: Duration = Duration::from_secs(300);

/// A project's clusters share its cloud, its rate limit and its slots.
#[derive(Debug)]
pub struct Project<C> {
    /// Configured name.
    pub name: Arc<str>,
    /// The region that its clusters are in.
    pub region: RegionId,
    /// What is asked.
    pub cloud: C,
    /// The rate limit of CSS.
    pub pacer: Pacer,
    /// Polls in flight at most.
    pub concurrency: usize,
    /// One whole poll, from its first token on.
    pub timeout: Duration,
    /// What is polled, and how often.
    pub clusters: Vec<(ClusterId, Duration)>,
}

/// Asks the scheduler for a poll out of turn.
#[derive(Clone, Debug)]
pub struct PollHandle(mpsc::Sender<Command>);

/// Why there was no poll out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollNowError {
    /// The cluster is not configured.
    UnknownCluster,
    /// One was made in the last five seconds, or too many people wait for it already.
    TooSoon,
    /// The exporter is shutting down.
    Stopping,
}

enum Command {
    PollNow { cluster: ClusterId, done: oneshot::Sender<Result<(), PollNowError>> },
    PollSoon(Vec<ClusterId>),
    Answer(oneshot::Sender<()>),
}

impl PollHandle {
    /// Polls a cluster now, or joins the poll that is under way, and waits for its end. How it ended
    /// is on the board.
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

    /// Waits for an answer of the scheduler's loop: true says that it turns, false that it has ended.
    pub async fn answers(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.0.send(Command::Answer(answer)).await.is_ok() && answered.await.is_ok()
    }
}

/// Gives the scheduler other projects.
#[derive(Debug)]
pub struct RosterHandle<C>(mpsc::Sender<NewRoster<C>>);

#[derive(Debug)]
struct NewRoster<C> {
    projects: Vec<Project<C>>,
    clusters: Vec<ClusterMeta>,
    taken: oneshot::Sender<()>,
}

impl<C> RosterHandle<C> {
    /// Polls these clusters from now on, and returns once that is in effect. `clusters` is the same list for
    /// the board, which takes it in the same step, so that no poll of the old cluster is shown under the new
    /// one. A cluster that stays in its project and region keeps its place in the schedule and a poll under
    /// way; polls of removed clusters are given up.
    pub async fn replace(&self, projects: Vec<Project<C>>, clusters: Vec<ClusterMeta>) {
        let (taken, is_taken) = oneshot::channel();
        // A scheduler that has ended has nothing to poll any more.
        let _ = self.0.send(NewRoster { projects, clusters, taken }).await;
        let _ = is_taken.await;
    }
}

/// The scheduler, ready to run.
pub struct Scheduler<C> {
    roster: Roster<C>,
    polls: JoinSet<Attempt>,
    running: HashMap<Id, EntryId>,
    commands: mpsc::Receiver<Command>,
    rosters: mpsc::Receiver<NewRoster<C>>,
    board: Board,
    clock: Clock,
    stats: Arc<Stats>,
    report: Report,
}

impl<C: Cloud> Scheduler<C> {
    /// Lays out the schedule. Nothing is polled before [`Scheduler::run`].
    pub fn new(
        projects: Vec<Project<C>>,
        board: Board,
        clock: Clock,
        stats: Arc<Stats>,
    ) -> (Self, PollHandle, RosterHandle<C>) {
        let (sender, commands) = mpsc::channel(COMMAND_QUEUE);
        let (roster_sender, rosters) = mpsc::channel(1);
        let mut scheduler = Self {
            roster: Roster::default(),
            polls: JoinSet::new(),
            running: HashMap::new(),
            commands,
            rosters,
            board,
            clock,
            stats,
            report: Report::default(),
        };
        scheduler.replace(projects);
        (scheduler, PollHandle(sender), RosterHandle(roster_sender))
    }

    /// Polls until `shutdown` is ready; then gives up the polls under way and ends.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            let next_due = self.roster.next_due();
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = self.polls.join_next_with_id() => self.ended(ended),
                Some(command) = self.commands.recv() => self.obey(command),
                Some(NewRoster { projects, clusters, taken }) = self.rosters.recv() => {
                    self.board.reconfigure(clusters);
                    self.replace(projects);
                    // Whoever waited may have given up.
                    let _ = taken.send(());
                }
                () = sleep_until(next_due) => self.start_due(),
            }
        }
        self.polls.shutdown().await;
    }

    fn replace(&mut self, projects: Vec<Project<C>>) {
        let (board, now) = (self.board.snapshot(), self.clock.now());
        let has_data = |cluster: &ClusterId, interval: Duration| {
            board.cluster(cluster).is_some_and(|state| has_data(state, interval, now))
        };
        for (cluster, due) in self.roster.replace(projects, now, has_data) {
            self.board.schedule(&cluster, self.date_of(due));
        }
        self.report.keep_only(|cluster| self.roster.find(cluster).is_some());
        for (name, overdue) in self.roster.overdue() {
            self.stats.polls_overdue(name, overdue);
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some((id, priority)) = self.roster.take_due(now) {
            let Some(entry) = self.roster.entry(id) else { continue };
            if entry.is_in_flight() {
                self.set_overdue(id, true);
            } else {
                self.start(id, priority);
            }
        }
    }

    fn start(&mut self, id: EntryId, priority: Priority) {
        let Some((entry, project)) = self.roster.entry_and_project(id) else { return };
        let poll = Poll::new(entry.cluster.clone(), project, &self.clock, &self.stats);
        let turn = Arc::new(Turn::default());
        let task = self.polls.spawn(poll.run(priority, turn.clone()));
        self.running.insert(task.id(), id);
        entry.in_flight = Some(InFlight { task, turn });
    }

    fn ended(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        let (task, attempt) = match ended {
            Ok((task, attempt)) => (task, attempt),
            Err(error) => (error.id(), self.attempt_that_died(&error)),
        };
        // A cluster that is gone has no entry, and its poll no meaning.
        let Some(id) = self.running.remove(&task) else { return };
        let Some((entry, project)) = self.roster.entry_and_project(id) else { return };
        let reason = attempt.outcome.result.as_ref().err().map(|error| error.reason.as_str());
        self.stats.poll_ended(&project.name, attempt.duration, reason);
        let before = self.board.snapshot().cluster(&entry.cluster).cloned();
        if let Some(state) = &before {
            report::ended(&state.meta, &attempt);
            self.report.poll_ended(&state.meta, &attempt);
        }
        entry.in_flight = None;
        if !entry.waiters.is_empty() {
            entry.asked = Some(Instant::now());
        }
        let waiters = std::mem::take(&mut entry.waiters);
        let cluster = entry.cluster.clone();
        if let Some(state) = &before
            && reason.is_some()
            && !has_data(state, state.meta.interval, attempt.at)
        {
            self.roster.bring_forward(id, Instant::now() + RETRY_WITHOUT_DATA);
        }
        let due = self.roster.entry(id).map_or_else(Instant::now, |entry| entry.due);
        self.board.record(&cluster, attempt, self.date_of(due));
        if let (Some(before), Some(after)) = (before, self.board.snapshot().cluster(&cluster)) {
            report::transitions(&before, after);
        }
        for waiter in waiters {
            // Whoever waited may have hung up.
            let _ = waiter.send(Ok(()));
        }
        self.set_overdue(id, false);
        if self.roster.entry(id).is_some_and(|entry| std::mem::take(&mut entry.again)) {
            self.start(id, Priority::Admin);
        }
    }

    /// A poll that panicked is a failed poll: it is counted, and the next one is made.
    fn attempt_that_died(&self, error: &JoinError) -> Attempt {
        if error.is_panic() {
            tracing::error!("a poll panicked, which is a fault of the exporter: {error}");
        }
        let error = CloudError::new(Reason::Internal, "the poll ended by a fault of the exporter");
        Attempt {
            at: self.clock.now(),
            duration: Duration::ZERO,
            outcome: Traced { result: Err(error), trace: Trace::default() },
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::PollNow { cluster, done } => self.poll_now(&cluster, done),
            Command::PollSoon(clusters) => {
                for id in clusters
                    .iter()
                    .filter_map(|cluster| self.roster.find(cluster))
                    .collect::<Vec<_>>()
                {
                    self.poll_soon(id);
                }
            }
            // Whoever waited may have given up.
            Command::Answer(answer) => drop(answer.send(())),
        }
    }

    fn poll_soon(&mut self, id: EntryId) {
        let Some(entry) = self.roster.entry(id) else { return };
        match &entry.in_flight {
            None => self.start(id, Priority::Admin),
            // It may have read the state from before the request.
            Some(poll) if poll.turn.has_begun() => entry.again = true,
            Some(poll) => poll.turn.hurry(),
        }
    }

    fn poll_now(&mut self, cluster: &ClusterId, done: oneshot::Sender<Result<(), PollNowError>>) {
        let now = Instant::now();
        let Some(id) = self.roster.find(cluster) else {
            let _ = done.send(Err(PollNowError::UnknownCluster));
            return;
        };
        let Some(entry) = self.roster.entry(id) else { return };
        let just_made = entry.asked.is_some_and(|asked| now - asked < POLL_NOW_AT_MOST_EVERY);
        if (just_made && !entry.is_in_flight()) || entry.waiters.len() >= MAX_WAITERS {
            let _ = done.send(Err(PollNowError::TooSoon));
            return;
        }
        entry.waiters.push(done);
        match &entry.in_flight {
            None => self.start(id, Priority::Admin),
            Some(poll) => poll.turn.hurry(),
        }
    }

    fn set_overdue(&mut self, id: EntryId, overdue: bool) {
        if let Some((project, count)) = self.roster.set_overdue(id, overdue) {
            self.stats.polls_overdue(project, count);
        }
    }

    fn date_of(&self, moment: Instant) -> jiff::Timestamp {
        let (now, date) = (Instant::now(), self.clock.now());
        date.saturating_add(moment.saturating_duration_since(now)).unwrap_or(date)
    }
}

/// Whether what is known of a cluster is of use.
fn has_data(state: &ClusterState, interval: Duration, now: jiff::Timestamp) -> bool {
    state.shown(now, interval.saturating_mul(INTERVALS_OF_USE)).is_some()
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// One poll, with all that it needs.
struct Poll<C> {
    cluster: ClusterId,
    project: Arc<str>,
    cloud: Arc<C>,
    pacer: Pacer,
    slots: Arc<Semaphore>,
    timeout: Duration,
    clock: Clock,
    stats: Arc<Stats>,
}

impl<C: Cloud> Poll<C> {
    fn new(cluster: ClusterId, project: &Shared<C>, clock: &Clock, stats: &Arc<Stats>) -> Self {
        Self {
            cluster,
            project: project.name.clone(),
            cloud: project.cloud.clone(),
            pacer: project.pacer.clone(),
            slots: project.slots.clone(),
            timeout: project.timeout,
            clock: clock.clone(),
            stats: stats.clone(),
        }
    }

    async fn run(self, priority: Priority, turn: Arc<Turn>) -> Attempt {
        let queued = Instant::now();
        let (token, priority) = turn.draw(&self.pacer, priority).await;
        let started = Instant::now();
        self.stats.api_waited(&self.project, started - queued);
        let budget = Budget {
            deadline: started + self.timeout,
            first_token: Some(token),
            priority: priority.once_begun(),
        };
        let outcome = self.walk(budget).await;
        Attempt { at: self.clock.now(), duration: started.elapsed(), outcome }
    }

    async fn walk(&self, budget: Budget) -> Traced<Arc<ConnectionList>> {
        let slot = tokio::time::timeout_at(budget.deadline, self.slots.acquire()).await;
        if slot.is_err() {
            let message = "all polls in flight of the project were taken until the deadline";
            let error = CloudError::new(Reason::Timeout, message);
            return Traced { result: Err(error), trace: Trace::default() };
        }
        self.cloud.connections(&self.cluster, budget).await
    }
}

#[cfg(test)]
mod tests;
