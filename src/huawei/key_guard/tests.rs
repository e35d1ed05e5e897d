//! The guard under a paused clock: who may send, and when.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, sleep, sleep_until};

use super::*;
use crate::cloud::Reason;

/// An access key with a secret.
fn keys(access_key: &str, secret: &str) -> Credentials {
    let (access_key, secret) = (Secret::new(access_key), Secret::new(secret));
    let lockable = Fingerprint::of(&[&access_key]);
    Credentials { whole: Fingerprint::of(&[&access_key, &secret]), lockable }
}

fn key(access_key: &str) -> Credentials {
    keys(access_key, "secret")
}

fn refusal(request_id: &str) -> CloudError {
    CloudError {
        status: Some(401),
        code: Some("APIGW.0301".into()),
        request_id: Some(request_id.into()),
        ..CloudError::new(Reason::Auth, "verify aksk signature fail")
    }
}

async fn pass(guard: &Arc<KeyGuard>, host: &str) -> Pass {
    guard.enter(key("a"), host).await.unwrap_or_else(|back_off| panic!("{host}: {back_off:?}"))
}

/// Sends one request to a host that accepts the key.
async fn taken(guard: &Arc<KeyGuard>, host: &str) {
    pass(guard, host).await.accepted();
}

/// Sends one request to a host that refuses the key, if it may be sent.
async fn try_refused(guard: &Arc<KeyGuard>, host: &str) -> bool {
    let pass = guard.enter(key("a"), host).await;
    pass.map(|pass| pass.refused(&refusal(host))).is_ok()
}

#[test]
fn fingerprints_do_not_run_parts_together() {
    let (a, ab, b, bc, c) = ("a", "ab", "b", "bc", "c");
    let of = |one: &str, two: &str| Fingerprint::of(&[&Secret::new(one), &Secret::new(two)]);
    assert!(of(ab, c) != of(a, bc));
    assert!(of(a, b) == of(a, b));
}

