//! Texts of others: which of their characters may be shown.

/// Whether a reader sees a character where it stands. No terminal obeys it (control characters), no
/// line ends at it (the separators of lines and paragraphs), and nothing around it changes its
/// direction (`Bidi_Control`; Unicode, UAX #9, 2).
pub fn may_be_shown(character: char) -> bool {
    let misleads = matches!(
        character,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !misleads
}

#[cfg(test)]
mod tests {
    use super::may_be_shown;

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
}
