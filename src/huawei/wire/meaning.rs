//! Turns raw values into meaning, and notes what was odd.

use std::borrow::Cow;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Oddity, Surprise, scalar::Scalar, shown};

/// Longer texts of the cloud are cut: addresses are short, and a DNS name has 255 bytes.
pub(super) const LONGEST_TEXT: usize = 256;

/// An answer with more oddities of one kind is of a version that nobody knows.
const MOST_OF_A_KIND: usize = 32;

/// An object with more unknown fields than this is of another document: the others are counted alone,
/// so that an answer of many short fields takes no more memory than one of a few long ones.
const MOST_UNKNOWN_FIELDS: usize = 8;

/// The fields of an object that no version of the document has.
#[derive(Default)]
pub(super) struct UnknownFields<'a> {
    /// The first ones, each name once. They are whole: what is secret in them is found later.
    first: Vec<(Cow<'a, str>, Scalar<'a>)>,
    /// How many there are.
    times: u64,
}

impl<'a> UnknownFields<'a> {
    #[cold]
    pub(super) fn push(&mut self, name: Cow<'a, str>, value: Scalar<'a>) {
        self.times += 1;
        let has_room = self.first.len() < MOST_UNKNOWN_FIELDS;
        if has_room && self.first.iter().all(|(known, _)| *known != name) {
            self.first.push((name, value));
        }
    }
}

/// Turns raw values into meaning, and notes what was odd on the way.
#[derive(Default)]
pub(super) struct Meaning {
    pub(super) surprises: [u64; Surprise::ALL.len()],
    /// The surprises, each once.
    pub(super) oddities: Vec<Oddity>,
}

impl Meaning {
    #[cold]
    pub(super) fn odd(&mut self, kind: Surprise, field: &str, value: &Scalar<'_>) {
        self.surprises[kind as usize] += 1;
        self.note(kind, field, value);
    }

    /// Notes a surprise, where it is the first of its like.
    fn note(&mut self, kind: Surprise, field: &str, value: &Scalar<'_>) {
        let is_known =
            kind.has_any_value() && self.oddities.iter().any(|known| known.is_of(kind, field));
        let of_its_kind = self.oddities.iter().filter(|known| known.kind == kind).count();
        if !is_known && of_its_kind < MOST_OF_A_KIND {
            let oddity = Oddity { kind, field: field.to_owned(), value: value.to_string() };
            if self.oddities.iter().all(|known| !known.is_like(&oddity)) {
                self.oddities.push(oddity);
            }
        }
    }

    pub(super) fn unknown(&mut self, fields: UnknownFields<'_>) {
        self.surprises[Surprise::UnknownField as usize] += fields.times;
        for (name, value) in fields.first {
            self.note(Surprise::UnknownField, &name, &value);
        }
    }

    fn unparsable<T>(&mut self, field: &str, value: &Scalar<'_>) -> Option<T> {
        self.odd(Surprise::UnparsableValue, field, value);
        None
    }

    /// A whole number; documented as a JSON number, or as a text that holds one.
    pub(super) fn number(
        &mut self,
        field: &str,
        value: Scalar<'_>,
        documented_as_number: bool,
    ) -> Option<u64> {
        let number = match &value {
            Scalar::Null => return None,
            Scalar::Unsigned(number) => Some(*number),
            Scalar::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else { return self.unparsable(field, &value) };
        if matches!(value, Scalar::Unsigned(_)) != documented_as_number {
            self.odd(Surprise::CoercedType, field, &value);
        }
        Some(number)
    }

    pub(super) fn switch(&mut self, field: &str, value: Scalar<'_>) -> Option<bool> {
        let switch = match &value {
            Scalar::Null => return None,
            Scalar::Bool(switch) => return Some(*switch),
            Scalar::Text(text) if text == "true" => true,
            Scalar::Text(text) if text == "false" => false,
            _ => return self.unparsable(field, &value),
        };
        self.odd(Surprise::CoercedType, field, &value);
        Some(switch)
    }

    pub(super) fn text(&mut self, field: &str, value: Scalar<'_>, cap: usize) -> Option<String> {
        self.raw_text(field, value).map(|text| shown(&text, cap))
    }

    /// A text as it came, for comparisons: two different texts could be equal after cleaning. It is not longer
    /// than the answer that it came in.
    pub(super) fn raw_text(&mut self, field: &str, value: Scalar<'_>) -> Option<String> {
        match value {
            Scalar::Null => None,
            Scalar::Text(text) => Some(text.into_owned()),
            Scalar::Unsigned(number) => {
                self.odd(Surprise::CoercedType, field, &value);
                Some(number.to_string())
            }
            _ => self.unparsable(field, &value),
        }
    }

    /// A text for a label; empty where there is none. Borrowed where it can be shown as it is.
    pub(super) fn label<'a>(&mut self, field: &str, value: Scalar<'a>) -> Cow<'a, str> {
        match value {
            Scalar::Text(text) if is_plain(&text, LONGEST_TEXT) => text,
            other => self.text(field, other, LONGEST_TEXT).unwrap_or_default().into(),
        }
    }

    /// ISO 8601 with or without a zone; without one it is UTC, as in the document's examples.
    pub(super) fn time(&mut self, field: &str, value: Scalar<'_>) -> Option<Timestamp> {
        let text = match &value {
            Scalar::Null => return None,
            Scalar::Text(text) => text,
            _ => return self.unparsable(field, &value),
        };
        if let Some(time) = usual_time(text.as_bytes()) {
            return Some(time);
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time);
        }
        let civil = text.parse::<DateTime>().ok();
        match civil.and_then(|time| time.to_zoned(TimeZone::UTC).ok()) {
            Some(time) => Some(time.timestamp()),
            None => self.unparsable(field, &value),
        }
    }
}

