//! The read side: projects are polled into the board, and the public listener shows it.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::sync::watch;

use super::{
    error::StartError,
    listen::{answer_during_start, bind},
    options::Options,
    projects::Projects,
    restore,
    tasks::Tasks,
};
use crate::{
    board::{
        Board, ClusterMeta, ServiceBoard,
        state_file::{self, StateFile},
    },
    change::{self, Kind, Outcome},
    clock::{Clock, unix_seconds},
    cloud::{Clouds, Reason},
    config::Config,
    exposition::Store,
    huawei::{
        self, Common,
        transport::{Recorder, Transport},
        wire::Surprise,
    },
    label::words,
    poll::{Discovery, DiscoveryHandle, Fleet, PollHandle, Scheduler, ServiceReader},
    public::{self, Events, Live, Readiness, ReloadHandle, Shared},
    stats::{Lists, Stats},
    web::{Bound, WebSettings},
};

/// The parts that poll. The `collect` command uses them without the rest.
pub struct Collector {
    /// The projects with their clusters: those that are configured, and those that were discovered before
    /// a restart.
    pub fleet: Fleet<huawei::Client>,
    /// The newest observation of every cluster.
    pub board: Board,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    known: Projects,
}

/// Builds the parts that poll. `restored` are the clusters of before a restart; `metadata_url` is the
/// address of the ECS metadata service; `recorder` notes the answers of the cloud.
///
/// # Errors
/// If the TLS backend cannot start.
pub fn collector<'a>(
    config: &mut Config,
    restored: impl IntoIterator<Item = &'a ClusterMeta>,
    clock: &Clock,
    metadata_url: &str,
    recorder: Option<Arc<Recorder>>,
) -> Result<Collector, StartError> {
    let stats = Arc::new(Stats::new(Lists {
        reasons: words::<Reason>(),
        operations: words::<huawei::Operation>(),
        surprises: words::<Surprise>(),
        changes: words::<Kind>(),
        outcomes: words::<Outcome>(),
    }));
    stats.config_loaded(&config.sha256, unix_seconds(clock.now()));
    stats.shard(config.shard.index, config.shard.count);
    let transport = Transport::recorded(clock.clone(), stats.clone(), recorder);
    let transport = transport.map_err(StartError::Machine)?;
    let mut known = Projects::new(Common {
        transport: Arc::new(transport),
        guard: Arc::default(),
        metadata: Arc::new(huawei::Metadata::at(metadata_url)),
        stats: stats.clone(),
    });
    let fleet = Fleet::new(known.configured(config), restored, clock.clone(), stats.clone());
    let board = Board::new(fleet.polled().clusters);
    Ok(Collector { fleet, board, stats, known })
}

/// The read side, bound but not running.
pub(super) struct ReadSide {
    pub(super) shared: Shared,
    pub(super) polls: PollHandle,
    pub(super) readiness: Readiness,
    public: (Bound, Router),
    scheduler: Scheduler<huawei::Client>,
    discovery: Discovery<huawei::Client>,
    clouds: watch::Receiver<Clouds<huawei::Client>>,
    state_file: Option<StateFile>,
}

/// The parts of the read side that a reload changes.
pub(super) struct ReadControls {
    projects: Projects,
    services: ServiceBoard,
    fleet: DiscoveryHandle<huawei::Client>,
    live: watch::Sender<Live>,
    web: watch::Sender<WebSettings>,
    clouds: watch::Sender<Clouds<huawei::Client>>,
    stats: Arc<Stats>,
    clock: Clock,
}

