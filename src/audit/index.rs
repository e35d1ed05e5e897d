//! The part of the log that is kept in memory: the newest changes, and those whose outcome is not known.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use super::{
    ChangeId,
    record::{Kind, Record},
};

/// The number of changes that are kept: months of work by hand.
pub const MAX_RECENT: usize = 1_000;
/// The bytes of them that are kept, if they are large.
const MAX_RECENT_BYTES: usize = 16 << 20;

/// A change, by its records.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name.
    pub id: ChangeId,
    /// The record before it was sent; absent where nothing had to be sent.
    pub intent: Option<Record>,
    /// The record of how it ended; absent while that is not known.
    pub outcome: Option<Record>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Shared with readers, so that no record is copied while the writer waits.
    changes: HashMap<ChangeId, (Arc<Change>, usize)>,
    order: VecDeque<ChangeId>,
    bytes: usize,
}

impl Index {
    pub(super) fn take(&mut self, record: &Record, line_bytes: usize) {
        let Some(id) = &record.content.change_id else { return };
        let kind = record.content.kind;
        if !matches!(kind, Kind::Intent | Kind::Outcome) {
            return;
        }
        let (change, bytes) = self.changes.entry(id.clone()).or_insert_with(|| {
            self.order.push_back(id.clone());
            (Arc::new(Change { id: id.clone(), intent: None, outcome: None }), 0)
        });
        match kind {
            // At a rotation it is repeated; the first one has the true time.
            Kind::Intent if change.intent.is_some() => return,
            Kind::Intent => Arc::make_mut(change).intent = Some(record.clone()),
            _ => Arc::make_mut(change).outcome = Some(record.clone()),
        }
        *bytes += line_bytes;
        self.bytes += line_bytes;
        while self.order.len() > MAX_RECENT || self.bytes > MAX_RECENT_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.changes.remove(&oldest).map_or(0, |(_, bytes)| bytes);
        }
    }

    /// The newest first.
    pub(super) fn newest(&self, limit: usize) -> Vec<Arc<Change>> {
        let newest = self.order.iter().rev().take(limit);
        newest.filter_map(|id| self.get(id)).collect()
    }

    pub(super) fn get(&self, id: &ChangeId) -> Option<Arc<Change>> {
        self.changes.get(id).map(|(change, _)| change.clone())
    }
}

/// Intents without an outcome, by their numbers.
#[derive(Debug, Default)]
pub struct Unresolved {
    intents: BTreeMap<ChangeId, Record>,
}

impl Unresolved {
    /// Takes note of a record; all of a log must be shown, in order.
    pub fn take(&mut self, record: &Record) {
        let Some(id) = &record.content.change_id else { return };
        match record.content.kind {
            Kind::Intent => {
                self.intents.entry(id.clone()).or_insert_with(|| record.clone());
            }
            Kind::Outcome => {
                self.intents.remove(id);
            }
            Kind::Denied | Kind::Opened => {}
        }
    }

    /// The intents, in the order in which they were written.
    pub fn intents(&self) -> Vec<Record> {
        let mut intents: Vec<_> = self.intents.values().cloned().collect();
        intents.sort_by_key(|record| record.seq);
        intents
    }
}
