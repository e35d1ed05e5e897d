//! How a scrape is answered: as the scraper asks, from blocks that are ready, piece by piece.

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
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio::{sync::Semaphore, time::sleep};

use super::{negotiation, state::Shared};
use crate::{
    exposition::{Encoding, Frames, Page, Small},
    web::answers::{TEXT, answer},
};

/// Scrapes that may wait for blocks at the same time, after a start or a reload: what node_exporter
/// allows (`--web.max-requests`), and more than there are Prometheus servers.
pub const MAX_SCRAPES: usize = 40;

/// With more unmade blocks (some megabytes of text) a scrape waits until a thread of its own has
/// made them; with fewer it begins at once and makes them on the way.
const MAX_UNMADE: usize = 256;

/// Polls that end within this time are worked up together: their clusters share blocks.
const WORK_UP_AFTER: Duration = Duration::from_millis(50);

/// Longest sleep of whoever waits for data to become too old, as the clock may be set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The places for scrapes. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Scrapes {
    places: Arc<Semaphore>,
}

impl Scrapes {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_SCRAPES)) }
    }

    /// The metrics, or the request to come back later.
    pub(super) async fn answer(
        &self,
        shared: Shared,
        method: &Method,
        headers: &HeaderMap,
    ) -> Response {
        let format = negotiation::format(headers);
        let gzip = negotiation::gzip(headers);
        let page = page(&shared);
        let unmade = page.unmade();
        // HEAD tells the length.
        if unmade > MAX_UNMADE || (unmade > 0 && method == Method::HEAD) {
            let Ok(place) = self.places.clone().try_acquire_owned() else { return too_many() };
            let page = page.clone();
            // The place goes along: the work does not end when the scraper hangs up.
            let made = tokio::task::spawn_blocking(move || (page.make(), place)).await;
            if made.is_err() {
                tracing::error!("the metrics cannot be rendered");
                return answer(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    TEXT,
                    "the metrics cannot be rendered\n",
                );
            }
        }
        let encoding = if gzip { Encoding::Gzip } else { Encoding::Identity };
        let small = Small {
            stats: shared.stats,
            services: shared.services.snapshot(),
            now: shared.clock.now(),
        };
        let frames = Frames::new(page, &small, format, encoding);
        let length = frames.length();
        let body = Body::new(PageBody(frames));
        let mut response = answer(StatusCode::OK, format.media_type(), body);
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

fn page(shared: &Shared) -> Arc<Page> {
    shared.pages.page(&shared.board.snapshot(), &shared.settings(), shared.clock.now())
}

/// Makes blocks before a scrape needs them, until `shutdown` is ready.
pub async fn keep_pages_made(shared: Shared, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    let (mut board, mut live) = (shared.board.subscribe(), shared.live.clone());
    loop {
        board.mark_unchanged();
        live.mark_unchanged();
        let now = shared.clock.now();
        let page = page(&shared);
        let until = page.until();
        if tokio::task::spawn_blocking(move || page.make()).await.is_err() {
            tracing::error!("the metrics cannot be rendered");
            return;
        }
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        tokio::select! {
            () = &mut shutdown => return,
            Ok(()) = board.changed() => {}
            Ok(()) = live.changed() => {}
            () = sleep(left.min(LOOK_AGAIN)) => {}
        }
        tokio::select! {
            () = &mut shutdown => return,
            () = sleep(WORK_UP_AFTER) => {}
        }
    }
}

fn too_many() -> Response {
    let why = format!("{MAX_SCRAPES} scrapes are being answered, which is the limit\n");
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
    response
}

/// A page as a body that makes a piece only when the one before is taken.
struct PageBody(Frames);

impl hyper::body::Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    /// The least that is still to come is what no other scrape shares. The listener counts it, and the
    /// pieces on their way, as memory that a client holds by not taking its answer.
    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.0.own_bytes() as u64);
        hint
    }
}
