//! The log in numbers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(doc)]
use super::Kind;
use super::Record;

/// Numbers for the metrics, to be read at any time without waiting.
#[derive(Debug, Default)]
pub struct AuditStats {
    pub(super) healthy: AtomicBool,
    pub(super) last_sequence: AtomicU64,
    records: [AtomicU64; 4],
    pub(super) write_failures: AtomicU64,
}

impl AuditStats {
    /// True while changes can be recorded.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    /// The number of the last record.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Ordering::Relaxed)
    }

    /// Records written since the start, in the order of [`Kind::ALL`].
    pub fn records(&self) -> [u64; 4] {
        self.records.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Records that could not be written, each try counted.
    pub fn write_failures(&self) -> u64 {
        self.write_failures.load(Ordering::Relaxed)
    }

    pub(super) fn wrote(&self, record: &Record) {
        self.records[record.content.kind as usize].fetch_add(1, Ordering::Relaxed);
        self.last_sequence.store(record.seq, Ordering::Relaxed);
    }
}
