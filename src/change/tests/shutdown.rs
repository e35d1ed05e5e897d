//! The end of the engine, and the traces of a fault in it.

use std::{path::Path, time::Duration};

use super::{
    fake::{Acts, Put, Reads, id},
    rig::{Rig, request, update},
};
use crate::{
    audit::{self, Kind},
    change::{Outcome, Refusal, Timings},
};

#[tokio::test(start_paused = true)]
async fn a_change_under_way_gets_its_time() {
    let mut rig = Rig::new();
    rig.put(Put { before: Duration::from_secs(20), ..Put::ok() });
    let changes = rig.changes.clone();
    let asked = tokio::spawn(async move { changes.change(request(update()).into()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.shut_down();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(rig.ask(update()).await, Err(Refusal::Stopping)));
    assert!(matches!(rig.changes.read("prod".into(), id()).await, Err(Refusal::Stopping)));
    assert_eq!(asked.await.unwrap().unwrap().outcome, Outcome::Applied);
    (&mut rig.task).await.unwrap();
    rig.check_ledger();
}

#[tokio::test(start_paused = true)]
async fn a_change_that_takes_longer_is_recorded_as_unknown() {
    let mut rig = Rig::new();
    rig.put(Put { after: None, ..Put::ok() });
    let changes = rig.changes.clone();
    let asked = tokio::spawn(async move { changes.change(request(update()).into()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = tokio::time::Instant::now();
    rig.shut_down();
    let report = asked.await.unwrap().unwrap();
    assert_eq!((report.outcome, report.sent), (Outcome::Unknown, true));
    assert!(!report.safe_to_retry);
    assert!(report.warnings.iter().any(|warning| warning.contains("shutting down")));
    (&mut rig.task).await.unwrap();
    assert!((30..32).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    rig.check_ledger();
}

/// The files that are shipped know how long an orderly end may take.
#[test]
fn service_managers_wait_for_a_change() {
    // Afterwards connections are drained for 3 s, and the state is written.
    let others = Duration::from_secs(5);
    let Timings { drain, grace, .. } = Timings::DEFAULT;
    let longest = drain + audit::DEADLINE + 2 * grace + others;
    for (file, key) in [
        ("systemd/css-vpcep-exporter.service", "TimeoutStopSec="),
        ("helm/css-vpcep-exporter/values.yaml", "terminationGracePeriodSeconds: "),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        let seconds = value.trim_end_matches('s').parse().unwrap();
        assert!(
            Duration::from_secs(seconds) > longest,
            "{file}: {value}, and it takes {longest:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_reading_is_told_at_once() {
    let mut rig = Rig::new();
    rig.fake.state().reads = Reads::Hang;
    let changes = rig.changes.clone();
    let read = tokio::spawn(async move { changes.read("prod".into(), id()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = tokio::time::Instant::now();
    rig.shut_down();
    assert!(matches!(read.await.unwrap(), Err(Refusal::Stopping)));
    (&mut rig.task).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
}

/// A panic in mid-change is a fault of ours; the change is ended as after a crash.
#[tokio::test(start_paused = true)]
async fn a_change_that_dies_is_unknown_and_then_resolved() {
    let rig = Rig::new();
    rig.put(Put::acts(Acts::Panics));
    rig.fake.state().lag = Duration::from_secs(3);
    let report = rig.change().await;
    assert_eq!((report.outcome, report.sent), (Outcome::Unknown, true));
    rig.put(Put::ok());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let outcomes = rig.log.of(Kind::Outcome);
    assert_eq!(outcomes[0].change_id(), report.change_id);
    assert_eq!(outcomes[0].outcome, Some(Outcome::Applied));
    rig.check_ledger();
    assert_eq!(rig.change().await.outcome, Outcome::Unchanged, "the gate is open again");
}
