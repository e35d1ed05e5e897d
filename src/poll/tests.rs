//! The scheduler over a cloud in memory, under a paused clock: hours pass in milliseconds.

use std::sync::Mutex;

use tokio::sync::oneshot;

use super::*;
use crate::{
    board::ClusterMeta,
    cloud::Budget,
    model::{ConnectionList, RegionId},
    pacing::{Pacer, RateLimit, Token},
    stats::Stats,
};

mod overload;

const MINUTE: Duration = Duration::from_secs(60);
const START: jiff::Timestamp = jiff::Timestamp::constant(1_700_000_000, 0);

#[derive(Clone)]
enum Behaviour {
    Answers {
        after: Duration,
    },
    /// Each page after the first costs a token.
    HasMorePages {
        pacer: Pacer,
        pages: usize,
    },
    Fails,
    Hangs,
    Panics,
}

/// A cloud that records when each cluster was polled.
#[derive(Clone)]
struct Fake {
    behaviour: Arc<Mutex<HashMap<ClusterId, Behaviour>>>,
    calls: Arc<Mutex<Vec<(Instant, ClusterId)>>>,
    in_flight: Arc<Mutex<HashMap<ClusterId, usize>>>,
}

impl Fake {
    fn new() -> Self {
        Self { behaviour: Arc::default(), calls: Arc::default(), in_flight: Arc::default() }
    }

    fn set(&self, cluster: &ClusterId, behaviour: Behaviour) {
        self.behaviour.lock().unwrap().insert(cluster.clone(), behaviour);
    }

    fn calls_of(&self, cluster: &ClusterId) -> Vec<Instant> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(_, id)| id == cluster).map(|(at, _)| *at).collect()
    }
}

impl Cloud for Fake {
    async fn connections(
        &self,
        cluster: &ClusterId,
        budget: Budget,
    ) -> Traced<Arc<ConnectionList>> {
        let _: Token = budget.first_token.expect("a poll has paid for its first request");
        self.calls.lock().unwrap().push((Instant::now(), cluster.clone()));
        let overlapping = {
            let mut in_flight = self.in_flight.lock().unwrap();
            let count = in_flight.entry(cluster.clone()).or_default();
            *count += 1;
            *count
        };
        assert_eq!(overlapping, 1, "a poll overlaps itself");
        let behaviour = self.behaviour.lock().unwrap().get(cluster).cloned();
        let answered = match behaviour.unwrap_or(Behaviour::Answers { after: Duration::ZERO }) {
            Behaviour::Answers { after } => {
                tokio::time::timeout_at(budget.deadline, tokio::time::sleep(after)).await.is_ok()
            }
            Behaviour::HasMorePages { pacer, pages } => {
                let walk = async {
                    for _ in 1..pages {
                        let _: Token = pacer.acquire(budget.priority).await;
                    }
                };
                tokio::time::timeout_at(budget.deadline, walk).await.is_ok()
            }
            Behaviour::Fails => false,
            Behaviour::Hangs => {
                tokio::time::sleep_until(budget.deadline).await;
                false
            }
            Behaviour::Panics => {
                self.in_flight.lock().unwrap().insert(cluster.clone(), 0);
                panic!("a fault");
            }
        };
        self.in_flight.lock().unwrap().insert(cluster.clone(), 0);
        let result = match answered {
            true => Ok(Arc::new(ConnectionList::service_not_enabled())),
            false => Err(CloudError::new(Reason::Timeout, "late")),
        };
        Traced { result, trace: Trace::default() }
    }
}

fn cluster(number: u32) -> ClusterId {
    ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap()
}

fn project(name: &str, cloud: &Fake, clusters: impl IntoIterator<Item = u32>) -> Target<Fake> {
    Target {
        name: name.into(),
        region: RegionId::parse("r").unwrap(),
        cloud: cloud.clone(),
        pacer: Pacer::new(RateLimit { requests_per_second: 100.0, burst: 100 }),
        concurrency: 8,
        timeout: Duration::from_secs(30),
        discovery: None,
        clusters: clusters.into_iter().map(|number| (cluster(number), MINUTE)).collect(),
    }
}

