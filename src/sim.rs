//! The simulated Huawei Cloud: CSS, VPCEP and IAM on a loopback port, as strict and as odd as the real ones.
//!
//! It serves the demo and the tests, on a machine without a cloud account. It imports nothing else of this
//! crate and is spoken to only over HTTP, so that the same mistake cannot be in the client and here. One seed
//! always makes the same world. Reading order: `world`; `operations`, `api`, `gate`, `signature`; `faults`;
//! `control`, for tests; `replay`, which answers from a recording instead; `server`.

mod account;
mod api;
mod body;
mod clock;
mod cloud;
mod control;
mod errors;
mod faults;
mod gate;
mod logs;
mod operations;
mod patch;
mod query;
mod replay;
mod reply;
mod rng;
mod server;
mod signature;
mod world;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

pub use self::faults::Fault;
use self::{
    account::{ACCESS_KEY, PROJECT_ID, REGION, SECRET_KEY},
    cloud::Cloud,
    replay::Replay,
    world::Cluster,
};

/// The simulation to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A loopback address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The number of CSS clusters.
    pub clusters: usize,
    /// The number of connections of each cluster at the start; later it stays around that.
    pub connections: usize,
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// The time between two steps of the world; `None`: it moves only by `POST /__sim/step`.
    pub step: Option<Duration>,
    /// The number of steps after which a cluster is made, renamed or deleted; 0: never.
    pub churn: u64,
    /// The faults at the start.
    pub faults: Vec<Fault>,
    /// The time at which the clock stands still; `None`: the true time.
    pub fixed_now: Option<jiff::Timestamp>,
}

impl Settings {
    /// A world without clusters, in which nothing moves.
    fn empty(listen: SocketAddr) -> Self {
        Self {
            listen,
            clusters: 0,
            connections: 0,
            seed: 0,
            step: None,
            churn: 0,
            faults: Vec::new(),
            fixed_now: None,
        }
    }
}

/// A simulated cloud that listens already.
#[derive(Debug)]
pub struct Sim {
    listener: TcpListener,
    cloud: Arc<Cloud>,
    step: Option<Duration>,
}

impl Sim {
    /// Makes the world and opens the port.
    ///
    /// # Errors
    ///
    /// The address is not loopback, or cannot be listened on.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        Self::open(settings, None).await
    }

    /// Opens the port for a cloud that answers from a recording.
    ///
    /// # Errors
    ///
    /// The text is no recording, the address is not loopback, or it cannot be listened on.
    pub async fn replay(listen: SocketAddr, recording: &str) -> io::Result<Self> {
        let replay = Replay::read(recording);
        let replay = replay.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        // The world behind a recording is never shown.
        Self::open(Settings::empty(listen), Some(replay)).await
    }

    async fn open(settings: Settings, replay: Option<Replay>) -> io::Result<Self> {
        let (listen, step) = (settings.listen, settings.step);
        if !listen.ip().is_loopback() {
            let message = format!("{listen} is not a loopback address");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(listen).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, cloud: Arc::new(Cloud::new(base_url, settings, replay)), step })
    }

    /// The address of every API of this cloud, without a slash at the end.
    pub fn url(&self) -> String {
        self.cloud.base_url.clone()
    }

    /// The access key that signs.
    pub fn access_key(&self) -> &str {
        ACCESS_KEY
    }

    /// The secret key that belongs to it.
    pub fn secret_key(&self) -> &str {
        SECRET_KEY
    }

    /// The id of the only project, or of the first one of a recording.
    pub fn project_id(&self) -> &str {
        self.cloud.replay.as_ref().and_then(Replay::project_id).unwrap_or(PROJECT_ID)
    }

    /// The region, which is also the project's name.
    pub fn region(&self) -> &str {
        self.cloud.replay.as_ref().and_then(Replay::region).unwrap_or(REGION)
    }

    /// The id and the name of each cluster.
    pub fn clusters(&self) -> Vec<(String, String)> {
        let state = self.cloud.state();
        let named = |cluster: &Cluster| (cluster.id.clone(), cluster.name.clone());
        state.world.clusters.iter().map(named).collect()
    }

    /// The id of each endpoint service, and the name of the cluster that it is behind.
    pub fn services(&self) -> Vec<(String, String)> {
        let state = self.cloud.state();
        let named = |cluster: &Cluster| (cluster.service.id.clone(), cluster.name.clone());
        state.world.serving().map(named).collect()
    }

    /// Serves until `shutdown` is ready; then every connection is ended and joined.
    ///
    /// # Errors
    ///
    /// A task of the simulator panicked.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        server::run(self.listener, self.cloud, self.step, shutdown).await
    }
}

#[cfg(test)]
mod tests;
