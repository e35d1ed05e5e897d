//! A listening socket and the connections on it, each with deadlines and all with limits.
//!
//! An accept loop of our own, because `axum::serve` lets a client hold half a header for ever.
//! HTTP/1.1 only: a scraper asks once in a while, and HTTP/2 would bring its own weaknesses.
//!
//! `connections` counts the clients and decides which one gives way, `handshake` begins TLS,
//! `deadlines` limits the time for reading and writing, `request_body` limits a body.

mod connections;
mod deadlines;
mod handshake;
mod limits;
mod request_body;

use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, os::fd::AsFd as _, sync::Arc,
    time::Duration,
};

use axum::{Router, response::Response};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};

use self::{
    connections::{Seat, Seats},
    deadlines::{Guarded, Taken},
    handshake::{Greeted, greet},
    request_body::RequestBody,
};
use super::{
    access::Web,
    answers::{problem, with_header},
};

pub use self::limits::Limits;

/// Requests have a few hundred bytes of headers.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Connections that the system queues until there is a place. If they are too many, it drops them, and
/// a client tries again only seconds later; the 128 of the standard library are soon used up.
const BACKLOG: u32 = 1024;
/// The pause after a failed accept. Usually the process has no file descriptor left, and a tight loop would
/// burn a core until it has.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The address of the client. Every request has it among its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A socket that already listens, so that an address in use is noticed before anything runs.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    web: Option<Web>,
}

impl Bound {
    /// Listens on the first address that is free, with [`Limits::PUBLIC`].
    ///
    /// # Errors
    /// The error of the last address.
    pub async fn listen(addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut bound = Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no address"));
        for &address in addresses {
            bound = listen(address);
            if bound.is_ok() {
                break;
            }
        }
        let listener = bound?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, limits: Limits::PUBLIC, web: None })
    }

    /// A second listener on the same socket. The one that is serving takes the next connection.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn second(&self) -> io::Result<Self> {
        let socket = std::net::TcpListener::from(self.listener.as_fd().try_clone_to_owned()?);
        let listener = TcpListener::from_std(socket)?;
        Ok(Self { listener, address: self.address, limits: self.limits, web: self.web.clone() })
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Speaks TLS if the web configuration has it. Without a web configuration it is plain HTTP.
    #[must_use]
    pub fn with_web(self, web: Web) -> Self {
        Self { web: Some(web), ..self }
    }

    /// The address in use. For port 0 it has the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then gives answers under way [`Limits::drain`] to end.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) {
        let Self { listener, limits, web, .. } = self;
        let server = Server { seats: Arc::new(Seats::new(limits)), router, web };
        let (closing, _) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::select! {
            () = shutdown => {}
            never = accept(&listener, &server, &closing, &mut connections) => match never {},
        }
        // Closed first, so that new clients are refused at once instead of waiting for the drain.
        drop(listener);
        closing.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(limits.drain, drained).await.is_err() {
            tracing::warn!("some clients did not take their answers before the end");
        }
        connections.shutdown().await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of a process that just ended would otherwise block the address for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The parts that all connections of a listener share.
#[derive(Clone)]
struct Server {
    seats: Arc<Seats>,
    router: Router,
    web: Option<Web>,
}

async fn accept(
    listener: &TcpListener,
    server: &Server,
    closing: &watch::Sender<bool>,
    connections: &mut JoinSet<()>,
) -> Infallible {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Waiting here also holds back the next accept, so the system's queue is the only one.
        let place = server.seats.place().await;
        let seat = Arc::new(Seat::new());
        let connection = server.clone().serve(stream, peer, seat.clone(), closing.subscribe());
        let task = connections.spawn(async move {
            connection.await;
            drop(place);
        });
        server.seats.take(seat, task);
        // Ended tasks are removed here, or the set would grow with every connection.
        while connections.try_join_next().is_some() {}
    }
}

impl Server {
    async fn serve(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        seat: Arc<Seat>,
        mut closing: watch::Receiver<bool>,
    ) {
        // An answer is written at once; waiting to fill a packet would only delay its end.
        let _ = stream.set_nodelay(true);
        let tls = self.web.as_ref().and_then(|web| web.borrow().tls.clone());
        let taken = |stream| Taken::new(stream, seat.clone(), self.seats.limits());
        let Some(tls) = tls else {
            let stream = taken(stream);
            return self.converse((stream, peer), &self.router, &seat, closing).await;
        };
        // Biased, here and below: a client that just sent something must not be cut as idle.
        let greeted = tokio::select! {
            biased;
            greeted = greet(stream, &tls, self.seats.limits().handshake, taken) => greeted,
            () = closed(&mut closing) => return,
            () = must_leave(&seat, self.seats.limits()) => return,
        };
        match greeted {
            Ok(Greeted::Tls(stream)) => {
                self.converse((*stream, peer), &self.router, &seat, closing).await;
            }
            Ok(Greeted::Plain(stream)) => {
                self.converse((stream, peer), &handshake::refusal(), &seat, closing).await;
            }
            Err(error) => tracing::debug!("a client's handshake failed: {error}"),
        }
    }

    async fn converse(
        &self,
        (stream, peer): (impl AsyncRead + AsyncWrite + Unpin, SocketAddr),
        router: &Router,
        seat: &Arc<Seat>,
        mut closing: watch::Receiver<bool>,
    ) {
        let seats = &self.seats;
        let stream = Guarded::new(stream, seat.clone(), seats.limits());
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(|mut request: Request<Incoming>| {
            seat.begin_request();
            request.extensions_mut().insert(Peer(peer));
            let refusal = too_long(&request, seats.limits());
            let request = request.map(|body| RequestBody::new(body, seats.limits()));
            let router = &router;
            async move {
                let response = match refusal {
                    Some(refusal) => refusal,
                    None => router.call(request).await?,
                };
                // From here the answer counts as unsent; if all together are too much, an idle client is cut.
                let response = response.map(|body| seat.answer_with(body));
                seats.cut_unsent();
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            // `Guarded` has the deadline; hyper's own would need a timer of hyper's.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = must_leave(seat, seats.limits()) => return,
            () = closed(&mut closing) => {
                // Between two requests there is no answer to finish.
                if seat.is_waiting() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a client's connection ended early: {error}");
        }
    }
}

/// Refuses a request whose `Content-Length` is over the limit, before its body is read.
fn too_long(request: &Request<Incoming>, limits: &Limits) -> Option<Response> {
    let length = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?;
    if length.parse::<usize>().is_ok_and(|length| length <= limits.body_bytes) {
        return None;
    }
    let detail = format!("a request's body may have {} bytes", limits.body_bytes);
    let refusal = problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
    // The body is not read, so the next request could not be found behind it.
    Some(with_header(refusal, header::CONNECTION, HeaderValue::from_static("close")))
}

/// Returns when another client needs the place and this one has been idle for too long.
async fn must_leave(seat: &Seat, limits: &Limits) {
    loop {
        seat.asked_to_leave().await;
        if seat.must_leave(limits) {
            return;
        }
    }
}

/// Returns when the listener closes. The guard that `wait_for` returns must not live across an await.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}
