//! The simulator's listener: connections, limits, and how an answer is sent.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE, DATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    api,
    body::{SimBody, body},
    cloud::Cloud,
    control,
    reply::{Fate, Reply},
    signature::Received,
    world::step::advance,
};

/// Connections beyond this wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// 12 MB, as the gateway takes with a signature (signing guide, constraints).
const BODY_LIMIT: usize = 12 << 20;
/// Also the life of an idle connection: longer than clients keep theirs, so that none is closed in use.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Accepting fails for want of file descriptors, for example: trying again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3_600);

/// Serves until `shutdown` is ready, and advances the world once in each period, if there is one.
pub(super) async fn run(
    listener: TcpListener,
    cloud: Arc<Cloud>,
    period: Option<Duration>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut ticks = interval(period.unwrap_or(HOUR).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    let outcome = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            _ = ticks.tick(), if period.is_some() => {
                advance(&mut cloud.state().world, cloud.clock.now());
            }
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    break Err(io::Error::other(error));
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
    // Faults leave answers open for ever, so connections are ended and not waited for.
    connections.shutdown().await;
    outcome
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
async fn handle(cloud: Arc<Cloud>, request: Request<Incoming>) -> io::Result<Response<SimBody>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let length = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if let Some(refused) = api::oversized(length, &parts.headers) {
        return unlogged(&cloud, refused);
    }
    let Some(body) = receive(body).await? else {
        return unlogged(&cloud, api::body_too_big());
    };
    let (method, query) = (parts.method.as_str(), parts.uri.query().unwrap_or_default());
    if let Some(replay) = &cloud.replay {
        return Ok(replay.answer(method, path, query));
    }
    if control::owns(path) {
        return unlogged(&cloud, control::answer(&cloud, method, path, &body));
    }
    let received = Received { method, path, query, headers: &parts.headers, body: &body };
    let (reply, request_id) = api::answer(&cloud, &received);
    sleep(reply.delay).await;
    match reply.fate {
        Fate::Hangs => match std::future::pending::<Infallible>().await {},
        Fate::Resets => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        _ => cloud.state().requests.finish(&request_id, reply.status),
    }
    respond(&cloud, reply, &request_id)
}

/// The whole body, or nothing if it is too big.
async fn receive(body: Incoming) -> io::Result<Option<Bytes>> {
    let collected = timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await?;
    match collected {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Sends an answer to a request that is not in the log.
fn unlogged(cloud: &Cloud, reply: Reply) -> io::Result<Response<SimBody>> {
    let request_id = cloud.state().next_request_id();
    respond(cloud, reply, &request_id)
}

fn respond(cloud: &Cloud, reply: Reply, request_id: &str) -> io::Result<Response<SimBody>> {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&cloud.clock.now());
    let mut builder = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type)
        .header(DATE, date.map_err(io::Error::other)?)
        .header("X-Request-Id", request_id);
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let (body, length) = body(reply.fate, reply.into_body(request_id));
    if let Some(length) = length {
        builder = builder.header(CONTENT_LENGTH, length);
    }
    builder.body(body).map_err(io::Error::other)
}
