//! The exchange of one request with the cloud: signing, deadlines, byte caps, retries.
//!
//! This is the only place that retries (reads, and asking for a token, which may be done twice; a
//! change never is), and the only one that knows reqwest's traps: it follows no redirection, takes no
//! proxy but the configured one, asks for no compression, and reads no body without a cap.

mod classify;
mod failure;
mod platform;
mod recorder;
mod redaction;
mod request;
mod resolver;
mod skew;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use reqwest::{
    StatusCode,
    header::{CONTENT_ENCODING, HeaderMap},
};
use tokio::time::Instant;

use self::{classify::classify, failure::CONNECT_TIMEOUT, resolver::Resolver, skew::Skew};
use super::{
    auth::Auth, codes, effort::Effort, key_check::KeyCheck, network::Network, operation::Operation,
    wire,
};
use crate::{
    clock::Clock,
    cloud::{Budget, CloudError, Reason},
    pacing::Token,
    secret::Secret,
    stats::{ApiRequest, Stats},
    text::shown,
};

pub(super) use self::platform::{PlatformAnswer, PlatformRequest};
pub use self::{
    recorder::{Recorder, Recording},
    redaction::Redaction,
    request::Request,
};

/// A full page of 1,000 connections has about 225 KB.
const LARGEST_BODY: usize = 8 * 1024 * 1024;
/// Rule 6 of the collection.
const MAX_TRIES: u32 = 3;
/// Full jitter between nothing and this, doubled for each further try.
const BACKOFF: Duration = Duration::from_millis(400);
const USER_AGENT: &str = concat!("css-vpcep-exporter/", env!("CARGO_PKG_VERSION"));
/// Idle connections are closed before a gateway's usual 60 s, so that none is used as it closes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The connections to the cloud on one way through the network, shared by the projects that go it.
#[derive(Debug)]
pub struct Transport {
    /// Or why it cannot start, which the configuration has found out before.
    http: Result<reqwest::Client, String>,
    shared: Arc<Shared>,
}

/// The settings that all ways share.
#[derive(Debug)]
struct Shared {
    platform: reqwest::Client,
    clock: Clock,
    stats: Arc<Stats>,
    skew: Skew,
    /// Notes every answer, for a command that is asked to.
    recorder: Option<Arc<Recorder>>,
    /// The ways in use.
    ways: Mutex<Vec<(Network, Weak<Transport>)>>,
}

/// A success with its whole body.
#[derive(Debug)]
pub struct Answer {
    /// The body.
    pub body: Bytes,
    /// The cloud's id of the request.
    pub request_id: Option<String>,
    /// The lead of the cloud's clock over ours; 0 while it is unknown.
    pub seconds_ahead: f64,
    /// `X-Subject-Token`, by which IAM gives a token.
    pub subject_token: Option<Secret>,
    /// The secrets of the request.
    pub redaction: Redaction,
}

impl Answer {
    /// A text of the cloud, without the secrets that were sent to it.
    pub(super) fn hide(&self, text: &str) -> String {
        self.redaction.hide(text)
    }

    /// Adds to a decoding error what the answer itself has to say: some services answer 200 with an
    /// error body.
    pub fn explain(&self, error: CloudError) -> CloudError {
        let said = wire::error_body(&self.body, &|text| self.hide(text));
        let request_id = self.request_id.clone().or(said.request_id);
        codes::answered(CloudError { code: said.code, request_id, ..error }, 200)
    }
}

impl Transport {
    /// Prepares a client that goes straight to the cloud.
    ///
    /// # Errors
    /// When the TLS backend cannot start, for instance for lack of root certificates.
    pub fn new(clock: Clock, stats: Arc<Stats>) -> Result<Self, String> {
        Self::recorded(clock, stats, None)
    }

