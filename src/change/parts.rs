//! What the engine is made of.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::watch;

use crate::{
    audit,
    board::{ServiceBoard, ServiceMeta},
    clock::Clock,
    pacing::Pacer,
    stats::Stats,
};

/// Asks for a poll of the clusters behind a service; it must not wait.
pub type PollBehind = Box<dyn Fn(&ServiceMeta) + Send + Sync>;

/// A project as changes see it.
#[derive(Debug)]
pub struct Project<C> {
    /// What is asked.
    pub cloud: Arc<C>,
    /// The rate limit of VPCEP; the pace of changes too.
    pub pacer: Pacer,
}

impl<C> Clone for Project<C> {
    fn clone(&self) -> Self {
        Self { cloud: self.cloud.clone(), pacer: self.pacer.clone() }
    }
}

/// The projects by their configured names.
pub type Projects<C> = Arc<HashMap<Arc<str>, Project<C>>>;

/// What the engine is made of.
pub struct Parts<C, R> {
    /// The projects in force; a reload gives new ones.
    pub projects: watch::Receiver<Projects<C>>,
    /// The services that may be changed.
    pub board: ServiceBoard,
    /// Where changes are recorded.
    pub recorder: R,
    /// The wall clock.
    pub clock: Clock,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// What follows a change.
    pub poll_behind: PollBehind,
    /// The recorded intents that have no outcome: the exporter died in between.
    pub dangling: Vec<audit::Record>,
}
