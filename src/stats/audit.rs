//! How the audit log is, asked for at each scrape.

use std::{fmt, sync::Arc};

use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::definitions::{
    AUDIT_HEALTHY, AUDIT_LAST_SEQUENCE, AUDIT_RECORDS, AUDIT_WRITE_FAILURES, Definition,
};

/// How the audit log is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReading {
    /// Whether it takes records.
    pub healthy: bool,
    /// Records written by this process, by kind.
    pub records: Vec<(&'static str, u64)>,
    /// Records that could not be written.
    pub write_failures: u64,
    /// Sequence number of the last record.
    pub last_sequence: u64,
}

/// Asks for a reading; it must not wait.
pub type ReadAudit = Arc<dyn Fn() -> AuditReading + Send + Sync>;

/// The collector.
#[derive(Clone)]
pub(super) struct Audit {
    descriptions: Vec<Desc>,
    read: ReadAudit,
}

impl Audit {
    pub(super) fn new(read: ReadAudit) -> Self {
        let definitions = [AUDIT_HEALTHY, AUDIT_RECORDS, AUDIT_WRITE_FAILURES, AUDIT_LAST_SEQUENCE];
        let describe = |definition: Definition| {
            let labels = definition.labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(definition.name.into(), definition.help.into(), labels, Default::default())
                .ok()
        };
        Self { descriptions: definitions.into_iter().filter_map(describe).collect(), read }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audit")
    }
}

impl Collector for Audit {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let AuditReading { healthy, records, write_failures, last_sequence } = (self.read)();
        let gauge = |definition: &Definition, value: f64| {
            super::single_gauge(definition.name, definition.help, value)
        };
        let failures = AUDIT_WRITE_FAILURES;
        let mut families = gauge(&AUDIT_HEALTHY, f64::from(u8::from(healthy)));
        families.extend(gauge(&AUDIT_LAST_SEQUENCE, last_sequence as f64));
        families.extend(super::single_counter(failures.name, failures.help, write_failures as f64));
        if let Ok(by_kind) = super::counter_vec(&AUDIT_RECORDS) {
            for (kind, count) in records {
                by_kind.with_label_values(&[kind]).inc_by(count);
            }
            families.extend(by_kind.collect());
        }
        families
    }
}
