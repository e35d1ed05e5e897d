//! The signals: the first SIGTERM or SIGINT asks for an orderly end, the second ends the process at
//! once; SIGHUP requests a reload. SIGXFSZ is caught and ignored: the writer of a file at the limit of its
//! size gets an error, and reports it.
//!
//! They are handled from [`listen`] on, before anything is started: the default of each would end the
//! process.

use std::{io, pin::pin};

use futures_util::future::BoxFuture;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::exit::FAILED;
use crate::public::ReloadHandle;

/// The signals of the process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Listens from now on.
///
/// # Errors
/// In a sentence, when the system does not let it.
pub(super) fn listen() -> Result<Signals, String> {
    let all = || -> io::Result<Signals> {
        // No one waits for it. A handler exists from now on, for as long as the process lives.
        drop(signal(SignalKind::from_raw(libc::SIGXFSZ))?);
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    };
    all().map_err(|error| format!("signals cannot be handled: {error}"))
}

impl Signals {
    /// Waits for the first signal to end. Used during the start, when there is nothing to shut down in order.
    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("shutting down before the start was complete");
    }

    /// Runs `work` with a future that is ready at the first signal to end. Serves the signals meanwhile, and
    /// asks `reload` for a reload at every SIGHUP.
    pub(super) async fn during<F: Future>(
        self,
        reload: Option<ReloadHandle>,
        work: impl FnOnce(BoxFuture<'static, ()>) -> F,
    ) -> F::Output {
        let Self { mut terminate, mut interrupt, mut hangup } = self;
        let (first, asked) = oneshot::channel::<()>();
        let mut first = Some(first);
        let shutdown = async {
            let _ = asked.await;
            tracing::info!("shutting down; a second signal ends at once");
        };
        let mut work = pin!(work(Box::pin(shutdown)));
        loop {
            tokio::select! {
                ended = &mut work => return ended,
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {
                    match &reload {
                        Some(reload) => reload.ask(),
                        None => tracing::warn!("there is nothing to reload"),
                    }
                    continue;
                }
            }
            match first.take() {
                Some(first) => drop(first),
                None => std::process::exit(FAILED.into()),
            }
        }
    }
}
