//! The surroundings of every change: the parts of the exporter that it uses, and its times.

use std::{collections::HashMap, sync::Arc};

use super::Timings;
use crate::{
    board::{ServiceBoard, ServiceMeta},
    clock::Clock,
    pacing::Pacer,
    stats::Stats,
};

/// Asks for a poll of the clusters behind a service; it must not wait.
pub type PollBehind = Box<dyn Fn(&ServiceMeta) + Send + Sync>;

/// The cloud of a project, with the rate limit that changes keep to.
#[derive(Debug)]
pub struct PacedCloud<C> {
    /// The client of VPCEP.
    pub cloud: Arc<C>,
    /// The rate limit of VPCEP.
    pub pacer: Pacer,
}

impl<C> Clone for PacedCloud<C> {
    fn clone(&self) -> Self {
        Self { cloud: self.cloud.clone(), pacer: self.pacer.clone() }
    }
}

/// The clouds by the configured names of their projects.
pub type Projects<C> = Arc<HashMap<Arc<str>, PacedCloud<C>>>;

/// The parts of the exporter that all changes share.
pub struct Env<R> {
    /// The services that may be changed.
    pub board: ServiceBoard,
    /// The audit log.
    pub recorder: R,
    /// The wall clock.
    pub clock: Clock,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// Asks for the polls that follow a change.
    pub poll_behind: PollBehind,
    /// The limits of the steps.
    pub timings: Timings,
}
