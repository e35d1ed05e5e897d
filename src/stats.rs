//! The exporter's metrics about itself, in a registry of its own (crate `prometheus`).
//!
//! Callers say what happened; which metrics that moves is decided here. Series of closed lists
//! start at 0, so that a rate over them sees the first event. No text and no id that a stranger
//! chooses becomes a label value: labels are configured names and closed lists.

mod audit;
mod definitions;
mod process;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use parking_lot::RwLock;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
    proto::MetricFamily,
};

use definitions::*;

pub use audit::{AuditReading, ReadAudit};
pub use definitions::{DEFINITIONS, Definition, Kind};

/// From a fast answer on the same network to the 30 s after which the cloud gives up itself.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The revision of the source, if it was given to the build.
pub const REVISION: &str = match option_env!("CSS_VPCEP_EXPORTER_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Why the admin listener turns a request away.
pub const ADMIN_DENIALS: [&str; 5] = ["token", "role", "service", "host", "limit"];

/// What one request to the cloud was and how it ended.
#[derive(Debug)]
pub struct ApiRequest<'a> {
    /// Configured name of the project.
    pub project: &'a str,
    /// The operation, of a closed list.
    pub operation: &'a str,
    /// HTTP status, where an answer came.
    pub status: Option<u16>,
    /// From sending to the end of the body.
    pub duration: Duration,
}

/// The exporter's own metrics.
#[derive(Debug)]
pub struct Stats {
    registry: Registry,
    config_info: IntGaugeVec,
    reload_successful: IntGauge,
    reload_time: Gauge,
    polls: IntCounterVec,
    poll_failures: IntCounterVec,
    poll_duration: Histogram,
    polls_overdue: IntGaugeVec,
    api_requests: IntCounterVec,
    api_duration: HistogramVec,
    api_retries: IntCounterVec,
    api_throttled: IntCounterVec,
    api_wait: CounterVec,
    api_clock_skew: GaugeVec,
    credentials_expiry: GaugeVec,
    credential_failures: IntCounterVec,
    api_surprises: IntCounterVec,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    admin_denied: IntCounterVec,
    admin_changes: IntCounterVec,
    shard_index: IntGauge,
    shards: IntGauge,
    /// The configured projects. A poll that is being given up may report once more, and must not
    /// bring back the series of a project that is gone.
    projects: RwLock<HashSet<String>>,
}

impl Stats {
    /// A registry with every metric of [`DEFINITIONS`] and the process's own.
    pub fn new() -> Self {
        let registry = Registry::new();
        add(&registry, Ok(process::Process::new()));
        let counters = |definition| add(&registry, counter_vec(definition));
        let gauges = |definition: &Definition| {
            add(&registry, GaugeVec::new(opts(definition), definition.labels))
        };
        let stats = Self {
            config_info: add(&registry, IntGaugeVec::new(opts(&CONFIG_INFO), CONFIG_INFO.labels)),
            reload_successful: add(&registry, IntGauge::with_opts(opts(&RELOAD_SUCCESSFUL))),
            reload_time: add(&registry, Gauge::with_opts(opts(&RELOAD_TIME))),
            polls: counters(&POLLS),
            poll_failures: counters(&POLL_FAILURES),
            poll_duration: add(&registry, Histogram::with_opts(buckets(&POLL_DURATION))),
            polls_overdue: add(
                &registry,
                IntGaugeVec::new(opts(&POLLS_OVERDUE), POLLS_OVERDUE.labels),
            ),
            api_requests: counters(&API_REQUESTS),
            api_duration: add(&registry, histogram_vec(&API_DURATION)),
            api_retries: counters(&API_RETRIES),
            api_throttled: counters(&API_THROTTLED),
            api_wait: add(&registry, CounterVec::new(opts(&API_WAIT), API_WAIT.labels)),
            api_clock_skew: gauges(&API_CLOCK_SKEW),
            credentials_expiry: gauges(&CREDENTIALS_EXPIRY),
            credential_failures: counters(&CREDENTIAL_FAILURES),
            api_surprises: counters(&API_SURPRISES),
            http_requests: counters(&HTTP_REQUESTS),
            http_duration: add(&registry, histogram_vec(&HTTP_DURATION)),
            admin_denied: counters(&ADMIN_DENIED),
            admin_changes: counters(&ADMIN_CHANGES),
            shard_index: add(&registry, IntGauge::with_opts(opts(&SHARD_INDEX))),
            shards: add(&registry, IntGauge::with_opts(opts(&SHARDS))),
            projects: RwLock::default(),
            registry: registry.clone(),
        };
        gauges(&BUILD_INFO).with_label_values(&[VERSION, REVISION]).set(1.0);
        for reason in ADMIN_DENIALS {
            stats.admin_denied.with_label_values(&[reason]);
        }
        stats
    }

