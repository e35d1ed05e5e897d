//! Endpoint services: one, a page of them, and the body that changes one (VPCEP API Reference,
//! "Modifying a VPC Endpoint Service" and "Querying VPC Endpoint Services").

use serde::de::SeqAccess;

use super::{
    lenient::Lenient,
    object::{List, Object, Scalar, object},
    surprise::{Surprise, Surprises},
};
use crate::{
    cloud::{CloudError, Reason},
    model::{EndpointService, PortMapping, ServiceFields, ServiceId, ServiceName, ServiceStatus},
};

const PAGE: [&str; 1] = ["total_count"];

const SERVICE: [&str; 26] = [
    "id",
    "service_name",
    "status",
    "approval_enabled",
    "port_id",
    "tcp_proxy",
    "description",
    "ip",
    "connection_count",
    "created_at",
    "updated_at",
    // Documented, and not used.
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

const PORT: [&str; 3] = ["client_port", "server_port", "protocol"];

type RawService<'a> = Object<'a, 26, Ports<'a>>;

/// A page of the list of endpoint services.
#[derive(Debug, Default)]
pub struct ServicePage {
    /// The services that can be read.
    pub services: Vec<EndpointService>,
    /// The ids of services whose row has other faults.
    pub unreadable: Vec<ServiceId>,
    /// The number of rows without a readable id.
    pub without_id: u32,
    /// Rows received.
    pub received: u32,
    /// `total_count`, if sent.
    pub total: Option<u64>,
}

/// Decodes one endpoint service.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON; [`Reason::BadShape`] if it is not the documented object, has
/// no id, or has ports that cannot be read: what is shown of a service must be the whole truth.
pub fn service(body: &[u8]) -> Result<(EndpointService, Surprises), CloudError> {
    let mut lenient = Lenient::default();
    let mut raw: RawService<'_> = object(body, &SERVICE)?;
    let id = service_id(&raw.take("id").value);
    let id = id.ok_or_else(|| bad_shape("the answer has no id of a service"))?;
    let service = endpoint_service(&mut lenient, id, raw)?;
    Ok((service, lenient.surprises))
}

/// Decodes a page of endpoint services. One whose id or ports cannot be read is not among the services,
/// and counted as unparsable.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
pub fn services(body: &[u8]) -> Result<(ServicePage, Surprises), CloudError> {
    let mut raw: Object<'_, 1, Rows> = object(body, &PAGE)?;
    let rows = raw.list.take();
    let Rows { mut lenient, mut page } =
        rows.ok_or_else(|| bad_shape("the answer has no list of services"))?;
    lenient.unknown(&raw.unknown_fields);
    page.total = lenient.number(raw.take("total_count"));
    Ok((page, lenient.surprises))
}

/// The rows of a page, as they come.
#[derive(Default)]
struct Rows {
    lenient: Lenient,
    page: ServicePage,
}

impl<'de> List<'de> for Rows {
    const NAME: Option<&'static str> = Some("endpoint_services");

    fn read<A: SeqAccess<'de>>(&mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element_seed(RawService::of(&SERVICE))? {
            self.page.received = self.page.received.saturating_add(1);
            self.take(row);
        }
        Ok(())
    }
}

impl Rows {
    fn take(&mut self, mut row: RawService<'_>) {
        let field = row.take("id");
        match service_id(&field.value) {
            None => self.page.without_id += 1,
            Some(id) => match endpoint_service(&mut self.lenient, id.clone(), row) {
                Ok(service) => return self.page.services.push(service),
                Err(_) => self.page.unreadable.push(id),
            },
        }
        self.lenient.odd(Surprise::UnparsableValue, &field.named("endpoint_services"));
    }
}

#[derive(Default)]
struct Ports<'a>(Vec<Object<'a, 3>>);

impl<'de> List<'de> for Ports<'de> {
    const NAME: Option<&'static str> = Some("ports");

    fn read<A: SeqAccess<'de>>(&mut self, mut ports: A) -> Result<(), A::Error> {
        while let Some(port) = ports.next_element_seed(Object::of(&PORT))? {
            self.0.push(port);
        }
        Ok(())
    }
}

fn bad_shape(message: &str) -> CloudError {
    CloudError::new(Reason::BadShape, message)
}

fn service_id(value: &Scalar<'_>) -> Option<ServiceId> {
    match value {
        Scalar::Text(id) => ServiceId::parse(id).ok(),
        _ => None,
    }
}

