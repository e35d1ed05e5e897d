//! Owns every change: one writer per service or cluster, and each change a task of its own, so that it ends
//! even if its caller is gone.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
};

use super::{
    ChangeRequest, Changes, Command, Condition, Current, Outcome, Recorder, Refusal, Report,
    Wanted,
    apply::{Apply, Trail},
    connections::Connections,
    env::{Env, PacedCloud, Projects},
    plan::etag,
    record::Asker,
    recovery::{self, Dangling},
    service::Service,
    subject::{Changeable, Key, Subject},
    verify::Reader,
};
use crate::{
    audit::{Content, Record},
    board::{Attribution, ClusterMeta, ServiceMeta},
    cloud::{CloudError, Reason},
    model::{ClusterId, ConnectionList, ServiceFields, ServiceId},
    pacing::{Pacer, Priority},
};

/// Changes under way at once: people make them, and each may wait for a slow cloud.
pub const MOST_CHANGES: usize = 16;
/// Readings and plans under way at once, for the same reason. They have a limit of their own, because a
/// viewer may ask for them and must not keep an editor from a change.
pub const MOST_READS: usize = 16;
/// Makes changes, ready to run.
pub struct Engine<C, R> {
    env: Arc<Env<R>>,
    projects: watch::Receiver<Projects<C>>,
    dangling: Vec<Record>,
    commands: mpsc::Receiver<Command>,
    tasks: JoinSet<Ended<R>>,
    running: HashMap<Id, Running>,
    /// Services and clusters with a change under way, or with an intent that is not resolved; how many of each.
    gates: HashMap<Key, usize>,
    /// The changes that took a gate so far.
    changes: u64,
    stop: watch::Sender<bool>,
    is_stopping: bool,
}

impl<C, R> fmt::Debug for Engine<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("gates", &self.gates).finish_non_exhaustive()
    }
}

enum Running {
    /// A change, or without a gate a plan.
    Change {
        answer: oneshot::Sender<Result<Report, Refusal>>,
        gate: Option<Key>,
        trail: Trail,
    },
    Read(AbortHandle),
    Dangling {
        gate: Key,
        task: AbortHandle,
    },
}

impl Running {
    const fn only_looks(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Change { gate: None, .. })
    }

    const fn may_change(&self) -> bool {
        matches!(self, Self::Change { gate: Some(_), .. })
    }
}

type TakeReading<R> = Box<dyn FnOnce(&Env<R>, u64) + Send>;

enum Ended<R> {
    Change(Box<Result<Report, Refusal>>),
    /// Takes note of the reading and answers it, given the changes so far.
    Read(TakeReading<R>),
    Dangling,
}

/// The services of the configuration and their clouds, or the clusters and theirs.
type Known<M, C> = Option<(Arc<M>, PacedCloud<C>)>;

impl<C: Changeable, R: Recorder> Engine<C, R> {
    /// An engine and the handle to it. Nothing is done before [`Engine::run`]. `dangling` are the
    /// recorded intents that have no outcome: the exporter died in between.
    pub fn new(
        env: Env<R>,
        projects: watch::Receiver<Projects<C>>,
        dangling: Vec<Record>,
    ) -> (Self, Changes) {
        let (changes, commands) = Changes::channel();
        let engine = Self {
            env: Arc::new(env),
            projects,
            dangling,
            commands,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            gates: HashMap::new(),
            changes: 0,
            stop: watch::Sender::new(false),
            is_stopping: false,
        };
        (engine, changes)
    }

