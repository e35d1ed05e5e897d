//! When polls are due: arithmetic, and the wait.
//!
//! A cluster has a fixed place in its interval, decided by its id, on the wall clock at the start
//! and kept from then on. So polls are spread, a restart or a reload moves nothing, and replicas
//! agree. Places stand on a grid, so that a large fleet is polled a handful at a time.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// The distance of two places in an interval. A poll that wakes an idle processor costs about twice as much
/// as one of several in a row: with this grid, 2,000 clusters a minute are polled 8 at a time, and the fleet
/// takes half the processor time. For the cloud it is still an even load, because its limits count whole
/// seconds; the usual burst of the rate limit admits such a handful at once.
const GRID: Duration = Duration::from_millis(250);
/// A short interval has a finer grid, of so many places.
const FEWEST_PLACES: u32 = 16;

/// The place in its interval of a cluster or project with this id: at least zero, less than the interval.
pub(super) fn phase(id: &str, interval: Duration) -> Duration {
    let digest = Sha256::digest(id.as_bytes());
    let hash = digest.iter().take(8).fold(0_u64, |hash, &byte| hash << 8 | u64::from(byte));
    let grid = GRID.min(interval / FEWEST_PLACES);
    let places = interval.div_duration_f64(grid).floor();
    // Rounding could give the number of places, which is the place 0 of the next interval.
    let place = (places * (hash as f64 / 2_f64.powi(64))).min(places - 1.0);
    grid * place as u32
}

/// The time from `now` to the next moment that has this place in the interval, counted from
/// the Unix epoch: at least zero, less than the interval.
pub(super) fn until_next(now: Timestamp, phase: Duration, interval: Duration) -> Duration {
    let interval_ns = interval.as_nanos() as i128;
    // `rem_euclid`, because a phase may be ahead of a clock that is near the epoch.
    let behind = (now.as_nanosecond() - phase.as_nanos() as i128).rem_euclid(interval_ns);
    let ahead = (interval_ns - behind) % interval_ns;
    Duration::from_nanos(u64::try_from(ahead).unwrap_or(0))
}

/// The beat to go on with after a poll at `poll` that is not on the beat: at least half an interval
/// later, so that two polls do not follow each other at once.
pub(super) fn beat_after_a_poll(beat: Instant, interval: Duration, poll: Instant) -> Instant {
    let earliest = poll + interval / 2;
    if beat >= earliest { beat } else { next_after(beat, interval, earliest) }
}

/// The first due moment after `now` on the beat that `due` is on: missed beats are skipped, and the
/// place in the interval is kept.
pub(super) fn next_after(due: Instant, interval: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due);
    let beats = late.as_nanos() / interval.as_nanos() + 1;
    due + Duration::from_nanos_u128(interval.as_nanos() * beats)
}

/// Waits until then; without a moment, for ever.
pub(super) async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_tests::check;

    fn cluster(number: u32) -> String {
        format!("{number:08x}-5b35-4f50-8984-76387e42451a")
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn phases_are_steady_and_spread_over_the_interval() {
        let mut per_second = [0; 60];
        for number in 0..6000 {
            let place = phase(&cluster(number), MINUTE);
            assert_eq!(place, phase(&cluster(number), MINUTE));
            per_second[place.as_secs() as usize] += 1;
        }
        assert!(per_second.iter().all(|&count| (60..=145).contains(&count)), "{per_second:?}");
    }

    #[test]
    fn places_are_on_the_grid_and_in_the_interval() {
        let milliseconds = Duration::from_millis;
        for (interval, grid) in [(1000, 62.5), (2000, 125.0), (4000, 250.0), (86_400_000, 250.0)] {
            let interval = milliseconds(interval);
            let places: Vec<_> =
                (0..1000).map(|number| phase(&cluster(number), interval)).collect();
            for place in &places {
                let steps = place.as_secs_f64() * 1e3 / grid;
                assert!(*place < interval && steps.fract() == 0.0, "{place:?} in {interval:?}");
            }
            assert!(places.iter().any(|place| *place >= interval.mul_f64(0.9)), "{interval:?}");
            assert!(places.iter().any(|place| *place < interval.mul_f64(0.1)), "{interval:?}");
        }
    }

    #[test]
    fn the_next_moment_is_on_the_beat_whatever_the_time_of_the_start() {
        let place = Duration::from_secs(17);
        for second in [0, 16, 17, 18, 59, 1_700_000_000] {
            let now = Timestamp::from_second(second).unwrap();
            let wait = until_next(now, place, MINUTE);
            assert!(wait < MINUTE);
            assert_eq!((second + wait.as_secs() as i64) % 60, 17, "{second}");
        }
        let just_after = Timestamp::from_nanosecond(17_000_000_001).unwrap();
        assert_eq!(until_next(just_after, place, MINUTE).as_nanos(), 59_999_999_999);
    }

    #[test]
    fn any_next_moment_is_on_the_beat_and_less_than_an_interval_away() {
        const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;
        // Years before and after the epoch, to the nanosecond.
        let now = -(i64::MAX / 8)..i64::MAX / 4;
        check(1_000, &(now, 1_000_000_000..DAY, 0..DAY, 0..3 * DAY), |(now, beat, place, late)| {
            let (place, interval) = (place % beat, Duration::from_nanos(beat));
            let date = Timestamp::from_nanosecond(now.into()).unwrap();
            let wait = until_next(date, Duration::from_nanos(place), interval);
            assert!(wait < interval);
            let next = i128::from(now) + wait.as_nanos() as i128;
            assert_eq!(next.rem_euclid(beat.into()), i128::from(place));

            let due = Instant::now();
            let now = due + Duration::from_nanos(late);
            let next = next_after(due, interval, now);
            assert!(next > now && next <= now + interval);
            assert_eq!((next - due).as_nanos() % u128::from(beat), 0);
        });
    }

    #[test]
    fn the_beat_after_a_poll_out_of_turn_is_half_an_interval_away_or_more() {
        let poll = Instant::now() + MINUTE * 10;
        for (ahead, wait) in [(0, 60), (1, 61), (29, 89), (30, 30), (31, 31), (59, 59), (75, 75)] {
            let found = beat_after_a_poll(poll + Duration::from_secs(ahead), MINUTE, poll);
            assert_eq!((found - poll).as_secs(), wait, "{ahead}");
        }
    }

    #[test]
    fn a_stall_skips_beats_and_keeps_the_place() {
        let due = Instant::now();
        let seconds = |late| {
            let next = next_after(due, MINUTE, due + Duration::from_secs(late));
            (next - due).as_secs()
        };
        assert_eq!([0, 1, 59, 60, 61, 3700].map(seconds), [60, 60, 60, 120, 120, 3720]);
    }
}
