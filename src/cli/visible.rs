//! Texts of others on a terminal.

/// Whether a character controls a terminal or changes the direction of text: control characters, those
/// with `Bidi_Control` (Unicode, UAX #9, 2), and the line and paragraph separators.
pub(super) fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text in which every such character is escaped.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if is_odd(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_cannot_move_the_cursor_nor_turn() {
        assert_eq!(
            super::visible("a\u{1b}[2Jé\n\u{9b}\u{202e}"),
            "a\\u{1b}[2Jé\\u{a}\\u{9b}\\u{202e}"
        );
        assert_eq!(super::visible("1\u{61c}2\u{200f}3"), "1\\u{61c}2\\u{200f}3");
    }
}
