//! What is rendered anew for every scrape, because it is small: the page's own figures, endpoint
//! services and the exporter's own metrics.
//!
//! Further families of at most some hundred series belong here: a field of [`Small`] for their
//! source, a field of [`Gathered`] for what it says at the moment of the scrape, and a line in
//! [`Gathered::text`] that writes it.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus::proto::MetricFamily;

use super::{
    Format, gathered, services,
    store::Page,
    text::{Lines, label},
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

/// Where the small families come from.
#[derive(Clone, Debug)]
pub struct Small {
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
    /// The endpoint services.
    pub services: Arc<[Arc<ServiceState>]>,
    /// When the page is for.
    pub now: Timestamp,
}

/// How large the part of a page about clusters is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Samples.
    pub series: usize,
    /// Bytes of text, with the headers of the families.
    pub identity_bytes: usize,
    /// The same in gzip.
    pub gzip_bytes: usize,
}

impl Page {
    /// How large the part about clusters is, once all blocks are made.
    pub fn size(&self, format: Format) -> Option<Size> {
        let whole = self.whole(format)?;
        Some(Size {
            series: whole.lines,
            identity_bytes: whole.text.bytes(),
            gzip_bytes: whole.deflated_bytes,
        })
    }
}

/// The small families as they are at the moment of a scrape.
#[derive(Debug)]
pub(super) struct Gathered {
    own: Vec<MetricFamily>,
    services: Arc<[Arc<ServiceState>]>,
    now: Timestamp,
}

impl Small {
    /// The exporter's own metrics, and no endpoint services.
    pub fn own(stats: Arc<Stats>) -> Self {
        Self { stats, services: Arc::from([]), now: Timestamp::UNIX_EPOCH }
    }

    pub(super) fn gather(&self) -> Gathered {
        Gathered { own: self.stats.gather(), services: self.services.clone(), now: self.now }
    }
}

impl Gathered {
    /// The end of a page, whose blocks are all made.
    pub(super) fn text(&self, page: &Page, format: Format) -> String {
        let mut lines = Lines::new(format);
        lines.family(&TARGETS);
        for (freshness, count) in Freshness::ALL.into_iter().zip(page.targets()) {
            lines.sample(&label("state", freshness.as_str()), count);
        }
        let size = page.size(format).unwrap_or_default();
        lines.family(&SERIES);
        lines.sample("", size.series);
        lines.family(&SIZE);
        lines.sample(&label("encoding", "identity"), size.identity_bytes);
        lines.sample(&label("encoding", "gzip"), size.gzip_bytes);
        services::write(&mut lines, &self.services, self.now);
        gathered::write(&mut lines, &self.own);
        lines.finish()
    }
}
