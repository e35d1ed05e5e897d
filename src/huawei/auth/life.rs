//! The times at which credentials are renewed and stop being used: by this process's own clock, as the wall
//! clock may be wrong.

use std::time::Duration;

use tokio::time::Instant;

use super::issued::Lifetime;

/// Credentials are renewed when this part of their life is left, …
const RENEW_AT: f64 = 0.25;
/// … but not earlier than the official SDKs do, …
const EARLIEST: Duration = Duration::from_secs(40 * 60);
/// … and not so late that a few failures end them.
const LATEST: Duration = Duration::from_secs(5 * 60);
/// A part of that time, drawn at random: projects that began together do not ask together.
const JITTER: f64 = 0.2;
/// Old credentials do not serve to their very end: a request takes its time, and clocks differ.
const DOUBT: Duration = Duration::from_secs(30);
/// Credentials whose end cannot be read are renewed after this time, …
const UNREADABLE: Duration = Duration::from_secs(5 * 60);
/// … and until then serve, at most as long as the longest-lived ones.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// A renewal that failed, or that brought the same credentials, is tried again after this time.
pub(super) const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// The life of credentials that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) renew_at: Instant,
    pub(super) ends_at: Instant,
}

impl Life {
    /// The life of credentials that were asked for at a moment; none where they do not end. `chance` is
    /// 0 to 1.
    pub(super) fn new(lifetime: Lifetime, asked: Instant, chance: f64) -> Option<Self> {
        match lifetime {
            Lifetime::Permanent => None,
            Lifetime::Unreadable => {
                Some(Self { renew_at: asked + UNREADABLE, ends_at: asked + LONGEST })
            }
            Lifetime::Until { left, .. } => {
                let serves = left - DOUBT.min(left / 10);
                let lead = left.mul_f64(RENEW_AT).min(EARLIEST).max(LATEST).min(left / 2);
                let lead = lead.mul_f64(1.0 - JITTER * chance);
                Some(Self { renew_at: asked + (left - lead), ends_at: asked + serves })
            }
        }
    }

    /// The same, renewed no sooner than so long after `now`.
    pub(super) fn renewed_after(self, now: Instant, pause: Duration) -> Self {
        Self { renew_at: self.renew_at.max(now + pause), ..self }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn credentials_are_renewed_with_a_quarter_of_their_life_left_within_bounds() {
        let asked = Instant::now();
        // All in seconds: the life, the renewal without and with all of the jitter, the last use.
        let cases = [
            (86_400, 84_000, 84_480, 86_370),
            (21_600, 19_200, 19_680, 21_570),
            (3_600, 2_700, 2_880, 3_570),
            (900, 600, 660, 870),
            (400, 200, 240, 370),
            (10, 5, 6, 9),
            (0, 0, 0, 0),
        ];
        for (life, renewed, late, serves) in cases {
            let left = Duration::from_secs(life);
            let lifetime = Lifetime::Until { end: Timestamp::UNIX_EPOCH, left };
            for (chance, renewed) in [(0.0, renewed), (1.0, late)] {
                let life = Life::new(lifetime, asked, chance).unwrap();
                let seconds = |at: Instant| at.duration_since(asked).as_secs_f64().round() as u64;
                assert_eq!(seconds(life.renew_at), renewed, "{left:?} {chance}");
                assert_eq!(seconds(life.ends_at), serves, "{left:?} {chance}");
            }
        }
    }

    #[test]
    fn credentials_without_an_end_are_kept_and_those_with_a_hidden_one_renewed_soon() {
        let asked = Instant::now();
        assert_eq!(Life::new(Lifetime::Permanent, asked, 0.5), None);
        let hidden = Life::new(Lifetime::Unreadable, asked, 0.5).unwrap();
        assert_eq!(hidden.renew_at, asked + Duration::from_secs(300));
        assert!(hidden.ends_at > asked + Duration::from_secs(3_600));
    }
}
