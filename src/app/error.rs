//! The errors with which the daemon fails to start or stops.

use std::fmt;

/// A task ended that should have run as long as the process.
#[derive(Debug)]
pub struct PartDied(pub(super) &'static str);

impl fmt::Display for PartDied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} ended by itself, which is a fault of the exporter", self.0)
    }
}

impl std::error::Error for PartDied {}

/// The reason why the daemon does not start.
#[derive(Debug)]
pub enum StartError {
    /// Something that the configuration names cannot be used.
    Configuration(String),
    /// The machine lacks something: an address, a TLS backend.
    Machine(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text) | Self::Machine(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}
