//! Named faults: mistakes and oddities of the cloud, on demand.

mod active;
pub(super) mod content;
mod fault;
mod kind;
mod service;
pub(super) mod transport;

pub use self::fault::Fault;
pub(super) use self::{
    active::{ActiveFaults, Hits},
    kind::{Group, Kind},
};
