//! The parts that the public routes read.

use std::sync::Arc;

use tokio::sync::watch;

use super::events::Events;
use crate::{
    board::{Board, ServiceBoard},
    clock::Clock,
    exposition::{self, Store},
    stats::Stats,
};

/// The parts that the handlers read. Clones share them.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The newest observation of every cluster.
    pub board: Board,
    /// The newest reading of every endpoint service.
    pub services: ServiceBoard,
    /// The pages for Prometheus. [`keep_pages_made`] has them ready before a scrape.
    ///
    /// [`keep_pages_made`]: super::keep_pages_made
    pub pages: Store,
    /// The events of the board. [`follow_board`] adds to them.
    ///
    /// [`follow_board`]: super::follow_board
    pub events: Events,
    /// The settings that a reload may change.
    pub live: watch::Receiver<Live>,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// The date.
    pub clock: Clock,
}

/// The settings of the pages that a reload may change.
#[derive(Clone, Debug)]
pub struct Live {
    exposition: exposition::Settings,
    effective: Arc<str>,
}

impl Live {
    /// The settings of the exposition, and the effective configuration without its secrets.
    pub fn of(exposition: &exposition::Settings, effective: String) -> Self {
        Self { exposition: *exposition, effective: effective.into() }
    }
}

impl Shared {
    pub(super) fn settings(&self) -> exposition::Settings {
        self.live.borrow().exposition
    }

    pub(super) fn effective_configuration(&self) -> Arc<str> {
        self.live.borrow().effective.clone()
    }
}