fn endpoint_service(
    lenient: &mut Lenient,
    id: ServiceId,
    mut raw: RawService<'_>,
) -> Result<EndpointService, CloudError> {
    lenient.unknown(&raw.unknown_fields);
    let ports = raw.list.take().map(|ports| port_mappings(lenient, ports)).transpose()?;
    let name = lenient.raw_text(raw.take("service_name"));
    let full_name = ServiceName::new(name.as_deref().unwrap_or_default());
    let status = lenient.status(raw.take("status"), ServiceStatus::from_word);
    let mut text = |name| lenient.raw_text(raw.take(name)).map(Into::into);
    let (port_id, tcp_proxy) = (text("port_id"), text("tcp_proxy"));
    let (description, ip) = (text("description"), text("ip"));
    Ok(EndpointService {
        id,
        status: status.unwrap_or(ServiceStatus::Unknown),
        fields: ServiceFields {
            approval_enabled: lenient.switch(raw.take("approval_enabled")),
            service_name: name.is_some().then(|| full_name.short_name().into()),
            ports,
            port_id,
            tcp_proxy,
            description,
            ip,
        },
        full_name,
        connections: lenient.number(raw.take("connection_count")),
        created: lenient.time(raw.take("created_at")),
        updated: lenient.time(raw.take("updated_at")),
    })
}

/// All mappings, in canonical order.
fn port_mappings(lenient: &mut Lenient, ports: Ports<'_>) -> Result<Vec<PortMapping>, CloudError> {
    let mut mappings = Vec::with_capacity(ports.0.len());
    for mut raw in ports.0 {
        lenient.unknown(&raw.unknown_fields);
        let mut port = |name| {
            let number = lenient.number(raw.take(name));
            number.and_then(|number| u16::try_from(number).ok()).filter(|&port| port > 0)
        };
        let (Some(client_port), Some(server_port)) = (port("client_port"), port("server_port"))
        else {
            return Err(bad_shape("a port mapping of the service cannot be read"));
        };
        let protocol = lenient.raw_text(raw.take("protocol")).unwrap_or("TCP".into());
        mappings.push(PortMapping { client_port, server_port, protocol: protocol.into() });
    }
    mappings.sort_unstable();
    Ok(mappings)
}

/// The body of a change: the requested fields only. `false` is sent, not left out: an
/// omitted `approval_enabled` may mean its default, which is true.
pub fn update(fields: &ServiceFields) -> String {
    serde_json::to_string(fields).expect("texts and numbers are always JSON")
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
        let (service, surprises) = service(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(surprises, Surprises::default());
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
            assert_eq!(update(&fields), expected);
        }
    }

    #[test]
    fn odd_types_are_taken_and_counted() {
        let body = r#"{"id":"4189d3c2-8882-4871-a3c2-d380272eed88","status":"resting",
            "approval_enabled":"true","ports":[{"client_port":"81","server_port":80}],
            "description":"","connection_count":3,"new":{"a":[1]},"tags":[{"key":"k"}],"ip":null}"#;
        let (service, surprises) = service(body.as_bytes()).unwrap();
        assert_eq!(service.status, ServiceStatus::Unknown);
        assert_eq!(service.fields.approval_enabled, Some(true));
        assert_eq!(service.fields.ports, Some(vec![mapping(81, 80)]));
        assert_eq!(service.fields.description.as_deref(), Some(""));
        assert_eq!((service.connections, &service.fields.ip), (Some(3), &None));
        let expected =
            [(Surprise::UnknownField, 1), (Surprise::UnknownStatus, 1), (Surprise::CoercedType, 2)];
        assert_eq!(surprises.counts().collect::<Vec<_>>(), expected);
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
            let (service, _) = service(body.to_string().as_bytes()).unwrap();
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
        let (page, surprises) = services(body.as_bytes()).unwrap();
        assert_eq!((page.received, page.total, page.services.len()), (2, Some(2), 1));
        assert_eq!(page.services[0].connections, Some(2));
        // The status is missing, and an id is none.
        let expected = [(Surprise::UnknownStatus, 1), (Surprise::UnparsableValue, 1)];
        assert_eq!(surprises.counts().collect::<Vec<_>>(), expected);
        assert_eq!(services(b"{}").unwrap_err().reason, Reason::BadShape);
    }
}
