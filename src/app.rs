//! The composition root: builds the parts from the configuration, binds the sockets before anything
//! runs, starts everything, and ends it in order. The only module that knows everyone.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    board::Board,
    clock::{Clock, unix_seconds},
    cloud::Reason,
    config::Config,
    http::{self, Bound, Readiness, Shared},
    huawei::{self, transport::Transport, wire::Surprise},
    pacing::Pacer,
    poll::{self, Scheduler},
    stats::Stats,
};

/// What the environment of the process decides, and a test may decide instead.
#[derive(Debug)]
pub struct Options {
    /// Where the public listener may be: the first address that can be had.
    pub listen: Vec<SocketAddr>,
    /// Where else the admin listener may be, if its configured address is taken.
    pub admin_fallback: Option<SocketAddr>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// The date.
    pub clock: Clock,
    /// Decides the jitter of retries.
    pub seed: u64,
}

/// The parts that poll, whatever shows what they find.
#[derive(Debug)]
pub struct Collector {
    /// What is polled.
    pub projects: Vec<poll::Project<huawei::Project>>,
    /// Where the findings go.
    pub board: Board,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
}

/// The daemon, bound but not running.
pub struct App {
    scheduler: Scheduler<huawei::Project>,
    readiness: Readiness,
    public: (Bound, axum::Router),
    admin: Option<(Bound, axum::Router)>,
}

/// A part ended that should have run for as long as the process.
#[derive(Debug)]
pub struct PartDied(&'static str);

impl std::fmt::Display for PartDied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} ended by itself, which is a fault of the exporter", self.0)
    }
}

impl std::error::Error for PartDied {}

/// Builds what polls.
///
/// # Errors
/// When the TLS backend cannot start.
pub fn collector(config: &mut Config, clock: &Clock, seed: u64) -> Result<Collector, String> {
    let stats = Arc::new(Stats::new());
    stats.config_loaded(&config.sha256, unix_seconds(clock.now()));
    stats.add_surprise_kinds(&Surprise::ALL.map(Surprise::as_str));
    let board = Board::new(config.clusters().cloned());
    let common = huawei::Common {
        transport: Arc::new(Transport::new(clock.clone(), stats.clone(), seed)?),
        guard: Arc::default(),
        clock: clock.clone(),
        stats: stats.clone(),
    };
    let mut projects = Vec::new();
    for project in config.projects.drain(..) {
        let name = project.cloud.name.clone();
        stats.add_project(&name, &Reason::ALL.map(Reason::as_str), &huawei::OPERATIONS);
        let pacer = Pacer::new(project.css_rate_limit);
        let clusters = project.clusters.into_iter().map(|cluster| (cluster.id, cluster.interval));
        projects.push(poll::Project {
            name,
            cloud: huawei::Project::new(project.cloud, &common, pacer.clone()),
            pacer,
            concurrency: project.concurrency,
            timeout: project.timeout,
            clusters: clusters.collect(),
        });
    }
    Ok(Collector { projects, board, stats })
}

impl App {
    /// Builds everything and takes the sockets. Nothing runs yet.
    ///
    /// # Errors
    /// In a sentence: an address that cannot be had, or a TLS backend that cannot start.
    pub async fn bind(mut config: Config, options: Options) -> Result<Self, String> {
        let Options { listen, admin_fallback, telemetry_path, clock, seed } = options;
        let public = Bound::listen(&listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", list(&listen)))?;
        let longest = config.clusters().map(|cluster| cluster.interval).max();
        let readiness = Readiness::new(longest.unwrap_or(Duration::ZERO));
        let Collector { projects, board, stats } = collector(&mut config, &clock, seed)?;
        let (scheduler, polls, _roster) =
            Scheduler::new(projects, board.clone(), clock.clone(), stats.clone());
        let shared = Shared { board, exposition: config.exposition, stats, clock, polls };
        let router = http::public_router(shared.clone(), readiness.clone(), &telemetry_path);
        let admin = match config.admin {
            Some(settings) => {
                let addresses: Vec<_> =
                    [settings.listen].into_iter().chain(admin_fallback).collect();
                let bound = Bound::listen(&addresses)
                    .await
                    .map_err(|error| format!("cannot listen on {}: {error}", list(&addresses)))?;
                let hosts = hosts_of(&settings, bound.address());
                Some((bound, http::admin_router(shared, &hosts, &settings.tokens)))
            }
            None => None,
        };
        Ok(Self { scheduler, readiness, public: (public, router), admin })
    }

    /// Where the public listener really is.
    pub fn public_address(&self) -> SocketAddr {
        self.public.0.address()
    }

    /// Where the admin listener really is, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(bound, _)| bound.address())
    }

    /// Runs until `shutdown` is ready; then stops polling and lets answers under way end.
    ///
    /// # Errors
    /// When a part ends before that: running on without it would be a silent failure.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), PartDied> {
        let (stop, _) = watch::channel(false);
        let mut parts = JoinSet::new();
        let listeners = [("public listener", Some(self.public)), ("admin listener", self.admin)];
        for (name, listener) in listeners {
            if let Some((bound, router)) = listener {
                tracing::info!(address = %bound.address(), listener = word(name), "listening");
                let stopped = stopped(stop.subscribe());
                parts.spawn(async move {
                    bound.serve(router, stopped).await;
                    name
                });
            }
        }
        let stopped = stopped(stop.subscribe());
        parts.spawn(async move {
            self.scheduler.run(stopped).await;
            "scheduler"
        });
        let early = tokio::select! {
            () = shutdown => None,
            ended = parts.join_next() => Some(match ended {
                Some(Ok(name)) => name,
                _ => "part that panicked",
            }),
        };
        self.readiness.close();
        stop.send_replace(true);
        while parts.join_next().await.is_some() {}
        early.map_or(Ok(()), |name| Err(PartDied(name)))
    }
}

/// The listener's own name for itself changes with the port that it got.
fn hosts_of(settings: &http::AdminSettings, address: SocketAddr) -> Vec<String> {
    let mut hosts = settings.hosts.clone();
    if address != settings.listen {
        hosts.extend([address.to_string(), format!("localhost:{}", address.port())]);
    }
    hosts
}

fn word(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" or ")
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the app; without it there is nothing left to run for either.
    let _ = stop.wait_for(|stop| *stop).await;
}
