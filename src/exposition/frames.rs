//! A page on its way out: piece by piece, as the client takes it.

use std::{
    iter,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;

use super::{
    Format, Small,
    block::{Pieces, Totals},
    families::{FAMILIES, Family},
    gzip,
    small::Gathered,
    store::Page,
    text::Lines,
};

/// How a page is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// As one gzip member (RFC 1952).
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
    small: Result<Pieces, Gathered>,
    next: Next,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// What is before all pieces.
    Start,
    /// A family: its header (block 0) or one of its blocks, and in that a piece.
    Family {
        family: usize,
        block: usize,
        piece: usize,
    },
    /// What is rendered for this scrape.
    Small {
        piece: usize,
    },
    /// What is after all pieces.
    End,
    Nothing,
}

impl Frames {
    /// A page, and what is rendered for this scrape.
    pub fn new(page: Arc<Page>, small: &Small, format: Format, encoding: Encoding) -> Self {
        let gathered = small.gather();
        let small = match page.totals() {
            Some(_) => Ok(Pieces::of(&gathered.text(&page, format))),
            None => Err(gathered),
        };
        Self { page, format, encoding, small, next: Next::Start }
    }

    /// How many bytes the pieces have together; known if all blocks were made before.
    pub fn length(&self) -> Option<usize> {
        let totals = self.totals()?;
        Some(match self.encoding {
            Encoding::Identity => totals.text.bytes(),
            Encoding::Gzip => totals.deflated_bytes + gzip::AROUND_BYTES,
        })
    }

    /// How many bytes this scrape has for itself, beside the piece that is being sent.
    pub fn own_bytes(&self) -> usize {
        self.small.as_ref().map_or(0, |small| small.totals().deflated_bytes)
    }

    fn totals(&self) -> Option<Totals> {
        Some(self.page.whole(self.format)?.then(self.small.as_ref().ok()?.totals()))
    }

    fn make_small(&mut self) -> &Pieces {
        if let Err(gathered) = &self.small {
            self.page.make();
            self.small = Ok(Pieces::of(&gathered.text(&self.page, self.format)));
        }
        static NOTHING: LazyLock<Pieces> = LazyLock::new(Pieces::default);
        self.small.as_ref().unwrap_or(&NOTHING)
    }

    /// What comes next, which may be empty.
    fn step(&mut self) -> Option<Bytes> {
        let (format, encoding) = (self.format, self.encoding);
        let one = |pieces: &Pieces, piece| match encoding {
            Encoding::Identity => pieces.inflate(piece),
            Encoding::Gzip => (piece == 0).then(|| pieces.deflated().clone()),
        };
        Some(match self.next {
            Next::Start => {
                self.next = Next::Family { family: 0, block: 0, piece: 0 };
                if encoding == Encoding::Gzip { gzip::header() } else { Bytes::new() }
            }
            Next::Family { family, .. } if family == FAMILIES.len() => {
                self.next = Next::Small { piece: 0 };
                Bytes::new()
            }
            Next::Family { family, block, piece } => {
                let bytes = match block.checked_sub(1) {
                    None => one(headers(format).of(family), piece),
                    Some(block) => match self.page.blocks(family).get(block) {
                        Some(block) => one(block.make(), piece),
                        None => {
                            self.next = Next::Family { family: family + 1, block: 0, piece: 0 };
                            return Some(Bytes::new());
                        }
                    },
                };
                self.next = match bytes {
                    Some(_) => Next::Family { family, block, piece: piece + 1 },
                    None => Next::Family { family, block: block + 1, piece: 0 },
                };
                bytes.unwrap_or_default()
            }
            Next::Small { piece } => {
                let bytes = one(self.make_small(), piece);
                self.next = match bytes {
                    Some(_) => Next::Small { piece: piece + 1 },
                    None => Next::End,
                };
                bytes.unwrap_or_default()
            }
            Next::End => {
                self.next = Next::Nothing;
                match encoding {
                    Encoding::Identity => Bytes::new(),
                    Encoding::Gzip => gzip::end(self.totals().unwrap_or_default().text),
                }
            }
            Next::Nothing => return None,
        })
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        iter::from_fn(|| self.step()).find(|piece| !piece.is_empty())
    }
}

/// The headers of the families about clusters: the only lines of theirs in which formats differ.
pub(super) struct Headers(Vec<Pieces>);

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
        let header = |family: &Family| {
            let mut lines = Lines::new(format);
            lines.family(&family.definition);
            Pieces::of(&lines.into_text())
        };
        Self(FAMILIES.iter().map(header).collect())
    }

    /// The header of a family.
    pub(super) fn of(&self, family: usize) -> &Pieces {
        &self.0[family]
    }
}
