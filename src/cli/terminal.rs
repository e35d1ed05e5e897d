//! Lines for a person: results on stdout, complaints on stderr, and texts of others made harmless.

use std::io::{self, Write as _};

use crate::text::may_be_shown;

/// A line of a command's result. False once the output is closed.
pub(super) fn print(line: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// A line for the person at the terminal.
pub(super) fn complain(line: &str) {
    // Nothing can be done about a terminal that is gone.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A text in which every unprintable character is escaped.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if may_be_shown(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// Rows under a head, in columns; if all but the first are numbers, they end below each other.
pub(super) fn columns<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    are_numbers: bool,
) -> Vec<String> {
    let mut all = vec![head.map(str::to_owned)];
    all.extend(rows);
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (text, width))| match are_numbers && column > 0 {
            true => format!("{text:>width$}"),
            false => format!("{text:width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
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
