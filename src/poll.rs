//! The scheduler: decides when each cluster is polled and records how it went.
//!
//! One loop owns all timing and starts every poll as a task of its own, so that a slow cluster, a
//! dead region or a panic delays nobody. A poll waits for its token of the rate limit, then for one
//! of its project's slots, then walks; its deadline runs from the token on. A poll never overlaps
//! itself: a beat that comes while the poll before still runs is skipped and counted.

mod once;
mod report;
mod schedule;
mod shard;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    future::Future,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use self::report::Report;
use crate::{
    board::{Attempt, Board},
    clock::Clock,
    cloud::{Budget, Cloud, CloudError, Reason, Trace, Traced},
    model::{ClusterId, ConnectionList},
    pacing::{Pacer, Priority},
    stats::Stats,
};

pub use once::once;
pub use shard::Shard;

/// A person may ask for a poll again after this time.
const POLL_NOW_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// Requests of people that may wait for the loop; it takes them within microseconds.
const COMMAND_QUEUE: usize = 16;
/// People that may wait for the end of one poll.
const MAX_WAITERS: usize = 16;

/// A project's clusters share its cloud, its rate limit and its slots.
#[derive(Debug)]
pub struct Project<C> {
    /// Configured name.
    pub name: Arc<str>,
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
pub struct PollHandle(mpsc::Sender<PollNow>);

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

struct PollNow {
    cluster: ClusterId,
    done: oneshot::Sender<Result<(), PollNowError>>,
}

impl PollHandle {
    /// Polls a cluster now, or joins the poll that is under way, and waits for its end. How it ended
    /// is on the board.
    pub async fn poll_now(&self, cluster: &ClusterId) -> Result<(), PollNowError> {
        let (done, ended) = oneshot::channel();
        let command = PollNow { cluster: cluster.clone(), done };
        self.0.send(command).await.map_err(|_| PollNowError::Stopping)?;
        ended.await.unwrap_or(Err(PollNowError::Stopping))
    }
}

/// The scheduler, ready to run.
pub struct Scheduler<C> {
    projects: Vec<Shared<C>>,
    entries: Vec<Entry>,
    by_cluster: HashMap<ClusterId, usize>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    polls: JoinSet<(usize, Attempt)>,
    running: HashMap<Id, usize>,
    commands: mpsc::Receiver<PollNow>,
    board: Board,
    clock: Clock,
    stats: Arc<Stats>,
}

struct Shared<C> {
    name: Arc<str>,
    cloud: Arc<C>,
    pacer: Pacer,
    slots: Arc<Semaphore>,
    timeout: Duration,
    overdue: usize,
}

struct Entry {
    project: usize,
    cluster: ClusterId,
    interval: Duration,
    due: Instant,
    in_flight: bool,
    overdue: bool,
    /// When the last poll ended that somebody waited for.
    asked: Option<Instant>,
    waiters: Vec<oneshot::Sender<Result<(), PollNowError>>>,
    report: Report,
}

impl<C: Cloud> Scheduler<C> {
    /// Lays out the schedule. Nothing is polled before [`Scheduler::run`].
    pub fn new(
        projects: Vec<Project<C>>,
        board: Board,
        clock: Clock,
        stats: Arc<Stats>,
    ) -> (Self, PollHandle) {
        let (sender, commands) = mpsc::channel(COMMAND_QUEUE);
        let mut scheduler = Self {
            projects: Vec::new(),
            entries: Vec::new(),
            by_cluster: HashMap::new(),
            due: BinaryHeap::new(),
            polls: JoinSet::new(),
            running: HashMap::new(),
            commands,
            board,
            clock,
            stats,
        };
        for project in projects {
            scheduler.add(project);
        }
        (scheduler, PollHandle(sender))
    }

    fn add(&mut self, project: Project<C>) {
        let (now, date) = (Instant::now(), self.clock.now());
        for (cluster, interval) in project.clusters {
            let phase = schedule::phase(&cluster, interval);
            let due = now + schedule::until_next(date, phase, interval);
            let index = self.entries.len();
            self.board.schedule(&cluster, self.date_of(due));
            self.due.push(Reverse((due, index)));
            self.by_cluster.insert(cluster.clone(), index);
            self.entries.push(Entry {
                project: self.projects.len(),
                cluster,
                interval,
                due,
                in_flight: false,
                overdue: false,
                asked: None,
                waiters: Vec::new(),
                report: Report::default(),
            });
        }
        self.projects.push(Shared {
            name: project.name,
            cloud: Arc::new(project.cloud),
            pacer: project.pacer,
            slots: Arc::new(Semaphore::new(project.concurrency)),
            timeout: project.timeout,
            overdue: 0,
        });
    }

