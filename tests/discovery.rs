//! Discovery with the scheduler, the board and the page, over a cloud in memory and under a paused clock:
//! clusters come, are renamed and go, and nobody else notices.

mod churn;
mod fleet;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use css_vpcep_exporter::{
    board::{Board, ClusterMeta},
    clock::Clock,
    cloud::{Budget, Cloud, CloudError, Directory, Reason, Trace, Traced},
    model::{ClusterId, ClusterList, ConnectionList, Labels, ListedCluster, RegionId},
    pacing::{Pacer, RateLimit},
    poll::{
        Discovery, DiscoveryHandle, DiscoverySettings, Fleet, Polled, Scheduler, Shard, Target,
    },
    stats::Stats,
};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};

const MINUTE: Duration = Duration::from_secs(60);
const LIST_INTERVAL: Duration = Duration::from_secs(60);
const START: jiff::Timestamp = jiff::Timestamp::constant(1_700_000_000, 0);

/// How a cloud answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    After(Duration),
    Fails(Reason),
    Hangs,
}

/// A cloud with a list of clusters, which notes when each of them was asked.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>);

struct State {
    listed: BTreeMap<ClusterId, ListedCluster>,
    list: Answer,
    polls: Answer,
    calls: BTreeMap<ClusterId, Vec<Instant>>,
    lists: usize,
}

impl Fake {
    fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let quick = Answer::After(Duration::from_millis(50));
        let fake = Self(Arc::new(Mutex::new(State {
            listed: BTreeMap::new(),
            list: quick,
            polls: quick,
            calls: BTreeMap::new(),
            lists: 0,
        })));
        numbers.into_iter().for_each(|number| fake.add(number, &format!("c{number}")));
        fake
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// Adds a cluster to the list, or renames it.
    fn add(&self, number: u32, name: &str) {
        let row = ListedCluster {
            id: id(number),
            name: name.into(),
            engine: "elasticsearch".into(),
            engine_version: "7.10.2".into(),
            enterprise_project_id: "0".into(),
            tags: [("team".into(), "search".into())].into(),
        };
        self.with(|state| state.listed.insert(id(number), row));
    }

    fn remove(&self, number: u32) {
        self.with(|state| state.listed.remove(&id(number)));
    }

    fn calls(&self, number: u32) -> Vec<Instant> {
        self.with(|state| state.calls.get(&id(number)).cloned().unwrap_or_default())
    }
}

async fn answer<T>(answer: Answer, budget: Budget, value: T) -> Traced<T> {
    let result = match answer {
        Answer::After(wait) => {
            sleep(wait).await;
            Ok(value)
        }
        Answer::Fails(reason) => Err(CloudError::new(reason, "no")),
        Answer::Hangs => {
            tokio::time::sleep_until(budget.deadline).await;
            Err(CloudError::new(Reason::Timeout, "late"))
        }
    };
    Traced { result, trace: Trace::default() }
}

impl Cloud for Fake {
    async fn connections(
        &self,
        cluster: &ClusterId,
        budget: Budget,
    ) -> Traced<Arc<ConnectionList>> {
        let now = Instant::now();
        let how = self.with(|state| {
            state.calls.entry(cluster.clone()).or_default().push(now);
            state.polls
        });
        answer(how, budget, Arc::new(ConnectionList::service_not_enabled())).await
    }
}

impl Directory for Fake {
    async fn clusters(&self, budget: Budget) -> Traced<ClusterList> {
        // As it was when it was asked for.
        let (how, clusters) = self.with(|state| {
            state.lists += 1;
            (state.list, state.listed.values().cloned().collect())
        });
        answer(how, budget, ClusterList { clusters, incomplete: None }).await
    }
}

fn id(number: u32) -> ClusterId {
    ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap()
}

fn settings() -> DiscoverySettings {
    DiscoverySettings {
        interval: LIST_INTERVAL,
        include: Vec::new(),
        exclude: Vec::new(),
        tags: BTreeMap::new(),
        enterprise_project_ids: Vec::new(),
        tag_labels: vec!["team".into()],
        limit: 2000,
        poll_interval: MINUTE,
        labels: Labels::of([("owner", "platform")]),
        shard: Shard::ONLY,
    }
}

fn project(name: &str, cloud: &Fake) -> Target<Fake> {
    Target {
        name: name.into(),
        region: RegionId::parse("r").unwrap(),
        cloud: cloud.clone(),
        pacer: Pacer::new(RateLimit { requests_per_second: 1000.0, burst: 1000 }),
        concurrency: 64,
        timeout: Duration::from_secs(30),
        discovery: Some(Arc::new(settings())),
        clusters: Vec::new(),
    }
}

/// A cluster that is in the configuration.
fn configured(project: &str, number: u32, name: &str) -> ClusterMeta {
    ClusterMeta {
        region: RegionId::parse("r").unwrap(),
        project: project.into(),
        id: id(number),
        name: name.into(),
        interval: MINUTE * 2,
        labels: Labels::of([("team", "own")]),
        listed: None,
    }
}

/// Discovery and the scheduler, each in a task of its own.
struct Running {
    board: Board,
    handle: DiscoveryHandle<Fake>,
    first_lists: Arc<()>,
    stats: Arc<Stats>,
    stops: Vec<oneshot::Sender<()>>,
    tasks: Vec<JoinHandle<()>>,
}

fn run(
    targets: Vec<Target<Fake>>,
    clusters: Vec<ClusterMeta>,
    restored: &[ClusterMeta],
) -> Running {
    let stats = Arc::new(Stats::default());
    targets.iter().for_each(|target| stats.add_project(&target.name));
    let clock = Clock::tokio_from(START);
    let configured = Polled { targets, clusters };
    let fleet = Fleet::new(configured, restored, clock.clone(), stats.clone());
    let Polled { targets, clusters } = fleet.polled();
    let board = Board::new(clusters);
    let (scheduler, _, roster) = Scheduler::new(targets, board.clone(), clock, stats.clone());
    let first_lists = Arc::new(());
    let (discovery, handle) = Discovery::new(fleet, roster, first_lists.clone());
    let (stop_discovery, discovery_stops) = oneshot::channel::<()>();
    let (stop_scheduler, scheduler_stops) = oneshot::channel::<()>();
    let tasks = vec![
        tokio::spawn(discovery.run(async { drop(discovery_stops.await) })),
        tokio::spawn(scheduler.run(async { drop(scheduler_stops.await) })),
    ];
    Running {
        board,
        handle,
        first_lists,
        stats,
        stops: vec![stop_discovery, stop_scheduler],
        tasks,
    }
}

impl Running {
    /// The names of the clusters on the board, by their ids.
    fn names(&self) -> BTreeMap<ClusterId, String> {
        let board = self.board.snapshot();
        let name = |meta: &ClusterMeta| (meta.id.clone(), meta.name.to_string());
        board.clusters().iter().map(|state| name(&state.meta)).collect()
    }

    fn ids(&self) -> BTreeSet<ClusterId> {
        self.names().into_keys().collect()
    }

    async fn replace(&self, targets: Vec<Target<Fake>>, clusters: Vec<ClusterMeta>) {
        self.handle.replace(Polled { targets, clusters }).await;
    }

    async fn stop(self) {
        for stop in self.stops {
            stop.send(()).unwrap();
        }
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<ClusterId> {
    numbers.into_iter().map(id).collect()
}
