//! The work that waits for the writer: intents and outcomes in their order, a reopening, counted denials.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::{
    AuditError, Receipt,
    denials::Denials,
    record::{Content, Kind},
};

/// Intents that wait at once. A record takes a millisecond: more waiting means that the disk hangs.
pub(super) const MAX_WAITING_INTENTS: usize = 16;
/// Outcomes that wait at once. There are no more than changes under way, so this is never reached.
pub(super) const MAX_WAITING_OUTCOMES: usize = 1_024;
/// The writer looks at the file by itself this often, and tries again what failed.
const TICK: Duration = Duration::from_secs(1);

/// An intent, or an outcome.
pub(super) struct Job {
    pub(super) content: Content,
    /// A record that the log writes for itself has no waiting caller. One that gives up closes its end.
    pub(super) reply: Option<oneshot::Sender<Result<Receipt, AuditError>>>,
}

impl Job {
    pub(super) fn is_intent(&self) -> bool {
        self.content.kind == Kind::Intent
    }
}

pub(super) enum Work {
    Job(Job),
    Denied(Content),
    Reopen,
    Tick,
    Close,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    denials: Denials,
    reopen: bool,
    closing: bool,
    /// The writer is gone: nothing is taken any more.
    closed: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

impl Queue {
    pub(super) fn put(&self, job: Job) -> Result<(), AuditError> {
        let mut state = self.state.lock();
        if state.closed || state.closing && job.is_intent() {
            return Err(AuditError::Closed);
        }
        let alike = |other: &&Job| other.is_intent() == job.is_intent();
        let waiting = state.jobs.iter().filter(alike).count();
        let most = if job.is_intent() { MAX_WAITING_INTENTS } else { MAX_WAITING_OUTCOMES };
        if waiting >= most {
            return Err(AuditError::Unavailable("too many records wait for the disk".into()));
        }
        state.jobs.push_back(job);
        self.wake.notify_one();
        Ok(())
    }

    pub(super) fn deny(&self, denied: Content, now: Timestamp) {
        self.state.lock().denials.count(denied, now);
        self.wake.notify_one();
    }

    /// Takes out a refusal that was counted but not recorded: used at shutdown, when nothing can be written.
    pub(super) fn denied(&self, now: Timestamp) -> Option<Content> {
        self.state.lock().denials.due(now, true)
    }

    pub(super) fn reopen(&self) {
        self.state.lock().reopen = true;
        self.wake.notify_one();
    }

    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_one();
    }

    /// The writer is gone; what still waits is answered with an error.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.jobs.clear();
    }

    /// Waits for work. Denials come last, and not while the log cannot be written.
    pub(super) fn next(&self, healthy: bool, now: impl Fn() -> Timestamp) -> Work {
        let mut state = self.state.lock();
        let mut ticked = false;
        loop {
            if std::mem::take(&mut state.reopen) {
                return Work::Reopen;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Work::Job(job);
            }
            if healthy {
                let all = state.closing;
                if let Some(content) = state.denials.due(now(), all) {
                    return Work::Denied(content);
                }
            }
            if state.closing {
                return Work::Close;
            }
            if ticked {
                return Work::Tick;
            }
            ticked = self.wake.wait_for(&mut state, TICK).timed_out();
        }
    }
}
