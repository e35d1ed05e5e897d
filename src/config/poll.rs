//! `poll`: intervals, time limits, and the choice of series.

use std::time::Duration;

use super::{
    diagnostics::{At, human},
    file,
};
use crate::{exposition, huawei::paging::MAX_ROWS};

/// A poll of one page takes a fraction of a second; more often than this only costs quota.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A value read less often than daily is no monitoring.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);
const INTERVALS: (Duration, Duration) = (SHORTEST_INTERVAL, LONGEST_INTERVAL);
/// More would exhaust file descriptors before it made anything faster.
const MOST_CONCURRENCY: u32 = 256;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// The timeout for a slow cloud, if the intervals leave room for it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(15 * 60);
/// Data must outlive two failed polls, or every hiccup of the cloud makes a gap.
const LEAST_INTERVALS_UNTIL_STALE: u32 = 3;

/// The polling of the clusters of all projects.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// Time limit of one whole poll.
    pub timeout: Duration,
    /// Polls of one project in flight at most.
    pub concurrency: usize,
}

/// The intervals at which clusters are polled.
pub(super) struct Intervals<'a> {
    /// The interval of clusters without one of their own.
    default: Interval<'a>,
    of_clusters: Vec<Interval<'a>>,
    /// True if an interval is invalid. Values that depend on the intervals are then not checked: they may be
    /// right once the intervals are.
    are_wrong: bool,
}

/// An interval, and the key that it comes from.
struct Interval<'a> {
    length: Duration,
    at: At<'a>,
}

impl<'a> Intervals<'a> {
    pub(super) fn new(at: At<'a>, written: &mut Option<String>) -> Self {
        let length = at.duration_between(written, DEFAULT_INTERVAL, INTERVALS);
        let default = Interval { length: length.unwrap_or(DEFAULT_INTERVAL), at };
        Self { default, of_clusters: Vec::new(), are_wrong: length.is_none() }
    }

    /// The interval of a cluster, given its own interval if it has one.
    pub(super) fn of_cluster(&mut self, at: At<'a>, written: &mut Option<String>) -> Duration {
        let at = if written.is_some() { at } else { self.default.at.clone() };
        let length = at.duration_between(written, self.default.length, INTERVALS);
        self.are_wrong |= length.is_none();
        let length = length.unwrap_or(self.default.length);
        self.of_clusters.push(Interval { length, at });
        length
    }

    /// The first of the shortest intervals. Without clusters, the interval of clusters to come counts.
    fn shortest(&self) -> &Interval<'a> {
        let shortest = self.of_clusters.iter().min_by_key(|interval| interval.length);
        shortest.unwrap_or(&self.default)
    }

    /// The first of the longest intervals.
    fn longest(&self) -> &Interval<'a> {
        let longest = self.of_clusters.iter().rev().max_by_key(|interval| interval.length);
        longest.unwrap_or(&self.default)
    }
}

/// The section, with what depends on the intervals: a value that is not written follows from them,
/// one that is written must fit them.
pub(super) fn poll(
    at: &At<'_>,
    written: &mut file::Poll,
    intervals: &Intervals<'_>,
) -> (Poll, exposition::Settings) {
    let concurrency = &mut written.concurrency;
    let concurrency = at.key("concurrency").between(concurrency, 8, (1, MOST_CONCURRENCY));
    let (limit, limits) = (&mut written.per_connection_limit, (1, MAX_ROWS as u32));
    let limit = at.key("per_connection_limit").between(limit, 1000, limits);
    let exposition = exposition::Settings {
        stale_after: stale_after(&at.key("stale_after"), &mut written.stale_after, intervals),
        per_connection: *written.per_connection.get_or_insert(true),
        per_connection_limit: limit as usize,
    };
    let timeout = timeout(&at.key("timeout"), &mut written.timeout, intervals);
    (Poll { timeout, concurrency: concurrency as usize }, exposition)
}

fn timeout(at: &At<'_>, written: &mut Option<String>, intervals: &Intervals<'_>) -> Duration {
    let shortest = intervals.shortest();
    let default = DEFAULT_TIMEOUT.min(shortest.length / 2);
    fitting(at, written, default, |timeout| {
        if timeout.is_zero() {
            return Some("more than 0s".into());
        }
        let is_too_long = timeout > shortest.length && !intervals.are_wrong;
        is_too_long.then(|| format!("at most {}, {}", shortest.at.named(), human(shortest.length)))
    })
}

fn stale_after(at: &At<'_>, written: &mut Option<String>, intervals: &Intervals<'_>) -> Duration {
    let longest = intervals.longest();
    let times = LEAST_INTERVALS_UNTIL_STALE;
    let least = longest.length * times;
    fitting(at, written, DEFAULT_STALE_AFTER.max(least), |stale_after| {
        let is_too_short = stale_after < least && !intervals.are_wrong;
        is_too_short
            .then(|| format!("at least {times} times {}, {}", longest.at.named(), human(least)))
    })
}

/// A duration that follows from the intervals if it is unset; `expected` is the message about one that
/// does not fit them.
fn fitting(
    at: &At<'_>,
    written: &mut Option<String>,
    default: Duration,
    expected: impl FnOnce(Duration) -> Option<String>,
) -> Duration {
    let read = written.as_ref().and_then(|text| at.duration(text));
    let duration = read.unwrap_or(default);
    if let Some(expected) = read.and_then(expected) {
        at.mistake(human(duration), expected);
    }
    *written = Some(human(duration));
    duration
}
