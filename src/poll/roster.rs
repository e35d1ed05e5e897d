//! What is polled, and when each is due: the scheduler's memory, without its tasks.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, oneshot},
    task::AbortHandle,
    time::Instant,
};

use super::{PollNowError, Project, schedule, turn::Turn};
use crate::{
    model::{ClusterId, RegionId},
    pacing::{Pacer, Priority},
};

/// Never used twice, so that a poll cannot be taken for one of a cluster that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EntryId(u64);

/// A cluster in the schedule.
pub(super) struct Entry {
    pub(super) cluster: ClusterId,
    project: Arc<str>,
    region: RegionId,
    interval: Duration,
    pub(super) due: Instant,
    /// While a poll is due before its beat: the beat that comes after it.
    next_beat: Option<Instant>,
    pub(super) in_flight: Option<InFlight>,
    /// A beat came while the poll before was still under way.
    overdue: bool,
    /// Another poll is wanted when the one under way has ended.
    pub(super) again: bool,
    /// When the last poll ended that somebody waited for.
    pub(super) asked: Option<Instant>,
    pub(super) waiters: Vec<oneshot::Sender<Result<(), PollNowError>>>,
}

/// A poll that waits for its token or reads pages.
pub(super) struct InFlight {
    pub(super) task: AbortHandle,
    pub(super) turn: Arc<Turn>,
}

impl Entry {
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Makes it due at `at`, if it would be later, and then on its beat again. True where that is new.
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

/// What the polls of a project share.
pub(super) struct Shared<C> {
    pub(super) name: Arc<str>,
    pub(super) cloud: Arc<C>,
    pub(super) pacer: Pacer,
    pub(super) slots: Arc<Semaphore>,
    pub(super) timeout: Duration,
    concurrency: usize,
    /// How many of its clusters are overdue.
    overdue: usize,
}

impl<C> Shared<C> {
    pub(super) fn new(project: Project<C>, slots: Arc<Semaphore>) -> Self {
        Self {
            name: project.name,
            cloud: Arc::new(project.cloud),
            pacer: project.pacer,
            slots,
            timeout: project.timeout,
            concurrency: project.concurrency,
            overdue: 0,
        }
    }
}

pub(super) struct Roster<C> {
    projects: HashMap<Arc<str>, Shared<C>>,
    entries: HashMap<EntryId, Entry>,
    by_cluster: HashMap<ClusterId, EntryId>,
    /// May hold beats of entries that are gone or were moved; they are skipped.
    due: BinaryHeap<Reverse<(Instant, EntryId)>>,
    ids: u64,
}

impl<C> Default for Roster<C> {
    fn default() -> Self {
        Self {
            projects: HashMap::new(),
            entries: HashMap::new(),
            by_cluster: HashMap::new(),
            due: BinaryHeap::new(),
            ids: 0,
        }
    }
}

impl<C> Roster<C> {
    /// Takes other projects. A cluster is due at once, unless it is being polled or `has_data` says of
    /// it and its interval that it need not be. Says which clusters have a new place in the schedule,
    /// and when they are due. Dropping an entry gives its poll up.
    pub(super) fn replace(
        &mut self,
        projects: Vec<Project<C>>,
        date: Timestamp,
        has_data: impl Fn(&ClusterId, Duration) -> bool,
    ) -> Vec<(ClusterId, Instant)> {
        let now = Instant::now();
        let mut old_projects = std::mem::take(&mut self.projects);
        let mut old_entries = std::mem::take(&mut self.entries);
        let old_ids = std::mem::take(&mut self.by_cluster);
        let mut moved = Vec::new();
        for mut project in projects {
            for (cluster, interval) in std::mem::take(&mut project.clusters) {
                let old = old_ids.get(&cluster).and_then(|id| Some((*id, old_entries.remove(id)?)));
                let (id, mut entry) = match old {
                    Some((id, entry))
                        if entry.project == project.name && entry.region == project.region =>
                    {
                        (id, entry)
                    }
                    elsewhere => {
                        // Whoever waits for it is told below.
                        old_entries.extend(elsewhere);
                        self.new_entry(cluster.clone(), &project, now)
                    }
                };
                let mut is_moved = entry.interval != interval;
                if is_moved {
                    let phase = schedule::phase(cluster.as_str(), interval);
                    entry.next_beat = None;
                    entry.due = now + schedule::until_next(date, phase, interval);
                    entry.interval = interval;
                }
                if !entry.is_in_flight() && !has_data(&cluster, interval) {
                    is_moved |= entry.bring_forward(now);
                }
                if is_moved {
                    self.due.push(Reverse((entry.due, id)));
                    moved.push((cluster.clone(), entry.due));
                }
                self.by_cluster.insert(cluster, id);
                self.entries.insert(id, entry);
            }
            let slots = match old_projects.remove(&project.name) {
                Some(old) if old.concurrency == project.concurrency => old.slots,
                _ => Arc::new(Semaphore::new(project.concurrency)),
            };
            self.projects.insert(project.name.clone(), Shared::new(project, slots));
        }
        for entry in self.entries.values().filter(|entry| entry.overdue) {
            if let Some(project) = self.projects.get_mut(&entry.project) {
                project.overdue += 1;
            }
        }
        for waiter in old_entries.values_mut().flat_map(|entry| entry.waiters.drain(..)) {
            // Whoever waited may have hung up.
            let _ = waiter.send(Err(PollNowError::UnknownCluster));
        }
        moved
    }

