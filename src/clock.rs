//! The wall clock, as a value that is handed down, so that a test decides what time it is.
//!
//! Waiting is done with `tokio::time`, which tests can pause; only *dates* come from here.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

/// A source of dates. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Tokio { date: Timestamp, since: tokio::time::Instant },
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// `date` now, moving with tokio's clock, which a test can pause and advance.
    pub fn tokio_from(date: Timestamp) -> Self {
        Self(Source::Tokio { date, since: tokio::time::Instant::now() })
    }

    /// A clock that stands at `date` until [`Clock::set`].
    pub fn manual(date: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(date))))
    }

    /// Moves a manual clock; the other kinds cannot be moved and stay as they are.
    pub fn set(&self, date: Timestamp) {
        if let Source::Manual(cell) = &self.0 {
            *cell.lock() = date;
        }
    }

    /// The date now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Tokio { date, since } => date.saturating_add(since.elapsed()).unwrap_or(*date),
            Source::Manual(cell) => *cell.lock(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

/// Seconds since the Unix epoch, to the millisecond, as Prometheus wants them.
pub fn unix_seconds(date: Timestamp) -> f64 {
    date.as_millisecond() as f64 / 1e3
}