impl ReadSide {
    /// Builds it and takes its socket. With `reload`, `/-/reload` may be used.
    ///
    /// # Errors
    /// An address or a state file that cannot be used, or a TLS backend that cannot start.
    pub(super) async fn bind(
        config: &mut Config,
        options: &Options,
        reload: Option<ReloadHandle>,
    ) -> Result<(Self, ReadControls), StartError> {
        let clock = options.clock.clone();
        let (web, web_in_force) = watch::channel(config.web.clone());
        let listener = bind(&options.listen).await?.with_web(web_in_force.clone());
        // Before the other files are opened: a process that still holds this one may hold them too.
        let state = match &config.state_file {
            Some(path) => Some(restore::open(path, &clock, answer_during_start(&listener)).await?),
            None => None,
        };
        let readiness = Readiness::from_now();
        let (live, live_in_force) =
            watch::channel(Live::of(&config.exposition, config.effective.clone()));
        let services = ServiceBoard::new(config.own_services());
        let restored = state.iter().flat_map(|(_, restored)| restored.clusters());
        let Collector { fleet, board, stats, known } =
            collector(config, restored, &clock, &options.metadata_url, None)?;
        let state_file = state.map(|(file, restored)| {
            restore::restore(&file, restored, &board, &clock);
            file
        });
        let (scheduler, polls, roster) =
            Scheduler::new(fleet.polled().targets, board.clone(), clock.clone(), stats.clone());
        let (discovery, fleet) = Discovery::new(fleet, roster, readiness.hold());
        let shared = Shared {
            board,
            services: services.clone(),
            pages: Store::default(),
            events: Events::new(clock.now()),
            live: live_in_force,
            stats: stats.clone(),
            clock: clock.clone(),
        };
        let path = &options.telemetry_path;
        let router = public::router(shared.clone(), readiness.clone(), path, reload, web_in_force);
        let (clouds, clouds_in_force) = watch::channel(known.clouds());
        let controls =
            ReadControls { projects: known, services, fleet, live, web, clouds, stats, clock };
        let public = (listener, router);
        let clouds = clouds_in_force;
        let read =
            Self { shared, polls, readiness, public, scheduler, discovery, clouds, state_file };
        Ok((read, controls))
    }

    /// The address of the public listener.
    pub(super) fn address(&self) -> SocketAddr {
        self.public.0.address()
    }

    /// Starts its tasks.
    pub(super) fn spawn(self, tasks: &mut Tasks) {
        let Self { shared, public: (listener, router), scheduler, discovery, .. } = self;
        let (clouds, state_file) = (self.clouds, self.state_file);
        let (board, services) = (shared.board.clone(), shared.services.clone());
        let reader = ServiceReader::new(clouds.clone(), services, shared.clock.clone());
        let work = &mut tasks.work;
        work.spawn("public listener", |stop| listener.serve(router, stop));
        work.spawn("maker of pages", |stop| public::keep_pages_made(shared.clone(), stop));
        work.spawn("maker of events", |stop| public::follow_board(shared, stop));
        work.spawn("token refresher", |stop| huawei::keep_fresh(clouds, stop));
        work.spawn("reader of services", |stop| reader.run(stop));
        work.spawn("scheduler", |stop| scheduler.run(stop));
        work.spawn("discovery", |stop| discovery.run(stop));
        if let Some(file) = state_file {
            tasks.keepers.spawn("state keeper", |stop| state_file::keep(file, board, stop));
        }
    }
}

impl ReadControls {
    /// The projects as the change side needs them.
    pub(super) fn for_changes(&self) -> change::Projects<huawei::Client> {
        self.projects.for_changes()
    }

    /// Notes that a new configuration could not be used.
    pub(super) fn rejected(&self) {
        self.stats.config_rejected();
    }

    /// Takes over a new configuration. `pending` are the keys whose new values need a restart.
    pub(super) async fn take(&mut self, config: &mut Config, pending: &[&str]) {
        self.stats.config_loaded(&config.sha256, unix_seconds(self.clock.now()));
        self.stats.shard(config.shard.index, config.shard.count);
        let note = match pending {
            [] => String::new(),
            keys => format!("# In effect only after a restart: {}\n", keys.join(", ")),
        };
        let live = Live::of(&config.exposition, note + &config.effective);
        self.services.reconfigure(config.own_services());
        let before = self.projects.names();
        let configured = self.projects.configured(config);
        self.fleet.replace(configured).await;
        self.clouds.send_replace(self.projects.clouds());
        self.live.send_replace(live);
        let web = std::mem::take(&mut config.web);
        self.web.send_modify(|in_force| *in_force = web.after(in_force));
        // Now that they are not polled any more, nothing brings their series back.
        let now = self.projects.names();
        for gone in before.iter().filter(|name| !now.contains(name)) {
            self.stats.remove_project(gone);
        }
    }
}
