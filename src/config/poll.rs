//! `poll`: how often, how long, and what is shown.

use std::time::Duration;

use super::{
    file,
    notes::{Notes, human},
};
use crate::{exposition, huawei::paging::MAX_ROWS};

/// A poll of one page takes a fraction of a second; more often than this only costs quota.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A value read less often than daily is no monitoring.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// More would exhaust file descriptors before it made anything faster.
const MOST_CONCURRENCY: u32 = 256;

/// What the clusters of all projects share.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) exposition: exposition::Settings,
}

pub(super) fn poll(notes: &mut Notes, written: file::Poll) -> Poll {
    let interval =
        interval(notes, "poll.interval", written.interval.as_deref(), Duration::from_secs(60));
    let default_timeout = Duration::from_secs(30);
    let timeout = notes.duration("poll.timeout", written.timeout.as_deref(), default_timeout);
    if timeout.is_zero() || timeout >= interval {
        let expected = format!("more than 0s and less than poll.interval ({})", human(interval));
        notes.mistake("poll.timeout", human(timeout), expected);
    }
    let default_age = Duration::from_secs(15 * 60);
    let stale_after =
        notes.duration("poll.stale_after", written.stale_after.as_deref(), default_age);
    check_stale_after(notes, "poll.interval", interval, stale_after);
    let concurrency =
        notes.between("poll.concurrency", written.concurrency, 8, (1, MOST_CONCURRENCY));
    let per_connection_limit = notes.between(
        "poll.per_connection_limit",
        written.per_connection_limit,
        1000,
        (1, MAX_ROWS as u32),
    );
    let exposition = exposition::Settings {
        stale_after,
        per_connection: written.per_connection.unwrap_or(true),
        per_connection_limit: per_connection_limit as usize,
    };
    Poll { interval, timeout, concurrency: concurrency as usize, exposition }
}

/// How often a cluster is polled. One that cannot be is a mistake and counts as its default, so that
/// it is not the cause of further mistakes.
pub(super) fn interval(
    notes: &mut Notes,
    path: &str,
    written: Option<&str>,
    default: Duration,
) -> Duration {
    let interval = notes.duration(path, written, default);
    if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
        return interval;
    }
    let expected = format!("{} to {}", human(SHORTEST_INTERVAL), human(LONGEST_INTERVAL));
    notes.mistake(path, human(interval), expected);
    default
}

/// Data must outlive two failed polls, or every hiccup of the cloud makes a gap.
pub(super) fn check_stale_after(
    notes: &mut Notes,
    path: &str,
    interval: Duration,
    stale_after: Duration,
) {
    if stale_after < interval * 3 {
        let expected = format!("at least 3 times {path} ({})", human(interval * 3));
        notes.mistake("poll.stale_after", human(stale_after), expected);
    }
}
