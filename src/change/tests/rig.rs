//! An engine between a cloud and an audit log.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
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
    board::{ServiceBoard, ServiceMeta},
    change::{
        ChangeRequest, Changes, Condition, Engine, Env, Outcome, PacedCloud, Projects, Recorder,
        Refusal, Report, Timings, json::value,
    },
    clock::Clock,
    model::{RegionId, ServiceFields, ServiceId},
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

pub(super) fn request(update: ServiceFields) -> ChangeRequest {
    ChangeRequest {
        project: "prod".into(),
        service: id(),
        update,
        condition: Condition::Any,
        dry_run: false,
        actor: "oncall".into(),
        remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// An engine that runs in a task of its own.
pub(super) struct Rig<R = Log> {
    pub(super) changes: Changes,
    pub(super) fake: Fake,
    pub(super) log: R,
    pub(super) board: ServiceBoard,
    pub(super) stats: Arc<Stats>,
    pub(super) polled: Arc<Mutex<Vec<ServiceId>>>,
    pub(super) projects: watch::Sender<Projects<Fake>>,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) task: JoinHandle<()>,
}

impl<R: Recorder + Clone> Rig<R> {
    pub(super) fn with(fake: Fake, log: R, dangling: Vec<audit::Record>) -> Self {
        let pacer = Pacer::new(RateLimit { requests_per_second: 1000.0, burst: 1000 });
        let project = PacedCloud { cloud: Arc::new(fake.clone()), pacer };
        let (projects, projects_in_force) =
            watch::channel(Arc::new(HashMap::from([(Arc::from("prod"), project)])));
        let ids: Vec<_> = fake.state().services.keys().cloned().collect();
        let metas = ids.into_iter().map(|id| meta(id.clone(), &format!("name of {id}")));
        let board = ServiceBoard::new(metas.collect::<Vec<_>>());
        let (stats, polled) = (Arc::new(Stats::default()), Arc::new(Mutex::new(Vec::new())));
        let env = Env {
            board: board.clone(),
            recorder: log.clone(),
            clock: Clock::tokio_from("2026-11-01T00:00:00Z".parse().unwrap()),
            stats: stats.clone(),
            poll_behind: Box::new({
                let polled = polled.clone();
                move |meta| polled.lock().unwrap().push(meta.id.clone())
            }),
            timings: Timings::DEFAULT,
        };
        let (engine, changes) = Engine::new(env, projects_in_force, dangling);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(engine.run(async {
            let _ = stopped.await;
        }));
        Self { changes, fake, log, board, stats, polled, projects, stop: Some(stop), task }
    }

    /// Sets what the cloud does with the next changes.
    pub(super) fn put(&self, put: Put) {
        self.fake.state().put = put;
    }

    pub(super) async fn ask(&self, update: ServiceFields) -> Result<Report, Refusal> {
        self.changes.change(request(update)).await
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
            .filter(|metric| metric.get_label()[0].value() == outcome.as_str())
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
        for (at, update, _) in &state.puts {
            let body = value(update);
            let found = free
                .iter()
                .position(|(written, intent)| written <= at && intent.update() == Some(&body));
            free.remove(found.expect("I2: a change without an intent before it"));
        }
        for (_, intent) in of(Kind::Intent) {
            let outcomes = of(Kind::Outcome).filter(|(_, e)| e.change_id() == intent.change_id());
            assert_eq!(outcomes.count(), 1, "I3: {intent:?}");
        }
        let sent = of(Kind::Outcome).filter(|(_, entry)| {
            !matches!(entry.outcome, Some(Outcome::NotSent | Outcome::Unchanged))
        });
        assert_eq!(sent.count(), state.puts.len(), "I1");
    }
}