    /// The same, with a recorder that notes every answer.
    ///
    /// # Errors
    /// As for [`Transport::new`].
    pub fn recorded(
        clock: Clock,
        stats: Arc<Stats>,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Self, String> {
        let shared = Shared {
            platform: platform::client().map_err(|error| cannot_start(&error))?,
            clock,
            stats,
            skew: Skew::default(),
            recorder,
            ways: Mutex::default(),
        };
        let http = Ok(client(&Network::default())?);
        Ok(Self { http, shared: Arc::new(shared) })
    }

    /// The same on another way.
    pub(super) fn through(self: &Arc<Self>, network: &Network) -> Arc<Self> {
        if *network == Network::default() {
            return self.clone();
        }
        let mut ways = self.shared.ways.lock();
        ways.retain(|(_, transport)| transport.strong_count() > 0);
        let known = ways.iter().find(|(way, _)| way == network);
        if let Some(known) = known.and_then(|(_, transport)| transport.upgrade()) {
            return known;
        }
        let new = Arc::new(Self { http: client(network), shared: self.shared.clone() });
        ways.push((network.clone(), Arc::downgrade(&new)));
        new
    }

    /// The clock that dates requests.
    pub(super) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Sends a request, and sends it again where that may help, within the deadline.
    ///
    /// # Errors
    /// The last try's error, or that of the check of the keys.
    pub(super) async fn send(
        &self,
        call: &Request<'_>,
        auth: Option<&Auth>,
        check: &mut KeyCheck<'_>,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let max_tries = if call.operation.is_change() { 1 } else { MAX_TRIES };
        let mut last_error = None;
        for tries_before in 0..max_tries {
            let Some(token) = self.token(call, &mut effort.budget).await else { break };
            // Not before the token: what is known of the credentials may change during that wait.
            let pass = match check.enter(effort.budget.deadline).await {
                Ok(pass) => pass,
                Err(error) => {
                    // Other credentials may use it.
                    effort.budget.first_token = Some(token);
                    return Err(error);
                }
            };
            if tries_before > 0 {
                effort.trace.retries += 1;
                self.shared.stats.api_retry(call.project, call.operation);
            }
            effort.trace.requests += 1;
            let mut result = self.try_once(call, auth, token, effort.budget.deadline).await;
            check.settle(pass, result.as_mut().err());
            let error = match result {
                Ok(answer) => {
                    answer.request_id.iter().for_each(|id| effort.trace.push_request_id(id));
                    return Ok(answer);
                }
                Err(error) => error,
            };
            error.request_id.iter().for_each(|id| effort.trace.push_request_id(id));
            let again_at = self.failed(call, &error, tries_before);
            let is_last = !error.reason.is_transient() || tries_before + 1 == max_tries;
            last_error = Some(error);
            if is_last || again_at >= effort.budget.deadline {
                break;
            }
            tokio::time::sleep_until(again_at).await;
        }
        Err(last_error.unwrap_or_else(|| CloudError::no_turn().unsent()))
    }

    async fn token(&self, call: &Request<'_>, budget: &mut Budget) -> Option<Token> {
        if let Some(token) = budget.first_token.take() {
            return Some(token);
        }
        let asked = Instant::now();
        let drawn =
            tokio::time::timeout_at(budget.deadline, call.pacer.acquire(budget.priority)).await;
        self.shared.stats.api_waited(call.project, asked.elapsed());
        drawn.ok()
    }

    /// Logs a failure and slows down where the cloud asks for it. Returns when the next try may be made:
    /// after a random wait, or when the throttled bucket opens.
    fn failed(&self, call: &Request<'_>, error: &CloudError, tries_before: u32) -> Instant {
        tracing::debug!(
            project = call.project,
            operation = call.operation.as_str(),
            reason = error.reason.as_str(),
            status = error.status,
            code = error.code,
            request_id = error.request_id,
            "request to the cloud failed: {error}"
        );
        let now = Instant::now();
        if error.reason == Reason::Throttled {
            self.shared.stats.api_throttled(call.project);
            call.pacer.throttled(error.retry_after);
            return call.pacer.closed_until().unwrap_or(now);
        }
        now + (BACKOFF * 2_u32.pow(tries_before)).mul_f64(fastrand::f64())
    }

    /// Tries once, and may take all the remaining time: a slow answer is still an answer, and more requests
    /// make a slow cloud slower.
    async fn try_once(
        &self,
        call: &Request<'_>,
        auth: Option<&Auth>,
        _paid_with: Token,
        deadline: Instant,
    ) -> Result<Answer, CloudError> {
        let started = Instant::now();
        let mut status = None;
        let exchange = self.exchange(call, auth, &mut status);
        let result = match tokio::time::timeout_at(deadline, exchange).await {
            Ok(result) => result,
            Err(_) => Err(CloudError::new(Reason::Timeout, "the cloud did not answer in time")),
        };
        self.shared.stats.api_request(&ApiRequest {
            project: call.project,
            operation: call.operation,
            status,
            duration: started.elapsed(),
        });
        result
    }

    async fn exchange(
        &self,
        call: &Request<'_>,
        auth: Option<&Auth>,
        status: &mut Option<u16>,
    ) -> Result<Answer, CloudError> {
        let (request, redaction) = request::build(call, auth, self.shared.clock.now())?;
        let http =
            self.http.as_ref().map_err(|why| CloudError::new(Reason::Internal, why).unsent())?;
        let response = http.execute(request).await.map_err(|error| failure::of(&error))?;
        let Shared { clock, stats, skew, .. } = &*self.shared;
        let seconds_ahead = skew.note(call.project, response.headers(), clock.now(), stats);
        let code = response.status().as_u16();
        *status = Some(code);
        let request_id = request_id(response.headers(), &redaction);
        let subject_token = response.headers().get("x-subject-token");
        let subject_token = subject_token.and_then(|value| value.to_str().ok()).map(Secret::new);
        match self.body(call, response, &redaction).await {
            Ok(body) => Ok(Answer { body, request_id, seconds_ahead, subject_token, redaction }),
            Err(error) => {
                let request_id = request_id.or(error.request_id);
                Err(codes::answered(CloudError { request_id, ..error }, code))
            }
        }
    }

    /// The body of the expected answer.
    async fn body(
        &self,
        call: &Request<'_>,
        mut response: reqwest::Response,
        redaction: &Redaction,
    ) -> Result<Bytes, CloudError> {
        if response.headers().contains_key(CONTENT_ENCODING) {
            return Err(CloudError::new(
                Reason::BadShape,
                "the answer is compressed although that was not requested",
            ));
        }
        let body = read_capped(&mut response, LARGEST_BODY).await?;
        if let Some(recorder) = &self.shared.recorder {
            let (status, headers) = (response.status().as_u16(), response.headers());
            recorder.note(call, status, headers, &body, redaction);
        }
        let expected = match call.operation {
            Operation::Token | Operation::IdToken | Operation::SecurityTokens => {
                StatusCode::CREATED
            }
            _ => StatusCode::OK,
        };
        if response.status() == expected {
            return Ok(body);
        }
        let now = self.shared.clock.now();
        let said = wire::error_body(&body, &|text| redaction.hide(text));
        let error = classify(response.status(), response.headers(), said, now);
        if error.reason == Reason::ClockSkew {
            let Shared { stats, skew, .. } = &*self.shared;
            skew.note_refusal(call.project, &error.message, now, stats);
        }
        Err(error)
    }
}

/// Checks that a way can be gone.
///
/// # Errors
/// The TLS backend cannot start with these authorities.
pub fn check(network: &Network) -> Result<(), String> {
    client(network).map(drop)
}

/// A client that goes this way.
fn client(network: &Network) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(proxy) = network.proxies.for_reqwest() {
        builder = builder.proxy(proxy);
    }
    let certificates = network.authorities.iter().map(|der| reqwest::Certificate::from_der(der));
    let certificates: Result<Vec<_>, _> = certificates.collect();
    builder
        .tls_certs_merge(certificates.map_err(|error| cannot_start(&error))?)
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Resolver::new())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .build()
        .map_err(|error| cannot_start(&error))
}

