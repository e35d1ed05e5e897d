//! Failures by their causes, so that one cause is one line in the log and not one for each cluster or
//! endpoint service that it affects. Otherwise a dead region would drown everything else.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::cloud::{CloudError, Reason};

/// The current causes, and the subjects (clusters, services) that they affect.
#[derive(Debug)]
pub(super) struct Causes<Id> {
    by_subject: HashMap<Id, Cause>,
    spreads: HashMap<Cause, Spread>,
}

/// The same failure in several subjects of a project.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cause {
    pub(super) project: Arc<str>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Failed(Reason, Option<String>),
    Incomplete,
}

/// The spread of a cause.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) since: Timestamp,
    /// When it reached the latest of its subjects.
    newest: Instant,
    subjects: usize,
    pub(super) most_subjects: usize,
}

impl Cause {
    /// The cause of an error. None during back-off, which is logged once where it begins and once where it
    /// ends.
    pub(super) fn of(project: &Arc<str>, error: &CloudError) -> Option<Self> {
        let kind = Kind::Failed(error.reason, error.code.clone());
        error.retry_at.is_none().then(|| Self { project: project.clone(), kind })
    }
}

impl<Id> Default for Causes<Id> {
    fn default() -> Self {
        Self { by_subject: HashMap::new(), spreads: HashMap::new() }
    }
}

impl<Id: Clone + Eq + Hash> Causes<Id> {
    /// Records the present failure of a subject. Returns whether it is new, and the cause that ended with it.
    pub(super) fn update(
        &mut self,
        subject: &Id,
        cause: Option<Cause>,
        at: Timestamp,
        interval: Duration,
    ) -> (bool, Option<(Cause, Spread)>) {
        if self.by_subject.get(subject) == cause.as_ref() {
            return (false, None);
        }
        let over = self.leave(subject);
        let is_news = cause.is_some_and(|cause| self.join(subject, cause, at, interval));
        (is_news, over)
    }

    /// Forgets subjects that are not read any more.
    pub(super) fn keep_only(&mut self, is_read: impl Fn(&Id) -> bool) {
        let gone: Vec<_> = self.by_subject.keys().filter(|id| !is_read(id)).cloned().collect();
        for subject in gone {
            self.leave(&subject);
        }
    }

    /// Removes a subject from its cause, which is over if this was the last one.
    fn leave(&mut self, subject: &Id) -> Option<(Cause, Spread)> {
        let cause = self.by_subject.remove(subject)?;
        let spread = self.spreads.get_mut(&cause)?;
        spread.subjects -= 1;
        if spread.subjects > 0 { None } else { self.spreads.remove_entry(&cause) }
    }

    /// Adds a subject to a cause. A cause reaches each of its subjects within their intervals; one that it
    /// reaches later than that is news of its own.
    fn join(&mut self, subject: &Id, cause: Cause, at: Timestamp, interval: Duration) -> bool {
        let now = Instant::now();
        self.by_subject.insert(subject.clone(), cause.clone());
        let new = Spread { since: at, newest: now, subjects: 0, most_subjects: 0 };
        let spread = self.spreads.entry(cause).or_insert(new);
        let is_news = spread.subjects == 0 || now - spread.newest > interval * 2;
        spread.newest = now;
        spread.subjects += 1;
        spread.most_subjects = spread.most_subjects.max(spread.subjects);
        is_news
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_subject.is_empty() && self.spreads.is_empty()
    }
}
