//! The signals: the first SIGTERM or SIGINT asks for an orderly end, the second ends the process at
//! once; SIGHUP asks for a reload.

use std::convert::Infallible;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::http::ReloadHandle;

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

/// Asks for a reload at every SIGHUP from now on.
///
/// # Errors
/// When the signal cannot be listened for.
pub(super) fn reload(reload: ReloadHandle) -> std::io::Result<impl Future<Output = Infallible>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            hangup.recv().await;
            reload.ask();
        }
    })
}

async fn next([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
