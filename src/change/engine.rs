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
    ChangeRequest, Changes, Command, Current, Outcome, Recorder, Refusal, Report, Wanted,
    apply::{Apply, Trail},
    connections::Connections,
    env::{Env, PacedCloud, Projects},
    gates::Gates,
    record::Asker,
    recovery,
    service::Service,
    subject::{Changeable, Key, Subject},
    verify::Reader,
};
use crate::{
    audit::{Content, Record},
    board::{Attribution, ClusterMeta, ServiceMeta},
    cloud::{CloudError, Reason},
    model::{ClusterId, ServiceId},
    pacing::Priority,
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
    gates: Gates,
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

/// A subject, or its entry on the board, and its cloud; `None` where it is not configured.
type Known<T, C> = Option<(T, PacedCloud<C>)>;

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
            gates: Gates::default(),
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
                        let of = |meta| Service::new(meta, update, condition);
                        self.change(known.map(|(meta, cloud)| (of(meta), cloud)), asker, answer);
                    }
                    Wanted::Connections { cluster, decision } => {
                        let known = self.known_cluster(&cluster);
                        let of = |meta| Connections::new(meta, decision);
                        self.change(known.map(|(meta, cloud)| (of(meta), cloud)), asker, answer);
                    }
                }
            }
            Command::Read { project, service, answer } => {
                let known = self.known_service(&project, &service);
                let known = known.map(|(meta, cloud)| (Service::to_read(meta), cloud));
                self.read(known, answer, Current::of);
            }
            Command::ReadConnections { cluster, answer } => {
                let known = self.known_cluster(&cluster);
                let known = known.map(|(meta, cloud)| (Connections::to_read(meta), cloud));
                self.read(known, answer, |list| list);
            }
        }
    }

    fn known_service(&self, project: &str, service: &ServiceId) -> Known<Arc<ServiceMeta>, C> {
        let state = self.env.services.find(project, service.as_str())?;
        // The name of a service may be the id of another one.
        let meta = Some(state.meta.clone()).filter(|meta| meta.id == *service)?;
        let project = self.projects.borrow().get(project).cloned()?;
        Some((meta, project))
    }

    /// The service in the project in which it is configured now: an id means the same everywhere.
    fn known_anywhere(&self, service: &ServiceId) -> Known<Arc<ServiceMeta>, C> {
        let services = self.env.services.snapshot();
        let mut same = services.iter().filter(|state| state.meta.id == *service);
        same.find_map(|state| self.known_service(&state.meta.project, service))
    }

    fn known_cluster(&self, cluster: &ClusterId) -> Known<Arc<ClusterMeta>, C> {
        let meta = self.env.clusters.snapshot().cluster(cluster)?.meta.clone();
        let project = self.projects.borrow().get(&meta.project).cloned()?;
        Some((meta, project))
    }

    /// A subject for which there is room, with its cloud.
    fn admit<S: Subject>(
        &self,
        known: Known<S, C>,
        only_looks: bool,
    ) -> Result<(S, PacedCloud<C>), Refusal> {
        let (subject, cloud) = known.ok_or(Refusal::Unknown)?;
        let is_full = match only_looks {
            true => self.count(Running::only_looks) >= MOST_READS,
            false if self.gates.is_closed(&subject.key()) => return Err(Refusal::InProgress),
            false => self.count(Running::may_change) >= MOST_CHANGES,
        };
        if is_full { Err(Refusal::TooMany) } else { Ok((subject, cloud)) }
    }

    fn count(&self, is_one: impl Fn(&Running) -> bool) -> usize {
        self.running.values().filter(|running| is_one(running)).count()
    }

    fn change<S: Subject>(
        &mut self,
        known: Known<S, C>,
        request: Asker,
        answer: oneshot::Sender<Result<Report, Refusal>>,
    ) {
        let (subject, cloud) = match self.admit(known, request.dry_run) {
            Ok(admitted) => admitted,
            // The caller may have hung up, here and below.
            Err(refusal) => return drop(answer.send(Err(refusal))),
        };
        let gate = (!request.dry_run).then(|| subject.key());
        if let Some(gate) = &gate {
            self.gates.close(gate.clone());
            // A reading that overlaps a change must not be blamed on others; this count shows the overlap.
            self.changes += 1;
        }
        let trail: Trail = Arc::new(OnceLock::new());
        let (env, reader) = (self.env.clone(), self.reader(&cloud));
        let pacer = S::pacer(&cloud).clone();
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

    fn read<S: Subject, T: Send + 'static>(
        &mut self,
        known: Known<S, C>,
        answer: oneshot::Sender<Result<T, Refusal>>,
        shown: impl FnOnce(S::State) -> T + Send + 'static,
    ) {
        let (subject, cloud) = match self.admit(known, true) {
            Ok(admitted) => admitted,
            Err(refusal) => return drop(answer.send(Err(refusal))),
        };
        // The changes so far; `None` while one of this subject is under way.
        let changes = (!self.gates.is_closed(&subject.key())).then_some(self.changes);
        let mut reader = self.reader(&cloud);
        let task = self.tasks.spawn(async move {
            // After every change: a viewer must not keep one from its turn.
            let read = reader.read(&subject, Priority::Begun).await;
            Ended::Read(Box::new(move |env, changes_now| {
                let between = changes != Some(changes_now);
                let whose = if between { Attribution::Ours } else { Attribution::Nobody };
                subject.was_read(env, read.clone(), whose);
                drop(answer.send(read.map(shown).map_err(unreadable)));
            }))
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
            let known = self.known_anywhere(&id);
            let of = |meta| Service::recalled(meta, &intent);
            let known = known.and_then(|(meta, cloud)| Some((of(meta)?, cloud)));
            self.resolve_as(Key::Service(id), known, intent);
        } else if let Some(id) = intent.cluster_id.clone() {
            let known = self.known_cluster(&id);
            let of = |meta| Connections::recalled(meta, &intent);
            let known = known.and_then(|(meta, cloud)| Some((of(meta)?, cloud)));
            self.resolve_as(Key::Cluster(id), known, intent);
        }
    }

    fn resolve_as<S: Subject>(&mut self, gate: Key, known: Known<S, C>, intent: Content) {
        let known = known.map(|(subject, cloud)| (subject, self.reader(&cloud)));
        let env = self.env.clone();
        let task = self.tasks.spawn(async move {
            recovery::resolve(env, known, intent).await;
            Ended::Dangling
        });
        self.gates.close(gate.clone());
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
                    self.gates.open(&gate);
                }
                drop(answer.send(result));
            }
            (Running::Read(_), Ok(Ended::Read(take))) => take(&self.env, self.changes),
            // The answer is dropped, which the caller reads as a shutdown.
            (Running::Read(_), _) => {}
            (Running::Dangling { gate, .. }, _) => self.gates.open(&gate),
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
}

fn unreadable(error: CloudError) -> Refusal {
    Refusal::Unreadable(Box::new(error))
}
