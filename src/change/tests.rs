//! The engine over a cloud in memory, under a paused clock.

mod attribution;
mod decisions;
mod fake;
mod faults;
mod lines;
mod log;
mod plans;
mod property;
mod real_log;
mod recovery;
mod rig;
mod rules;
mod shutdown;

use super::{Effect, Report, ServiceEffect};
use crate::model::{
    EndpointService, PortMapping, ServiceFields, ServiceId, ServiceName, ServiceStatus,
};

pub(super) const ID: &str = "4189d3c2-8882-4871-a3c2-d380272eed88";

/// A service as the tests find it.
pub(super) fn service() -> EndpointService {
    EndpointService {
        id: ServiceId::parse(ID).unwrap(),
        full_name: ServiceName::new(&format!("cn-north-4.logs.{ID}")),
        status: ServiceStatus::Available,
        fields: ServiceFields {
            approval_enabled: Some(true),
            service_name: Some("logs".into()),
            ports: Some(vec![mapping(8080, 90), mapping(8081, 80)]),
            port_id: Some("4189d3c2-8882-4871-a3c2-d380272eed80".into()),
            tcp_proxy: Some("close".into()),
            description: Some("before".into()),
            ip: None,
        },
        connections: Some(3),
        created: Some("2022-04-14T09:35:47Z".parse().unwrap()),
        updated: None,
    }
}

impl Report {
    /// The effect on the service that it is about.
    pub(super) fn service(&self) -> &ServiceEffect {
        match &self.effect {
            Effect::Service(effect) => effect,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn mapping(client_port: u16, server_port: u16) -> PortMapping {
    PortMapping { client_port, server_port, protocol: "TCP".into() }
}
