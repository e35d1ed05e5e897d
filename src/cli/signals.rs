//! The signals: the first SIGTERM or SIGINT asks for an orderly end, the second ends the process at
//! once; SIGHUP asks for a reload. SIGXFSZ is taken and forgotten: a file at the limit of its size
//! is an error of its writer, who says what that means.
//!
//! They are listened for from [`listen`] on, before anything is started: the default of each would
//! end the process.

use std::{convert::Infallible, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::public::ReloadHandle;

/// The signals of the process.
pub(super) struct Signals {
    /// For the first of them to end the process.
    first: Ends,
    /// For the second.
    second: Ends,
    hangup: Signal,
}

struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

/// Listens from now on.
///
/// # Errors
/// In a sentence, when the system does not let it.
pub(super) fn listen() -> Result<Signals, String> {
    let all = || -> io::Result<Signals> {
        let hangup = signal(SignalKind::hangup())?;
        // Nobody waits for it. What counts is that it is handled, which lasts for the process.
        drop(signal(SignalKind::from_raw(libc::SIGXFSZ))?);
        Ok(Signals { first: Ends::new()?, second: Ends::new()?, hangup })
    };
    all().map_err(|error| format!("signals cannot be handled: {error}"))
}

impl Signals {
    /// Waits for the first signal to end. Used during the start, when there is nothing to shut down in order.
    pub(super) async fn end(&mut self) {
        self.first.next().await;
        tracing::info!("shutting down before the start was complete");
    }

    /// The future that is ready at the first signal to end, and one that is never ready: it serves
    /// the signals after it, and asks `reload` for a reload at every SIGHUP.
    pub(super) fn split(
        self,
        reload: Option<ReloadHandle>,
    ) -> (impl Future<Output = ()> + Send + 'static, impl Future<Output = Infallible>) {
        let Self { mut first, mut second, mut hangup } = self;
        let shutdown = async move {
            first.next().await;
            tracing::info!("shutting down; a second signal ends at once");
        };
        let others = async move {
            let at_once = async {
                second.next().await;
                second.next().await;
                std::process::exit(i32::from(super::FAILED))
            };
            let reloads = async {
                loop {
                    hangup.recv().await;
                    match &reload {
                        Some(reload) => reload.ask(),
                        None => tracing::warn!("there is nothing to reload"),
                    }
                }
            };
            tokio::select! {
                never = at_once => never,
                never = reloads => never,
            }
        };
        (shutdown, others)
    }
}

impl Ends {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
