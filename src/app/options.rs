//! The start of the daemon, apart from its configuration.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    change::Timings,
    clock::Clock,
    config::{Config, ConfigError},
};

/// Reads the configuration again. It blocks.
pub type Loader = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Settings that come from the process rather than from the configuration; tests choose their own.
pub struct Options {
    /// Addresses of the public listener; the first one that is free is used.
    pub listen: Vec<SocketAddr>,
    /// Another address for the admin listener, in case the configured one is taken.
    pub admin_fallback: Option<SocketAddr>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// Accept reloads through `/-/reload`.
    pub lifecycle: bool,
    /// Reads the configuration again.
    pub load: Loader,
    /// The address of the ECS metadata service.
    pub metadata_url: String,
    /// The date.
    pub clock: Clock,
    /// The limits of a change's steps.
    pub changes: Timings,
}
