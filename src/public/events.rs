//! `/api/v1/events`: the changes of the board, as server-sent events (HTML Standard, 9.2).
//!
//! `follow` compares the board with what it saw before and adds events to a short log; each reader takes
//! them from there at its own pace. A reader that comes back names the last event that it got and goes on
//! after it; one that was away for too long is told to read everything again.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::stream;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use crate::web::answers::{TEXT, answer};

/// The events that are kept: half a minute of a fleet of 2,000 clusters that all change once a minute, in
/// less than a megabyte.
const KEPT: usize = 1024;
/// Readers at a time: a quarter of the listener's connections, so that scrapers always find one.
const MAX_READERS: usize = 64;
/// A comment this often keeps proxies from cutting a connection on which nothing happens.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// Events in one piece of the answer, at most: a piece is held in memory until it is taken.
const BATCH: usize = 64;
/// The first piece of an answer. The browser comes back two seconds after a cut.
const HELLO: &str = "retry: 2000\n\n";

/// An event without its number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: &'static str,
    /// JSON on one line.
    pub(super) data: String,
}

/// The events and their readers. Clones share them.
#[derive(Clone, Debug)]
pub struct Events(Arc<Log>);

#[derive(Debug)]
struct Log {
    kept: Mutex<VecDeque<Bytes>>,
    newest: watch::Sender<Newest>,
    readers: Arc<Semaphore>,
}

/// The end of the log.
#[derive(Clone, Copy, Debug)]
struct Newest {
    /// The sequence number of the newest event.
    sequence: u64,
    /// True once no more will come.
    closed: bool,
}

impl Events {
    /// No events yet. Sequence numbers begin with the date in milliseconds, so that a number from before a
    /// restart is older than all that is kept.
    pub fn new(now: Timestamp) -> Self {
        let sequence = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Self(Arc::new(Log {
            kept: Mutex::default(),
            newest: watch::Sender::new(Newest { sequence, closed: false }),
            readers: Arc::new(Semaphore::new(MAX_READERS)),
        }))
    }

    /// The sequence number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.0.newest.borrow().sequence
    }

    pub(super) fn add(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut kept = self.0.kept.lock();
        self.0.newest.send_modify(|newest| {
            for Event { kind, data } in events {
                newest.sequence += 1;
                let id = newest.sequence;
                kept.push_back(format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into());
            }
        });
        let too_many = kept.len().saturating_sub(KEPT);
        kept.drain(..too_many);
    }

    /// Ends all answers.
    pub(super) fn close(&self) {
        self.0.newest.send_modify(|newest| newest.closed = true);
    }

    /// The events after this one that are kept; `None` if some of them are not, or if it never was.
    fn after(&self, sequence: u64) -> Option<(Vec<Bytes>, u64)> {
        let kept = self.0.kept.lock();
        let missing = usize::try_from(self.newest().checked_sub(sequence)?).ok()?;
        let first = kept.len().checked_sub(missing)?;
        let batch: Vec<_> = kept.range(first..).take(BATCH).cloned().collect();
        let read = sequence + batch.len() as u64;
        Some((batch, read))
    }

    /// The answer to a reader, which ends when the reader falls behind or the exporter ends. `last` is the
    /// last event that it got.
    pub(super) fn answer(&self, last: Option<u64>) -> Response {
        let Ok(place) = self.0.readers.clone().try_acquire_owned() else { return too_many() };
        let mut first = HELLO.to_owned();
        let read = match last {
            Some(last) if self.after(last).is_some() => last,
            Some(_) => {
                let newest = self.newest();
                first += &format!("id: {newest}\nevent: reset\ndata: {{}}\n\n");
                newest
            }
            None => self.newest(),
        };
        let newest = self.0.newest.subscribe();
        let reader =
            Reader { events: self.clone(), newest, read, first: Some(first), _place: place };
        let pieces = stream::unfold(reader, async |mut reader| {
            reader.next().await.map(|piece| (Ok::<_, Infallible>(piece), reader))
        });
        answer(StatusCode::OK, "text/event-stream", Body::from_stream(pieces))
    }
}

