//! The state of the audit log, read at each scrape.

use std::{fmt, sync::Arc};

use prometheus::{IntCounterVec, core::Collector as _, proto::MetricFamily};

use super::definitions::{AUDIT_HEALTHY, AUDIT_LAST_SEQUENCE, AUDIT_RECORDS, AUDIT_WRITE_FAILURES};

/// The state of the audit log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReading {
    /// True if it takes records.
    pub healthy: bool,
    /// Records written by this process, by kind.
    pub records: Vec<(&'static str, u64)>,
    /// Records that could not be written.
    pub write_failures: u64,
    /// Sequence number of the last record.
    pub last_sequence: u64,
}

/// Asks for a reading; it must not wait.
#[derive(Clone)]
pub struct ReadAudit(pub Arc<dyn Fn() -> AuditReading + Send + Sync>);

impl fmt::Debug for ReadAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadAudit")
    }
}

impl ReadAudit {
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let AuditReading { healthy, records, write_failures, last_sequence } = (self.0)();
        let mut families = AUDIT_HEALTHY.single(f64::from(u8::from(healthy)));
        families.extend(AUDIT_LAST_SEQUENCE.single(last_sequence as f64));
        families.extend(AUDIT_WRITE_FAILURES.single(write_failures as f64));
        if let Ok(by_kind) = IntCounterVec::new(AUDIT_RECORDS.opts(), AUDIT_RECORDS.labels) {
            for (kind, count) in records {
                by_kind.with_label_values(&[kind]).inc_by(count);
            }
            families.extend(by_kind.collect());
        }
        families
    }
}