    /// Starts the series of a project at 0.
    pub fn add_project(&self, project: &str, reasons: &[&str], operations: &[&str]) {
        let mut projects = self.projects.write();
        projects.insert(project.to_owned());
        self.polls.with_label_values(&[project]);
        self.polls_overdue.with_label_values(&[project]);
        self.api_throttled.with_label_values(&[project]);
        self.api_wait.with_label_values(&[project]);
        self.credential_failures.with_label_values(&[project]);
        for reason in reasons {
            self.poll_failures.with_label_values(&[project, reason]);
        }
        for operation in operations {
            self.api_retries.with_label_values(&[project, operation]);
            self.api_duration.with_label_values(&[operation]);
        }
    }

    /// Ends the series of a project that is no longer configured.
    pub fn remove_project(&self, project: &str) {
        // Held to the end: whoever reports meanwhile waits, and then finds the project gone.
        let mut projects = self.projects.write();
        projects.remove(project);
        forget(&self.polls, project);
        forget(&self.poll_failures, project);
        forget(&self.polls_overdue, project);
        forget(&self.api_requests, project);
        forget(&self.api_retries, project);
        forget(&self.api_throttled, project);
        forget(&self.api_wait, project);
        forget(&self.api_clock_skew, project);
        forget(&self.credentials_expiry, project);
        forget(&self.credential_failures, project);
    }

    /// Reports something of a project, if it is configured still.
    fn of_project(&self, project: &str, report: impl FnOnce()) {
        let projects = self.projects.read();
        if projects.contains(project) {
            report();
        }
    }

    /// Starts the counters of surprises at 0.
    pub fn add_surprise_kinds(&self, kinds: &[&str]) {
        for kind in kinds {
            self.api_surprises.with_label_values(&[kind]);
        }
    }

    /// The configuration with this digest is in force since `unix_seconds`.
    pub fn config_loaded(&self, sha256: &str, unix_seconds: f64) {
        self.config_info.reset();
        self.config_info.with_label_values(&[sha256]).set(1);
        self.reload_successful.set(1);
        self.reload_time.set(unix_seconds);
    }

    /// This process is one of so many shards.
    pub fn shard(&self, index: u32, count: u32) {
        self.shard_index.set(index.into());
        self.shards.set(count.into());
    }

    /// A poll ended; `reason` tells why, if it failed.
    pub fn poll_ended(&self, project: &str, duration: Duration, reason: Option<&str>) {
        self.of_project(project, || {
            self.polls.with_label_values(&[project]).inc();
            self.poll_duration.observe(duration.as_secs_f64());
            if let Some(reason) = reason {
                self.poll_failures.with_label_values(&[project, reason]).inc();
            }
        });
    }

    /// So many polls of the project are overdue now.
    pub fn polls_overdue(&self, project: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.of_project(project, || self.polls_overdue.with_label_values(&[project]).set(count));
    }

    /// A request to the cloud ended.
    pub fn api_request(&self, request: &ApiRequest<'_>) {
        let code = request.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let ApiRequest { project, operation, duration, .. } = *request;
        self.of_project(project, || {
            self.api_requests.with_label_values(&[project, operation, &*code]).inc();
            self.api_duration.with_label_values(&[operation]).observe(duration.as_secs_f64());
        });
    }

    /// A request is sent again.
    pub fn api_retry(&self, project: &str, operation: &str) {
        self.of_project(project, || {
            self.api_retries.with_label_values(&[project, operation]).inc()
        });
    }

    /// The cloud asked to call less often.
    pub fn api_throttled(&self, project: &str) {
        self.of_project(project, || self.api_throttled.with_label_values(&[project]).inc());
    }

