//! What the simulator tells about itself, without a signature, at `/__sim/world`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::parts::fetch_json;

#[derive(Clone, Deserialize, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) vpcep_enabled: bool,
    /// A boolean, or the text of one: the API sends both.
    pub(crate) update_switch: Value,
    pub(crate) service_name: String,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) connections: Vec<Connection>,
}

#[derive(Clone, Deserialize, PartialEq)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) max_sessions: u32,
    pub(crate) specification_name: String,
    pub(crate) domain_id: String,
    pub(crate) created_at: String,
    pub(crate) update_at: Option<String>,
    pub(crate) ip: Option<String>,
    pub(crate) ipv6: Option<String>,
    pub(crate) dns_name: Option<String>,
}

#[derive(Clone, Deserialize, PartialEq)]
pub(crate) struct Permission {
    pub(crate) id: String,
    pub(crate) permission: String,
    pub(crate) created_at: String,
}

pub(crate) const STATUSES: [&str; 7] =
    ["accepted", "rejected", "pendingAcceptance", "creating", "failed", "deleting", "unknown"];

impl Cluster {
    pub(crate) fn switched_on(&self) -> bool {
        self.update_switch == true || self.update_switch == "true"
    }
}

impl Connection {
    pub(crate) fn exported_status(&self) -> &str {
        if STATUSES.contains(&self.status.as_str()) { &self.status } else { "unknown" }
    }

    /// In the names of the API, without what is null.
    pub(crate) fn as_the_sdks_show_it(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "status": self.status,
            "maxSession": self.max_sessions.to_string(),
            "specificationName": self.specification_name,
            "created_at": self.created_at,
            "update_at": self.update_at,
            "domain_id": self.domain_id,
            "vpcepIp": self.ip,
            "vpcepIpv6Address": self.ipv6,
            "vpcepDnsName": self.dns_name,
        });
        shown.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        shown
    }
}

impl Permission {
    pub(crate) fn as_the_sdks_show_it(&self) -> Value {
        json!({
            "id": self.id,
            "permission": self.permission,
            "permission_type": "domainId",
            "created_at": self.created_at,
        })
    }
}

pub(crate) async fn world(cloud: &str) -> Result<Vec<Cluster>, String> {
    let world = fetch_json(&format!("{cloud}/__sim/world")).await?;
    Vec::deserialize(&world["clusters"]).map_err(|error| error.to_string())
}
