//! A cloud, as the daemon sees it: traits of operations, and the error of one that failed.
//!
//! Nothing here knows which cloud it is. The real one is `huawei`; tests of the scheduler use one
//! in memory, under a paused clock.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    future::Future,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    label::{self, labels},
    model::{
        ClusterId, ClusterList, ConnectionList, Decision, EndpointId, EndpointService,
        ServiceFields, ServiceId,
    },
    pacing::{Priority, Token},
};

/// The operations on the clusters of one project.
pub trait Cloud: Send + Sync + 'static {
    /// Reads all connections of a cluster: whole, or not at all.
    fn connections(
        &self,
        cluster: &ClusterId,
        budget: Budget,
    ) -> impl Future<Output = Traced<Arc<ConnectionList>>> + Send;

    /// Forgets what came of clusters that are not among these.
    fn keep_only(&self, _: &HashSet<&ClusterId>) {}
}

/// The list of the clusters of one project.
pub trait Directory: Send + Sync + 'static {
    /// Reads the list. One that is not whole says so.
    fn clusters(&self, budget: Budget) -> impl Future<Output = Traced<ClusterList>> + Send;
}

/// The decisions about the connections of one project's clusters.
pub trait Decisions: Cloud {
    /// Accepts or rejects connections of a cluster. It is sent once, and never again, like
    /// [`Services::update_service`].
    fn decide(
        &self,
        cluster: &ClusterId,
        decision: Decision,
        connections: &[EndpointId],
        budget: Budget,
    ) -> impl Future<Output = Traced<()>> + Send;
}

/// The operations on the endpoint services of one project.
pub trait Services: Send + Sync + 'static {
    /// Reads one endpoint service.
    fn service(
        &self,
        service: &ServiceId,
        budget: Budget,
    ) -> impl Future<Output = Traced<EndpointService>> + Send;

    /// Reads several endpoint services in as few requests as the API allows.
    fn services(
        &self,
        wanted: &[ServiceId],
        budget: Budget,
    ) -> impl Future<Output = Traced<Listed>> + Send;

    /// Sends a change of an endpoint service: once, and never again. Success means that the cloud
    /// said so; what it did is only known by reading the service. [`CloudError::fate_of_write`] says
    /// what a failure means.
    fn update_service(
        &self,
        service: &ServiceId,
        update: &ServiceFields,
        budget: Budget,
    ) -> impl Future<Output = Traced<()>> + Send;
}

/// A result for each endpoint service, in the order of the request: the service, or why it cannot be
/// shown.
pub type Listed = Vec<Result<EndpointService, CloudError>>;

/// The clouds by the configured names of their projects.
pub type Clouds<C> = Arc<HashMap<Arc<str>, C>>;

/// The fate of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was sent.
    NotSent,
    /// The cloud refused it, so it did nothing.
    Refused,
    /// It was sent, and its outcome is unknown.
    Unknown,
}

/// The time and the token that one operation may use.
#[derive(Debug)]
pub struct Budget {
    /// The operation ends by then, one way or the other.
    pub deadline: Instant,
    /// The token for the first request, drawn before the operation began.
    pub first_token: Option<Token>,
    /// Decides in which order further tokens are drawn.
    pub priority: Priority,
}

/// The result of an operation, and what it took.
#[derive(Debug)]
pub struct Traced<T> {
    /// The result.
    pub result: Result<T, CloudError>,
    /// The requests that it took.
    pub trace: Trace,
}

/// The requests of an operation, for the eyes of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Pages that were read.
    pub pages: u32,
    /// Requests that were sent, retries included.
    pub requests: u32,
    /// Requests that were sent again after a failure.
    pub retries: u32,
    /// The cloud's ids of the last requests, oldest first, at most [`Trace::MAX_REQUEST_IDS`].
    pub request_ids: Vec<String>,
}

impl Trace {
    /// A poll of the usual size has one or two requests; the rest only matters when it fails.
    pub const MAX_REQUEST_IDS: usize = 8;

    /// Keeps a request id, forgetting the oldest one beyond the limit.
    pub fn push_request_id(&mut self, id: &str) {
        if self.request_ids.len() == Self::MAX_REQUEST_IDS {
            self.request_ids.remove(0);
        }
        self.request_ids.push(id.to_owned());
    }
}

labels! {
    /// The reason of a failure: the closed list that is a label of the failure counter.
    pub enum Reason {
        /// The host name could not be resolved.
        Dns = "dns",
        /// No connection could be made, or not in time.
        Connect = "connect",
        /// The TLS handshake failed.
        Tls = "tls",
        /// No whole answer came in time.
        Timeout = "timeout",
        /// The connection was closed or reset before the answer was whole.
        Reset = "reset",
        /// The answer was a redirection, which is never followed.
        Redirect = "redirect",
        /// The cloud refused the credentials.
        Auth = "auth",
        /// The cloud refused the signature because the clocks differ.
        ClockSkew = "clock_skew",
        /// The credentials may not do this.
        Forbidden = "forbidden",
        /// The resource does not exist, or not in this project.
        NotFound = "not_found",
        /// The cloud asks to call less often.
        Throttled = "throttled",
        /// Any other refusal of the request.
        Http4xx = "http_4xx",
        /// A failure inside the cloud.
        Http5xx = "http_5xx",
        /// The answer was larger than any true one.
        TooLarge = "too_large",
        /// The answer was not JSON.
        BadJson = "bad_json",
        /// The answer was JSON, but not the documented one.
        BadShape = "bad_shape",
        /// A fault of the exporter.
        Internal = "internal",
    }
}