    /// Polls until `shutdown` is ready; then gives up the polls under way and ends.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            let next_due = self.due.peek().map(|Reverse((due, _))| *due);
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = self.polls.join_next_with_id() => self.ended(ended),
                Some(command) = self.commands.recv() => self.poll_now(command),
                () = sleep_until(next_due) => self.start_due(),
            }
        }
        self.polls.shutdown().await;
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((due, index))) = self.due.peek() {
            if due > now {
                break;
            }
            self.due.pop();
            let entry = &mut self.entries[index];
            entry.due = schedule::next_after(due, entry.interval, now);
            self.due.push(Reverse((entry.due, index)));
            if !entry.in_flight {
                self.start(index, Priority::Poll);
            } else if !entry.overdue {
                entry.overdue = true;
                self.count_overdue(index, true);
            }
        }
    }

    fn start(&mut self, index: usize, priority: Priority) {
        let entry = &mut self.entries[index];
        entry.in_flight = true;
        let project = &self.projects[entry.project];
        let poll = Poll {
            cluster: entry.cluster.clone(),
            project: project.name.clone(),
            cloud: project.cloud.clone(),
            pacer: project.pacer.clone(),
            slots: project.slots.clone(),
            timeout: project.timeout,
            clock: self.clock.clone(),
            stats: self.stats.clone(),
        };
        let task = self.polls.spawn(async move { (index, poll.run(priority).await) });
        self.running.insert(task.id(), index);
    }

    fn ended(&mut self, ended: Result<(Id, (usize, Attempt)), JoinError>) {
        let (id, attempt) = match ended {
            Ok((id, (_, attempt))) => (id, attempt),
            Err(error) => (error.id(), self.attempt_that_died(&error)),
        };
        let Some(index) = self.running.remove(&id) else { return };
        let entry = &mut self.entries[index];
        let project = &self.projects[entry.project];
        let error = attempt.outcome.result.as_ref().err();
        self.stats.poll_ended(
            &project.name,
            attempt.duration,
            error.map(|error| error.reason.as_str()),
        );
        entry.report.poll_ended(&project.name, &entry.cluster, &attempt);
        entry.in_flight = false;
        if !entry.waiters.is_empty() {
            entry.asked = Some(Instant::now());
        }
        for waiter in entry.waiters.drain(..) {
            // Whoever waited may have hung up.
            let _ = waiter.send(Ok(()));
        }
        let was_overdue = std::mem::take(&mut entry.overdue);
        let (cluster, due) = (entry.cluster.clone(), entry.due);
        self.board.record(&cluster, attempt, self.date_of(due));
        if was_overdue {
            self.count_overdue(index, false);
        }
    }

    /// A poll that panicked is a failed poll: it is counted, and the next one is made.
    fn attempt_that_died(&self, error: &JoinError) -> Attempt {
        tracing::error!("a poll panicked, which is a fault of the exporter: {error}");
        let error = CloudError::new(Reason::Internal, "the poll ended by a fault of the exporter");
        Attempt {
            at: self.clock.now(),
            duration: Duration::ZERO,
            outcome: Traced { result: Err(error), trace: Trace::default() },
        }
    }

    fn poll_now(&mut self, PollNow { cluster, done }: PollNow) {
        let now = Instant::now();
        let Some(&index) = self.by_cluster.get(&cluster) else {
            let _ = done.send(Err(PollNowError::UnknownCluster));
            return;
        };
        let entry = &mut self.entries[index];
        let just_made = entry.asked.is_some_and(|asked| now - asked < POLL_NOW_AT_MOST_EVERY);
        if (just_made && !entry.in_flight) || entry.waiters.len() >= MAX_WAITERS {
            let _ = done.send(Err(PollNowError::TooSoon));
            return;
        }
        entry.waiters.push(done);
        if !entry.in_flight {
            self.start(index, Priority::Admin);
        }
    }

    fn count_overdue(&mut self, index: usize, more: bool) {
        let project = &mut self.projects[self.entries[index].project];
        project.overdue = if more { project.overdue + 1 } else { project.overdue - 1 };
        self.stats.polls_overdue(&project.name, project.overdue);
    }

    fn date_of(&self, moment: Instant) -> jiff::Timestamp {
        let (now, date) = (Instant::now(), self.clock.now());
        date.saturating_add(moment.saturating_duration_since(now)).unwrap_or(date)
    }
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
    async fn run(self, priority: Priority) -> Attempt {
        let queued = Instant::now();
        let token = self.pacer.acquire(priority).await;
        let started = Instant::now();
        self.stats.api_waited(&self.project, started - queued);
        let budget =
            Budget { deadline: started + self.timeout, first_token: Some(token), priority };
        let outcome = self.walk(budget).await;
        Attempt { at: self.clock.now(), duration: started.elapsed(), outcome }
    }

    async fn walk(&self, budget: Budget) -> Traced<ConnectionList> {
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
