//! The audit log: who changed which endpoint service, when, from what to what, and who was refused.
//!
//! A file of JSON lines, each with a number and with the hash of the line before it, so that
//! a change, a removal or an insertion shows (see [`Record`]). A record of the intent is on the disk
//! before anything is sent, one of the outcome follows. One thread writes; callers wait for it at
//! most [`DEADLINE`]. Where the file cannot be written, or is not as it was left, changes stop:
//! [`Audit::intent`] fails, and its change must not be sent. Nothing else waits for the log.

mod chain;
mod denials;
mod error;
mod file;
mod id;
mod index;
mod queue;
mod record;
mod stats;
mod writer;

use std::{
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use chain::{Broken, Head, Reading, read};
pub use error::{AuditError, Fault, MAX_LINE_BYTES, OpenError, WriterPanicked};
pub use id::ChangeId;
pub use index::{Change, MAX_RECENT, Unresolved};
pub use record::{Content, Hash, Kind, NOT_SENT, Receipt, Record};
pub use stats::AuditStats;

use crate::clock::Clock;
use file::{Disk, LogFile, RealDisk};
use index::Index;
use queue::{Job, Queue};
use writer::{CREATED, STARTED, Writer};

/// A caller waits this long for a record to be on the disk. A healthy disk takes milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// The state of the log at a start.
#[derive(Debug)]
pub struct Recovered {
    /// Intents without an outcome, oldest first: what became of them must be found out, and each
    /// closed with an outcome.
    pub unresolved: Vec<Record>,
    /// The file with the last line, if that was not written to its end.
    pub torn: Option<PathBuf>,
    /// The number of records.
    pub records: u64,
}

struct Shared {
    clock: Clock,
    queue: Queue,
    stats: Arc<AuditStats>,
    index: Mutex<Index>,
    trouble: Mutex<Option<String>>,
}

/// The log, for those who write to it and ask it. Clones share one.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

impl Audit {
    /// Opens the log, or begins one; locks it, checks its chain and starts the writer. Where the
    /// chain is sound but nothing can be written, that is no error: the log is not healthy until it
    /// can. Blocks.
    ///
    /// # Errors
    /// If the path is no file of ours alone, the chain is broken, or another process has it.
    /// The file is then as it was.
    pub fn open(path: &Path, clock: Clock) -> Result<(Self, AuditWriter, Recovered), OpenError> {
        Self::open_on(path, clock, Box::new(RealDisk))
    }

    fn open_on(
        path: &Path,
        clock: Clock,
        disk: Box<dyn Disk>,
    ) -> Result<(Self, AuditWriter, Recovered), OpenError> {
        let because = |why: String| OpenError { path: path.to_owned(), why };
        let mut log = LogFile::open(path, disk).map_err(because)?;
        let mut unresolved = Unresolved::default();
        let mut index = Index::default();
        let reading = read(BufReader::new(log.file()), None, |record, bytes| {
            unresolved.take(&record);
            index.take(&record, bytes);
        })
        .map_err(|broken| because(format!("{broken}; move it away to begin a new one")))?;
        let torn = match &*reading.torn {
            [] => None,
            torn => Some(log.set_aside(torn, reading.whole_bytes).map_err(because)?),
        };
        let shared = Arc::new(Shared {
            clock,
            queue: Queue::default(),
            stats: Arc::default(),
            index: Mutex::new(index),
            trouble: Mutex::default(),
        });
        shared.stats.last_sequence.store(reading.head.seq, Ordering::Relaxed);
        shared.stats.healthy.store(true, Ordering::Release);
        let recovered =
            Recovered { unresolved: unresolved.intents(), torn, records: reading.records };
        let mut writer =
            Writer { log, head: reading.head, unresolved, owed: [].into(), shared: shared.clone() };
        writer.opened(if reading.records == 0 { CREATED } else { STARTED });
        let writer = AuditWriter::start(writer)
            .map_err(|error| because(format!("cannot start its thread: {error}")))?;
        Ok((Self(shared), writer, recovered))
    }

    /// Records what is about to be sent, a content of kind `intent`. Only with a receipt may it be sent.
    /// If the caller is dropped while it waits, the intent is void, and closed as `not_sent` if it was
    /// written.
    ///
    /// # Errors
    /// If the record is not on the disk within [`DEADLINE`].
    pub async fn intent(&self, content: Content) -> Result<Receipt, AuditError> {
        let (reply, receipt) = oneshot::channel();
        self.0.queue.put(Job { content: content.clone(), reply: Some(reply) })?;
        let mut waiting = Waiting { queue: &self.0.queue, content, receipt };
        match tokio::time::timeout(DEADLINE, &mut waiting.receipt).await {
            Ok(result) => result.unwrap_or(Err(AuditError::Closed)),
            Err(_) => waiting.give_up().unwrap_or_else(|| Err(slow())),
        }
    }

    /// Records how a change ended, a content of kind `outcome`.
    ///
    /// # Errors
    /// If the record is not on the disk within [`DEADLINE`]. If it was [`AuditError::Unavailable`],
    /// the record is kept and written later.
    pub async fn outcome(&self, content: Content) -> Result<Receipt, AuditError> {
        let (reply, receipt) = oneshot::channel();
        self.0.queue.put(Job { content, reply: Some(reply) })?;
        match tokio::time::timeout(DEADLINE, receipt).await {
            Ok(result) => result.unwrap_or(Err(AuditError::Closed)),
            Err(_) => Err(slow()),
        }
    }

    /// Takes note of a refused request, a content of kind `denied`. Never waits; a flood is recorded as
    /// counts.
    pub fn deny(&self, denied: Content) {
        self.0.queue.deny(denied, self.0.clock.now());
    }

    /// Goes on in a new file if the old one was renamed; what SIGHUP does. The writer does it soon.
    pub fn reopen(&self) {
        self.0.queue.reopen();
    }

    /// The reason why changes stop, if they do.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().clone()
    }

    /// Numbers for the metrics.
    pub fn stats(&self) -> Arc<AuditStats> {
        self.0.stats.clone()
    }

    /// The newest changes, newest first; at most [`MAX_RECENT`] are known.
    pub fn recent(&self, limit: usize) -> Vec<Arc<Change>> {
        self.0.index.lock().newest(limit)
    }

    /// A change, if it is among the newest.
    pub fn change(&self, id: &ChangeId) -> Option<Arc<Change>> {
        self.0.index.lock().get(id)
    }
}

