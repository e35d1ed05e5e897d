//! The page for Prometheus: a store of ready blocks.
//!
//! The lines of a cluster are rendered and compressed when what they say changes, not when they are
//! scraped. `families` names every data metric and `samples` says where its samples come from;
//! `view` knows what is shown of a cluster, and until when; `groups` decides which clusters share a
//! `block`, and `runs` keep neighbouring blocks together. `store` makes each page from the one before;
//! `frames` are a page on its way out, joined with what is `small` and rendered for every scrape
//! (`services`: endpoint services; `gathered`: the exporter's own metrics). `gzip` is what lies around
//! the joined blocks, with a `checksum` that is joined as they are. `text` writes lines.

mod block;
mod checksum;
pub mod families;
mod frames;
mod gathered;
mod groups;
mod gzip;
mod runs;
mod samples;
pub mod services;
mod small;
mod store;
mod text;
mod view;

use std::{sync::Arc, time::Duration};

pub use frames::{Encoding, Frames};
pub use small::{DEFINITIONS, Size, Small};
pub use store::{Page, Store};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Older data leave the page.
    pub stale_after: Duration,
    /// Whether connections have series of their own.
    pub per_connection: bool,
    /// A cluster with more connections has only its per-cluster series.
    pub per_connection_limit: usize,
}

/// A whole page as one text, for whoever needs it once.
pub fn text(page: Arc<Page>, small: &Small, format: Format) -> String {
    page.make();
    let pieces: Vec<_> = Frames::new(page, small, format, Encoding::Identity).collect();
    String::from_utf8_lossy(&pieces.concat()).into_owned()
}
