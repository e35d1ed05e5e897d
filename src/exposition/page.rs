//! The page about clusters: the blocks of all families, in their order.

use std::sync::{Arc, LazyLock};

use super::{
    block::{Block, Sum},
    families::FAMILIES,
    text::{Format, Lines},
};
use crate::board::Freshness;

/// The page about clusters at one moment. It never changes.
#[derive(Debug)]
pub struct Page {
    parts: Vec<Part>,
    /// The sum of the lines of each family.
    sums: Vec<Sum>,
    targets: [usize; Freshness::ALL.len()],
}

#[derive(Debug)]
enum Part {
    /// The header of a family, in which alone the formats differ.
    Header(usize),
    Lines(Arc<Block>),
}

impl Page {
    /// A page of clusters, counted by their freshness, with the sum and the blocks of each family.
    pub(super) fn new<Blocks: Iterator<Item = Arc<Block>>>(
        targets: [usize; Freshness::ALL.len()],
        families: impl Iterator<Item = (Sum, Blocks)>,
    ) -> Self {
        let mut page = Self { parts: Vec::new(), sums: Vec::new(), targets };
        for (family, (sum, blocks)) in families.enumerate() {
            page.parts.push(Part::Header(family));
            page.parts.extend(blocks.map(Part::Lines));
            page.sums.push(sum);
        }
        page
    }

    /// The size of the page, with the headers of the families.
    pub fn sum(&self, format: Format) -> Sum {
        let headers = headers(format).iter().map(Block::sum);
        headers.zip(&self.sums).flat_map(|(header, lines)| [header, *lines]).collect()
    }

    /// Block number `index`, in the order of the page.
    pub(super) fn block(&self, index: usize, format: Format) -> Option<&Block> {
        Some(match self.parts.get(index)? {
            Part::Header(family) => &headers(format)[*family],
            Part::Lines(block) => block,
        })
    }

    /// The number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.parts.len()
    }

    /// The number of clusters by the state of their data, in the order of [`Freshness::ALL`].
    pub(super) fn targets(&self) -> [usize; Freshness::ALL.len()] {
        self.targets
    }
}

/// The headers of all families.
fn headers(format: Format) -> &'static [Block] {
    static TEXT: LazyLock<Vec<Block>> = LazyLock::new(|| compressed(Format::Text004));
    static OPENMETRICS: LazyLock<Vec<Block>> = LazyLock::new(|| compressed(Format::OpenMetrics100));
    fn compressed(format: Format) -> Vec<Block> {
        let header = |definition| Block::of(&Lines::header(format, definition));
        FAMILIES.iter().map(|family| header(&family.definition)).collect()
    }
    match format {
        Format::Text004 => &TEXT,
        Format::OpenMetrics100 => &OPENMETRICS,
    }
}
