//! The store of blocks, from which each page is made.
//!
//! Most polls find what the poll before found, so lines are kept as compressed blocks, and a block is made
//! again only when one of its lines has changed. Blocks of connections are made soon after the poll. All
//! others are small and change with every poll of one of their clusters: they wait for the scrape.

use std::{cell::RefCell, mem, ops::Range, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    block::{Block, Press, Sum},
    families::{Change, FAMILIES, Settings, Shown},
    page::Page,
    sample::{Family, Per},
};
use crate::board::{Board, ClusterState, Freshness};

/// The least number of lines in a block, which are 16 to 20 KiB of text: small clusters share a block,
/// since each block has a cost of its own in size and time. A larger cluster has its own blocks, so that
/// they are not made again with its neighbours.
const LINES_A_BLOCK: usize = 96;

/// Neighbours that may share a block. A cluster that grows moves the bounds of blocks in its group only.
/// With one line a cluster, a group fills a block.
const CLUSTERS_A_GROUP: usize = LINES_A_BLOCK;

/// The source of pages. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<Mutex<Blocks>>);

impl Store {
    /// The page of the board as it is now. Missing blocks are made, which may take a second after a start
    /// with a million series, so this must not run on a thread that serves others.
    pub fn page(&self, board: &Board, settings: &Settings, now: Timestamp) -> Arc<Page> {
        let mut blocks = self.0.lock();
        blocks.follow(board, settings, now, |group, states| group.is_current(states, now));
        blocks.page()
    }

    /// Makes the blocks of connections ahead of the next scrape: nearly all of its work, and none that
    /// the next poll of another cluster would undo.
    pub fn prepare(&self, board: &Board, settings: &Settings, now: Timestamp) {
        let mut blocks = self.0.lock();
        // A group where every poll found the same is left to the scrape: it would be followed 60 times a
        // minute for four pages.
        blocks.follow(board, settings, now, Group::has_same_connections);
        for group in &mut blocks.groups {
            group.make(|per| per == Per::Connection);
        }
    }
}

/// The blocks of all clusters.
#[derive(Debug, Default)]
struct Blocks {
    groups: Vec<Group>,
    settings: Option<Settings>,
    /// The page of these blocks, once it was built.
    page: Option<Arc<Page>>,
}

impl Blocks {
    /// Takes over the state of the board, except for groups that `may_stay`, and drops all blocks with a
    /// changed line.
    fn follow(
        &mut self,
        board: &Board,
        settings: &Settings,
        now: Timestamp,
        may_stay: impl Fn(&Group, &[Arc<ClusterState>]) -> bool,
    ) {
        // Taken inside the lock, so that the store never goes back to an older snapshot.
        let snapshot = board.snapshot();
        let groups = snapshot.clusters().chunks(CLUSTERS_A_GROUP);
        // `may_stay` compares states only: new settings may show other lines of the same states.
        let is_same_choice = self.settings.replace(*settings) == Some(*settings);
        // The page has a block of every group, so it is stale as soon as their number changes.
        if self.groups.len() != groups.len() {
            self.groups.resize_with(groups.len(), Group::default);
            self.page = None;
        }
        for (group, states) in self.groups.iter_mut().zip(groups) {
            if !is_same_choice || !may_stay(group, states) {
                group.follow(states, settings, now);
                self.page = None;
            }
        }
    }

    fn page(&mut self) -> Arc<Page> {
        if let Some(page) = &self.page {
            return page.clone();
        }
        let mut targets = [0; Freshness::ALL.len()];
        for group in &mut self.groups {
            // Blocks of connections are usually ready by now; the others are made here.
            group.make(|_| true);
            for cluster in &group.clusters {
                targets[cluster.freshness() as usize] += 1;
            }
        }
        let groups = &mut self.groups;
        let families = (0..FAMILIES.len()).map(|family| {
            let sum = groups.iter_mut().map(|group| group.families[family].sum()).collect();
            let rows: Vec<_> =
                groups.iter().flat_map(|group| group.families[family].made()).collect();
            (sum, rows.into_iter())
        });
        self.page.insert(Arc::new(Page::new(targets, families))).clone()
    }
}

/// Neighbouring clusters and their blocks.
#[derive(Debug, Default)]
struct Group {
    clusters: Vec<Shown>,
    families: Vec<Row>,
}

impl Group {
    fn is_current(&self, states: &[Arc<ClusterState>], now: Timestamp) -> bool {
        self.clusters.len() == states.len()
            && self.clusters.iter().zip(states).all(|(shown, state)| shown.is_current(state, now))
    }

    fn has_same_connections(&self, states: &[Arc<ClusterState>]) -> bool {
        self.clusters.len() == states.len()
            && self.clusters.iter().zip(states).all(|(shown, state)| shown.has_same_data(state))
    }

