//! The state file at the start: waiting for it, and its content put on the board.

use std::{convert::Infallible, path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use super::error::StartError;
use crate::{
    board::{
        Board,
        state_file::{OpenError, Restored, StateFile},
    },
    clock::Clock,
};

/// Clocks are corrected by seconds.
const MOST_AHEAD: Duration = Duration::from_secs(300);
/// In a rolling update the old process may still be shutting down. That can take 45 s: a change under way
/// gets 30 s, and then its record is written.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Pause between two checks whether the other process has ended.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// Opens the state file. While another process holds it, waits for that process to end, but not for ever;
/// `meanwhile` runs during the wait.
///
/// # Errors
/// If the file cannot be used, or the process that holds it does not end in time.
pub(super) async fn open(
    path: &Path,
    clock: &Clock,
    meanwhile: impl Future<Output = Infallible>,
) -> Result<(StateFile, Restored), StartError> {
    tokio::pin!(meanwhile);
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let (path, now) = (path.to_owned(), clock.now());
        let opened = tokio::task::spawn_blocking(move || StateFile::open(&path, now)).await;
        let error = match opened {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(error)) => error,
            Err(_) => return Err(StartError::Machine("reading the state file failed".into())),
        };
        let most = LONGEST_WAIT.as_secs();
        match &error {
            OpenError::Unusable { .. } => {
                return Err(StartError::Configuration(format!("state_file: {error}")));
            }
            OpenError::Held { .. } if begun.elapsed() >= LONGEST_WAIT => {
                return Err(StartError::Machine(format!(
                    "state_file: {error}, which has not ended within {most} s; each process needs a \
                     state file of its own"
                )));
            }
            OpenError::Held { .. } if !is_told => {
                tracing::warn!("state_file: {error}; waiting up to {most} s for it to end");
                is_told = true;
            }
            OpenError::Held { .. } => {}
        }
        tokio::select! {
            () = sleep(TRY_EVERY) => {}
            never = &mut meanwhile => match never {},
        }
    }
}

/// Puts the content of the file on the board.
pub(super) fn restore(file: &StateFile, mut restored: Restored, board: &Board, clock: &Clock) {
    if let Some(damaged) = restored.damaged.take() {
        tracing::warn!("{damaged}");
    }
    let now = clock.now();
    let latest = now.saturating_add(MOST_AHEAD).unwrap_or(now);
    let clusters = board.restore(restored.without_later_than(latest));
    if clusters > 0 {
        tracing::info!(clusters, path = %file.path().display(), "state restored");
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_of_another_process_is_waited_for_but_not_for_ever() {
        let name = format!("css-vpcep-exporter-restore-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (path, clock) = (folder.join("state"), Clock::system());
        let (held, _) = open(&path, &clock, pending()).await.unwrap();
        let begun = Instant::now();
        let refused = open(&path, &clock, pending()).await.unwrap_err();
        assert_eq!(begun.elapsed(), LONGEST_WAIT);
        let StartError::Machine(text) = &refused else { panic!("{refused:?}") };
        let owner = format!("{} belongs to process {} on ", path.display(), std::process::id());
        assert!(text.contains(&owner) && text.contains("within 60 s"), "{text}");

        // The owner ends during the wait.
        let waits = async {
            let begun = Instant::now();
            open(&path, &clock, pending()).await.unwrap();
            begun.elapsed()
        };
        let ends = async {
            sleep(Duration::from_millis(9_900)).await;
            drop(held);
        };
        let (waited, ()) = tokio::join!(waits, ends);
        assert_eq!(waited, Duration::from_secs(10));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
