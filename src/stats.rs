//! The exporter's metrics about itself, in a registry of its own (crate `prometheus`).
//!
//! Callers say what happened; which metrics that moves is decided here. A label value is a configured
//! name or out of a closed list ([`Label`]), never a text or an id that a stranger chooses. The series of
//! closed lists start at 0, so that a rate over them sees the first event.

mod audit;
mod definitions;
mod process;

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
    time::Duration,
};

use parking_lot::RwLock;
use prometheus::{
    CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge,
    IntGaugeVec, Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
    proto::MetricFamily,
};

use crate::label::{Label, labels};

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

labels! {
    /// The reason why the admin listener turns a request away.
    pub enum Denied {
        /// No token, or none that is known.
        Token = "token",
        /// The token's role does not allow it.
        Role = "role",
        /// The token may not see the service or the cluster, or there is none.
        Service = "service",
        /// The `Host` is not one of the listener's.
        Host = "host",
        /// Too many wrong tokens came from the address.
        Limit = "limit",
    }
}

/// The words of the closed lists of other modules, whose series start at 0.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Reasons why polls fail.
    pub reasons: Vec<&'static str>,
    /// Operations of the cloud.
    pub operations: Vec<&'static str>,
    /// Kinds of surprises.
    pub surprises: Vec<&'static str>,
    /// Kinds of changes.
    pub changes: Vec<&'static str>,
    /// Outcomes of changes.
    pub outcomes: Vec<&'static str>,
}

/// A request to the cloud.
#[derive(Debug)]
pub struct ApiRequest<'a, Operation> {
    /// Configured name of the project.
    pub project: &'a str,
    /// The operation.
    pub operation: Operation,
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
    discovery_clusters: IntGaugeVec,
    discovery_success: GaugeVec,
    discovery_failures: IntCounterVec,
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
    audit: OnceLock<ReadAudit>,
    lists: Lists,
    /// The configured projects. A poll that is being given up may report once more, and must not
    /// bring back the series of a project that is gone.
    projects: RwLock<HashSet<String>>,
}

impl Stats {
    /// A registry with every metric of [`DEFINITIONS`] and the process's own. The series of the lists
    /// start at 0.
    pub fn new(lists: Lists) -> Self {
        let registry = Registry::new();
        let gauge = |of: &Definition| add(&registry, Gauge::with_opts(of.opts()));
        let int_gauge = |of: &Definition| add(&registry, IntGauge::with_opts(of.opts()));
        let gauges = |of: &Definition| add(&registry, GaugeVec::new(of.opts(), of.labels));
        let int_gauges = |of: &Definition| add(&registry, IntGaugeVec::new(of.opts(), of.labels));
        let counters = |of: &Definition| add(&registry, IntCounterVec::new(of.opts(), of.labels));
        let histograms =
            |of: &Definition| add(&registry, HistogramVec::new(buckets(of), of.labels));
        let stats = Self {
            config_info: int_gauges(&definitions::CONFIG_INFO),
            reload_successful: int_gauge(&definitions::RELOAD_SUCCESSFUL),
            reload_time: gauge(&definitions::RELOAD_TIME),
            polls: counters(&definitions::POLLS),
            poll_failures: counters(&definitions::POLL_FAILURES),
            poll_duration: add(
                &registry,
                Histogram::with_opts(buckets(&definitions::POLL_DURATION)),
            ),
            polls_overdue: int_gauges(&definitions::POLLS_OVERDUE),
            discovery_clusters: int_gauges(&definitions::DISCOVERY_CLUSTERS),
            discovery_success: gauges(&definitions::DISCOVERY_SUCCESS),
            discovery_failures: counters(&definitions::DISCOVERY_FAILURES),
            api_requests: counters(&definitions::API_REQUESTS),
            api_duration: histograms(&definitions::API_DURATION),
            api_retries: counters(&definitions::API_RETRIES),
            api_throttled: counters(&definitions::API_THROTTLED),
            api_wait: add(
                &registry,
                CounterVec::new(definitions::API_WAIT.opts(), definitions::API_WAIT.labels),
            ),
            api_clock_skew: gauges(&definitions::API_CLOCK_SKEW),
            credentials_expiry: gauges(&definitions::CREDENTIALS_EXPIRY),
            credential_failures: counters(&definitions::CREDENTIAL_FAILURES),
            api_surprises: counters(&definitions::API_SURPRISES),
            http_requests: counters(&definitions::HTTP_REQUESTS),
            http_duration: histograms(&definitions::HTTP_DURATION),
            admin_denied: counters(&definitions::ADMIN_DENIED),
            admin_changes: counters(&definitions::ADMIN_CHANGES),
            shard_index: int_gauge(&definitions::SHARD_INDEX),
            shards: int_gauge(&definitions::SHARDS),
            audit: OnceLock::new(),
            lists,
            projects: RwLock::default(),
            registry: registry.clone(),
        };
        gauges(&definitions::BUILD_INFO).with_label_values(&[VERSION, REVISION]).set(1.0);
        start(&stats.admin_denied, &Denied::ALL.map(Denied::as_str));
        start(&stats.api_surprises, &stats.lists.surprises);
        for kind in &stats.lists.changes {
            for outcome in &stats.lists.outcomes {
                stats.admin_changes.with_label_values(&[kind, outcome]);
            }
        }
        start(&stats.api_duration, &stats.lists.operations);
        stats
    }

