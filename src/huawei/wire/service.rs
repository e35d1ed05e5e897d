//! Endpoint services: one, a page of them, and the body that changes one (VPCEP API Reference,
//! "Modifying a VPC Endpoint Service" and "Querying VPC Endpoint Services").

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    Surprise,
    meaning::{LONGEST_TEXT, Meaning},
    not_the_document,
    scalar::{Name, Scalar},
};
use crate::{
    cloud::{CloudError, Reason},
    model::{EndpointService, PortMapping, ServiceFields, ServiceId, ServiceName, ServiceStatus},
};

/// A description has 512 characters at most, of up to four bytes each.
const LONGEST_DESCRIPTION: usize = 512 * 4;

/// Endpoint services, and what was odd about them.
#[derive(Debug)]
pub struct DecodedServices {
    /// The services of which the id can be read.
    pub services: Vec<EndpointService>,
    /// Rows received.
    pub received: u32,
    /// `total_count`, if sent.
    pub total: Option<u64>,
    /// How often each kind of surprise was met, in the order of [`Surprise::ALL`].
    pub surprises: [u64; Surprise::ALL.len()],
}

/// Decodes one endpoint service.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON; [`Reason::BadShape`] if it is not the documented object, has
/// no id, or has ports that cannot be read: what is shown of a service must be the whole truth.
pub fn service(body: &[u8]) -> Result<DecodedServices, CloudError> {
    let raw: RawService<'_> =
        serde_json::from_slice(body).map_err(|error| not_the_document(&error))?;
    let mut meaning = Meaning::default();
    let service = meaning.service(raw)?;
    Ok(DecodedServices {
        services: vec![service],
        received: 1,
        total: None,
        surprises: meaning.surprises,
    })
}

/// Decodes a page of endpoint services. One of which id or ports cannot be read is left out and
/// counted as unparsable.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
pub fn services(body: &[u8]) -> Result<DecodedServices, CloudError> {
    let raw: RawList<'_> =
        serde_json::from_slice(body).map_err(|error| not_the_document(&error))?;
    let mut meaning = Meaning::default();
    meaning.count(Surprise::UnknownField, raw.unknown_fields);
    let total = meaning.number(raw.total_count, true);
    let rows = raw.services.ok_or_else(|| bad_shape("the answer has no list of services"))?;
    let received = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut services = Vec::with_capacity(rows.len());
    for row in rows {
        match meaning.service(row) {
            Ok(service) => services.push(service),
            Err(_) => meaning.count(Surprise::UnparsableValue, 1),
        }
    }
    Ok(DecodedServices { services, received, total, surprises: meaning.surprises })
}

/// The body of a change: what is asked for and nothing else. `false` is sent, not left out: an
/// omitted `approval_enabled` may mean its default, which is true.
pub fn update(fields: &ServiceFields) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        approval_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        service_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ports: Option<Vec<Port<'a>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        port_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tcp_proxy: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ip: Option<&'a str>,
    }

    #[derive(Serialize)]
    struct Port<'a> {
        client_port: u16,
        server_port: u16,
        protocol: &'a str,
    }

    fn port(mapping: &PortMapping) -> Port<'_> {
        let PortMapping { client_port, server_port, ref protocol } = *mapping;
        Port { client_port, server_port, protocol }
    }

    let body = Body {
        approval_enabled: fields.approval_enabled,
        service_name: fields.service_name.as_deref(),
        ports: fields.ports.as_ref().map(|ports| ports.iter().map(port).collect()),
        port_id: fields.port_id.as_deref(),
        tcp_proxy: fields.tcp_proxy.as_deref(),
        description: fields.description.as_deref(),
        ip: fields.ip.as_deref(),
    };
    serde_json::to_vec(&body).expect("texts and numbers are always JSON")
}

fn bad_shape(message: &str) -> CloudError {
    CloudError::new(Reason::BadShape, message)
}

