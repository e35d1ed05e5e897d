//! The store: the newest page, and what it takes to make the next one from it.
//!
//! A page is a list of blocks for each family. The next page shares every block in which nothing
//! changed; the others are only *named* here, in some ten microseconds, and made by whoever needs
//! them first. So a page is always as new as the board, whoever asks for it and when; that most
//! blocks were made before a scrape needs them is the work of a task (`http::keep_pages_made`).

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use jiff::Timestamp;

use super::{
    Settings,
    block::{Block, Source},
    families::FAMILIES,
    groups::{Ends, regroup},
    samples::Width,
    view::Shown,
};
use crate::board::{Freshness, Snapshot};

/// Where pages come from. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<Mutex<Maker>>);

impl Store {
    /// The page of this board at this time. Waits for nobody but for others who name the blocks of a
    /// page. Of two snapshots that come out of order, the newer one counts.
    pub fn page(&self, snapshot: &Snapshot, settings: &Settings, now: Timestamp) -> Arc<Page> {
        let mut maker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !maker.page.is_of(snapshot, settings, now) {
            maker.next(snapshot, settings, now);
        }
        maker.page.clone()
    }
}

/// An immutable page about clusters, on which nothing changes but that its blocks get made.
#[derive(Debug)]
pub struct Page {
    generation: Option<u64>,
    settings: Option<Settings>,
    /// The same data are shown from this time on,
    from: Timestamp,
    /// and before this one.
    until: Timestamp,
    /// The blocks of each of the [`FAMILIES`].
    families: Vec<Arc<[Arc<Block>]>>,
    targets: [usize; Freshness::ALL.len()],
    /// Among these are all blocks that were not made when the page was.
    new: Vec<Weak<Block>>,
    totals: OnceLock<Totals>,
}

/// What the lines of a page come to, without the headers of the families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) series: usize,
    pub(super) text_bytes: usize,
    pub(super) gzip_bytes: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            generation: None,
            settings: None,
            from: Timestamp::MIN,
            until: Timestamp::MIN,
            families: FAMILIES.iter().map(|_| Arc::default()).collect(),
            targets: Default::default(),
            new: Vec::new(),
            totals: OnceLock::new(),
        }
    }
}

impl Page {
    /// When the page ends to be true although nothing was polled: data will be too old.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// How many blocks nobody has made yet.
    pub fn unmade(&self) -> usize {
        match self.totals.get() {
            Some(_) => 0,
            None => self.new_blocks().filter(|block| block.made().is_none()).count(),
        }
    }

    /// Makes all blocks. It takes as long as it takes to compress them.
    pub fn make(&self) {
        for block in self.new_blocks() {
            block.make();
        }
        self.totals();
    }

    /// The clusters by the state of their data, in the order of [`Freshness::ALL`].
    pub(super) fn targets(&self) -> [usize; Freshness::ALL.len()] {
        self.targets
    }

    /// The blocks of a family.
    pub(super) fn blocks(&self, family: usize) -> &[Arc<Block>] {
        &self.families[family]
    }

    /// What it all comes to, as soon as every block is made.
    pub(super) fn totals(&self) -> Option<Totals> {
        if self.totals.get().is_none() {
            let mut totals = Totals::default();
            for block in self.families.iter().flat_map(|blocks| blocks.iter()) {
                let lines = block.made()?;
                totals.series += lines.lines();
                totals.text_bytes += lines.text_bytes();
                totals.gzip_bytes += lines.gzip_bytes();
            }
            return Some(*self.totals.get_or_init(|| totals));
        }
        self.totals.get().copied()
    }

    fn new_blocks(&self) -> impl Iterator<Item = Arc<Block>> {
        self.new.iter().filter_map(Weak::upgrade)
    }

    fn is_of(&self, snapshot: &Snapshot, settings: &Settings, now: Timestamp) -> bool {
        self.generation >= Some(snapshot.generation())
            && self.settings.as_ref() == Some(settings)
            && (self.from..self.until).contains(&now)
    }
}

/// What makes the next page from the last one.
#[derive(Debug, Default)]
struct Maker {
    page: Arc<Page>,
    clusters: Vec<Shown>,
    /// How many connections of each cluster have series.
    rows: Vec<usize>,
    /// The groups of clusters that share a block, for each [`Width`].
    groups: [Ends; Width::ALL.len()],
}

impl Maker {
    fn next(&mut self, snapshot: &Snapshot, settings: &Settings, now: Timestamp) {
        let newer = self.page.generation < Some(snapshot.generation());
        let same_clusters = !newer
            || (self.clusters.len() == snapshot.clusters().len()
                && self.clusters.iter().zip(snapshot.clusters()).all(|(ours, state)| {
                    Arc::ptr_eq(&ours.state, state) || ours.state.meta.id == state.meta.id
                }));
        let families = if same_clusters && self.page.settings.as_ref() == Some(settings) {
            let changed = self.change(newer.then_some(snapshot), settings, now);
            let groups = self.regroup();
            self.changed_families(&changed, groups, settings)
        } else {
            let before = std::mem::take(&mut self.clusters);
            let states: Vec<_> = match newer {
                true => snapshot.clusters().to_vec(),
                false => before.into_iter().map(|ours| ours.state).collect(),
            };
            let shown = |state| Shown::new(state, settings.stale_after, now);
            self.clusters = states.into_iter().map(shown).collect();
            self.rows = self.clusters.iter().map(|one| one.view(settings).row_count()).collect();
            self.groups = Default::default();
            self.regroup();
            self.all_families(settings)
        };
        self.publish(families, snapshot, settings);
    }

