//! How a scrape is answered: as the scraper asks, and not too many at a time.

use std::{io::Write as _, sync::Arc};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use tokio::sync::Semaphore;

use super::{
    Shared, negotiation,
    problem::{TEXT, answer},
};
use crate::exposition::{self, Format};

/// Pages that may be made at the same time: what node_exporter allows (`--web.max-requests`), and
/// more than there are Prometheus servers.
const MAX_SCRAPES: usize = 40;

/// The places for scrapes. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Scrapes(Arc<Semaphore>);

impl Scrapes {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_SCRAPES)))
    }

    /// The metrics, or the request to come back later.
    pub(super) async fn answer(&self, shared: Shared, headers: &HeaderMap) -> Response {
        let Ok(place) = self.0.clone().try_acquire_owned() else { return too_many() };
        let format = negotiation::format(headers);
        let gzip = negotiation::gzip(headers);
        // A large page takes a while, and a worker thread must not be held up. The place goes
        // along: the work does not end when the scraper hangs up.
        let made = tokio::task::spawn_blocking(move || (body(&shared, format, gzip), place)).await;
        let Ok((body, _place)) = made else {
            tracing::error!("the metrics cannot be rendered");
            return answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                "the metrics cannot be rendered\n",
            );
        };
        let mut response = answer(StatusCode::OK, format.media_type(), body);
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn too_many() -> Response {
    let why = format!("{MAX_SCRAPES} scrapes are being answered, which is the limit\n");
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
    response
}

fn body(shared: &Shared, format: Format, gzip: bool) -> Vec<u8> {
    let Shared { board, services, stats, clock, .. } = shared;
    let (board, services) = (board.snapshot(), services.snapshot());
    let page =
        exposition::render(format, &board, &services, &shared.settings(), stats, clock.now());
    let mut body = if gzip { compressed(page.as_bytes()) } else { page.into_bytes() };
    // Some clients take their time, and room to grow would be held as long.
    body.shrink_to_fit();
    body
}

/// The fast level: more than nine tenths of a page are repetition, which any level finds.
fn compressed(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(page).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_was_compressed_can_be_read() {
        let page = "a_metric{label=\"value\"} 1\n".repeat(10_000);
        let small = compressed(page.as_bytes());
        assert!(small.len() * 10 < page.len());
        let mut read = String::new();
        GzDecoder::new(&small[..]).read_to_string(&mut read).unwrap();
        assert_eq!(read, page);
    }
}
