//! The rate limit of a listener: one token bucket for all clients.

use parking_lot::Mutex;

use tokio::time::{Duration, Instant};

/// Lets a burst of requests through, and then one in each interval.
#[derive(Debug)]
pub struct RequestLimit {
    interval: Duration,
    burst: u32,
    /// The time at which the bucket is full again if no request comes.
    full_at: Mutex<Instant>,
}

impl RequestLimit {
    /// A full bucket.
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, full_at: Mutex::new(Instant::now()) }
    }

    /// Takes a token, or returns the time until there is one.
    pub(super) fn take(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock();
        let next = (*full_at).max(now) + self.interval;
        let latest = now + self.interval * self.burst;
        if next > latest {
            return Err(next - latest);
        }
        *full_at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_one_in_each_interval() {
        let limit = RequestLimit::new(Duration::from_secs(2), 3);
        for round in 0..3 {
            for _ in 0..3 {
                assert_eq!(limit.take(), Ok(()), "round {round}");
            }
            assert_eq!(limit.take(), Err(Duration::from_secs(2)));
            tokio::time::advance(Duration::from_millis(500)).await;
            assert_eq!(limit.take(), Err(Duration::from_millis(1500)));
            tokio::time::advance(Duration::from_millis(1500)).await;
            assert_eq!(limit.take(), Ok(()));
            assert!(limit.take().is_err());
            // However long nothing comes, no more than the burst is saved up.
            tokio::time::advance(Duration::from_secs(1000)).await;
        }
    }
}