/// A scheduler that runs in a task of its own.
struct Running {
    board: Board,
    polls: PollHandle,
    roster: RosterHandle<Fake>,
    stats: Arc<Stats>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

fn run(projects: Vec<Target<Fake>>) -> Running {
    let board = Board::new(metas(&projects));
    run_on(board, Clock::tokio_from(START), projects)
}

fn metas(projects: &[Target<Fake>]) -> Vec<ClusterMeta> {
    let metas = projects.iter().flat_map(|project| {
        project.clusters.iter().map(|(id, interval)| ClusterMeta {
            region: RegionId::parse("r").unwrap(),
            project: project.name.clone(),
            id: id.clone(),
            name: id.as_str().into(),
            interval: *interval,
            labels: Default::default(),
            listed: None,
        })
    });
    metas.collect()
}

fn run_on(board: Board, clock: Clock, projects: Vec<Target<Fake>>) -> Running {
    let stats = Arc::new(Stats::default());
    for project in &projects {
        stats.add_project(&project.name);
    }
    let (scheduler, polls, roster) = Scheduler::new(projects, board.clone(), clock, stats.clone());
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(scheduler.run(async {
        let _ = stopped.await;
    }));
    Running { board, polls, roster, stats, stop, task }
}

impl Running {
    async fn replace(&self, projects: Vec<Target<Fake>>) {
        let metas = metas(&projects);
        self.roster.replace(projects, metas).await;
    }

    fn state(&self, number: u32) -> Arc<crate::board::ClusterState> {
        self.board.snapshot().cluster(&cluster(number)).unwrap().clone()
    }

    fn metric(&self, name: &str) -> f64 {
        let families = self.stats.gather();
        let family = families.iter().find(|family| family.name().ends_with(name)).unwrap();
        let value = |metric: &prometheus::proto::Metric| {
            metric.get_counter().get_value() + metric.get_gauge().get_value()
        };
        family.get_metric().iter().map(value).sum()
    }

