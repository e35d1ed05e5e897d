//! Follows the board, and turns its changes into events.

mod seen;

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use self::seen::Seen;
use super::state::Shared;

/// A person sees a change within two seconds of its poll: this time, the network, and the browser's own work.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows the board until `shutdown` is ready, then ends all answers.
pub async fn follow_board(shared: Shared, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    let look = |seen: &mut Seen| {
        let (snapshot, now) = (shared.board.snapshot(), shared.clock.now());
        seen.events(&snapshot, now, shared.settings().stale_after)
    };
    // The clusters that are there at the start are no news.
    let mut seen = Seen::default();
    look(&mut seen);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = ticks.tick() => shared.events.add(look(&mut seen)),
        }
    }
    shared.events.close();
}
