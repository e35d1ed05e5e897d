//! An engine between a cloud and an audit log.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{
    fake::{Fake, Put, id},
    log::Log,
    mapping, service,
};
use crate::{
    audit::{self, Kind},
    board::{Attempt, Board, ClusterMeta, ServiceBoard, ServiceMeta},
    change::{
        ChangeRequest, Changes, Condition, DecisionRequest, Engine, Env, Outcome, PacedCloud,
        Projects, Recorder, Refusal, Report, Seen, Timings, Wanted, json::value,
    },
    clock::Clock,
    cloud::{Trace, Traced},
    model::{ClusterId, Decision, EndpointId, RegionId, ServiceFields, ServiceId, Status},
    pacing::{Pacer, RateLimit},
    stats::Stats,
};

pub(super) fn meta(id: ServiceId, name: &str) -> ServiceMeta {
    ServiceMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id,
        name: name.into(),
    }
}

/// The name becomes `test`, the ports other ones.
pub(super) fn update() -> ServiceFields {
    ServiceFields {
        service_name: Some("test".into()),
        ports: Some(vec![mapping(8081, 22)]),
        ..ServiceFields::default()
    }
}

/// A request about an endpoint service.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) project: Arc<str>,
    pub(super) service: ServiceId,
    pub(super) update: ServiceFields,
    pub(super) condition: Condition,
    pub(super) dry_run: bool,
}

impl From<Ask> for ChangeRequest {
    fn from(Ask { project, service, update, condition, dry_run }: Ask) -> Self {
        asked(Wanted::Service { project, service, update, condition }, dry_run)
    }
}

fn asked(wanted: Wanted, dry_run: bool) -> ChangeRequest {
    let (actor, remote) = ("oncall".into(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    ChangeRequest { wanted, dry_run, actor, remote }
}

/// A request about connections of the cluster, with the status that each has for its caller.
pub(super) fn decision(
    action: Decision,
    connections: &[(&str, Status)],
    dry_run: bool,
) -> ChangeRequest {
    let seen =
        |(id, status): &(&str, Status)| Seen { endpoint_id: EndpointId::new(id), status: *status };
    let decision = DecisionRequest { action, connections: connections.iter().map(seen).collect() };
    asked(Wanted::Connections { cluster: cluster(), decision }, dry_run)
}

pub(super) fn cluster() -> ClusterId {
    ClusterId::parse("5c77b71c-5b35-4f50-8984-76387e42451a").unwrap()
}

/// A board with the cluster, once the poll has found what the cloud has.
fn clusters(fake: &Fake) -> Board {
    let board = Board::new([ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id: cluster(),
        name: "logs".into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }]);
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    let outcome = Traced { result: Ok(fake.list()), trace: Trace::default() };
    board.record(&cluster(), Attempt { at, duration: Duration::ZERO, outcome }, at);
    board
}

pub(super) fn request(update: ServiceFields) -> Ask {
    Ask { project: "prod".into(), service: id(), update, condition: Condition::Any, dry_run: false }
}

/// An engine that runs in a task of its own.
pub(super) struct Rig<R = Log> {
    pub(super) changes: Changes,
    pub(super) fake: Fake,
    pub(super) log: R,
    pub(super) board: ServiceBoard,
    pub(super) stats: Arc<Stats>,
    pub(super) clusters: Board,
    pub(super) polled: Arc<Mutex<Vec<ClusterId>>>,
    pub(super) projects: watch::Sender<Projects<Fake>>,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) task: JoinHandle<()>,
}

impl<R: Recorder + Clone> Rig<R> {
    pub(super) fn with(fake: Fake, log: R, dangling: Vec<audit::Record>) -> Self {
        let pacer = Pacer::new(RateLimit { requests_per_second: 1000.0, burst: 1000 });
        let project =
            PacedCloud { cloud: Arc::new(fake.clone()), vpcep: pacer.clone(), css: pacer };
        let (projects, projects_in_force) =
            watch::channel(Arc::new(HashMap::from([(Arc::from("prod"), project)])));
        let ids: Vec<_> = fake.state().services.keys().cloned().collect();
        let metas = ids.into_iter().map(|id| meta(id.clone(), &format!("name of {id}")));
        let board = ServiceBoard::new(metas.collect::<Vec<_>>());
        let (stats, polled) = (Arc::new(Stats::default()), Arc::new(Mutex::new(Vec::new())));
        let clusters = clusters(&fake);
        let env = Env {
            services: board.clone(),
            clusters: clusters.clone(),
            recorder: log.clone(),
            clock: Clock::tokio_from("2026-11-01T00:00:00Z".parse().unwrap()),
            stats: stats.clone(),
            poll_soon: Box::new({
                let polled = polled.clone();
                move |clusters| polled.lock().unwrap().extend(clusters)
            }),
            timings: Timings::DEFAULT,
        };
        let (engine, changes) = Engine::new(env, projects_in_force, dangling);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(engine.run(async {
            let _ = stopped.await;
        }));
        Self {
            changes,
            fake,
            log,
            board,
            clusters,
            stats,
            polled,
            projects,
            stop: Some(stop),
            task,
        }
    }

    /// Sets what the cloud does with the next changes.
    pub(super) fn put(&self, put: Put) {
        self.fake.state().put = put;
    }

    pub(super) async fn ask(&self, update: ServiceFields) -> Result<Report, Refusal> {
        self.changes.change(request(update).into()).await
    }

    /// Asks for the usual change.
    pub(super) async fn change(&self) -> Report {
        self.ask(update()).await.expect("a report")
    }

    pub(super) fn shut_down(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        let families = self.stats.gather();
        let family = families.iter().find(|family| family.name().ends_with("admin_changes_total"));
        let metrics = family.unwrap().get_metric().iter();
        let metric = metrics
            .filter(|metric| metric.get_label()[1].value() == outcome.as_str())
            .map(|metric| metric.get_counter().get_value() as u64);
        metric.sum()
    }
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(Fake::new([service()]), Log::default(), Vec::new())
    }

    /// The ledger (I1 to I3, I5): every change that was sent has one intent, written before it, and
    /// every intent has one outcome.
    pub(super) fn check_ledger(&self) {
        let entries = self.log.entries.lock().unwrap();
        let of = |kind| entries.iter().filter(move |(_, entry)| entry.content.kind == kind);
        let state = self.fake.state();
        let mut free: Vec<_> = of(Kind::Intent).collect();
        let puts = state.puts.iter().map(|(at, update, _)| (at, value(update)));
        let decisions = state.decisions.iter().map(|(at, body)| (at, body.clone()));
        for (at, body) in puts.chain(decisions) {
            let found = free.iter().position(|(written, intent)| {
                written <= at && intent.sends() == Some(body.clone())
            });
            free.remove(found.expect("I2: a change without an intent before it"));
        }
        for (_, intent) in of(Kind::Intent) {
            let outcomes = of(Kind::Outcome).filter(|(_, e)| e.change_id() == intent.change_id());
            assert_eq!(outcomes.count(), 1, "I3: {intent:?}");
        }
        let sent = of(Kind::Outcome).filter(|(_, entry)| {
            !matches!(entry.outcome, Some(Outcome::NotSent | Outcome::Unchanged))
        });
        assert_eq!(sent.count(), state.puts.len() + state.decisions.len(), "I1");
    }
}
