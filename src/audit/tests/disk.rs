//! Disks that fail, and disks that stand still.

use super::*;

/// A disk on which one call fails, or all from some call on, or that stands still.
struct BadDisk(Arc<Plan>);

#[derive(Default)]
struct Plan {
    calls: AtomicUsize,
    /// The calls that fail.
    failing: Mutex<std::ops::Range<usize>>,
    /// A failing write leaves half a record.
    half: bool,
    stuck: Mutex<bool>,
    /// From which call on the program itself fails.
    panics_from: Option<usize>,
    moved: Condvar,
}

impl Plan {
    fn call(&self) -> io::Result<()> {
        let mut stuck = self.stuck.lock().unwrap();
        while *stuck {
            stuck = self.moved.wait(stuck).unwrap();
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.panics_from.is_some_and(|first| call >= first) {
            // Without the hook of panics: the backtrace that it prints can take longer than an intent waits.
            std::panic::resume_unwind(Box::new("as the test wants it"));
        }
        if self.failing.lock().unwrap().contains(&call) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn stick(&self, stuck: bool) {
        *self.stuck.lock().unwrap() = stuck;
        self.moved.notify_all();
    }
}

impl Disk for BadDisk {
    fn write(&mut self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        match self.0.call() {
            Err(_) if self.0.half => RealDisk.write(file, &bytes[..bytes.len() / 2]),
            Err(error) => Err(error),
            Ok(()) => RealDisk.write(file, bytes),
        }
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.0.call().and_then(|()| RealDisk.sync(file))
    }

    fn set_len(&mut self, file: &File, length: u64) -> io::Result<()> {
        self.0.call().and_then(|()| RealDisk.set_len(file, length))
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.0.call().and_then(|()| RealDisk.sync_folder(folder))
    }
}

/// Each call fails in its turn, alone and with the two that follow; what was acknowledged is in
/// the file, what was not is not, and the chain holds.
#[tokio::test]
async fn whatever_call_fails_what_was_acknowledged_is_there_and_the_chain_holds() {
    for half in [false, true] {
        for failures in [1, 3] {
            for first in 0.. {
                let folder = Folder::new("nth");
                let plan = Plan { half, ..Plan::default() };
                *plan.failing.lock().unwrap() = first..first + failures;
                let plan = Arc::new(plan);
                let opened =
                    Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone())));
                let Ok((audit, writer, _)) = opened else { continue };
                let mut intents = Vec::new();
                for number in 1..4 {
                    if audit.intent(intent(number)).await.is_ok() {
                        intents.push(change_id(number));
                        let _ = audit.outcome(outcome(number)).await;
                    }
                }
                eventually("it recovers", || {
                    // It would look by itself, a second later.
                    audit.reopen();
                    audit.stats().is_healthy()
                })
                .await;
                writer.close().await.unwrap();
                let mut open = Unresolved::default();
                let written = records(&folder.log());
                written.iter().for_each(|record| open.take(record));
                assert!(open.intents().is_empty(), "call {first}: {written:?}");
                let is_intent = |record: &&Record| record.content.kind == Kind::Intent;
                let found: Vec<_> = written.iter().filter(is_intent).collect();
                let found: Vec<_> =
                    found.iter().filter_map(|record| record.content.change_id.clone()).collect();
                assert_eq!(found, intents, "call {first}");
                if first >= plan.calls.load(Ordering::SeqCst) {
                    assert_eq!(intents.len(), 3);
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_intent_whose_caller_gave_up_is_not_written_or_is_closed_as_not_sent() {
    let folder = Folder::new("stuck");
    let plan = Arc::new(Plan::default());
    let (audit, writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
    audit.intent(intent(1)).await.unwrap();
    plan.stick(true);
    // One is begun and does not end; the other waits behind it, with an outcome.
    let (begun, waiting, kept) =
        tokio::join!(audit.intent(intent(2)), audit.intent(intent(3)), audit.outcome(outcome(1)));
    assert!(matches!(begun, Err(AuditError::Unavailable(_))), "{begun:?}");
    assert!(matches!(waiting, Err(AuditError::Unavailable(_))), "{waiting:?}");
    assert!(matches!(kept, Err(AuditError::Unavailable(_))), "{kept:?}");
    plan.stick(false);
    writer.close().await.unwrap();
    let records = records(&folder.log());
    let expected = ["opened created", "intent", "intent", "outcome not_sent", "outcome applied"];
    assert_eq!(words(&records), expected);
    assert_eq!(records[3].content.change_id, Some(change_id(2)));
}

/// The first write that fails may be the record of a refusal, and refusals are not sent again.
#[tokio::test]
async fn a_refusal_that_meets_a_failing_write_is_recorded_later() {
    for half in [false, true] {
        let folder = Folder::new("refusal");
        let plan = Arc::new(Plan { half, ..Plan::default() });
        let (audit, writer, _) =
            Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
        audit.intent(intent(1)).await.unwrap();
        *plan.failing.lock().unwrap() = 0..usize::MAX;
        let denied = Content::denied("role", "10.0.0.8");
        audit.deny(Content { actor: Some("bob".into()), ..denied });
        eventually("the failure is seen", || !audit.stats().is_healthy()).await;
        // A new file also begins with the record that the old one could not take.
        fs::rename(folder.log(), folder.0.join("old")).unwrap();
        *plan.failing.lock().unwrap() = 0..0;
        audit.reopen();
        eventually("it recovers", || audit.stats().is_healthy()).await;
        writer.close().await.unwrap();
        let records = records(&folder.log());
        // With half a record at its end, the old file counts as damaged.
        let opened = if half { "opened replaced" } else { "opened rotated" };
        assert_eq!(words(&records), [opened, "intent", "denied role"]);
        let denied = &records[2].content;
        assert_eq!(denied.actor.as_deref(), Some("bob"));
        assert_eq!(denied.request.as_ref().unwrap()["count"], 1);
    }
}

#[tokio::test]
async fn no_more_than_so_many_intents_wait() {
    let folder = Folder::new("queue");
    let plan = Arc::new(Plan::default());
    let (audit, writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
    plan.stick(true);
    let mut all = tokio::task::JoinSet::new();
    for number in 0..40 {
        let audit = audit.clone();
        all.spawn(async move { audit.intent(intent(number)).await.unwrap_err() });
    }
    let errors = all.join_all().await;
    let full = errors.iter().filter(|error| error.to_string().contains("too many")).count();
    assert!((40 - queue::MAX_WAITING_INTENTS - 1..=24).contains(&full), "{full}");
    plan.stick(false);
    writer.close().await.unwrap();
}

#[tokio::test]
async fn an_intent_whose_caller_was_dropped_is_closed() {
    let folder = Folder::new("dropped");
    let plan = Arc::new(Plan::default());
    let (audit, writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
    plan.stick(true);
    let waiting = tokio::time::timeout(Duration::from_millis(20), audit.intent(intent(1))).await;
    assert!(waiting.is_err());
    plan.stick(false);
    writer.close().await.unwrap();
    let words = words(&records(&folder.log()));
    let closed = ["opened created", "intent", "outcome not_sent"];
    assert!(words == closed || words == closed[..1], "{words:?}");
}

#[tokio::test]
async fn a_writer_that_panics_ends_all_changes_and_says_so() {
    let folder = Folder::new("panic");
    let plan = Arc::new(Plan { panics_from: Some(3), ..Plan::default() });
    let (audit, mut writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan))).unwrap();
    assert_eq!(audit.intent(intent(1)).await, Err(AuditError::Closed));
    writer.ended().await;
    assert!(!audit.stats().is_healthy());
    assert_eq!(audit.intent(intent(2)).await, Err(AuditError::Closed));
    assert_eq!(audit.outcome(outcome(1)).await, Err(AuditError::Closed));
    assert!(writer.close().await.is_err());
}
