//! A VPC endpoint service. Each cluster has one, and names it in `vpcServiceName`.

use std::mem;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sim::account::REGION;

/// The only status in which a service can be changed (error code 3045).
pub(crate) const AVAILABLE: &str = "available";

/// A mapping of ports (Modifying a VPC Endpoint Service, Table 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    #[serde(default = "tcp")]
    pub(crate) protocol: String,
}

pub(crate) fn tcp() -> String {
    "TCP".to_owned()
}

/// A VPC endpoint service (Modifying a VPC Endpoint Service, Table 5). Its JSON is the truth for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) port_id: String,
    /// A second port of the same load balancer or server, to which the service may be moved.
    pub(crate) spare_port_id: String,
    /// The full name, `<region>.<name>.<id>`.
    pub(crate) service_name: String,
    pub(crate) server_type: String,
    pub(crate) vpc_id: String,
    pub(crate) pool_id: Option<String>,
    pub(crate) approval_enabled: bool,
    pub(crate) status: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) ip: Option<String>,
    pub(crate) ports: Vec<Port>,
    pub(crate) tcp_proxy: String,
    pub(crate) description: String,
    pub(crate) tags: Value,
    pub(crate) enable_policy: bool,
}

impl Service {
    /// Takes a short name; an empty one is left out of the full name.
    pub(crate) fn rename(&mut self, name: &str) {
        let dot = if name.is_empty() { "" } else { "." };
        self.service_name = format!("{REGION}{dot}{name}.{}", self.id);
    }

    /// Moves to a port. The port that is left becomes the spare one, so that the service can be moved back.
    pub(crate) fn move_to(&mut self, port_id: &str) {
        if self.port_id != port_id {
            self.spare_port_id = mem::replace(&mut self.port_id, port_id.to_owned());
        }
    }
}