/// Whether a text can be shown as it is: short and all of printable ASCII. Quick; [`shown`] leaves
/// other texts as they are, too.
pub(super) fn is_plain(text: &str, cap: usize) -> bool {
    // Without an early end, which keeps the loop from being done for many bytes at once.
    let printable = text.bytes().fold(true, |all, byte| all & (b' '..0x7f).contains(&byte));
    printable && text.len() <= cap
}

/// The time in `2024-06-11T09:36:24`, with or without a `Z` at its end: the documented form, several
/// times faster than a general parser. None for every other form, and for what is no date.
fn usual_time(text: &[u8]) -> Option<Timestamp> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number: i64, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
        })
    };
    let (text, zone) = text.split_at_checked(19)?;
    let separators = [text[4], text[7], text[10], text[13], text[16]];
    if separators != *b"--T::" || !(zone.is_empty() || zone == b"Z") {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute) = (number(&text[11..13])?, number(&text[14..16])?);
    let second = number(&text[17..])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970-01-01, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    Timestamp::from_second(((days * 24 + hour) * 60 + minute) * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_way_to_a_time_agrees_with_the_general_one() {
        let mut dates = Vec::new();
        for year in [0, 1, 4, 100, 400, 1582, 1899, 1900, 1969, 1970, 2000, 2023, 2024, 2100, 9999]
        {
            for month in 0..=13 {
                dates.extend((0..=32).map(|day| format!("{year:04}-{month:02}-{day:02}")));
            }
        }
        let clocks = ["T00:00:00", "T23:59:59", "T24:00:00", "T12:60:00", "T12:30:60", "t12:30:00"];
        let zones = ["", "Z", "z", " ", "+08:00"];
        let mut usual = 0;
        for date in &dates {
            for clock in clocks {
                for zone in zones {
                    let text = format!("{date}{clock}{zone}");
                    let civil = || {
                        let time = text.parse::<DateTime>().ok()?;
                        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
                    };
                    let general = text.parse::<Timestamp>().ok().or_else(civil);
                    if let Some(time) = usual_time(text.as_bytes()) {
                        assert_eq!(Some(time), general, "{text}");
                        usual += 1;
                    } else {
                        let is_usual =
                            clock < "T24" && !clock.contains("60") && matches!(zone, "" | "Z");
                        assert!(general.is_none() || !is_usual, "{text}");
                    }
                }
            }
        }
        assert!(usual > 10_000);
    }

    #[test]
    fn unknown_fields_are_all_counted_and_few_are_kept() {
        let mut fields = UnknownFields::default();
        for number in 0..100_000_u64 {
            let name = if number < 10 { "again".into() } else { number.to_string().into() };
            fields.push(name, Scalar::Unsigned(number));
        }
        assert_eq!((fields.first.len(), fields.first.capacity()), (8, 8));
        let mut meaning = Meaning::default();
        meaning.unknown(fields);
        assert_eq!(meaning.surprises[Surprise::UnknownField as usize], 100_000);
        let names: Vec<_> = meaning.oddities.iter().map(|odd| &*odd.field).collect();
        assert_eq!(names, ["again", "10", "11", "12", "13", "14", "15", "16"]);
    }

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
