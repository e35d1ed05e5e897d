//! The metrics of endpoint services. There are some hundred of them at most, so they are written at
//! each scrape.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::text::{Lines, push_label};
use crate::{
    board::{SeenService, ServiceState},
    clock::unix_seconds,
    stats::{Definition, Kind},
};

/// Data leave the page after three readings, which are five minutes apart, have failed.
const STALE_AFTER: Duration = Duration::from_secs(15 * 60);

/// The labels that every metric of an endpoint service begins with.
pub const SERVICE_LABELS: [&str; 4] = ["region_id", "project", "service_id", "service_name"];

/// A metric of endpoint services.
#[derive(Debug)]
pub struct ServiceFamily {
    /// Its definition. The labels are those after [`SERVICE_LABELS`].
    pub definition: Definition,
    /// When a service has it: `D` (data) or `L` (life), with a condition where there is one.
    pub presence: &'static str,
    write: fn(&View<'_>, &mut Lines),
}

/// A service as it is shown at one moment.
struct View<'a> {
    state: &'a ServiceState,
    /// The data, unless they are too old.
    data: Option<&'a SeenService>,
    labels: String,
}

/// A gauge of cached data; its help says so.
macro_rules! cached {
    ($help:literal) => {
        concat!(
            $help,
            ". Read every 5 minutes; huaweicloud_vpcep_service_last_success_timestamp_seconds tells its age."
        )
    };
}

macro_rules! family {
    ($name:literal, $kind:ident, [$($label:literal),*], $presence:literal, $help:expr, $write:expr) => {
        ServiceFamily {
            definition: Definition {
                name: concat!("huaweicloud_vpcep_service_", $name),
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            },
            presence: $presence,
            write: $write,
        }
    };
}

/// The metrics of endpoint services, in the order of the page.
pub const SERVICE_FAMILIES: &[ServiceFamily] = &[
    family!(
        "status",
        Gauge,
        ["status"],
        "D",
        cached!("1 for the present status of the endpoint service"),
        |view, lines| {
            if let Some(data) = view.data {
                let mut labels = view.labels.clone();
                push_label(&mut labels, "status", data.service.status.as_str());
                lines.sample(&labels, 1);
            }
        }
    ),
    family!(
        "approval_enabled",
        Gauge,
        [],
        "D, if sent",
        cached!("1 if the owner of the endpoint service must approve each connection"),
        |view, lines| {
            view.data(lines, |data| data.service.fields.approval_enabled.map(u64::from));
        }
    ),
    family!(
        "ports",
        Gauge,
        [],
        "D, if sent",
        cached!("Port mappings of the endpoint service"),
        |view, lines| {
            view.data(lines, |data| data.service.fields.ports.as_ref().map(|all| all.len() as u64));
        }
    ),
    family!(
        "connections",
        Gauge,
        [],
        "D, if sent",
        cached!("VPC endpoints that are connected or being connected (connection_count)"),
        |view, lines| {
            view.data(lines, |data| data.service.connections);
        }
    ),
    family!(
        "updated_timestamp_seconds",
        Gauge,
        [],
        "D, if sent",
        cached!("When the endpoint service was updated, as the API says (updated_at)"),
        |view, lines| {
            let updated = view.data.and_then(|data| data.service.updated);
            view.life(lines, updated.map(unix_seconds));
        }
    ),
    family!(
        "up",
        Gauge,
        [],
        "L, from the first attempt",
        "1 if the last reading of the endpoint service succeeded.",
        |view, lines| {
            view.life(lines, view.state.up.map(|up| f64::from(u8::from(up))));
        }
    ),
    family!(
        "last_success_timestamp_seconds",
        Gauge,
        [],
        "L, once there is one",
        "When the endpoint service was last read: all cached values of it are as of then.",
        |view, lines| {
            view.life(lines, view.state.seen.as_ref().map(|seen| unix_seconds(seen.at)));
        }
    ),
    family!(
        "unattributed_changes_total",
        Counter,
        [],
        "L",
        "Readings that found a field changed since the one before, and not by a change of this exporter.",
        |view, lines| {
            lines.sample(&view.labels, view.state.unattributed_changes);
        }
    ),
];

