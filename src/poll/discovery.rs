//! Discovery: reads the list of each project's clusters, so that no one writes their ids.
//!
//! The clusters of the lists are polled beside those of the configuration, which wins where both name
//! one. `known` is the pure part: how a list changes what is known, which never takes data away lightly.
//! `fleet` has all projects and puts together what is polled. The task here reads the lists in their time,
//! takes other configurations, and hands every change to the scheduler.

mod fleet;
mod known;
pub(super) mod settings;

use std::{future::Future, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{handle::RosterHandle, schedule::sleep_until};
use crate::cloud::{Cloud, Directory};

pub use self::{
    fleet::{Fleet, Found, Polled},
    settings::DiscoverySettings,
};

/// The reader of lists, ready to run.
pub struct Discovery<C> {
    fleet: Fleet<C>,
    roster: RosterHandle<C>,
    configurations: mpsc::Receiver<NewConfiguration<C>>,
    /// Held until every list was tried once.
    first_lists: Option<Arc<()>>,
}

/// Gives discovery, and through it the scheduler, another configuration.
#[derive(Debug)]
pub struct DiscoveryHandle<C>(mpsc::Sender<NewConfiguration<C>>);

#[derive(Debug)]
struct NewConfiguration<C> {
    configured: Polled<C>,
    taken: oneshot::Sender<()>,
}

impl<C> DiscoveryHandle<C> {
    /// Polls what is configured now, and what was discovered, and returns once that is in effect.
    pub async fn replace(&self, configured: Polled<C>) {
        let (taken, is_taken) = oneshot::channel();
        // Discovery that has ended polls nothing any more, which is as good.
        let _ = self.0.send(NewConfiguration { configured, taken }).await;
        let _ = is_taken.await;
    }
}

impl<C: Cloud + Directory + Clone> Discovery<C> {
    /// Hands what it finds to the scheduler of `roster`. `first_lists` is dropped when every list was
    /// tried once.
    pub fn new(
        fleet: Fleet<C>,
        roster: RosterHandle<C>,
        first_lists: Arc<()>,
    ) -> (Self, DiscoveryHandle<C>) {
        let (sender, configurations) = mpsc::channel(1);
        let first_lists = Some(first_lists);
        (Self { fleet, roster, configurations, first_lists }, DiscoveryHandle(sender))
    }

    /// Reads lists until `shutdown` is ready; then gives up those under way and ends.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            if self.fleet.has_tried_all() {
                self.first_lists = None;
            }
            let next_due = self.fleet.next_due();
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = self.fleet.next_end() => {
                    if self.fleet.ended(ended) {
                        self.publish().await;
                    }
                }
                Some(NewConfiguration { configured, taken }) = self.configurations.recv() => {
                    self.fleet.replace(configured);
                    self.publish().await;
                    // The caller may have given up.
                    let _ = taken.send(());
                }
                () = sleep_until(next_due) => self.fleet.start_due(),
            }
        }
        self.fleet.shutdown().await;
    }

    async fn publish(&self) {
        let Polled { targets, clusters } = self.fleet.polled();
        self.roster.replace(targets, clusters).await;
    }
}
