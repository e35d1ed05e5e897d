//! Endpoint services: what VPCEP says of one, and what may be changed of it.

use std::fmt;

use jiff::Timestamp;

use super::{ServiceId, ServiceName};
use crate::label::labels;

/// An endpoint service (VPCEP API Reference, "Modifying a VPC Endpoint Service", Table 5, and
/// "Querying VPC Endpoint Services"). Its texts are as the cloud has them: compare them, and clean them
/// where they are shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointService {
    /// Its id.
    pub id: ServiceId,
    /// The full name, `<region>.<name>.<id>`.
    pub full_name: ServiceName,
    /// Its status.
    pub status: ServiceStatus,
    /// What can be changed.
    pub fields: ServiceFields,
    /// How many endpoints are connected (those being created and those accepted); only the list of
    /// services says it.
    pub connections: Option<u64>,
    /// `created_at`.
    pub created: Option<Timestamp>,
    /// `updated_at`.
    pub updated: Option<Timestamp>,
}

/// The fields of an endpoint service that the PUT can change (same page, Table 3). Of a service,
/// `None` is what the cloud does not say; of an update, `None` is what shall stay as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFields {
    /// Whether the owner must approve each connection.
    pub approval_enabled: Option<bool>,
    /// The short name, the middle of the full one.
    pub service_name: Option<Box<str>>,
    /// All port mappings; an update replaces the whole list.
    pub ports: Option<Vec<PortMapping>>,
    /// The port of the backend.
    pub port_id: Option<Box<str>>,
    /// How client addresses are handed to the backend; one of [`TcpProxy`], or a word that this
    /// version does not know.
    pub tcp_proxy: Option<Box<str>>,
    /// Free text.
    pub description: Option<Box<str>>,
    /// IPv4 address or domain name of a VLAN service.
    pub ip: Option<Box<str>>,
}

impl EndpointService {
    /// The fields in canonical form, with the short name where only the full one is known.
    pub fn state(&self) -> ServiceFields {
        let mut fields = self.fields.canonical();
        let short = || Some(self.full_name.short_name()).filter(|name| !name.is_empty());
        fields.service_name = fields.service_name.or_else(|| short().map(Box::from));
        fields
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// `approval_enabled`.
    Flag(bool),
    /// `ports`.
    Ports(&'a [PortMapping]),
    /// Any other field.
    Text(&'a str),
}

impl ServiceFields {
    /// The names of the fields, as the document has them and in its order.
    pub const NAMES: [&str; 7] =
        ["approval_enabled", "service_name", "ports", "port_id", "tcp_proxy", "description", "ip"];

    /// Fields that have a value in every service. Of the others, a cloud may leave out what is empty, so
    /// that an absent one is empty.
    pub const NEVER_EMPTY: [&str; 3] = ["approval_enabled", "service_name", "tcp_proxy"];

    /// One field, by its name, if it is there.
    pub fn get(&self, name: &str) -> Option<FieldValue<'_>> {
        let text = match name {
            "approval_enabled" => return self.approval_enabled.map(FieldValue::Flag),
            "ports" => return self.ports.as_deref().map(FieldValue::Ports),
            "service_name" => &self.service_name,
            "port_id" => &self.port_id,
            "tcp_proxy" => &self.tcp_proxy,
            "description" => &self.description,
            "ip" => &self.ip,
            _ => return None,
        };
        text.as_deref().map(FieldValue::Text)
    }

    /// Ports in canonical order; what is empty is absent, as the API leaves out what is empty.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut fields = self.clone();
        if let Some(ports) = &mut fields.ports {
            ports.sort();
        }
        fields.ports = fields.ports.filter(|ports| !ports.is_empty());
        for text in [
            &mut fields.service_name,
            &mut fields.port_id,
            &mut fields.tcp_proxy,
            &mut fields.description,
            &mut fields.ip,
        ] {
            *text = text.take().filter(|text| !text.is_empty());
        }
        fields
    }

    /// The names of the fields that are others afterwards; both are in canonical form. A field that is
    /// never empty and absent from one of them was not told, and is left out.
    pub fn moved<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        Self::NAMES.into_iter().filter(|name| {
            let (from, to) = (self.get(name), after.get(name));
            let is_told = from.is_some() && to.is_some() || !Self::NEVER_EMPTY.contains(name);
            is_told && from != to
        })
    }
}

/// A port of the endpoint and where it leads. The order is the canonical order of a list of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortMapping {
    /// The port of the endpoint.
    pub client_port: u16,
    /// The port of the backend.
    pub server_port: u16,
    /// `TCP`; the cloud may have others one day.
    pub protocol: Box<str>,
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}/{}", self.client_port, self.server_port, self.protocol)
    }
}

labels! {
    /// The status of an endpoint service (VPCEP API Reference, "Querying VPC Endpoint Services").
    pub enum ServiceStatus {
        /// Being built.
        Creating = "creating",
        /// In use, and the only status in which it can be changed.
        Available = "available",
        /// Could not be built.
        Failed = "failed",
        /// Going away.
        Deleting = "deleting",
        /// A word that this version does not know.
        Unknown = "unknown",
    }
}

impl ServiceStatus {
    /// The status of that word, if it is one of the documented four.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL[..4].iter().copied().find(|status| status.as_str() == word)
    }
}

labels! {
    /// The words of `tcp_proxy`.
    pub enum TcpProxy {
        /// Nothing is handed on.
        Close = "close",
        /// In the TCP option field.
        ToaOpen = "toa_open",
        /// In the payload, by the proxy protocol.
        ProxyOpen = "proxy_open",
        /// Both.
        Open = "open",
        /// Only the SDK knows it, not the document.
        ProxyVni = "proxy_vni",
    }
}
