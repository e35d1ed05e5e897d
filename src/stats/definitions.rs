//! Every metric of the exporter about itself: name, type, labels, help.

use prometheus::{Counter, Gauge, Opts, core::Collector as _, proto::MetricFamily};

use crate::label::labels;

/// A metric's name, type, labels and help: what the reference in the manual shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Full name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Names of the labels, in their order.
    pub labels: &'static [&'static str],
    /// Help text.
    pub help: &'static str,
}

labels! {
    /// The type of a metric.
    pub enum Kind {
        /// Only grows while the process lives.
        Counter = "counter",
        /// Goes up and down.
        Gauge = "gauge",
        /// Counts observations in buckets.
        Histogram = "histogram",
    }
}

impl Definition {
    pub(super) fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    /// The family of a counter or gauge without labels, for values that are read at each scrape.
    pub(super) fn single(&self, value: f64) -> Vec<MetricFamily> {
        let family = match self.kind {
            Kind::Counter => Counter::with_opts(self.opts()).map(|counter| {
                counter.inc_by(value);
                counter.collect()
            }),
            _ => Gauge::with_opts(self.opts()).map(|gauge| {
                gauge.set(value);
                gauge.collect()
            }),
        };
        family.unwrap_or_default()
    }
}

macro_rules! definitions {
    (
        $(#[$doc:meta])* $visibility:vis $all:ident, $prefix:literal;
        $($constant:ident = $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*
    ) => {
        $(pub(super) const $constant: Definition = Definition {
            name: concat!($prefix, $name),
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        $(#[$doc])*
        $visibility const $all: &[Definition] = &[$($constant),*];
    };
}

definitions! {
    /// The conventional metrics of a process.
    pub(super) PROCESS, "process_";
    PROCESS_CPU = "cpu_seconds_total", Counter, [],
        "Total user and system CPU time spent in seconds.";
    PROCESS_MAX_FDS = "max_fds", Gauge, [], "Maximum number of open file descriptors.";
    PROCESS_OPEN_FDS = "open_fds", Gauge, [], "Number of open file descriptors.";
    PROCESS_RESIDENT_MEMORY = "resident_memory_bytes", Gauge, [], "Resident memory size in bytes.";
    PROCESS_START_TIME = "start_time_seconds", Gauge, [],
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS = "threads", Gauge, [], "Number of OS threads in the process.";
    PROCESS_VIRTUAL_MEMORY = "virtual_memory_bytes", Gauge, [], "Virtual memory size in bytes.";
}

definitions! {
    /// Every metric of the module above, but for the conventional `process_*`.
    pub DEFINITIONS, "css_vpcep_exporter_";
    BUILD_INFO = "build_info", Gauge, ["version", "revision"],
        "Version and source revision of this exporter.";
    CONFIG_INFO = "config_info", Gauge, ["sha256"],
        "SHA-256 of the configuration file in force.";
    RELOAD_SUCCESSFUL = "config_last_reload_successful", Gauge, [],
        "Whether the last attempt to load the configuration succeeded.";
    RELOAD_TIME = "config_last_reload_success_timestamp_seconds", Gauge, [],
        "When the configuration in force was loaded.";
    POLLS = "polls_total", Counter, ["project"],
        "Polls that ended, successful or not.";
    POLL_FAILURES = "poll_failures_total", Counter, ["project", "reason"],
        "Polls that failed, by reason.";
    POLL_DURATION = "poll_duration_seconds", Histogram, [],
        "How long polls took, from their first token of the rate limit to their end.";
    POLLS_OVERDUE = "polls_overdue", Gauge, ["project"],
        "Clusters whose next poll is due while the one before has not ended: the rate limit or the cloud is too slow for the interval.";
    DISCOVERY_CLUSTERS = "discovery_clusters", Gauge, ["project"],
        "Clusters of this shard that discovery knows.";
    DISCOVERY_SUCCESS = "discovery_last_success_timestamp_seconds", Gauge, ["project"],
        "When the list of clusters was last read whole; absent before.";
    DISCOVERY_FAILURES = "discovery_failures_total", Counter, ["project", "reason"],
        "Times that the list of clusters was not read, not whole, or not believed, by reason.";
    API_REQUESTS = "api_requests_total", Counter, ["project", "operation", "code"],
        "Requests sent to the cloud, by operation and HTTP status; code is none if there was no answer.";
    API_DURATION = "api_request_duration_seconds", Histogram, ["operation"],
        "How long requests to the cloud took, to the end of the body.";
    API_RETRIES = "api_retries_total", Counter, ["project", "operation"],
        "Requests that were retried after a transient failure.";
    API_THROTTLED = "api_throttled_total", Counter, ["project"],
        "Answers with which the cloud throttled the exporter.";
    API_WAIT = "api_rate_limit_wait_seconds_total", Counter, ["project"],
        "Time that requests waited for the exporter's own rate limit.";
    API_CLOCK_SKEW = "api_clock_skew_seconds", Gauge, ["project"],
        "How far the cloud's clock is ahead of this machine's, as of the last answer; past 900 either way signatures are refused.";
    CREDENTIALS_EXPIRY = "credentials_expiry_timestamp_seconds", Gauge, ["project"],
        "When the credentials in use expire; absent for those that do not.";
    CREDENTIAL_FAILURES = "credential_refresh_failures_total", Counter, ["project"],
        "Failed requests for new credentials.";
    API_SURPRISES = "api_surprises_total", Counter, ["kind"],
        "Unexpected values in answers of the cloud; each was interpreted or left out.";
    HTTP_REQUESTS = "http_requests_total", Counter, ["handler", "code"],
        "Requests answered by the exporter, by route pattern and HTTP status.";
    HTTP_DURATION = "http_request_duration_seconds", Histogram, ["handler"],
        "How long the exporter took to begin its answers, by route pattern.";
    ADMIN_DENIED = "admin_denied_total", Counter, ["reason"],
        "Requests that the admin listener turned away.";
    ADMIN_CHANGES = "admin_changes_total", Counter, ["kind", "outcome"],
        "Changes that were accepted, by subject and outcome.";
    AUDIT_HEALTHY = "audit_healthy", Gauge, [],
        "1 if the audit log takes records; at 0 no change is made. Absent without an audit log.";
    AUDIT_RECORDS = "audit_records_total", Counter, ["kind"],
        "Records that were written to the audit log.";
    AUDIT_WRITE_FAILURES = "audit_write_failures_total", Counter, [],
        "Records that could not be written to the audit log.";
    AUDIT_LAST_SEQUENCE = "audit_last_sequence", Gauge, [],
        "Sequence number of the last record of the audit log. Absent without an audit log.";
    SHARD_INDEX = "shard_index", Gauge, [],
        "Which of the shards this process is, counted from 0.";
    SHARDS = "shards", Gauge, [],
        "How many shards there are.";
}
