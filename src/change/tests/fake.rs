//! A cloud with endpoint services, an audit log, and an engine between them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{ID, mapping, service};
use crate::{
    audit::{self, AuditError, Intent, Kind, Subject},
    board::{ServiceBoard, ServiceMeta},
    change::{
        ChangeRequest, Changes, Condition, Engine, Outcome, Parts, Project, Projects, Recorder,
        Refusal, Report, fields_to_json,
    },
    clock::Clock,
    cloud::{Budget, CloudError, Reason, Services, Trace, Traced},
    model::{EndpointService, RegionId, ServiceFields, ServiceId},
    pacing::{Pacer, RateLimit},
    stats::Stats,
};

/// What the cloud does with a change.
#[derive(Clone, Debug)]
pub(super) struct Put {
    /// Before it acts.
    pub(super) before: Duration,
    pub(super) acts: Acts,
    /// After it acted; `None`: it never answers.
    pub(super) after: Option<Duration>,
    pub(super) answer: Result<(), CloudError>,
    /// Whether the request left.
    pub(super) leaves: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Acts {
    Wholly,
    NotAtAll,
    /// Takes these fields only.
    Partly(&'static [&'static str]),
    /// And somebody else does this right after.
    ThenAnother(ServiceFields),
    Panics,
}

impl Put {
    pub(super) fn ok() -> Self {
        let at_once = Duration::ZERO;
        Self {
            before: at_once,
            acts: Acts::Wholly,
            after: Some(at_once),
            answer: Ok(()),
            leaves: true,
        }
    }

    pub(super) fn acts(acts: Acts) -> Self {
        Self { acts, ..Self::ok() }
    }

    pub(super) fn fails(error: CloudError, acts: Acts) -> Self {
        Self { answer: Err(error), acts, ..Self::ok() }
    }
}

pub(super) fn error(reason: Reason, status: Option<u16>, code: &str) -> CloudError {
    CloudError {
        status,
        code: (!code.is_empty()).then(|| code.to_owned()),
        request_id: status.map(|_| "request-of-the-failure".to_owned()),
        ..CloudError::new(reason, "as told")
    }
}

/// How reading goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reads {
    Answer,
    Hang,
    Fail,
    /// They fail once a change was sent.
    FailAfterPut,
}

pub(super) struct State {
    pub(super) services: HashMap<ServiceId, EndpointService>,
    pub(super) put: Put,
    pub(super) reads: Reads,
    /// How long a reading shows what was before a change.
    pub(super) lag: Duration,
    /// What every change was, and whether it did something.
    pub(super) puts: Vec<(Instant, ServiceFields, bool)>,
    /// How many readings were made.
    pub(super) read: usize,
    in_flight: usize,
    old: Option<(Instant, EndpointService)>,
}

/// A cloud in memory. Clones are the same one.
#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub(super) fn new(services: impl IntoIterator<Item = EndpointService>) -> Self {
        let services = services.into_iter().map(|service| (service.id.clone(), service));
        Self(Arc::new(Mutex::new(State {
            services: services.collect(),
            put: Put::ok(),
            reads: Reads::Answer,
            lag: Duration::ZERO,
            puts: Vec::new(),
            read: 0,
            in_flight: 0,
            old: None,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn truth(&self) -> ServiceFields {
        self.state().services[&id()].fields.clone()
    }
}

/// Takes the fields of an update that are named.
pub(super) fn take(fields: &mut ServiceFields, update: &ServiceFields, names: &[&str]) {
    macro_rules! take {
        ($($name:ident),*) => {
            $(if names.contains(&stringify!($name)) && update.$name.is_some() {
                fields.$name = update.$name.clone();
            })*
        };
    }
    take!(approval_enabled, service_name, ports, port_id, tcp_proxy, description, ip);
}

impl Services for Fake {
    async fn service(&self, id: &ServiceId, budget: Budget) -> Traced<EndpointService> {
        let reads = {
            let mut state = self.state();
            state.read += 1;
            match state.reads {
                Reads::FailAfterPut if state.puts.is_empty() => Reads::Answer,
                Reads::FailAfterPut => Reads::Fail,
                reads => reads,
            }
        };
        if reads == Reads::Hang {
            tokio::time::sleep_until(budget.deadline).await;
        }
        let state = self.state();
        let result = match reads {
            Reads::Answer => {
                let old = state.old.as_ref().filter(|(until, _)| *until > Instant::now());
                let found = old.map(|(_, old)| old).or_else(|| state.services.get(id));
                found.cloned().ok_or_else(|| CloudError::new(Reason::NotFound, "none"))
            }
            _ => Err(error(Reason::Timeout, None, "")),
        };
        Traced { result, trace: Trace { requests: 1, ..Trace::default() } }
    }

    async fn services(&self, _: &[ServiceId], _: Budget) -> Traced<Vec<EndpointService>> {
        unreachable!("changes read one service")
    }

    async fn update_service(
        &self,
        id: &ServiceId,
        update: &ServiceFields,
        budget: Budget,
    ) -> Traced<()> {
        assert!(budget.first_token.is_some(), "a change has paid for its request");
        let put = self.state().put.clone();
        if !put.leaves {
            return Traced { result: put.answer, trace: Trace::default() };
        }
        let index = {
            let mut state = self.state();
            state.in_flight += 1;
            assert_eq!(state.in_flight, 1, "I6: two changes of a service at once");
            state.puts.push((Instant::now(), update.clone(), false));
            state.puts.len() - 1
        };
        let _landed = Landed(self.clone());
        tokio::time::sleep(put.before).await;
        {
            let mut state = self.state();
            let before = state.services[id].clone();
            let fields = &mut state.services.get_mut(id).unwrap().fields;
            match &put.acts {
                Acts::Wholly => take(fields, update, &ServiceFields::NAMES),
                Acts::NotAtAll => {}
                Acts::Partly(names) => take(fields, update, names),
                Acts::ThenAnother(other) => {
                    take(fields, update, &ServiceFields::NAMES);
                    take(fields, other, &ServiceFields::NAMES);
                }
                Acts::Panics => {
                    take(fields, update, &ServiceFields::NAMES);
                    drop(state);
                    panic!("a fault");
                }
            }
            let acted = state.services[id].fields != before.fields;
            state.puts[index].2 = acted;
            let until = Instant::now() + state.lag;
            state.old = Some((until, before));
        }
        match put.after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
        let request_ids = vec!["request-of-the-put".to_owned()];
        Traced { result: put.answer, trace: Trace { requests: 1, request_ids, ..Trace::default() } }
    }
}

struct Landed(Fake);

impl Drop for Landed {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.0.lock() {
            state.in_flight -= 1;
        }
    }
}

/// What an audit log was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) subject: Subject,
    pub(super) before: Option<Value>,
    pub(super) request: Option<Value>,
    pub(super) diff: Option<Value>,
    pub(super) cloud: Option<Value>,
    pub(super) outcome: Option<Outcome>,
}

impl Entry {
    pub(super) fn change_id(&self) -> &str {
        self.subject.change_id.as_str()
    }

    fn update(&self) -> Option<&Value> {
        self.request.as_ref().map(|request| &request["update"])
    }
}

/// An audit log in memory.
#[derive(Clone, Default)]
pub(super) struct Log {
    pub(super) entries: Arc<Mutex<Vec<(Instant, Entry)>>>,
    /// What it does not take.
    pub(super) refuses: Arc<Mutex<Vec<Kind>>>,
}

impl Recorder for Log {
    async fn intent(&self, intent: Intent) -> Result<(), AuditError> {
        let Intent { subject, before, request, diff } = intent;
        let (before, request, diff) = (Some(before), Some(request), Some(diff));
        let kind = Kind::Intent;
        self.append(Entry { kind, subject, before, request, diff, cloud: None, outcome: None })
            .await
    }

    async fn outcome(&self, outcome: audit::Outcome) -> Result<(), AuditError> {
        let audit::Outcome { subject, before, request, diff, cloud, outcome } = outcome;
        let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == &*outcome);
        assert!(outcome.is_some(), "a word that nobody knows");
        let kind = Kind::Outcome;
        self.append(Entry { kind, subject, before, request, diff, cloud, outcome }).await
    }
}

