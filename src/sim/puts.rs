//! The ledger of changes: every PUT of a service, what was in it and whether it was applied.
//!
//! Owns the counting that a client's own records can be held against. Control requests are not in it.

use std::collections::VecDeque;

use serde::Serialize;

/// So many PUTs are remembered one by one.
const KEPT: usize = 10_000;

/// What became of a PUT, beyond its answer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The PUT took effect, also where it changed nothing.
    pub(crate) applied: bool,
    /// Fields that are now different because of it.
    pub(crate) changed: Vec<&'static str>,
    /// Modes that hit it.
    pub(crate) modes: Vec<&'static str>,
}

/// One PUT.
#[derive(Debug, Serialize)]
pub(crate) struct Put {
    pub(crate) request_id: String,
    pub(crate) service_id: String,
    /// Of the body as it arrived, in lower-case hexadecimal.
    pub(crate) body_sha256: String,
    pub(crate) body_bytes: usize,
    pub(crate) applied: bool,
    pub(crate) changed: Vec<&'static str>,
    pub(crate) modes: Vec<&'static str>,
    /// The status that was meant to be sent.
    pub(crate) status: u16,
    /// Whether an answer was meant to be sent at all.
    pub(crate) answered: bool,
    /// Since the simulator started.
    pub(crate) at_ms: u64,
}

/// All PUTs since the start or the last reset.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ledger {
    pub(crate) total: u64,
    pub(crate) applied: u64,
    pub(crate) puts: VecDeque<Put>,
}

impl Ledger {
    pub(crate) fn note(&mut self, put: Put) {
        self.total += 1;
        self.applied += u64::from(put.applied);
        if self.puts.len() == KEPT {
            self.puts.pop_front();
        }
        self.puts.push_back(put);
    }
}