impl Meaning {
    fn service(&mut self, raw: RawService<'_>) -> Result<EndpointService, CloudError> {
        self.count(Surprise::UnknownField, raw.unknown_fields);
        let id = match &raw.id {
            Scalar::Text(id) => ServiceId::parse(id).ok(),
            _ => None,
        };
        let id = id.ok_or_else(|| bad_shape("the answer has no id of a service"))?;
        let ports = match raw.ports {
            Some(ports) => Some(self.ports(ports)?),
            None => None,
        };
        let name = self.text(raw.service_name, LONGEST_TEXT);
        let full_name = ServiceName::new(name.as_deref().unwrap_or_default());
        Ok(EndpointService {
            id,
            status: self.service_status(&raw.status),
            fields: ServiceFields {
                approval_enabled: self.switch(raw.approval_enabled),
                service_name: name.is_some().then(|| full_name.short_name().into()),
                ports,
                port_id: self.optional(raw.port_id, LONGEST_TEXT),
                tcp_proxy: self.optional(raw.tcp_proxy, LONGEST_TEXT),
                description: self.optional(raw.description, LONGEST_DESCRIPTION),
                ip: self.optional(raw.ip, LONGEST_TEXT),
            },
            full_name,
            connections: self.number(raw.connection_count, true),
            created: self.time(raw.created_at),
            updated: self.time(raw.updated_at),
        })
    }

    fn optional(&mut self, value: Scalar<'_>, cap: usize) -> Option<Box<str>> {
        self.text(value, cap).map(Into::into)
    }

    fn service_status(&mut self, value: &Scalar<'_>) -> ServiceStatus {
        if let Scalar::Text(word) = value
            && let Some(status) = ServiceStatus::from_word(word)
        {
            return status;
        }
        self.count(Surprise::UnknownStatus, 1);
        ServiceStatus::Unknown
    }

    /// All mappings, in canonical order.
    fn ports(&mut self, raw: Vec<RawPort<'_>>) -> Result<Vec<PortMapping>, CloudError> {
        let mut ports = Vec::with_capacity(raw.len());
        for raw in raw {
            self.count(Surprise::UnknownField, raw.unknown_fields);
            let port = |number: Option<u64>| {
                number.and_then(|number| u16::try_from(number).ok()).filter(|&port| port > 0)
            };
            let client_port = port(self.number(raw.client_port, true));
            let server_port = port(self.number(raw.server_port, true));
            let (Some(client_port), Some(server_port)) = (client_port, server_port) else {
                return Err(bad_shape("a port mapping of the service cannot be read"));
            };
            let protocol = self.text(raw.protocol, LONGEST_TEXT);
            let protocol = protocol.unwrap_or_else(|| "TCP".to_owned()).into();
            ports.push(PortMapping { client_port, server_port, protocol });
        }
        ports.sort_unstable();
        Ok(ports)
    }
}

/// Known fields that say nothing to us.
const UNUSED: [&str; 15] = [
    "server_type",
    "vpc_id",
    "pool_id",
    "service_type",
    "project_id",
    "domain_id",
    "tags",
    "error",
    "supported_editions",
    "public_border_group",
    "enable_policy",
    "cidr_type",
    "ip_version",
    "snat_network_id",
    "vip_port_id",
];

#[derive(Default)]
struct RawList<'a> {
    services: Option<Vec<RawService<'a>>>,
    total_count: Scalar<'a>,
    unknown_fields: u64,
}

#[derive(Default)]
struct RawService<'a> {
    id: Scalar<'a>,
    service_name: Scalar<'a>,
    status: Scalar<'a>,
    approval_enabled: Scalar<'a>,
    ports: Option<Vec<RawPort<'a>>>,
    port_id: Scalar<'a>,
    tcp_proxy: Scalar<'a>,
    description: Scalar<'a>,
    ip: Scalar<'a>,
    connection_count: Scalar<'a>,
    created_at: Scalar<'a>,
    updated_at: Scalar<'a>,
    unknown_fields: u64,
}