    fn follow(&mut self, states: &[Arc<ClusterState>], settings: &Settings, now: Timestamp) {
        let shown = |state: &Arc<ClusterState>| Shown::new(state.clone(), settings, now);
        let before = mem::replace(&mut self.clusters, states.iter().map(shown).collect());
        let after = &self.clusters;
        // A cluster at a new place differs from the one before in its labels.
        let changes: Vec<_> =
            before.iter().zip(after).map(|(before, after)| after.change_since(before)).collect();
        self.families.resize_with(FAMILIES.len(), Row::default);
        for (family, row) in FAMILIES.iter().zip(&mut self.families) {
            let is_same = |cluster: usize| match changes.get(cluster) {
                Some(Change::Nothing) => true,
                // Connections that were found the same are not compared again: there may be thousands.
                Some(Change::Poll) if family.per == Per::Connection => true,
                Some(Change::Poll | Change::Data) => {
                    family.is_same(&before[cluster], &after[cluster])
                }
                Some(Change::Labels) | None => false,
            };
            row.keep(shared(after.iter().map(|cluster| cluster.lines(family.per))), is_same);
        }
    }

    /// Makes the missing blocks of some families.
    fn make(&mut self, is_wanted: impl Fn(Per) -> bool) {
        for (family, row) in FAMILIES.iter().zip(&mut self.families) {
            if is_wanted(family.per) {
                for place in row.places.iter_mut().filter(|place| place.block.is_none()) {
                    let clusters = &self.clusters[place.clusters.clone()];
                    // Shared with the pages that are still being sent.
                    place.block = Some(Arc::new(render(family, clusters)));
                }
            }
        }
    }
}

/// The blocks of a group in one family.
#[derive(Debug, Default)]
struct Row {
    places: Vec<Place>,
    /// The sum of all blocks, once it was computed.
    sum: Option<Sum>,
}

/// The place of a block, and the block once it is made.
#[derive(Debug)]
struct Place {
    clusters: Range<usize>,
    block: Option<Arc<Block>>,
}

impl Row {
    /// Keeps the blocks of unchanged clusters where the same ones still share a block.
    fn keep(&mut self, shares: Vec<Range<usize>>, is_same: impl Fn(usize) -> bool) {
        let mut before = mem::take(&mut self.places).into_iter().peekable();
        let mut is_changed = false;
        for clusters in shares {
            // Both lists are in the order of the clusters, so one walk over both finds what is kept.
            while before.next_if(|place| place.clusters.start < clusters.start).is_some() {
                is_changed = true;
            }
            let kept = before
                .next_if(|place| place.clusters == clusters && clusters.clone().all(&is_same));
            is_changed |= kept.is_none();
            self.places.push(kept.unwrap_or(Place { clusters, block: None }));
        }
        // A place that is left over is gone, and its lines leave the sum.
        if is_changed || before.next().is_some() {
            self.sum = None;
        }
    }

    fn made(&self) -> impl Iterator<Item = Arc<Block>> {
        self.places.iter().filter_map(|place| place.block.clone())
    }

    fn sum(&mut self) -> Sum {
        let blocks = self.places.iter().filter_map(|place| place.block.as_deref());
        *self.sum.get_or_insert_with(|| blocks.map(Block::sum).collect())
    }
}

/// Decides which clusters share a block, given the number of lines of each.
fn shared(lines: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut shares, mut start, mut end, mut sum) = (Vec::new(), 0, 0, 0);
    for count in lines {
        // A large cluster begins a block of its own, so the small ones before it are closed off.
        if sum > 0 && count >= LINES_A_BLOCK {
            shares.push(start..end);
            (start, sum) = (end, 0);
        }
        (end, sum) = (end + 1, sum + count);
        if sum >= LINES_A_BLOCK {
            shares.push(start..end);
            (start, sum) = (end, 0);
        }
    }
    if start < end {
        shares.push(start..end);
    }
    shares
}

fn render(family: &Family<Shown>, clusters: &[Shown]) -> Block {
    thread_local! {
        // The buffer is reused, because a block is rendered for nearly every poll.
        static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
    }
    TEXT.with_borrow_mut(|text| {
        text.clear();
        let mut press = Press::default();
        for cluster in clusters {
            family.write(cluster, &cluster.labels(), text, |text| press.line(text));
        }
        press.finish(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_clusters_share_a_block_and_large_ones_have_their_own() {
        let ends = |lines: &[usize]| -> Vec<_> {
            shared(lines.iter().copied()).into_iter().map(|share| share.end).collect()
        };
        assert!(ends(&[]).is_empty());
        assert_eq!(ends(&[0, 0]), [2]);
        assert_eq!(ends(&[1; 300]), [96, 192, 288, 300]);
        assert_eq!(ends(&[50, 50, 500, 1, 96, 3]), [2, 3, 4, 5, 6]);
    }
}
