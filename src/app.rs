//! The composition root: builds the parts from the configuration, binds the sockets before anything
//! runs, starts everything, and ends it in order. The only module that knows everyone.

mod changing;
mod projects;
mod reload;
mod restore;
mod supervisor;

use std::{
    convert::Infallible,
    fmt,
    future::{Future, pending},
    net::SocketAddr,
    sync::Arc,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

pub use self::supervisor::Supervisor;
use self::{
    changing::Changing,
    projects::Projects,
    reload::{Fixed, Reloader},
};
use crate::{
    board::{
        Board, ServiceBoard,
        state_file::{self, StateFile},
    },
    change::Outcome,
    clock::{Clock, unix_seconds},
    config::{Config, ConfigError},
    exposition::Store,
    http::{self, Access, Bound, Limits, Live, Readiness, ReloadHandle, Shared, WebSettings},
    huawei::{self, Common, transport::Transport, wire::Surprise},
    poll::{self, PollHandle, Scheduler, ServiceReader},
    stats::Stats,
};

/// Requests for a reload that may wait for the one under way; more are told to come back.
const RELOAD_QUEUE: usize = 16;

/// Reads the configuration again. It blocks.
pub type Loader = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What the environment of the process decides, and a test may decide instead.
pub struct Options {
    /// Where the public listener may be: the first address that can be had.
    pub listen: Vec<SocketAddr>,
    /// Where else the admin listener may be, if its configured address is taken.
    pub admin_fallback: Option<SocketAddr>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// Whether `/-/reload` may be used.
    pub lifecycle: bool,
    /// How the configuration is read again.
    pub load: Loader,
    /// The date.
    pub clock: Clock,
    /// Decides the jitter of retries.
    pub seed: u64,
}

/// The parts that poll, whatever shows what they find.
pub struct Collector {
    /// What is polled.
    pub projects: Vec<poll::Project<huawei::Client>>,
    /// Where the findings go.
    pub board: Board,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    known: Projects,
}

/// The daemon, bound but not running.
pub struct App {
    scheduler: Scheduler<huawei::Client>,
    polls: PollHandle,
    reloader: Reloader,
    reload: ReloadHandle,
    state_file: Option<StateFile>,
    readiness: Readiness,
    public: (Bound, axum::Router),
    admin: Option<(Bound, axum::Router)>,
    changing: Option<Changing>,
    shared: Shared,
    supervisor: Option<Supervisor>,
}

/// A part ended that should have run for as long as the process.
#[derive(Debug)]
pub struct PartDied(&'static str);

impl fmt::Display for PartDied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} ended by itself, which is a fault of the exporter", self.0)
    }
}

impl std::error::Error for PartDied {}

