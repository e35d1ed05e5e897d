//! The simulator's listener: connections, limits, and how an answer is sent.
//!
//! Owns sockets and tasks. What is answered is decided by `api` and `control`.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Pace;
use super::api::{self, Answer};
use super::body::SimBody;
use super::cloud::Cloud;
use super::control;
use super::errors::Reply;
use super::faults::transport::{self, Fate};
use super::signature::Received;

/// Connections beyond this wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// 12 MB, as the gateway takes with a signature (signing guide, constraints).
const BODY_LIMIT: usize = 12 << 20;
/// Also the life of an idle connection: longer than clients keep theirs, so that none is cut in use.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Out of file descriptors, for example: trying again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is ready, and advances the world by itself if that is its pace.
pub(crate) async fn run(
    listener: TcpListener,
    cloud: Arc<Cloud>,
    pace: Pace,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (moves, period) = match pace {
        Pace::Auto { step } => (true, step.max(Duration::from_millis(1))),
        Pace::Explicit => (false, Duration::from_secs(3_600)),
    };
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    let outcome = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            _ = ticks.tick(), if moves => {
                cloud.state().world.step(cloud.now());
            }
            Some(ended) = connections.join_next() => {
                if let Err(error) = unless_cancelled(ended) {
                    break Err(error);
                }
            }
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&cloud)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulator cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    };
    // Faults leave answers open for ever: connections are ended, not waited for.
    connections.shutdown().await;
    outcome
}

fn unless_cancelled(ended: Result<(), JoinError>) -> io::Result<()> {
    match ended {
        Err(error) if error.is_panic() => Err(io::Error::other(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn converse(stream: TcpStream, cloud: Arc<Cloud>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = service_fn(|request| handle(Arc::clone(&cloud), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the simulator ended early");
    }
}

/// Answers one request; an error closes the connection without an answer.
async fn handle(
    cloud: Arc<Cloud>,
    request: Request<Incoming>,
) -> Result<Response<SimBody>, io::Error> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let length = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if let Some(refused) = api::oversized(length, &parts.headers) {
        return unlogged(&cloud, refused);
    }
    let body = match receive(body).await? {
        Some(body) => body,
        None => return unlogged(&cloud, api::body_too_big()),
    };
    if control::owns(path) {
        let reply = control::answer(&cloud, parts.method.as_str(), path, &body);
        return unlogged(&cloud, reply);
    }
    let answer = api::answer(
        &cloud,
        &Received {
            method: parts.method.as_str(),
            path,
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            body: &body,
        },
    );
    send(&cloud, answer).await
}

/// The whole body, or nothing where it is too big.
async fn receive(body: Incoming) -> io::Result<Option<Bytes>> {
    let collected = timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await?;
    match collected {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Sends an answer the way its faults want it.
async fn send(cloud: &Cloud, answer: Answer) -> Result<Response<SimBody>, io::Error> {
    let Answer { reply, sending, request_id, number } = answer;
    sleep(sending.delay).await;
    match sending.fate {
        Fate::Hangs => match std::future::pending::<Infallible>().await {},
        Fate::Resets => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        _ => {}
    }
    cloud.state().log.finish(number, reply.status);
    let mut response = respond(cloud, reply, &request_id, sending.fate)?;
    if sending.claims_gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// Answers outside the log.
fn unlogged(cloud: &Cloud, reply: Reply) -> Result<Response<SimBody>, io::Error> {
    let request_id = cloud.state().next_request_id();
    respond(cloud, reply, &request_id, Fate::Sent)
}

fn respond(
    cloud: &Cloud,
    reply: Reply,
    request_id: &str,
    fate: Fate,
) -> Result<Response<SimBody>, io::Error> {
    let status = StatusCode::from_u16(reply.status).map_err(io::Error::other)?;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&cloud.now());
    let mut builder = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, reply.content_type)
        .header(DATE, date.map_err(io::Error::other)?)
        .header("X-Request-Id", request_id);
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let (body, length) = transport::body(fate, reply.into_body(request_id));
    if let Some(length) = length {
        builder = builder.header(CONTENT_LENGTH, length);
    }
    builder.body(body).map_err(io::Error::other)
}
