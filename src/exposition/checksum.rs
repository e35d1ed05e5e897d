//! The CRC-32 of texts that are put together, from those of their parts.
//!
//! A CRC is the remainder of a division by a polynomial over GF(2). Appending `n` bytes multiplies the
//! remainder of what was there by `x` to the power of `8n`, and adds that of the bytes. The factor is kept
//! with each part, so that joining two costs two multiplications, however long they are.

use flate2::Crc;

/// The polynomial of RFC 1952, section 8, with the lowest bit for the highest power.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// The polynomial 1.
const ONE: u32 = 1 << 31;
/// The polynomial `x` to the power of 8: what one byte more multiplies by.
const BYTE: u32 = ONE >> 8;

/// The length and the CRC-32 of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    crc: u32,
    /// `x` to the power of the length in bits.
    shift: u32,
    bytes: usize,
}

impl Default for Checksum {
    /// Of nothing.
    fn default() -> Self {
        Self { crc: 0, shift: ONE, bytes: 0 }
    }
}

impl Checksum {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(text);
        Self { crc: crc.sum(), shift: power(BYTE, text.len()), bytes: text.len() }
    }

    /// Of this text and the next, one after the other.
    #[must_use]
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            crc: product(self.crc, next.shift) ^ next.crc,
            shift: product(self.shift, next.shift),
            bytes: self.bytes + next.bytes,
        }
    }

    pub(super) fn crc(self) -> u32 {
        self.crc
    }

    /// The length of the text.
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }
}

/// The product of two remainders.
fn product(one: u32, mut other: u32) -> u32 {
    let mut sum = 0;
    for power in 0..32 {
        sum ^= other & 0_u32.wrapping_sub(one << power >> 31);
        other = (other >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(other & 1));
    }
    sum
}

fn power(mut base: u32, mut exponent: usize) -> u32 {
    let mut result = ONE;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(result, base);
        }
        base = product(base, base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &[u8]) -> u32 {
        let mut crc = Crc::new();
        crc.update(text);
        crc.sum()
    }

    #[test]
    fn joined_parts_have_the_checksum_of_the_whole() {
        let text: Vec<u8> = (0..70_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        for ends in [vec![], vec![0], vec![1], vec![0, 1, 2, 2, 69_999], vec![32_768, 65_536]] {
            let (mut sum, mut start) = (Checksum::default(), 0);
            for end in ends.iter().copied().chain([text.len()]) {
                sum = sum.then(Checksum::of(&text[start..end]));
                start = end;
            }
            assert_eq!((sum.crc(), sum.bytes()), (plain(&text), text.len()), "{ends:?}");
        }
    }

    #[test]
    fn it_does_not_matter_what_is_joined_first() {
        let [a, b, c] = [&b"a"[..], b"some bytes", b"\0\0\0"].map(Checksum::of);
        assert_eq!(a.then(b).then(c), a.then(b.then(c)));
        assert_eq!(Checksum::default().then(a), a);
        assert_eq!(a.then(Checksum::default()), a);
        assert_ne!(a.then(b), b.then(a));
    }

    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        assert_eq!(Checksum::of(b"1234").then(Checksum::of(b"56789")).crc(), 0xcbf4_3926);
    }
}
