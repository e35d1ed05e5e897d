//! A page on its way out: piece by piece, as the client takes it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::{
    Format, Small, block::Members, families::FAMILIES, small::Gathered, store::Page, text::Lines,
};

/// How a page is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// As gzip members, one after the other (RFC 1952, section 2.2).
    Gzip,
}

/// The pieces of a whole page, in their order. Each is a few kilobytes that all scrapes share, or at
/// most 32 KiB or one line more that are inflated for this one.
#[derive(Debug)]
pub struct Frames {
    page: Arc<Page>,
    format: Format,
    encoding: Encoding,
    /// What is rendered for this scrape. It tells the size of all before it, so it can be made only
    /// when that is.
    small: Result<Members, Gathered>,
    /// What comes next: a family, in it first its header and then its blocks, and in these a member.
    family: usize,
    block: usize,
    member: usize,
}

impl Frames {
    /// A page, and what is rendered for this scrape.
    pub fn new(page: Arc<Page>, small: &Small, format: Format, encoding: Encoding) -> Self {
        let gathered = small.gather();
        let small = match page.totals() {
            Some(_) => Ok(Members::of(&gathered.text(&page, format))),
            None => Err(gathered),
        };
        Self { page, format, encoding, small, family: 0, block: 0, member: 0 }
    }

    /// How many bytes the pieces have together; known if all blocks were made before.
    pub fn length(&self) -> Option<usize> {
        let (totals, small) = (self.page.totals()?, self.small.as_ref().ok()?);
        let headers = headers(self.format);
        Some(match self.encoding {
            Encoding::Identity => totals.text_bytes + headers.text_bytes + small.text_bytes(),
            Encoding::Gzip => totals.gzip_bytes + headers.gzip_bytes + small.gzip_bytes(),
        })
    }

    /// How many bytes this scrape has for itself, beside the piece that is being sent.
    pub fn own_bytes(&self) -> usize {
        self.small.as_ref().map_or(0, Members::gzip_bytes)
    }

    fn piece(&mut self) -> Option<Bytes> {
        loop {
            let lines = if self.family < FAMILIES.len() {
                match self.block.checked_sub(1) {
                    None => &headers(self.format).families[self.family],
                    Some(block) => match self.page.blocks(self.family).get(block) {
                        Some(block) => block.make(),
                        None => {
                            (self.family, self.block) = (self.family + 1, 0);
                            continue;
                        }
                    },
                }
            } else if self.block == 0 {
                if let Err(gathered) = &self.small {
                    self.page.make();
                    self.small = Ok(Members::of(&gathered.text(&self.page, self.format)));
                }
                self.small.as_ref().ok()?
            } else {
                return None;
            };
            let piece = match self.encoding {
                Encoding::Gzip if self.member == 0 => Some(lines.gzip().clone()),
                Encoding::Gzip => None,
                Encoding::Identity => lines.inflate(self.member),
            };
            match piece {
                Some(piece) => {
                    self.member += 1;
                    if !piece.is_empty() {
                        return Some(piece);
                    }
                }
                None => (self.block, self.member) = (self.block + 1, 0),
            }
        }
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.piece()
    }
}

/// The headers of the families about clusters: the only lines of theirs in which formats differ.
pub(super) struct Headers {
    families: Vec<Members>,
    pub(super) text_bytes: usize,
    pub(super) gzip_bytes: usize,
}

pub(super) fn headers(format: Format) -> &'static Headers {
    static TEXT: LazyLock<Headers> = LazyLock::new(|| Headers::new(Format::Text004));
    static OPENMETRICS: LazyLock<Headers> = LazyLock::new(|| Headers::new(Format::OpenMetrics100));
    match format {
        Format::Text004 => &TEXT,
        Format::OpenMetrics100 => &OPENMETRICS,
    }
}

impl Headers {
    fn new(format: Format) -> Self {
        let families: Vec<_> = FAMILIES
            .iter()
            .map(|family| {
                let mut lines = Lines::new(format);
                lines.family(&family.definition);
                Members::of(&lines.into_text())
            })
            .collect();
        let text_bytes = families.iter().map(Members::text_bytes).sum();
        let gzip_bytes = families.iter().map(Members::gzip_bytes).sum();
        Self { families, text_bytes, gzip_bytes }
    }
}
