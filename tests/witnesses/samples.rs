//! What a scrape must hold while the cloud is in a known state.

use std::collections::BTreeMap;

use super::{
    binary::{PREFIX, PROJECT, REGION},
    world::{Cluster, Connection, STATUSES},
};

/// A metric's name and its labels.
pub(crate) type Series = (String, BTreeMap<String, String>);

pub(crate) type Samples = BTreeMap<Series, f64>;

/// The metrics whose values are the cloud's and not the exporter's.
pub(crate) const WORLD_METRICS: [&str; 13] = [
    "connections",
    "connections_reported",
    "update_switch",
    "service_enabled",
    "permissions",
    "complete",
    "service_info",
    "connection_status",
    "connection_max_sessions",
    "connection_info",
    "connection_created_timestamp_seconds",
    "connection_updated_timestamp_seconds",
    "connections_suppressed",
];

/// What a scrape must hold while the cloud is in this state.
pub(crate) fn expected<'a>(world: impl IntoIterator<Item = &'a Cluster>) -> Samples {
    let mut samples = Samples::new();
    for cluster in world {
        let mut put = |metric: &str, more: &[(&str, &str)], value: f64| {
            let own = [
                ("region_id", REGION),
                ("project", PROJECT),
                ("cluster_id", &cluster.id),
                ("cluster_name", &cluster.name),
            ];
            // To Prometheus an empty label is none.
            let labels = own.iter().chain(more).filter(|(_, value)| !value.is_empty());
            let labels = labels.map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
            samples.insert((format!("{PREFIX}{metric}"), labels.collect()), value);
        };

        put("service_enabled", &[], cluster.vpcep_enabled.into());
        put("complete", &[], 1.0);
        put("connections_suppressed", &[], 0.0);
        let connections: &[Connection] = if cluster.vpcep_enabled {
            let service_id = cluster.service_name.rsplit('.').next().unwrap_or_default();
            put(
                "service_info",
                &[("vpc_service_name", &cluster.service_name), ("service_id", service_id)],
                1.0,
            );
            put("update_switch", &[], cluster.switched_on().into());
            put("permissions", &[], cluster.permissions.len() as f64);
            put("connections_reported", &[], cluster.connections.len() as f64);
            &cluster.connections
        } else {
            &[]
        };
        for status in STATUSES {
            let count = connections.iter().filter(|row| row.exported_status() == status).count();
            put("connections", &[("status", status)], count as f64);
        }
        for row in connections {
            let id = ("endpoint_id", row.id.as_str());
            put("connection_status", &[id, ("status", row.exported_status())], 1.0);
            put(
                "connection_info",
                &[
                    id,
                    ("specification_name", &row.specification_name),
                    ("domain_id", &row.domain_id),
                    ("ip", row.ip.as_deref().unwrap_or_default()),
                    ("ipv6", row.ipv6.as_deref().unwrap_or_default()),
                    ("dns_name", row.dns_name.as_deref().unwrap_or_default()),
                ],
                1.0,
            );
            put("connection_max_sessions", &[id], row.max_sessions.into());
            put("connection_created_timestamp_seconds", &[id], seconds(&row.created_at));
            if let Some(updated_at) = &row.update_at {
                put("connection_updated_timestamp_seconds", &[id], seconds(updated_at));
            }
        }
    }
    samples
}

pub(crate) fn seconds(time: &str) -> f64 {
    let time: jiff::Timestamp = time.parse().expect("the simulator writes RFC 3339");
    time.as_second() as f64
}

/// The same samples without some labels.
pub(crate) fn without(names: &[&str], samples: Samples) -> Samples {
    let strip = |((name, mut labels), value): (Series, f64)| {
        labels.retain(|label, _| !names.contains(&label.as_str()));
        ((name, labels), value)
    };
    samples.into_iter().map(strip).collect()
}

pub(crate) fn difference(held: &Samples, expected: &Samples) -> String {
    let only_in = |these: &Samples, those: &Samples| {
        let only = these.iter().filter(|(series, value)| those.get(*series) != Some(value));
        only.take(5).map(|sample| format!("\n  {sample:?}")).collect::<String>()
    };
    format!("missing:{}\nsurplus:{}", only_in(expected, held), only_in(held, expected))
}
