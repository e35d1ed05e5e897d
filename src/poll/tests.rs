//! The scheduler over a cloud in memory, under a paused clock: hours pass in milliseconds.

use std::sync::Mutex;

use super::*;
use crate::{
    board::ClusterMeta,
    model::RegionId,
    pacing::{RateLimit, Token},
    stats::Stats,
};

mod overload;

const MINUTE: Duration = Duration::from_secs(60);

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
    Hangs,
    Panics,
}

/// A cloud that notes when each cluster was asked.
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

fn project(name: &str, cloud: &Fake, clusters: impl IntoIterator<Item = u32>) -> Project<Fake> {
    Project {
        name: name.into(),
        region: RegionId::parse("r").unwrap(),
        cloud: cloud.clone(),
        pacer: Pacer::new(RateLimit { requests_per_second: 100.0, burst: 100 }),
        concurrency: 8,
        timeout: Duration::from_secs(30),
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

fn run(projects: Vec<Project<Fake>>) -> Running {
    let metas = projects.iter().flat_map(|project| {
        project.clusters.iter().map(|(id, interval)| ClusterMeta {
            region: RegionId::parse("r").unwrap(),
            project: project.name.clone(),
            id: id.clone(),
            name: id.as_str().into(),
            interval: *interval,
        })
    });
    let board = Board::new(metas.collect::<Vec<_>>());
    let stats = Arc::new(Stats::new());
    for project in &projects {
        stats.add_project(&project.name, &[], &[]);
    }
    let clock = Clock::tokio_from(jiff::Timestamp::from_second(1_700_000_000).unwrap());
    let (scheduler, polls, roster) = Scheduler::new(projects, board.clone(), clock, stats.clone());
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(scheduler.run(async {
        let _ = stopped.await;
    }));
    Running { board, polls, roster, stats, stop, task }
}

impl Running {
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
    let mut first_minute = Vec::new();
    for number in 0..50 {
        let calls = cloud.calls_of(&cluster(number));
        assert!((60..=61).contains(&calls.len()), "{number}: {}", calls.len());
        for pair in calls.windows(2) {
            let gap = (pair[1] - pair[0]).as_millis();
            assert!((59_998..=60_002).contains(&gap), "{gap}");
        }
        first_minute.push(calls[0]);
    }
    first_minute.sort();
    let quarter = first_minute[0] + MINUTE / 4;
    let early = first_minute.iter().filter(|&&at| at < quarter).count();
    assert!((4..=22).contains(&early), "no herd at the start: {early} of 50 in 15 s");
    assert_eq!(running.state(0).up(), Some(true));
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
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(running.metric("polls_overdue"), 1.0);
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::ZERO });
    tokio::time::sleep(MINUTE * 10).await;
    let calls = cloud.calls_of(&cluster(0));
    let gaps: Vec<_> = calls.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!((239.9..=240.1).contains(&gaps[0]), "{gaps:?}");
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
    let place = cloud.calls_of(&cluster(0))[0];
    cloud.set(&cluster(0), Behaviour::Answers { after: Duration::from_secs(20) });
    cloud.set(&cluster(1), Behaviour::Hangs);
    // Both are under way when the roster changes: 1 goes, 0 stays, 9 comes, 2 moves away.
    let (stays, goes) = (running.polls.clone(), running.polls.clone());
    let stays = tokio::spawn(async move { stays.poll_now(&cluster(0)).await });
    let goes = tokio::spawn(async move { goes.poll_now(&cluster(1)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = cloud.calls_of(&cluster(1)).len();
    running.roster.replace(vec![project("p", &cloud, [0, 3, 9]), project("q", &cloud, [2])]).await;
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
async fn a_storm_of_rosters_neither_doubles_nor_starves_a_poll() {
    let cloud = Fake::new();
    let running = run(vec![project("p", &cloud, 0..10)]);
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        running.roster.replace(vec![project("p", &cloud, 0..10)]).await;
    }
    for number in 0..10 {
        let calls = cloud.calls_of(&cluster(number)).len();
        assert!((9..=11).contains(&calls), "{number}: {calls}");
    }
}
