//! The end of a page, rendered at each scrape because it is small: figures of the page itself, endpoint
//! services, and the exporter's own metrics.
//!
//! Further families of at most some hundred series belong here: a field of [`Sources`] to read them
//! from, and a line in [`Sources::text`] that writes them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    page::Page,
    registry, services,
    text::{Format, Lines, label},
};
use crate::{
    board::{Freshness, ServiceState},
    stats::{Definition, Kind, Stats},
};

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

/// The sources of the lines that are rendered at each scrape.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// The endpoint services.
    pub services: Arc<[Arc<ServiceState>]>,
    /// The time of the scrape.
    pub now: Timestamp,
}

impl Sources {
    /// The exporter's own metrics, and no endpoint services.
    pub fn own(stats: Arc<Stats>) -> Self {
        Self { stats, services: Arc::from([]), now: Timestamp::UNIX_EPOCH }
    }

    /// The end of a page.
    pub(super) fn text(&self, page: &Page, format: Format) -> String {
        let mut lines = Lines::new(format);
        lines.family(&TARGETS);
        for (freshness, count) in Freshness::ALL.into_iter().zip(page.targets()) {
            lines.sample(&label("state", freshness.as_str()), count);
        }
        let sum = page.sum(format);
        lines.family(&SERIES);
        lines.sample("", sum.samples);
        lines.family(&SIZE);
        lines.sample(&label("encoding", "identity"), sum.text_bytes);
        lines.sample(&label("encoding", "gzip"), sum.deflated_bytes);
        services::write(&mut lines, &self.services, self.now);
        registry::write(&mut lines, &self.stats.gather());
        lines.finish()
    }
}
