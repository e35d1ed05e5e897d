//! The limit on guesses of a token, for each source address.

use std::{collections::HashMap, net::IpAddr};

use tokio::time::{Duration, Instant};

/// Failures that a source may have in a window: enough for a person with the wrong file.
const FAILURES: u32 = 10;
/// Time for which failures count.
const WINDOW: Duration = Duration::from_secs(60);
/// Sources that are remembered, some 100 bytes each. With more the oldest is forgotten: an attacker
/// with so many addresses is not held up by a table.
const SOURCES: usize = 1024;

/// The failures of each source.
#[derive(Debug, Default)]
pub(super) struct Limiter(HashMap<IpAddr, Window>);

#[derive(Debug)]
struct Window {
    ends: Instant,
    failures: u32,
}

impl Limiter {
    /// A failure now.
    ///
    /// # Errors
    /// Counts a failure. If the source had too many before it, the error is the time it has to wait.
    pub(super) fn fail(&mut self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let source = network(source);
        if !self.0.contains_key(&source) && self.0.len() >= SOURCES {
            self.make_room(now);
        }
        let window =
            self.0.entry(source).or_insert_with(|| Window { ends: now + WINDOW, failures: 0 });
        if window.ends <= now {
            *window = Window { ends: now + WINDOW, failures: 0 };
        }
        if window.failures >= FAILURES {
            return Err(window.ends - now);
        }
        window.failures += 1;
        Ok(())
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, window| window.ends > now);
        if self.0.len() >= SOURCES {
            let oldest = self.0.iter().min_by_key(|(_, window)| window.ends);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                self.0.remove(&oldest);
            }
        }
    }
}

/// The source that an address belongs to. The holder of one IPv6 address has all 2^64 in its network.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::from((u128::from(address) & (u128::MAX << 64)).to_be_bytes())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        number.to_be_bytes().into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_eleventh_failure_of_a_minute_has_to_wait() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        for _ in 0..FAILURES {
            assert_eq!(limiter.fail(source(1), start), Ok(()));
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(limiter.fail(source(1), later), Err(Duration::from_secs(40)));
        assert_eq!(limiter.fail(source(2), later), Ok(()));
        let almost = start + WINDOW - Duration::from_millis(1);
        assert_eq!(limiter.fail(source(1), almost), Err(Duration::from_millis(1)));
        assert_eq!(limiter.fail(source(1), start + WINDOW), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn neighbours_are_one_source() {
        let mut limiter = Limiter::default();
        let now = Instant::now();
        for last in 0..FAILURES {
            let address = format!("2001:db8::{last:x}").parse().unwrap();
            assert_eq!(limiter.fail(address, now), Ok(()));
        }
        assert!(limiter.fail("2001:db8::ffff".parse().unwrap(), now).is_err());
        assert_eq!(limiter.fail("2001:db8:0:1::".parse().unwrap(), now), Ok(()));
        for _ in 0..FAILURES {
            assert_eq!(limiter.fail("::ffff:127.0.0.1".parse().unwrap(), now), Ok(()));
        }
        assert!(limiter.fail("127.0.0.1".parse().unwrap(), now).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_does_not_grow_beyond_its_limit() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        for number in 0..SOURCES as u32 + 10 {
            let now = start + Duration::from_millis(number.into());
            assert_eq!(limiter.fail(source(number), now), Ok(()));
        }
        assert_eq!(limiter.0.len(), SOURCES);
        assert!(!limiter.0.contains_key(&source(9)) && limiter.0.contains_key(&source(10)));
        assert_eq!(limiter.fail(source(7), start + 2 * WINDOW), Ok(()));
        assert_eq!(limiter.0.len(), 1);
    }
}
