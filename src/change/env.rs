//! The surroundings of every change: the parts of the exporter that it uses, and its times.

use std::{collections::HashMap, sync::Arc};

use super::Timings;
use crate::{
    board::{Board, ServiceBoard},
    clock::Clock,
    model::ClusterId,
    pacing::Pacer,
    stats::Stats,
};

/// Asks for polls of clusters; it must not wait.
pub type PollSoon = Box<dyn Fn(Vec<ClusterId>) + Send + Sync>;

/// The cloud of a project, with the rate limits that changes keep to.
#[derive(Debug)]
pub struct PacedCloud<C> {
    /// The client.
    pub cloud: Arc<C>,
    /// The rate limit of VPCEP.
    pub vpcep: Pacer,
    /// The rate limit of CSS.
    pub css: Pacer,
}

impl<C> Clone for PacedCloud<C> {
    fn clone(&self) -> Self {
        Self { cloud: self.cloud.clone(), vpcep: self.vpcep.clone(), css: self.css.clone() }
    }
}

/// The clouds by the configured names of their projects.
pub type Projects<C> = Arc<HashMap<Arc<str>, PacedCloud<C>>>;

/// The parts of the exporter that all changes share.
pub struct Env<R> {
    /// The services that may be changed.
    pub services: ServiceBoard,
    /// The clusters whose connections may be accepted and rejected.
    pub clusters: Board,
    /// The audit log.
    pub recorder: R,
    /// The wall clock.
    pub clock: Clock,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// Asks for the polls that follow a change.
    pub poll_soon: PollSoon,
    /// The limits of the steps.
    pub timings: Timings,
}
