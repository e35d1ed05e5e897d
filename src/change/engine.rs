//! Owns every change: one writer per service, and each change a task of its own, so that it ends
//! whatever its caller does.

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
    ChangeRequest, Changes, Command, Current, Outcome, Recorder, Refusal, Report,
    apply::{Apply, Trail},
    env::{Env, PacedCloud, Projects},
    plan::etag,
    recovery::{self, Dangling},
    verify::Reader,
};
use crate::{
    audit::{Content, Record},
    board::{Attribution, ServiceMeta},
    cloud::{CloudError, Reason, Services},
    model::{EndpointService, ServiceId},
    pacing::Priority,
};

/// Changes under way at once: people make them, and each may wait for a slow cloud.
pub const MOST_CHANGES: usize = 16;
/// Readings and plans under way at once, for the same reason. They have a limit of their own, because a
/// viewer may ask for them and must not keep an editor from a change.
pub const MOST_READS: usize = 16;
/// A service is the same one whatever its project is called: two projects of the configuration may be
/// one of the cloud, and a reload may rename one while a change is under way.
type Key = ServiceId;

/// Makes changes, ready to run.
pub struct Engine<C, R> {
    env: Arc<Env<R>>,
    projects: watch::Receiver<Projects<C>>,
    dangling: Vec<Record>,
    commands: mpsc::Receiver<Command>,
    tasks: JoinSet<Ended>,
    running: HashMap<Id, Running>,
    /// Services with a change under way, or with an intent that is not resolved; how many of each.
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
    Read(Reading),
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

struct Reading {
    answer: oneshot::Sender<Result<Current, Refusal>>,
    meta: Arc<ServiceMeta>,
    /// The changes so far, when it began; `None` while one of this service was under way.
    changes: Option<u64>,
    task: AbortHandle,
}

enum Ended {
    Change(Box<Result<Report, Refusal>>),
    Read(Box<Result<EndpointService, CloudError>>),
    Dangling,
}

impl<C: Services, R: Recorder> Engine<C, R> {
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

    /// Answers callers that nothing is done any more, also those who wait for a reading. A dangling
    /// intent stays one: the next start finds it.
    async fn drain(&mut self) {
        self.is_stopping = true;
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
        for running in self.running.values() {
            if let Running::Dangling { task, .. } | Running::Read(Reading { task, .. }) = running {
                task.abort();
            }
        }
        let patience = tokio::time::sleep(self.env.timings.drain);
        tokio::pin!(patience);
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                () = &mut patience, if !*self.stop.borrow() => {
                    // From here on nobody waits for the cloud, only for the audit log.
                    self.stop.send_replace(true);
                }
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Change(request, answer) => match self.admit(&request) {
                Ok((meta, project)) => self.change(*request, meta, project, answer),
                // The caller may have hung up, here and below.
                Err(refusal) => drop(answer.send(Err(refusal))),
            },
            Command::Read { project, service, answer } => {
                let refusal = match self.known(&project, &service) {
                    Some(_) if self.count(Running::only_looks) >= MOST_READS => Refusal::TooMany,
                    Some((meta, project)) => return self.read(meta, project, answer),
                    None => Refusal::UnknownService,
                };
                drop(answer.send(Err(refusal)));
            }
        }
    }

    fn known(
        &self,
        project: &str,
        service: &ServiceId,
    ) -> Option<(Arc<ServiceMeta>, PacedCloud<C>)> {
        let state = self.env.board.find(project, service.as_str())?;
        // A service may be called like the id of another one.
        let meta = Some(state.meta.clone()).filter(|meta| meta.id == *service)?;
        let project = self.projects.borrow().get(project).cloned()?;
        Some((meta, project))
    }

    /// The service in whatever project it is configured now: an id is the same one everywhere.
    fn known_anywhere(&self, service: &ServiceId) -> Option<(Arc<ServiceMeta>, PacedCloud<C>)> {
        let services = self.env.board.snapshot();
        let mut same = services.iter().filter(|state| state.meta.id == *service);
        same.find_map(|state| self.known(&state.meta.project, service))
    }

    fn admit(&self, request: &ChangeRequest) -> Result<(Arc<ServiceMeta>, PacedCloud<C>), Refusal> {
        let known =
            self.known(&request.project, &request.service).ok_or(Refusal::UnknownService)?;
        if !request.dry_run && self.gates.contains_key(&known.0.id) {
            return Err(Refusal::InProgress);
        }
        let is_full = match request.dry_run {
            true => self.count(Running::only_looks) >= MOST_READS,
            false => self.count(Running::may_change) >= MOST_CHANGES,
        };
        if is_full { Err(Refusal::TooMany) } else { Ok(known) }
    }

