//! The page for Prometheus: a pure function of the board's snapshot, the exporter's own metrics and
//! the time. It waits for nothing and calls nobody.
//!
//! `families` names every data metric and says when it is present; `text` writes lines.

pub mod families;
mod text;

use std::time::Duration;

use jiff::Timestamp;
use prometheus::TextEncoder;

use self::{
    families::{FAMILIES, View},
    text::Page,
};
use crate::{
    board::{Freshness, Snapshot},
    stats::{Definition, Kind, Stats},
};

/// The media type of the page.
pub const TEXT_0_0_4: &str = "text/plain; version=0.0.4; charset=utf-8";

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

/// The whole page in text format 0.0.4.
///
/// # Errors
/// When the exporter's own metrics cannot be encoded, which is a fault of the exporter.
pub fn page(
    snapshot: &Snapshot,
    settings: &Settings,
    stats: &Stats,
    now: Timestamp,
) -> Result<String, prometheus::Error> {
    let mut page = Page::default();
    write_data(&mut page, snapshot, settings, now);
    let (series, size) = (page.samples(), page.text().len());
    write_targets(&mut page, snapshot, settings, now);
    page.family(&SERIES);
    page.sample("", series);
    page.family(&SIZE);
    page.sample(r#"encoding="identity""#, size);
    let mut text = page.into_text();
    TextEncoder::new().encode_utf8(&stats.gather(), &mut text)?;
    Ok(text)
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