    fn overdue(&self, project: &str) -> f64 {
        let families = self.stats.gather();
        let family = families.iter().find(|family| family.name().ends_with("polls_overdue"));
        let metrics = family.unwrap().get_metric();
        let of_project = metrics.iter().find(|metric| metric.get_label()[0].value() == project);
        of_project.unwrap().get_gauge().get_value()
    }
}

#[tokio::test(start_paused = true)]
async fn every_cluster_is_polled_once_per_interval_at_its_own_steady_place() {
    let cloud = Fake::new();
    let running = run(vec![project("p", &cloud, 0..50)]);
    tokio::time::sleep(MINUTE * 60).await;
    let mut places = Vec::new();
    for number in 0..50 {
        let calls = cloud.calls_of(&cluster(number));
        assert!((60..=61).contains(&calls.len()), "{number}: {}", calls.len());
        let first = (calls[1] - calls[0]).as_millis();
        assert!((30_000..=90_000).contains(&first), "half an interval off at most: {first}");
        for pair in calls[1..].windows(2) {
            let gap = (pair[1] - pair[0]).as_millis();
            assert!((59_998..=60_002).contains(&gap), "{gap}");
        }
        places.push(calls[1]);
    }
    places.sort();
    let quarter = places[0] + MINUTE / 4;
    let early = places.iter().filter(|&&at| at < quarter).count();
    assert!((4..=22).contains(&early), "no herd after the first round: {early} of 50 in 15 s");
    assert_eq!(running.state(0).up(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn the_first_round_is_made_as_fast_as_the_rate_limit_lets_whatever_the_interval() {
    let cloud = Fake::new();
    let mut slow = project("p", &cloud, 0..100);
    slow.pacer = Pacer::new(RateLimit { requests_per_second: 5.0, burst: 10 });
    let interval = MINUTE * 60 * 12;
    slow.clusters.iter_mut().for_each(|cluster| cluster.1 = interval);
    let start = Instant::now();
    let running = run(vec![slow]);
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert!((0..100).all(|number| running.state(number).up() == Some(true)));
    let calls = cloud.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 100);
    let within = |seconds| calls.iter().filter(|(at, _)| (*at - start).as_secs() < seconds).count();
    assert!((14..=15).contains(&within(1)), "no faster than the bucket: {}", within(1));
    assert!((54..=55).contains(&within(9)), "{}", within(9));
    tokio::time::sleep(interval / 2 - MINUTE).await;
    assert_eq!(cloud.calls.lock().unwrap().len(), 100, "then each has its place");
    assert_eq!(running.overdue("p"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn what_a_restart_brought_back_is_not_read_at_once_but_what_is_old_is() {
    let cloud = Fake::new();
    let before = run(vec![project("p", &cloud, 0..2)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    before.stop.send(()).unwrap();
    before.task.await.unwrap();
    for (age, at_once) in [(MINUTE, 0), (MINUTE * 5, 2)] {
        let start = Instant::now();
        let clock = Clock::tokio_from(START.checked_add(age).unwrap());
        let running = run_on(before.board.clone(), clock, vec![project("p", &cloud, 0..2)]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let calls = cloud.calls.lock().unwrap().clone();
        let made = calls.iter().filter(|(at, _)| *at >= start).count();
        assert_eq!(made, at_once, "data that are {age:?} old");
        running.stop.send(()).unwrap();
        running.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_or_panics_disturbs_no_other_and_never_overlaps_itself() {
    let cloud = Fake::new();
    cloud.set(&cluster(1), Behaviour::Hangs);
    cloud.set(&cluster(2), Behaviour::Panics);
    let slow = Duration::from_secs(29);
    cloud.set(&cluster(3), Behaviour::Answers { after: slow });
    let running = run(vec![project("p", &cloud, 0..10)]);
    tokio::time::sleep(MINUTE * 30).await;
    for number in 0..10 {
        let calls = cloud.calls_of(&cluster(number)).len();
        assert!((30..=31).contains(&calls), "{number}: {calls}");
    }
    let reason = |number| {
        let state = running.state(number);
        state.last_poll().and_then(|poll| poll.error.as_ref().map(|error| error.reason))
    };
    assert_eq!(reason(0), None);
    assert_eq!(reason(1), Some(Reason::Timeout));
    assert_eq!(reason(2), Some(Reason::Internal));
    assert_eq!(reason(3), None);
    assert_eq!(running.state(3).last_poll().map(|poll| poll.duration), Some(slow));
    assert!(running.metric("poll_failures_total") >= 58.0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_project_and_a_throttled_one_delay_no_other() {
    let (dead, throttled, healthy) = (Fake::new(), Fake::new(), Fake::new());
    for number in 0..100 {
        dead.set(&cluster(number), Behaviour::Hangs);
    }
    let mut slow = project("throttled", &throttled, 100..200);
    slow.pacer = Pacer::new(RateLimit { requests_per_second: 0.1, burst: 1 });
    let running =
        run(vec![project("dead", &dead, 0..100), slow, project("healthy", &healthy, 200..300)]);
    tokio::time::sleep(MINUTE * 120).await;
    for number in 200..300 {
        let calls = healthy.calls_of(&cluster(number)).len();
        assert!((120..=121).contains(&calls), "{number}: {calls}");
    }
    assert!(running.metric("polls_overdue") > 0.0);
}

#[tokio::test(start_paused = true)]
async fn behind_a_small_quota_every_cluster_gets_its_turn() {
    let cloud = Fake::new();
    let mut project = project("p", &cloud, 0..100);
    project.pacer = Pacer::new(RateLimit { requests_per_second: 0.5, burst: 1 });
    let _running = run(vec![project]);
    // A round of 100 clusters takes 200 s at this rate; a cluster may wait for its next beat too.
    tokio::time::sleep(Duration::from_secs(200 * 10)).await;
    let counts: Vec<_> = (0..100).map(|number| cloud.calls_of(&cluster(number)).len()).collect();
    assert!(counts.iter().all(|count| (7..=11).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_outlasts_its_interval_is_not_doubled_and_catches_up_without_a_burst() {
    let cloud = Fake::new();
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::from_secs(200) });
    let mut project = project("p", &cloud, [0]);
    project.timeout = Duration::from_secs(250);
    let running = run(vec![project]);
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(running.metric("polls_overdue"), 1.0);
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::ZERO });
    tokio::time::sleep(MINUTE * 10).await;
    let calls = cloud.calls_of(&cluster(0));
    let gaps: Vec<_> = calls.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!((200.0..=260.0).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps[1..].iter().all(|gap| (59.9..=60.1).contains(gap)), "{gaps:?}");
    assert_eq!(running.metric("polls_overdue"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn polls_in_flight_are_bounded_per_project() {
    let cloud = Fake::new();
    for number in 0..100 {
        cloud.set(&cluster(number), Behaviour::Answers { after: Duration::from_secs(4) });
    }
    let _running = run(vec![project("p", &cloud, 0..100)]);
    let mut most = 0;
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        most = most.max(cloud.in_flight.lock().unwrap().values().sum());
    }
    assert_eq!(most, 8);
}

#[tokio::test(start_paused = true)]
async fn poll_now_waits_joins_and_refuses() {
    let cloud = Fake::new();
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::from_secs(3) });
    let running = run(vec![project("p", &cloud, [0])]);
    let id = cluster(0);
    let (first, second) = tokio::join!(running.polls.poll_now(&id), running.polls.poll_now(&id));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(cloud.calls_of(&id).len(), 1, "the second joined the first");
    assert_eq!(running.state(0).up(), Some(true));
    assert_eq!(running.polls.poll_now(&id).await, Err(PollNowError::TooSoon));
    assert_eq!(running.polls.poll_now(&cluster(9)).await, Err(PollNowError::UnknownCluster));
    let handle = running.polls.clone();
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    assert_eq!(handle.poll_now(&id).await, Err(PollNowError::Stopping));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_wanted_soon_begins_after_it_was_asked_for() {
    let cloud = Fake::new();
    let running = run(vec![project("p", &cloud, [0, 1])]);
    tokio::time::sleep(MINUTE * 2).await;
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::from_secs(3) });
    let polls = running.polls.clone();
    let under_way = tokio::spawn(async move { polls.poll_now(&cluster(0)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = Instant::now();
    assert!(running.polls.poll_soon(vec![cluster(0), cluster(1), cluster(9)]));
    under_way.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (number, wait) in [(0, 2), (1, 0)] {
        let calls = cloud.calls_of(&cluster(number));
        let after: Vec<_> = calls.iter().filter(|at| **at >= asked).collect();
        assert_eq!(after.len(), 1, "{number}");
        assert_eq!((*after[0] - asked).as_secs(), wait, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_up_polls_under_way_at_once() {
    let cloud = Fake::new();
    cloud.set(&cluster(0), Behaviour::Hangs);
    let running = run(vec![project("p", &cloud, [0])]);
    tokio::time::sleep(MINUTE).await;
    let asked = Instant::now();
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_new_roster_keeps_places_and_polls_under_way_and_gives_up_those_that_are_gone() {
    let cloud = Fake::new();
    let running = run(vec![project("p", &cloud, 0..4)]);
    tokio::time::sleep(MINUTE * 2).await;
    let place = cloud.calls_of(&cluster(0))[1];
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::from_secs(20) });
    cloud.set(&cluster(1), Behaviour::Hangs);
    // Both are under way when the roster changes: 1 goes, 0 stays, 9 comes, 2 moves away.
    let (stays, goes) = (running.polls.clone(), running.polls.clone());
    let stays = tokio::spawn(async move { stays.poll_now(&cluster(0)).await });
    let goes = tokio::spawn(async move { goes.poll_now(&cluster(1)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = cloud.calls_of(&cluster(1)).len();
    running.replace(vec![project("p", &cloud, [0, 3, 9]), project("q", &cloud, [2])]).await;
    assert_eq!(goes.await.unwrap(), Err(PollNowError::UnknownCluster));
    assert_eq!(stays.await.unwrap(), Ok(()));
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(cloud.calls_of(&cluster(1)).len(), before);
    assert!((10..=11).contains(&cloud.calls_of(&cluster(9)).len()));
    let kept = cloud.calls_of(&cluster(0));
    let last = *kept.last().unwrap();
    assert_eq!((last - place).as_secs() % 60, 0, "the same place in the minute");
    let moved = cloud.calls_of(&cluster(2));
    assert!((12..=13).contains(&moved.len()), "{}", moved.len());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_a_reload_brings_is_read_at_once() {
    let cloud = Fake::new();
    let running = run(vec![project("p", &cloud, [0])]);
    tokio::time::sleep(MINUTE * 2).await;
    let mut slow = project("p", &cloud, [0, 1]);
    slow.clusters[1].1 = MINUTE * 60;
    running.replace(vec![slow, project("q", &cloud, [2])]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (number, polls) in [(1, 1), (2, 1)] {
        assert_eq!(cloud.calls_of(&cluster(number)).len(), polls, "{number}");
        assert_eq!(running.state(number).up(), Some(true), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_failed_at_the_start_is_tried_again_soon_whatever_its_interval() {
    let cloud = Fake::new();
    (0..20).for_each(|number| cloud.set(&cluster(number), Behaviour::Fails));
    let mut slow = project("p", &cloud, 0..20);
    slow.pacer = Pacer::new(RateLimit { requests_per_second: 1.0, burst: 1 });
    let interval = MINUTE * 60 * 12;
    slow.clusters.iter_mut().for_each(|cluster| cluster.1 = interval);
    let running = run(vec![slow]);
    tokio::time::sleep(MINUTE * 4).await;
    let next = running.state(0).next_poll.unwrap();
    let waits = Duration::try_from(next.duration_since(START)).unwrap();
    assert!((300..321).contains(&waits.as_secs()), "the board says so: {waits:?}");
    tokio::time::sleep(MINUTE * 8).await;
    (0..20).for_each(|number| {
        cloud.set(&cluster(number), Behaviour::Answers { after: Duration::ZERO })
    });
    tokio::time::sleep(MINUTE * 8).await;
    for number in 0..20 {
        let calls = cloud.calls_of(&cluster(number));
        assert_eq!(calls.len(), 4, "{number}: three failures, and what it was tried for");
        let gaps: Vec<_> = calls.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
        assert!(gaps.iter().all(|gap| (299..=301).contains(gap)), "{gaps:?}");
        assert_eq!(running.state(number).up(), Some(true), "{number}");
    }
    tokio::time::sleep(interval / 2 - MINUTE * 8).await;
    assert_eq!(cloud.calls.lock().unwrap().len(), 80, "then each has its place");
    tokio::time::sleep(interval).await;
    let calls = |number| cloud.calls_of(&cluster(number)).len();
    assert!((0..20).all(|number| (5..=6).contains(&calls(number))));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_fails_is_not_polled_more_often_than_its_interval() {
    let cloud = Fake::new();
    (0..20).for_each(|number| cloud.set(&cluster(number), Behaviour::Fails));
    let mut project = project("p", &cloud, 0..20);
    project.clusters[0].1 = MINUTE * 4;
    let _running = run(vec![project]);
    tokio::time::sleep(MINUTE * 60).await;
    assert!((15..=16).contains(&cloud.calls_of(&cluster(0)).len()));
    for number in 1..20 {
        let calls = cloud.calls_of(&cluster(number)).len();
        assert!((60..=61).contains(&calls), "{number}: {calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_polls_what_has_no_data_at_once_and_moves_nothing_else() {
    let cloud = Fake::new();
    cloud.set(&cluster(0), Behaviour::Fails);
    let roster = || {
        let mut slow = project("p", &cloud, [0, 1]);
        slow.clusters.iter_mut().for_each(|cluster| cluster.1 = MINUTE * 60);
        vec![slow]
    };
    let running = run(roster());
    tokio::time::sleep(MINUTE).await;
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::ZERO });
    for _ in 0..3 {
        running.replace(roster()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(cloud.calls_of(&cluster(0)).len(), 2);
    assert_eq!(cloud.calls_of(&cluster(1)).len(), 1);
    assert_eq!(running.state(0).up(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_cluster_that_moves_away_is_told_like_those_of_one_that_goes() {
    let cloud = Fake::new();
    cloud.set(&cluster(0), Behaviour::Hangs);
    let running = run(vec![project("p", &cloud, [0])]);
    let polls = running.polls.clone();
    let waits = tokio::spawn(async move { polls.poll_now(&cluster(0)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.replace(vec![project("q", &Fake::new(), [0])]).await;
    assert_eq!(waits.await.unwrap(), Err(PollNowError::UnknownCluster));
}

/// Its poll in the project before may end in the very moment of the reload.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_moved_never_shows_what_was_read_before() {
    for late in [false, true] {
        let (before, after) = (Fake::new(), Fake::new());
        let takes = Duration::from_secs(3);
        before.set(&cluster(0), Behaviour::Answers { after: takes });
        after.set(&cluster(0), Behaviour::Hangs);
        let running = run(vec![project("p", &before, [0])]);
        let mut board = running.board.subscribe();
        let follower = tokio::spawn(async move {
            while board.changed().await.is_ok() {
                let snapshot = board.borrow_and_update().clone();
                let state = snapshot.cluster(&cluster(0)).unwrap();
                assert!(*state.meta.project == *"p" || state.up() != Some(true));
            }
        });
        tokio::time::sleep(takes - Duration::from_millis(u64::from(!late))).await;
        running.replace(vec![project("q", &after, [0])]).await;
        tokio::time::sleep(MINUTE).await;
        assert_eq!(running.state(0).up(), Some(false));
        running.stop.send(()).unwrap();
        running.task.await.unwrap();
        drop(running.board);
        drop(running.roster);
        follower.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_rosters_neither_doubles_nor_starves_a_poll() {
    let cloud = Fake::new();
    let running = run(vec![project("p", &cloud, 0..10)]);
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        running.replace(vec![project("p", &cloud, 0..10)]).await;
    }
    for number in 0..10 {
        let calls = cloud.calls_of(&cluster(number)).len();
        assert!((9..=11).contains(&calls), "{number}: {calls}");
    }
}
