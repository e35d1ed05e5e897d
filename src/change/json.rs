//! A change as JSON: in answers of the admin API, in the audit log, and read back from both. The
//! members of each object stand in the order in which they are written.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Condition, Outcome};
use crate::{
    cloud::CloudError,
    model::{
        EndpointId, EndpointService, Field, FieldValue, PortMapping, ServiceFields, ServiceName,
        Status,
    },
};

/// An endpoint service. Every member is there; what the cloud does not say is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Service)]
pub struct ServiceView {
    /// True if the owner must approve each connection.
    pub approval_enabled: Option<bool>,
    /// Connected endpoints.
    pub connection_count: Option<u64>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: Option<String>,
    /// Free text.
    pub description: Option<Box<str>>,
    /// The service's id.
    pub id: String,
    /// IPv4 address or domain name of a VLAN service.
    pub ip: Option<Box<str>>,
    /// The port of the backend.
    pub port_id: Option<Box<str>>,
    /// All port mappings.
    #[serde(serialize_with = "sorted")]
    pub ports: Option<Vec<PortMapping>>,
    /// The full name, `<region>.<name>.<id>`.
    pub service_name: String,
    /// `creating`, `available`, `failed`, `deleting` or `unknown`.
    pub status: String,
    /// The way in which client addresses reach the backend.
    pub tcp_proxy: Option<Box<str>>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: Option<String>,
}

impl From<&EndpointService> for ServiceView {
    fn from(service: &EndpointService) -> Self {
        let ServiceFields { approval_enabled, ports, port_id, tcp_proxy, description, ip, .. } =
            service.fields.clone();
        Self {
            approval_enabled,
            connection_count: service.connections,
            created_at: service.created.map(|time| time.to_string()),
            description,
            id: service.id.as_str().to_owned(),
            ip,
            port_id,
            ports,
            service_name: service.full_name.as_str().to_owned(),
            status: service.status.as_str().to_owned(),
            tcp_proxy,
            updated_at: service.updated.map(|time| time.to_string()),
        }
    }
}

impl From<ServiceView> for ServiceFields {
    fn from(view: ServiceView) -> Self {
        let ServiceView { approval_enabled, ports, port_id, tcp_proxy, description, ip, .. } = view;
        let service_name = Some(ServiceName::new(&view.service_name).short_name().into());
        Self { approval_enabled, service_name, ports, port_id, tcp_proxy, description, ip }
    }
}

/// A field that differs. `ports` is a list that is replaced as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The field's name.
    #[schema(value_type = String)]
    pub field: Field,
    /// The value before; null where there was none.
    #[schema(value_type = Value)]
    #[serde(serialize_with = "sorted")]
    pub from: Option<FieldValue>,
    /// The value afterwards, or the requested one.
    #[schema(value_type = Value)]
    #[serde(serialize_with = "sorted")]
    pub to: Option<FieldValue>,
}

/// The planned or actual outcome for one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionChange {
    /// The endpoint.
    #[schema(value_type = String)]
    pub endpoint_id: EndpointId,
    /// The status before; null where the cluster has no such connection.
    #[schema(value_type = Option<String>)]
    pub from: Option<Status>,
    /// The requested status.
    #[schema(value_type = String)]
    pub to: Status,
    /// The outcome for this connection: `applied` if reading back shows `to`.
    #[schema(value_type = String)]
    pub outcome: Outcome,
}

/// The answer of the cloud to a change; a part that it left out is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CloudAnswer {
    /// The cloud's error code.
    pub code: Option<String>,
    /// The cloud's error message.
    pub message: Option<String>,
    /// The cloud's id of the request.
    pub request_id: Option<String>,
    /// The HTTP status.
    pub status: u16,
}

impl CloudAnswer {
    /// A success.
    pub(super) fn ok(request_id: Option<String>) -> Self {
        Self { code: None, message: None, request_id, status: 200 }
    }

    /// The answer behind an error, if the cloud answered at all.
    pub fn of(error: &CloudError) -> Option<Self> {
        Some(Self {
            code: error.code.clone(),
            message: Some(error.message.clone()),
            request_id: error.request_id.clone(),
            status: error.status?,
        })
    }
}