fn slow() -> AuditError {
    AuditError::Unavailable(format!("the disk did not take the record within {DEADLINE:?}"))
}

/// A caller that waits for the receipt of an intent. If it is dropped meanwhile, the change is never sent.
struct Waiting<'a> {
    queue: &'a Queue,
    content: Content,
    receipt: oneshot::Receiver<Result<Receipt, AuditError>>,
}

impl Waiting<'_> {
    /// The answer, if it came at the last moment. The writer can give none from here on, so that it closes an
    /// intent that it has written.
    fn give_up(&mut self) -> Option<Result<Receipt, AuditError>> {
        self.receipt.close();
        self.receipt.try_recv().ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // A receipt that nobody has seen: the intent is in the file.
        if let (Some(Ok(_)), Some(content)) = (self.give_up(), self.content.not_sent()) {
            let _ = self.queue.put(Job { content, reply: None });
        }
    }
}

/// The writer's thread.
pub struct AuditWriter {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    ended: oneshot::Receiver<()>,
}

impl AuditWriter {
    fn start(writer: Writer) -> io::Result<Self> {
        let shared = writer.shared.clone();
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new().name("audit".into()).spawn(move || {
            writer.run();
            let _ = end.send(());
        })?;
        Ok(Self { shared, thread: Some(thread), ended })
    }

    /// Waits until the thread ends; before [`AuditWriter::close`] that is a mistake of this program.
    pub async fn ended(&mut self) {
        if !self.ended.is_terminated() {
            let _ = (&mut self.ended).await;
        }
    }

    /// Writes what waits, ends the thread and gives the file free.
    ///
    /// # Errors
    /// If the thread ended by a panic.
    pub async fn close(mut self) -> Result<(), WriterPanicked> {
        self.shared.queue.close();
        self.ended().await;
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Err(_)) => Err(WriterPanicked),
            _ => Ok(()),
        }
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

#[cfg(test)]
mod tests;
