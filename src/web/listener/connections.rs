//! Who is connected, and who gives way when there is no room.
//!
//! Room is short in two ways: places for connections, and memory for answers that clients do not
//! take. In both, the connection where nothing has happened for the longest time is cut. Only what
//! serves somebody counts as happening: a connection made, a header that is whole, bytes of an
//! answer taken. So clients that are silent, drip or stall cannot keep a scraper out. Whoever shall
//! give a place away looks first whether something has come: a busy machine may have kept it waiting.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
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

/// How often it is looked for somebody who can give way, while a client waits for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The connections of a listener.
pub(super) struct Seats {
    limits: Limits,
    began: Instant,
    places: Arc<Semaphore>,
    taken: Mutex<Vec<(Arc<Seat>, AbortHandle)>>,
}

impl Seats {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            began: Instant::now(),
            places: Arc::new(Semaphore::new(limits.connections)),
            taken: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A place, as soon as there is one; somebody may have to give way.
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

    /// What is known of a new connection.
    pub(super) fn seat(&self) -> Arc<Seat> {
        let seat = Seat {
            began: self.began,
            phase: AtomicU8::new(Phase::Waiting as u8),
            progress: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            asked_to_leave: Notify::new(),
        };
        seat.progressed();
        Arc::new(seat)
    }

    /// The connection runs in this task from now on.
    pub(super) fn take(&self, seat: Arc<Seat>, task: AbortHandle) {
        let mut taken = self.taken();
        taken.retain(|(_, task)| !task.is_finished());
        taken.push((seat, task));
    }

    /// Cuts those who do not take their answers, for as long as those need too much memory.
    pub(super) fn cut_unsent(&self) {
        while self.unsent() > self.limits.unsent_bytes {
            if !self.cut_longest(|seat| seat.unsent.load(Ordering::Relaxed) > 0) {
                return;
            }
        }
    }

    fn unsent(&self) -> u64 {
        let taken = self.taken();
        let alive = taken.iter().filter(|(_, task)| !task.is_finished());
        alive.map(|(seat, _)| seat.unsent.load(Ordering::Relaxed)).sum()
    }

    /// Asks the one with the longest time of nothing happening to leave, if that is long enough.
    fn ask_longest(&self) {
        let taken = self.taken();
        if let Some(index) = self.longest(&taken, Seat::may_leave) {
            taken[index].0.asked_to_leave.notify_one();
        }
    }

    /// Cuts the same one of those that do not take their answers.
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
            .map(|(index, (seat, _))| (seat.progress.load(Ordering::Relaxed), index));
        let (_, index) = candidates.min()?;
        taken[index].0.is_idle(self.limits.patience).then_some(index)
    }

    fn taken(&self) -> MutexGuard<'_, Vec<(Arc<Seat>, AbortHandle)>> {
        self.taken.lock()
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// For a request, or for the rest of its header.
    Waiting,
    /// A handler makes the answer.
    Handling,
    /// The answer is handed over piece by piece.
    Sending,
    /// All of it is handed over; some may not be written yet.
    Flushing,
}

/// What is known of a connection.
pub(super) struct Seat {
    began: Instant,
    phase: AtomicU8,
    /// When something happened, in milliseconds since `began`.
    progress: AtomicU64,
    /// Memory for an answer that is not wholly taken.
    unsent: AtomicU64,
    asked_to_leave: Notify,
}

impl Seat {
    pub(super) fn is_waiting(&self) -> bool {
        self.phase() == Phase::Waiting
    }

    fn may_leave(&self) -> bool {
        self.phase() != Phase::Handling
    }

    fn is_idle(&self, patience: Duration) -> bool {
        let latest = self.began.elapsed().saturating_sub(patience).as_millis() as u64;
        self.progress.load(Ordering::Relaxed) <= latest
    }

    /// Returns when the place is needed. Whoever waits for it looks first whether something has
    /// come, and then asks [`Seat::must_leave`].
    pub(super) async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    /// Whether nothing has happened up to now.
    pub(super) fn must_leave(&self, limits: &Limits) -> bool {
        self.may_leave() && self.is_idle(limits.patience)
    }

    pub(super) fn progressed(&self) {
        self.progress.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn begin_request(&self) {
        self.enter(Phase::Handling);
    }

    /// Follows the answer's body to its end.
    pub(super) fn answer_with(self: &Arc<Self>, body: Body) -> Body {
        self.unsent.store(body.size_hint().lower(), Ordering::Relaxed);
        self.enter(Phase::Sending);
        Body::new(AnswerBody { body, seat: self.clone(), last_bytes: 0 })
    }

    /// Everything that was handed over is written. Says whether that was the end of an answer.
    pub(super) fn flushed(&self) -> bool {
        let ended = self.phase() == Phase::Flushing;
        if ended {
            self.unsent.store(0, Ordering::Relaxed);
            self.enter(Phase::Waiting);
        }
        ended
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.progressed();
    }

    fn phase(&self) -> Phase {
        let phases = [Phase::Waiting, Phase::Handling, Phase::Sending];
        let phase = self.phase.load(Ordering::Relaxed);
        phases.into_iter().find(|known| *known as u8 == phase).unwrap_or(Phase::Flushing)
    }
}

struct AnswerBody {
    body: Body,
    seat: Arc<Seat>,
    /// The size of the piece that was handed over last.
    last_bytes: u64,
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.seat.phase.store(Phase::Flushing as u8, Ordering::Relaxed);
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
            // The next piece is taken when most of the one before is written, not all of it.
            let held = self.last_bytes + bytes + self.body.size_hint().lower();
            self.last_bytes = bytes;
            self.seat.unsent.store(held, Ordering::Relaxed);
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
