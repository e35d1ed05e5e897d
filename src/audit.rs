//! The audit log: who changed which endpoint service, when, from what to what, and who was refused.
//!
//! A file of JSON lines, each with a number and with the hash of the line before it, so that
//! a change, a removal or an insertion shows (see [`record`]). A record of the intent is on the disk
//! before anything is sent, one of the outcome follows. One thread writes; callers wait for it at
//! most [`DEADLINE`]. Where the file cannot be written, or is not as it was left, changes stop:
//! [`Audit::intent`] fails, and nobody may send what it was for. Nothing else waits for the log.

mod chain;
mod denials;
mod file;
mod id;
mod inbox;
mod recent;
mod record;
mod writer;

use std::{
    fmt,
    io::BufReader,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::oneshot;

pub use chain::{Broken, Fault, Head, Reading, read};
pub use denials::Denial;
pub use id::ChangeId;
pub use recent::{Change, MAX_RECENT, Unresolved};
pub use record::{Content, Hash, Kind, LineFault, MAX_LINE_BYTES, Record};

use crate::{clock::Clock, model::ServiceId};
use file::{Disk, LogFile, RealDisk, Trouble};
use inbox::{Inbox, Job, Progress};
use recent::Recent;
use writer::{Why, Writer};

/// How long a caller waits for a record to be on the disk. A healthy disk takes milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// The outcome of an intent that nothing followed, as the design names it.
const NOT_SENT: &str = "not_sent";

/// Whose change it is, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The change.
    pub change_id: ChangeId,
    /// The name of the token.
    pub actor: Box<str>,
    /// Where the request came from.
    pub remote: Box<str>,
    /// The name of the project.
    pub project: Box<str>,
    /// The endpoint service.
    pub service_id: ServiceId,
}

/// What is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Whose change it is.
    pub subject: Subject,
    /// The state before.
    pub before: Value,
    /// What is asked for.
    pub request: Value,
    /// What that changes.
    pub diff: Value,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whose change it is.
    pub subject: Subject,
    /// The state before, where no intent has told it.
    pub before: Option<Value>,
    /// What was asked for, where no intent has told it.
    pub request: Option<Value>,
    /// What did change.
    pub diff: Option<Value>,
    /// What the cloud answered.
    pub cloud: Option<Value>,
    /// The word for it.
    pub outcome: Box<str>,
}

impl Subject {
    fn content(self, kind: Kind) -> Content {
        Content {
            change_id: Some(self.change_id),
            actor: Some(self.actor),
            remote: Some(self.remote),
            project: Some(self.project),
            service_id: Some(self.service_id),
            ..Content::empty(kind)
        }
    }
}

/// A record that is on the disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    content: Content,
}

impl Receipt {
    fn of(record: Record) -> Self {
        Self { seq: record.seq, hash: record.hash, content: record.content }
    }

    /// The outcome that is due if nobody acts on this intent.
    fn not_sent(self) -> Option<Content> {
        not_sent(self.content)
    }
}

fn not_sent(intent: Content) -> Option<Content> {
    let Content { kind, change_id, actor, remote, project, service_id, .. } = intent;
    (kind == Kind::Intent).then(|| Content {
        change_id,
        actor,
        remote,
        project,
        service_id,
        outcome: Some(NOT_SENT.into()),
        ..Content::empty(Kind::Outcome)
    })
}

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditError {
    /// The log cannot be written now. An intent is void: nothing may be sent. An outcome is kept,
    /// and written as soon as that is possible.
    Unavailable(String),
    /// The record is longer than [`MAX_LINE_BYTES`]; nothing was written.
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// The record could not be read again; nothing was written.
    Unreadable(String),
    /// The log is closed.
    Closed,
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the audit log is unavailable: {why}"),
            Self::TooLong { bytes } => write!(
                f,
                "a record of {bytes} bytes is too long for the audit log: the most is {MAX_LINE_BYTES}"
            ),
            Self::Unreadable(why) => write!(f, "the record does not fit the audit log: {why}"),
            Self::Closed => f.write_str("the audit log is closed"),
        }
    }
}

