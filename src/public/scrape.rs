//! The answer to a scrape: in the format and encoding that the scraper asks for, piece by piece.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::sleep,
};

use super::{negotiation, state::Shared};
use crate::{
    exposition::{Encoding, PageBytes, Sources},
    web::answers::{TEXT, answer, busy},
};

/// Scrapes that may wait for their turn at the same time, which takes long only after a start or a reload:
/// as many as node_exporter allows (`--web.max-requests`), and more than there are Prometheus servers.
pub const MAX_SCRAPES: usize = 40;

/// Pause between two rounds of work ahead of scrapes. Only the polls of one pause are left to a scrape: some
/// milliseconds of work for a fleet of 200,000 connections that are read once a minute. A shorter pause
/// would make blocks that small clusters share again for nearly every poll.
const PAUSE: Duration = Duration::from_secs(1);

/// The queue of scrapes. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Scrapes {
    places: Arc<Semaphore>,
    /// Scrapes take turns: all want the same page, and each thread has a compressor of its own.
    turn: Arc<Mutex<()>>,
}

impl Scrapes {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_SCRAPES)), turn: Arc::default() }
    }

    /// The metrics, or the request to come back later.
    pub(super) async fn answer(&self, shared: Shared, headers: &HeaderMap) -> Response {
        let format = negotiation::format(headers);
        let gzip = negotiation::gzip(headers);
        let encoding = if gzip { Encoding::Gzip } else { Encoding::Identity };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let why = format!("{MAX_SCRAPES} scrapes are being answered, which is the limit\n");
            return busy(1, why);
        };
        let turn = self.turn.clone().lock_owned().await;
        let rendered = spawn_blocking(move || {
            // They go along: the work does not end when the scraper hangs up.
            let _held = (place, turn);
            let now = shared.clock.now();
            let page = shared.pages.page(&shared.board, &shared.settings(), now);
            let services = shared.services.snapshot();
            let sources = Sources { stats: shared.stats, services, now };
            PageBytes::new(page, &sources, format, encoding)
        });
        let Ok(bytes) = rendered.await else {
            tracing::error!("the metrics cannot be rendered");
            let why = "the metrics cannot be rendered\n";
            return answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, why);
        };
        let length = HeaderValue::from(bytes.length());
        let mut response = answer(StatusCode::OK, format.media_type(), Body::new(PageBody(bytes)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Does most of the work of scrapes ahead of them, until `shutdown` is ready.
pub async fn keep_pages_made(shared: Shared, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    let (mut board, mut live) = (shared.board.subscribe(), shared.live.clone());
    loop {
        board.mark_unchanged();
        live.mark_unchanged();
        let ahead = shared.clone();
        let prepared = spawn_blocking(move || {
            ahead.pages.prepare(&ahead.board, &ahead.settings(), ahead.clock.now());
        });
        if prepared.await.is_err() {
            tracing::error!("the metrics cannot be rendered");
            return;
        }
        let next_change = async {
            sleep(PAUSE).await;
            tokio::select! {
                Ok(()) = board.changed() => {}
                Ok(()) = live.changed() => {}
            }
        };
        tokio::select! {
            () = &mut shutdown => return,
            () = next_change => {}
        }
    }
}

/// A page as a body that makes a piece only when the one before is taken.
struct PageBody(PageBytes);

impl hyper::body::Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    /// The lower bound is the memory that no other scrape shares. The listener counts it, and the pieces
    /// on their way, as held by a client that does not take its answer.
    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.0.own_bytes() as u64);
        hint
    }
}
