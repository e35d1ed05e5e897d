//! The time limits of a change's steps.

use std::time::Duration;

use crate::audit;

/// The limits of a change's steps. The defaults are for the real cloud; tests use shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// A reading that a person waits for.
    pub read: Duration,
    /// A change waits this long for its turn under the rate limit; then nothing is sent.
    pub token: Duration,
    /// The API gives up after 30 s itself, so no answer comes later than this.
    pub update: Duration,
    /// After a change the cloud may show the old state for this long.
    pub read_back: Duration,
    /// Within this much of `read_back`, seeing the old state proves nothing.
    pub settling: Duration,
    /// The last reading begins this long before the end of `read_back`, so that it has time to be
    /// answered.
    pub last_reading: Duration,
    /// The waits between readings; the last one repeats.
    pub waits: [Duration; 4],
    /// A cloud that does not keep to its deadline is given up this much later.
    pub grace: Duration,
    /// A cloud that does not answer for so long keeps no service locked after a restart.
    pub recovery: Duration,
    /// Between two attempts of a recovery, each of which takes up to `read_back`.
    pub recovery_pause: Duration,
    /// A shutdown waits this long for the changes that are under way. Service managers must wait
    /// longer before they kill: else only the next start finds out and records how a change ended.
    pub drain: Duration,
}

impl Timings {
    /// The limits for the real cloud.
    pub const DEFAULT: Self = Self {
        read: Duration::from_secs(10),
        token: Duration::from_secs(10),
        update: Duration::from_secs(35),
        read_back: Duration::from_secs(15),
        settling: Duration::from_secs(5),
        last_reading: Duration::from_secs(1),
        waits: [
            Duration::from_millis(500),
            Duration::from_secs(1),
            Duration::from_secs(2),
            Duration::from_secs(4),
        ],
        grace: Duration::from_secs(1),
        recovery: Duration::from_secs(300),
        recovery_pause: Duration::from_secs(15),
        drain: Duration::from_secs(30),
    };

    /// The sum of all steps: two readings, the turn, the request, reading back, and two records.
    pub const fn longest_change(&self) -> Duration {
        let reading = self.read.saturating_add(self.grace);
        let record = audit::DEADLINE.saturating_add(self.grace);
        reading
            .saturating_mul(2)
            .saturating_add(self.token)
            .saturating_add(self.update.saturating_add(self.grace))
            .saturating_add(self.read_back.saturating_add(self.grace))
            .saturating_add(record.saturating_mul(2))
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// No change takes longer, unless its times were changed.
pub const LONGEST_CHANGE: Duration = Timings::DEFAULT.longest_change();
