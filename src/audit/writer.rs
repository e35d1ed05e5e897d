//! The one thread that writes.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::oneshot;

use super::{
    AuditError, Receipt, Shared,
    chain::Head,
    file::{LogFile, Reopened, Trouble},
    index::Unresolved,
    queue::{Job, MAX_WAITING_OUTCOMES, Work},
    record::{Content, Kind, Record},
};

/// The reasons for a record of kind `opened`.
pub(super) const CREATED: &str = "created";
pub(super) const STARTED: &str = "started";
const ROTATED: &str = "rotated";
const REPLACED: &str = "replaced";
const RECOVERED: &str = "recovered";

pub(super) struct Writer {
    pub(super) log: LogFile,
    pub(super) head: Head,
    pub(super) unresolved: Unresolved,
    /// Records that must be there before any other.
    pub(super) owed: VecDeque<Content>,
    pub(super) shared: Arc<Shared>,
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
    pub(super) fn opened(&mut self, why: &'static str) {
        self.owe_opened(why);
        let _ = self.settle();
    }

    fn owe_opened(&mut self, why: &'static str) {
        let content = Content { outcome: Some(why.into()), ..Content::empty(Kind::Opened) };
        match self.owed.front_mut() {
            // Every other reason is more specific than a recovery.
            Some(first) if first.kind == Kind::Opened => {
                if why != RECOVERED {
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
            Err(AuditError::Unavailable(_)) => self.owed.push_back(content),
            Err(_) => lost(&content),
        }
    }

    fn job(&mut self, job: Job) {
        let is_intent = job.is_intent();
        let Job { content, reply } = job;
        // An intent whose caller gave up is void.
        if is_intent && reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
            return;
        }
        let result = self.settle_and_put(content.clone());
        match &result {
            Ok(_) => {}
            Err(_) if is_intent => {}
            Err(AuditError::Unavailable(_)) if self.owed.len() < MAX_WAITING_OUTCOMES => {
                self.owed.push_back(content.clone());
            }
            Err(_) => lost(&content),
        }
        let is_written = result.is_ok();
        let is_unheard = reply.is_some_and(|reply| reply.send(result).is_err());
        // It gave up meanwhile, and the intent is in the file.
        if is_intent && is_written && is_unheard {
            self.owed.extend(content.not_sent());
            let _ = self.settle();
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
                self.opened(if rotated { ROTATED } else { REPLACED });
            }
            Err(trouble) => drop(self.fail(trouble)),
        }
    }

    fn settle_and_put(&mut self, content: Content) -> Result<Receipt, AuditError> {
        self.settle()?;
        self.put(content)
    }

    /// Proves that the log can be used, and writes the pending records.
    fn settle(&mut self) -> Result<(), AuditError> {
        self.log.check().map_err(|trouble| self.fail(trouble))?;
        if !self.shared.stats.is_healthy() {
            self.owe_opened(RECOVERED);
        }
        while let Some(content) = self.owed.front().cloned() {
            match self.put(content.clone()) {
                Ok(_) => {}
                Err(trouble @ AuditError::Unavailable(_)) => return Err(trouble),
                // It would block the log for ever.
                Err(unfit) => {
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

    /// [`AuditError::Unavailable`] is an error of the log, any other one of the record.
    fn put(&mut self, content: Content) -> Result<Receipt, AuditError> {
        let time = self.shared.clock.now();
        let (record, line) = Record::seal(self.head.seq + 1, time, content, self.head.hash)?;
        self.log.append(&line).map_err(|trouble| {
            self.shared.stats.write_failures.fetch_add(1, Ordering::Relaxed);
            self.fail(trouble)
        })?;
        self.head = Head { seq: record.seq, hash: record.hash };
        self.unresolved.take(&record);
        self.shared.index.lock().take(&record, line.len());
        self.shared.stats.wrote(&record);
        Ok(Receipt { seq: record.seq, hash: record.hash })
    }

    /// Stops changes, and returns the reason for the caller.
    fn fail(&self, trouble: Trouble) -> AuditError {
        if self.shared.stats.healthy.swap(false, Ordering::AcqRel) {
            let file = self.log.path().display();
            tracing::error!(%file, error = trouble, "the audit log cannot be written: changes stop");
        }
        *self.shared.trouble.lock() = Some(trouble.clone());
        AuditError::Unavailable(trouble)
    }
}
