//! The page for Prometheus: a pure function of the board's snapshot, the exporter's own metrics and
//! the time. It waits for nothing and calls nobody.
//!
//! `families` names every data metric and says when it is present, `services` those of endpoint
//! services; `gathered` knows the exporter's
//! own metrics; `text` writes lines.

pub mod families;
mod gathered;
pub mod services;
mod text;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use self::{
    families::{FAMILIES, View},
    text::Page,
};
use crate::{
    board::{Freshness, ServiceState, Snapshot},
    stats::{Definition, Kind, Stats},
};

/// The formats of the page. Both carry the same samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text004,
    /// OpenMetrics 1.0.0.
    OpenMetrics100,
}

impl Format {
    /// The media type of a page in this format.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics100 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What decides which data are shown.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Older data leave the page.
    pub stale_after: Duration,
    /// Whether connections have series of their own.
    pub per_connection: bool,
    /// A cluster with more connections has only its per-cluster series.
    pub per_connection_limit: usize,
}

const TARGETS: Definition = Definition {
    name: "css_vpcep_exporter_targets",
    kind: Kind::Gauge,
    labels: &["state"],
    help: "Configured clusters by the state of their data: fresh (last poll succeeded), failing (last poll failed, older data shown), stale (too old, not shown), never (no poll succeeded yet).",
};

const SERIES: Definition = Definition {
    name: "css_vpcep_exporter_exposition_series",
    kind: Kind::Gauge,
    labels: &[],
    help: "Series about clusters on this page.",
};

const SIZE: Definition = Definition {
    name: "css_vpcep_exporter_exposition_size_bytes",
    kind: Kind::Gauge,
    labels: &["encoding"],
    help: "Size of the part of this page that is about clusters.",
};

/// The metrics that describe the page itself.
pub const DEFINITIONS: [Definition; 3] = [TARGETS, SERIES, SIZE];

/// The whole page.
pub fn render(
    format: Format,
    snapshot: &Snapshot,
    services: &[Arc<ServiceState>],
    settings: &Settings,
    stats: &Stats,
    now: Timestamp,
) -> String {
    let mut page = Page::new(format);
    write_data(&mut page, snapshot, settings, now);
    let (series, size) = (page.samples(), page.text().len());
    write_targets(&mut page, snapshot, settings, now);
    page.family(&SERIES);
    page.sample("", series);
    page.family(&SIZE);
    page.sample(r#"encoding="identity""#, size);
    services::write(&mut page, services, now);
    gathered::write(&mut page, &stats.gather());
    page.finish()
}

fn write_data(page: &mut Page, snapshot: &Snapshot, settings: &Settings, now: Timestamp) {
    let views: Vec<_> =
        snapshot.clusters().iter().map(|state| View::new(state, settings, now)).collect();
    for family in FAMILIES {
        page.family(&family.definition);
        for view in &views {
            (family.write)(view, page);
        }
    }
}

fn write_targets(page: &mut Page, snapshot: &Snapshot, settings: &Settings, now: Timestamp) {
    page.family(&TARGETS);
    for freshness in Freshness::ALL {
        let count = snapshot
            .clusters()
            .iter()
            .filter(|state| state.freshness(now, settings.stale_after) == freshness)
            .count();
        page.sample(&text::label("state", freshness.as_str()), count);
    }
}
