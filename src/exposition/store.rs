//! The store: the newest page, and what it takes to make the next one from it.
//!
//! A page is a list of blocks for each family. The next page shares every block in which nothing
//! changed; the others are only *named* here, in some ten microseconds, and made by whoever needs
//! them first. So a page is always as new as the board, whoever asks for it and when; that most
//! blocks were made before a scrape needs them is the work of a task (`public::keep_pages_made`).

use std::sync::{Arc, OnceLock, Weak};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    Format, Settings,
    block::{Block, Source, Totals},
    families::{FAMILIES, Family},
    frames::headers,
    groups::{Ends, regroup},
    runs::Runs,
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
        let mut maker = self.0.lock();
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
    families: Vec<Runs>,
    targets: [usize; Freshness::ALL.len()],
    /// Among these are all blocks that were not made when the page was.
    new: Vec<Weak<Block>>,
    /// What the lines of each family come to, as soon as all are made.
    totals: OnceLock<Box<[Totals]>>,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            generation: None,
            settings: None,
            from: Timestamp::MIN,
            until: Timestamp::MIN,
            families: FAMILIES.iter().map(|_| Runs::default()).collect(),
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
    pub(super) fn blocks(&self, family: usize) -> &Runs {
        &self.families[family]
    }

    /// What the lines of each family come to, as soon as every block is made.
    pub(super) fn totals(&self) -> Option<&[Totals]> {
        if self.totals.get().is_none() {
            let totals = self.families.iter().map(Runs::totals).collect::<Option<_>>()?;
            return Some(self.totals.get_or_init(|| totals));
        }
        self.totals.get().map(|totals| &**totals)
    }

    /// What all lines about clusters come to, with the headers of the families.
    pub(super) fn whole(&self, format: Format) -> Option<Totals> {
        let (mut whole, headers) = (Totals::default(), headers(format));
        for (family, lines) in self.totals()?.iter().enumerate() {
            whole = whole.then(headers.of(family).totals()).then(*lines);
        }
        Some(whole)
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

/// The blocks of a page that is being made, and which of them are new.
#[derive(Default)]
struct Next {
    families: Vec<Runs>,
    new: Vec<Arc<Block>>,
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
        let next = if same_clusters && self.page.settings.as_ref() == Some(settings) {
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
        self.publish(next, snapshot, settings);
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

    fn all_families(&self, settings: &Settings) -> Next {
        let blocks = |family: &'static Family| -> Vec<_> {
            let groups = starts_and_ends(&self.groups[family.width() as usize]);
            groups.map(|(start, end)| self.block(family, start, end, settings)).collect()
        };
        let families: Vec<_> = FAMILIES.iter().map(blocks).collect();
        let new = families.iter().flatten().cloned().collect();
        Next { families: families.into_iter().map(Runs::from_iter).collect(), new }
    }

    /// The blocks of all families: new ones where lines changed or clusters came together otherwise.
    fn changed_families(
        &self,
        changed: &[(usize, Shown)],
        groups_before: [Ends; Width::ALL.len()],
        settings: &Settings,
    ) -> Next {
        let mut next = Next::default();
        for (family, before) in FAMILIES.iter().zip(&self.page.families) {
            let width = family.width() as usize;
            let (groups, groups_before) = (&self.groups[width], &groups_before[width]);
            let moved = changed.iter().filter(|(index, was)| {
                let is = &self.clusters[*index];
                !family.is_same(&was.view(settings), &is.view(settings))
            });
            let moved: Vec<_> = moved.map(|(index, _)| *index).collect();
            let blocks = if groups == groups_before {
                self.same_groups(family, before, &moved, settings, &mut next.new)
            } else {
                self.other_groups(family, before, groups_before, &moved, settings, &mut next.new)
            };
            next.families.push(blocks);
        }
        next
    }

    /// The blocks of a family in which the same clusters are together as before.
    fn same_groups(
        &self,
        family: &'static Family,
        before: &Runs,
        moved: &[usize],
        settings: &Settings,
        new: &mut Vec<Arc<Block>>,
    ) -> Runs {
        if moved.is_empty() {
            return before.clone();
        }
        let groups = &self.groups[family.width() as usize];
        let group = |index: &usize| groups.partition_point(|end| end <= index);
        let mut others: Vec<_> = Vec::with_capacity(moved.len());
        for moved in moved.chunk_by(|one, next| group(one) == group(next)) {
            let group = group(&moved[0]);
            let start = group.checked_sub(1).map_or(0, |before| groups[before]);
            others.push((group, self.block(family, start, groups[group], settings)));
        }
        new.extend(others.iter().map(|(_, block)| block.clone()));
        before.with(&others)
    }

    /// The same where clusters came together otherwise: blocks stay whose clusters did.
    fn other_groups(
        &self,
        family: &'static Family,
        before: &Runs,
        groups_before: &[usize],
        moved: &[usize],
        settings: &Settings,
        new: &mut Vec<Arc<Block>>,
    ) -> Runs {
        let mut moved = moved.iter().peekable();
        let mut old = starts_and_ends(groups_before).zip(before.iter()).peekable();
        let blocks = starts_and_ends(&self.groups[family.width() as usize]).map(|(start, end)| {
            while old.next_if(|((old_start, _), _)| *old_start < start).is_some() {}
            let mut is_moved = false;
            while moved.next_if(|index| **index < end).is_some() {
                is_moved = true;
            }
            match old.peek() {
                Some((group, block)) if *group == (start, end) && !is_moved => Arc::clone(block),
                _ => {
                    let block = self.block(family, start, end, settings);
                    new.push(block.clone());
                    block
                }
            }
        });
        blocks.collect()
    }

    fn block(
        &self,
        family: &'static Family,
        start: usize,
        end: usize,
        settings: &Settings,
    ) -> Arc<Block> {
        let clusters = self.clusters[start..end].into();
        Arc::new(Block::new(Source { family, clusters, settings: *settings }))
    }

    fn publish(&mut self, next: Next, snapshot: &Snapshot, settings: &Settings) {
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
        // Those of the page before that nobody has made yet may still be on this one.
        let unmade = self.page.new_blocks().filter(|block| block.made().is_none());
        let new = unmade.chain(next.new).map(|block| Arc::downgrade(&block)).collect();
        self.page = Arc::new(Page {
            generation: self.page.generation.max(Some(snapshot.generation())),
            settings: Some(*settings),
            from,
            until,
            families: next.families,
            targets,
            new,
            totals: OnceLock::new(),
        });
    }
}

fn starts_and_ends(ends: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    [0].iter().chain(ends).copied().zip(ends.iter().copied())
}
