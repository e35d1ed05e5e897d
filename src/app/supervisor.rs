//! Messages to the service manager: ready, alive, stopping.
//!
//! The protocol is systemd's: `sd_notify(3)` and `sd_watchdog_enabled(3)`. If a message cannot be sent, the
//! daemon goes on and serves metrics.

use std::{
    convert::Infallible, io, net::SocketAddr, os::unix::net as unix, sync::Arc, time::Duration,
};

use tokio::{
    net::UnixDatagram,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{config::Lookup, poll::PollHandle};

/// A manager whose queue stays full for this long is not listening.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// The service manager that started this process. Clones share its socket.
#[derive(Clone, Debug)]
pub struct Supervisor {
    socket: Arc<UnixDatagram>,
    /// Longest time between two signs of life that the manager accepts; absent: it wants none.
    patience: Option<Duration>,
}

impl Supervisor {
    /// The manager that the variables `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` name, or
    /// none. To be called inside the runtime.
    ///
    /// # Errors
    /// In a sentence: a socket that cannot be reached, or a kind that is not supported.
    pub fn of_environment(lookup: Lookup<'_>) -> Result<Option<Self>, String> {
        let Some(name) = lookup("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let socket = address(&name)
            .and_then(|address| connect(&address))
            .map_err(|error| format!("NOTIFY_SOCKET {name:?}: {error}"))?;
        Ok(Some(Self { socket: Arc::new(socket), patience: patience(lookup, std::process::id()) }))
    }

    /// Says that the daemon has started and where it listens.
    pub(super) async fn ready(&self, listening: SocketAddr) {
        self.tell(&format!("READY=1\nSTATUS=listening on {listening}")).await;
    }

    /// Says that the daemon ends.
    pub(super) async fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=shutting down").await;
    }

    /// Sends signs of life as long as the scheduler answers; absent if the manager wants none.
    pub(super) fn watchdog(
        &self,
        polls: PollHandle,
    ) -> Option<impl Future<Output = Infallible> + Send + 'static> {
        let supervisor = self.clone();
        // Twice as often as they are waited for, as sd_watchdog_enabled(3) advises.
        let period = self.patience? / 2;
        Some(beats(
            period,
            async move || polls.answers().await,
            async move || supervisor.tell("WATCHDOG=1").await,
        ))
    }

    async fn tell(&self, what: &str) {
        let sent = timeout(SEND_TIMEOUT, self.socket.send(what.as_bytes())).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = sent {
            tracing::warn!("the service manager cannot be notified of {what:?}: {error}");
        }
    }
}

/// Runs an endless task until `stopped` is ready.
pub(super) async fn until(
    stopped: impl Future<Output = ()>,
    part: impl Future<Output = Infallible>,
) {
    tokio::select! {
        () = stopped => {}
        never = part => match never {},
    }
}

async fn beats(
    period: Duration,
    is_alive: impl AsyncFn() -> bool,
    beat: impl AsyncFn(),
) -> Infallible {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(period, is_alive()).await {
            Ok(true) => beat().await,
            // The scheduler has ended, and so does the process.
            Ok(false) => {}
            Err(_) => tracing::error!(
                "the scheduler does not answer, which is a fault of the exporter; the service \
                 manager gets no sign of life"
            ),
        }
    }
}

/// A path, or `@` and a name in the abstract name space.
fn address(name: &str) -> io::Result<unix::SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => abstract_address(name),
        None if name.starts_with('/') => unix::SocketAddr::from_pathname(name),
        None => Err(io::Error::other("expected an absolute path, or @ and a name")),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> io::Result<unix::SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    unix::SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &str) -> io::Result<unix::SocketAddr> {
    Err(io::Error::other("only Linux has sockets with such names"))
}

fn connect(address: &unix::SocketAddr) -> io::Result<UnixDatagram> {
    let socket = unix::UnixDatagram::unbound()?;
    socket.connect_addr(address)?;
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// Longest time between two signs of life of this process that the manager accepts.
fn patience(lookup: Lookup<'_>, own_id: u32) -> Option<Duration> {
    let is_for_another =
        lookup("WATCHDOG_PID").is_some_and(|id| id.parse::<u32>().is_ok_and(|id| id != own_id));
    let microseconds = lookup("WATCHDOG_USEC")?.parse::<u64>().ok()?;
    // Half of it must be more than nothing.
    (microseconds > 1 && !is_for_another).then(|| Duration::from_micros(microseconds))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending, path::Path};

    use super::*;

    #[test]
    fn the_watchdog_is_that_of_this_process() {
        type Variables = &'static [(&'static str, &'static str)];
        let cases: [(Variables, Option<u64>); 8] = [
            (&[], None),
            (&[("WATCHDOG_USEC", "30000000")], Some(30_000_000)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "7")], Some(30_000_000)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "8")], None),
            (&[("WATCHDOG_PID", "7")], None),
            (&[("WATCHDOG_USEC", "0")], None),
            (&[("WATCHDOG_USEC", "1")], None),
            (&[("WATCHDOG_USEC", "soon")], None),
        ];
        for (variables, expected) in cases {
            let lookup = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(patience(&lookup, 7), expected.map(Duration::from_micros), "{variables:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sockets_are_paths_and_abstract_names() {
        use std::os::linux::net::SocketAddrExt as _;
        let path = address("/run/systemd/notify").unwrap();
        assert_eq!(path.as_pathname(), Some(Path::new("/run/systemd/notify")));
        let name = address("@a/b").unwrap();
        assert_eq!(name.as_abstract_name(), Some(&b"a/b"[..]));
        for unsupported in ["vsock:2:1234", "run/notify", "x"] {
            assert!(address(unsupported).is_err(), "{unsupported}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_heart_beats_only_while_the_scheduler_answers() {
        let second = Duration::from_secs(1);
        let (answers, count) = (Cell::new(true), Cell::new(0));
        let heart = beats(
            second,
            async || {
                if !answers.get() {
                    pending().await
                }
                true
            },
            async || count.set(count.get() + 1),
        );
        tokio::pin!(heart);
        assert!(timeout(second * 9 / 2, &mut heart).await.is_err());
        assert_eq!(count.get(), 5);
        answers.set(false);
        assert!(timeout(second * 10, &mut heart).await.is_err());
        assert_eq!(count.get(), 5);
        answers.set(true);
        assert!(timeout(second * 2, &mut heart).await.is_err());
        assert!(count.get() > 5);
    }
}
