//! What makes one gzip member of many pieces of a deflate stream (RFC 1952): its header before them
//! and its end after them.

use bytes::Bytes;

use super::checksum::Checksum;

/// Section 2.3: deflate, no flags, no time, a fast algorithm, an unknown system.
static HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// An empty block with fixed codes, which says that it is the last (RFC 1951, section 3.2.3).
const LAST_BLOCK: [u8; 2] = [3, 0];
/// The CRC-32 and the length of the text follow it.
const END_BYTES: usize = LAST_BLOCK.len() + 8;

/// What the whole costs beside the pieces.
pub(super) const AROUND_BYTES: usize = HEADER.len() + END_BYTES;

pub(super) fn header() -> Bytes {
    Bytes::from_static(&HEADER)
}

/// The end of a member with this text.
pub(super) fn end(text: Checksum) -> Bytes {
    let mut end = Vec::with_capacity(END_BYTES);
    end.extend(LAST_BLOCK);
    end.extend(text.crc().to_le_bytes());
    // Modulo 2^32, says section 2.3.1.
    end.extend((text.bytes() as u32).to_le_bytes());
    end.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::exposition::block::Pieces;

    #[test]
    fn pieces_with_a_header_and_an_end_are_one_member() {
        let texts = ["a line\n".repeat(9_000), String::new(), "another\n".repeat(3)];
        let (mut gzip, mut sum) = (header().to_vec(), Checksum::default());
        for pieces in texts.each_ref().map(|text| Pieces::of(text)) {
            gzip.extend_from_slice(pieces.deflated());
            sum = sum.then(pieces.totals().text);
        }
        gzip.extend_from_slice(&end(sum));
        let (mut read, mut decoder) = (String::new(), GzDecoder::new(&gzip[..]));
        decoder.read_to_string(&mut read).unwrap();
        assert!(read == texts.concat());
        assert!(decoder.into_inner().is_empty(), "nothing follows the member");
    }
}
