//! Blocks: lines that are compressed apart, and put together as one gzip member.

use std::cell::RefCell;

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Length of a piece of text. An identity body is inflated piece by piece, so a client that takes
/// nothing also keeps this much memory: 256 of them (the listener's limit) need 8 MiB. Smaller pieces
/// would be larger in sum, because each begins without a dictionary.
const PIECE_TEXT: usize = 32 * 1024;

/// The first level that fits its codes to the text. Level 1 takes half the time but needs 45 bytes a
/// line instead of 29; levels 3 and 4 save less than 1 % more.
const LEVEL: Compression = Compression::new(2);

/// The header of a gzip member (RFC 1952, section 2.3): deflate, no flags, no time, a fast algorithm,
/// an unknown system.
pub(super) static GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// An empty block with fixed codes, marked as the last (RFC 1951, section 3.2.3).
const LAST_BLOCK: [u8; 2] = [3, 0];
/// Bytes of a member in addition to its blocks: the header, the last block, CRC-32 and length of the text.
const GZIP_FRAME_BYTES: usize = GZIP_HEADER.len() + LAST_BLOCK.len() + 8;

/// The encoding of a page that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// As one gzip member (RFC 1952).
    Gzip,
}

/// Text as pieces of one deflate stream. Each piece can be read alone: it refers to no text of another,
/// begins and ends at a byte, and is not the last (RFC 1951, section 3.2.3; zlib calls its end a sync
/// flush). So the deflated blocks of a page, one after the other, are one deflate stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    deflated: Bytes,
    /// The end of each piece in `deflated`, and the length of its text.
    ends: Box<[(u32, u32)]>,
    sum: Sum,
}

/// Size and checksum of text that is put together from blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Samples; lines with comments do not count.
    pub samples: usize,
    /// Bytes of the text.
    pub text_bytes: usize,
    /// Bytes of the text in gzip.
    pub deflated_bytes: usize,
    crc: u32,
}

impl Sum {
    /// The sum of this text and the next, one after the other.
    #[must_use]
    pub(super) fn then(self, next: Self) -> Self {
        let mut crc = Hasher::new_with_initial_len(self.crc, self.text_bytes as u64);
        crc.combine(&Hasher::new_with_initial_len(next.crc, next.text_bytes as u64));
        Self {
            samples: self.samples + next.samples,
            text_bytes: self.text_bytes + next.text_bytes,
            deflated_bytes: self.deflated_bytes + next.deflated_bytes,
            crc: crc.finalize(),
        }
    }

    /// The end of a gzip member with this text.
    pub(super) fn gzip_end(self) -> Bytes {
        // The length is modulo 2^32 (RFC 1952, section 2.3.1).
        let length = self.text_bytes as u32;
        [&LAST_BLOCK[..], &self.crc.to_le_bytes(), &length.to_le_bytes()].concat().into()
    }

    /// The length of the whole body.
    pub(super) fn body_bytes(self, encoding: Encoding) -> usize {
        match encoding {
            Encoding::Identity => self.text_bytes,
            Encoding::Gzip => self.deflated_bytes + GZIP_FRAME_BYTES,
        }
    }
}

impl FromIterator<Sum> for Sum {
    fn from_iter<I: IntoIterator<Item = Self>>(parts: I) -> Self {
        parts.into_iter().fold(Self::default(), Self::then)
    }
}

impl Block {
    /// Compresses a text whose samples are not counted.
    pub(super) fn of(text: &str) -> Self {
        let (mut press, mut rest) = (Press::default(), text);
        while rest.len() > PIECE_TEXT {
            let (piece, later) = rest.split_at(rest.floor_char_boundary(PIECE_TEXT));
            press.compress(piece);
            rest = later;
        }
        press.finish(rest)
    }

    /// Number `index` of the parts in which the block is sent: its pieces, or all of it in gzip.
    pub(super) fn part(&self, index: usize, encoding: Encoding) -> Option<Bytes> {
        match encoding {
            Encoding::Identity => self.inflate(index),
            Encoding::Gzip => {
                (index == 0 && !self.deflated.is_empty()).then(|| self.deflated.clone())
            }
        }
    }

    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    fn inflate(&self, index: usize) -> Option<Bytes> {
        let &(end, length) = self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let deflated = &self.deflated[start as usize..end as usize];
        let mut text = Vec::with_capacity(length as usize);
        let status = INFLATE.with_borrow_mut(|inflate| {
            // Each piece is a stream of its own, without a zlib header.
            inflate.reset(false);
            inflate.decompress_vec(deflated, &mut text, FlushDecompress::None)
        });
        debug_assert!(status.is_ok() && text.len() == length as usize, "our own pieces are whole");
        Some(text.into())
    }
}

