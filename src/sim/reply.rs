//! An answer of the cloud, before the server adds its headers.

use std::time::Duration;

use serde_json::Value;

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html;charset=utf-8";
pub(super) const TEXT: &str = "text/plain;charset=utf-8";

/// Stands in a body for the request id, which is known only when the answer is sent.
pub(super) const REQUEST_ID: &str = "@request-id@";

/// An answer, and how it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// True if the body repeats the request id, as gateway errors do.
    pub(super) names_request: bool,
    pub(super) delay: Duration,
    pub(super) fate: Fate,
}

/// The fate of an answer on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Sent whole.
    Sent,
    /// Never sent; the connection stays open.
    Hangs,
    /// Never sent; the connection is closed.
    Resets,
    /// Ends before the announced length.
    CutShort,
    /// Ends inside a chunked body.
    CutInChunks,
    /// Sent byte by byte.
    Drips,
    /// Replaced by a body of 20 MiB.
    Huge,
}

impl Reply {
    /// An answer with a body of this kind.
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            names_request: false,
            delay: Duration::ZERO,
            fate: Fate::Sent,
        }
    }

    /// An answer with a JSON body.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, JSON, body.to_string())
    }

    /// The answer with one more header.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// True if an answer is meant to be sent at all.
    pub(super) fn is_sent(&self) -> bool {
        !matches!(self.fate, Fate::Hangs | Fate::Resets)
    }

    /// The body, with the request id if it names it.
    pub(super) fn into_body(self, request_id: &str) -> Vec<u8> {
        if !self.names_request {
            return self.body;
        }
        String::from_utf8_lossy(&self.body).replace(REQUEST_ID, request_id).into_bytes()
    }
}
