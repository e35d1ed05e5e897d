//! The log as its callers see it.

mod chain;
mod disk;
mod file;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, atomic::AtomicUsize},
};

use serde_json::{Value, json};

use super::*;

/// A folder of its own for a test; it stays if the test fails.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("audit-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn clock() -> Clock {
    Clock::manual("2026-01-02T03:04:05.678901Z".parse().unwrap())
}

fn change_id(number: u64) -> ChangeId {
    ChangeId::parse(&format!("019b7c2e-0000-7000-8000-{number:012x}")).unwrap()
}

/// The first intent of the golden log, under another number.
fn intent(number: u64) -> Content {
    let golden = include_str!("../../tests/data/audit.golden.jsonl");
    let record = golden.lines().nth(1).map(|line| Record::parse(line.as_bytes()));
    Content { change_id: Some(change_id(number)), ..record.unwrap().unwrap().content }
}

fn outcome(number: u64) -> Content {
    Content { cloud: Some(json!({ "status": 200 })), ..intent(number).ended("applied") }
}

/// The records of a file that must be whole.
fn records(path: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    let file = BufReader::new(File::open(path).unwrap());
    let reading = read(file, None, |record, _| records.push(record)).unwrap();
    assert_eq!(reading.torn, b"");
    records
}

fn words(records: &[Record]) -> Vec<String> {
    let word = |record: &Record| {
        let outcome = record.content.outcome.as_deref().unwrap_or("");
        format!("{} {outcome}", record.content.kind.as_str()).trim_end().to_owned()
    };
    records.iter().map(word).collect()
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn intent_and_outcome_are_chained_over_a_restart_and_known_again() {
    let folder = Folder::new("restart");
    let path = folder.log();
    let (audit, writer, recovered) = Audit::open(&path, clock()).unwrap();
    assert!(recovered.unresolved.is_empty() && recovered.records == 0);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(audit.intent(intent(1)).await.unwrap().seq, 2);
    let receipt = audit.outcome(outcome(1)).await.unwrap();
    assert_eq!(audit.intent(intent(2)).await.unwrap().seq, 4);
    writer.close().await.unwrap();
    assert_eq!(audit.intent(intent(3)).await, Err(AuditError::Closed));
    assert_eq!(records(&path)[2].hash, receipt.hash);

    let (audit, writer, recovered) = Audit::open(&path, clock()).unwrap();
    assert_eq!(recovered.records, 4);
    let open: Vec<_> = recovered.unresolved.iter().map(|record| &record.content).collect();
    assert_eq!(open[0].request, Some(json!({ "service_name": "b" })));
    assert_eq!(open[0].change_id, Some(change_id(2)));
    assert_eq!(open.len(), 1);
    let changes = audit.recent(10);
    assert_eq!(
        changes.iter().map(|change| &change.id).collect::<Vec<_>>(),
        [&change_id(2), &change_id(1)]
    );
    assert!(changes[0].outcome.is_none() && changes[1].outcome.is_some());
    assert!(Arc::ptr_eq(&changes[1], &audit.recent(2)[1]), "nobody copies records");
    audit.outcome(outcome(2)).await.unwrap();
    assert!(audit.change(&change_id(2)).unwrap().outcome.is_some());
    assert_eq!(audit.stats().records(), [0, 1, 0, 1]);
    assert_eq!(audit.stats().last_sequence(), 6);
    writer.close().await.unwrap();
    let expected = [
        "opened created",
        "intent",
        "outcome applied",
        "intent",
        "opened started",
        "outcome applied",
    ];
    assert_eq!(words(&records(&path)), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_denials_stays_small_and_delays_no_intent() {
    let folder = Folder::new("flood");
    let clock = clock();
    let (audit, writer, _) = Audit::open(&folder.log(), clock.clone()).unwrap();
    let flood = {
        let (audit, clock) = (audit.clone(), clock.clone());
        thread::spawn(move || {
            for number in 0..1_000_000_u64 {
                // A hundred stay, the others come once.
                let remote = if number % 2 == 0 { number } else { number % 100 };
                let remote = format!("2001:db8::{remote:x}");
                let reason = if number % 3 == 0 { "token" } else { "host" };
                audit.deny(Content::denied(reason, &remote));
                if number % 100_000 == 0 {
                    let later = clock.now() + Duration::from_secs(61);
                    clock.set(later);
                }
            }
        })
    };
    for number in 0..50 {
        audit.intent(intent(number)).await.unwrap();
        audit.outcome(outcome(number)).await.unwrap();
    }
    flood.join().unwrap();
    writer.close().await.unwrap();
    assert!(fs::metadata(folder.log()).unwrap().len() < 1_000_000);
    let records = records(&folder.log());
    let counts = records.iter().filter(|record| record.content.kind == Kind::Denied);
    let counts = counts.map(|record| {
        record.content.request.as_ref().and_then(|request| request["count"].as_u64()).unwrap()
    });
    assert_eq!(counts.sum::<u64>(), 1_000_000);
    let is_first = |record: &&Record| {
        let Content { outcome, remote, .. } = &record.content;
        outcome.as_deref() == Some("token") && remote.as_deref() == Some("2001:db8::0")
    };
    assert!(records.iter().any(|record| is_first(&record)));
}
