//! The scheduler: decides when each cluster is polled and records how it went.
//!
//! One loop owns all timing and starts every poll as a task of its own, so that a slow cluster, a
//! dead region or a panic delays no other poll. A poll waits for its token of the rate limit, then for one
//! of its project's slots, then walks; its deadline runs from the token on. A poll never overlaps
//! itself: a beat that comes while the poll before still runs is skipped and counted. A cluster
//! without data is polled at once, again soon if that fails, and from then on at its place in the
//! interval. A poll on demand that still waits for its token moves to the front.
//! Endpoint services have a small reader of their own, the `ServiceReader`; clusters that no one configured
//! are found by `Discovery`.

mod causes;
mod discovery;
mod handle;
mod once;
mod report;
mod roster;
mod schedule;
mod services;
mod shard;
mod target;
mod turn;

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use self::{
    causes::Causes,
    handle::{COMMAND_QUEUE, Command, NewRoster, Waiter},
    roster::{InFlight, Roster},
    schedule::sleep_until,
    turn::Turn,
};
use crate::{
    board::{Attempt, Board, ClusterState},
    clock::Clock,
    cloud::{Cloud, CloudError, Reason, Trace, Traced},
    model::ClusterId,
    pacing::Priority,
    stats::Stats,
};

pub use discovery::{Discovery, DiscoveryHandle, DiscoverySettings, Fleet, Found, Polled};
pub use handle::{POLL_NOW_AT_MOST_EVERY, PollHandle, PollNowError, RosterHandle};
pub use once::once;
pub use services::ServiceReader;
pub use shard::Shard;
pub use target::Target;

/// Callers that may wait for the end of one poll.
const MAX_WAITERS: usize = 16;
/// Data older than this many intervals are not used any more: the alerts then say that the cluster cannot be
/// read.
const INTERVALS_OF_USE: u32 = 3;
/// A cluster without data that could not be read is tried again after this time, or at its beat if that
/// is sooner: as long as credentials are in back-off, so that a cause that has passed leaves no cluster
/// blind for an interval of hours.
const RETRY_WITHOUT_DATA: Duration = Duration::from_secs(300);

/// The scheduler, ready to run.
pub struct Scheduler<C> {
    roster: Roster<C>,
    polls: JoinSet<Attempt>,
    running: HashMap<Id, ClusterId>,
    commands: mpsc::Receiver<Command>,
    rosters: mpsc::Receiver<NewRoster<C>>,
    board: Board,
    clock: Clock,
    stats: Arc<Stats>,
    causes: Causes<ClusterId>,
}

