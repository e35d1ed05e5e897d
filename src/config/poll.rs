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
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// The timeout for a slow cloud, if the intervals leave room for it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(15 * 60);
/// Data must outlive two failed polls, or every hiccup of the cloud makes a gap.
const LEAST_INTERVALS_UNTIL_STALE: u32 = 3;

/// What the clusters of all projects share.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// How often a cluster without an interval of its own is polled.
    pub(super) interval: Duration,
    /// How long one whole poll may take.
    pub timeout: Duration,
    /// Polls of one project in flight at most.
    pub concurrency: usize,
}

/// The intervals at which clusters are polled.
pub(super) struct Intervals {
    /// The interval of clusters without one of their own.
    pub(super) default: Duration,
    shortest: Option<Interval>,
    longest: Option<Interval>,
    /// Whether an interval is invalid. Values that depend on the intervals are then not checked: they may be
    /// right once the intervals are.
    are_wrong: bool,
}

/// An interval, and the key that it comes from.
#[derive(Clone)]
struct Interval {
    length: Duration,
    path: String,
}

const DEFAULT_PATH: &str = "poll.interval";

impl Intervals {
    pub(super) fn new(notes: &mut Notes<'_>, written: &file::Poll) -> Self {
        let (shortest, longest) = (None, None);
        let default = DEFAULT_INTERVAL;
        let mut intervals = Self { default, shortest, longest, are_wrong: false };
        intervals.default = intervals.read(notes, DEFAULT_PATH, written.interval.as_deref());
        intervals
    }

    /// How often a cluster is polled, given its own interval if it has one.
    pub(super) fn of_cluster(
        &mut self,
        notes: &mut Notes<'_>,
        path: &str,
        written: Option<&str>,
    ) -> Duration {
        let length = self.read(notes, path, written);
        let path = if written.is_some() { path } else { DEFAULT_PATH };
        let interval = || Some(Interval { length, path: path.to_owned() });
        if self.shortest.as_ref().is_none_or(|shortest| length < shortest.length) {
            self.shortest = interval();
        }
        if self.longest.as_ref().is_none_or(|longest| length > longest.length) {
            self.longest = interval();
        }
        length
    }

    fn read(&mut self, notes: &mut Notes<'_>, path: &str, written: Option<&str>) -> Duration {
        if written.is_none() {
            return self.default;
        }
        match notes.duration(path, written) {
            Some(length) if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&length) => length,
            found => {
                self.are_wrong = true;
                if let Some(length) = found {
                    let (least, most) = (human(SHORTEST_INTERVAL), human(LONGEST_INTERVAL));
                    notes.mistake(path, human(length), format_args!("{least} to {most}"));
                }
                self.default
            }
        }
    }

    /// Without clusters, the interval of clusters to come counts.
    fn or_default(&self, of_clusters: Option<&Interval>) -> Interval {
        let default = || Interval { length: self.default, path: DEFAULT_PATH.into() };
        of_clusters.cloned().unwrap_or_else(default)
    }
}

/// The section, with what depends on the intervals: a value that is not written follows from them,
/// one that is written must fit them.
pub(super) fn poll(
    notes: &mut Notes<'_>,
    written: &file::Poll,
    intervals: &Intervals,
) -> (Poll, exposition::Settings) {
    let shortest = intervals.or_default(intervals.shortest.as_ref());
    let longest = intervals.or_default(intervals.longest.as_ref());
    let path = "poll.timeout";
    let timeout = notes.duration(path, written.timeout.as_deref());
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        notes.mistake(path, "0s", "more than 0s");
    } else if let Some(timeout) = timeout.filter(|_| !intervals.are_wrong)
        && timeout > shortest.length
    {
        let (most, of) = (human(shortest.length), notes.other(&shortest.path));
        notes.mistake(path, human(timeout), format_args!("at most {of}, {most}"));
    }
    let timeout = timeout.unwrap_or_else(|| DEFAULT_TIMEOUT.min(shortest.length / 2));
    let path = "poll.stale_after";
    let least = longest.length * LEAST_INTERVALS_UNTIL_STALE;
    let stale_after = notes.duration(path, written.stale_after.as_deref());
    if let Some(stale_after) = stale_after.filter(|_| !intervals.are_wrong)
        && stale_after < least
    {
        let (least, of) = (human(least), notes.other(&longest.path));
        let times = LEAST_INTERVALS_UNTIL_STALE;
        let expected = format_args!("at least {times} times {of}, {least}");
        notes.mistake(path, human(stale_after), expected);
    }
    let stale_after = stale_after.unwrap_or_else(|| DEFAULT_STALE_AFTER.max(least));
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
    let interval = intervals.default;
    (Poll { interval, timeout, concurrency: concurrency as usize }, exposition)
}