    /// Takes over what changed; returns the clusters as they were before.
    fn change(
        &mut self,
        snapshot: Option<&Snapshot>,
        settings: &Settings,
        now: Timestamp,
    ) -> Vec<(usize, Shown)> {
        let mut changed = Vec::new();
        for (index, ours) in self.clusters.iter_mut().enumerate() {
            let state = snapshot.map_or(&ours.state, |snapshot| &snapshot.clusters()[index]);
            let in_time = ours.expiry.is_none_or(|expiry| (now < expiry) == ours.has_data());
            if !Arc::ptr_eq(&ours.state, state) || !in_time {
                let next = Shown::new(state.clone(), settings.stale_after, now);
                self.rows[index] = next.view(settings).row_count();
                changed.push((index, std::mem::replace(ours, next)));
            }
        }
        changed
    }

    /// Groups the clusters as they are now; returns the groups of before.
    fn regroup(&mut self) -> [Ends; Width::ALL.len()] {
        let next = Width::ALL.map(|width| {
            let before = &self.groups[width as usize];
            match width.of_any_cluster() {
                Some(_) if before.last() == Some(&self.clusters.len()) => before.clone(),
                Some(lines) => regroup(before, &vec![lines; self.clusters.len()]),
                None => regroup(before, &self.rows),
            }
        });
        std::mem::replace(&mut self.groups, next)
    }

    fn all_families(&self, settings: &Settings) -> Vec<Arc<[Arc<Block>]>> {
        let families = FAMILIES.iter().map(|family| {
            let groups = starts_and_ends(&self.groups[family.width() as usize]);
            groups.map(|(start, end)| self.block(family, start, end, settings)).collect()
        });
        families.collect()
    }

    /// The blocks of all families: new ones where lines changed or clusters came together otherwise.
    fn changed_families(
        &self,
        changed: &[(usize, Shown)],
        groups_before: [Ends; Width::ALL.len()],
        settings: &Settings,
    ) -> Vec<Arc<[Arc<Block>]>> {
        let families = FAMILIES.iter().zip(&self.page.families).map(|(family, before)| {
            let width = family.width() as usize;
            let (groups, groups_before) = (&self.groups[width], &groups_before[width]);
            let mut moved = changed
                .iter()
                .filter(|(index, was)| {
                    let is = &self.clusters[*index];
                    !family.is_same(&was.view(settings), &is.view(settings))
                })
                .map(|(index, _)| *index)
                .peekable();
            if groups == groups_before && moved.peek().is_none() {
                return before.clone();
            }
            let mut old = starts_and_ends(groups_before).zip(before.iter()).peekable();
            let blocks = starts_and_ends(groups).map(|(start, end)| {
                while old.next_if(|((old_start, _), _)| *old_start < start).is_some() {}
                let mut is_moved = false;
                while moved.next_if(|index| *index < end).is_some() {
                    is_moved = true;
                }
                match old.peek() {
                    Some((group, block)) if *group == (start, end) && !is_moved => {
                        Arc::clone(block)
                    }
                    _ => self.block(family, start, end, settings),
                }
            });
            blocks.collect()
        });
        families.collect()
    }

    fn block(
        &self,
        family: &'static super::families::Family,
        start: usize,
        end: usize,
        settings: &Settings,
    ) -> Arc<Block> {
        let clusters = self.clusters[start..end].into();
        Arc::new(Block::new(Source { family, clusters, settings: *settings }))
    }

    fn publish(
        &mut self,
        families: Vec<Arc<[Arc<Block>]>>,
        snapshot: &Snapshot,
        settings: &Settings,
    ) {
        let (mut from, mut until) = (Timestamp::MIN, Timestamp::MAX);
        let mut targets = [0; Freshness::ALL.len()];
        for shown in &self.clusters {
            targets[shown.freshness as usize] += 1;
            match shown.expiry {
                Some(expiry) if shown.has_data() => until = until.min(expiry),
                Some(expiry) => from = from.max(expiry),
                None => {}
            }
        }
        let mut new: Vec<_> =
            self.page.new_blocks().filter(|block| block.made().is_none()).collect();
        for (blocks, before) in families.iter().zip(&self.page.families) {
            if !Arc::ptr_eq(blocks, before) {
                new.extend(blocks.iter().filter(|block| block.made().is_none()).cloned());
            }
        }
        let new = new.iter().map(Arc::downgrade).collect();
        self.page = Arc::new(Page {
            generation: self.page.generation.max(Some(snapshot.generation())),
            settings: Some(*settings),
            from,
            until,
            families,
            targets,
            new,
            totals: OnceLock::new(),
        });
    }
}

fn starts_and_ends(ends: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    [0].iter().chain(ends).copied().zip(ends.iter().copied())
}
