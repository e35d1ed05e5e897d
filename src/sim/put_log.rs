//! The log of changes: every PUT of a service and every POST about connections, its body and its effect.
//!
//! Clients hold their own records against it. Control requests are not in it.

use std::collections::VecDeque;

use serde::Serialize;

/// So many of them are remembered one by one.
const KEPT: usize = 10_000;

/// The effect of a change, beyond its answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct Effect {
    /// It took effect, also where it changed nothing.
    pub(super) applied: bool,
    /// Fields, or the connections, that are now different because of it.
    pub(super) changed: Vec<String>,
    /// Faults that struck it.
    pub(super) faults: Vec<&'static str>,
}

/// A PUT or POST.
#[derive(Debug, Serialize)]
pub(super) struct Put {
    pub(super) request_id: String,
    /// The service of a PUT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_id: Option<String>,
    /// The cluster of a POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster_id: Option<String>,
    /// The hash of the body as it arrived, in lower-case hexadecimal.
    pub(super) body_sha256: String,
    pub(super) body_bytes: usize,
    #[serde(flatten)]
    pub(super) effect: Effect,
    /// The status that was meant to be sent.
    pub(super) status: u16,
    /// True if an answer was meant to be sent at all.
    pub(super) answered: bool,
    /// Since the simulator started.
    pub(super) at_ms: u64,
}

/// All of them since the start or the last reset.
#[derive(Debug, Default, Serialize)]
pub(super) struct PutLog {
    total: u64,
    applied: u64,
    puts: VecDeque<Put>,
}

impl PutLog {
    pub(super) fn note(&mut self, put: Put) {
        self.total += 1;
        self.applied += u64::from(put.effect.applied);
        if self.puts.len() == KEPT {
            self.puts.pop_front();
        }
        self.puts.push_back(put);
    }
}
