//! The pace of calls to the cloud: a token bucket that every request must draw from.
//!
//! A [`Token`] is the right to send one request; it cannot be copied, so no request goes out
//! unpaid. Waiting is first come, first served among equals: a change that was begun goes first, then
//! calls of the admin, then polls that have begun, then clusters without data, then the other polls.
//! When the cloud throttles, the bucket closes for a while, slows down and recovers little by little.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// After a throttling without `Retry-After` nothing is sent for this long: the gateway's windows
/// are of one second at least, and refused calls count against them.
const PAUSE_AFTER_THROTTLING: Duration = Duration::from_secs(1);
/// `Retry-After` is honoured up to this; a longer one would leave a project dark.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Answers within this time to requests that were already under way add no information.
const SLOW_DOWN_AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// The rate never falls below this part of the configured one.
const SLOWEST: f64 = 1.0 / 16.0;
/// A bucket without throttling wins this part of its configured rate back every second.
const RECOVERY_PER_SECOND: f64 = 1.0 / 300.0;

/// The configured rate of a service in a project.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Steady rate.
    pub requests_per_second: f64,
    /// Requests that may be sent at once after a quiet time; at least 1.
    pub burst: u32,
}

/// The purpose of a token; the first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A change that was begun: its request, and the readings that show what it did. Later changes do not
    /// overtake it.
    Change,
    /// The reading before a change, or a poll on demand.
    Admin,
    /// The next page, or the next try, of a poll under way: its deadline runs, and behind a long queue
    /// of polls that have not begun it would never end. Also a look at a service, or a plan for one:
    /// someone waits for it, but nothing depends on it.
    Begun,
    /// A poll of a cluster without data, of which nothing is shown yet.
    First,
    /// Any other scheduled poll.
    Poll,
}

impl Priority {
    const COUNT: usize = Self::Poll as usize + 1;

    /// The priority of the further requests of an operation that has its first token.
    pub fn once_begun(self) -> Self {
        self.min(Self::Begun)
    }
}

/// The right to send one request.
#[derive(Debug)]
#[must_use = "a token that is dropped is a request that could have been sent"]
pub struct Token(());

/// The bucket of one service in one project. Clones share it.
#[derive(Clone, Debug)]
pub struct Pacer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: RateLimit,
    bucket: Mutex<Bucket>,
    /// A fair queue for each priority: tokio's mutex serves its waiters in order.
    turns: [tokio::sync::Mutex<()>; Priority::COUNT],
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
    /// Part of the configured rate in force, `SLOWEST..=1`.
    pace: f64,
    closed_until: Instant,
    slowed_at: Option<Instant>,
    /// The number of waiters of each priority.
    waiting: [usize; Priority::COUNT],
}

impl Pacer {
    /// A full bucket.
    pub fn new(limit: RateLimit) -> Self {
        let now = Instant::now();
        let bucket = Bucket {
            tokens: f64::from(limit.burst),
            filled_at: now,
            pace: 1.0,
            closed_until: now,
            slowed_at: None,
            waiting: [0; Priority::COUNT],
        };
        Self(Arc::new(Shared { limit, bucket: Mutex::new(bucket), turns: Default::default() }))
    }

    /// Waits for a token. Giving up the wait costs nothing.
    pub async fn acquire(&self, priority: Priority) -> Token {
        let _waiting = Waiting::new(&self.0, priority);
        let _turn = self.0.turns[priority as usize].lock().await;
        loop {
            match self.0.try_take(priority) {
                Ok(token) => return token,
                Err(retry_at) => tokio::time::sleep_until(retry_at).await,
            }
        }
    }

    /// The cloud has throttled a request: close, then go on slower.
    pub fn throttled(&self, retry_after: Option<Duration>) {
        let now = Instant::now();
        let mut bucket = self.0.lock();
        bucket.fill(&self.0.limit, now);
        bucket.tokens = bucket.tokens.min(0.0);
        let pause = retry_after.unwrap_or(PAUSE_AFTER_THROTTLING).min(LONGEST_PAUSE);
        bucket.closed_until = bucket.closed_until.max(now + pause);
        if bucket.slowed_at.is_none_or(|at| now - at >= SLOW_DOWN_AT_MOST_EVERY) {
            bucket.pace = (bucket.pace / 2.0).max(SLOWEST);
            bucket.slowed_at = Some(now);
        }
    }

    /// When the bucket opens again, if it is closed after a throttling.
    pub fn closed_until(&self) -> Option<Instant> {
        let until = self.0.lock().closed_until;
        (until > Instant::now()).then_some(until)
    }
}

