//! Blocks: the lines of some clusters in one family, kept compressed.
//!
//! A block is made once, by whoever needs it first; until then it holds on to what it will be made
//! of. Blocks are shared by all pages on which these clusters look the same in this family.

use std::{
    cell::RefCell,
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Settings, families::Family, view::Shown};

/// Text in one gzip member. An identity body is inflated member by member, so this is also what a
/// scraper that takes nothing keeps in memory: 256 of them (the listener's limit) need 8 MiB.
/// Smaller members would be larger in sum (each begins without a dictionary).
pub(super) const MEMBER_TEXT: usize = 32 * 1024;

/// The first level that fits its codes to the text: level 1 needs half as much again (45 bytes a
/// line, not 29), and levels 3 and 4 save less than 1 % more.
const LEVEL: Compression = Compression::new(2);

/// RFC 1952, section 2.3: deflate, no flags, no time, a fast algorithm, an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// CRC-32 and the length of the text.
const GZIP_TRAILER: usize = 8;

/// Text as gzip members, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    gzip: Bytes,
    /// Where each member ends in `gzip`, and how long its text is.
    ends: Box<[(u32, u32)]>,
    text_bytes: usize,
    lines: usize,
}

impl Members {
    /// Compresses a text.
    pub(super) fn of(text: &str) -> Self {
        let mut press = Press::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.floor_char_boundary(MEMBER_TEXT));
            press.member(now);
            rest = later;
        }
        press.finish()
    }

    /// All members, to be sent as they are.
    pub(super) fn gzip(&self) -> &Bytes {
        &self.gzip
    }

    /// The text of one member; none after the last.
    pub(super) fn inflate(&self, index: usize) -> Option<Bytes> {
        let &(end, length) = self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let start = start as usize + GZIP_HEADER.len();
        let deflated = &self.gzip[start..end as usize - GZIP_TRAILER];
        let mut text = Vec::with_capacity(length as usize);
        let status = INFLATE.with_borrow_mut(|inflate| {
            inflate.reset(false);
            inflate.decompress_vec(deflated, &mut text, FlushDecompress::Finish)
        });
        debug_assert!(matches!(status, Ok(Status::StreamEnd)), "our own members are whole");
        Some(text.into())
    }

    pub(super) fn gzip_bytes(&self) -> usize {
        self.gzip.len()
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }
}

thread_local! {
    // Making them anew for each member would take longer than the work itself.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(LEVEL, false));
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    static PRESSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes members.
#[derive(Default)]
struct Press {
    gzip: Vec<u8>,
    ends: Vec<(u32, u32)>,
    text_bytes: usize,
    lines: usize,
}

impl Press {
    fn member(&mut self, text: &str) {
        self.gzip.extend(GZIP_HEADER);
        DEFLATE.with_borrow_mut(|deflate| {
            PRESSED.with_borrow_mut(|pressed| {
                // Deflate adds at most a few bytes to what cannot be compressed (RFC 1951, 3.2.4).
                pressed.clear();
                pressed.reserve(text.len() + text.len() / 8 + 64);
                deflate.reset();
                let status = deflate.compress_vec(text.as_bytes(), pressed, FlushCompress::Finish);
                debug_assert!(matches!(status, Ok(Status::StreamEnd)), "there is room for all");
                self.gzip.extend_from_slice(pressed);
            });
        });
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        self.gzip.extend(crc.sum().to_le_bytes());
        self.gzip.extend(crc.amount().to_le_bytes());
        // A block is made of one cluster of at most 2,000 connections, or of little more than the
        // smallest block: far from 4 GiB.
        self.ends.push((self.gzip.len() as u32, text.len() as u32));
        self.text_bytes += text.len();
    }

    fn finish(self) -> Members {
        Members {
            gzip: self.gzip.into_boxed_slice().into(),
            ends: self.ends.into(),
            text_bytes: self.text_bytes,
            lines: self.lines,
        }
    }
}

/// The lines of some clusters in one family.
pub(super) struct Block {
    made: OnceLock<Members>,
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
    pub(super) fn made(&self) -> Option<&Members> {
        self.made.get()
    }

    /// The lines. Whoever comes first makes them, which takes some ten or hundred microseconds;
    /// whoever comes meanwhile waits for as long.
    pub(super) fn make(&self) -> &Members {
        self.made.get_or_init(|| {
            let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).take();
            source.map(|source| source.render()).unwrap_or_default()
        })
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Block").field(&self.made.get().map(Members::gzip_bytes)).finish()
    }
}

impl Source {
    fn render(self) -> Members {
        thread_local! {
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            let mut press = Press::default();
            for shown in &self.clusters {
                self.family.write(&shown.view(&self.settings), text, |text| {
                    press.lines += 1;
                    if text.len() >= MEMBER_TEXT {
                        press.member(text);
                        text.clear();
                    }
                });
            }
            if !text.is_empty() {
                press.member(text);
            }
            press.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::MultiGzDecoder;

    use super::*;

    #[test]
    fn members_are_read_by_every_reader_and_by_ours() {
        let texts = ["x".into(), "a line\n".repeat(30_000), "äöü\n".repeat(20_000)];
        assert!(Members::of("").gzip().is_empty(), "no text, no member");
        for text in texts {
            let members = Members::of(&text);
            let mut read = String::new();
            MultiGzDecoder::new(&members.gzip()[..]).read_to_string(&mut read).unwrap();
            assert!(read == text);
            let ours: Vec<_> = (0..).map_while(|index| members.inflate(index)).collect();
            assert!(ours.iter().all(|part| part.len() <= MEMBER_TEXT));
            assert!(ours.concat() == text.as_bytes());
            assert_eq!(members.text_bytes(), text.len());
        }
    }

    #[test]
    fn what_cannot_be_compressed_has_room() {
        let mut state = 1_u64;
        let text: String = (0..MEMBER_TEXT)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(32 + (state >> 57) as u8 % 95)
            })
            .collect();
        let members = Members::of(&text);
        assert_eq!(members.inflate(0).unwrap(), text);
    }
}
