//! Percent-encoding and hexadecimal, as the signing guide wants them.
//!
//! Owns the bytes of both; what is encoded, and in which order, is the business of `signature`.

const HEX: &[u8; 16] = b"0123456789abcdef";
const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Percent-encodes all but the unreserved characters, in upper case.
pub(crate) fn encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(UPPER_HEX[usize::from(byte >> 4)]));
            out.push(char::from(UPPER_HEX[usize::from(byte & 15)]));
        }
    }
}

/// Undoes percent-encoding; a `%` that starts none stands for itself, and so does a `+`.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1).zip(bytes.get(at + 2));
        let value = pair.and_then(|(&high, &low)| Some(digit(high)? << 4 | digit(low)?));
        match value.filter(|_| byte == b'%') {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_all_but_the_unreserved() {
        let mut out = String::new();
        encode("aZ09-_.~ /+*é".as_bytes(), &mut out);
        assert_eq!(out, "aZ09-_.~%20%2F%2B%2A%C3%A9");
        assert_eq!(percent_decoded(&out), "aZ09-_.~ /+*é".as_bytes());
    }

    #[test]
    fn what_is_not_encoded_stands_for_itself() {
        assert_eq!(percent_decoded("%zz%4+%e9"), b"%zz%4+\xe9");
        assert_eq!(hex(&[0, 0xaf]), "00af");
    }
}
