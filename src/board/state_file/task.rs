//! The task that keeps the state file up to date.

use std::{future::Future, panic, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use super::{
    super::{Board, Snapshot},
    StateFile,
};

/// Half the usual interval of polls: what a kill loses is one observation of a cluster, and the next
/// is due as soon. Ten times as often would only wear the disk.
const EVERY: Duration = Duration::from_secs(30);
/// A change that was seen is gone for good if it is lost: the next poll dates it anew, and a counter
/// that goes back looks to Prometheus as if all it counted had come again. So it is written at once.
const SOON: Duration = Duration::from_secs(1);
/// However large the state is, and however much changes, writing takes a fiftieth of the time.
const REST: u32 = 49;

/// Writes the board's state whenever it has changed since this call, in the background, and once
/// more when `shutdown` is ready, which should be when the last poll was recorded. A write that
/// fails is logged, once until one succeeds again, and retried.
pub fn keep(
    file: StateFile,
    board: Board,
    shutdown: impl Future<Output = ()>,
) -> impl Future<Output = ()> {
    // Not inside the future, which may run for the first time when the board has changed already.
    let mut changes = board.subscribe();
    let mut keeper = Keeper::new(file, &changes.borrow_and_update());
    async move {
        let mut look = tokio::time::interval(SOON);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        let mut last = false;
        while !last {
            last = tokio::select! {
                () = &mut shutdown => true,
                _ = look.tick() => false,
            };
            // It fails only when the board is gone, and this future has one.
            keeper.unsaved |= changes.has_changed().unwrap_or(false);
            if keeper.unsaved && (last || keeper.is_due(&board.snapshot())) {
                let snapshot = changes.borrow_and_update().clone();
                keeper = keeper.write(snapshot).await;
            }
        }
    }
}

struct Keeper {
    file: StateFile,
    unsaved: bool,
    failing: bool,
    /// The number of transitions in the file.
    transitions: u64,
    /// When the last write ended, or the task began.
    ended: Instant,
    /// The duration of the last write.
    took: Duration,
}

impl Keeper {
    fn new(file: StateFile, restored: &Snapshot) -> Self {
        Self {
            file,
            unsaved: false,
            failing: false,
            transitions: transitions(restored),
            ended: Instant::now(),
            took: Duration::ZERO,
        }
    }

    fn is_due(&self, snapshot: &Snapshot) -> bool {
        let rest = self.took * REST;
        let hurry = !self.failing && transitions(snapshot) != self.transitions;
        self.ended.elapsed() >= rest.max(if hurry { SOON } else { EVERY })
    }

    async fn write(mut self, snapshot: Arc<Snapshot>) -> Self {
        let started = Instant::now();
        // The file goes along and comes back, so that nothing else can write it meanwhile.
        let written = tokio::task::spawn_blocking(move || {
            let result = self.file.write(&snapshot);
            (self, transitions(&snapshot), result)
        });
        let (mut keeper, transitions, result) = match written.await {
            Ok(written) => written,
            Err(error) => panic::resume_unwind(error.into_panic()),
        };
        keeper.ended = Instant::now();
        keeper.took = keeper.ended - started;
        let path = keeper.file.path().display();
        match &result {
            Ok(()) if keeper.failing => tracing::info!(%path, "the state is written again"),
            Err(error) if !keeper.failing => {
                tracing::error!(%path, "the state cannot be written, and is retried: {error}");
            }
            _ => {}
        }
        keeper.failing = result.is_err();
        keeper.unsaved = result.is_err();
        if result.is_ok() {
            keeper.transitions = transitions;
        }
        keeper
    }
}

fn transitions(snapshot: &Snapshot) -> u64 {
    let counts = snapshot.clusters().iter().flat_map(|state| state.transitions);
    // Wrapping: a damaged file may hold any numbers, and only changes of the sum matter.
    counts.fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests;
