//! The simulated Huawei Cloud: CSS, VPCEP and IAM on a loopback port, as strict and as odd as the real ones.
//!
//! For the demo and for tests, on a machine without a cloud account. It imports nothing else of this
//! crate and is spoken to only over HTTP, so that a mistake of the client cannot meet the same mistake
//! here. One seed always makes the same world. Reading order: `world`; `operations`, `api`, `gate`,
//! `signature`; `faults`; `control`, for tests; `replay`, which answers from a recording instead; `server`.

mod account;
mod api;
mod body;
mod clock;
mod cloud;
mod control;
mod errors;
mod faults;
mod gate;
mod operations;
mod patch;
mod put_log;
mod query;
mod replay;
mod reply;
mod request_log;
mod rng;
mod server;
mod signature;
mod world;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

pub use self::faults::fault::Fault;
use self::{
    account::{ACCESS_KEY, PROJECT_ID, REGION, SECRET_KEY},
    clock::Clock,
    cloud::Cloud,
    replay::Replay,
    world::first,
};

/// The simulation to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A loopback address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The number of CSS clusters.
    pub clusters: usize,
    /// The number of connections that each of them has at the start, and stays around.
    pub connections: usize,
    /// The start of everything that is left to chance.
    pub seed: u64,
    /// The reason for the world to move.
    pub pace: Pace,
    /// Faults from the start on.
    pub faults: Vec<Fault>,
    /// The time, where it is to stand still.
    pub fixed_now: Option<jiff::Timestamp>,
}

/// The reason for the world to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Time: one step in each period.
    Auto {
        /// The period.
        step: Duration,
    },
    /// Only `POST /__sim/step`.
    Explicit,
}

/// A simulated cloud that listens already.
#[derive(Debug)]
pub struct Sim {
    listener: TcpListener,
    cloud: Arc<Cloud>,
    pace: Pace,
}

impl Sim {
    /// Makes the world and opens the port.
    ///
    /// # Errors
    ///
    /// The address is not loopback, or cannot be listened on.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let Settings { listen, clusters, connections, seed, pace, faults, fixed_now } = settings;
        let (listener, base_url) = open(listen).await?;
        let clock = Clock::new(fixed_now);
        let world = first::world(seed, clusters, connections, clock.now());
        let cloud = Cloud::new(base_url, seed, clock, world);
        cloud.state().faults.list = faults;
        Ok(Self { listener, cloud: Arc::new(cloud), pace })
    }

    /// Opens the port for a cloud that answers from a recording.
    ///
    /// # Errors
    ///
    /// The text is no recording, the address is not loopback, or it cannot be listened on.
    pub async fn replay(listen: SocketAddr, recording: &str) -> io::Result<Self> {
        let replay = Replay::read(recording);
        let replay = replay.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        let (listener, base_url) = open(listen).await?;
        let clock = Clock::new(None);
        let world = first::world(0, 0, 0, clock.now());
        let mut cloud = Cloud::new(base_url, 0, clock, world);
        cloud.replay = Some(replay);
        Ok(Self { listener, cloud: Arc::new(cloud), pace: Pace::Explicit })
    }

    /// From now on a cluster is made, renamed or deleted in every so many steps; 0: never.
    #[must_use]
    pub fn with_churn(self, every: u64) -> Self {
        self.cloud.state().world.churn = every;
        self
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

    /// The ids of all clusters.
    pub fn cluster_ids(&self) -> Vec<String> {
        self.cloud.state().world.live().map(|cluster| cluster.id.clone()).collect()
    }

    /// The names of all clusters, in the order of their ids.
    pub fn cluster_names(&self) -> Vec<String> {
        self.cloud.state().world.live().map(|cluster| cluster.name.clone()).collect()
    }

    /// The endpoint services: the id of each, and the name of the cluster that it is behind.
    pub fn services(&self) -> Vec<(String, String)> {
        let state = self.cloud.state();
        let services = state.world.services();
        services.map(|(service, cluster)| (service.id.clone(), cluster.name.clone())).collect()
    }

    /// Serves until `shutdown` is ready; then every connection is ended and joined.
    ///
    /// # Errors
    ///
    /// A task of the simulator panicked.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let period = match self.pace {
            Pace::Auto { step } => Some(step),
            Pace::Explicit => None,
        };
        server::run(self.listener, self.cloud, period, shutdown).await
    }
}

/// Listens on a loopback address.
async fn open(listen: SocketAddr) -> io::Result<(TcpListener, String)> {
    if !listen.ip().is_loopback() {
        let message = format!("{listen} is not a loopback address");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind(listen).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    Ok((listener, base_url))
}

#[cfg(test)]
mod tests;