#[tokio::test(start_paused = true)]
async fn new_credentials_go_one_at_a_time_until_they_are_judged() {
    let guard = Arc::new(KeyGuard::default());
    let (in_flight, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for _ in 0..100 {
        let (guard, in_flight, most) = (guard.clone(), in_flight.clone(), most.clone());
        tasks.spawn(async move {
            let Ok(pass) = guard.enter(key("a"), "css").await else { return };
            let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            if started.elapsed() < Duration::from_secs(1) {
                most.fetch_max(now, Ordering::SeqCst);
            }
            sleep(Duration::from_secs(1)).await;
            in_flight.fetch_sub(1, Ordering::SeqCst);
            pass.accepted();
        });
    }
    while tasks.join_next().await.is_some() {}
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert_eq!(started.elapsed().as_secs(), 2, "once proven, all go at once");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_keep_the_refusal_and_then_send_one_again() {
    let guard = Arc::new(KeyGuard::default());
    let first = pass(&guard, "css").await;
    let waiting = tokio::spawn({
        let guard = guard.clone();
        async move { guard.enter(key("a"), "css").await.err() }
    });
    tokio::task::yield_now().await;
    let until = Instant::now() + BACK_OFF;
    assert_eq!(
        first.refused(&refusal("1")),
        Begun { at_host: true, everywhere: false, until: Some(until) }
    );
    let back_off = BackOff { until, refusal: refusal("1") };
    assert_eq!(waiting.await.unwrap(), Some(back_off.clone()));
    assert_eq!(guard.back_off(key("a"), "css"), Some(back_off));
    assert!(guard.enter(key("b"), "css").await.is_ok(), "other credentials go on");
    sleep_until(until).await;
    assert_eq!(guard.back_off(key("a"), "css"), None);
    let again = pass(&guard, "css").await;
    assert!(again.probing_since.is_some());
    assert!(again.accepted(), "that ends the back-off");
    assert!(!pass(&guard, "css").await.accepted(), "which is told once");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_a_key_blinds_no_other_host() {
    let guard = Arc::new(KeyGuard::default());
    for host in ["north", "south"] {
        taken(&guard, host).await;
    }
    // Eight requests are under way when the host `north` begins to refuse the key.
    let mut under_way = Vec::new();
    for _ in 0..8 {
        under_way.push(pass(&guard, "north").await);
    }
    let begun: Vec<_> = under_way.into_iter().map(|pass| pass.refused(&refusal("n"))).collect();
    assert_eq!(begun.iter().filter(|begun| begun.at_host).count(), 1, "one back-off, told once");
    assert!(guard.enter(key("a"), "north").await.is_err());
    assert!(pass(&guard, "south").await.probing_since.is_none(), "it goes on as before");
    assert!(pass(&guard, "east").await.probing_since.is_some(), "it has not said anything yet");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_wrong_everywhere_stops_before_it_is_locked() {
    let guard = Arc::new(KeyGuard::default());
    taken(&guard, "proven").await;
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for host in 0..12 {
        for _ in 0..3 {
            let guard = guard.clone();
            tasks.spawn(async move {
                let host = format!("host-{host}");
                let pass = guard.enter(key("a"), &host).await.ok()?;
                sleep(Duration::from_secs(1)).await;
                Some(pass.refused(&refusal(&host)))
            });
        }
    }
    let refused: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(refused.len(), MAX_REFUSALS);
    assert_eq!(refused.iter().filter(|begun| begun.everywhere).count(), 1, "told once");
    let everywhere = guard.back_off(key("a"), "proven").expect("hosts that took it stop too");
    assert_eq!(everywhere.until, started + Duration::from_secs(1) + BACK_OFF);
    assert_eq!(everywhere.refusal.code.as_deref(), Some("APIGW.0301"));
    assert_eq!(guard.reloaded(), 0, "a reload does not lift the limit");
    assert!(guard.enter(key("a"), "proven").await.is_err());
    sleep_until(everywhere.until).await;
    assert!(pass(&guard, "proven").await.accepted(), "that ends the back-off");
}

#[tokio::test(start_paused = true)]
async fn a_reload_ends_a_back_off_once() {
    let guard = Arc::new(KeyGuard::default());
    assert_eq!(guard.reloaded(), 0);
    assert!(try_refused(&guard, "css").await);
    assert!(!try_refused(&guard, "css").await);
    assert_eq!(guard.reloaded(), 1);
    advance(Duration::from_secs(10)).await;
    assert!(try_refused(&guard, "css").await, "one more attempt");
    assert_eq!(guard.reloaded(), 0);
    assert!(!try_refused(&guard, "css").await, "a further reload gives none");
    advance(BACK_OFF).await;
    assert!(try_refused(&guard, "css").await, "it has ended by itself");
    assert_eq!(guard.reloaded(), 1, "and a reload may end the next one");
    taken(&guard, "css").await;
    assert_eq!(guard.back_off(key("a"), "css"), None);
}

#[tokio::test(start_paused = true)]
async fn reloads_in_a_loop_never_exceed_the_limit() {
    for hosts in 1..=8 {
        let guard = Arc::new(KeyGuard::default());
        let mut refused = Vec::new();
        for _ in 0..1000 {
            guard.reloaded();
            for host in 0..hosts {
                if try_refused(&guard, &format!("host-{host}")).await {
                    refused.push(Instant::now());
                }
            }
            advance(Duration::from_secs(7)).await;
        }
        let crowded =
            refused.windows(MAX_REFUSALS + 1).find(|some| some[MAX_REFUSALS] - some[0] < BACK_OFF);
        assert_eq!(crowded, None, "{hosts} hosts");
        assert!(refused.len() > 20, "{hosts} hosts: it is still tried");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_request_without_an_answer_does_not_keep_the_others_for_ever() {
    let guard = Arc::new(KeyGuard::default());
    let _hanging = pass(&guard, "css").await;
    let started = Instant::now();
    let _other_host = pass(&guard, "vpcep").await;
    assert_eq!(started.elapsed(), Duration::ZERO, "a dead host delays no other");
    let _second = pass(&guard, "css").await;
    assert_eq!(started.elapsed(), PROBE_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_verdict_leaves_the_next_one_alone_again() {
    let guard = Arc::new(KeyGuard::default());
    drop(pass(&guard, "css").await);
    let started = Instant::now();
    assert!(pass(&guard, "css").await.probing_since.is_some());
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_access_key_has_one_limit_whatever_its_secret() {
    // How many wrong secrets are tried, each at so many hosts, how often the key is refused, and
    // whether a secret that is right is taken after that.
    let cases =
        [(1, 1, 1, true), (3, 1, 3, true), (8, 1, 4, false), (1, 8, 4, false), (2, 3, 4, false)];
    for (secrets, hosts, refused, is_right_one_taken) in cases {
        let guard = Arc::new(KeyGuard::default());
        let mut tasks = tokio::task::JoinSet::new();
        for one in 0..secrets * hosts {
            let guard = guard.clone();
            tasks.spawn(async move {
                let (secret, host) = (format!("wrong-{}", one / hosts), (one % hosts).to_string());
                let pass = guard.enter(keys("a", &secret), &host).await.ok()?;
                sleep(Duration::from_secs(1)).await;
                Some(pass.refused(&refusal(&host)))
            });
        }
        let all: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let case = format!("{secrets} secrets, {hosts} hosts");
        assert_eq!(all.len(), refused, "{case}");
        let asked = Instant::now();
        assert_eq!(
            guard.enter(keys("a", "right"), "0").await.is_ok(),
            is_right_one_taken,
            "{case}"
        );
        assert!(guard.enter(keys("b", "right"), "0").await.is_ok(), "{case}: another key");
        assert_eq!(asked.elapsed(), Duration::ZERO, "{case}: nobody waits for that");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_go_without_a_verdict_than_refusals_are_allowed() {
    // When answers come, how many were sent by then, and how many in the end.
    for (seconds, is_refused, by_then, in_the_end) in
        [(1, true, 1, 1), (12, true, 3, 3), (27, true, 4, 4), (27, false, 4, 8), (90, true, 4, 4)]
    {
        let guard = Arc::new(KeyGuard::default());
        let sent = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (guard, sent) = (guard.clone(), sent.clone());
            tasks.spawn(async move {
                let Ok(pass) = guard.enter(key("a"), "css").await else { return };
                sent.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_secs(seconds)).await;
                if is_refused {
                    pass.refused(&refusal("css"));
                } else {
                    pass.accepted();
                }
            });
        }
        sleep(Duration::from_millis(seconds * 1000 - 1)).await;
        assert_eq!(sent.load(Ordering::SeqCst), by_then, "{seconds} s");
        tasks.join_all().await;
        assert_eq!(sent.load(Ordering::SeqCst), in_the_end, "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_without_an_answer_make_room_when_they_are_given_up() {
    let guard = Arc::new(KeyGuard::default());
    let mut hanging = Vec::new();
    for host in 0..MAX_REFUSALS {
        hanging.push(pass(&guard, &host.to_string()).await);
    }
    let waiting = tokio::spawn({
        let guard = guard.clone();
        async move { guard.enter(key("a"), "other").await.is_ok() }
    });
    sleep(PROBE_PATIENCE * 10).await;
    assert!(!waiting.is_finished());
    hanging.pop();
    assert!(waiting.await.unwrap());
}
