//! The rows P1 to P21 of "Faults of changes" in the manual, as the engine meets them.

use std::time::Duration;

use super::{
    fake::{Acts, Put, Reads, error, id},
    mapping,
    rig::{Rig, request, update},
    service,
};
use crate::{
    change::{Outcome, Refusal, Report},
    cloud::{CloudError, Reason},
    model::{Field, ServiceFields},
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A change that meets this; the ledger holds.
async fn meet(put: Put) -> (Rig, Report) {
    let rig = Rig::new();
    rig.put(put);
    let report = rig.change().await;
    rig.check_ledger();
    assert_eq!(rig.count(report.outcome), 1);
    let rejected = [Outcome::Rejected, Outcome::NotSent].contains(&report.outcome);
    assert_eq!(rig.polled.lock().unwrap().len(), usize::from(!rejected), "{report:?}");
    (rig, report)
}

fn puts(rig: &Rig) -> usize {
    rig.fake.state().puts.len()
}

fn expect(report: &Report, outcome: Outcome, sent: bool, safe_to_retry: bool) {
    let found = (report.outcome, report.sent, report.safe_to_retry);
    assert_eq!(found, (outcome, sent, safe_to_retry), "{report:?}");
}

fn warned(report: &Report, of: &str) {
    assert!(report.warnings.iter().any(|warning| warning.contains(of)), "{:?}", report.warnings);
}

#[tokio::test(start_paused = true)]
async fn fault_p01_no_connection_is_not_sent() {
    for reason in [Reason::Dns, Reason::Connect, Reason::Tls] {
        let failure = CloudError { never_sent: true, ..error(reason, None, "") };
        let put = Put { leaves: false, ..Put::fails(failure, Acts::NotAtAll) };
        let (rig, report) = meet(put).await;
        expect(&report, Outcome::NotSent, false, true);
        assert_eq!((puts(&rig), &report.service().after), (0, &None));
        assert_eq!(report.failure.unwrap().reason, reason);
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p02_a_timeout_is_read_back_and_never_sent_again() {
    let silent = |acts| Put { after: None, ..Put::acts(acts) };
    let (rig, report) = meet(silent(Acts::Wholly)).await;
    expect(&report, Outcome::Applied, true, false);
    assert_eq!((puts(&rig), report.service().after.clone().unwrap().fields), (1, rig.fake.truth()));
    let (rig, report) = meet(silent(Acts::NotAtAll)).await;
    expect(&report, Outcome::NotApplied, true, true);
    warned(&report, "may take effect later");
    assert_eq!(puts(&rig), 1);
    let late = Put { before: seconds(34), ..silent(Acts::Wholly) };
    expect(&meet(late).await.1, Outcome::Applied, true, false);
}

#[tokio::test(start_paused = true)]
async fn fault_p03_a_reset_after_it_was_applied_is_applied() {
    let (rig, report) = meet(Put::fails(error(Reason::Reset, None, ""), Acts::Wholly)).await;
    expect(&report, Outcome::Applied, true, false);
    assert_eq!(puts(&rig), 1);
}

#[tokio::test(start_paused = true)]
async fn fault_p04_a_reset_before_it_was_applied_is_not_applied() {
    let (rig, report) = meet(Put::fails(error(Reason::Reset, None, ""), Acts::NotAtAll)).await;
    expect(&report, Outcome::NotApplied, true, true);
    assert_eq!((puts(&rig), rig.fake.truth()), (1, service().fields));
}

#[tokio::test(start_paused = true)]
async fn fault_p05_a_garbled_success_is_judged_by_reading_back() {
    for (acts, outcome) in [(Acts::Wholly, Outcome::Applied), (Acts::NotAtAll, Outcome::NotApplied)]
    {
        let (rig, report) = meet(Put::fails(error(Reason::BadJson, Some(200), ""), acts)).await;
        expect(&report, outcome, true, outcome == Outcome::NotApplied);
        assert_eq!(puts(&rig), 1);
    }
}

/// The trait gives no echo to trust, so a success that did nothing is found out.
#[tokio::test(start_paused = true)]
async fn fault_p06_a_success_is_believed_only_when_it_is_read_back() {
    let (_, report) = meet(Put::ok()).await;
    expect(&report, Outcome::Applied, true, false);
    let answered = report.cloud.unwrap();
    assert_eq!(
        (answered.status, answered.request_id.as_deref()),
        (200, Some("request-of-the-put"))
    );
    expect(&meet(Put::acts(Acts::NotAtAll)).await.1, Outcome::NotApplied, true, true);
}

#[tokio::test(start_paused = true)]
async fn fault_p07_a_part_of_it_is_partial_and_named() {
    let (rig, report) = meet(Put::acts(Acts::Partly(&[Field::ServiceName]))).await;
    expect(&report, Outcome::Partial, true, false);
    warned(&report, "ports is as before");
    assert_eq!(puts(&rig), 1, "nothing is rolled back");
}

#[tokio::test(start_paused = true)]
async fn fault_p08_a_field_that_nobody_asked_for_is_a_warning() {
    let mut before = service();
    before.fields.approval_enabled = Some(false);
    let rig = Rig::new();
    rig.fake.state().services.insert(id(), before);
    let reset = ServiceFields { approval_enabled: Some(true), ..ServiceFields::default() };
    rig.put(Put::acts(Acts::ThenAnother(reset)));
    let report = rig.change().await;
    expect(&report, Outcome::Applied, true, false);
    warned(
        &report,
        "approval_enabled was changed from false to true although the request does not contain it",
    );
    rig.check_ledger();
}

async fn refused(reason: Reason, status: u16, code: &str) -> Report {
    let (rig, report) = meet(Put::fails(error(reason, Some(status), code), Acts::NotAtAll)).await;
    assert_eq!((puts(&rig), rig.fake.truth()), (1, service().fields));
    let failure = report.failure.as_ref().unwrap();
    assert_eq!((failure.status, failure.code.as_deref()), (Some(status), Some(code)));
    assert!(failure.request_id.is_some());
    report
}

#[tokio::test(start_paused = true)]
async fn fault_p09_a_clash_is_rejected() {
    for code in ["EndPoint.3044", "EndPoint.3046"] {
        let report = refused(Reason::Http4xx, 400, code).await;
        expect(&report, Outcome::Rejected, true, false);
        assert_eq!(report.service().after, Some(service()));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p10_a_wrong_state_is_rejected() {
    let report = refused(Reason::Http4xx, 400, "EndPoint.3045").await;
    expect(&report, Outcome::Rejected, true, false);
}

#[tokio::test(start_paused = true)]
async fn fault_p11_any_other_refusal_is_rejected() {
    for code in ["EndPoint.0002", "EndPoint.3052", "EndPoint.9999"] {
        expect(&refused(Reason::Http4xx, 400, code).await, Outcome::Rejected, true, false);
    }
    let moved = error(Reason::Redirect, Some(307), "");
    expect(&meet(Put::fails(moved, Acts::NotAtAll)).await.1, Outcome::Rejected, true, false);
}

#[tokio::test(start_paused = true)]
async fn fault_p12_refused_credentials_are_rejected_and_nothing_is_sent_again() {
    let report = refused(Reason::Auth, 401, "APIGW.0301").await;
    expect(&report, Outcome::Rejected, true, false);
    // Credentials in back-off send nothing at all.
    let in_back_off = Put {
        leaves: false,
        ..Put::fails(error(Reason::Auth, Some(401), "APIGW.0301"), Acts::NotAtAll)
    };
    expect(&meet(in_back_off).await.1, Outcome::NotSent, false, true);
}

#[tokio::test(start_paused = true)]
async fn fault_p13_what_is_forbidden_or_not_there_is_rejected() {
    for (reason, status, code) in [
        (Reason::Forbidden, 403, "EndPoint.0004"),
        (Reason::NotFound, 404, "EndPoint.0005"),
        (Reason::NotFound, 400, "EndPoint.2003"),
    ] {
        expect(&refused(reason, status, code).await, Outcome::Rejected, true, false);
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p14_a_conflict_is_rejected() {
    for status in [409, 412] {
        let report = refused(Reason::Http4xx, status, "EndPoint.1").await;
        expect(&report, Outcome::Rejected, true, false);
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p15_throttling_is_handed_on_at_once() {
    for (status, code) in [(429, "APIGW.0308"), (400, "EndPoint.0022")] {
        let failure = CloudError {
            retry_after: Some(seconds(7)),
            ..error(Reason::Throttled, Some(status), code)
        };
        let started = tokio::time::Instant::now();
        let (rig, report) = meet(Put::fails(failure, Acts::NotAtAll)).await;
        expect(&report, Outcome::Rejected, true, true);
        assert_eq!(report.failure.unwrap().retry_after, Some(seconds(7)));
        assert!(started.elapsed() < seconds(1));
        assert_eq!((puts(&rig), rig.fake.state().read), (1, 1), "the quota is left alone");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p16_a_failure_inside_the_cloud_is_read_back() {
    for status in [500, 502, 503, 504] {
        let failure = || error(Reason::Http5xx, Some(status), "EndPoint.0001");
        let (_, report) = meet(Put::fails(failure(), Acts::Wholly)).await;
        expect(&report, Outcome::Applied, true, false);
        assert_eq!(report.failure.unwrap().status, Some(status));
        let (_, report) = meet(Put::fails(failure(), Acts::NotAtAll)).await;
        expect(&report, Outcome::NotApplied, true, true);
        let (_, report) = meet(Put::fails(failure(), Acts::Partly(&[Field::Ports]))).await;
        expect(&report, Outcome::Partial, true, false);
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p17_without_reading_back_it_is_unknown() {
    let reset = Put::fails(error(Reason::Reset, None, ""), Acts::Wholly);
    for put in [Put::ok(), reset] {
        let rig = Rig::new();
        rig.put(put);
        rig.fake.state().reads = Reads::FailAfterPut;
        let report = rig.change().await;
        expect(&report, Outcome::Unknown, true, false);
        assert_eq!(report.service().after, None);
        warned(&report, "reading back did not show the outcome");
        rig.check_ledger();
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p18_another_writer_is_suspected() {
    let other = ServiceFields {
        service_name: Some("other".into()),
        ports: Some(vec![mapping(1, 1)]),
        ..ServiceFields::default()
    };
    let (_, report) = meet(Put::acts(Acts::ThenAnother(other))).await;
    expect(&report, Outcome::Unknown, true, false);
    warned(&report, "conflict suspected");
    let other = ServiceFields { service_name: Some("other".into()), ..ServiceFields::default() };
    let (_, report) = meet(Put::acts(Acts::ThenAnother(other))).await;
    expect(&report, Outcome::Partial, true, false);
    warned(&report, "service_name has neither the old nor the requested value");
    let other = ServiceFields { description: Some("other".into()), ..ServiceFields::default() };
    let (_, report) = meet(Put::acts(Acts::ThenAnother(other))).await;
    expect(&report, Outcome::Applied, true, false);
    warned(&report, "description was changed although the request does not contain it");
}

#[tokio::test(start_paused = true)]
async fn fault_p19_an_old_state_is_waited_out() {
    for lag in [1, 5, 10, 13] {
        let rig = Rig::new();
        rig.fake.state().lag = seconds(lag);
        let started = tokio::time::Instant::now();
        let report = rig.change().await;
        expect(&report, Outcome::Applied, true, false);
        assert!(started.elapsed() >= seconds(lag));
        let reads = rig.fake.state().read;
        assert!((3..12).contains(&reads), "{reads} readings");
    }
    let rig = Rig::new();
    rig.put(Put::acts(Acts::NotAtAll));
    let started = tokio::time::Instant::now();
    expect(&rig.change().await, Outcome::NotApplied, true, true);
    assert!((14..16).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

/// The old state, seen early, proves nothing where the later readings fail.
#[tokio::test(start_paused = true)]
async fn fault_p19_an_old_state_that_was_seen_too_early_is_unknown() {
    let rig = Rig::new();
    rig.fake.state().lag = seconds(60);
    let asked = tokio::spawn({
        let changes = rig.changes.clone();
        async move { changes.change(request(update()).into()).await }
    });
    tokio::time::sleep(seconds(2)).await;
    rig.fake.state().reads = Reads::Fail;
    let report = asked.await.unwrap().unwrap();
    expect(&report, Outcome::Unknown, true, false);
    assert_eq!(report.service().after, Some(service()));
    assert_ne!(rig.fake.truth(), service().fields);
}

#[tokio::test(start_paused = true)]
async fn fault_p20_a_caller_that_hangs_up_changes_nothing() {
    let slow = Put { before: seconds(1), after: Some(seconds(1)), ..Put::ok() };
    // In the queue; while the present state is read; in mid-change; while it is read back.
    for milliseconds in [0, 500, 1500, 2500, 3500] {
        let rig = Rig::new();
        rig.put(slow.clone());
        rig.fake.state().lag = seconds(3);
        let asked = rig.changes.change(request(update()).into());
        let hung_up = tokio::time::timeout(Duration::from_millis(milliseconds), asked).await;
        assert!(hung_up.is_err());
        tokio::time::sleep(seconds(30)).await;
        assert_eq!(rig.fake.truth().service_name.as_deref(), Some("test"), "{milliseconds}");
        assert_eq!(rig.count(Outcome::Applied), 1);
        rig.check_ledger();
        let again = rig.change().await;
        assert_eq!(again.outcome, Outcome::Unchanged, "the gate is open again");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_p21_of_a_hundred_callers_one_goes_and_the_others_hear_so_at_once() {
    let rig = Rig::new();
    rig.put(Put { before: seconds(5), ..Put::ok() });
    let started = tokio::time::Instant::now();
    let callers = (0..100).map(|_| {
        let changes = rig.changes.clone();
        tokio::spawn(async move {
            (changes.change(request(update()).into()).await, tokio::time::Instant::now())
        })
    });
    let (mut applied, mut in_progress) = (0, 0);
    for caller in callers.collect::<Vec<_>>() {
        match caller.await.unwrap() {
            (Ok(report), _) if report.outcome == Outcome::Applied => applied += 1,
            (Err(Refusal::InProgress), at) => {
                assert!(at - started < seconds(1));
                in_progress += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((applied, in_progress, puts(&rig)), (1, 99, 1));
    rig.check_ledger();
    assert_eq!(rig.change().await.outcome, Outcome::Unchanged);
}