    /// Starts the series of a project at 0.
    pub fn add_project(&self, project: &str) {
        let mut projects = self.projects.write();
        projects.insert(project.to_owned());
        for counters in [&self.polls, &self.api_throttled, &self.credential_failures] {
            counters.with_label_values(&[project]);
        }
        self.polls_overdue.with_label_values(&[project]);
        self.api_wait.with_label_values(&[project]);
        for reason in &self.lists.reasons {
            self.poll_failures.with_label_values(&[project, reason]);
        }
        for operation in &self.lists.operations {
            self.api_retries.with_label_values(&[project, operation]);
        }
    }

    /// Ends the series of a project that is no longer configured.
    pub fn remove_project(&self, project: &str) {
        // Held to the end: a report that comes meanwhile waits, and then finds the project gone.
        let mut projects = self.projects.write();
        projects.remove(project);
        for counters in [
            &self.polls,
            &self.poll_failures,
            &self.api_requests,
            &self.api_retries,
            &self.api_throttled,
            &self.credential_failures,
        ] {
            forget(counters, project);
        }
        forget(&self.polls_overdue, project);
        forget(&self.api_wait, project);
        forget(&self.api_clock_skew, project);
        forget(&self.credentials_expiry, project);
        self.discover_no_more(project);
    }

    /// The clusters of the project are discovered, of which so many are known.
    pub fn discover(&self, project: &str, clusters: usize) {
        self.of_project(project, || {
            self.discovery_clusters.with_label_values(&[project]).set(count(clusters));
            for reason in &self.lists.reasons {
                self.discovery_failures.with_label_values(&[project, reason]);
            }
        });
    }

    /// The reading of a list ended; `reason` tells why, if it failed.
    pub fn discovered(
        &self,
        project: &str,
        clusters: usize,
        unix_seconds: f64,
        reason: Option<impl Label>,
    ) {
        self.of_project(project, || {
            self.discovery_clusters.with_label_values(&[project]).set(count(clusters));
            match reason {
                None => self.discovery_success.with_label_values(&[project]).set(unix_seconds),
                Some(reason) => {
                    self.discovery_failures.with_label_values(&[project, reason.as_str()]).inc()
                }
            }
        });
    }

    /// Clusters of the project are no longer discovered.
    pub fn discover_no_more(&self, project: &str) {
        forget(&self.discovery_clusters, project);
        forget(&self.discovery_success, project);
        forget(&self.discovery_failures, project);
    }

