//! The one thread that writes.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use super::{
    AuditError, Receipt, Shared,
    chain::Head,
    file::{LogFile, Reopened, Trouble},
    index::Unresolved,
    queue::{Job, MAX_WAITING_OUTCOMES, Work},
    record::{Content, Kind, Record, Unfit},
};

/// The reason for a record of kind `opened`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Created,
    Started,
    Rotated,
    Replaced,
    Recovered,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Rotated => "rotated",
            Self::Replaced => "replaced",
            Self::Recovered => "recovered",
        }
    }
}

pub(super) struct Writer {
    pub(super) log: LogFile,
    pub(super) head: Head,
    pub(super) unresolved: Unresolved,
    /// Records that must be there before any other.
    pub(super) owed: VecDeque<Content>,
    pub(super) shared: Arc<Shared>,
}

enum Failure {
    Trouble(Trouble),
    Unfit(Unfit),
}

impl From<Failure> for AuditError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Trouble(trouble) => Self::Unavailable(trouble.to_string()),
            Failure::Unfit(Unfit::TooLong { bytes }) => Self::TooLong { bytes },
            Failure::Unfit(Unfit::Unreadable(why)) => Self::Unreadable(why),
        }
    }
}

/// True for a record of an event, and false for one of the log itself.
fn is_owed_to_others(content: &Content) -> bool {
    matches!(content.kind, Kind::Outcome | Kind::Denied)
}

/// Writes a record that could not be stored to the log of the process, so that it is not lost.
fn lost(content: &Content) {
    tracing::error!(?content, "an outcome or a refusal could not be recorded");
}

impl Writer {
    pub(super) fn run(mut self) {
        // Also when this thread panics: nothing may be sent without a record.
        struct End(Arc<Shared>);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.queue.end();
                self.0.stats.healthy.store(false, Ordering::Release);
            }
        }
        let end = End(self.shared.clone());
        loop {
            let shared = self.shared.clone();
            match shared.queue.next(shared.stats.is_healthy(), || shared.clock.now()) {
                Work::Job(job) => self.job(job),
                Work::Denied(content) => self.denied(content),
                Work::Reopen => self.reopen(),
                Work::Tick => {
                    let _ = self.settle();
                }
                Work::Close => break,
            }
        }
        let _ = self.settle();
        for content in self.owed.iter().filter(|content| is_owed_to_others(content)) {
            lost(content);
        }
        while let Some(content) = self.shared.queue.denied(self.shared.clock.now()) {
            lost(&content);
        }
        // The lock is released before the end of the writer is reported.
        drop(self);
        drop(end);
    }

    /// Writes that the log was opened. What fails is tried again.
    pub(super) fn opened(&mut self, why: Why) {
        self.owe_opened(why);
        let _ = self.settle();
    }

    fn owe_opened(&mut self, why: Why) {
        let content =
            Content { outcome: Some(why.as_str().into()), ..Content::empty(Kind::Opened) };
        match self.owed.front_mut() {
            // Every other reason is more specific than a recovery.
            Some(first) if first.kind == Kind::Opened => {
                if why != Why::Recovered {
                    *first = content;
                }
            }
            _ => self.owed.push_front(content),
        }
    }

    /// A refusal is not sent again, so if its write fails it is kept here until it can be written. There is
    /// never more than one: no refusal is taken while the log cannot be written.
    fn denied(&mut self, content: Content) {
        match self.settle_and_put(content.clone()) {
            Ok(_) => {}
            Err(Failure::Trouble(_)) => self.owed.push_back(content),
            Err(Failure::Unfit(_)) => lost(&content),
        }
    }

    fn job(&mut self, job: Job) {
        let Job { content, progress, reply } = job;
        if progress.as_ref().is_some_and(|progress| !progress.begin()) {
            return;
        }
        let result = match self.settle_and_put(content.clone()) {
            Ok(receipt) => Ok(receipt),
            Err(failure) => {
                let is_trouble = matches!(failure, Failure::Trouble(_));
                if progress.is_none() && is_trouble && self.owed.len() < MAX_WAITING_OUTCOMES {
                    self.owed.push_back(content.clone());
                } else if progress.is_none() {
                    lost(&content);
                }
                Err(failure.into())
            }
        };
        match progress {
            Some(progress) if result.is_ok() && !progress.finish() => {
                self.owed.extend(content.not_sent());
                let _ = self.settle();
            }
            _ => {
                if let Some(reply) = reply {
                    // A caller that gave up no longer listens.
                    let _ = reply.send(result);
                }
            }
        }
    }

    fn reopen(&mut self) {
        match self.log.reopen() {
            Ok(Reopened::Same) => {
                let _ = self.settle();
            }
            Ok(reopened) => {
                // An intent whose outcome will be in the new file is repeated there, so that a start
                // that reads the new file alone finds it.
                let repeated = self.unresolved.intents().into_iter().map(|intent| intent.content);
                self.owed.retain(is_owed_to_others);
                let owed: Vec<_> = repeated.chain(self.owed.drain(..)).collect();
                self.owed.extend(owed);
                let rotated = reopened == Reopened::Rotated;
                self.opened(if rotated { Why::Rotated } else { Why::Replaced });
            }
            Err(trouble) => self.fail(&trouble),
        }
    }

    fn settle_and_put(&mut self, content: Content) -> Result<Receipt, Failure> {
        self.settle().map_err(Failure::Trouble)?;
        self.put(content)
    }

    /// Proves that the log can be used, and writes the pending records.
    fn settle(&mut self) -> Result<(), Trouble> {
        if let Err(trouble) = self.log.check() {
            self.fail(&trouble);
            return Err(trouble);
        }
        if !self.shared.stats.is_healthy() {
            self.owe_opened(Why::Recovered);
        }
        while let Some(content) = self.owed.front().cloned() {
            match self.put(content.clone()) {
                Ok(_) => {}
                Err(Failure::Trouble(trouble)) => return Err(trouble),
                // It would block the log for ever.
                Err(Failure::Unfit(unfit)) => {
                    tracing::error!(?content, ?unfit, "a record does not fit the audit log");
                }
            }
            self.owed.pop_front();
        }
        if !self.shared.stats.healthy.swap(true, Ordering::AcqRel) {
            *self.shared.trouble.lock() = None;
            tracing::info!(file = %self.log.path().display(), "the audit log can be written");
        }
        Ok(())
    }

    fn put(&mut self, content: Content) -> Result<Receipt, Failure> {
        let time = self.shared.clock.now();
        let (record, line) = Record::seal(self.head.seq + 1, time, content, self.head.hash)
            .map_err(Failure::Unfit)?;
        if let Err(trouble) = self.log.append(&line) {
            self.shared.stats.write_failures.fetch_add(1, Ordering::Relaxed);
            self.fail(&trouble);
            return Err(Failure::Trouble(trouble));
        }
        self.head = Head { seq: record.seq, hash: record.hash };
        self.unresolved.take(&record);
        self.shared.index.lock().take(&record, line.len());
        self.shared.stats.wrote(&record);
        Ok(Receipt { seq: record.seq, hash: record.hash })
    }

    fn fail(&self, trouble: &Trouble) {
        let text = trouble.to_string();
        if self.shared.stats.healthy.swap(false, Ordering::AcqRel) {
            let file = self.log.path().display();
            tracing::error!(%file, error = text, "the audit log cannot be written: changes stop");
        }
        *self.shared.trouble.lock() = Some(text);
    }
}