impl View<'_> {
    fn data(&self, lines: &mut Lines, value: impl Fn(&SeenService) -> Option<u64>) {
        if let Some(value) = self.data.and_then(value) {
            lines.sample(&self.labels, value);
        }
    }

    fn life(&self, lines: &mut Lines, value: Option<f64>) {
        if let Some(value) = value {
            lines.sample(&self.labels, value);
        }
    }
}

/// Writes all families.
pub(super) fn write(lines: &mut Lines, services: &[Arc<ServiceState>], now: Timestamp) {
    let views: Vec<_> = services.iter().map(|state| view(state, now)).collect();
    for family in SERVICE_FAMILIES {
        lines.family(&family.definition);
        for view in &views {
            (family.write)(view, lines);
        }
    }
}

fn view(state: &ServiceState, now: Timestamp) -> View<'_> {
    let meta = &state.meta;
    let values = [meta.region.as_str(), &meta.project, meta.id.as_str(), &meta.name];
    let mut labels = String::new();
    for (name, value) in SERVICE_LABELS.into_iter().zip(values) {
        push_label(&mut labels, name, value);
    }
    let is_fresh = |seen: &&SeenService| {
        now.duration_since(seen.at) < STALE_AFTER.try_into().unwrap_or_default()
    };
    View { state, data: state.seen.as_ref().filter(is_fresh), labels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{Attribution, ServiceBoard, ServiceMeta},
        cloud::{CloudError, Reason},
        exposition::Format,
        model::{
            EndpointService, PortMapping, RegionId, ServiceFields, ServiceId, ServiceName,
            ServiceStatus,
        },
    };

    const ID: &str = "4189d3c2-8882-4871-a3c2-d380272eed88";

    fn samples(board: &ServiceBoard, second: i64) -> Vec<String> {
        let mut lines = Lines::new(Format::Text004);
        write(&mut lines, &board.snapshot(), Timestamp::from_second(second).unwrap());
        let labels =
            format!("region_id=\"r\",project=\"p\",service_id=\"{ID}\",service_name=\"logs\"");
        lines
            .into_text()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.replace(&labels, "…").replace("huaweicloud_vpcep_service_", ""))
            .collect()
    }

    #[test]
    fn data_are_shown_until_they_are_stale_and_life_for_as_long_as_it_is_configured() {
        let meta = ServiceMeta {
            region: RegionId::parse("r").unwrap(),
            project: "p".into(),
            id: ServiceId::parse(ID).unwrap(),
            name: "logs".into(),
        };
        let board = ServiceBoard::new([meta.clone()]);
        assert_eq!(samples(&board, 1000), ["unattributed_changes_total{…} 0"]);
        let port = PortMapping { client_port: 81, server_port: 80, protocol: "TCP".into() };
        let service = EndpointService {
            id: meta.id.clone(),
            full_name: ServiceName::new(""),
            status: ServiceStatus::Available,
            fields: ServiceFields {
                approval_enabled: Some(false),
                ports: Some(vec![port]),
                ..ServiceFields::default()
            },
            connections: Some(4),
            created: None,
            updated: Timestamp::from_second(900).ok(),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        board.record(&meta, Ok(service), at(1000), Attribution::Nobody);
        let data = [
            "status{…,status=\"available\"} 1",
            "approval_enabled{…} 0",
            "ports{…} 1",
            "connections{…} 4",
            "updated_timestamp_seconds{…} 900",
        ];
        let life = |up| {
            [
                format!("up{{…}} {up}"),
                "last_success_timestamp_seconds{…} 1000".to_owned(),
                "unattributed_changes_total{…} 0".to_owned(),
            ]
        };
        let all = |up| data.iter().map(ToString::to_string).chain(life(up)).collect::<Vec<_>>();
        assert_eq!(samples(&board, 1000), all(1));
        let error = CloudError::new(Reason::Reset, "");
        board.record(&meta, Err(error), at(1300), Attribution::Nobody);
        assert_eq!(samples(&board, 1899), all(0));
        assert_eq!(samples(&board, 1900), life(0));
    }
}