fn cannot_start(error: &reqwest::Error) -> String {
    format!("the HTTP client cannot start: {error}")
}

/// The services answer with `X-Request-Id`, IAM with `X-IAM-Trace-Id`.
fn request_id(headers: &HeaderMap, redaction: &Redaction) -> Option<String> {
    let value = headers.get("x-request-id").or_else(|| headers.get("x-iam-trace-id"))?;
    value.to_str().ok().map(|id| shown(&redaction.hide(id), 64))
}

/// Reads a body. One that comes in one piece is not copied; others are put together in a buffer of the
/// announced size.
async fn read_capped(
    response: &mut reqwest::Response,
    largest: usize,
) -> Result<Bytes, CloudError> {
    let too_large = || {
        let message = match largest >> 20 {
            0 => format!("the answer is larger than {} KiB", largest >> 10),
            mebibytes => format!("the answer is larger than {mebibytes} MiB"),
        };
        CloudError::new(Reason::TooLarge, message)
    };
    let announced = response.content_length().unwrap_or(0);
    if announced > largest as u64 {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure::of(&error))? {
        if body.is_empty() && chunk.len() as u64 == announced {
            return Ok(chunk);
        }
        body.reserve((announced as usize).saturating_sub(body.len()));
        if body.len() + chunk.len() > largest {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