impl std::error::Error for AuditError {}

/// Why the log cannot be opened. Its `Display` is a sentence that names the file.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    why: String,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the audit log {}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for OpenError {}

/// What a start finds in the log.
#[derive(Debug)]
pub struct Recovered {
    /// Intents without an outcome, oldest first: what became of them must be found out, and each
    /// closed with an outcome.
    pub unresolved: Vec<Record>,
    /// Where a last line went that was not written to its end.
    pub torn: Option<PathBuf>,
    /// How many records there were.
    pub records: u64,
}

/// Numbers for the metrics, to be read at any time without waiting.
#[derive(Debug, Default)]
pub struct AuditStats {
    healthy: AtomicBool,
    last_sequence: AtomicU64,
    records: [AtomicU64; 4],
    write_failures: AtomicU64,
}

impl AuditStats {
    /// Whether changes can be recorded.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    /// The number of the last record.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Ordering::Relaxed)
    }

    /// Records written since the start, in the order of [`Kind::ALL`].
    pub fn records(&self) -> [u64; 4] {
        self.records.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Records that could not be written, each try counted.
    pub fn write_failures(&self) -> u64 {
        self.write_failures.load(Ordering::Relaxed)
    }

    fn wrote(&self, record: &Record) {
        self.records[record.content.kind as usize].fetch_add(1, Ordering::Relaxed);
        self.last_sequence.store(record.seq, Ordering::Relaxed);
    }
}

struct Shared {
    clock: Clock,
    inbox: Inbox,
    stats: Arc<AuditStats>,
    recent: Mutex<Recent>,
    trouble: Mutex<Option<String>>,
}

