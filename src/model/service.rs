//! Endpoint services as VPCEP reports them, and their fields that can be changed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// The fields that can be changed.
    pub fields: ServiceFields,
    /// The number of connected endpoints (those being created and those accepted); only the list of
    /// services says it.
    pub connections: Option<u64>,
    /// `created_at`.
    pub created: Option<Timestamp>,
    /// `updated_at`.
    pub updated: Option<Timestamp>,
}

/// The fields of an endpoint service that the PUT can change (same page, Table 3). Of a service,
/// `None` is a field that the cloud does not report; of an update, one that stays as it is. As JSON it
/// has the fields that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceFields {
    /// True if the owner must approve each connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_enabled: Option<bool>,
    /// The short name, the middle of the full one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<Box<str>>,
    /// All port mappings; an update replaces the whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<PortMapping>>,
    /// The port of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_id: Option<Box<str>>,
    /// The way in which client addresses reach the backend: one of [`TcpProxy`], or a word that this
    /// version does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_proxy: Option<Box<str>>,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Box<str>>,
    /// IPv4 address or domain name of a VLAN service.
    #[serde(skip_serializing_if = "Option::is_none")]
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

labels! {
    /// A field that can be changed, in the order of the document.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Field {
        /// [`ServiceFields::approval_enabled`].
        ApprovalEnabled = "approval_enabled",
        /// [`ServiceFields::service_name`].
        ServiceName = "service_name",
        /// [`ServiceFields::ports`].
        Ports = "ports",
        /// [`ServiceFields::port_id`].
        PortId = "port_id",
        /// [`ServiceFields::tcp_proxy`].
        TcpProxy = "tcp_proxy",
        /// [`ServiceFields::description`].
        Description = "description",
        /// [`ServiceFields::ip`].
        Ip = "ip",
    }
}

impl Field {
    /// True if the field has a value in every service. The cloud may leave out the others where they
    /// are empty, so that an absent one is an empty one.
    pub const fn is_never_empty(self) -> bool {
        matches!(self, Self::ApprovalEnabled | Self::ServiceName | Self::TcpProxy)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// The value of `approval_enabled`.
    Flag(bool),
    /// The value of `ports`.
    Ports(Vec<PortMapping>),
    /// The value of any other field.
    Text(Box<str>),
}

impl ServiceFields {
    /// The value of a field, if it is there.
    pub fn get(&self, field: Field) -> Option<FieldValue> {
        let text = match field {
            Field::ApprovalEnabled => return self.approval_enabled.map(FieldValue::Flag),
            Field::Ports => return self.ports.clone().map(FieldValue::Ports),
            Field::ServiceName => &self.service_name,
            Field::PortId => &self.port_id,
            Field::TcpProxy => &self.tcp_proxy,
            Field::Description => &self.description,
            Field::Ip => &self.ip,
        };
        text.clone().map(FieldValue::Text)
    }

    /// The fields that have a value.
    pub fn present(&self) -> impl Iterator<Item = Field> + '_ {
        Field::ALL.into_iter().filter(|field| self.get(*field).is_some())
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

    /// The fields that are different afterwards; both states are in canonical form. A field that is
    /// never empty and absent from one of them was not reported, and is left out.
    pub fn moved<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = Field> + 'a {
        Field::ALL.into_iter().filter(|field| {
            let (from, to) = (self.get(*field), after.get(*field));
            let is_reported = from.is_some() && to.is_some() || !field.is_never_empty();
            is_reported && from != to
        })
    }
}

/// A port of the endpoint and where it leads. The order is the canonical order of a list of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = Port)]
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
