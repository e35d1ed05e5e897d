//! The signals that end the process: the first asks for an orderly end, the second ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM and SIGINT from now on. The future is ready at the first; from then on the
/// second ends the process.
///
/// # Errors
/// When the signals cannot be listened for.
pub(super) fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    Ok(async move {
        next(&mut signals).await;
        tracing::info!("shutting down; a second signal ends at once");
        // Joined by the end of the process, whichever way it comes.
        tokio::spawn(async move {
            next(&mut signals).await;
            std::process::exit(i32::from(super::FAILED));
        });
    })
}

async fn next([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