impl Shared {
    fn lock(&self) -> parking_lot::MutexGuard<'_, Bucket> {
        self.bucket.lock()
    }

    fn try_take(&self, priority: Priority) -> Result<Token, Instant> {
        let now = Instant::now();
        let mut bucket = self.lock();
        bucket.fill(&self.limit, now);
        let one_token =
            Duration::from_secs_f64(1.0 / (self.limit.requests_per_second * bucket.pace));
        if bucket.closed_until > now {
            return Err(bucket.closed_until);
        }
        if bucket.waiting[..priority as usize].iter().any(|&count| count > 0) {
            return Err(now + one_token);
        }
        // A hair below 1, so that rounding cannot make a waiter sleep again for nothing.
        if bucket.tokens >= 1.0 - 1e-6 {
            bucket.tokens -= 1.0;
            return Ok(Token(()));
        }
        Err(now + one_token.mul_f64(1.0 - bucket.tokens).max(Duration::from_millis(1)))
    }
}

impl Bucket {
    fn fill(&mut self, limit: &RateLimit, now: Instant) {
        // Refilling starts where the closing ended: a pause earns nothing.
        let from = self.filled_at.max(self.closed_until.min(now));
        let elapsed = (now - from).as_secs_f64();
        self.tokens = (self.tokens + elapsed * limit.requests_per_second * self.pace)
            .min(f64::from(limit.burst));
        self.pace = (self.pace + elapsed * RECOVERY_PER_SECOND).min(1.0);
        self.filled_at = now;
    }
}

/// Counts a caller as waiting for as long as it lives.
struct Waiting<'a>(&'a Shared, Priority);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared, priority: Priority) -> Self {
        shared.lock().waiting[priority as usize] += 1;
        Self(shared, priority)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Self(shared, priority) = self;
        shared.lock().waiting[*priority as usize] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(requests_per_second: f64, burst: u32) -> Pacer {
        Pacer::new(RateLimit { requests_per_second, burst })
    }

    async fn drawn_within(pacer: &Pacer, seconds: u64) -> usize {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut drawn = 0;
        while tokio::time::timeout_at(end, pacer.acquire(Priority::Poll)).await.is_ok() {
            drawn += 1;
        }
        drawn
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_steady_rate() {
        let pacer = pacer(5.0, 10);
        let drawn = drawn_within(&pacer, 60).await;
        assert!((309..=310).contains(&drawn), "{drawn}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_are_served_in_their_order_and_a_cancelled_one_costs_nothing() {
        let pacer = pacer(1.0, 1);
        let _first = pacer.acquire(Priority::Poll).await;
        let started = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..4 {
            let (pacer, order) = (pacer.clone(), order.clone());
            let handle = tasks.spawn(async move {
                let _token = pacer.acquire(Priority::Poll).await;
                order.lock().push(number);
            });
            tokio::task::yield_now().await;
            if number == 1 {
                handle.abort();
            }
        }
        while tasks.join_next().await.is_some() {}
        assert_eq!(*order.lock(), [0, 2, 3]);
        assert_eq!(started.elapsed().as_secs_f64().round(), 3.0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_waited_for_goes_before_those_that_only_have_their_turn() {
        let pacer = pacer(1.0, 1);
        let _first = pacer.acquire(Priority::Poll).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        let callers = [
            ("poll 1", Priority::Poll),
            ("poll 2", Priority::Poll),
            ("first poll", Priority::First),
            ("second page", Priority::Poll.once_begun()),
            ("admin", Priority::Admin),
            ("admin's second", Priority::Admin.once_begun()),
            ("change", Priority::Change),
            ("change's second", Priority::Change.once_begun()),
        ];
        for (name, priority) in callers {
            let (pacer, order) = (pacer.clone(), order.clone());
            tasks.spawn(async move {
                let _token = pacer.acquire(priority).await;
                order.lock().push(name);
            });
            tokio::task::yield_now().await;
        }
        while tasks.join_next().await.is_some() {}
        let order = order.lock();
        assert_eq!(order[..4], ["change", "change's second", "admin", "admin's second"]);
        assert_eq!(order[4..], ["second page", "first poll", "poll 1", "poll 2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_closes_the_bucket_slows_it_and_recovers() {
        let pacer = pacer(10.0, 10);
        pacer.throttled(Some(Duration::from_secs(7)));
        let started = Instant::now();
        let _token = pacer.acquire(Priority::Poll).await;
        assert!(started.elapsed() >= Duration::from_secs(7));
        let slow = drawn_within(&pacer, 10).await;
        assert!((45..=60).contains(&slow), "half the rate: {slow}");
        tokio::time::sleep(Duration::from_secs(300)).await;
        let recovered = drawn_within(&pacer, 10).await;
        assert!((109..=110).contains(&recovered), "{recovered}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_of_a_year_closes_for_five_minutes() {
        let pacer = pacer(10.0, 10);
        pacer.throttled(Some(Duration::from_secs(365 * 24 * 3600)));
        let started = Instant::now();
        let _token = pacer.acquire(Priority::Poll).await;
        assert_eq!(started.elapsed().as_secs(), 300);
    }
}
