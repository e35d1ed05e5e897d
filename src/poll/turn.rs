//! The turn of one poll in the queue of its project, which somebody may move to the front.

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
    /// Draws the poll's first token. Says also with which priority the poll goes on.
    pub(super) async fn draw(&self, pacer: &Pacer, priority: Priority) -> (Token, Priority) {
        let drawn = tokio::select! {
            biased;
            token = pacer.acquire(priority) => (token, priority),
            // Whoever is in the first queue already would only lose his place in it.
            () = self.hurry.notified(), if priority != Priority::Admin => {
                (pacer.acquire(Priority::Admin).await, Priority::Admin)
            }
        };
        self.has_begun.store(true, Ordering::Release);
        drawn
    }

    /// Somebody waits for this poll: it goes before those that only have their turn.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Whether the poll may have asked the cloud already. One that has not will read what is true
    /// after this call.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }
}
