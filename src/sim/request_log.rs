//! The log of requests, for tests that count what a client asks. Control requests are not in it.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::operations::Operation;

/// So many requests are remembered one by one.
const KEPT: usize = 1_000;

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
    /// Absent as long as there is no answer.
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
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(entry);
    }

    /// Notes the status of an answer.
    pub(super) fn finish(&mut self, request_id: &str, status: u16) {
        let mut newest_first = self.last.iter_mut().rev();
        if let Some(entry) = newest_first.find(|entry| entry.request_id == request_id) {
            entry.status = Some(status);
        }
    }
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
        assert_eq!((log.total, log.last.len(), log.max_offset), (1_500, KEPT, 1_499));
        assert!(log.last.iter().all(|entry| entry.status == Some(200)));
        log.finish("unknown", 500);
    }
}