    /// A request waited so long for the rate limit.
    pub fn api_waited(&self, project: &str, wait: Duration) {
        self.of_project(project, || {
            self.api_wait.with_label_values(&[project]).inc_by(wait.as_secs_f64())
        });
    }

    /// The cloud's clock is so far ahead of ours.
    pub fn api_clock_skew(&self, project: &str, seconds: f64) {
        self.of_project(project, || self.api_clock_skew.with_label_values(&[project]).set(seconds));
    }

    /// The token in use expires at this time.
    pub fn credentials_expire(&self, project: &str, unix_seconds: f64) {
        self.of_project(project, || {
            self.credentials_expiry.with_label_values(&[project]).set(unix_seconds)
        });
    }

    /// No token is in use any more.
    pub fn forget_expiry(&self, project: &str) {
        forget(&self.credentials_expiry, project);
    }

    /// IAM did not give a token.
    pub fn credential_refresh_failed(&self, project: &str) {
        self.of_project(project, || self.credential_failures.with_label_values(&[project]).inc());
    }

    /// The last attempt to load the configuration failed; the one before stays in force.
    pub fn config_rejected(&self) {
        self.reload_successful.set(0);
    }

    /// The cloud sent something otherwise than documented, so many times.
    pub fn api_surprise(&self, kind: &str, times: u64) {
        self.api_surprises.with_label_values(&[kind]).inc_by(times);
    }

    /// The exporter began an answer.
    pub fn http_request(&self, handler: &str, code: u16, duration: Duration) {
        self.http_requests.with_label_values(&[handler, &code.to_string()]).inc();
        self.http_duration.with_label_values(&[handler]).observe(duration.as_secs_f64());
    }

    /// The admin listener turned a request away, for one of [`ADMIN_DENIALS`].
    pub fn admin_denied(&self, reason: &str) {
        self.admin_denied.with_label_values(&[reason]).inc();
    }

    /// Starts the counter of changes at 0 for each of these outcomes.
    pub fn add_change_outcomes(&self, outcomes: &[&str]) {
        for outcome in outcomes {
            self.admin_changes.with_label_values(&[outcome]);
        }
    }

    /// A change of an endpoint service ended, in one of the outcomes.
    pub fn admin_change(&self, outcome: &str) {
        self.admin_changes.with_label_values(&[outcome]).inc();
    }

    /// Shows how the audit log is, from now on. Called once, where there is one.
    pub fn watch_audit(&self, read: ReadAudit) {
        add(&self.registry, Ok(audit::Audit::new(read)));
    }

    /// All samples, sorted by name.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers a metric. The definitions are constants, so a failure is a fault of this file, and its
/// tests make every one of them.
fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("the definition is valid");
    registry.register(Box::new(metric.clone())).expect("the name is free");
    metric
}

/// Removes every series whose label `project` has this value.
fn forget<T: MetricVecBuilder>(metric: &MetricVec<T>, project: &str) {
    for family in metric.collect() {
        for sample in family.get_metric() {
            let labels: HashMap<&str, &str> =
                sample.get_label().iter().map(|label| (label.name(), label.value())).collect();
            if labels.get("project") == Some(&project) {
                // It was there a moment ago, and nobody else removes any.
                let _ = metric.remove(&labels);
            }
        }
    }
}

fn opts(definition: &Definition) -> Opts {
    Opts::new(definition.name, definition.help)
}

fn buckets(definition: &Definition) -> HistogramOpts {
    HistogramOpts::from(opts(definition)).buckets(SECONDS.to_vec())
}

fn counter_vec(definition: &Definition) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(opts(definition), definition.labels)
}

fn histogram_vec(definition: &Definition) -> prometheus::Result<HistogramVec> {
    HistogramVec::new(buckets(definition), definition.labels)
}

/// Makes a counter that is alone in its family (for the process metrics).
fn single_counter(name: &str, help: &str, value: f64) -> Vec<MetricFamily> {
    match Counter::new(name, help) {
        Ok(counter) => {
            counter.inc_by(value);
            counter.collect()
        }
        Err(_) => Vec::new(),
    }
}

fn single_gauge(name: &str, help: &str, value: f64) -> Vec<MetricFamily> {
    match Gauge::new(name, help) {
        Ok(gauge) => {
            gauge.set(value);
            gauge.collect()
        }
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
