//! Two logs, by which tests check what a client did: all requests, and the changes among them with their effects.
//! Control requests are in neither.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::operations::Operation;

/// The number of requests that are remembered one by one.
const REQUESTS: usize = 1_000;
/// The number of changes that are remembered one by one.
const CHANGES: usize = 10_000;

/// A request.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    pub(super) operation: Operation,
    pub(super) cluster_id: Option<String>,
    /// The id of an endpoint service.
    pub(super) service_id: Option<String>,
    /// `offset`, or the older `start`.
    pub(super) offset: Option<i64>,
    pub(super) limit: Option<i64>,
    /// Absent until the answer is sent.
    pub(super) status: Option<u16>,
    pub(super) request_id: String,
    /// Since the simulator started.
    pub(super) at_ms: u64,
}

/// All requests since the start or the last reset.
#[derive(Debug, Default, Serialize)]
pub(super) struct RequestLog {
    total: u64,
    by_operation: BTreeMap<Operation, u64>,
    max_offset: i64,
    max_limit: i64,
    pub(super) trap_hits: u64,
    last: VecDeque<Entry>,
}

impl RequestLog {
    /// Notes a request that has no answer yet.
    pub(super) fn begin(&mut self, entry: Entry) {
        self.total += 1;
        *self.by_operation.entry(entry.operation).or_default() += 1;
        if entry.operation == Operation::CssConnections {
            self.max_offset = self.max_offset.max(entry.offset.unwrap_or_default());
            self.max_limit = self.max_limit.max(entry.limit.unwrap_or_default());
        }
        remember(&mut self.last, entry, REQUESTS);
    }

    /// Notes the status of an answer.
    pub(super) fn finish(&mut self, request_id: &str, status: u16) {
        let mut newest_first = self.last.iter_mut().rev();
        if let Some(entry) = newest_first.find(|entry| entry.request_id == request_id) {
            entry.status = Some(status);
        }
    }
}

/// The effect of a change, which its answer need not tell.
#[derive(Debug, Default, Serialize)]
pub(super) struct Effect {
    /// True if it took effect, even if it changed nothing.
    pub(super) applied: bool,
    /// The fields (PUT) or the ids of the connections (POST) that are different because of it.
    pub(super) changed: Vec<String>,
    /// The names of the faults that struck it.
    pub(super) faults: Vec<&'static str>,
}

/// A change: a PUT of a service, or a POST about connections.
#[derive(Debug, Serialize)]
pub(super) struct Put {
    pub(super) request_id: String,
    /// There for a PUT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_id: Option<String>,
    /// There for a POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster_id: Option<String>,
    /// SHA-256 of the body as it arrived, in lower-case hexadecimal.
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

/// All changes since the start or the last reset.
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
        remember(&mut self.puts, put, CHANGES);
    }
}

/// Adds the newest, and forgets the oldest beyond this number.
fn remember<T>(all: &mut VecDeque<T>, newest: T, kept: usize) {
    if all.len() == kept {
        all.pop_front();
    }
    all.push_back(newest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_remembers_the_newest() {
        let mut log = RequestLog::default();
        for offset in 0..1_500 {
            let (operation, offset, request_id) =
                (Operation::CssConnections, Some(offset), format!("r{offset}"));
            log.begin(Entry {
                operation,
                offset,
                request_id: request_id.clone(),
                ..Entry::default()
            });
            log.finish(&request_id, 200);
        }
        assert_eq!((log.total, log.last.len(), log.max_offset), (1_500, REQUESTS, 1_499));
        assert!(log.last.iter().all(|entry| entry.status == Some(200)));
        log.finish("unknown", 500);
    }
}