    /// Makes changes until `shutdown` is ready; then waits for those under way, for a while, and ends.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        // Before the first command: a dangling intent must have its outcome before the next change.
        for intent in std::mem::take(&mut self.dangling) {
            self.resolve(intent.content);
        }
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                Some(command) = self.commands.recv() => self.take(command),
            }
        }
        self.drain().await;
    }

    /// Drops waiting requests, ends readings, and waits for the changes under way. A dangling intent stays
    /// dangling: the next start resolves it.
    async fn drain(&mut self) {
        self.is_stopping = true;
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
        for running in self.running.values() {
            if let Running::Dangling { task, .. } | Running::Read(task) = running {
                task.abort();
            }
        }
        let patience = tokio::time::sleep(self.env.timings.drain);
        tokio::pin!(patience);
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                () = &mut patience, if !*self.stop.borrow() => {
                    // From here on only the audit log is waited for, not the cloud.
                    self.stop.send_replace(true);
                }
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Change(request, answer) => {
                let ChangeRequest { wanted, dry_run, actor, remote } = *request;
                let asker = Asker { dry_run, actor, remote };
                match wanted {
                    Wanted::Service { project, service, update, condition } => {
                        let known = self.known_service(&project, &service);
                        let change = known.map(|(meta, cloud)| {
                            (Service::new(meta, update, condition), cloud.vpcep.clone(), cloud)
                        });
                        self.change(change, asker, answer);
                    }
                    Wanted::Connections { cluster, decision } => {
                        let change = self.known_cluster(&cluster).map(|(meta, cloud)| {
                            (Connections::new(meta, decision), cloud.css.clone(), cloud)
                        });
                        self.change(change, asker, answer);
                    }
                }
            }
            Command::Read { project, service, answer } => {
                match self.may_read(self.known_service(&project, &service)) {
                    Ok((meta, cloud)) => self.read_service(meta, &cloud, answer),
                    // The caller may have hung up, here and below.
                    Err(refusal) => drop(answer.send(Err(refusal))),
                }
            }
            Command::ReadConnections { cluster, answer } => {
                match self.may_read(self.known_cluster(&cluster)) {
                    Ok((meta, cloud)) => self.read_connections(meta, &cloud, answer),
                    Err(refusal) => drop(answer.send(Err(refusal))),
                }
            }
        }
    }

    fn known_service(&self, project: &str, service: &ServiceId) -> Known<ServiceMeta, C> {
        let state = self.env.services.find(project, service.as_str())?;
        // The name of a service may be the id of another one.
        let meta = Some(state.meta.clone()).filter(|meta| meta.id == *service)?;
        let project = self.projects.borrow().get(project).cloned()?;
        Some((meta, project))
    }

    /// The service in the project in which it is configured now: an id means the same everywhere.
    fn known_anywhere(&self, service: &ServiceId) -> Known<ServiceMeta, C> {
        let services = self.env.services.snapshot();
        let mut same = services.iter().filter(|state| state.meta.id == *service);
        same.find_map(|state| self.known_service(&state.meta.project, service))
    }

    fn known_cluster(&self, cluster: &ClusterId) -> Known<ClusterMeta, C> {
        let meta = self.env.clusters.snapshot().cluster(cluster)?.meta.clone();
        let project = self.projects.borrow().get(&meta.project).cloned()?;
        Some((meta, project))
    }

    fn may_read<M>(&self, known: Known<M, C>) -> Result<(Arc<M>, PacedCloud<C>), Refusal> {
        match known {
            Some(_) if self.count(Running::only_looks) >= MOST_READS => Err(Refusal::TooMany),
            known => known.ok_or(Refusal::Unknown),
        }
    }

    fn admit(&self, key: &Key, dry_run: bool) -> Result<(), Refusal> {
        if !dry_run && self.gates.contains_key(key) {
            return Err(Refusal::InProgress);
        }
        let is_full = match dry_run {
            true => self.count(Running::only_looks) >= MOST_READS,
            false => self.count(Running::may_change) >= MOST_CHANGES,
        };
        if is_full { Err(Refusal::TooMany) } else { Ok(()) }
    }

    fn count(&self, is_one: impl Fn(&Running) -> bool) -> usize {
        self.running.values().filter(|running| is_one(running)).count()
    }

    fn change<S: Subject>(
        &mut self,
        change: Option<(S, Pacer, PacedCloud<C>)>,
        request: Asker,
        answer: oneshot::Sender<Result<Report, Refusal>>,
    ) {
        let admitted = change.ok_or(Refusal::Unknown).and_then(|change| {
            self.admit(&change.0.key(), request.dry_run)?;
            Ok(change)
        });
        let (subject, pacer, cloud) = match admitted {
            Ok(change) => change,
            Err(refusal) => return drop(answer.send(Err(refusal))),
        };
        let gate = (!request.dry_run).then(|| subject.key());
        if let Some(gate) = &gate {
            self.close(gate.clone());
            // A reading that overlaps a change must not be blamed on others; this count shows the overlap.
            self.changes += 1;
        }
        let trail: Trail = Arc::new(OnceLock::new());
        let (env, reader) = (self.env.clone(), self.reader(&cloud));
        // Every step has its own limit; this one applies only if one of those fails.
        let limit = env.timings.longest_change() + Duration::from_secs(1);
        let change = Apply { env, reader, pacer, subject, request, trail: trail.clone() };
        let task = self.tasks.spawn(async move {
            match tokio::time::timeout(limit, change.run()).await {
                Ok(result) => Ended::Change(Box::new(result)),
                Err(_) => panic!("a change took longer than the sum of its steps"),
            }
        });
        self.running.insert(task.id(), Running::Change { answer, gate, trail });
    }

    fn read_service(
        &mut self,
        meta: Arc<ServiceMeta>,
        cloud: &PacedCloud<C>,
        answer: oneshot::Sender<Result<Current, Refusal>>,
    ) {
        let service = Service::new(meta, ServiceFields::default(), Condition::None);
        // The changes so far; `None` while one of this service is under way.
        let changes = (!self.gates.contains_key(&service.key())).then_some(self.changes);
        self.read(service, cloud, move |service, read, env, changes_now| {
            let between = changes != Some(changes_now);
            let whose = if between { Attribution::Ours } else { Attribution::Nobody };
            service.was_read(env, read.clone(), whose);
            let current = |service| Current { etag: etag(&service), service };
            drop(answer.send(read.map(current).map_err(unreadable)));
        });
    }

    fn read_connections(
        &mut self,
        meta: Arc<ClusterMeta>,
        cloud: &PacedCloud<C>,
        answer: oneshot::Sender<Result<Arc<ConnectionList>, Refusal>>,
    ) {
        let connections = Connections::to_read(meta);
        self.read(connections, cloud, |_, read, _, _| {
            drop(answer.send(read.map_err(unreadable)));
        });
    }

    fn read<S: Subject>(
        &mut self,
        subject: S,
        cloud: &PacedCloud<C>,
        take: impl FnOnce(&S, Result<S::State, CloudError>, &Env<R>, u64) + Send + 'static,
    ) {
        let mut reader = self.reader(cloud);
        let task = self.tasks.spawn(async move {
            // After every change: a viewer must not keep one from its turn.
            let read = reader.read(&subject, Priority::Begun).await;
            Ended::Read(Box::new(move |env, changes| take(&subject, read, env, changes)))
        });
        self.running.insert(task.id(), Running::Read(task));
    }

    fn reader(&self, project: &PacedCloud<C>) -> Reader<C> {
        Reader {
            cloud: project.cloud.clone(),
            timings: self.env.timings,
            stop: self.stop.subscribe(),
        }
    }

    fn resolve(&mut self, intent: Content) {
        // Every intent of ours names a service or a cluster.
        if let Some(id) = intent.service_id.clone() {
            let known = self.known_anywhere(&id).and_then(|(meta, cloud)| {
                Some((Service::recalled(meta, &intent)?, self.reader(&cloud)))
            });
            self.resolve_as(Key::Service(id), known, intent);
        } else if let Some(id) = intent.cluster_id.clone() {
            let known = self.known_cluster(&id).and_then(|(meta, cloud)| {
                Some((Connections::recalled(meta, &intent)?, self.reader(&cloud)))
            });
            self.resolve_as(Key::Cluster(id), known, intent);
        }
    }

    fn resolve_as<S: Subject>(
        &mut self,
        gate: Key,
        known: Option<(S, Reader<C>)>,
        intent: Content,
    ) {
        let dangling = Dangling { env: self.env.clone(), known, intent };
        let task = self.tasks.spawn(async move {
            recovery::resolve(dangling).await;
            Ended::Dangling
        });
        self.close(gate.clone());
        self.running.insert(task.id(), Running::Dangling { gate, task });
    }

    fn ended(&mut self, ended: Result<(Id, Ended<R>), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(running) = self.running.remove(&id) else { return };
        if let Err(error) = &ended
            && error.is_panic()
        {
            tracing::error!(
                "a change or a reading died, which is a fault of the exporter: {error}"
            );
        }
        match (running, ended) {
            (Running::Change { answer, gate, trail }, ended) => {
                let result = match ended {
                    Ok(Ended::Change(result)) => *result,
                    _ => self.died(&trail),
                };
                if let Some(gate) = gate {
                    // The gate opens before the caller hears of the end, so that its next change is not refused.
                    self.open(&gate);
                }
                drop(answer.send(result));
            }
            (Running::Read(_), Ok(Ended::Read(take))) => take(&self.env, self.changes),
            // The answer is dropped, which the caller reads as a shutdown.
            (Running::Read(_), _) => {}
            (Running::Dangling { gate, .. }, _) => self.open(&gate),
        }
    }

    /// A change that died is ended as after a restart, if it may have been sent.
    fn died(&mut self, trail: &Trail) -> Result<Report, Refusal> {
        let message = "the change ended by a fault of the exporter";
        let error = CloudError::new(Reason::Internal, message);
        let Some((intent, report)) = trail.get() else {
            return Err(unreadable(error));
        };
        if !self.is_stopping {
            self.resolve(intent.clone());
        }
        let mut report = report.clone();
        self.env.stats.admin_change(report.effect.kind(), Outcome::Unknown);
        report.outcome = Outcome::Unknown;
        report.effect.end_as(Outcome::Unknown);
        // The worst case is reported, because the request may have been sent.
        (report.sent, report.safe_to_retry) = (true, false);
        report.failure = Some(error);
        Ok(report)
    }

    fn close(&mut self, gate: Key) {
        // A count, because a change that died and its recovery are at the same gate for a moment.
        *self.gates.entry(gate).or_default() += 1;
    }

    fn open(&mut self, gate: &Key) {
        if let Some(count) = self.gates.get_mut(gate) {
            *count -= 1;
            if *count == 0 {
                self.gates.remove(gate);
            }
        }
    }
}

fn unreadable(error: CloudError) -> Refusal {
    Refusal::Unreadable(Box::new(error))
}
