//! The composition root: builds the read side and the change side from the configuration, takes the
//! sockets before anything runs, starts everything, and ends it in order. The only module that knows
//! all others.

mod change_side;
mod error;
mod listen;
mod options;
mod projects;
mod read_side;
mod reload;
mod restore;
mod supervisor;
mod tasks;

use std::net::SocketAddr;

use tokio::sync::mpsc;

use self::{
    change_side::ChangeSide,
    read_side::ReadSide,
    reload::{Fixed, Reloader},
    tasks::Tasks,
};
pub use self::{
    error::{PartDied, StartError},
    options::{Loader, Options},
    read_side::{Collector, collector},
    supervisor::Supervisor,
};
use crate::{board::Board, config::Config, public::ReloadHandle};

/// Requests for a reload that may wait for the one under way; more are refused with 503.
const RELOAD_QUEUE: usize = 16;

/// The daemon, bound but not running.
pub struct App {
    read: ReadSide,
    change: Option<ChangeSide>,
    reloader: Reloader,
    reload: ReloadHandle,
    supervisor: Option<Supervisor>,
}

impl App {
    /// Builds everything and takes the sockets. Nothing runs yet.
    ///
    /// # Errors
    /// An address, a state file or an audit log that cannot be used, or a TLS backend that cannot start.
    pub async fn bind(mut config: Config, options: Options) -> Result<Self, StartError> {
        let fixed = Fixed::of(&config);
        let (sender, requests) = mpsc::channel(RELOAD_QUEUE);
        let reload = ReloadHandle::new(sender);
        let by_http = options.lifecycle.then(|| reload.clone());
        let (read, read_controls) = ReadSide::bind(&mut config, &options, by_http).await?;
        let projects = read_controls.for_changes();
        let change = ChangeSide::bind(&mut config, &options, &read, projects).await?;
        let (change, change_controls) = change.unzip();
        let load = options.load;
        let reloader =
            Reloader { load, requests, fixed, read: read_controls, change: change_controls };
        Ok(Self { read, change, reloader, reload, supervisor: None })
    }

    /// Reports the state of the daemon to a supervisor.
    #[must_use]
    pub fn supervised_by(self, supervisor: Option<Supervisor>) -> Self {
        Self { supervisor, ..self }
    }

    /// The address of the public listener.
    pub fn public_address(&self) -> SocketAddr {
        self.read.address()
    }

    /// The address of the admin listener, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.change.as_ref().map(ChangeSide::address)
    }

    /// The state of the clusters.
    pub fn board(&self) -> Board {
        self.read.shared.board.clone()
    }

    /// Requests reloads.
    pub fn reload_handle(&self) -> ReloadHandle {
        self.reload.clone()
    }

    /// Runs until `shutdown` is ready; then stops polling, lets answers under way end and keeps the
    /// state.
    ///
    /// # Errors
    /// If a task ends before that: running on without it would be a silent failure.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), PartDied> {
        let Self { read, change, reloader, supervisor, .. } = self;
        let (address, readiness, polls) =
            (read.address(), read.readiness.clone(), read.polls.clone());
        let mut tasks = Tasks::default();
        read.spawn(&mut tasks);
        if let Some(change) = change {
            change.spawn(&mut tasks);
        }
        tasks.work.spawn("reloader", |stop| reloader.run(stop));
        if let Some(supervisor) = &supervisor {
            supervisor.ready(address).await;
            if let Some(beats) = supervisor.watchdog(polls) {
                tasks.work.spawn("watchdog", |stop| supervisor::until(stop, beats));
            }
        }
        let early = tokio::select! {
            () = shutdown => None,
            name = tasks.first_ended() => Some(name),
        };
        readiness.close();
        if let Some(supervisor) = &supervisor {
            supervisor.stopping().await;
        }
        tasks.end().await;
        early.map_or(Ok(()), |name| Err(PartDied(name)))
    }
}
