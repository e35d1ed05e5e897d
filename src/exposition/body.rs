//! The body of a scrape: a page, and the lines that are rendered for this scrape.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    block::{Block, Encoding, GZIP_HEADER},
    live::Sources,
    page::Page,
    text::Format,
};

/// The parts of a body, in their order. In gzip each is a few kilobytes that all scrapes share; else at
/// most 32 KiB and a line that are inflated for this one.
#[derive(Debug)]
pub struct PageBytes {
    page: Arc<Page>,
    /// The block of this scrape alone, after all blocks of the page.
    live: Block,
    format: Format,
    encoding: Encoding,
    length: usize,
    /// Header and end of the gzip member.
    start: Option<Bytes>,
    end: Option<Bytes>,
    /// The block and its part that come next.
    next: (usize, usize),
}

impl PageBytes {
    /// Renders the lines of this scrape.
    pub fn new(page: Arc<Page>, sources: &Sources, format: Format, encoding: Encoding) -> Self {
        // Compressed for an identity body too: a client that takes nothing then holds little memory.
        let live = Block::of(&sources.text(&page, format));
        let sum = page.sum(format).then(live.sum());
        let is_gzip = encoding == Encoding::Gzip;
        Self {
            page,
            live,
            format,
            encoding,
            length: sum.body_bytes(encoding),
            start: is_gzip.then(|| Bytes::from_static(&GZIP_HEADER)),
            end: is_gzip.then(|| sum.gzip_end()),
            next: (0, 0),
        }
    }

    /// The length of all parts together.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The memory of this scrape alone, without the part that is being sent.
    pub fn own_bytes(&self) -> usize {
        self.live.sum().deflated_bytes
    }
}

impl Iterator for PageBytes {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(start) = self.start.take() {
            return Some(start);
        }
        loop {
            let (index, part) = self.next;
            let block = match self.page.block(index, self.format) {
                Some(block) => block,
                // The lines of this scrape are the block after the last of the page.
                None if index == self.page.blocks() => &self.live,
                None => return self.end.take(),
            };
            if let Some(bytes) = block.part(part, self.encoding) {
                self.next = (index, part + 1);
                return Some(bytes);
            }
            self.next = (index + 1, 0);
        }
    }
}

/// A whole page as one text, for a command that prints it.
pub fn text(page: Arc<Page>, sources: &Sources, format: Format) -> String {
    let parts: Vec<_> = PageBytes::new(page, sources, format, Encoding::Identity).collect();
    String::from_utf8_lossy(&parts.concat()).into_owned()
}
