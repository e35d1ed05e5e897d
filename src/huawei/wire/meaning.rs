//! From raw values to meaning, with a count of what was odd on the way.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Surprise, scalar::Scalar, shown};

/// Longer texts of the cloud are cut: addresses are short, and a DNS name has 255 bytes.
pub(super) const LONGEST_TEXT: usize = 256;

/// Turns raw values into meaning, and counts what was odd on the way.
#[derive(Default)]
pub(super) struct Meaning {
    pub(super) surprises: [u64; Surprise::ALL.len()],
}

impl Meaning {
    pub(super) fn count(&mut self, surprise: Surprise, times: u64) {
        self.surprises[surprise as usize] += times;
    }

    pub(super) fn unparsable<T>(&mut self) -> Option<T> {
        self.count(Surprise::UnparsableValue, 1);
        None
    }

    /// A whole number; documented as a JSON number, or as a text that holds one.
    pub(super) fn number(&mut self, value: Scalar<'_>, documented_as_number: bool) -> Option<u64> {
        match value {
            Scalar::Null => None,
            Scalar::Unsigned(number) => {
                self.count(Surprise::CoercedType, u64::from(!documented_as_number));
                Some(number)
            }
            Scalar::Text(text) => match text.trim().parse() {
                Ok(number) => {
                    self.count(Surprise::CoercedType, u64::from(documented_as_number));
                    Some(number)
                }
                Err(_) => self.unparsable(),
            },
            _ => self.unparsable(),
        }
    }

    pub(super) fn switch(&mut self, value: Scalar<'_>) -> Option<bool> {
        let text = match value {
            Scalar::Null => return None,
            Scalar::Bool(switch) => return Some(switch),
            Scalar::Text(text) => text,
            _ => return self.unparsable(),
        };
        match text.as_ref() {
            "true" | "false" => {
                self.count(Surprise::CoercedType, 1);
                Some(text == "true")
            }
            _ => self.unparsable(),
        }
    }

    pub(super) fn text(&mut self, value: Scalar<'_>, cap: usize) -> Option<String> {
        match value {
            Scalar::Null => None,
            Scalar::Text(text) => Some(shown(&text, cap)),
            Scalar::Unsigned(number) => {
                self.count(Surprise::CoercedType, 1);
                Some(number.to_string())
            }
            _ => self.unparsable(),
        }
    }

    pub(super) fn label(&mut self, value: Scalar<'_>) -> Box<str> {
        self.text(value, LONGEST_TEXT).unwrap_or_default().into()
    }

    /// ISO 8601 with or without a zone; without one it is UTC, as in the document's examples.
    pub(super) fn time(&mut self, value: Scalar<'_>) -> Option<Timestamp> {
        let text = match value {
            Scalar::Null => return None,
            Scalar::Text(text) => text,
            _ => return self.unparsable(),
        };
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time);
        }
        let civil = text.parse::<DateTime>().ok();
        match civil.and_then(|time| time.to_zoned(TimeZone::UTC).ok()) {
            Some(time) => Some(time.timestamp()),
            None => self.unparsable(),
        }
    }
}
