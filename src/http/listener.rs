//! A listening socket and the connections on it, each with deadlines and all with limits.
//!
//! An accept loop of our own, because `axum::serve` lets a client hold half a header for ever.
//! HTTP/1.1 only: without TLS nobody needs HTTP/2, and it would bring its own weaknesses.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

/// A scraper sends its whole header at once; this also ends connections that stay silent.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Room for every Prometheus of a large company, and for as many people.
const MAX_CONNECTIONS: usize = 256;
/// Requests have a few hundred bytes of headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// At the end, answers that are being sent get this long.
const DRAIN: Duration = Duration::from_secs(3);
/// After a failed accept (file descriptors are used up) the next is tried this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A socket that listens already, so that an address in use is found out before anything runs.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens on the first of the addresses that can be had.
    ///
    /// # Errors
    /// The last address's error.
    pub async fn listen(addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = TcpListener::bind(addresses).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The real address, with the port that the system chose if it was asked to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then lets answers under way end, but not for long.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) {
        let (closing, _) = watch::channel(false);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&self.listener, &places) => {
                    if let Some((stream, place)) = accepted {
                        let connection = serve(stream, router.clone(), closing.subscribe());
                        connections.spawn(async move {
                            connection.await;
                            drop(place);
                        });
                    }
                }
            }
        }
        drop(self.listener);
        closing.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("some clients did not take their answers before the end");
        }
        connections.shutdown().await;
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!("a connection could not be accepted: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve(stream: TcpStream, router: Router, mut closing: watch::Receiver<bool>) {
    // An answer is written at once; waiting to fill a packet would only delay its end.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a client's connection ended early: {error}");
    }
}

/// The guard that the wait returns must not live across an await.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}
