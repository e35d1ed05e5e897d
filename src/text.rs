//! Text: which characters may be shown, texts freed of the others, JSON that stays on one line, and hexadecimal digits.

use std::io;

use serde::Serialize;

/// True if a reader sees a character where it stands. No terminal obeys it (control characters), no
/// line ends at it (the separators of lines and paragraphs), and nothing around it changes its
/// direction (`Bidi_Control`; Unicode, UAX #9, 2).
pub fn may_be_shown(character: char) -> bool {
    let misleads = matches!(
        character,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !misleads
}

/// A text that is fit to be shown: at most `cap` bytes of it, and a substitute for each character that
/// may not be shown.
pub fn shown(text: &str, cap: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(cap));
    for character in text.chars() {
        let safe = if may_be_shown(character) { character } else { '\u{FFFD}' };
        if shown.len() + safe.len_utf8() > cap {
            break;
        }
        shown.push(safe);
    }
    shown
}

/// A value as compact JSON in which every character is escaped that may not be shown: serde_json
/// escapes the C0 characters, this the others.
///
/// # Errors
/// If the value cannot be written as JSON.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(1 << 10);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut line, OneLine))?;
    Ok(line)
}

struct OneLine;

impl serde_json::ser::Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = fragment;
        while let Some(at) = plain.find(|character| !may_be_shown(character)) {
            let (before, rest) = plain.split_at(at);
            let mut rest = rest.chars();
            // All of these have four digits.
            let odd = rest.next().map_or(0, u32::from);
            write!(writer, "{before}\\u{odd:04x}")?;
            plain = rest.as_str();
        }
        writer.write_all(plain.as_bytes())
    }
}

/// The bytes as hexadecimal digits, in lower case.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for &byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes that `2 * BYTES` hexadecimal digits in lower case stand for; `None` for any other text.
pub fn from_hex<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if digits.len() != 2 * BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_ends_a_line_or_turns_it_is_not_shown() {
        for shown in ['a', ' ', 'é', '\u{a0}', '\u{2010}', '\u{202f}', 'م', '\u{fffd}', '🦀'] {
            assert!(may_be_shown(shown), "{shown:?}");
        }
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let turns = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        let marks = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
        for odd in controls.chain(turns).chain(marks) {
            assert!(!may_be_shown(odd), "{odd:?}");
        }
    }

    #[test]
    fn shown_texts_are_short_and_on_one_line() {
        assert_eq!(shown("plain", 10), "plain");
        assert_eq!(
            shown("a\nb\u{1b}[31m\u{2028}\u{7f}", 40),
            "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}\u{FFFD}"
        );
        assert_eq!(shown("1\u{202e}2\u{2066}3\u{61c}", 40), "1\u{FFFD}2\u{FFFD}3\u{FFFD}");
        assert_eq!(shown("éééé", 5), "éé");
        assert_eq!(shown(&"x".repeat(1000), 128).len(), 128);
    }

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(to_hex(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
        assert_eq!(to_hex(&[]), "");
    }

    #[test]
    fn digits_come_back_as_their_bytes() {
        assert_eq!(from_hex("000fa5ff"), Some([0x00, 0x0f, 0xa5, 0xff]));
        assert_eq!(from_hex(""), Some([]));
        for text in ["", "0", "000", "00000", "0A0a", "0g00", "+f00", "é00"] {
            assert_eq!(from_hex::<2>(text), None, "{text}");
        }
    }
}
