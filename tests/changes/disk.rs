//! C9 to C13: the disk under the audit log, and tampering with the log.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tokio::{process::Command, time::Instant};

use super::{
    front::{Puts, Reads},
    ledger::{self, But},
    world::{Place, Running, World, copied, kind, told, wanted, warns},
};
use crate::support::{eventually, here};

const HEALTHY: &str = "css_vpcep_exporter_audit_healthy";

/// From now on no file of the process grows beyond this: its disk is full. `None` makes room.
async fn limit(running: &Running, bytes: Option<u64>) {
    let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", running.process.id())).arg(format!("--fsize={soft}:"));
    assert!(prlimit.status().await.expect("prlimit starts").success());
}

async fn until_healthy(running: &Running, healthy: f64) {
    eventually("the log is as it should be", async || {
        let found = running.metrics().await.value(HEALTHY, &[]);
        if found == Some(healthy) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

fn size(log: &Path) -> u64 {
    fs::metadata(log).expect("the log is there").len()
}

/// Changes the service to and fro, so that the log is longer than what the daemon says to us.
async fn fill(place: &Place) {
    for number in 0..8 {
        let update = json!({"description": format!("{number}")});
        told(&place.desk.change(&place.services[0], &update).await, 200, "applied", true, false);
    }
}

/// A caller is told that nothing is changed, and nothing is.
async fn refused(place: &Place) {
    let before = (place.truth(0).await, place.puts().await.len());
    let answer = place.desk.change(&place.services[0], &json!({"description": "refused"})).await;
    told(&answer, 503, "not_sent", false, true);
    assert_eq!(kind(&answer), "audit_unavailable");
    assert_eq!((place.truth(0).await, place.puts().await.len()), before);
}

#[tokio::test]
async fn fault_c09_a_full_disk_at_the_intent() {
    let mut place = Place::new("fault_c09", 1).await;
    let running = place.serve("serve").await;
    fill(&place).await;
    // Room for a part of a record, and a record of which a part was written is none; then room for
    // nothing, of which the kernel also tells by a signal.
    for room in [100, 100, 100, 0, 0] {
        limit(&running, Some(size(&place.log) + room)).await;
        refused(&place).await;
        // Metrics are served all the while.
        assert_eq!(running.metrics().await.value(HEALTHY, &[]), Some(0.0));
    }
    let failures =
        running.metrics().await.value("css_vpcep_exporter_audit_write_failures_total", &[]);
    assert!(failures >= Some(5.0), "{failures:?}");
    // What was there is untouched.
    place.balance(But::default()).await;
    limit(&running, None).await;
    until_healthy(&running, 1.0).await;
    told(&place.desk.change(&place.services[0], &wanted()).await, 200, "applied", true, false);
    place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_c10_a_full_disk_at_the_outcome() {
    let mut place = Place::new("fault_c10", 2).await;
    let running = place.serve("serve").await;
    fill(&place).await;
    // Two changes alike, to learn how long an intent is.
    let update = |letter: &str| json!({"description": letter.repeat(400)});
    told(&place.desk.change(&place.services[0], &update("a")).await, 200, "applied", true, false);
    told(&place.desk.change(&place.services[0], &update("b")).await, 200, "applied", true, false);
    let text = fs::read_to_string(&place.log).expect("it is text");
    let intent = text.lines().rev().nth(1).expect("it has records").len() as u64 + 1;
    limit(&running, Some(size(&place.log) + intent + 50)).await;
    let answer = place.desk.change(&place.services[0], &update("c")).await;
    told(&answer, 200, "applied", true, false);
    warns(&answer, "applied, but the record of the outcome could not be written");
    assert_eq!(running.metrics().await.value(HEALTHY, &[]), Some(0.0));
    assert!(running.process.err().contains("the outcome of a change could not be recorded"));
    // Nothing else is changed until it can be recorded.
    refused(&place).await;
    let answer = place.desk.change(&place.services[1], &wanted()).await;
    assert_eq!((answer.status, &*kind(&answer)), (503, "audit_unavailable"));
    let other = "css_vpcep_exporter_admin_changes_total";
    let applied =
        running.metrics().await.value(other, &[("kind", "service"), ("outcome", "applied")]);
    assert_eq!(applied, Some(11.0));
    // The record is not lost: it is the first that is written when there is room.
    limit(&running, None).await;
    until_healthy(&running, 1.0).await;
    place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_c11_a_torn_last_line_is_moved_aside() {
    let world = World::new("fault_c11", 1).await;
    told(&world.change().await, 200, "applied", true, false);
    let World { mut place, daemon } = world;
    daemon.stop().await;
    for (number, part) in [1, 7, 400].into_iter().enumerate() {
        let whole = fs::read(&place.log).expect("the log is there");
        let last = whole[..whole.len() - 1].rsplit(|byte| *byte == b'\n').next().expect("a line");
        let torn = [&whole[..], &last[..part]].concat();
        fs::write(&place.log, torn).expect("the log is ours");
        let world = World::of(place).await;
        assert_eq!(super::world::page(world.daemon.public).await.value(HEALTHY, &[]), Some(1.0));
        let aside =
            fs::read(world.place.folder.path.join("audit.jsonl.torn")).expect("it is there");
        assert!(aside.ends_with(&[&last[..part], b"\n"].concat()), "what was torn is kept");
        let update = json!({"description": format!("after {number}")});
        let answer = world.place.desk.change(&world.place.services[0], &update).await;
        told(&answer, 200, "applied", true, false);
        world.place.balance(But::default()).await;
        place = world.place;
        world.daemon.stop().await;
    }
}

/// What somebody does to the log, and the file in which the old records are then.
type Deed = fn(&Path) -> PathBuf;

fn deeds() -> Vec<(&'static str, Deed)> {
    fn moved(log: &Path, name: &str) -> PathBuf {
        let aside = log.with_file_name(name);
        fs::rename(log, &aside).expect("the folder can be written");
        aside
    }
    vec![
        ("renamed", |log| moved(log, "1.renamed")),
        ("deleted", |log| {
            let copy = copied(log, "2.deleted");
            fs::remove_file(log).expect("the folder can be written");
            copy
        }),
        ("truncated", |log| {
            let copy = copied(log, "3.truncated");
            let file = fs::OpenOptions::new().write(true).open(log).expect("it is ours");
            file.set_len(size(log) - 10).expect("it is ours");
            copy
        }),
        ("replaced", |log| {
            let aside = moved(log, "4.replaced");
            fs::write(log, "somebody else's\n").expect("the folder can be written");
            aside
        }),
        ("a symbolic link", |log| {
            let aside = moved(log, "5.linked");
            symlink(&aside, log).expect("the folder can be written");
            aside
        }),
        ("a FIFO", |log| {
            let aside = moved(log, "6.fifo");
            let made = std::process::Command::new("mkfifo").arg(log).status();
            assert!(made.expect("mkfifo starts").success());
            aside
        }),
    ]
}

#[tokio::test]
async fn fault_c12_a_log_that_was_tampered_with() {
    let mut place = Place::new("fault_c12", 1).await;
    let running = place.serve("serve").await;
    let mut files = Vec::new();
    for (number, (what, deed)) in deeds().into_iter().enumerate() {
        let update = json!({"description": format!("before {number}")});
        let answer = place.desk.change(&place.services[0], &update).await;
        told(&answer, 200, "applied", true, false);
        files.push(deed(&place.log));
        refused(&place).await;
        // Nobody has to ask: it is seen, and metrics are served.
        until_healthy(&running, 0.0).await;
        refused(&place).await;
        // What stands in the way is taken out of it, by whoever looked at it.
        let _ = fs::remove_file(&place.log);
        running.process.signal("HUP").await;
        until_healthy(&running, 1.0).await;
        let all: Vec<_> = files.iter().chain([&place.log]).cloned().collect();
        let records = ledger::records(&all);
        let opened: Vec<_> = records.iter().filter_map(|record| word(&record.content)).collect();
        assert_eq!(opened.len(), files.len() + 1, "{what}: {opened:?}");
        place.balance_over(&all, But::default()).await;
    }
    let answer = place.desk.change(&place.services[0], &wanted()).await;
    told(&answer, 200, "applied", true, false);
    files.push(place.log.clone());
    place.balance_over(&files, But::default()).await;
}

/// Why the log was opened, where the record says that.
fn word(content: &css_vpcep_exporter::audit::Content) -> Option<Value> {
    let is_opened = content.kind == css_vpcep_exporter::audit::Kind::Opened;
    content.outcome.as_deref().filter(|_| is_opened).map(Value::from)
}

/// Builds the library that makes the disk under a process hang.
async fn still_disk(place: &Place) -> PathBuf {
    let source = here("tests/support/still_disk.c");
    let library = place.folder.path.join("still_disk.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().await.expect("the build needs it, too").success());
    library
}

#[tokio::test]
async fn fault_c13_a_disk_that_stands_still() {
    let mut place = Place::new("fault_c13", 2).await;
    let (library, still) = (still_disk(&place).await, place.folder.path.join("still"));
    let set = [("LD_PRELOAD", &*library), ("DISK_STANDS_STILL", &*still)];
    let running = place.serve_with("serve", &set).await;
    fill(&place).await;
    // At the intent: nothing is sent, and no caller waits for long. The second change does not even begin.
    fs::write(&still, "").expect("the folder can be written");
    for _ in 0..2 {
        let began = Instant::now();
        refused(&place).await;
        assert!((2..10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        running.metrics().await;
    }
    // The record of the first change reaches the disk in the end, and says that the change had no effect.
    let goes_on = || fs::remove_file(&still).expect("the folder can be written");
    goes_on();
    let update = json!({"description": "goes on"});
    told(&place.desk.change(&place.services[0], &update).await, 200, "applied", true, false);
    let but = But { unheard: 1, ..But::default() };
    place.balance(but).await;
    // At the outcome: it is reported, and recorded later.
    place.front.set(Puts::Held, Reads::PassedOn);
    let update = wanted();
    let stands_still = async {
        place.front.until_put_seen().await;
        fs::write(&still, "").expect("the folder can be written");
        place.front.let_go();
    };
    let changed = place.desk.change(&place.services[0], &update);
    let (answer, ()) = tokio::join!(changed, stands_still);
    told(&answer, 200, "applied", true, false);
    warns(&answer, "applied, but the record of the outcome could not be written");
    running.metrics().await;
    place.front.set(Puts::PassedOn, Reads::PassedOn);
    refused(&place).await;
    goes_on();
    let update = json!({"description": "goes on"});
    told(&place.desk.change(&place.services[1], &update).await, 200, "applied", true, false);
    place.balance(but).await;
}
