//! A request that was let in, as the operations see it.

use jiff::Timestamp;

use crate::sim::{operations::Route, query::Query};

#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) route: Route<'a>,
    pub(super) query: Query,
    pub(super) body: &'a [u8],
    pub(super) now: Timestamp,
    /// Since the simulator started.
    pub(super) now_ms: u64,
    /// The cloud's address, without a slash at the end.
    pub(super) base_url: &'a str,
}

impl Request<'_> {
    /// The id in the path of an operation on a cluster.
    pub(super) fn cluster(&self) -> &str {
        self.route.cluster.unwrap_or_default()
    }

    /// The id in the path of an operation on an endpoint service.
    pub(super) fn service(&self) -> &str {
        self.route.service.unwrap_or_default()
    }
}
