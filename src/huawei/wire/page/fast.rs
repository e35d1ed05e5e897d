//! The fast way through a page of the usual kind: texts without escapes, whole numbers, no nesting but
//! the documented one, in any order and with any white space.
//!
//! Rows of one answer look alike: what stands between two values of a row (`,"status":`) is compared
//! with what stood there in the row before, and read as JSON only where it differs. Whatever is not
//! of the usual kind is left to the general way, from the page's start: this one never fails.

use serde::{Deserialize, de::IgnoredAny};

use super::{DecodedPage, Field, Length, RawHead, RawRow, Rows, Scalar};

/// The bytes that a row has at least: room for rows is made by it.
const SHORT_ROW: usize = 200;

/// Decodes a page; none if it is not of the usual kind.
pub(super) fn page(body: &[u8]) -> Option<DecodedPage> {
    let text = std::str::from_utf8(body).ok()?;
    // The texts of a row are about half of it.
    let mut rows = Rows::with_capacity(text.len() / SHORT_ROW, text.len() / 2);
    let mut input = Input { text, at: 0 };
    let mut head = RawHead::default();
    let mut has_list = false;
    let mut has_rows = false;
    input.expect(b'{')?;
    let mut is_first = true;
    while let Some(name) = input.name(is_first)? {
        is_first = false;
        match name {
            "connections" if has_rows => return None,
            "connections" => {
                has_list = input.peek()? == b'[';
                if has_list {
                    has_rows = true;
                    input.rows(&mut rows)?;
                } else {
                    input.null()?;
                }
            }
            "vpcServiceName" => head.service_name = input.scalar()?,
            "permissions" => head.permissions = input.any::<Length>()?.0,
            "vpcepUpdateSwitch" => head.update_switch = input.scalar()?,
            "total_count" => head.total_count = input.scalar()?,
            _ => {
                let value = input.unknown()?;
                head.unknown_fields.push(name.into(), value);
            }
        }
    }
    input.white_space();
    if input.at != text.len() {
        return None;
    }
    rows.finish(head, has_list)
}

/// What is left of a page.
struct Input<'a> {
    text: &'a str,
    at: usize,
}

/// What stood before the values of the row before, and which fields they were.
type Pattern<'a> = Vec<(&'a [u8], Field)>;

impl<'a> Input<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes a sign and the white space around it.
    fn expect(&mut self, sign: u8) -> Option<()> {
        self.white_space();
        (self.peek()? == sign).then(|| self.at += 1)?;
        self.white_space();
        Some(())
    }

    /// Takes the name of the next member of an object and its colon, or the end of the object.
    fn name(&mut self, is_first: bool) -> Option<Option<&'a str>> {
        self.white_space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(None);
        }
        if !is_first {
            self.expect(b',')?;
        }
        let name = self.plain_text()?;
        self.expect(b':')?;
        Some(Some(name))
    }

    fn rows(&mut self, rows: &mut Rows) -> Option<()> {
        let mut pattern = Pattern::new();
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            let mut row = RawRow::default();
            self.row(&mut row, &mut pattern)?;
            rows.take(&mut row);
            self.white_space();
            match self.peek()? {
                b',' => self.expect(b',')?,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn row(&mut self, row: &mut RawRow<'a>, pattern: &mut Pattern<'a>) -> Option<()> {
        self.expect(b'{')?;
        for place in 0.. {
            let field = match pattern.get(place) {
                Some((before, field)) if self.rest().starts_with(before) => {
                    self.at += before.len();
                    *field
                }
                _ => {
                    let start = self.at;
                    let Some(name) = self.name(place == 0)? else { break };
                    let before = &self.text.as_bytes()[start..self.at];
                    pattern.truncate(place);
                    pattern.push((before, Field::of(name)));
                    Field::of(name)
                }
            };
            match row.field(field) {
                Some(value) => *value = self.scalar()?,
                None => {
                    let value = self.unknown()?;
                    row.unknown_fields.push(name_in(pattern[place].0).into(), value);
                }
            }
        }
        Some(())
    }

    /// Takes a text, a whole number or a word.
    fn scalar(&mut self) -> Option<Scalar<'a>> {
        let value = match self.peek()? {
            b'"' => Scalar::Text(self.plain_text()?.into()),
            b'0'..=b'9' => Scalar::Unsigned(self.number()?),
            b'n' => self.null()?,
            b't' => self.word("true", Scalar::Bool(true))?,
            b'f' => self.word("false", Scalar::Bool(false))?,
            _ => return None,
        };
        Some(value)
    }

    fn null(&mut self) -> Option<Scalar<'a>> {
        self.word("null", Scalar::Null)
    }

    fn word(&mut self, word: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
        self.rest().starts_with(word.as_bytes()).then(|| self.at += word.len())?;
        Some(value)
    }

    /// Takes a number of at most 19 digits, which fits into 64 bits.
    fn number(&mut self) -> Option<u64> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = &self.text[self.at..self.at + digits];
        self.at += digits;
        let goes_on = matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        if goes_on || digits > 19 || (digits > 1 && text.starts_with('0')) {
            return None;
        }
        text.parse().ok()
    }

    /// Takes a text without escapes.
    fn plain_text(&mut self) -> Option<&'a str> {
        (self.peek()? == b'"').then(|| self.at += 1)?;
        let start = self.at;
        let end = start + plain_length(self.rest());
        (*self.text.as_bytes().get(end)? == b'"').then(|| self.at = end + 1)?;
        Some(&self.text[start..end])
    }

    /// Takes whatever comes; of the names in it, nobody asks.
    fn unknown(&mut self) -> Option<Scalar<'a>> {
        match self.peek()? {
            b'[' | b'{' => self.any::<IgnoredAny>().map(|_| Scalar::ArrayOrObject),
            _ => self.scalar(),
        }
    }

    /// Takes an array, an object or null by the general way.
    fn any<T: Deserialize<'a>>(&mut self) -> Option<T> {
        if !matches!(self.peek()?, b'[' | b'{' | b'n') {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter();
        let value = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(value)
    }
}

/// The name in the bytes before a value: the only string there, without escapes.
fn name_in(before: &[u8]) -> &str {
    let name = before.split(|byte| *byte == b'"').nth(1);
    name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
}

/// How many bytes there are before the first quotation mark, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    // The highest bit of the lowest byte that is zero is set; those of higher bytes may be wrong.
    let zeros = |eight: u64| eight.wrapping_sub(ONES) & !eight & HIGH;
    let (eights, _) = bytes.as_chunks::<8>();
    for (index, chunk) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*chunk);
        let below_space = eight.wrapping_sub(ONES * 0x20) & !eight & HIGH;
        let quote = zeros(eight ^ (ONES * u64::from(b'"')));
        let backslash = zeros(eight ^ (ONES * u64::from(b'\\')));
        let found = below_space | quote | backslash;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let rest = &bytes[eights.len() * 8..];
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    eights.len() * 8 + rest.iter().take_while(|byte| plain(byte)).count()
}

#[cfg(test)]
mod tests;
