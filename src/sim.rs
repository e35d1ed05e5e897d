//! The simulated Huawei Cloud: CSS, VPCEP and IAM on a loopback port, as strict and as odd as the real ones.
//!
//! For the demo and for tests, on a machine without a cloud account. It imports nothing else of this
//! crate and is spoken to only over HTTP, so that a mistake of the client cannot meet the same mistake
//! here. One seed always makes the same world. Reading order: `world`, `genesis`, `evolve`, `service`;
//! `calls`, `api`, `gate`, `signature`; `faults`, `modes`; `control`, for tests; `server`.

mod api;
mod body;
mod calls;
mod clock;
mod cloud;
mod control;
mod encoding;
mod errors;
mod evolve;
mod faults;
mod gate;
mod genesis;
mod modes;
mod patch;
mod puts;
mod query;
mod requests;
mod rng;
mod server;
mod service;
mod signature;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use self::cloud::Cloud;
pub use self::faults::{Fault, FaultError};

/// Credentials of the only user of the only project: they open nothing else.
const ACCESS_KEY: &str = "SIMAK0123456789ABCDE";
const SECRET_KEY: &str = "simSecretKey0123456789abcdefghijklmnopqr";
const PROJECT_ID: &str = "5131a7edc1004d0b9c0ffee051a1e5e0";
const REGION: &str = "sim-region-1";
const DOMAIN_ID: &str = "d03a1a7edc1004d0b9c0ffee051a1e50";
const DOMAIN_NAME: &str = "sim-domain";
const USER_ID: &str = "05e12a7edc1004d0b9c0ffee051a1e50";
const USER_NAME: &str = "sim-user";
const PASSWORD: &str = "sim-Password-1";

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How many CSS clusters there are.
    pub clusters: usize,
    /// How many connections each of them has at the start, and stays around.
    pub connections: usize,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// What makes the world move.
    pub pace: Pace,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
    /// The time, where it is to stand still.
    pub fixed_now: Option<jiff::Timestamp>,
}

/// What makes the world move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub async fn bind(settings: Settings) -> io::Result<Sim> {
        if !settings.listen.ip().is_loopback() {
            let message = format!("{} is not a loopback address", settings.listen);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(settings.listen).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let cloud = Arc::new(Cloud::new(&settings, base_url));
        Ok(Sim { listener, cloud, pace: settings.pace })
    }

    /// The address of every API of this cloud, without a slash at the end.
    pub fn url(&self) -> String {
        self.cloud.base_url().to_owned()
    }

    /// The access key that signs.
    pub fn access_key(&self) -> &str {
        ACCESS_KEY
    }

    /// The secret key that belongs to it.
    pub fn secret_key(&self) -> &str {
        SECRET_KEY
    }

    /// The id of the only project.
    pub fn project_id(&self) -> &str {
        PROJECT_ID
    }

    /// The region, which is also the project's name.
    pub fn region(&self) -> &str {
        REGION
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
        server::run(self.listener, self.cloud, self.pace, shutdown).await
    }
}

#[cfg(test)]
mod tests;