    /// Reports something of a project, if it is configured still.
    fn of_project(&self, project: &str, report: impl FnOnce()) {
        let projects = self.projects.read();
        if projects.contains(project) {
            report();
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

    /// A poll ended; `reason` is the cause of its failure, if it failed.
    pub fn poll_ended(&self, project: &str, duration: Duration, reason: Option<impl Label>) {
        self.of_project(project, || {
            self.polls.with_label_values(&[project]).inc();
            self.poll_duration.observe(duration.as_secs_f64());
            if let Some(reason) = reason {
                self.poll_failures.with_label_values(&[project, reason.as_str()]).inc();
            }
        });
    }

    /// So many polls of the project are overdue now.
    pub fn polls_overdue(&self, project: &str, count: usize) {
        let overdue = self::count(count);
        self.of_project(project, || self.polls_overdue.with_label_values(&[project]).set(overdue));
    }

    /// A request to the cloud ended.
    pub fn api_request(&self, request: &ApiRequest<'_, impl Label>) {
        let code = request.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let ApiRequest { project, operation, duration, .. } = *request;
        let operation = operation.as_str();
        self.of_project(project, || {
            self.api_requests.with_label_values(&[project, operation, &*code]).inc();
            self.api_duration.with_label_values(&[operation]).observe(duration.as_secs_f64());
        });
    }

    /// True if a request of a project was sent.
    pub fn was_sent(&self, project: &str, operation: impl Label) -> bool {
        let families = self.api_requests.collect();
        let mut metrics = families.iter().flat_map(MetricFamily::get_metric);
        metrics.any(|metric| {
            let has = |value: &str| metric.get_label().iter().any(|label| label.value() == value);
            has(project) && has(operation.as_str()) && metric.get_counter().get_value() > 0.0
        })
    }

    /// A request is sent again.
    pub fn api_retry(&self, project: &str, operation: impl Label) {
        self.of_project(project, || {
            self.api_retries.with_label_values(&[project, operation.as_str()]).inc()
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

    /// The credentials in use expire at this time.
    pub fn credentials_expire(&self, project: &str, unix_seconds: f64) {
        self.of_project(project, || {
            self.credentials_expiry.with_label_values(&[project]).set(unix_seconds)
        });
    }

    /// The credentials in use do not expire.
    pub fn forget_expiry(&self, project: &str) {
        forget(&self.credentials_expiry, project);
    }

    /// A request for new credentials failed.
    pub fn credential_refresh_failed(&self, project: &str) {
        self.of_project(project, || self.credential_failures.with_label_values(&[project]).inc());
    }

    /// The last attempt to load the configuration failed; the one before stays in force.
    pub fn config_rejected(&self) {
        self.reload_successful.set(0);
    }

    /// The cloud sent something otherwise than documented, so many times.
    pub fn api_surprise(&self, kind: impl Label, times: u64) {
        self.api_surprises.with_label_values(&[kind.as_str()]).inc_by(times);
    }

    /// The exporter began an answer.
    pub fn http_request(&self, handler: &str, code: u16, duration: Duration) {
        self.http_requests.with_label_values(&[handler, &code.to_string()]).inc();
        self.http_duration.with_label_values(&[handler]).observe(duration.as_secs_f64());
    }

    /// The admin listener turned a request away.
    pub fn admin_denied(&self, reason: Denied) {
        self.admin_denied.with_label_values(&[reason.as_str()]).inc();
    }

    /// A change of this kind ended, in one of the outcomes.
    pub fn admin_change(&self, kind: impl Label, outcome: impl Label) {
        self.admin_changes.with_label_values(&[kind.as_str(), outcome.as_str()]).inc();
    }

    /// Shows the state of the audit log from now on. Called once, where there is one.
    pub fn watch_audit(&self, read: ReadAudit) {
        // The first one stays.
        let _ = self.audit.set(read);
    }

    /// All samples, sorted by name.
    pub fn gather(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        families.extend(process::families());
        families.extend(self.audit.get().map(ReadAudit::families).unwrap_or_default());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        families
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self::new(Lists::default())
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Registers a metric. The definitions are constants, so a failure is a fault of this file, and its
/// tests make every one of them.
fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("the definition is valid");
    registry.register(Box::new(metric.clone())).expect("the name is free");
    metric
}

/// Makes a series for each value of a metric's only label.
fn start<T: MetricVecBuilder>(metric: &MetricVec<T>, values: &[&'static str]) {
    for value in values {
        metric.with_label_values(&[value]);
    }
}

/// Removes every series whose label `project` has this value.
fn forget<T: MetricVecBuilder>(metric: &MetricVec<T>, project: &str) {
    for family in metric.collect() {
        for sample in family.get_metric() {
            let labels: HashMap<&str, &str> =
                sample.get_label().iter().map(|label| (label.name(), label.value())).collect();
            if labels.get("project") == Some(&project) {
                // An error would say that the series is gone already.
                let _ = metric.remove(&labels);
            }
        }
    }
}

fn buckets(definition: &Definition) -> HistogramOpts {
    HistogramOpts::from(definition.opts()).buckets(SECONDS.to_vec())
}

#[cfg(test)]
mod tests;