impl Reason {
    /// The refusal that follows from the reason alone.
    const fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::Redirect => Refusal::Redirected,
            Self::Auth => Refusal::Credentials,
            Self::ClockSkew => Refusal::ClockSkew,
            Self::Forbidden => Refusal::Forbidden,
            Self::NotFound => Refusal::Missing,
            Self::Throttled => Refusal::Throttled,
            _ => return None,
        })
    }

    /// Returns true if a read that failed so may be tried again at once. A timeout is not tried again:
    /// one try may take all the time there is, and more requests do not make a slow cloud faster.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Reset | Self::Throttled | Self::Http5xx)
    }
}

/// The reason of a refusal, in words that are ours: callers act on it, and only the client of the cloud
/// knows the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is called too often.
    Throttled,
    /// The clocks differ.
    ClockSkew,
    /// It does not accept the credentials.
    Credentials,
    /// The credentials may not do this.
    Forbidden,
    /// The resource is elsewhere.
    Redirected,
    /// The address is not that of the service.
    WrongEndpoint,
    /// The resource does not exist.
    Missing,
    /// Something else stands in the way: another resource, or another change.
    Conflict,
    /// The resource is in a state that does not allow it now.
    State,
    /// The request asks for something that is not valid.
    Invalid,
}

/// A failed operation, with what the cloud said of it. Every text is capped and free of control
/// characters, and none holds a URL, a header or a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudError {
    /// The bounded reason.
    #[serde(with = "label::serde")]
    pub reason: Reason,
    /// The HTTP status, where an answer came.
    pub status: Option<u16>,
    /// The cloud's refusal; `None`: it did not refuse the request, or never saw it.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
    /// The cloud's own error code, such as `APIGW.0308`.
    pub code: Option<String>,
    /// The failure, in a sentence.
    pub message: String,
    /// The cloud's id of the request.
    pub request_id: Option<String>,
    /// The wait that the cloud requested.
    pub retry_after: Option<Duration>,
    /// No part of the request can have been sent: no connection was made, or there were no credentials to
    /// send it with.
    #[serde(skip)]
    pub never_sent: bool,
    /// Our own rate limit did not admit the request in time: the cloud was not asked.
    #[serde(skip)]
    pub own_limit: bool,
    /// During back-off: the moment at which the credentials are tried again. The other fields are then
    /// those of the refusal that caused the back-off.
    #[serde(skip)]
    pub retry_at: Option<Timestamp>,
}

impl CloudError {
    /// An error that is known by its reason and a sentence only.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            status: None,
            refusal: reason.refusal(),
            code: None,
            message: message.into(),
            request_id: None,
            retry_after: None,
            never_sent: false,
            own_limit: false,
            retry_at: None,
        }
    }

    /// This error, as the error of a request that was not sent because of it.
    #[must_use]
    pub fn unsent(self) -> Self {
        Self { never_sent: true, ..self }
    }

    /// The error of a request for which the rate limit left no turn in its time: it was not sent.
    pub fn no_turn() -> Self {
        let message = "the exporter's own rate limit (rate_limit in its configuration) did not admit the request in time";
        Self { own_limit: true, ..Self::new(Reason::Timeout, message).unsent() }
    }

    /// The fate of a write that failed with this error, after all the requests of `trace`. These include
    /// requests before the write, for a token or a project id.
    pub fn fate_of_write(&self, trace: &Trace) -> Fate {
        match self.status {
            _ if trace.requests == 0 || self.never_sent => Fate::NotSent,
            Some(300..=499) => Fate::Refused,
            _ => Fate::Unknown,
        }
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status}")?;
            if let Some(code) = &self.code {
                write!(f, ", {code}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl std::error::Error for CloudError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_or_never_sent_is_known_to_have_done_nothing() {
        let sent = Trace { requests: 1, ..Trace::default() };
        let failed = |reason, status, never_sent| CloudError {
            status,
            never_sent,
            ..CloudError::new(reason, "")
        };
        let cases = [
            (failed(Reason::Timeout, None, false), &Trace::default(), Fate::NotSent),
            (failed(Reason::Connect, None, true), &sent, Fate::NotSent),
            (failed(Reason::Timeout, None, true), &sent, Fate::NotSent),
            (failed(Reason::Timeout, None, false), &sent, Fate::Unknown),
            (failed(Reason::Reset, None, false), &sent, Fate::Unknown),
            (failed(Reason::Reset, Some(200), false), &sent, Fate::Unknown),
            (failed(Reason::Redirect, Some(307), false), &sent, Fate::Refused),
            (failed(Reason::Http4xx, Some(400), false), &sent, Fate::Refused),
            (failed(Reason::Throttled, Some(429), false), &sent, Fate::Refused),
            (failed(Reason::Http5xx, Some(500), false), &sent, Fate::Unknown),
            (failed(Reason::Http5xx, Some(504), false), &sent, Fate::Unknown),
            // Credentials in back-off: nothing was sent, whatever refusal caused the back-off.
            (failed(Reason::Auth, Some(401), false), &Trace::default(), Fate::NotSent),
            (failed(Reason::Auth, Some(401), true), &sent, Fate::NotSent),
            // No token for the write, because IAM failed.
            (failed(Reason::Http5xx, Some(500), true), &sent, Fate::NotSent),
            // No turn for the write; the request before it was for a token, or was refused for one.
            (CloudError::no_turn(), &sent, Fate::NotSent),
        ];
        for (error, trace, fate) in cases {
            assert_eq!(error.fate_of_write(trace), fate, "{error:?}");
        }
    }
}
