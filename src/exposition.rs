//! The page for Prometheus: a store of ready blocks.
//!
//! ```text
//! board ─► store ──► page ──► body ──► scraper
//!            │                  ▲
//!   families, blocks      live: services, registry
//! ```
//!
//! `families` is the table of all metrics about clusters, and `services` that of endpoint services; both
//! consist of `sample`s. The `store` renders and compresses the lines of neighbouring clusters as a
//! `block`, and does it again when one of these lines changes. A `page` is the list of all blocks at one
//! moment. `live` renders at each scrape the few lines that have no blocks: endpoint services and the
//! exporter's own metrics, which `registry` reads. `body` sends both as one text or one gzip member.
//! `text` writes lines.

mod block;
mod body;
pub mod families;
mod live;
mod page;
mod registry;
mod sample;
pub mod services;
mod store;
mod text;

pub use block::{Encoding, Sum};
pub use body::{PageBytes, text};
pub use families::Settings;
pub use live::{DEFINITIONS, Sources};
pub use page::Page;
pub use sample::Family;
pub use store::Store;
pub use text::Format;
