//! The simulator's only source of chance: splitmix64, so that a seed makes the same world for ever.

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// A generator of its own for each `stream` (a cluster, the faults, …) of one seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mixed = Self(seed).next();
        let mut rng = Self(mixed ^ stream.wrapping_mul(GOLDEN_GAMMA).rotate_left(17));
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..end`; 0 where `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The high half of the product is spread evenly enough for a simulator.
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// An index into something of `len` elements.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// 32 lower-case hexadecimal digits, as account and project ids have.
    pub(super) fn hex32(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// A version 4 UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn is_splitmix64() {
        // First outputs of the reference implementation for seed 1234567.
        let mut rng = Rng(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_differ_and_repeat() {
        let (mut a, mut again, mut b) = (Rng::new(1, 1), Rng::new(1, 1), Rng::new(1, 2));
        let id = a.uuid();
        assert_eq!(id, again.uuid());
        assert_ne!(id, b.uuid());
        assert_eq!(id.len(), 36);
        assert_eq!(a.hex32().len(), 32);
    }

    #[test]
    fn stays_in_range() {
        let mut rng = Rng::new(7, 0);
        assert_eq!(rng.below(0), 0);
        assert!((0..1_000).all(|_| rng.below(3) < 3));
        assert!(!rng.chance(0));
        assert!(rng.chance(100));
    }
}