impl Log {
    async fn append(&self, entry: Entry) -> Result<(), AuditError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.refuses.lock().unwrap().contains(&entry.kind) {
            return Err(AuditError::Unavailable("the disk is full".to_owned()));
        }
        self.entries.lock().unwrap().push((Instant::now(), entry));
        Ok(())
    }

    pub(super) fn of(&self, kind: Kind) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        entries.iter().filter(|(_, entry)| entry.kind == kind).map(|(_, e)| e.clone()).collect()
    }
}

pub(super) fn id() -> ServiceId {
    ServiceId::parse(ID).unwrap()
}

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
pub(super) struct Rig {
    pub(super) changes: Changes,
    pub(super) fake: Fake,
    pub(super) log: Log,
    pub(super) board: ServiceBoard,
    pub(super) stats: Arc<Stats>,
    pub(super) polled: Arc<Mutex<Vec<ServiceId>>>,
    pub(super) projects: watch::Sender<Projects<Fake>>,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) task: JoinHandle<()>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(Fake::new([service()]), Log::default(), Vec::new())
    }

    pub(super) fn with(fake: Fake, log: Log, dangling: Vec<audit::Record>) -> Self {
        let pacer = Pacer::new(RateLimit { requests_per_second: 1000.0, burst: 1000 });
        let project = Project { cloud: Arc::new(fake.clone()), pacer };
        let (projects, projects_in_force) =
            watch::channel(Arc::new(HashMap::from([(Arc::from("prod"), project)])));
        let ids: Vec<_> = fake.state().services.keys().cloned().collect();
        let metas = ids.into_iter().map(|id| meta(id.clone(), &format!("name of {id}")));
        let board = ServiceBoard::new(metas.collect::<Vec<_>>());
        let (stats, polled) = (Arc::new(Stats::new()), Arc::new(Mutex::new(Vec::new())));
        let (engine, changes) = Engine::new(Parts {
            projects: projects_in_force,
            board: board.clone(),
            recorder: log.clone(),
            clock: Clock::tokio_from("2026-11-01T00:00:00Z".parse().unwrap()),
            stats: stats.clone(),
            poll_behind: Box::new({
                let polled = polled.clone();
                move |meta| polled.lock().unwrap().push(meta.id.clone())
            }),
            dangling,
        });
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

    /// The ledger (I1 to I3, I5): every change that was sent has one intent, written before it, and
    /// every intent has one outcome.
    pub(super) fn check_ledger(&self) {
        let entries = self.log.entries.lock().unwrap();
        let of = |kind| entries.iter().filter(move |(_, entry)| entry.kind == kind);
        let state = self.fake.state();
        let mut free: Vec<_> = of(Kind::Intent).collect();
        for (at, update, _) in &state.puts {
            let body = serde_json::Value::from(fields_to_json(update));
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
