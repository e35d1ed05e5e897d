//! What can be changed, and what was found, as JSON: in answers, in the audit log, in a diff.

use serde_json::{Map, Value, json};

use super::{Answered, FieldChange};
use crate::{
    cloud::CloudError,
    model::{EndpointService, PortMapping, ServiceFields, ServiceName},
};

/// The fields that are there, as the API writes them.
pub fn fields_to_json(fields: &ServiceFields) -> Map<String, Value> {
    let values = ServiceFields::NAMES
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), value(fields, name)?)));
    values.collect()
}

/// A whole service. Every member is there; what the cloud does not say is null. `service_name` is
/// the full name.
pub fn service_to_json(service: &EndpointService) -> Value {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    let mut all = Map::new();
    for name in ServiceFields::NAMES {
        all.insert(name.to_owned(), value(&service.fields, name).unwrap_or(Value::Null));
    }
    all.insert("id".into(), service.id.as_str().into());
    all.insert("service_name".into(), service.full_name.as_str().into());
    all.insert("status".into(), service.status.as_str().into());
    all.insert("connection_count".into(), service.connections.into());
    all.insert("created_at".into(), time(service.created).into());
    all.insert("updated_at".into(), time(service.updated).into());
    Value::Object(all)
}

/// What differs, as a list.
pub fn diff_to_json(diff: &[FieldChange]) -> Value {
    let one = |change: &FieldChange| json!({ "field": change.field, "from": change.from, "to": change.to });
    diff.iter().map(one).collect()
}

/// What the cloud answered to a change; if there is no status, why no answer came.
pub fn cloud_to_json(failure: Option<&CloudError>, answered: Option<&Answered>) -> Value {
    match (failure, answered) {
        (Some(error), _) => json!({
            "status": error.status,
            "code": error.code,
            "message": error.message,
            "request_id": error.request_id,
        }),
        (None, Some(answered)) => json!({
            "status": answered.status,
            "code": null,
            "message": null,
            "request_id": answered.request_id,
        }),
        (None, None) => Value::Null,
    }
}

/// Reads back what one of the functions above wrote. Whatever is not understood is left out.
pub(super) fn fields_from_json(json: &Value) -> ServiceFields {
    let text = |name: &str| Some(Box::from(json.get(name)?.as_str()?));
    let ports = |list: &Vec<Value>| list.iter().map(port_from_json).collect::<Option<Vec<_>>>();
    ServiceFields {
        approval_enabled: json.get("approval_enabled").and_then(Value::as_bool),
        service_name: text("service_name")
            .map(|name: Box<str>| Box::from(ServiceName::new(&name).short_name())),
        ports: json.get("ports").and_then(Value::as_array).and_then(ports),
        port_id: text("port_id"),
        tcp_proxy: text("tcp_proxy"),
        description: text("description"),
        ip: text("ip"),
    }
}

/// One field, if it is there.
pub(super) fn value(fields: &ServiceFields, name: &str) -> Option<Value> {
    let text = |text: &Option<Box<str>>| text.as_deref().map(Value::from);
    match name {
        "approval_enabled" => fields.approval_enabled.map(Value::from),
        "service_name" => text(&fields.service_name),
        "ports" => fields.ports.as_ref().map(|ports| ports.iter().map(port_to_json).collect()),
        "port_id" => text(&fields.port_id),
        "tcp_proxy" => text(&fields.tcp_proxy),
        "description" => text(&fields.description),
        "ip" => text(&fields.ip),
        _ => None,
    }
}

fn port_to_json(mapping: &PortMapping) -> Value {
    json!({
        "client_port": mapping.client_port,
        "server_port": mapping.server_port,
        "protocol": mapping.protocol,
    })
}

fn port_from_json(json: &Value) -> Option<PortMapping> {
    let port = |name: &str| u16::try_from(json.get(name)?.as_u64()?).ok();
    Some(PortMapping {
        client_port: port("client_port")?,
        server_port: port("server_port")?,
        protocol: json.get("protocol")?.as_str()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::tests::{ID, service};

    #[test]
    fn a_service_has_every_member_and_comes_back() {
        let service = service();
        let json = service_to_json(&service);
        let expected = json!({
            "id": ID,
            "service_name": format!("cn-north-4.logs.{ID}"),
            "status": "available",
            "approval_enabled": true,
            "ports": [
                { "client_port": 8080, "server_port": 90, "protocol": "TCP" },
                { "client_port": 8081, "server_port": 80, "protocol": "TCP" },
            ],
            "port_id": "4189d3c2-8882-4871-a3c2-d380272eed80",
            "tcp_proxy": "close",
            "description": "before",
            "ip": null,
            "connection_count": 3,
            "created_at": "2022-04-14T09:35:47Z",
            "updated_at": null,
        });
        assert_eq!(json, expected);
        assert_eq!(fields_from_json(&json), service.fields);
        assert_eq!(fields_from_json(&fields_to_json(&service.fields).into()), service.fields);
        assert_eq!(fields_from_json(&Value::Null), ServiceFields::default());
    }

    #[test]
    fn the_cloud_speaks_by_its_answer_or_not_at_all() {
        use crate::cloud::Reason;
        let mut error = CloudError::new(Reason::Http4xx, "no");
        (error.status, error.code) = (Some(400), Some("EndPoint.3044".into()));
        let answered = Answered { status: 200, request_id: Some("r".into()) };
        assert_eq!(cloud_to_json(Some(&error), None)["code"], "EndPoint.3044");
        assert_eq!(cloud_to_json(None, Some(&answered))["request_id"], "r");
        assert_eq!(cloud_to_json(None, None), Value::Null);
    }
}
