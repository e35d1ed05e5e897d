//! Every data metric: its name, its help, and the function that writes a cluster's samples.
//!
//! Three kinds of presence: **D** (data) and **C** (connections) from the first success until the
//! data are too old; **L** (life) for as long as the cluster is configured. Names are frozen: people
//! have alerts on them.

use jiff::Timestamp;

use super::{
    Settings,
    text::{Page, push_label},
};
use crate::{
    board::{ClusterState, Observation},
    clock::unix_seconds,
    model::{Connection, Status},
    stats::{Definition, Kind},
};

/// A data metric.
#[derive(Debug)]
pub struct Family {
    /// Its definition. The labels are those after [`CLUSTER_LABELS`].
    pub definition: Definition,
    /// When a cluster has it: `D`, `C` or `L`, with a condition where there is one.
    pub presence: &'static str,
    pub(super) write: fn(&View<'_>, &mut Page),
}

/// The labels that every data metric begins with.
pub const CLUSTER_LABELS: [&str; 4] = ["region_id", "project", "cluster_id", "cluster_name"];

/// A cluster as it is shown at one moment.
pub(super) struct View<'a> {
    state: &'a ClusterState,
    /// The data, unless they are too old.
    data: Option<&'a Observation>,
    /// The connections, unless they have no series of their own.
    rows: Option<&'a Observation>,
    suppressed: bool,
    labels: String,
}

impl<'a> View<'a> {
    pub(super) fn new(state: &'a ClusterState, settings: &Settings, now: Timestamp) -> Self {
        let meta = &state.meta;
        let values = [meta.region.as_str(), &meta.project, meta.id.as_str(), &meta.name];
        let mut labels = String::new();
        for (name, value) in CLUSTER_LABELS.into_iter().zip(values) {
            push_label(&mut labels, name, value);
        }
        let data = state.shown(now, settings.stale_after);
        let too_many = |data: &Observation| {
            settings.per_connection && data.list.connections.len() > settings.per_connection_limit
        };
        let suppressed = data.is_some_and(too_many);
        let rows = data.filter(|_| settings.per_connection && !suppressed);
        Self { state, data, rows, suppressed, labels }
    }

    fn with(&self, labels: &[(&str, &str)]) -> String {
        let mut text = self.labels.clone();
        for (name, value) in labels {
            push_label(&mut text, name, value);
        }
        text
    }
}

/// A gauge of cached data; its help says so.
macro_rules! cached {
    ($help:literal) => {
        concat!(
            $help,
            ". Cached; its age is time() - huaweicloud_css_vpcep_last_success_timestamp_seconds."
        )
    };
}

macro_rules! family {
    ($name:literal, $kind:ident, [$($label:literal),*], $presence:literal, $help:expr, $write:expr) => {
        Family {
            definition: Definition {
                name: concat!("huaweicloud_css_vpcep_", $name),
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            },
            presence: $presence,
            write: $write,
        }
    };
}

