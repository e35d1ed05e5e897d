//! 2,000 clusters behind 50 calls a minute: what a small quota does, in simulated hours.

use super::*;

const CLUSTERS: u32 = 2_000;
const CALLS_PER_MINUTE: f64 = 50.0;
/// The time of one round that `check-config` tells: 2,000 calls at 50 a minute.
const ROUND: Duration = Duration::from_secs(40 * 60);

fn scarce() -> Pacer {
    Pacer::new(RateLimit { requests_per_second: CALLS_PER_MINUTE / 60.0, burst: 5 })
}

#[tokio::test(start_paused = true)]
async fn every_cluster_has_its_turn_in_the_order_of_age_and_nobody_else_pays() {
    let (crowd, calm) = (Fake::new(), Fake::new());
    let mut crowded = project("p", &crowd, 0..CLUSTERS);
    crowded.pacer = scarce();
    let calm_project = project("calm", &calm, CLUSTERS..CLUSTERS + 20);
    let running = run(vec![crowded, calm_project]);
    tokio::time::sleep(ROUND * 4).await;
    assert!(running.overdue("p") >= f64::from(CLUSTERS) * 0.95, "{}", running.overdue("p"));
    assert_eq!(running.overdue("calm"), 0.0);

    let calls = crowd.calls.lock().unwrap().clone();
    let rate = calls.len() as f64 / (ROUND * 4).as_secs_f64() * 60.0;
    assert!((CALLS_PER_MINUTE - 1.0..=CALLS_PER_MINUTE + 1.0).contains(&rate), "{rate}");
    let mut last: HashMap<ClusterId, Instant> = HashMap::new();
    for (at, id) in &calls {
        if let Some(before) = last.insert(id.clone(), *at) {
            // A cluster that was just read takes its place in the queue at its next beat.
            let age = *at - before;
            assert!(age >= ROUND - MINUTE && age <= ROUND + MINUTE * 2, "{age:?}");
        }
        let oldest = last.values().min().filter(|_| last.len() == CLUSTERS as usize);
        let waited = oldest.map_or(Duration::ZERO, |oldest| *at - *oldest);
        assert!(waited <= ROUND + MINUTE * 2, "somebody waits for {waited:?}");
    }
    for number in CLUSTERS..CLUSTERS + 20 {
        let times = calm.calls_of(&cluster(number));
        let steady = times[1..].windows(2).all(|two| two[1] - two[0] == MINUTE);
        assert!(steady, "the beat of {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_of_several_pages_does_not_wait_behind_the_whole_queue_for_its_second() {
    let cloud = Fake::new();
    let pacer = scarce();
    cloud.set(&cluster(7), Behaviour::HasMorePages { pacer: pacer.clone(), pages: 4 });
    let mut crowded = project("p", &cloud, 0..CLUSTERS);
    crowded.pacer = pacer;
    let running = run(vec![crowded]);
    tokio::time::sleep(ROUND + MINUTE * 5).await;
    assert_eq!(running.state(7).up(), Some(true), "{:?}", running.state(7).last_poll());
}

#[tokio::test(start_paused = true)]
async fn after_a_throttling_all_have_their_turns_again() {
    let cloud = Fake::new();
    let pacer = scarce();
    let mut crowded = project("p", &cloud, 0..100);
    crowded.pacer = pacer.clone();
    let _running = run(vec![crowded]);
    tokio::time::sleep(MINUTE * 10).await;
    for _ in 0..5 {
        pacer.throttled(None);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let throttled_at = Instant::now();
    tokio::time::sleep(MINUTE * 20).await;
    let calls = cloud.calls.lock().unwrap().clone();
    let within = |from: u32, to: u32| {
        let minutes = throttled_at + MINUTE * from..throttled_at + MINUTE * to;
        calls.iter().filter(|(at, _)| minutes.contains(at)).count() as f64 / f64::from(to - from)
    };
    assert!(within(0, 1) < CALLS_PER_MINUTE * 0.25, "slower at first: {}", within(0, 1));
    assert!(within(1, 2) > within(0, 1), "gradually faster");
    assert!(within(10, 20) > CALLS_PER_MINUTE * 0.95, "and as before: {}", within(10, 20));
    for number in 0..100 {
        let last = *cloud.calls_of(&cluster(number)).last().unwrap();
        assert!(Instant::now() - last < MINUTE * 4, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_has_no_data_goes_before_those_that_have_some() {
    let cloud = Fake::new();
    let pacer = scarce();
    let crowded = |clusters| {
        let mut crowded = project("p", &cloud, 0..clusters);
        crowded.pacer = pacer.clone();
        crowded
    };
    let running = run(vec![crowded(CLUSTERS)]);
    tokio::time::sleep(ROUND + MINUTE).await;
    running.replace(vec![crowded(CLUSTERS + 1)]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(running.state(CLUSTERS).up(), Some(true));
}

/// In such a project nearly every cluster waits for its token at any time.
#[tokio::test(start_paused = true)]
async fn whoever_wants_a_cluster_now_does_not_wait_in_the_queue_of_polls() {
    let cloud = Fake::new();
    let mut crowded = project("p", &cloud, 0..CLUSTERS);
    crowded.pacer = scarce();
    let running = run(vec![crowded]);
    tokio::time::sleep(ROUND).await;
    let soon = Duration::from_secs(5);
    let asked = Instant::now();
    for number in [3, 4, 5] {
        let asked = Instant::now();
        assert_eq!(running.polls.poll_now(&cluster(number)).await, Ok(()));
        assert!(asked.elapsed() < soon, "{number}: {:?}", asked.elapsed());
    }
    let changed = Instant::now();
    assert!(running.polls.poll_soon(vec![cluster(6), cluster(7)]));
    tokio::time::sleep(soon).await;
    for (number, since) in [(3, asked), (4, asked), (5, asked), (6, changed), (7, changed)] {
        let calls = cloud.calls_of(&cluster(number));
        let after = calls.iter().filter(|at| **at >= since).count();
        assert_eq!(after, 1, "{number}: the poll that waited is the poll that was wanted");
    }
    tokio::time::sleep(ROUND).await;
    assert!(cloud.calls_of(&cluster(6)).len() >= 2, "the others have their turns as before");
}
