//! `poll`: intervals, time limits, and the choice of series.

use std::time::Duration;

use super::{
    diagnostics::{Context, human},
    file,
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

/// The polling of the clusters of all projects.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// Time limit of one whole poll.
    pub timeout: Duration,
    /// Polls of one project in flight at most.
    pub concurrency: usize,
}

/// The intervals at which clusters are polled.
pub(super) struct Intervals {
    /// The interval of clusters without one of their own.
    default: Interval,
    of_clusters: Vec<Interval>,
    /// True if an interval is invalid. Values that depend on the intervals are then not checked: they may be
    /// right once the intervals are.
    are_wrong: bool,
}

/// An interval, and the key that it comes from.
struct Interval {
    length: Duration,
    path: String,
}

impl Intervals {
    pub(super) fn new(context: &mut Context<'_>, written: &mut file::Poll) -> Self {
        let default = Interval { length: DEFAULT_INTERVAL, path: "poll.interval".into() };
        let mut intervals = Self { default, of_clusters: Vec::new(), are_wrong: false };
        let path = intervals.default.path.clone();
        intervals.default.length = intervals.read(context, &path, &mut written.interval);
        intervals
    }

    /// The interval of a cluster, given its own interval if it has one.
    pub(super) fn of_cluster(
        &mut self,
        context: &mut Context<'_>,
        path: &str,
        written: &mut Option<String>,
    ) -> Duration {
        let path = if written.is_some() { path } else { &self.default.path }.to_owned();
        let length = self.read(context, &path, written);
        self.of_clusters.push(Interval { length, path });
        length
    }

    fn read(
        &mut self,
        context: &mut Context<'_>,
        path: &str,
        written: &mut Option<String>,
    ) -> Duration {
        let default = self.default.length;
        let text = written.get_or_insert_with(|| human(default));
        let length = match context.duration(path, Some(text)) {
            Some(length) if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&length) => length,
            found => {
                self.are_wrong = true;
                if let Some(length) = found {
                    let (least, most) = (human(SHORTEST_INTERVAL), human(LONGEST_INTERVAL));
                    context.mistake(path, human(length), format_args!("{least} to {most}"));
                }
                default
            }
        };
        *text = human(length);
        length
    }

    /// The first of the shortest intervals. Without clusters, the interval of clusters to come counts.
    fn shortest(&self) -> &Interval {
        let shortest = self.of_clusters.iter().min_by_key(|interval| interval.length);
        shortest.unwrap_or(&self.default)
    }

    /// The first of the longest intervals.
    fn longest(&self) -> &Interval {
        let longest = self.of_clusters.iter().rev().max_by_key(|interval| interval.length);
        longest.unwrap_or(&self.default)
    }
}

/// The section, with what depends on the intervals: a value that is not written follows from them,
/// one that is written must fit them.
pub(super) fn poll(
    context: &mut Context<'_>,
    written: &mut file::Poll,
    intervals: &Intervals,
) -> (Poll, exposition::Settings) {
    let concurrency = &mut written.concurrency;
    let concurrency =
        context.between("poll.concurrency", concurrency, 8, (1, MOST_CONCURRENCY)) as usize;
    let limit = &mut written.per_connection_limit;
    let limit = context.between("poll.per_connection_limit", limit, 1000, (1, MAX_ROWS as u32));
    let exposition = exposition::Settings {
        stale_after: stale_after(context, &mut written.stale_after, intervals),
        per_connection: *written.per_connection.get_or_insert(true),
        per_connection_limit: limit as usize,
    };
    (Poll { timeout: timeout(context, &mut written.timeout, intervals), concurrency }, exposition)
}

fn timeout(
    context: &mut Context<'_>,
    written: &mut Option<String>,
    intervals: &Intervals,
) -> Duration {
    let shortest = intervals.shortest();
    let default = DEFAULT_TIMEOUT.min(shortest.length / 2);
    fitting(context, "poll.timeout", written, default, |context, timeout| {
        if timeout.is_zero() {
            return Some("more than 0s".into());
        }
        let is_too_long = timeout > shortest.length && !intervals.are_wrong;
        is_too_long.then(|| {
            format!("at most {}, {}", context.other(&shortest.path), human(shortest.length))
        })
    })
}

fn stale_after(
    context: &mut Context<'_>,
    written: &mut Option<String>,
    intervals: &Intervals,
) -> Duration {
    let longest = intervals.longest();
    let times = LEAST_INTERVALS_UNTIL_STALE;
    let least = longest.length * times;
    let default = DEFAULT_STALE_AFTER.max(least);
    fitting(context, "poll.stale_after", written, default, |context, stale_after| {
        let is_too_short = stale_after < least && !intervals.are_wrong;
        is_too_short.then(|| {
            let (least, of) = (human(least), context.other(&longest.path));
            format!("at least {times} times {of}, {least}")
        })
    })
}

/// A duration that follows from the intervals if it is unset; `expected` is the message about one that
/// does not fit them.
fn fitting(
    context: &mut Context<'_>,
    path: &str,
    written: &mut Option<String>,
    default: Duration,
    expected: impl FnOnce(&Context<'_>, Duration) -> Option<String>,
) -> Duration {
    let read = context.duration(path, written.as_deref());
    if let Some(expected) = read.and_then(|duration| expected(context, duration)) {
        context.mistake(path, read.map(human).unwrap_or_default(), expected);
    }
    let duration = read.unwrap_or(default);
    *written = Some(human(duration));
    duration
}
