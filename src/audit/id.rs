//! The name of a change.

use std::fmt;

use serde::Serialize;

use crate::{clock::Clock, model::is_uuid};

/// The name of one change, from its intent to its outcome: a UUID of version 7 (RFC 9562, section
/// 5.7) in lower case, so that ids sort by the time they were made. Safe in a URL path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ChangeId(Box<str>);

impl ChangeId {
    /// A new one.
    ///
    /// # Errors
    /// If the machine has no random bytes to give.
    pub fn new(clock: &Clock) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let milliseconds = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
        Ok(Self::from_parts(milliseconds, bytes))
    }

    /// Takes a UUID in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        is_uuid(text).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_parts(milliseconds: u64, mut bytes: [u8; 16]) -> Self {
        bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        bytes[6] = 0x70 | bytes[6] & 0x0f;
        bytes[8] = 0x80 | bytes[8] & 0x3f;
        let digits = crate::text::to_hex(&bytes);
        let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
        Self(format!("{a}-{b}-{c}-{d}-{e}").into())
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9562, appendix A.6.
    #[test]
    fn an_id_is_laid_out_as_the_standard_says() {
        let random = [0, 0, 0, 0, 0, 0, 0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let id = ChangeId::from_parts(0x017F_22E2_79B0, random);
        assert_eq!(id.as_str(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn ids_sort_by_time_and_differ_within_a_millisecond() {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let [one, other] = [(); 2].map(|()| ChangeId::new(&clock).unwrap());
        assert_ne!(one, other);
        clock.set("2026-01-01T00:00:00.001Z".parse().unwrap());
        let later = ChangeId::new(&clock).unwrap();
        assert!(later > one && later > other);
        assert_eq!(ChangeId::parse(later.as_str()), Some(later));
        for text in ["", "..", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e2-79b0/"] {
            assert_eq!(ChangeId::parse(text), None, "{text}");
        }
    }
}