/// The number in a reader's `Last-Event-ID`, or in its query where it has no header yet. One that is not
/// ours is older than everything.
pub(super) fn last_event_id(headers: &HeaderMap, query: Option<&str>) -> Option<u64> {
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    header.or(query).map(|id| id.parse().unwrap_or_default())
}

struct Reader {
    events: Events,
    newest: watch::Receiver<Newest>,
    /// The last event that it got.
    read: u64,
    first: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// The next piece of the answer.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first.into());
        }
        let read = self.read;
        let news = self.newest.wait_for(|newest| newest.closed || newest.sequence > read);
        match timeout(COMMENT_EVERY, news).await {
            Err(_) => return Some(Bytes::from_static(b":\n\n")),
            Ok(Ok(newest)) if newest.closed => return None,
            Ok(Err(_)) => return None,
            Ok(Ok(_)) => {}
        }
        let (batch, read) = self.events.after(self.read)?;
        self.read = read;
        Some(batch.concat().into())
    }
}

fn too_many() -> Response {
    let why = format!("{MAX_READERS} readers follow the events, which is the limit\n");
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(30));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn event(number: usize) -> Event {
        Event { kind: "cluster", data: number.to_string() }
    }

    fn events(count: usize) -> Events {
        let events = Events::new("1970-01-01T00:00:01Z".parse().unwrap());
        events.add((0..count).map(event).collect());
        events
    }

    async fn piece(body: &mut Body) -> String {
        let frame = body.frame().await.unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().into()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_gets_what_comes_after_it() {
        let events = events(3);
        let mut body = events.answer(None).into_body();
        assert_eq!(piece(&mut body).await, HELLO);
        assert_eq!(piece(&mut body).await, ":\n\n", "a comment after a while");
        events.add(vec![event(7), event(8)]);
        let expected = "id: 1004\nevent: cluster\ndata: 7\n\nid: 1005\nevent: cluster\ndata: 8\n\n";
        assert_eq!(piece(&mut body).await, expected);
        events.close();
        assert!(body.frame().await.is_none(), "the exporter ends");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_comes_back_goes_on_where_it_was() {
        let events = events(3);
        let mut body = events.answer(Some(1002)).into_body();
        assert_eq!(piece(&mut body).await, HELLO);
        assert_eq!(piece(&mut body).await, "id: 1003\nevent: cluster\ndata: 2\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_missed_something_reads_everything_again() {
        let events = events(KEPT + 1);
        let newest = 1000 + KEPT as u64 + 1;
        // Before the first that is kept, from before a restart, not a number, and of the future.
        for last in [1000, 5, 0, newest + 1] {
            let mut body = events.answer(Some(last)).into_body();
            let reset = format!("{HELLO}id: {newest}\nevent: reset\ndata: {{}}\n\n");
            assert_eq!(piece(&mut body).await, reset, "{last}");
        }
        let mut body = events.answer(Some(1001)).into_body();
        assert_eq!(piece(&mut body).await, HELLO);
        assert!(piece(&mut body).await.starts_with("id: 1002\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_keep_up_is_cut() {
        let events = events(0);
        let mut body = events.answer(None).into_body();
        assert_eq!(piece(&mut body).await, HELLO);
        events.add((0..=KEPT).map(event).collect());
        assert!(body.frame().await.is_none());
        assert_eq!(events.0.kept.lock().len(), KEPT);
    }

    #[tokio::test]
    async fn there_is_a_limit_of_readers() {
        let events = events(0);
        let readers: Vec<_> = (0..MAX_READERS).map(|_| events.answer(None)).collect();
        assert_eq!(events.answer(None).status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(readers);
        assert_eq!(events.answer(None).status(), StatusCode::OK);
    }
}
