//! Lenient readings of single values: a value of a wrong type that is clear in meaning is taken and
//! counted; one that makes no sense is absent, and counted too.

use std::borrow::Cow;

use jiff::{Timestamp, fmt::temporal::Pieces, tz::Offset};

use super::{
    object::{Field, Scalar, UnknownFields},
    surprise::{Surprise, Surprises},
};
use crate::text::shown;

/// Longer texts of the cloud are cut: addresses are short, and a DNS name has 255 bytes.
pub(super) const LONGEST_TEXT: usize = 256;

/// Reads values, and notes what was odd about them.
#[derive(Default)]
pub(super) struct Lenient {
    pub(super) surprises: Surprises,
}

impl Lenient {
    #[cold]
    pub(super) fn odd(&mut self, kind: Surprise, field: &Field<'_>) {
        self.surprises.count(kind, 1);
        self.surprises.note(kind, field.name, &field.value);
    }

    fn unparsable<T>(&mut self, field: &Field<'_>) -> Option<T> {
        self.odd(Surprise::UnparsableValue, field);
        None
    }

    pub(super) fn unknown(&mut self, fields: &UnknownFields<'_>) {
        self.surprises.count(Surprise::UnknownField, fields.times);
        for (name, value) in &fields.first {
            self.surprises.note(Surprise::UnknownField, name, value);
        }
    }

    /// A whole number, documented as a JSON number.
    pub(super) fn number(&mut self, field: Field<'_>) -> Option<u64> {
        self.whole_number(field, true)
    }

    /// A whole number, documented as a text that holds one.
    pub(super) fn number_in_text(&mut self, field: Field<'_>) -> Option<u64> {
        self.whole_number(field, false)
    }

    fn whole_number(&mut self, field: Field<'_>, documented_as_number: bool) -> Option<u64> {
        let (number, is_number) = match &field.value {
            Scalar::Null => return None,
            Scalar::Unsigned(number) => (Some(*number), true),
            Scalar::Text(text) => (text.trim().parse().ok(), false),
            _ => return self.unparsable(&field),
        };
        match number {
            None => return self.unparsable(&field),
            Some(_) if is_number != documented_as_number => self.odd(Surprise::CoercedType, &field),
            Some(_) => {}
        }
        number
    }

    pub(super) fn switch(&mut self, field: Field<'_>) -> Option<bool> {
        let switch = match &field.value {
            Scalar::Null => return None,
            Scalar::Bool(switch) => return Some(*switch),
            Scalar::Text(text) if text == "true" => true,
            Scalar::Text(text) if text == "false" => false,
            _ => return self.unparsable(&field),
        };
        self.odd(Surprise::CoercedType, &field);
        Some(switch)
    }

    /// A status word that `known` knows.
    pub(super) fn status<T>(
        &mut self,
        field: Field<'_>,
        known: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let status = match &field.value {
            Scalar::Text(word) => known(word),
            _ => None,
        };
        if status.is_none() {
            self.odd(Surprise::UnknownStatus, &field);
        }
        status
    }

    /// A text as it came, for comparisons: two different texts could be equal after cleaning. It is
    /// not longer than the answer that it came in.
    pub(super) fn raw_text<'a>(&mut self, field: Field<'a>) -> Option<Cow<'a, str>> {
        match field.value {
            Scalar::Null => None,
            Scalar::Text(text) => Some(text),
            Scalar::Unsigned(number) => {
                self.odd(Surprise::CoercedType, &field);
                Some(number.to_string().into())
            }
            _ => self.unparsable(&field),
        }
    }

    /// A text that is fit to be shown.
    pub(super) fn text<'a>(&mut self, field: Field<'a>) -> Option<Cow<'a, str>> {
        self.raw_text(field).map(|text| match is_plain(&text, LONGEST_TEXT) {
            true => text,
            false => shown(&text, LONGEST_TEXT).into(),
        })
    }

    /// A text for a label; empty where there is none.
    pub(super) fn label<'a>(&mut self, field: Field<'a>) -> Cow<'a, str> {
        self.text(field).unwrap_or_default()
    }

    /// ISO 8601 with or without a zone; without one it is UTC, as in the document's examples.
    pub(super) fn time(&mut self, field: Field<'_>) -> Option<Timestamp> {
        let time = match &field.value {
            Scalar::Null => return None,
            Scalar::Text(text) => timestamp(text),
            _ => None,
        };
        time.or_else(|| self.unparsable(&field))
    }
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    pieces.to_numeric_offset().unwrap_or(Offset::UTC).to_timestamp(civil).ok()
}

/// Returns true for a short text of printable ASCII, which can be shown as it is. This is quick;
/// [`shown`] leaves other texts as they are, too.
pub(super) fn is_plain(text: &str, cap: usize) -> bool {
    // No early end: so the compiler can do many bytes at once.
    let printable = text.bytes().fold(true, |all, byte| all & (b' '..0x7f).contains(&byte));
    printable && text.len() <= cap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_are_shown_as_they_are() {
        let texts =
            ["", "plain ~", "x\u{7f}", "x\u{1f}", "\u{80}", "\u{2028}", "12345678", "123456789"];
        for text in texts {
            assert!(!is_plain(text, 8) || shown(text, 8) == text, "{text}");
        }
        assert!(is_plain("12345678", 8) && !is_plain("123456789", 8) && !is_plain("\u{7f}", 8));
    }
}
