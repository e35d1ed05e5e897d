//! Named faults: mistakes and oddities of the cloud, on demand.

pub(super) mod active;
pub(super) mod content;
pub(super) mod fault;
pub(super) mod kind;
pub(super) mod service;
pub(super) mod transport;