    /// An entry that has no place yet.
    fn new_entry(
        &mut self,
        cluster: ClusterId,
        project: &Project<C>,
        now: Instant,
    ) -> (EntryId, Entry) {
        self.ids += 1;
        let entry = Entry {
            cluster,
            project: project.name.clone(),
            region: project.region.clone(),
            interval: Duration::ZERO,
            due: now,
            next_beat: None,
            in_flight: None,
            overdue: false,
            again: false,
            asked: None,
            waiters: Vec::new(),
        };
        (EntryId(self.ids), entry)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// An entry whose beat has come, and the priority of its poll; schedules the entry's next beat.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(EntryId, Priority)> {
        loop {
            let Reverse((due, id)) = *self.due.peek().filter(|Reverse((due, _))| *due <= now)?;
            self.due.pop();
            if let Some(entry) = self.entries.get_mut(&id)
                && entry.due == due
            {
                let next_beat = entry.next_beat.take();
                let priority = if next_beat.is_some() { Priority::First } else { Priority::Poll };
                entry.due =
                    next_beat.unwrap_or_else(|| schedule::next_after(due, entry.interval, now));
                self.due.push(Reverse((entry.due, id)));
                return Some((id, priority));
            }
        }
    }

    /// Makes an entry due at this moment, if it would be later.
    pub(super) fn bring_forward(&mut self, id: EntryId, at: Instant) {
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.bring_forward(at)
        {
            self.due.push(Reverse((entry.due, id)));
        }
    }

    pub(super) fn find(&self, cluster: &ClusterId) -> Option<EntryId> {
        self.by_cluster.get(cluster).copied()
    }

    pub(super) fn entry(&mut self, id: EntryId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(super) fn entry_and_project(&mut self, id: EntryId) -> Option<(&mut Entry, &Shared<C>)> {
        let entry = self.entries.get_mut(&id)?;
        let project = self.projects.get(&entry.project)?;
        Some((entry, project))
    }

    /// Says whether a cluster is overdue. Where that is new: how many of its project are now.
    pub(super) fn set_overdue(&mut self, id: EntryId, overdue: bool) -> Option<(&str, usize)> {
        let entry = self.entries.get_mut(&id).filter(|entry| entry.overdue != overdue)?;
        let project = self.projects.get_mut(&entry.project)?;
        entry.overdue = overdue;
        project.overdue = if overdue { project.overdue + 1 } else { project.overdue - 1 };
        Some((&project.name, project.overdue))
    }

    /// How many clusters of each project are overdue.
    pub(super) fn overdue(&self) -> impl Iterator<Item = (&str, usize)> {
        self.projects.values().map(|project| (&*project.name, project.overdue))
    }
}