thread_local! {
    // To make these anew for each piece would take longer than the work itself.
    static DEFLATE: RefCell<(Compress, Vec<u8>)> =
        RefCell::new((Compress::new(LEVEL, false), Vec::new()));
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Makes a block of text that comes line by line.
#[derive(Default)]
pub(super) struct Press {
    deflated: Vec<u8>,
    ends: Vec<(u32, u32)>,
    sum: Sum,
}

impl Press {
    /// Counts the line that `text` ends with, and compresses the text once it is enough for a piece.
    pub(super) fn line(&mut self, text: &mut String) {
        self.sum.samples += 1;
        if text.len() >= PIECE_TEXT {
            self.compress(text);
            text.clear();
        }
    }

    /// Compresses the rest of the text.
    pub(super) fn finish(mut self, text: &str) -> Block {
        if !text.is_empty() {
            self.compress(text);
        }
        // Boxed, which gives up the spare room: a block may stay for days.
        Block {
            deflated: self.deflated.into_boxed_slice().into(),
            ends: self.ends.into(),
            sum: self.sum,
        }
    }

    fn compress(&mut self, text: &str) {
        let before = self.deflated.len();
        DEFLATE.with_borrow_mut(|(deflate, scratch)| {
            // Deflate adds at most a few bytes to what cannot be compressed (RFC 1951, 3.2.4).
            scratch.clear();
            scratch.reserve(text.len() + text.len() / 8 + 64);
            // Forgets the text before, so that the piece can be read alone.
            deflate.reset();
            let status = deflate.compress_vec(text.as_bytes(), scratch, FlushCompress::Sync);
            debug_assert!(matches!(status, Ok(Status::Ok)), "there is room for all");
            self.deflated.extend_from_slice(scratch);
        });
        // A block has one cluster of at most some thousand connections, or little more than the
        // smallest block: far from 4 GiB.
        self.ends.push((self.deflated.len() as u32, text.len() as u32));
        self.sum = self.sum.then(Sum {
            // `line` has counted them; a text of comments has none.
            samples: 0,
            text_bytes: text.len(),
            deflated_bytes: self.deflated.len() - before,
            // Checksums of pieces can be combined, so a page never has to be read again as a whole.
            crc: crc32fast::hash(text.as_bytes()),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, iter};

    use flate2::read::GzDecoder;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::random_tests::check;

    fn one_member(blocks: &[Block]) -> Vec<u8> {
        let sum: Sum = blocks.iter().map(Block::sum).collect();
        let parts = blocks.iter().filter_map(|block| block.part(0, Encoding::Gzip));
        let all: Vec<_> = iter::once(Bytes::from_static(&GZIP_HEADER))
            .chain(parts)
            .chain([sum.gzip_end()])
            .collect();
        assert_eq!(sum.body_bytes(Encoding::Gzip), all.concat().len());
        all.concat()
    }

    /// A long text in few words.
    #[derive(Clone, Debug)]
    enum Text {
        Repeated(String, usize),
        /// Characters that cannot be compressed.
        Noise {
            length: usize,
            seed: u64,
        },
    }

    fn text() -> impl Strategy<Value = Text> {
        let length = prop_oneof![Just(PIECE_TEXT), 0..3 * PIECE_TEXT];
        prop_oneof![
            ("[a-zäöü{}\"]{0,9}\n", 0..30_000_usize)
                .prop_map(|(line, times)| Text::Repeated(line, times)),
            (length, any::<u64>()).prop_map(|(length, seed)| Text::Noise { length, seed }),
        ]
    }

    impl Text {
        fn written(&self) -> String {
            match *self {
                Self::Repeated(ref line, times) => line.repeat(times),
                Self::Noise { length, seed } => {
                    let mut random = fastrand::Rng::with_seed(seed);
                    (0..length).map(|_| char::from(random.u8(32..127))).collect()
                }
            }
        }
    }

    #[test]
    fn blocks_are_read_as_one_member_and_their_pieces_each_alone() {
        let texts = ["x".into(), "a line\n".repeat(30_000), String::new(), "äöü\n".repeat(20_000)];
        are_one_member_of_pieces(&texts);
        check(20, &vec(text(), 0..4), |texts| {
            are_one_member_of_pieces(&texts.iter().map(Text::written).collect::<Vec<_>>());
        });
    }

    fn are_one_member_of_pieces(texts: &[String]) {
        let blocks: Vec<_> = texts.iter().map(|text| Block::of(text)).collect();
        for (text, block) in texts.iter().zip(&blocks) {
            let pieces: Vec<_> =
                (0..).map_while(|index| block.part(index, Encoding::Identity)).collect();
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE_TEXT));
            assert!(pieces.concat() == text.as_bytes());
            assert_eq!(block.sum().body_bytes(Encoding::Identity), text.len());
        }
        let member = one_member(&blocks);
        let (mut read, mut decoder) = (String::new(), GzDecoder::new(&member[..]));
        decoder.read_to_string(&mut read).unwrap();
        assert!(read == texts.concat());
        assert!(decoder.into_inner().is_empty(), "nothing follows the member");
    }
}