/// Why the daemon does not start.
#[derive(Debug)]
pub enum StartError {
    /// Something in the configuration cannot be had.
    Configuration(String),
    /// The machine does not give what is needed.
    Machine(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text) | Self::Machine(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

/// Builds what polls.
///
/// # Errors
/// When the TLS backend cannot start.
pub fn collector(config: &mut Config, clock: &Clock, seed: u64) -> Result<Collector, StartError> {
    let stats = Arc::new(Stats::new());
    stats.config_loaded(&config.sha256, unix_seconds(clock.now()));
    stats.shard(config.shard.index, config.shard.count);
    stats.add_change_outcomes(&Outcome::ALL.map(Outcome::as_str));
    stats.add_surprise_kinds(&Surprise::ALL.map(Surprise::as_str));
    let transport =
        Transport::new(clock.clone(), stats.clone(), seed).map_err(StartError::Machine)?;
    let mut known = Projects::new(Common {
        transport: Arc::new(transport),
        guard: Arc::default(),
        stats: stats.clone(),
    });
    let board = Board::new(config.own_clusters().cloned());
    let shard = config.shard;
    let projects = known.replace(std::mem::take(&mut config.projects), &config.poll, shard);
    Ok(Collector { projects, board, stats, known })
}

impl App {
    /// Builds everything and takes the sockets. Nothing runs yet.
    ///
    /// # Errors
    /// An address or a state file that cannot be had, or a TLS backend that cannot start.
    pub async fn bind(mut config: Config, options: Options) -> Result<Self, StartError> {
        let Options { listen, admin_fallback, telemetry_path, lifecycle, load, clock, seed } =
            options;
        let (public_web, web) = watch::channel(config.web.clone());
        let public = bind(&listen).await?.with_web(web.clone());
        // First of all: a process that still holds the state file may hold the other files too.
        let state = match &config.state_file {
            Some(path) => Some(restore::open(path, &clock, answer_that_it_starts(&public)).await?),
            None => None,
        };
        let readiness = Readiness::from_now();
        let fixed = Fixed::of(&config);
        let (live, shown) = watch::channel(Live::of(&config.exposition, config.effective()));
        let services = ServiceBoard::new(config.own_services());
        let Collector { projects, board, stats, known } = collector(&mut config, &clock, seed)?;
        let state_file = state.map(|(file, restored)| {
            restore::restore(&file, restored, &board, &clock);
            file
        });
        let (scheduler, polls, roster) =
            Scheduler::new(projects, board.clone(), clock.clone(), stats.clone());
        let shared = Shared {
            board: board.clone(),
            services: services.clone(),
            pages: Store::default(),
            live: shown,
            stats: stats.clone(),
            clock: clock.clone(),
            polls: polls.clone(),
        };
        let (requests_sender, requests) = mpsc::channel(RELOAD_QUEUE);
        let reload = ReloadHandle::new(requests_sender);
        let router = http::public_router(
            shared.clone(),
            readiness.clone(),
            &telemetry_path,
            lifecycle.then(|| reload.clone()),
            web,
        );
        let (access, may_enter) = watch::channel(Access::default());
        // The other shards leave it closed, so that there is one place where changes are made.
        if config.admin.is_some() && config.shard.index > 0 {
            tracing::info!(shard = config.shard.index, "shard 0 has the admin listener");
        }
        let (admin_web, web) = watch::channel(WebSettings::default());
        let for_changes = watch::Sender::new(known.for_changes());
        let (mut changing, mut audit) = (None, None);
        let admin = match config.admin.take().filter(|_| config.shard.index == 0) {
            Some(settings) => {
                let needs = changing::Needs {
                    projects: for_changes.subscribe(),
                    services: services.clone(),
                    board: board.clone(),
                    polls: polls.clone(),
                    clock: clock.clone(),
                    stats: stats.clone(),
                };
                let (parts, handles) = changing::open(config.audit_log.as_deref(), needs).await?;
                (changing, audit) = (Some(parts), handles.audit.clone());
                let handles =
                    http::Changing { changes: handles.changes, log: Arc::new(handles.audit) };
                let addresses: Vec<_> =
                    [settings.listen].into_iter().chain(admin_fallback).collect();
                let bound =
                    bind(&addresses).await?.with_limits(Limits::ADMIN).with_web(web.clone());
                admin_web.send_replace(settings.web.clone());
                access.send_replace(Access::of(&settings, bound.address()));
                Some((bound, http::admin_router(shared.clone(), may_enter, handles, web)))
            }
            None => None,
        };
        let reloader = Reloader {
            load,
            requests,
            clouds: watch::Sender::new(known.clouds()),
            for_changes,
            audit,
            projects: known,
            services,
            roster,
            live,
            access,
            public_web,
            admin_web,
            admin_address: admin.as_ref().map(|(bound, _)| bound.address()),
            fixed,
            clock,
            stats,
        };
        Ok(Self {
            scheduler,
            polls,
            reloader,
            reload,
            state_file,
            readiness,
            public: (public, router),
            admin,
            changing,
            shared,
            supervisor: None,
        })
    }

    /// Tells a supervisor how it goes.
    #[must_use]
    pub fn supervised_by(self, supervisor: Option<Supervisor>) -> Self {
        Self { supervisor, ..self }
    }

    /// Where the public listener really is.
    pub fn public_address(&self) -> SocketAddr {
        self.public.0.address()
    }

    /// Where the admin listener really is, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(bound, _)| bound.address())
    }

    /// The state of the clusters.
    pub fn board(&self) -> Board {
        self.shared.board.clone()
    }

    /// Asks for reloads.
    pub fn reload_handle(&self) -> ReloadHandle {
        self.reload.clone()
    }

    /// Runs until `shutdown` is ready; then stops polling, lets answers under way end and keeps the
    /// state.
    ///
    /// # Errors
    /// When a part ends before that: running on without it would be a silent failure.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), PartDied> {
        let (stop, _) = watch::channel(false);
        // Whoever waits for the end of a change is told of it: the admin listener ends after these.
        let (changes_ended, _) = watch::channel(false);
        let mut parts = JoinSet::new();
        let public_address = self.public_address();
        let listeners = [
            ("public listener", Some(self.public), &stop),
            ("admin listener", self.admin, &changes_ended),
        ];
        for (name, bound, stop) in listeners {
            if let Some((bound, router)) = bound {
                let stopped = stopped(stop.subscribe());
                spawn(&mut parts, name, bound.serve(router, stopped));
            }
        }
        let board = self.shared.board.clone();
        let pages = http::keep_pages_made(self.shared, stopped(stop.subscribe()));
        spawn(&mut parts, "maker of pages", pages);
        let clouds = self.reloader.clouds.subscribe();
        let refresh = huawei::keep_fresh(clouds, stopped(stop.subscribe()));
        spawn(&mut parts, "token refresher", refresh);
        let services = ServiceReader::new(
            self.reloader.clouds.subscribe(),
            self.reloader.services.clone(),
            self.reloader.clock.clone(),
        );
        spawn(&mut parts, "reader of services", services.run(stopped(stop.subscribe())));
        spawn(&mut parts, "reloader", self.reloader.run(stopped(stop.subscribe())));
        spawn(&mut parts, "scheduler", self.scheduler.run(stopped(stop.subscribe())));
        // These end after the others, when nothing changes any more.
        let mut keepers = JoinSet::new();
        let (last_words, _) = watch::channel(false);
        let mut changers = JoinSet::new();
        if let Some(Changing { engine, writer }) = self.changing {
            spawn(&mut changers, "maker of changes", engine.run(stopped(stop.subscribe())));
            if let Some(writer) = writer {
                let all_recorded = stopped(last_words.subscribe());
                spawn(&mut keepers, "audit log", changing::keep_log(writer, all_recorded));
            }
        }
        if let Some(file) = self.state_file {
            let all_recorded = stopped(last_words.subscribe());
            spawn(&mut keepers, "state keeper", state_file::keep(file, board, all_recorded));
        }
        if let Some(supervisor) = &self.supervisor {
            supervisor.ready(public_address).await;
            if let Some(beats) = supervisor.watchdog(self.polls) {
                let stopped = stopped(stop.subscribe());
                spawn(&mut parts, "watchdog", supervisor::until(stopped, beats));
            }
        }
        let early = tokio::select! {
            () = shutdown => None,
            Some(ended) = parts.join_next() => Some(ended.unwrap_or("part that panicked")),
            Some(ended) = changers.join_next() => Some(ended.unwrap_or("maker of changes")),
            Some(ended) = keepers.join_next() => Some(ended.unwrap_or("keeper that panicked")),
        };
        self.readiness.close();
        if let Some(supervisor) = &self.supervisor {
            supervisor.stopping().await;
        }
        stop.send_replace(true);
        while changers.join_next().await.is_some() {}
        changes_ended.send_replace(true);
        while parts.join_next().await.is_some() {}
        last_words.send_replace(true);
        while keepers.join_next().await.is_some() {}
        early.map_or(Ok(()), |name| Err(PartDied(name)))
    }
}

fn spawn(
    parts: &mut JoinSet<&'static str>,
    name: &'static str,
    part: impl Future<Output = ()> + Send + 'static,
) {
    parts.spawn(async move {
        part.await;
        name
    });
}

async fn bind(addresses: &[SocketAddr]) -> Result<Bound, StartError> {
    Bound::listen(addresses).await.map_err(|error| {
        let list: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        StartError::Machine(format!("cannot listen on {}: {error}", list.join(" or ")))
    })
}

/// Answers probes while the start has to wait.
async fn answer_that_it_starts(public: &Bound) -> Infallible {
    match public.second() {
        Ok(bound) => {
            tracing::info!(public = %bound.address(), "listening during the start");
            bound.serve(http::starting_router(), pending()).await;
        }
        Err(error) => tracing::warn!("requests are not answered during the start: {error}"),
    }
    pending().await
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the app; without it there is nothing left to run for either.
    let _ = stop.wait_for(|stop| *stop).await;
}
