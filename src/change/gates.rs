//! One writer per service or cluster.

use std::collections::HashMap;

use super::subject::Key;

/// Services and clusters with a change under way, or with an intent that is not resolved; how many of each: a
/// change that died and its recovery are at the same gate for a moment.
#[derive(Debug, Default)]
pub(super) struct Gates(HashMap<Key, usize>);

impl Gates {
    pub(super) fn is_closed(&self, gate: &Key) -> bool {
        self.0.contains_key(gate)
    }

    pub(super) fn close(&mut self, gate: Key) {
        *self.0.entry(gate).or_default() += 1;
    }

    pub(super) fn open(&mut self, gate: &Key) {
        if let Some(count) = self.0.get_mut(gate) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(gate);
            }
        }
    }
}
