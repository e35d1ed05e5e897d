//! What was known before a restart comes back from the state file.

use std::{path::Path, time::Duration};

use super::StartError;
use crate::{
    board::{Board, state_file::StateFile},
    clock::Clock,
};

/// Clocks are corrected by seconds.
const MOST_AHEAD: Duration = Duration::from_secs(300);

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
    let latest = now.saturating_add(MOST_AHEAD).unwrap_or(now);
    let clusters = board.restore(restored.without_later_than(latest));
    if clusters > 0 {
        tracing::info!(clusters, path = %file.path().display(), "state restored");
    }
    Ok(file)
}