    fn count(&self, is_one: impl Fn(&Running) -> bool) -> usize {
        self.running.values().filter(|running| is_one(running)).count()
    }

    fn change(
        &mut self,
        request: ChangeRequest,
        meta: Arc<ServiceMeta>,
        project: PacedCloud<C>,
        answer: oneshot::Sender<Result<Report, Refusal>>,
    ) {
        let gate = (!request.dry_run).then(|| meta.id.clone());
        if let Some(gate) = &gate {
            self.close(gate.clone());
            self.changes += 1;
        }
        let trail: Trail = Arc::new(OnceLock::new());
        let reader = self.reader(&project, &meta.id);
        let (env, pacer) = (self.env.clone(), project.pacer);
        // Every step has its own limit; this one only holds if one of them does not.
        let limit = env.timings.longest_change() + Duration::from_secs(1);
        let change = Apply { env, reader, pacer, meta, request, trail: trail.clone() };
        let task = self.tasks.spawn(async move {
            match tokio::time::timeout(limit, change.run()).await {
                Ok(result) => Ended::Change(Box::new(result)),
                Err(_) => panic!("a change took longer than the sum of its steps"),
            }
        });
        self.running.insert(task.id(), Running::Change { answer, gate, trail });
    }

    fn read(
        &mut self,
        meta: Arc<ServiceMeta>,
        project: PacedCloud<C>,
        answer: oneshot::Sender<Result<Current, Refusal>>,
    ) {
        let mut reader = self.reader(&project, &meta.id);
        let task = self.tasks.spawn(async move {
            // After every change: a viewer must not keep one from its turn.
            Ended::Read(Box::new(reader.read(Priority::Begun).await))
        });
        let changes = (!self.gates.contains_key(&meta.id)).then_some(self.changes);
        let reading = Reading { answer, meta, changes, task: task.clone() };
        self.running.insert(task.id(), Running::Read(reading));
    }

    fn reader(&self, project: &PacedCloud<C>, service: &ServiceId) -> Reader<C> {
        Reader {
            cloud: project.cloud.clone(),
            service: service.clone(),
            timings: self.env.timings,
            stop: self.stop.subscribe(),
        }
    }

    fn resolve(&mut self, intent: Content) {
        // Every intent of ours names its service.
        let Some(gate) = intent.service_id.clone() else { return };
        let known = self.known_anywhere(&gate);
        let known = known.map(|(meta, project)| (meta, self.reader(&project, &gate)));
        let dangling = Dangling { env: self.env.clone(), known, intent };
        let task = self.tasks.spawn(async move {
            recovery::resolve(dangling).await;
            Ended::Dangling
        });
        self.close(gate.clone());
        self.running.insert(task.id(), Running::Dangling { gate, task });
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
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
                    self.open(&gate);
                }
                drop(answer.send(result));
            }
            (Running::Read(reading), Ok(Ended::Read(read))) => self.has_read(reading, *read),
            // The answer is dropped, which means that the exporter stops.
            (Running::Read(_), _) => {}
            (Running::Dangling { gate, .. }, _) => self.open(&gate),
        }
    }

    fn has_read(&self, reading: Reading, read: Result<EndpointService, CloudError>) {
        let Reading { answer, meta, changes, .. } = reading;
        let between = changes != Some(self.changes);
        let whose = if between { Attribution::Ours } else { Attribution::Nobody };
        self.env.board.record(&meta, read.clone(), self.env.clock.now(), whose);
        let current = |service| Current { etag: etag(&service), service };
        drop(answer.send(read.map(current).map_err(|error| Refusal::Unreadable(Box::new(error)))));
    }

    /// A change that died is ended as after a restart, if it may have been sent.
    fn died(&mut self, trail: &Trail) -> Result<Report, Refusal> {
        let message = "the change ended by a fault of the exporter";
        let error = CloudError::new(Reason::Internal, message);
        let Some((intent, report)) = trail.get() else {
            return Err(Refusal::Unreadable(Box::new(error)));
        };
        if !self.is_stopping {
            self.resolve(intent.clone());
        }
        self.env.stats.admin_change(Outcome::Unknown);
        let mut report = report.clone();
        report.outcome = Outcome::Unknown;
        (report.sent, report.safe_to_retry) = (true, false);
        report.failure = Some(error);
        Ok(report)
    }

    fn close(&mut self, gate: Key) {
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
