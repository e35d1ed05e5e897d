//! JSON that every reader sees as one line and that cannot control a terminal.

use std::io;

use serde::Serialize;

/// Writes a value as compact JSON without raw control characters or line breaks: serde_json escapes the
/// C0 characters; this function also escapes DEL, the C1 characters and the line and paragraph separators.
///
/// # Errors
/// If the value cannot be written as JSON.
pub fn one_line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
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
        while let Some(at) = plain.find(needs_escape) {
            let (before, rest) = plain.split_at(at);
            let mut rest = rest.chars();
            let odd = rest.next().map_or(0, u32::from);
            write!(writer, "{before}\\u{odd:04x}")?;
            plain = rest.as_str();
        }
        writer.write_all(plain.as_bytes())
    }
}

fn needs_escape(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}
