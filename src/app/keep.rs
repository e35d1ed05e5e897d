//! Keeps the board in the state file while everything runs.

use std::{future::Future, path::Path, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use super::StartError;
use crate::{
    board::{Board, state_file::StateFile},
    clock::Clock,
};

/// What a crash may cost: at most this much of what was seen to change. Writing 200,000 connections
/// takes a fraction of a second, in a thread of its own.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// Opens the state file and puts what it holds on the board.
pub(super) async fn open(
    path: &Path,
    board: &Board,
    clock: &Clock,
) -> Result<StateFile, StartError> {
    let (path, now) = (path.to_owned(), clock.now());
    let opened = tokio::task::spawn_blocking(move || StateFile::open(&path, now)).await;
    let (file, mut restored) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            return Err(StartError::Configuration(format!("state_file: {error}")));
        }
        Err(_) => return Err(StartError::Machine("reading the state file failed".into())),
    };
    if let Some(damaged) = restored.damaged.take() {
        tracing::warn!("{damaged}");
    }
    let clusters = board.restore(restored);
    tracing::info!(clusters, path = %file.path().display(), "state restored");
    Ok(file)
}

/// Writes the board whenever it has changed, and once more at the end.
pub(super) async fn keep(file: StateFile, board: Board, shutdown: impl Future<Output = ()>) {
    let mut changes = board.subscribe();
    let mut keeper = Keeper { file: Some(file), failing: false };
    let mut beat = tokio::time::interval_at(Instant::now() + KEEP_EVERY, KEEP_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = beat.tick() => {
                // The board outlives its readers.
                if changes.has_changed().unwrap_or(false) {
                    changes.mark_unchanged();
                    keeper.write(&board).await;
                }
            }
        }
    }
    keeper.write(&board).await;
}

struct Keeper {
    /// Away while it is written.
    file: Option<StateFile>,
    failing: bool,
}

impl Keeper {
    async fn write(&mut self, board: &Board) {
        let Some(mut file) = self.file.take() else { return };
        let snapshot = board.snapshot();
        let written = tokio::task::spawn_blocking(move || {
            let result = file.write(&snapshot);
            (file, result)
        });
        let Ok((file, result)) = written.await else {
            tracing::error!("writing the state file failed by a fault of the exporter");
            return;
        };
        match result {
            Ok(()) if self.failing => tracing::info!("the state file can be written again"),
            Err(error) if !self.failing => {
                let path = file.path().display();
                tracing::error!("the state file {path} cannot be written: {error}");
            }
            _ => {}
        }
        self.failing = result.is_err();
        self.file = Some(file);
    }
}