/// The data metrics, in the order of the page.
pub const FAMILIES: &[Family] = &[
    family!(
        "connections",
        Gauge,
        ["status"],
        "D",
        cached!("VPC endpoint connections by status"),
        connections
    ),
    family!(
        "connections_reported",
        Gauge,
        [],
        "D, if sent",
        cached!("Connections that the API reports (total_count)"),
        |view, page| {
            data(view, page, |data| data.list.reported);
        }
    ),
    family!(
        "update_switch",
        Gauge,
        [],
        "D, if sent",
        cached!("vpcepUpdateSwitch: 1 if the API says true"),
        |view, page| {
            data(view, page, |data| data.list.update_switch.map(u64::from));
        }
    ),
    family!(
        "service_enabled",
        Gauge,
        [],
        "D",
        cached!("0 if the API says that the cluster has no VPC endpoint service (CSS.5182)"),
        |view, page| {
            data(view, page, |data| Some(u64::from(data.list.service_enabled)));
        }
    ),
    family!(
        "permissions",
        Gauge,
        [],
        "D, if sent",
        cached!("Entries of the whitelist of the cluster's endpoint service"),
        |view, page| {
            data(view, page, |data| data.list.permissions);
        }
    ),
    family!(
        "complete",
        Gauge,
        [],
        "D",
        cached!("1 if every connection that the API reports was read, 0 if some cannot be"),
        |view, page| {
            data(view, page, |data| Some(u64::from(data.list.complete)));
        }
    ),
    family!(
        "service_info",
        Gauge,
        ["vpc_service_name", "service_id"],
        "D, if sent",
        cached!("The endpoint service behind the cluster"),
        service_info
    ),
    family!(
        "connection_status",
        Gauge,
        ["endpoint_id", "status"],
        "C",
        cached!("1 for the present status of each connection"),
        |view, page| {
            rows(view, page, |row, _| Some((vec![("status", row.status.as_str())], 1.0)));
        }
    ),
    family!(
        "connection_status_since_timestamp_seconds",
        Gauge,
        ["endpoint_id"],
        "C, if known",
        cached!("Since when the connection has its status: seen to change, else update_at"),
        |view, page| {
            rows(view, page, |_, since| Some((vec![], unix_seconds(since?))));
        }
    ),
    family!(
        "connection_max_sessions",
        Gauge,
        ["endpoint_id"],
        "C, if parsable",
        cached!("maxSession: connections that the endpoint may have at most"),
        |view, page| {
            rows(view, page, |row, _| Some((vec![], row.max_sessions? as f64)));
        }
    ),
    family!(
        "connection_info",
        Gauge,
        ["endpoint_id", "specification_name", "domain_id", "ip", "ipv6", "dns_name"],
        "C",
        cached!("What does not change of a connection"),
        |view, page| {
            rows(view, page, |row, _| Some((info_labels(row), 1.0)));
        }
    ),
    family!(
        "connection_created_timestamp_seconds",
        Gauge,
        ["endpoint_id"],
        "C, if sent",
        cached!("When the connection was created (created_at)"),
        |view, page| {
            rows(view, page, |row, _| Some((vec![], unix_seconds(row.created?))));
        }
    ),
    family!(
        "connection_updated_timestamp_seconds",
        Gauge,
        ["endpoint_id"],
        "C, if sent",
        cached!("When the connection was updated, as the API says (update_at)"),
        |view, page| {
            rows(view, page, |row, _| Some((vec![], unix_seconds(row.updated?))));
        }
    ),
    family!(
        "connections_suppressed",
        Gauge,
        [],
        "D",
        cached!(
            "1 if the cluster has more connections than poll.per_connection_limit, so that they have no series of their own"
        ),
        |view, page| {
            data(view, page, |_| Some(u64::from(view.suppressed)));
        }
    ),
    family!(
        "connection_transitions_total",
        Counter,
        ["to"],
        "L",
        "Status changes that were seen, by the status they led to; appearing and vanishing is none.",
        transitions
    ),
    family!(
        "up",
        Gauge,
        [],
        "L, from the first attempt",
        "1 if the last poll of the cluster succeeded.",
        |view, page| {
            life(view, page, view.state.up().map(|up| f64::from(u8::from(up))));
        }
    ),
    family!(
        "last_success_timestamp_seconds",
        Gauge,
        [],
        "L, once there is one",
        "When the last successful poll ended: all cached values of the cluster are as of then.",
        |view, page| {
            life(view, page, view.state.observation.as_ref().map(|data| unix_seconds(data.at)));
        }
    ),
    family!(
        "last_attempt_timestamp_seconds",
        Gauge,
        [],
        "L, once there is one",
        "When the last poll ended, successful or not.",
        |view, page| {
            life(view, page, view.state.last_poll().map(|poll| unix_seconds(poll.at)));
        }
    ),
    family!(
        "poll_interval_seconds",
        Gauge,
        [],
        "L",
        "How often the cluster is polled, as configured.",
        |view, page| {
            life(view, page, Some(view.state.meta.interval.as_secs_f64()));
        }
    ),
    family!(
        "poll_duration_seconds",
        Gauge,
        [],
        "L, once there is one",
        "How long the last poll took, from its first token of the rate limit.",
        |view, page| {
            life(view, page, view.state.last_poll().map(|poll| poll.duration.as_secs_f64()));
        }
    ),
];

fn connections(view: &View<'_>, page: &mut Page) {
    let Some(data) = view.data else { return };
    for (status, count) in Status::ALL.into_iter().zip(data.list.counts()) {
        page.sample(&view.with(&[("status", status.as_str())]), count);
    }
}

fn service_info(view: &View<'_>, page: &mut Page) {
    let Some(name) = view.data.and_then(|data| data.list.service_name.as_ref()) else { return };
    let labels = [("vpc_service_name", name.as_str()), ("service_id", name.service_id())];
    page.sample(&view.with(&labels), 1);
}

fn transitions(view: &View<'_>, page: &mut Page) {
    for (status, count) in Status::ALL.into_iter().zip(view.state.transitions) {
        page.sample(&view.with(&[("to", status.as_str())]), count);
    }
}

fn info_labels(row: &Connection) -> Vec<(&'static str, &str)> {
    vec![
        ("specification_name", &*row.specification_name),
        ("domain_id", &*row.domain_id),
        ("ip", &*row.ip),
        ("ipv6", &*row.ipv6),
        ("dns_name", &*row.dns_name),
    ]
}

fn data(view: &View<'_>, page: &mut Page, value: impl Fn(&Observation) -> Option<u64>) {
    if let Some(value) = view.data.and_then(value) {
        page.sample(&view.labels, value);
    }
}

fn life(view: &View<'_>, page: &mut Page, value: Option<f64>) {
    if let Some(value) = value {
        page.sample(&view.labels, value);
    }
}

/// A sample for each connection, with the labels after `endpoint_id` and a value.
fn rows<'a>(
    view: &View<'a>,
    page: &mut Page,
    sample: impl Fn(&'a Connection, Option<Timestamp>) -> Option<(Vec<(&'static str, &'a str)>, f64)>,
) {
    for (row, since) in view.rows.into_iter().flat_map(Observation::connections) {
        if let Some((labels, value)) = sample(row, since) {
            let mut all = view.with(&[("endpoint_id", row.endpoint_id.as_str())]);
            for (name, value) in labels {
                push_label(&mut all, name, value);
            }
            page.sample(&all, value);
        }
    }
}