#[derive(Default)]
struct RawPort<'a> {
    client_port: Scalar<'a>,
    server_port: Scalar<'a>,
    protocol: Scalar<'a>,
    unknown_fields: u64,
}

/// A JSON object whose fields are taken one by one; an array in its place is refused.
trait Object<'de>: Default {
    const WHAT: &'static str;

    /// Takes the value of a field. False where the field is not known; its value is then still there.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error>;

    fn unknown(&mut self);
}

struct ObjectVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            if !object.take(&name.0, &mut fields)? {
                fields.next_value::<IgnoredAny>()?;
                object.unknown();
            }
        }
        Ok(object)
    }
}

impl<'de> Object<'de> for RawList<'de> {
    const WHAT: &'static str = "a page of services";

    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        match name {
            "endpoint_services" => self.services = fields.next_value()?,
            "total_count" => self.total_count = fields.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn unknown(&mut self) {
        self.unknown_fields += 1;
    }
}

impl<'de> Object<'de> for RawService<'de> {
    const WHAT: &'static str = "an endpoint service";

    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        let field = match name {
            "ports" => {
                self.ports = fields.next_value()?;
                return Ok(true);
            }
            "id" => &mut self.id,
            "service_name" => &mut self.service_name,
            "status" => &mut self.status,
            "approval_enabled" => &mut self.approval_enabled,
            "port_id" => &mut self.port_id,
            "tcp_proxy" => &mut self.tcp_proxy,
            "description" => &mut self.description,
            "ip" => &mut self.ip,
            "connection_count" => &mut self.connection_count,
            "created_at" => &mut self.created_at,
            "updated_at" => &mut self.updated_at,
            known if UNUSED.contains(&known) => {
                fields.next_value::<IgnoredAny>()?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *field = fields.next_value()?;
        Ok(true)
    }

    fn unknown(&mut self) {
        self.unknown_fields += 1;
    }
}

impl<'de> Object<'de> for RawPort<'de> {
    const WHAT: &'static str = "a port mapping";

    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        let field = match name {
            "client_port" => &mut self.client_port,
            "server_port" => &mut self.server_port,
            "protocol" => &mut self.protocol,
            _ => return Ok(false),
        };
        *field = fields.next_value()?;
        Ok(true)
    }

    fn unknown(&mut self) {
        self.unknown_fields += 1;
    }
}

macro_rules! deserialize_objects {
    ($($object:ident),*) => {
        $(impl<'de: 'a, 'a> Deserialize<'de> for $object<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(ObjectVisitor(std::marker::PhantomData))
            }
        })*
    };
}

