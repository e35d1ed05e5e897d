//! The metrics about endpoint services: name, help, and the samples of each.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    sample::{Family, Per, Sample, family},
    text::{Lines, push_label},
};
use crate::{
    board::{SeenService, ServiceState},
    clock::unix_seconds,
    stats::{Definition, Kind},
};

/// Data leave the page after three readings, which are five minutes apart, have failed.
const STALE_AFTER: Duration = Duration::from_secs(15 * 60);

/// The labels that every metric of an endpoint service begins with.
pub const SERVICE_LABELS: [&str; 4] = ["region_id", "project", "service_id", "service_name"];

/// The help of a gauge of cached data.
macro_rules! cached {
    ($help:literal) => {
        concat!(
            $help,
            ". Read every 5 minutes; huaweicloud_vpcep_service_last_success_timestamp_seconds tells its age."
        )
    };
}

/// The metrics of endpoint services, in the order of the page.
pub const SERVICE_FAMILIES: &[Family<ShownService>] = &[
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_status", "D",
        cached!("1 for the present status of the endpoint service"),
        |service| service.data(),
        |data| ["status" = data.service.status.as_str()] Some(true)
    ),
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_approval_enabled", "D, if sent",
        cached!("1 if the owner of the endpoint service must approve each connection"),
        |service| service.data(), |data| [] data.service.fields.approval_enabled
    ),
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_ports", "D, if sent",
        cached!("Port mappings of the endpoint service"),
        |service| service.data(), |data| [] data.service.fields.ports.as_ref().map(Vec::len)
    ),
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_connections", "D, if sent",
        cached!("VPC endpoints that are connected or being connected (connection_count)"),
        |service| service.data(), |data| [] data.service.connections
    ),
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_updated_timestamp_seconds", "D, if sent",
        cached!("When the endpoint service was updated, as the API says (updated_at)"),
        |service| service.data(), |data| [] data.service.updated.map(unix_seconds)
    ),
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_up", "L, from the first attempt",
        "1 if the last reading of the endpoint service succeeded.",
        |service| service.state.up, |up| [] Some(up)
    ),
    family!(
        Target, Gauge, "huaweicloud_vpcep_service_last_success_timestamp_seconds",
        "L, once there is one",
        "When the endpoint service was last read: all cached values of it are as of then.",
        |service| &service.state.seen, |seen| [] Some(unix_seconds(seen.at))
    ),
    family!(
        Target, Counter, "huaweicloud_vpcep_service_unattributed_changes_total", "L",
        "Readings that found a field changed since the previous reading, but not by this exporter.",
        |service| [&service.state], |state| [] Some(state.unattributed_changes)
    ),
];

/// An endpoint service as the page shows it.
#[derive(Debug)]
pub struct ShownService {
    state: Arc<ServiceState>,
    is_fresh: bool,
}

impl ShownService {
    fn new(state: Arc<ServiceState>, now: Timestamp) -> Self {
        let age = state.seen.as_ref().map(|seen| now.duration_since(seen.at));
        let is_fresh = age.is_some_and(|age| age < STALE_AFTER.try_into().unwrap_or_default());
        Self { state, is_fresh }
    }

    /// The data, unless they are too old.
    fn data(&self) -> Option<&SeenService> {
        self.state.seen.as_ref().filter(|_| self.is_fresh)
    }

    /// The labels of all samples of the service.
    fn labels(&self) -> String {
        let meta = &self.state.meta;
        let values = [meta.region.as_str(), &meta.project, meta.id.as_str(), &meta.name];
        let mut labels = String::new();
        for (name, value) in SERVICE_LABELS.into_iter().zip(values) {
            push_label(&mut labels, name, value);
        }
        labels
    }
}

/// Writes all families.
pub(super) fn write(lines: &mut Lines, services: &[Arc<ServiceState>], now: Timestamp) {
    let services: Vec<_> =
        services.iter().map(|state| ShownService::new(state.clone(), now)).collect();
    for family in SERVICE_FAMILIES {
        lines.family(&family.definition);
        for service in &services {
            family.write(service, &service.labels(), lines.text(), |_| ());
        }
    }
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
            .text()
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