impl<C: Cloud> Scheduler<C> {
    /// Lays out the schedule. Nothing is polled before [`Scheduler::run`].
    pub fn new(
        targets: Vec<Target<C>>,
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
            causes: Causes::default(),
        };
        scheduler.replace(targets);
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
                Some(NewRoster { targets, clusters, taken }) = self.rosters.recv() => {
                    self.board.reconfigure(clusters);
                    self.replace(targets);
                    // The caller may have given up.
                    let _ = taken.send(());
                }
                () = sleep_until(next_due) => self.start_due(),
            }
        }
        self.polls.shutdown().await;
    }

    fn replace(&mut self, targets: Vec<Target<C>>) {
        for Target { cloud, clusters, .. } in &targets {
            cloud.keep_only(&clusters.iter().map(|(cluster, _)| cluster).collect());
        }
        let (board, now) = (self.board.snapshot(), self.clock.now());
        let has_data = |cluster: &ClusterId, interval: Duration| {
            board.cluster(cluster).is_some_and(|state| has_data(state, interval, now))
        };
        for (cluster, due) in self.roster.replace(targets, now, has_data) {
            self.board.schedule(&cluster, self.date_of(due));
        }
        self.causes.keep_only(|cluster| self.roster.is_polled(cluster));
        for (name, overdue) in self.roster.overdue() {
            self.stats.polls_overdue(name, overdue);
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some((cluster, priority)) = self.roster.take_due(now) {
            if self.roster.entry(&cluster).is_some_and(|entry| entry.in_flight.is_some()) {
                self.set_overdue(&cluster, true);
            } else {
                self.start(cluster, priority);
            }
        }
    }

    fn start(&mut self, cluster: ClusterId, priority: Priority) {
        let Some((entry, target)) = self.roster.entry_and_target(&cluster) else { return };
        let turn = Arc::new(Turn::default());
        let (clock, stats) = (self.clock.clone(), self.stats.clone());
        let poll = target.clone().poll(cluster.clone(), (priority, turn.clone()), clock, stats);
        let task = self.polls.spawn(poll);
        self.running.insert(task.id(), cluster);
        entry.in_flight = Some(InFlight { task, turn });
    }

    fn ended(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        let (task, attempt) = match ended {
            Ok((task, attempt)) => (task, attempt),
            Err(error) => (error.id(), self.attempt_that_died(&error)),
        };
        let Some(cluster) = self.running.remove(&task) else { return };
        let Some((entry, target)) = self.roster.entry_and_target(&cluster) else { return };
        // The cluster may have been removed and have come back: then this is not its poll.
        let Some(_) = entry.in_flight.take_if(|poll| poll.task.id() == task) else { return };
        let reason = attempt.outcome.result.as_ref().err().map(|error| error.reason);
        self.stats.poll_ended(target.name(), attempt.duration, reason);
        let again = std::mem::take(&mut entry.again);
        let waiters = std::mem::take(&mut entry.waiters);
        if !waiters.is_empty() {
            entry.asked = Some(Instant::now());
        }
        self.record(&cluster, attempt);
        for waiter in waiters {
            // The caller may have hung up.
            let _ = waiter.send(Ok(()));
        }
        self.set_overdue(&cluster, false);
        if again {
            self.start(cluster, Priority::Admin);
        }
    }

    /// Logs a poll, and puts it on the board with the date of the next one.
    fn record(&mut self, cluster: &ClusterId, attempt: Attempt) {
        let Some(before) = self.board.snapshot().cluster(cluster).cloned() else { return };
        report::ended(&before.meta, &attempt);
        report::news(&mut self.causes, &before.meta, &attempt);
        if attempt.outcome.result.is_err() && !has_data(&before, before.meta.interval, attempt.at) {
            self.roster.bring_forward(cluster, Instant::now() + RETRY_WITHOUT_DATA);
        }
        let due = self.roster.entry(cluster).map_or_else(Instant::now, |entry| entry.due);
        if let Some(after) = self.board.record(cluster, attempt, self.date_of(due)) {
            report::transitions(&before, &after);
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
            Command::PollNow { cluster, done } => self.poll_now(cluster, done),
            Command::PollSoon(clusters) => {
                clusters.into_iter().for_each(|cluster| self.poll_soon(cluster));
            }
            // The caller may have given up.
            Command::Answer(answer) => drop(answer.send(())),
        }
    }

    fn poll_soon(&mut self, cluster: ClusterId) {
        let Some(entry) = self.roster.entry(&cluster) else { return };
        match &entry.in_flight {
            None => self.start(cluster, Priority::Admin),
            // It may have read the state from before the request.
            Some(poll) if poll.turn.has_begun() => entry.again = true,
            Some(poll) => poll.turn.hurry(),
        }
    }

    fn poll_now(&mut self, cluster: ClusterId, done: Waiter) {
        let Some(entry) = self.roster.entry(&cluster) else {
            let _ = done.send(Err(PollNowError::UnknownCluster));
            return;
        };
        let is_just_made = entry.in_flight.is_none()
            && entry.asked.is_some_and(|asked| asked.elapsed() < POLL_NOW_AT_MOST_EVERY);
        if is_just_made || entry.waiters.len() >= MAX_WAITERS {
            let _ = done.send(Err(PollNowError::TooSoon));
            return;
        }
        entry.waiters.push(done);
        match &entry.in_flight {
            None => self.start(cluster, Priority::Admin),
            Some(poll) => poll.turn.hurry(),
        }
    }

    fn set_overdue(&mut self, cluster: &ClusterId, overdue: bool) {
        if let Some((project, count)) = self.roster.set_overdue(cluster, overdue) {
            self.stats.polls_overdue(project, count);
        }
    }

    fn date_of(&self, moment: Instant) -> jiff::Timestamp {
        let (now, date) = (Instant::now(), self.clock.now());
        date.saturating_add(moment.saturating_duration_since(now)).unwrap_or(date)
    }
}

/// True if the data of a cluster are still of use.
fn has_data(state: &ClusterState, interval: Duration, now: jiff::Timestamp) -> bool {
    state.shown(now, interval.saturating_mul(INTERVALS_OF_USE)).is_some()
}

#[cfg(test)]
mod tests;