deserialize_objects!(RawList, RawService, RawPort);

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of the document's example (Example Responses).
    const EXAMPLE: &str = include_str!("../../../tests/data/vpcep-update-example-answer.json");

    fn mapping(client_port: u16, server_port: u16) -> PortMapping {
        PortMapping { client_port, server_port, protocol: "TCP".into() }
    }

    #[test]
    fn the_documents_example_is_read_whole() {
        let decoded = service(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(decoded.surprises, [0; 5]);
        let [service] = &decoded.services[..] else { panic!("one service") };
        assert_eq!(service.id.as_str(), "4189d3c2-8882-4871-a3c2-d380272eed83");
        assert_eq!(service.status, ServiceStatus::Available);
        assert_eq!(service.full_name.as_str(), "test123");
        assert_eq!(service.connections, None);
        assert_eq!(service.created.map(|at| at.to_string()).unwrap(), "2022-04-14T09:35:47Z");
        let expected = ServiceFields {
            approval_enabled: Some(false),
            service_name: Some("test123".into()),
            ports: Some(vec![mapping(8080, 90), mapping(8081, 80)]),
            port_id: Some("4189d3c2-8882-4871-a3c2-d380272eed88".into()),
            tcp_proxy: Some("proxy_open".into()),
            description: None,
            ip: None,
        };
        assert_eq!(service.fields, expected);
    }

    #[test]
    fn an_update_says_what_was_asked_and_nothing_else() {
        let cases = [
            (ServiceFields::default(), "{}"),
            (
                ServiceFields { approval_enabled: Some(false), ..ServiceFields::default() },
                r#"{"approval_enabled":false}"#,
            ),
            (
                ServiceFields { ports: Some(Vec::new()), ..ServiceFields::default() },
                r#"{"ports":[]}"#,
            ),
            (
                ServiceFields {
                    approval_enabled: Some(true),
                    service_name: Some("test".into()),
                    ports: Some(vec![mapping(8081, 22), mapping(8082, 23)]),
                    port_id: Some("p".into()),
                    tcp_proxy: Some("close".into()),
                    description: Some("\"x\"".into()),
                    ip: Some("10.0.0.1".into()),
                },
                r#"{"approval_enabled":true,"service_name":"test","ports":[{"client_port":8081,"server_port":22,"protocol":"TCP"},{"client_port":8082,"server_port":23,"protocol":"TCP"}],"port_id":"p","tcp_proxy":"close","description":"\"x\"","ip":"10.0.0.1"}"#,
            ),
        ];
        for (fields, expected) in cases {
            assert_eq!(String::from_utf8(update(&fields)).unwrap(), expected);
        }
    }

    #[test]
    fn odd_types_are_taken_and_counted() {
        let body = r#"{"id":"4189d3c2-8882-4871-a3c2-d380272eed88","status":"resting",
            "approval_enabled":"true","ports":[{"client_port":"81","server_port":80}],
            "description":"","connection_count":3,"new":{"a":[1]},"tags":[{"key":"k"}],"ip":null}"#;
        let decoded = service(body.as_bytes()).unwrap();
        let service = &decoded.services[0];
        assert_eq!(service.status, ServiceStatus::Unknown);
        assert_eq!(service.fields.approval_enabled, Some(true));
        assert_eq!(service.fields.ports, Some(vec![mapping(81, 80)]));
        assert_eq!(service.fields.description.as_deref(), Some(""));
        assert_eq!((service.connections, &service.fields.ip), (Some(3), &None));
        let count = |kind| decoded.surprises[kind as usize];
        assert_eq!(count(Surprise::UnknownField), 1);
        assert_eq!(count(Surprise::UnknownStatus), 1);
        assert_eq!(count(Surprise::CoercedType), 2);
    }

    #[test]
    fn what_is_not_the_whole_truth_is_refused() {
        let id = r#""id":"4189d3c2-8882-4871-a3c2-d380272eed88""#;
        let cases = [
            ("[]".to_owned(), Reason::BadShape),
            ("{}".to_owned(), Reason::BadShape),
            (r#"{"id":"../x"}"#.to_owned(), Reason::BadShape),
            (format!("{{{id},\"ports\":[{{\"client_port\":81}}]}}"), Reason::BadShape),
            (
                format!("{{{id},\"ports\":[{{\"client_port\":0,\"server_port\":1}}]}}"),
                Reason::BadShape,
            ),
            (format!("{{{id},\"ports\":[[81,80]]}}"), Reason::BadShape),
            (format!("{{{id}"), Reason::BadJson),
            ("<html>".to_owned(), Reason::BadJson),
            (String::new(), Reason::BadJson),
        ];
        for (body, reason) in cases {
            let error = service(body.as_bytes()).unwrap_err();
            assert_eq!(error.reason, reason, "{body}");
        }
    }

    #[test]
    fn a_list_leaves_out_what_cannot_be_read() {
        let body = r#"{"endpoint_services":[{"id":"x"},
            {"id":"4189d3c2-8882-4871-a3c2-d380272eed88","connection_count":2}],"total_count":2}"#;
        let decoded = services(body.as_bytes()).unwrap();
        assert_eq!((decoded.received, decoded.total, decoded.services.len()), (2, Some(2), 1));
        assert_eq!(decoded.services[0].connections, Some(2));
        assert_eq!(services(b"{}").unwrap_err().reason, Reason::BadShape);
    }
}