/// The outcome of a change or of a dry run; `Effect` has the members of its kind.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeView<Effect> {
    /// The id under which it is recorded.
    pub change_id: String,
    /// `planned`, `unchanged`, `applied`, `not_applied`, `partial`, `unknown`, `rejected` or `not_sent`.
    #[schema(value_type = String)]
    pub outcome: Outcome,
    /// True if a request went to the cloud that may have changed something.
    pub sent: bool,
    /// True if the same request may be made again without harm.
    pub safe_to_retry: bool,
    /// The subject and its differences.
    #[serde(flatten)]
    pub effect: Effect,
    /// The answer of the cloud; null if there was none.
    pub cloud: Option<CloudAnswer>,
    /// Warnings for the caller.
    pub warnings: Vec<String>,
    /// The error of the request, if it failed. Documents have it in other words.
    #[serde(skip)]
    pub failure: Option<CloudError>,
}

/// The effect on an endpoint service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServiceChangeView {
    /// The state before.
    pub before: ServiceView,
    /// The state that was read afterwards; null if it was not read.
    pub after: Option<ServiceView>,
    /// The differences between the state before and the requested one.
    pub diff: Vec<Difference>,
}

/// The effect on connections.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectionsView {
    /// Each connection of the request, in its order.
    pub connections: Vec<ConnectionChange>,
}

/// Writes the members of every object in the order of the alphabet: mappings have another one in the
/// body of a PUT.
fn sorted<S: Serializer>(of: &impl Serialize, serializer: S) -> Result<S::Ok, S::Error> {
    value(of).serialize(serializer)
}

/// The request in the record of an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Requested {
    /// The precondition: `"*"`, a list of tags, or null.
    if_match: Value,
    /// The requested fields.
    pub(super) update: ServiceFields,
}

impl Requested {
    pub(super) fn new(condition: &Condition, update: &ServiceFields) -> Self {
        let if_match = match condition {
            Condition::None => Value::Null,
            Condition::Any => "*".into(),
            Condition::Tags(tags) => tags.as_slice().into(),
        };
        Self { if_match, update: update.clone() }
    }
}

/// Any of the documents above as a value for the audit log.
pub(super) fn value(document: &impl Serialize) -> Value {
    // Texts, numbers and lists of them are always JSON.
    serde_json::to_value(document).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        change::tests::{ID, service},
        cloud::Reason,
    };

    #[test]
    fn a_service_has_every_member_and_comes_back() {
        let service = service();
        let view = ServiceView::from(&service);
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
        assert_eq!(value(&view), expected);
        let read: ServiceView = serde_json::from_value(expected).unwrap();
        assert_eq!(ServiceFields::from(read), service.fields);
        let fields = value(&service.fields);
        assert_eq!(serde_json::from_value::<ServiceFields>(fields).unwrap(), service.fields);
    }

    /// Objects that stand in others were always written in this order.
    #[test]
    fn members_stand_in_the_order_of_the_alphabet() {
        let ports = service().fields.get(Field::Ports);
        let difference = Difference { field: Field::Ports, from: ports.clone(), to: ports };
        let answer = CloudAnswer::ok(None);
        for (written, sorted) in [
            (
                serde_json::to_string(&ServiceView::from(&service())),
                value(&ServiceView::from(&service())),
            ),
            (serde_json::to_string(&difference), value(&difference)),
            (serde_json::to_string(&answer), value(&answer)),
        ] {
            assert_eq!(written.unwrap(), sorted.to_string());
        }
    }

    #[test]
    fn words_are_the_same_in_json_and_elsewhere() {
        for field in Field::ALL {
            assert_eq!(value(&field), field.as_str());
        }
        for outcome in Outcome::ALL {
            assert_eq!(value(&outcome), outcome.as_str());
        }
        let later: Outcome = serde_json::from_value(json!("a word of a later version")).unwrap();
        assert_eq!(later, Outcome::Unknown);
    }

    #[test]
    fn the_cloud_speaks_by_its_answer_or_not_at_all() {
        let mut error = CloudError::new(Reason::Http4xx, "no");
        (error.status, error.code) = (Some(400), Some("EndPoint.3044".into()));
        assert_eq!(CloudAnswer::of(&error).unwrap().code.as_deref(), Some("EndPoint.3044"));
        for own in [CloudError::no_turn(), CloudError::new(Reason::Timeout, "no answer came")] {
            assert_eq!(CloudAnswer::of(&own), None);
        }
    }
}
