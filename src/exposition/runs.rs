//! Runs: neighbouring blocks of a family, and what they come to together.
//!
//! When a block changes, the next page needs a new list of blocks and new sums. With some thousand
//! blocks in a family that would cost more than the block itself, so only its run is made anew.

use std::sync::{Arc, OnceLock};

use super::block::{Block, Totals};

/// About the root of the number of blocks in a large family: as many runs as blocks in a run.
const BLOCKS_A_RUN: usize = 64;

/// The blocks of a family. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(Arc<[Arc<Run>]>);

/// Neighbouring blocks.
#[derive(Debug)]
struct Run {
    blocks: Box<[Arc<Block>]>,
    totals: OnceLock<Totals>,
}

impl Run {
    fn new(blocks: impl IntoIterator<Item = Arc<Block>>) -> Arc<Self> {
        Arc::new(Self { blocks: blocks.into_iter().collect(), totals: OnceLock::new() })
    }

    fn totals(&self) -> Option<Totals> {
        if let Some(totals) = self.totals.get() {
            return Some(*totals);
        }
        let mut totals = Totals::default();
        for block in &self.blocks {
            totals = totals.then(block.made()?.totals());
        }
        Some(*self.totals.get_or_init(|| totals))
    }
}

impl Runs {
    pub(super) fn get(&self, index: usize) -> Option<&Arc<Block>> {
        self.0.get(index / BLOCKS_A_RUN)?.blocks.get(index % BLOCKS_A_RUN)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.0.iter().flat_map(|run| &run.blocks)
    }

    /// What they all come to, once every one is made.
    pub(super) fn totals(&self) -> Option<Totals> {
        let sum = |before: Totals, run: &Arc<Run>| Some(before.then(run.totals()?));
        self.0.iter().try_fold(Totals::default(), sum)
    }

    /// The same with other blocks in some places; these come in ascending order.
    #[must_use]
    pub(super) fn with(&self, others: &[(usize, Arc<Block>)]) -> Self {
        let mut runs: Vec<_> = self.0.to_vec();
        for others in
            others.chunk_by(|(one, _), (next, _)| one / BLOCKS_A_RUN == next / BLOCKS_A_RUN)
        {
            let run = &mut runs[others[0].0 / BLOCKS_A_RUN];
            let mut blocks = run.blocks.to_vec();
            for (index, block) in others {
                blocks[index % BLOCKS_A_RUN] = block.clone();
            }
            *run = Run::new(blocks);
        }
        Self(runs.into())
    }
}

impl FromIterator<Arc<Block>> for Runs {
    fn from_iter<I: IntoIterator<Item = Arc<Block>>>(blocks: I) -> Self {
        let blocks: Vec<_> = blocks.into_iter().collect();
        Self(blocks.chunks(BLOCKS_A_RUN).map(|run| Run::new(run.iter().cloned())).collect())
    }
}
