//! The difference between the cloud's clock and ours: by the `Date` of its answers (RFC 9110, section
//! 6.6.1), and by the text with which a gateway refuses a signature as expired.
//!
//! A gateway refuses signatures that are 15 minutes off; a warning at one minute leaves time.

use std::collections::HashMap;

use jiff::{Timestamp, civil::DateTime, fmt::rfc2822, tz::TimeZone};
use parking_lot::Mutex;
use reqwest::header::{DATE, HeaderMap};

use crate::stats::Stats;

/// A `Date` has whole seconds and the answer takes its time; a minute is a wrong clock.
const WORTH_A_WARNING_SECONDS: f64 = 60.0;

/// The projects, each with true if its clock was wrong at last.
#[derive(Debug, Default)]
pub(super) struct Skew(Mutex<HashMap<Box<str>, bool>>);

impl Skew {
    /// Takes the date of an answer, and returns how many seconds it is ahead: 0 without a date. The log
    /// hears of a wrong clock once, and of its end.
    pub(super) fn note(
        &self,
        project: &str,
        headers: &HeaderMap,
        now: Timestamp,
        stats: &Stats,
    ) -> f64 {
        let skew = seconds_ahead(headers, now);
        skew.iter().for_each(|skew| self.take(project, *skew, stats));
        skew.unwrap_or(0.0)
    }

    /// Takes a refusal that contains the gateway's time; proxies may leave `Date` out, or set their own.
    pub(super) fn note_refusal(&self, project: &str, text: &str, now: Timestamp, stats: &Stats) {
        if let Some(server) = server_time(text) {
            self.take(project, server.duration_since(now).as_secs_f64(), stats);
        }
    }

    fn take(&self, project: &str, skew: f64, stats: &Stats) {
        stats.api_clock_skew(project, skew);
        let is_wrong = skew.abs() >= WORTH_A_WARNING_SECONDS;
        let mut known = self.0.lock();
        let was_wrong = known.insert(project.into(), is_wrong).unwrap_or(false);
        if is_wrong && !was_wrong {
            tracing::warn!(
                project,
                skew_seconds = skew,
                "the cloud's clock differs from this machine's; at 900 s signatures are refused; \
                 check the time synchronisation of this machine"
            );
        } else if was_wrong && !is_wrong {
            tracing::info!(project, skew_seconds = skew, "the clocks agree again");
        }
    }
}

/// The seconds that the cloud's clock is ahead. Within the second of a `Date` there is no skew.
pub(super) fn seconds_ahead(headers: &HeaderMap, now: Timestamp) -> Option<f64> {
    let date = rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?.timestamp();
    let behind = now.duration_since(date).as_secs_f64();
    Some(if (0.0..1.0).contains(&behind) { 0.0 } else { -behind })
}

/// The time in `… signature expired, signature time:20211217T064303Z,server time:20211217T065804Z`.
fn server_time(text: &str) -> Option<Timestamp> {
    let (_, after) = text.split_once("server time:")?;
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", after.get(..16)?).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_tells_the_skew() {
        let now: Timestamp = "1994-11-06T08:49:37.250Z".parse().unwrap();
        let cases = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0.0)),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Some(0.75)),
            ("Sun, 06 Nov 1994 09:06:37 GMT", Some(1019.75)),
            ("Sun, 06 Nov 1994 08:32:37 GMT", Some(-1020.25)),
            ("yesterday", None),
        ];
        for (date, expected) in cases {
            let headers = HeaderMap::from_iter([(DATE, date.parse().unwrap())]);
            assert_eq!(seconds_ahead(&headers, now), expected, "{date}");
        }
        assert_eq!(seconds_ahead(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_refusal_tells_the_time_of_the_gateway() {
        let text = "the cloud answered: Incorrect IAM authentication information: signature expired, \
                    signature time:20211217T064303Z,server time:20211217T065804Z";
        assert_eq!(server_time(text), "2021-12-17T06:58:04Z".parse().ok());
        for text in
            ["", "server time:", "server time:soon, or so it says", "server time:2021é17T065804Z"]
        {
            assert_eq!(server_time(text), None, "{text}");
        }
    }
}
