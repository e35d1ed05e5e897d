//! The clusters that are polled, and when each is due: the scheduler's memory, without its tasks.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{task::AbortHandle, time::Instant};

use super::{
    handle::{PollNowError, Waiter},
    schedule,
    target::{Shared, Target},
    turn::Turn,
};
use crate::{
    model::{ClusterId, RegionId},
    pacing::Priority,
};

/// A cluster in the schedule.
pub(super) struct Entry {
    project: Arc<str>,
    region: RegionId,
    interval: Duration,
    pub(super) due: Instant,
    /// While a poll is due before its beat: the beat that comes after it.
    next_beat: Option<Instant>,
    pub(super) in_flight: Option<InFlight>,
    /// A beat came while the poll before was still under way.
    overdue: bool,
    /// Another poll was requested for when the one under way has ended.
    pub(super) again: bool,
    /// The end of the last poll on demand.
    pub(super) asked: Option<Instant>,
    pub(super) waiters: Vec<Waiter>,
}

/// A poll that waits for its token or reads pages.
pub(super) struct InFlight {
    pub(super) task: AbortHandle,
    pub(super) turn: Arc<Turn>,
}

impl Entry {
    fn new<C>(target: &Target<C>, now: Instant) -> Self {
        Self {
            project: target.name.clone(),
            region: target.region.clone(),
            // No cluster is configured so: it gets its place when it gets its interval.
            interval: Duration::ZERO,
            due: now,
            next_beat: None,
            in_flight: None,
            overdue: false,
            again: false,
            asked: None,
            waiters: Vec::new(),
        }
    }

    fn is_of<C>(&self, target: &Target<C>) -> bool {
        (&self.project, &self.region) == (&target.name, &target.region)
    }

    /// Gives it its place in an interval. False if it has that interval already. `now` and `date` are the
    /// same moment for all entries of a roster, so that those with the same place are due together.
    fn set_interval(
        &mut self,
        interval: Duration,
        phase: Duration,
        (now, date): (Instant, Timestamp),
    ) -> bool {
        if self.interval == interval {
            return false;
        }
        self.interval = interval;
        self.next_beat = None;
        self.due = now + schedule::until_next(date, phase, interval);
        true
    }

    /// Makes it due at `at` and then on its beat again. False if it is due before that already.
    fn bring_forward(&mut self, at: Instant) -> bool {
        if self.due < at {
            return false;
        }
        let beat = self.next_beat.unwrap_or(self.due);
        self.next_beat = Some(schedule::beat_after_a_poll(beat, self.interval, at));
        self.due = at;
        true
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(poll) = &self.in_flight {
            poll.task.abort();
        }
    }
}

/// A target, and what its clusters have in common.
struct TargetState<C> {
    shared: Arc<Shared<C>>,
    /// Number of its clusters that are overdue.
    overdue: usize,
}

pub(super) struct Roster<C> {
    projects: HashMap<Arc<str>, TargetState<C>>,
    entries: HashMap<ClusterId, Entry>,
    /// May hold beats of entries that are gone or were moved; they are skipped.
    due: BinaryHeap<Reverse<(Instant, ClusterId)>>,
}

impl<C> Default for Roster<C> {
    fn default() -> Self {
        Self { projects: HashMap::new(), entries: HashMap::new(), due: BinaryHeap::new() }
    }
}

