//! JSON that every reader sees as one line and that cannot control a terminal.

use std::io;

use serde::Serialize;

use crate::text::may_be_shown;

/// A value as compact JSON in which every character is escaped that may not be shown: serde_json
/// escapes the C0 characters, this the others.
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
