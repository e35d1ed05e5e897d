//! The connections of a listener, and the choice of the one to cut when there is no room.
//!
//! Two things run out: places for connections, and memory for answers that clients do not take. In both
//! cases the connection without progress for the longest time is cut. Progress is a connection made, a
//! whole header, or bytes of an answer taken, so a client that is silent, drips or stalls cannot keep a
//! scraper out. A connection that is asked to leave first reads what has arrived: on a busy machine its
//! bytes may have waited for it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::{Duration, Instant, timeout},
};

use super::limits::Limits;

/// Pause between two searches for a connection that can give way, while a client waits for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The connections of a listener.
pub(super) struct Seats {
    limits: Limits,
    places: Arc<Semaphore>,
    taken: Mutex<Vec<(Arc<Seat>, AbortHandle)>>,
}

impl Seats {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: Arc::new(Semaphore::new(limits.connections)),
            taken: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A place, as soon as there is one. An idle connection is asked to leave for it.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if self.places.available_permits() == 0 {
                self.ask_longest();
            }
            let place = timeout(LOOK_AGAIN, self.places.clone().acquire_owned()).await;
            // The semaphore is never closed.
            if let Ok(Ok(place)) = place {
                return place;
            }
        }
    }

    /// Notes the task that serves the connection.
    pub(super) fn take(&self, seat: Arc<Seat>, task: AbortHandle) {
        let mut taken = self.taken();
        // Ended ones leave here, or the list would grow with every connection.
        taken.retain(|(_, task)| !task.is_finished());
        taken.push((seat, task));
    }

    /// Cuts clients that do not take their answers, while those answers hold too much memory.
    pub(super) fn cut_unsent(&self) {
        while self.unsent() > self.limits.unsent_bytes {
            if !self.cut_longest(|seat| seat.now.lock().unsent > 0) {
                return;
            }
        }
    }

    fn unsent(&self) -> u64 {
        let taken = self.taken();
        let alive = taken.iter().filter(|(_, task)| !task.is_finished());
        alive.map(|(seat, _)| seat.now.lock().unsent).sum()
    }

    /// Asks the connection that has been idle longest to leave, if it has been idle for long enough.
    fn ask_longest(&self) {
        let taken = self.taken();
        if let Some(index) = self.longest(&taken, Seat::may_leave) {
            taken[index].0.asked_to_leave.notify_one();
        }
    }

    /// Cuts the connection that has been idle longest, of those that may give way.
    fn cut_longest(&self, may_give_way: impl Fn(&Seat) -> bool) -> bool {
        let mut taken = self.taken();
        let Some(index) = self.longest(&taken, may_give_way) else { return false };
        taken.swap_remove(index).1.abort();
        true
    }

    fn longest(
        &self,
        taken: &[(Arc<Seat>, AbortHandle)],
        may_give_way: impl Fn(&Seat) -> bool,
    ) -> Option<usize> {
        let candidates = taken
            .iter()
            .enumerate()
            .filter(|(_, (seat, task))| !task.is_finished() && may_give_way(seat))
            .map(|(index, (seat, _))| (seat.now.lock().progress, index));
        let (_, index) = candidates.min()?;
        taken[index].0.is_idle(self.limits.patience).then_some(index)
    }

    fn taken(&self) -> MutexGuard<'_, Vec<(Arc<Seat>, AbortHandle)>> {
        self.taken.lock()
    }
}

/// The phases of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for a request, or for the rest of its header.
    Waiting,
    /// A handler makes the answer.
    Handling,
    /// The answer is being handed to hyper, piece by piece.
    Sending,
    /// hyper has the whole answer and may not have written all of it.
    Flushing,
}

/// A connection: its phase, its last progress and the memory that its answer holds.
pub(super) struct Seat {
    now: Mutex<Now>,
    asked_to_leave: Notify,
}

/// Its phase, its last progress and the memory that its answer holds.
struct Now {
    phase: Phase,
    progress: Instant,
    /// Bytes of its answer that the client has not taken.
    unsent: u64,
}

impl Seat {
    /// The seat of a new connection.
    pub(super) fn new() -> Self {
        let now = Now { phase: Phase::Waiting, progress: Instant::now(), unsent: 0 };
        Self { now: Mutex::new(now), asked_to_leave: Notify::new() }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.now.lock().phase == Phase::Waiting
    }

    fn may_leave(&self) -> bool {
        self.now.lock().phase != Phase::Handling
    }

    fn is_idle(&self, patience: Duration) -> bool {
        self.now.lock().progress.elapsed() >= patience
    }

    /// Returns when another client needs the place. The caller then reads what has arrived and asks
    /// [`Seat::must_leave`].
    pub(super) async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    /// True if there still was no progress.
    pub(super) fn must_leave(&self, limits: &Limits) -> bool {
        self.may_leave() && self.is_idle(limits.patience)
    }

    pub(super) fn progressed(&self) {
        self.now.lock().progress = Instant::now();
    }

    pub(super) fn begin_request(&self) {
        self.enter(Phase::Handling);
    }

    /// Wraps the answer's body, to follow it to its end.
    pub(super) fn answer_with(self: &Arc<Self>, body: Body) -> Body {
        self.now.lock().unsent = body.size_hint().lower();
        self.enter(Phase::Sending);
        Body::new(AnswerBody { body, seat: self.clone(), last_bytes: 0 })
    }

    /// Notes that everything handed over is written. Returns true at the end of an answer.
    pub(super) fn flushed(&self) -> bool {
        let ended = self.now.lock().phase == Phase::Flushing;
        if ended {
            self.now.lock().unsent = 0;
            self.enter(Phase::Waiting);
        }
        ended
    }

    fn enter(&self, phase: Phase) {
        let mut now = self.now.lock();
        (now.phase, now.progress) = (phase, Instant::now());
    }
}

struct AnswerBody {
    body: Body,
    seat: Arc<Seat>,
    /// Bytes of the piece that was handed over last.
    last_bytes: u64,
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // hyper drops a body as soon as it has its last piece. That is no progress of the client.
        self.seat.now.lock().phase = Phase::Flushing;
    }
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            // hyper takes the next piece before it has written all of the one before: both are held.
            let held = self.last_bytes + bytes + self.body.size_hint().lower();
            self.last_bytes = bytes;
            self.seat.now.lock().unsent = held;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