impl<C> Roster<C> {
    /// Takes other targets. A cluster is due at once, unless it is being polled or `has_data` says of
    /// it and its interval that it need not be. Returns the clusters with a new place in the schedule,
    /// and when they are due.
    pub(super) fn replace(
        &mut self,
        targets: Vec<Target<C>>,
        date: Timestamp,
        has_data: impl Fn(&ClusterId, Duration) -> bool,
    ) -> Vec<(ClusterId, Instant)> {
        let now = Instant::now();
        let old_projects = std::mem::take(&mut self.projects);
        // Those that are not taken over are dropped at the end, which gives their polls up.
        let mut old_entries = std::mem::take(&mut self.entries);
        let mut moved = Vec::new();
        for mut target in targets {
            let mut overdue = 0;
            for (cluster, interval) in std::mem::take(&mut target.clusters) {
                // An entry of another project or region must go: its poll would read the wrong cloud.
                let is_kept = old_entries.get(&cluster).is_some_and(|entry| entry.is_of(&target));
                let kept = if is_kept { old_entries.remove(&cluster) } else { None };
                let mut entry = kept.unwrap_or_else(|| Entry::new(&target, now));
                let phase = schedule::phase(cluster.as_str(), interval);
                let mut is_moved = entry.set_interval(interval, phase, (now, date));
                if entry.in_flight.is_none() && !has_data(&cluster, interval) {
                    is_moved |= entry.bring_forward(now);
                }
                if is_moved {
                    self.due.push(Reverse((entry.due, cluster.clone())));
                    moved.push((cluster.clone(), entry.due));
                }
                overdue += usize::from(entry.overdue);
                self.entries.insert(cluster, entry);
            }
            let before = old_projects.get(&target.name).map(|project| &*project.shared);
            let shared = Arc::new(Shared::new(target, before));
            self.projects.insert(shared.name().clone(), TargetState { shared, overdue });
        }
        for waiter in old_entries.values_mut().flat_map(|entry| entry.waiters.drain(..)) {
            // The caller may have hung up.
            let _ = waiter.send(Err(PollNowError::UnknownCluster));
        }
        moved
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// A cluster whose beat has come, and the priority of its poll; schedules its next beat.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(ClusterId, Priority)> {
        loop {
            self.due.peek().filter(|Reverse((due, _))| *due <= now)?;
            let Reverse((due, cluster)) = self.due.pop()?;
            if let Some(entry) = self.entries.get_mut(&cluster)
                && entry.due == due
            {
                let next_beat = entry.next_beat.take();
                // A poll that was brought forward is needed sooner than the regular ones.
                let priority = if next_beat.is_some() { Priority::First } else { Priority::Poll };
                entry.due =
                    next_beat.unwrap_or_else(|| schedule::next_after(due, entry.interval, now));
                self.due.push(Reverse((entry.due, cluster.clone())));
                return Some((cluster, priority));
            }
        }
    }

    /// Makes a cluster due at this moment, if it would be later.
    pub(super) fn bring_forward(&mut self, cluster: &ClusterId, at: Instant) {
        if let Some(entry) = self.entries.get_mut(cluster)
            && entry.bring_forward(at)
        {
            self.due.push(Reverse((entry.due, cluster.clone())));
        }
    }

    pub(super) fn is_polled(&self, cluster: &ClusterId) -> bool {
        self.entries.contains_key(cluster)
    }

    pub(super) fn entry(&mut self, cluster: &ClusterId) -> Option<&mut Entry> {
        self.entries.get_mut(cluster)
    }

    pub(super) fn entry_and_target(
        &mut self,
        cluster: &ClusterId,
    ) -> Option<(&mut Entry, &Arc<Shared<C>>)> {
        let entry = self.entries.get_mut(cluster)?;
        let project = self.projects.get(&entry.project)?;
        Some((entry, &project.shared))
    }

    /// Records whether a cluster is overdue. If that changed, returns the number of overdue clusters of its project.
    pub(super) fn set_overdue(&mut self, cluster: &ClusterId, is: bool) -> Option<(&str, usize)> {
        let entry = self.entries.get_mut(cluster).filter(|entry| entry.overdue != is)?;
        let project = self.projects.get_mut(&entry.project)?;
        entry.overdue = is;
        project.overdue = if is { project.overdue + 1 } else { project.overdue - 1 };
        Some((project.shared.name(), project.overdue))
    }

    /// The number of overdue clusters of each project.
    pub(super) fn overdue(&self) -> impl Iterator<Item = (&str, usize)> {
        self.projects.values().map(|project| (&**project.shared.name(), project.overdue))
    }
}
