//! Blocks: the lines of some clusters in one family, kept compressed.
//!
//! A block is made once, by whoever needs it first; until then it holds on to what it will be made
//! of. Blocks are shared by all pages on which these clusters look the same in this family.

use std::{cell::RefCell, fmt, sync::OnceLock};

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use parking_lot::Mutex;

use super::{Settings, checksum::Checksum, families::Family, view::Shown};

/// Text in one piece. An identity body is inflated piece by piece, so this is also what a scraper
/// that takes nothing keeps in memory: 256 of them (the listener's limit) need 8 MiB.
/// Smaller pieces would be larger in sum (each begins without a dictionary).
pub(super) const PIECE_TEXT: usize = 32 * 1024;

/// The first level that fits its codes to the text: level 1 needs half as much again (45 bytes a
/// line, not 29), and levels 3 and 4 save less than 1 % more.
const LEVEL: Compression = Compression::new(2);

/// Text as pieces of one deflate stream, each readable alone: it refers to no text of another, begins
/// and ends at a byte, and is not the last (RFC 1951, section 3.2.3; zlib calls the end a sync flush).
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    deflated: Bytes,
    /// Where each piece ends in `deflated`, and how long its text is.
    ends: Box<[(u32, u32)]>,
    totals: Totals,
}

/// What some lines come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) lines: usize,
    pub(super) deflated_bytes: usize,
    pub(super) text: Checksum,
}

impl Totals {
    /// Of these lines and the next, one after the other.
    #[must_use]
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            lines: self.lines + next.lines,
            deflated_bytes: self.deflated_bytes + next.deflated_bytes,
            text: self.text.then(next.text),
        }
    }
}

impl Pieces {
    /// Compresses a text. Its lines are not counted.
    pub(super) fn of(text: &str) -> Self {
        let mut press = Press::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.floor_char_boundary(PIECE_TEXT));
            press.piece(now);
            rest = later;
        }
        press.finish()
    }

    /// All pieces, to be sent as they are.
    pub(super) fn deflated(&self) -> &Bytes {
        &self.deflated
    }

    /// The text of one piece; none after the last.
    pub(super) fn inflate(&self, index: usize) -> Option<Bytes> {
        let &(end, length) = self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let deflated = &self.deflated[start as usize..end as usize];
        let mut text = Vec::with_capacity(length as usize);
        let status = INFLATE.with_borrow_mut(|inflate| {
            inflate.reset(false);
            inflate.decompress_vec(deflated, &mut text, FlushDecompress::None)
        });
        debug_assert!(status.is_ok() && text.len() == length as usize, "our own pieces are whole");
        Some(text.into())
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }
}

thread_local! {
    // Making them anew for each piece would take longer than the work itself.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(LEVEL, false));
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    static PRESSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes pieces.
#[derive(Default)]
struct Press {
    deflated: Vec<u8>,
    ends: Vec<(u32, u32)>,
    text: Checksum,
    lines: usize,
}

impl Press {
    fn piece(&mut self, text: &str) {
        DEFLATE.with_borrow_mut(|deflate| {
            PRESSED.with_borrow_mut(|pressed| {
                // Deflate adds at most a few bytes to what cannot be compressed (RFC 1951, 3.2.4).
                pressed.clear();
                pressed.reserve(text.len() + text.len() / 8 + 64);
                deflate.reset();
                let status = deflate.compress_vec(text.as_bytes(), pressed, FlushCompress::Sync);
                debug_assert!(matches!(status, Ok(Status::Ok)), "there is room for all");
                self.deflated.extend_from_slice(pressed);
            });
        });
        // A block is made of one cluster of at most 2,000 connections, or of little more than the
        // smallest block: far from 4 GiB.
        self.ends.push((self.deflated.len() as u32, text.len() as u32));
        self.text = self.text.then(Checksum::of(text.as_bytes()));
    }

    fn finish(self) -> Pieces {
        Pieces {
            totals: Totals {
                lines: self.lines,
                deflated_bytes: self.deflated.len(),
                text: self.text,
            },
            deflated: self.deflated.into_boxed_slice().into(),
            ends: self.ends.into(),
        }
    }
}

/// The lines of some clusters in one family.
pub(super) struct Block {
    made: OnceLock<Pieces>,
    /// What it will be made of; nothing once it is made.
    source: Mutex<Option<Source>>,
}

/// What a block is made of.
pub(super) struct Source {
    pub(super) family: &'static Family,
    pub(super) clusters: Box<[Shown]>,
    pub(super) settings: Settings,
}

impl Block {
    pub(super) fn new(source: Source) -> Self {
        Self { made: OnceLock::new(), source: Mutex::new(Some(source)) }
    }

    /// The lines, if they are made already.
    pub(super) fn made(&self) -> Option<&Pieces> {
        self.made.get()
    }

    /// The lines. Whoever comes first makes them, which takes some ten or hundred microseconds;
    /// whoever comes meanwhile waits for as long.
    pub(super) fn make(&self) -> &Pieces {
        self.made.get_or_init(|| {
            let source = self.source.lock().take();
            source.map(|source| source.render()).unwrap_or_default()
        })
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Block").field(&self.made.get().map(Pieces::totals)).finish()
    }
}

impl Source {
    fn render(self) -> Pieces {
        thread_local! {
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            let mut press = Press::default();
            for shown in &self.clusters {
                self.family.write(&shown.view(&self.settings), text, |text| {
                    press.lines += 1;
                    if text.len() >= PIECE_TEXT {
                        press.piece(text);
                        text.clear();
                    }
                });
            }
            if !text.is_empty() {
                press.piece(text);
            }
            press.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn pieces_are_read_as_one_stream_and_each_alone() {
        let texts = ["x".into(), "a line\n".repeat(30_000), "äöü\n".repeat(20_000)];
        assert!(Pieces::of("").deflated().is_empty(), "no text, no piece");
        for text in texts {
            let pieces = Pieces::of(&text);
            let stream = [&pieces.deflated()[..], &[3, 0]].concat();
            let mut read = String::new();
            DeflateDecoder::new(&stream[..]).read_to_string(&mut read).unwrap();
            assert!(read == text);
            let ours: Vec<_> = (0..).map_while(|index| pieces.inflate(index)).collect();
            assert!(ours.iter().all(|part| part.len() <= PIECE_TEXT));
            assert!(ours.concat() == text.as_bytes());
            assert_eq!(pieces.totals().text, Checksum::of(text.as_bytes()));
            assert_eq!(pieces.totals().deflated_bytes, pieces.deflated().len());
        }
    }

    #[test]
    fn what_cannot_be_compressed_has_room() {
        let mut state = 1_u64;
        let text: String = (0..PIECE_TEXT)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(32 + (state >> 57) as u8 % 95)
            })
            .collect();
        let pieces = Pieces::of(&text);
        assert_eq!(pieces.inflate(0).unwrap(), text);
    }
}
