//! The parts that the public routes read.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    board::{Board, ServiceBoard},
    clock::Clock,
    exposition::{self, Store},
    stats::Stats,
};

/// What the handlers read. Clones share it.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where all clusters stand.
    pub board: Board,
    /// Where all endpoint services stand.
    pub services: ServiceBoard,
    /// The pages for Prometheus. [`keep_pages_made`] has them ready before a scrape.
    pub pages: Store,
    /// What a reload may change.
    pub live: watch::Receiver<Live>,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// The date.
    pub clock: Clock,
}

/// What a reload of the configuration may change of the pages.
#[derive(Clone, Debug)]
pub struct Live {
    exposition: exposition::Settings,
    effective: Arc<str>,
}

impl Live {
    /// What is shown and for how long, and the effective configuration without its secrets.
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
