//! Endpoint services: one, a page of them, and the body that changes one (VPCEP API Reference,
//! "Modifying a VPC Endpoint Service" and "Querying VPC Endpoint Services").

mod raw;

use serde::Serialize;

use self::raw::{RawList, RawPort, RawService};
use super::{Oddity, Surprise, meaning::Meaning, not_the_document, scalar::Scalar};
use crate::{
    cloud::{CloudError, Reason},
    model::{EndpointService, PortMapping, ServiceFields, ServiceId, ServiceName, ServiceStatus},
};

/// Endpoint services, and what was odd about them.
#[derive(Debug)]
pub struct DecodedServices {
    /// The services of which the id can be read.
    pub services: Vec<EndpointService>,
    /// The ids of services whose row has other faults.
    pub unreadable: Vec<ServiceId>,
    /// The number of rows without a readable id.
    pub without_id: u32,
    /// Rows received.
    pub received: u32,
    /// `total_count`, if sent.
    pub total: Option<u64>,
    /// How often each kind of surprise was met, in the order of [`Surprise::ALL`].
    pub surprises: [u64; Surprise::ALL.len()],
    /// The surprises, each once.
    pub oddities: Vec<Oddity>,
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
    let id = service_id(&raw).ok_or_else(|| bad_shape("the answer has no id of a service"))?;
    let service = meaning.service(id, raw)?;
    Ok(DecodedServices {
        services: vec![service],
        unreadable: Vec::new(),
        without_id: 0,
        received: 1,
        total: None,
        surprises: meaning.surprises,
        oddities: meaning.oddities,
    })
}

/// Decodes a page of endpoint services. One whose id or ports cannot be read is not among the services,
/// and counted as unparsable.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
pub fn services(body: &[u8]) -> Result<DecodedServices, CloudError> {
    let raw: RawList<'_> =
        serde_json::from_slice(body).map_err(|error| not_the_document(&error))?;
    let mut meaning = Meaning::default();
    meaning.unknown(raw.unknown_fields);
    let total = meaning.number("total_count", raw.total_count, true);
    let rows = raw.services.ok_or_else(|| bad_shape("the answer has no list of services"))?;
    let received = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut services = Vec::with_capacity(rows.len());
    let (mut unreadable, mut without_id) = (Vec::new(), 0);
    for row in rows {
        let shown = row.id.clone();
        let read = match service_id(&row) {
            Some(id) => meaning.service(id.clone(), row).map_err(|_| unreadable.push(id)),
            None => {
                without_id += 1;
                Err(())
            }
        };
        match read {
            Ok(service) => services.push(service),
            Err(()) => meaning.odd(Surprise::UnparsableValue, "endpoint_services", &shown),
        }
    }
    let Meaning { surprises, oddities } = meaning;
    Ok(DecodedServices { services, unreadable, without_id, received, total, surprises, oddities })
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

fn service_id(raw: &RawService<'_>) -> Option<ServiceId> {
    match &raw.id {
        Scalar::Text(id) => ServiceId::parse(id).ok(),
        _ => None,
    }
}

impl Meaning {
    fn service(
        &mut self,
        id: ServiceId,
        raw: RawService<'_>,
    ) -> Result<EndpointService, CloudError> {
        self.unknown(raw.unknown_fields);
        let ports = match raw.ports {
            Some(ports) => Some(self.ports(ports)?),
            None => None,
        };
        let name = self.raw_text("service_name", raw.service_name);
        let full_name = ServiceName::new(name.as_deref().unwrap_or_default());
        Ok(EndpointService {
            id,
            status: self.service_status(&raw.status),
            fields: ServiceFields {
                approval_enabled: self.switch("approval_enabled", raw.approval_enabled),
                service_name: name.is_some().then(|| full_name.short_name().into()),
                ports,
                port_id: self.optional("port_id", raw.port_id),
                tcp_proxy: self.optional("tcp_proxy", raw.tcp_proxy),
                description: self.optional("description", raw.description),
                ip: self.optional("ip", raw.ip),
            },
            full_name,
            connections: self.number("connection_count", raw.connection_count, true),
            created: self.time("created_at", raw.created_at),
            updated: self.time("updated_at", raw.updated_at),
        })
    }

    fn optional(&mut self, field: &str, value: Scalar<'_>) -> Option<Box<str>> {
        self.raw_text(field, value).map(Into::into)
    }

    fn service_status(&mut self, value: &Scalar<'_>) -> ServiceStatus {
        if let Scalar::Text(word) = value
            && let Some(status) = ServiceStatus::from_word(word)
        {
            return status;
        }
        self.odd(Surprise::UnknownStatus, "status", value);
        ServiceStatus::Unknown
    }

    /// All mappings, in canonical order.
    fn ports(&mut self, raw: Vec<RawPort<'_>>) -> Result<Vec<PortMapping>, CloudError> {
        let mut ports = Vec::with_capacity(raw.len());
        for raw in raw {
            self.unknown(raw.unknown_fields);
            let port = |number: Option<u64>| {
                number.and_then(|number| u16::try_from(number).ok()).filter(|&port| port > 0)
            };
            let client_port = port(self.number("client_port", raw.client_port, true));
            let server_port = port(self.number("server_port", raw.server_port, true));
            let (Some(client_port), Some(server_port)) = (client_port, server_port) else {
                return Err(bad_shape("a port mapping of the service cannot be read"));
            };
            let protocol = self.raw_text("protocol", raw.protocol);
            let protocol = protocol.unwrap_or_else(|| "TCP".to_owned()).into();
            ports.push(PortMapping { client_port, server_port, protocol });
        }
        ports.sort_unstable();
        Ok(ports)
    }
}

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

    /// Texts are compared, so they stay complete and unchanged; code that shows one cleans it.
    #[test]
    fn texts_are_kept_as_the_cloud_has_them() {
        let long = "x".repeat(5000);
        for text in ["a\nb", "a\u{2028}b", "a\u{2029}b", "\u{1b}[2J\u{85}\u{202e}", &*long] {
            let body = serde_json::json!({
                "id": "4189d3c2-8882-4871-a3c2-d380272eed88", "status": "available",
                "service_name": text, "description": text, "port_id": text, "tcp_proxy": text,
                "ip": text, "ports": [{"client_port": 1, "server_port": 2, "protocol": text}],
            });
            let decoded = service(body.to_string().as_bytes()).unwrap();
            let service = &decoded.services[0];
            let protocol = &*service.fields.ports.as_ref().unwrap()[0].protocol;
            let ServiceFields { description, port_id, tcp_proxy, ip, .. } = &service.fields;
            let found = [description, port_id, tcp_proxy, ip].map(|text| text.as_deref().unwrap());
            assert_eq!(found, [text; 4]);
            assert_eq!([service.full_name.as_str(), protocol], [text; 2]);
        }
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
