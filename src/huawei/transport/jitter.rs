//! Random waits between tries, so that a thousand clusters do not try again together.

use std::time::Duration;

use parking_lot::Mutex;
/// Random waits from a seed (splitmix64; Steele, Lea and Flood 2014): spreading, not secrecy.
#[derive(Debug)]
pub(super) struct Jitter(Mutex<u64>);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// Anything from nothing to `most`.
    pub(super) fn below(&self, most: Duration) -> Duration {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        most.mul_f64((mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_fills_its_range_and_repeats_with_its_seed() {
        let waits = |seed| {
            let jitter = Jitter::new(seed);
            (0..1000).map(|_| jitter.below(Duration::from_secs(1))).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        assert!(waits(7).iter().all(|wait| *wait < Duration::from_secs(1)));
        let mean = waits(7).iter().sum::<Duration>() / 1000;
        assert!((450..=550).contains(&mean.as_millis()), "{mean:?}");
    }
}