impl Shared {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    /// Where the path is no file of ours alone, the chain is broken, or another process has it.
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
        let troubled = |trouble: Trouble| because(trouble.to_string());
        let mut log = LogFile::open(path, disk).map_err(troubled)?;
        let mut unresolved = Unresolved::default();
        let mut recent = Recent::default();
        let reading = read(BufReader::new(log.file()), None, |record, bytes| {
            unresolved.take(&record);
            recent.take(&record, bytes);
        })
        .map_err(|broken| because(format!("{broken}; move it away to begin a new one")))?;
        let torn = match &*reading.torn {
            [] => None,
            torn => Some(log.set_aside(torn, reading.whole_bytes).map_err(troubled)?),
        };
        let shared = Arc::new(Shared {
            clock,
            inbox: Inbox::default(),
            stats: Arc::default(),
            recent: Mutex::new(recent),
            trouble: Mutex::default(),
        });
        shared.stats.last_sequence.store(reading.head.seq, Ordering::Relaxed);
        shared.stats.healthy.store(true, Ordering::Release);
        let recovered =
            Recovered { unresolved: unresolved.intents(), torn, records: reading.records };
        let mut writer =
            Writer { log, head: reading.head, unresolved, owed: [].into(), shared: shared.clone() };
        writer.opened(if reading.records == 0 { Why::Created } else { Why::Started });
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new().name("audit".into()).spawn(move || {
            writer.run();
            let _ = end.send(());
        });
        let thread =
            thread.map_err(|error| because(format!("cannot start its thread: {error}")))?;
        let writer = AuditWriter { shared: shared.clone(), thread: Some(thread), ended };
        Ok((Self(shared), writer, recovered))
    }

    /// Records what is about to be sent. Only with a receipt may it be sent. If the caller is
    /// dropped while it waits, the intent is void, and closed as `not_sent` if it was written.
    ///
    /// # Errors
    /// Where the record is not on the disk within [`DEADLINE`].
    pub async fn intent(&self, intent: Intent) -> Result<Receipt, AuditError> {
        let Intent { subject, before, request, diff } = intent;
        let content = Content {
            before: Some(before),
            request: Some(request),
            diff: Some(diff),
            ..subject.content(Kind::Intent)
        };
        let progress = Arc::new(Progress::default());
        let (reply, receipt) = oneshot::channel();
        let job =
            Job { content: content.clone(), progress: Some(progress.clone()), reply: Some(reply) };
        self.0.inbox.put(job)?;
        let mut waiting = Waiting { audit: self, progress: &progress, content: Some(content) };
        let mut receipt = std::pin::pin!(receipt);
        let result = match tokio::time::timeout(DEADLINE, receipt.as_mut()).await {
            Ok(result) => result,
            Err(_) if progress.give_up() => {
                waiting.content = None;
                return Err(slow());
            }
            // It came to the disk just now.
            Err(_) => receipt.await,
        };
        waiting.content = None;
        result.unwrap_or(Err(AuditError::Closed))
    }

    /// Records what became of a change.
    ///
    /// # Errors
    /// Where the record is not on the disk within [`DEADLINE`]. If it was [`AuditError::Unavailable`],
    /// the record is kept and written later.
    pub async fn outcome(&self, outcome: Outcome) -> Result<Receipt, AuditError> {
        let Outcome { subject, before, request, diff, cloud, outcome } = outcome;
        let content = Content {
            before,
            request,
            diff,
            cloud,
            outcome: Some(outcome),
            ..subject.content(Kind::Outcome)
        };
        let (reply, receipt) = oneshot::channel();
        self.0.inbox.put(Job { content, progress: None, reply: Some(reply) })?;
        match tokio::time::timeout(DEADLINE, receipt).await {
            Ok(result) => result.unwrap_or(Err(AuditError::Closed)),
            Err(_) => Err(slow()),
        }
    }

    /// Takes note of a refused request. Never waits; a flood is recorded as counts.
    pub fn deny(&self, denial: &Denial<'_>) {
        self.0.inbox.deny(denial, self.0.clock.now());
    }

    /// Goes on in a new file if the old one was renamed; what SIGHUP does. The writer does it soon.
    pub fn reopen(&self) {
        self.0.inbox.reopen();
    }

    /// Why changes stop, if they do.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble().clone()
    }

    /// Numbers for the metrics.
    pub fn stats(&self) -> Arc<AuditStats> {
        self.0.stats.clone()
    }

    /// The newest changes, newest first; at most [`MAX_RECENT`] are known.
    pub fn recent(&self, limit: usize) -> Vec<Change> {
        self.0.recent().newest(limit)
    }

    /// One of the newest changes.
    pub fn change(&self, id: &ChangeId) -> Option<Change> {
        self.0.recent().get(id)
    }
}

fn slow() -> AuditError {
    AuditError::Unavailable(format!("the disk did not take the record within {DEADLINE:?}"))
}

/// A caller that waits for the receipt of an intent. If it is dropped meanwhile, nobody will act.
struct Waiting<'a> {
    audit: &'a Audit,
    progress: &'a Progress,
    content: Option<Content>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(content) = self.content.take() else { return };
        if self.progress.give_up() {
            return;
        }
        // A failed intent has not come so far, so this one is in the file.
        if let Some(content) = not_sent(content) {
            let _ = self.audit.0.inbox.put(Job { content, progress: None, reply: None });
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
    /// Waits until the thread ends; before [`AuditWriter::close`] that is a mistake of this program.
    pub async fn ended(&mut self) {
        if !self.ended.is_terminated() {
            let _ = (&mut self.ended).await;
        }
    }

    /// Writes what waits, ends the thread and gives the file free.
    ///
    /// # Errors
    /// Where the thread ended by a panic.
    pub async fn close(mut self) -> Result<(), WriterPanicked> {
        self.shared.inbox.close();
        self.ended().await;
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Err(_)) => Err(WriterPanicked),
            _ => Ok(()),
        }
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.shared.inbox.close();
    }
}

/// The writer's thread ended by a panic.
#[derive(Debug)]
pub struct WriterPanicked;

impl fmt::Display for WriterPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the writer of the audit log panicked")
    }
}

impl std::error::Error for WriterPanicked {}

#[cfg(test)]
mod tests;
