//! The place of one poll in the queue of its project; a request on demand moves it to the front.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::pacing::{Pacer, Priority, Token};

/// Shared by a poll and the scheduler.
#[derive(Debug, Default)]
pub(super) struct Turn {
    hurry: Notify,
    has_begun: AtomicBool,
}

impl Turn {
    /// Draws the poll's first token. Returns the priority with which the poll goes on.
    pub(super) async fn draw(&self, pacer: &Pacer, priority: Priority) -> (Token, Priority) {
        let drawn = tokio::select! {
            biased;
            token = pacer.acquire(priority) => (token, priority),
            // A poll that is already in the first queue would only lose its place there.
            () = self.hurry.notified(), if priority != Priority::Admin => {
                (pacer.acquire(Priority::Admin).await, Priority::Admin)
            }
        };
        self.has_begun.store(true, Ordering::Release);
        drawn
    }

    /// Moves the poll ahead of the scheduled ones, because someone waits for it.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// True if the poll may have asked the cloud already. If not, it will read a state from after this call.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }
}
