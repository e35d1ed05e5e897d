//! A request that was let in, as the operations see it.

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::{
    faults::Hits,
    operations::Route,
    query::Query,
    reply::Reply,
    signature::{Received, only_value},
};

/// The answer to a request. Both kinds of reply are sent; a refusal ends the work on the request.
pub(super) type Answer = Result<Reply, Reply>;

#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) route: Route<'a>,
    pub(super) query: Query,
    pub(super) received: &'a Received<'a>,
    /// The faults that strike it, except for those of changes.
    pub(super) hits: Hits,
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

    /// The value of a header that occurs exactly once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        only_value(self.received.headers, name)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.received.body).ok()
    }
}

/// True if a text is a UUID in lower case.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
