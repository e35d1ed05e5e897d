//! Bytes as hexadecimal digits, in lower case.

/// The digits of all bytes, in order.
pub fn encoded(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for &byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes of so many digits, in lower case; `None` for any other text.
pub fn decoded<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
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
    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(super::encoded(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
        assert_eq!(super::encoded(&[]), "");
    }

    #[test]
    fn digits_come_back_as_their_bytes() {
        assert_eq!(super::decoded("000fa5ff"), Some([0x00, 0x0f, 0xa5, 0xff]));
        assert_eq!(super::decoded(""), Some([]));
        for text in ["", "0", "000", "00000", "0A0a", "0g00", "+f00", "é00"] {
            assert_eq!(super::decoded::<2>(text), None, "{text}");
        }
    }
}
