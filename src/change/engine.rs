//! The part that owns every change: one writer per service, and each change a task of its own, so
//! that it ends whatever its caller does.

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
    time::Instant,
};

use super::{
    ChangeRequest, Changes, Command, Current, Outcome, Recorder, Refusal, Report,
    apply::{Apply, LONGEST_CHANGE, Trail},
    dangling::{self, Dangling},
    parts::{Parts, PollBehind, Project, Projects},
    plan::etag,
    readback::{self, READ_TIME},
    record::intent_of,
};
use crate::{
    audit::{self, Intent},
    board::{Attribution, ServiceBoard, ServiceMeta},
    clock::Clock,
    cloud::{CloudError, Reason, Services},
    model::{EndpointService, ServiceId},
    pacing::Priority,
    stats::Stats,
};

/// Changes and plans under way at once: people make them, and each may wait for a slow cloud.
pub const MOST_CHANGES: usize = 16;
/// Readings under way at once, for the same reason.
pub const MOST_READS: usize = 16;
/// How long a shutdown waits for the changes that are under way. Service managers must wait longer
/// before they kill: else the outcome of a change is found out and recorded only by the next start.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(30);

/// What all changes share.
pub(super) struct Env<R> {
    pub(super) board: ServiceBoard,
    pub(super) recorder: R,
    pub(super) clock: Clock,
    pub(super) stats: Arc<Stats>,
    pub(super) poll_behind: PollBehind,
}

/// A service is the same one whatever its project is called: two projects of the configuration may be
/// one of the cloud, and a reload may rename one while a change is under way.
type Key = ServiceId;

/// Makes changes, ready to run.
pub struct Engine<C, R> {
    env: Arc<Env<R>>,
    projects: watch::Receiver<Projects<C>>,
    dangling: Vec<audit::Record>,
    commands: mpsc::Receiver<Command>,
    tasks: JoinSet<Ended>,
    running: HashMap<Id, Running>,
    /// Services with a change under way, or with an intent that is not resolved.
    gates: HashMap<Key, usize>,
    /// How many changes took a gate so far.
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
    Change { answer: oneshot::Sender<Result<Report, Refusal>>, gate: Option<Key>, trail: Trail },
    Read(Reading),
    Dangling { gate: Key, task: AbortHandle },
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
    /// An engine and the handle to it. Nothing is done before [`Engine::run`].
    pub fn new(parts: Parts<C, R>) -> (Self, Changes) {
        let (changes, commands) = Changes::channel();
        let engine = Self {
            env: Arc::new(Env {
                board: parts.board,
                recorder: parts.recorder,
                clock: parts.clock,
                stats: parts.stats,
                poll_behind: parts.poll_behind,
            }),
            projects: parts.projects,
            dangling: parts.dangling,
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
        for intent in std::mem::take(&mut self.dangling).into_iter().filter_map(intent_of) {
            self.resolve(intent);
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

    /// Whoever still asks is told that nothing is done any more, and so are those who wait for a
    /// reading. A dangling intent stays one: the next start finds it.
    async fn drain(&mut self) {
        self.is_stopping = true;
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
        for running in self.running.values() {
            if let Running::Dangling { task, .. } | Running::Read(Reading { task, .. }) = running {
                task.abort();
            }
        }
        let patience = tokio::time::sleep(DRAIN_TIME);
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
                // Whoever asked may have hung up, here and below.
                Err(refusal) => drop(answer.send(Err(refusal))),
            },
            Command::Read { project, service, answer } => {
                let reads =
                    self.running.values().filter(|running| matches!(running, Running::Read(_)));
                let refusal = match self.known(&project, &service) {
                    Some(_) if reads.count() >= MOST_READS => Refusal::TooMany,
                    Some((meta, project)) => return self.read(meta, project, answer),
                    None => Refusal::UnknownService,
                };
                drop(answer.send(Err(refusal)));
            }
        }
    }

    fn known(&self, project: &str, service: &ServiceId) -> Option<(Arc<ServiceMeta>, Project<C>)> {
        let state = self.env.board.find(project, service.as_str())?;
        // A service may be called like the id of another one.
        let meta = Some(state.meta.clone()).filter(|meta| meta.id == *service)?;
        let project = self.projects.borrow().get(project).cloned()?;
        Some((meta, project))
    }

    /// The same service, in the project where it is configured now.
    fn known_elsewhere(&self, service: &ServiceId) -> Option<(Arc<ServiceMeta>, Project<C>)> {
        let services = self.env.board.snapshot();
        let mut same = services.iter().filter(|state| state.meta.id == *service);
        same.find_map(|state| self.known(&state.meta.project, service))
    }

    fn admit(&self, request: &ChangeRequest) -> Result<(Arc<ServiceMeta>, Project<C>), Refusal> {
        let known =
            self.known(&request.project, &request.service).ok_or(Refusal::UnknownService)?;
        if !request.dry_run && self.gates.contains_key(&known.0.id) {
            return Err(Refusal::InProgress);
        }
        let changes =
            self.running.values().filter(|running| matches!(running, Running::Change { .. }));
        if changes.count() >= MOST_CHANGES {
            return Err(Refusal::TooMany);
        }
        Ok(known)
    }

    fn change(
        &mut self,
        request: ChangeRequest,
        meta: Arc<ServiceMeta>,
        project: Project<C>,
        answer: oneshot::Sender<Result<Report, Refusal>>,
    ) {
        let gate = (!request.dry_run).then(|| meta.id.clone());
        if let Some(gate) = &gate {
            self.close(gate.clone());
            self.changes += 1;
        }
        let trail: Trail = Arc::new(OnceLock::new());
        let (env, stop) = (self.env.clone(), self.stop.subscribe());
        let change = Apply { env, project, meta, request, trail: trail.clone(), stop };
        let task = self.tasks.spawn(async move {
            // Every step has its own limit; this one only holds if one of them does not.
            let limit = LONGEST_CHANGE + Duration::from_secs(1);
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
        project: Project<C>,
        answer: oneshot::Sender<Result<Current, Refusal>>,
    ) {
        let mut stop = self.stop.subscribe();
        let service = meta.id.clone();
        let task = self.tasks.spawn(async move {
            let deadline = Instant::now() + READ_TIME;
            // After every change: whoever only looks must not keep one from its turn.
            let priority = Priority::Begun;
            let read =
                readback::read(&project.cloud, &service, priority, deadline, &mut stop).await;
            Ended::Read(Box::new(read))
        });
        let changes = (!self.gates.contains_key(&meta.id)).then_some(self.changes);
        let reading = Reading { answer, meta, changes, task: task.clone() };
        self.running.insert(task.id(), Running::Read(reading));
    }

    fn resolve(&mut self, intent: Intent) {
        let gate = intent.subject.service_id.clone();
        let known =
            self.known(&intent.subject.project, &gate).or_else(|| self.known_elsewhere(&gate));
        let (env, stop) = (self.env.clone(), self.stop.subscribe());
        let resolution = Dangling { env, known, intent, stop };
        let task = self.tasks.spawn(async move {
            dangling::resolve(resolution).await;
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
        self.env.stats.admin_change(Outcome::Unknown.as_str());
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
