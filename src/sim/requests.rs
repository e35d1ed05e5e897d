//! The log of requests, for tests that count what a client asks.
//!
//! Owns counters and the most recent requests. Control requests are not in it.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::calls::Operation;

/// So many requests are remembered one by one.
const KEPT: usize = 1_000;

/// One request.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    #[serde(skip)]
    number: u64,
    pub(crate) operation: &'static str,
    pub(crate) cluster_id: Option<String>,
    /// Of an endpoint service.
    pub(crate) service_id: Option<String>,
    /// `offset`, or the older `start`.
    pub(crate) offset: Option<i64>,
    pub(crate) limit: Option<i64>,
    /// Absent as long as there is no answer.
    pub(crate) status: Option<u16>,
    pub(crate) request_id: String,
    /// Since the simulator started.
    pub(crate) at_ms: u64,
}

/// All requests since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    pub(crate) total: u64,
    pub(crate) by_operation: BTreeMap<&'static str, u64>,
    pub(crate) max_offset: i64,
    pub(crate) max_limit: i64,
    pub(crate) trap_hits: u64,
    pub(crate) last: VecDeque<Entry>,
    next_number: u64,
}

/// What is noted when a request arrives.
pub(crate) struct Arrival<'a> {
    pub(crate) operation: Operation,
    pub(crate) cluster_id: Option<&'a str>,
    pub(crate) service_id: Option<&'a str>,
    pub(crate) offset: Option<i64>,
    pub(crate) limit: Option<i64>,
    pub(crate) request_id: &'a str,
    pub(crate) at_ms: u64,
}

impl RequestLog {
    /// Notes a request, and returns the number to name its answer with.
    pub(crate) fn begin(&mut self, arrival: &Arrival<'_>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.total += 1;
        *self.by_operation.entry(arrival.operation.name()).or_default() += 1;
        if arrival.operation == Operation::CssConnections {
            self.max_offset = self.max_offset.max(arrival.offset.unwrap_or_default());
            self.max_limit = self.max_limit.max(arrival.limit.unwrap_or_default());
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(Entry {
            number,
            operation: arrival.operation.name(),
            cluster_id: arrival.cluster_id.map(str::to_owned),
            service_id: arrival.service_id.map(str::to_owned),
            offset: arrival.offset,
            limit: arrival.limit,
            status: None,
            request_id: arrival.request_id.to_owned(),
            at_ms: arrival.at_ms,
        });
        number
    }

    /// Notes the status of an answer.
    pub(crate) fn finish(&mut self, number: u64, status: u16) {
        if let Some(entry) = self.last.iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = Some(status);
        }
    }

    /// Forgets everything, but never gives a number twice.
    pub(crate) fn reset(&mut self) {
        *self = RequestLog { next_number: self.next_number, ..RequestLog::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_forgets() {
        let mut log = RequestLog::default();
        for offset in 0..1_500 {
            let number = log.begin(&Arrival {
                operation: Operation::CssConnections,
                cluster_id: Some("c"),
                service_id: None,
                offset: Some(offset),
                limit: None,
                request_id: "r",
                at_ms: 1,
            });
            log.finish(number, 200);
        }
        assert_eq!((log.total, log.last.len(), log.max_offset), (1_500, KEPT, 1_499));
        assert!(log.last.iter().all(|entry| entry.status == Some(200)));
        log.reset();
        assert_eq!((log.total, log.last.len(), log.max_offset), (0, 0, 0));
    }
}
