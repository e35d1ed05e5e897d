//! Every data metric: its name, its help, and where its samples come from.
//!
//! Three kinds of presence: **D** (data) and **C** (connections) from the first success until the
//! data are too old; **L** (life) for as long as the cluster is configured. Names are frozen: people
//! have alerts on them.

use super::samples::Samples;
use crate::{
    clock::unix_seconds,
    model::Connection,
    stats::{Definition, Kind},
};

/// A data metric.
#[derive(Debug)]
pub struct Family {
    /// Its definition. The labels are those after [`CLUSTER_LABELS`].
    pub definition: Definition,
    /// When a cluster has it: `D`, `C` or `L`, with a condition where there is one.
    pub presence: &'static str,
    pub(super) samples: Samples,
}

/// The labels that every data metric begins with.
pub const CLUSTER_LABELS: [&str; 4] = ["region_id", "project", "cluster_id", "cluster_name"];

/// A gauge of cached data; its help says so.
macro_rules! cached {
    ($help:literal) => {
        concat!(
            $help,
            ". Cached; huaweicloud_css_vpcep_last_success_timestamp_seconds tells its age."
        )
    };
}

macro_rules! family {
    ($name:literal, $kind:ident, [$($label:literal),*], $presence:literal, $help:expr, $samples:expr) => {
        Family {
            definition: Definition {
                name: concat!("huaweicloud_css_vpcep_", $name),
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            },
            presence: $presence,
            samples: $samples,
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
        Samples::ByStatus(|view| view.data().map(|data| data.list.counts()))
    ),
    family!(
        "connections_reported",
        Gauge,
        [],
        "D, if sent",
        cached!("Connections that the API reports (total_count)"),
        Samples::Data(|list| list.reported)
    ),
    family!(
        "update_switch",
        Gauge,
        [],
        "D, if sent",
        cached!("vpcepUpdateSwitch: 1 if the API says true"),
        Samples::Data(|list| list.update_switch.map(u64::from))
    ),
    family!(
        "service_enabled",
        Gauge,
        [],
        "D",
        cached!("0 if the API says that the cluster has no VPC endpoint service (CSS.5182)"),
        Samples::Data(|list| Some(u64::from(list.service_enabled)))
    ),
    family!(
        "permissions",
        Gauge,
        [],
        "D, if sent",
        cached!("Entries of the whitelist of the cluster's endpoint service"),
        Samples::Data(|list| list.permissions)
    ),
    family!(
        "complete",
        Gauge,
        [],
        "D",
        cached!("1 if every connection that the API reports was read, 0 if some cannot be"),
        Samples::Data(|list| Some(u64::from(list.complete)))
    ),
    family!(
        "service_info",
        Gauge,
        ["vpc_service_name", "service_id"],
        "D, if sent",
        cached!("The endpoint service behind the cluster"),
        Samples::ServiceInfo
    ),
    family!(
        "connection_status",
        Gauge,
        ["endpoint_id", "status"],
        "C",
        cached!("1 for the present status of each connection"),
        Samples::Rows(|_, _| Some(1.0), |row, _| row.status.as_str())
    ),
    family!(
        "connection_status_since_timestamp_seconds",
        Gauge,
        ["endpoint_id"],
        "C, if known",
        cached!("Since when the connection has its status: seen to change, else update_at"),
        Samples::Rows(|_, since| since.map(unix_seconds), no_label)
    ),
    family!(
        "connection_max_sessions",
        Gauge,
        ["endpoint_id"],
        "C, if parsable",
        cached!("maxSession: connections that the endpoint may have at most"),
        Samples::Rows(|row, _| row.max_sessions.map(|most| most as f64), no_label)
    ),
    family!(
        "connection_info",
        Gauge,
        ["endpoint_id", "specification_name", "domain_id", "ip", "ipv6", "dns_name"],
        "C",
        cached!("What does not change of a connection"),
        Samples::Rows(|_, _| Some(1.0), info_label)
    ),
    family!(
        "connection_created_timestamp_seconds",
        Gauge,
        ["endpoint_id"],
        "C, if sent",
        cached!("When the connection was created (created_at)"),
        Samples::Rows(|row, _| row.created.map(unix_seconds), no_label)
    ),
    family!(
        "connection_updated_timestamp_seconds",
        Gauge,
        ["endpoint_id"],
        "C, if sent",
        cached!("When the connection was updated, as the API says (update_at)"),
        Samples::Rows(|row, _| row.updated.map(unix_seconds), no_label)
    ),
    family!(
        "connections_suppressed",
        Gauge,
        [],
        "D",
        cached!(
            "1 if the cluster has more connections than poll.per_connection_limit, so that they have no series of their own"
        ),
        Samples::One(|view| view.suppressed().map(|yes| f64::from(u8::from(yes))))
    ),
    family!(
        "connection_transitions_total",
        Counter,
        ["to"],
        "L",
        "Status changes that were seen, by the status they led to; appearing and vanishing is none.",
        Samples::ByStatus(|view| Some(view.state().transitions))
    ),
    family!(
        "up",
        Gauge,
        [],
        "L, from the first attempt",
        "1 if the last poll of the cluster succeeded.",
        Samples::One(|view| view.state().up().map(|up| f64::from(u8::from(up))))
    ),
    family!(
        "last_success_timestamp_seconds",
        Gauge,
        [],
        "L, once there is one",
        "When the last successful poll ended: all cached values of the cluster are as of then.",
        Samples::One(|view| view.state().observation.as_ref().map(|data| unix_seconds(data.at)))
    ),
    family!(
        "last_attempt_timestamp_seconds",
        Gauge,
        [],
        "L, once there is one",
        "When the last poll ended, successful or not.",
        Samples::One(|view| view.state().last_poll().map(|poll| unix_seconds(poll.at)))
    ),
    family!(
        "poll_interval_seconds",
        Gauge,
        [],
        "L",
        "How often the cluster is polled, as configured.",
        Samples::One(|view| Some(view.state().meta.interval.as_secs_f64()))
    ),
    family!(
        "poll_duration_seconds",
        Gauge,
        [],
        "L, once there is one",
        "How long the last poll took, from its first token of the rate limit.",
        Samples::One(|view| view.state().last_poll().map(|poll| poll.duration.as_secs_f64()))
    ),
];

fn no_label(_: &Connection, _: usize) -> &str {
    ""
}

/// The labels after `endpoint_id`, by their place.
fn info_label(row: &Connection, place: usize) -> &str {
    match place {
        0 => row.specification_name(),
        1 => row.domain_id(),
        2 => row.ip(),
        3 => row.ipv6(),
        4 => row.dns_name(),
        _ => "",
    }
}
