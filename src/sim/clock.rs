//! The clock of the simulated cloud, which follows the true time or stands still, and the forms of times.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use tokio::time::Instant;

const BASIC: &str = "%Y%m%dT%H%M%SZ";

/// The clock, which the control API can move.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    fixed: Option<Timestamp>,
    skew_seconds: AtomicI64,
}

impl Clock {
    pub(super) fn new(fixed: Option<Timestamp>) -> Self {
        Self { started: Instant::now(), fixed, skew_seconds: AtomicI64::new(0) }
    }

    /// Now, moved by the skew.
    #[expect(clippy::disallowed_methods, reason = "the simulated cloud has a clock of its own")]
    pub(super) fn now(&self) -> Timestamp {
        let now = self.fixed.unwrap_or_else(Timestamp::now);
        let skew = SignedDuration::from_secs(self.skew_seconds.load(Ordering::Relaxed));
        now.checked_add(skew).unwrap_or(now)
    }

    /// The milliseconds since the simulator started.
    pub(super) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Moves the clock to `seconds` after (or before) the true time.
    pub(super) fn set_skew(&self, seconds: i64) {
        self.skew_seconds.store(seconds, Ordering::Relaxed);
    }
}

/// The time without its fraction: the CSS API gives whole seconds.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// `seconds` later or, if negative, earlier; the same time at the end of the calendar.
pub(super) fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}

/// The form of `X-Sdk-Date`: `20211217T065804Z`.
pub(super) fn basic_date(time: Timestamp) -> String {
    time.strftime(BASIC).to_string()
}

/// Reads the form of `X-Sdk-Date` and no other.
pub(super) fn parse_basic_date(text: &str) -> Option<Timestamp> {
    let date = DateTime::strptime(BASIC, text).ok()?;
    let time = TimeZone::UTC.to_timestamp(date).ok()?;
    // The parser also takes numbers with fewer digits.
    (basic_date(time) == text).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::{Clock, basic_date, parse_basic_date};

    #[test]
    fn basic_dates_go_both_ways() {
        let time = parse_basic_date("20211217T064303Z").expect("a good date");
        assert_eq!(time.to_string(), "2021-12-17T06:43:03Z");
        assert_eq!(basic_date(time), "20211217T064303Z");
        for bad in
            ["", "20211217T064303", "2021-12-17T06:43:03Z", "20211317T064303Z", "２0211217T064303Z"]
        {
            assert_eq!(parse_basic_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_fixed_clock_moves_only_by_its_skew() {
        let clock = Clock::new("2024-01-02T03:04:05Z".parse().ok());
        assert_eq!(clock.now().to_string(), "2024-01-02T03:04:05Z");
        clock.set_skew(-5);
        assert_eq!(clock.now().to_string(), "2024-01-02T03:04:00Z");
    }
}
